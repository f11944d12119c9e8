//! Which phones does each letter make? Expectation-maximisation over all alignments of a dictionary.

/// A word's letters and phone ids.
pub(super) struct Pair {
    pub letters: Vec<u8>,
    pub phones: Vec<u8>,
}

/// Longest run of phones of one letter (`x`: K S).
const MAX_PHONES: usize = 2;
const LETTERS: usize = 128;
const PHONES: usize = 128;
/// Before the first pass: a letter makes one phone, sometimes none, rarely two.
const FIRST_GUESS: [f64; MAX_PHONES + 1] = [0.05, 0.02, 0.0005];

/// Probabilities of a letter with its phones, jointly.
pub(super) struct Aligner {
    /// Indexed by letter and by phones: none, one, two.
    probs: Vec<f64>,
}

/// A table index for the phones of one letter.
fn index(letter: u8, phones: &[u8]) -> usize {
    let phones = match *phones {
        [] => 0,
        [one] => 1 + one as usize,
        [one, two, ..] => 1 + PHONES + one as usize * PHONES + two as usize,
    };
    letter as usize % LETTERS * (1 + PHONES + PHONES * PHONES) + phones
}

impl Aligner {
    /// Trains on all pairs in `passes` passes.
    pub fn train(pairs: &[Pair], passes: usize) -> Self {
        let mut aligner = Self { probs: Vec::new() };
        for pass in 0..passes {
            aligner.pass(pairs, pass == 0);
        }
        aligner
    }

    fn prob(&self, letter: u8, phones: &[u8], first: bool) -> f64 {
        if first { FIRST_GUESS[phones.len()] } else { self.probs[index(letter, phones)] }
    }

    fn pass(&mut self, pairs: &[Pair], first: bool) {
        let mut counts = vec![0.0; LETTERS * (1 + PHONES + PHONES * PHONES)];
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        for Pair { letters, phones } in pairs {
            let width = phones.len() + 1;
            let cells = (letters.len() + 1) * width;
            forward.clear();
            forward.resize(cells, 0.0);
            forward[0] = 1.0;
            for (i, &letter) in letters.iter().enumerate() {
                for j in 0..width {
                    for count in 0..=MAX_PHONES.min(phones.len() - j) {
                        let prob = self.prob(letter, &phones[j..j + count], first);
                        forward[(i + 1) * width + j + count] += forward[i * width + j] * prob;
                    }
                }
            }
            let total: f64 = forward[cells - 1];
            if total <= 0.0 {
                continue;
            }
            backward.clear();
            backward.resize(cells, 0.0);
            backward[cells - 1] = 1.0;
            for (i, &letter) in letters.iter().enumerate().rev() {
                for j in 0..width {
                    for count in 0..=MAX_PHONES.min(phones.len() - j) {
                        let run = &phones[j..j + count];
                        let rest = self.prob(letter, run, first) * backward[(i + 1) * width + j + count];
                        backward[i * width + j] += rest;
                        counts[index(letter, run)] += forward[i * width + j] * rest / total;
                    }
                }
            }
        }
        let sum: f64 = counts.iter().sum();
        self.probs = counts.into_iter().map(|count| count / sum).collect();
    }

    /// The likeliest number of phones of each letter, and the alignment's mean cost per letter; `None` if there is none.
    pub fn align(&self, pair: &Pair) -> Option<(Vec<usize>, f64)> {
        let Pair { letters, phones } = pair;
        let width = phones.len() + 1;
        let cells = (letters.len() + 1) * width;
        let mut costs = vec![f64::INFINITY; cells];
        let mut counts = vec![0; cells];
        costs[0] = 0.0;
        for (i, &letter) in letters.iter().enumerate() {
            for j in 0..width {
                for count in 0..=MAX_PHONES.min(phones.len() - j) {
                    let cost = costs[i * width + j] - self.prob(letter, &phones[j..j + count], false).ln();
                    let to = (i + 1) * width + j + count;
                    if cost < costs[to] {
                        costs[to] = cost;
                        counts[to] = count;
                    }
                }
            }
        }
        let total = costs[cells - 1];
        let mut result = vec![0; letters.len()];
        let mut j = phones.len();
        for i in (0..letters.len()).rev() {
            result[i] = counts[(i + 1) * width + j];
            j -= result[i];
        }
        total.is_finite().then(|| (result, total / letters.len() as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_silent_letters_and_pairs() {
        // k=1 s=2 a=3; `x` makes two phones, `h` in `kh` none.
        let words: [(&str, &[u8]); 5] =
            [("ka", &[1, 3]), ("ax", &[3, 1, 2]), ("kha", &[1, 3]), ("sa", &[2, 3]), ("ha", &[3])];
        let pairs: Vec<Pair> = words
            .iter()
            .map(|(word, phones)| Pair { letters: word.bytes().collect(), phones: phones.to_vec() })
            .collect();
        let aligner = Aligner::train(&pairs, 20);
        let counts = |index: usize| aligner.align(&pairs[index]).unwrap().0;
        assert_eq!(counts(1), [1, 2]);
        assert_eq!(counts(2), [1, 0, 1]);
        let impossible = Pair { letters: b"a".to_vec(), phones: vec![1, 2, 3] };
        assert!(aligner.align(&impossible).is_none());
    }
}
