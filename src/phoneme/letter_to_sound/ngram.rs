//! N-gram counts with modified Kneser-Ney smoothing, and their pruning.
//!
//! Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (1999). N-grams are keys of
//! [`UNIT_BITS`] bits per unit, kept sorted: nothing depends on the order of a hash table.

use super::model::{MAX_ORDER, START, UNIT_BITS};

/// All n-grams of one length, by key.
#[derive(Debug, Default, Clone)]
pub(super) struct Level {
    pub keys: Vec<u64>,
    /// How often each occurs in the training data.
    pub occurrences: Vec<u32>,
    /// How often (longest n-grams) or behind how many different units (others).
    pub counts: Vec<u32>,
    pub probs: Vec<f64>,
    /// Weight of the shorter context when this one does not know the next unit.
    pub backoffs: Vec<f64>,
}

impl Level {
    pub fn find(&self, key: u64) -> Option<usize> {
        self.keys.binary_search(&key).ok()
    }
}

/// The last `units` units of a key.
fn suffix(key: u64, units: usize) -> u64 {
    key & ((1 << (UNIT_BITS as usize * units)) - 1)
}

/// Sorted keys with how often each occurs.
fn count(mut keys: Vec<u64>) -> (Vec<u64>, Vec<u32>) {
    keys.sort_unstable();
    let (mut distinct, mut counts): (Vec<u64>, Vec<u32>) = (Vec::new(), Vec::new());
    for key in keys {
        if distinct.last() == Some(&key) {
            if let Some(last) = counts.last_mut() {
                *last += 1;
            }
        } else {
            distinct.push(key);
            counts.push(1);
        }
    }
    (distinct, counts)
}

/// Trains on sequences that begin with [`START`]. `order` is 2 to [`MAX_ORDER`]. Level `n` holds the (n+1)-grams.
pub(super) fn train(sequences: &[Vec<u16>], order: usize) -> Vec<Level> {
    let order = order.clamp(2, MAX_ORDER);
    let mut levels: Vec<Level> = (1..=order)
        .map(|n| {
            let mut keys = Vec::new();
            for sequence in sequences {
                for gram in sequence.windows(n) {
                    keys.push(gram.iter().fold(0, |key, &unit| key << UNIT_BITS | u64::from(unit)));
                }
            }
            let (keys, occurrences) = count(keys);
            Level { counts: occurrences.clone(), keys, occurrences, ..Level::default() }
        })
        .collect();
    for n in (1..order).rev() {
        let (keys, counts) = count(levels[n].keys.iter().map(|key| suffix(*key, n)).collect());
        let level = &mut levels[n - 1];
        for (key, count) in level.keys.iter().zip(&mut level.counts) {
            // Behind the start of a word nothing stands before: there the occurrences count.
            if let Ok(at) = keys.binary_search(key) {
                *count = counts[at];
            }
        }
    }
    for n in 1..=order {
        smooth(&mut levels, n);
    }
    levels
}

/// Fills in the probabilities of length `n` and the back-offs of the length before.
fn smooth(levels: &mut [Level], n: usize) {
    let discounts = discounts(&levels[n - 1].counts);
    let discount = |count: u32| discounts[count.min(3) as usize];
    let (shorter, longer) = levels.split_at_mut(n - 1);
    let level = &mut longer[0];
    if n == 1 {
        // The start of a word is never predicted.
        let counted = |key: u64, count: u32| if key == u64::from(START) { 0.0 } else { f64::from(count) };
        let total: f64 = level.keys.iter().zip(&level.counts).map(|(&key, &count)| counted(key, count)).sum();
        level.probs = level.keys.iter().zip(&level.counts).map(|(&k, &c)| counted(k, c) / total).collect();
        level.backoffs = vec![1.0; level.keys.len()];
        return;
    }
    let mut start = 0;
    level.probs = vec![0.0; level.keys.len()];
    level.backoffs = vec![1.0; level.keys.len()];
    while start < level.keys.len() {
        let context = level.keys[start] >> UNIT_BITS;
        let end = start + level.keys[start..].partition_point(|key| key >> UNIT_BITS == context);
        let total: f64 = level.counts[start..end].iter().map(|&count| f64::from(count)).sum();
        let saved: f64 = level.counts[start..end].iter().map(|&count| discount(count)).sum();
        for i in start..end {
            let lower = probability(shorter, level.keys[i], n - 1);
            let count = level.counts[i];
            level.probs[i] = (f64::from(count) - discount(count) + saved * lower) / total;
        }
        if let Some(at) = shorter[n - 2].find(context) {
            shorter[n - 2].backoffs[at] = saved / total;
        }
        start = end;
    }
}

/// The three discounts, by the counts of counts.
fn discounts(counts: &[u32]) -> [f64; 4] {
    let mut of = [0.0; 5];
    for &count in counts.iter().filter(|&&count| count <= 4) {
        of[count as usize] += 1.0;
    }
    let ratio = of[1] / (of[1] + 2.0 * of[2]);
    let discount = |n: usize| {
        let value = n as f64 - (n as f64 + 1.0) * ratio * of[n + 1] / of[n];
        // Small data sets have holes in their counts.
        if value.is_finite() { value.clamp(0.1, n as f64 - 0.05) } else { 0.5 }
    };
    [0.0, discount(1), discount(2), discount(3)]
}

/// The probability of a key's last unit behind the ones before, of which it takes the last `n` units.
pub(super) fn probability(levels: &[Level], key: u64, n: usize) -> f64 {
    let key = suffix(key, n);
    if let Some(at) = levels[n - 1].find(key) {
        return levels[n - 1].probs[at];
    }
    if n == 1 {
        return f64::MIN_POSITIVE;
    }
    let backoff = levels[n - 2].find(key >> UNIT_BITS).map_or(1.0, |at| levels[n - 2].backoffs[at]);
    backoff * probability(levels, key, n - 1)
}

/// Drops the n-grams whose loss costs little: fewer than `threshold` nats over the training data, by occurrence times
/// difference of log-probability (Seymore and Rosenfeld 1996); then makes the back-offs fit what is left.
pub(super) fn prune(levels: &mut [Level], threshold: f64) {
    for n in (2..=levels.len()).rev() {
        let parents: Vec<u64> = levels
            .get(n)
            .map_or(Vec::new(), |longer| longer.keys.iter().map(|key| key >> UNIT_BITS).collect());
        let level = &levels[n - 1];
        let keep: Vec<bool> = (0..level.keys.len())
            .map(|i| {
                let key = level.keys[i];
                let context = levels[n - 2].find(key >> UNIT_BITS);
                let backoff = context.map_or(1.0, |at| levels[n - 2].backoffs[at]);
                let without = backoff * probability(levels, key, n - 1);
                let loss = f64::from(level.occurrences[i]) * (level.probs[i] / without).ln();
                loss >= threshold || parents.binary_search(&key).is_ok()
            })
            .collect();
        let level = &mut levels[n - 1];
        fn kept<T: Copy>(values: &[T], keep: &[bool]) -> Vec<T> {
            values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect()
        }
        level.keys = kept(&level.keys, &keep);
        level.occurrences = kept(&level.occurrences, &keep);
        level.counts = kept(&level.counts, &keep);
        level.probs = kept(&level.probs, &keep);
        level.backoffs = kept(&level.backoffs, &keep);
    }
    for n in 2..=levels.len() {
        refit_backoffs(levels, n);
    }
}

/// Makes what each context of `n − 1` units leaves to shorter ones add up to one again.
fn refit_backoffs(levels: &mut [Level], n: usize) {
    let mut backoffs = vec![1.0; levels[n - 2].keys.len()];
    let level = &levels[n - 1];
    let mut start = 0;
    while start < level.keys.len() {
        let context = level.keys[start] >> UNIT_BITS;
        let end = start + level.keys[start..].partition_point(|key| key >> UNIT_BITS == context);
        let known: f64 = level.probs[start..end].iter().sum();
        let lower: f64 = level.keys[start..end].iter().map(|&key| probability(levels, key, n - 1)).sum();
        if let Some(at) = levels[n - 2].find(context) {
            backoffs[at] = ((1.0 - known).max(1e-9) / (1.0 - lower).max(1e-9)).clamp(1e-6, 1e3);
        }
        start = end;
    }
    levels[n - 2].backoffs = backoffs;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences() -> Vec<Vec<u16>> {
        // A little language of units 2 to 5, ended by 1.
        (0..200u16).map(|i| vec![START, 2 + i % 3, 2 + i / 3 % 4, 2 + i % 2, 2 + i / 7 % 4, 1]).collect()
    }

    /// The probabilities of all units behind every context add up to one.
    fn assert_normalised(levels: &[Level]) {
        for n in 2..=levels.len() {
            for &context in &levels[n - 2].keys {
                let sum: f64 = (1..=5).map(|unit| probability(levels, context << UNIT_BITS | unit, n)).sum();
                // Nothing follows the end of a word.
                if suffix(context, 1) != 1 {
                    assert!((sum - 1.0).abs() < 1e-6, "order {n}, context {context:x}: {sum}");
                }
            }
        }
    }

    #[test]
    fn probabilities_add_up() {
        let levels = train(&sequences(), 4);
        assert_normalised(&levels);
    }

    #[test]
    fn pruned_probabilities_add_up() {
        let mut levels = train(&sequences(), 4);
        let before = levels[3].keys.len();
        prune(&mut levels, 2.0);
        assert!(levels[3].keys.len() < before);
        assert_normalised(&levels);
        for n in 1..levels.len() {
            // Every n-gram's beginning is kept: the trie needs it.
            assert!(levels[n].keys.iter().all(|key| levels[n - 1].find(key >> UNIT_BITS).is_some()));
        }
    }
}
