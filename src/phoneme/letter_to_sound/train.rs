//! Trains the letter-to-sound model from a dictionary and writes it in the form that `model` reads.

use std::collections::BTreeMap;

use super::super::compile::{DictionaryError, parse_dictionary};
use super::super::symbol::SYMBOL_FINGERPRINT;
use super::align::{Aligner, Pair};
use super::model::{BACKOFF_CODES, END, MAGIC, PROB_CODES, START, STRIDE, UNIT_BITS};
use super::ngram::{self, Level};

/// How the model is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LetterToSoundConfig {
    /// Longest n-gram, in units: 2 to 7.
    pub order: usize,
    /// N-grams that gain less than this on the training words are dropped, in nats.
    pub prune_nats: f64,
    /// Passes of the alignment.
    pub alignment_passes: usize,
    /// A letter's phones seen in fewer words are taken for a mistake.
    pub min_unit_words: u32,
}

impl Default for LetterToSoundConfig {
    fn default() -> Self {
        Self { order: 7, prune_nats: 0.6, alignment_passes: 8, min_unit_words: 3 }
    }
}

/// Words whose alignment costs more than this per letter (nats) are acronyms or mistakes, and left out.
const MAX_LETTER_COST: f64 = 9.0;
/// One word in this many is held out.
const HELD_OUT: u32 = 20;

/// True for the 5 % of words that are never trained on, chosen by a hash of the word (FNV-1a, folded).
pub fn is_held_out(word: &str) -> bool {
    let hash = word.bytes().fold(0x811c_9dc5u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 15)).is_multiple_of(HELD_OUT)
}

/// Trains on CMUdict's text (first pronunciations, without the words of [`is_held_out`]) and returns the model's bytes.
/// One thread, about half a minute; the same text gives the same bytes.
pub fn train_letter_to_sound(
    dict_text: &str,
    config: &LetterToSoundConfig,
) -> Result<Vec<u8>, DictionaryError> {
    let pairs: Vec<Pair> = parse_dictionary(dict_text)?
        .into_iter()
        .filter(|entry| entry.first && entry.word.len() > 1 && !is_held_out(&entry.word))
        .map(|entry| Pair {
            letters: entry.word.into_bytes(),
            phones: entry.phones.iter().map(|symbol| symbol.id()).collect(),
        })
        .collect();
    let aligner = Aligner::train(&pairs, config.alignment_passes);
    // Each word as letters with their phones.
    let words: Vec<Vec<(u8, &[u8])>> = pairs
        .iter()
        .filter_map(|pair| {
            let (counts, cost) = aligner.align(pair).filter(|(_, cost)| *cost <= MAX_LETTER_COST)?;
            debug_assert!(cost.is_finite());
            let mut rest = pair.phones.as_slice();
            let split = counts.into_iter().zip(&pair.letters).map(|(count, &letter)| {
                let (phones, tail) = rest.split_at(count);
                rest = tail;
                (letter, phones)
            });
            Some(split.collect())
        })
        .collect();
    let units = units(&words, config.min_unit_words);
    let sequences: Vec<Vec<u16>> = words
        .iter()
        .filter_map(|word| {
            let units: Option<Vec<u16>> = word.iter().map(|unit| units.get(unit).copied()).collect();
            Some([vec![START], units?, vec![END]].concat())
        })
        .collect();
    if sequences.is_empty() {
        return Err(DictionaryError::Empty);
    }
    let mut levels = ngram::train(&sequences, config.order);
    ngram::prune(&mut levels, config.prune_nats);
    Ok(write(&units, &levels))
}

/// Numbers the units: those in enough words, at most as many as a node can name.
fn units<'a>(words: &[Vec<(u8, &'a [u8])>], min_words: u32) -> BTreeMap<(u8, &'a [u8]), u16> {
    let mut counts: BTreeMap<(u8, &[u8]), u32> = BTreeMap::new();
    for unit in words.iter().flatten() {
        *counts.entry(*unit).or_default() += 1;
    }
    let mut common: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= min_words).collect();
    common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    common.truncate((1 << UNIT_BITS) - usize::from(END) - 1);
    common.sort();
    common.into_iter().zip(END + 1..).map(|((unit, _), number)| (unit, number)).collect()
}

/// The bytes of the format in `model`.
fn write(units: &BTreeMap<(u8, &[u8]), u16>, levels: &[Level]) -> Vec<u8> {
    let count = units.len() + usize::from(END) + 1;
    let levels = with_every_unit(levels, count);
    let costs = |level: &Level| level.probs.iter().map(|p| -p.max(1e-12).ln() as f32).collect::<Vec<f32>>();
    let probs = Codebook::fit(levels.iter().flat_map(costs), PROB_CODES);
    let backoffs = levels.iter().flat_map(|level| level.backoffs.iter().map(|p| -p.ln() as f32));
    let backoffs = Codebook::fit(backoffs.filter(|cost| *cost != 0.0), BACKOFF_CODES);

    let mut parts = Vec::new();
    let mut parent_counts = Vec::new();
    for (index, level) in levels.iter().enumerate() {
        let children = levels.get(index + 1).map_or(&[][..], |next| &next.keys[..]);
        parent_counts.push(write_level(
            level,
            children,
            &Codebooks { probs: &probs, backoffs: &backoffs },
            &mut parts,
        ));
    }
    let mut bytes = MAGIC.to_vec();
    let mut numbers = vec![SYMBOL_FINGERPRINT, levels.len() as u32, count as u32];
    numbers.extend(levels.iter().map(|level| level.keys.len() as u32));
    numbers.extend(parent_counts);
    numbers.extend(probs.values.iter().chain(&backoffs.values).map(|value| value.to_bits()));
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes.resize(bytes.len() + 4 * (usize::from(END) + 1), 0);
    for (letter, phones) in units.keys() {
        let phone = |index: usize| phones.get(index).copied().unwrap_or(0);
        bytes.extend([*letter, phones.len() as u8, phone(0), phone(1)]);
    }
    bytes.extend(parts);
    bytes
}

/// The first level has a node for every unit, in order: a unit's number is its node.
fn with_every_unit(levels: &[Level], count: usize) -> Vec<Level> {
    let mut levels = levels.to_vec();
    let first = &levels[0];
    let at = |unit: u64| first.find(unit);
    let (probs, backoffs) = (0..count as u64)
        .map(|unit| at(unit).map_or((0.0, 1.0), |i| (first.probs[i], first.backoffs[i])))
        .unzip();
    levels[0] = Level { keys: (0..count as u64).collect(), probs, backoffs, ..Level::default() };
    levels
}

struct Codebooks<'a> {
    probs: &'a Codebook,
    backoffs: &'a Codebook,
}

/// Writes one level, given the keys of the next; returns how many of its nodes have children.
fn write_level(level: &Level, children: &[u64], codebooks: &Codebooks<'_>, to: &mut Vec<u8>) -> u32 {
    let mask = (1 << UNIT_BITS) - 1;
    let mut bits = vec![0u8; level.keys.len().div_ceil(8)];
    let (mut ranks, mut bases, mut offsets, mut weights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut parents, mut child) = (0u32, 0usize);
    for (i, &key) in level.keys.iter().enumerate() {
        let cost = -level.probs[i].max(1e-12).ln() as f32;
        let node = (key & mask) as u16 | codebooks.probs.code(cost) << UNIT_BITS;
        to.extend(node.to_le_bytes());
        if i % STRIDE == 0 {
            ranks.extend(parents.to_le_bytes());
        }
        let own = children[child..].partition_point(|next| next >> UNIT_BITS == key);
        if own == 0 {
            continue;
        }
        bits[i / 8] |= 1 << (i % 8);
        if (parents as usize).is_multiple_of(STRIDE) {
            bases.push(child as u32);
        }
        offsets.extend(((child as u32 - bases.last().copied().unwrap_or(0)) as u16).to_le_bytes());
        weights.push(codebooks.backoffs.code(-level.backoffs[i].ln() as f32) as u8);
        parents += 1;
        child += own;
    }
    to.extend(bits);
    to.extend(ranks);
    to.extend(bases.iter().flat_map(|base| base.to_le_bytes()));
    to.extend(offsets);
    to.extend(weights);
    parents
}

/// Values that stand for ranges of numbers: the means of equally many each.
struct Codebook {
    values: Vec<f32>,
}

impl Codebook {
    fn fit(numbers: impl Iterator<Item = f32>, codes: usize) -> Self {
        let mut sorted: Vec<f32> = numbers.collect();
        sorted.sort_by(f32::total_cmp);
        let cut = |code: usize| code * sorted.len() / codes;
        let values = (0..codes)
            .map(|code| {
                let range = &sorted[cut(code)..cut(code + 1)];
                if range.is_empty() {
                    return sorted.get(cut(code)).copied().unwrap_or(0.0);
                }
                range.iter().sum::<f32>() / range.len() as f32
            })
            .collect();
        Self { values }
    }

    /// The code of the nearest value.
    fn code(&self, number: f32) -> u16 {
        let above = self.values.partition_point(|value| *value < number);
        let below = above.saturating_sub(1);
        let far = |at: usize| self.values.get(at).map_or(f32::INFINITY, |value| (value - number).abs());
        (if far(above) < far(below) { above } else { below }) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::{LetterToSound, Symbol};

    #[test]
    fn learns_a_small_language_and_survives_its_format() {
        // Every word of two syllables over b, d, k and a, i; `kh` sounds like `k`.
        let mut dict = String::new();
        let (consonants, vowels) =
            ([("b", "B"), ("d", "D"), ("k", "K"), ("kh", "K")], [("a", "AA"), ("i", "IH")]);
        for (c1, p1) in consonants {
            for (v1, q1) in vowels {
                for (c2, p2) in consonants {
                    for (v2, q2) in vowels {
                        dict += &format!("{c1}{v1}{c2}{v2} {p1} {q1}1 {p2} {q2}0\n");
                    }
                }
            }
        }
        let config = LetterToSoundConfig { order: 3, prune_nats: 0.0, ..LetterToSoundConfig::default() };
        let bytes = train_letter_to_sound(&dict, &config).unwrap();
        assert_eq!(bytes, train_letter_to_sound(&dict, &config).unwrap());
        let model = LetterToSound::from_bytes(&bytes).unwrap();
        let held_out: Vec<&str> =
            dict.lines().filter(|line| is_held_out(line.split(' ').next().unwrap())).collect();
        for line in dict.lines() {
            let (word, phones) = line.split_once(' ').unwrap();
            let found = model.phones(word).iter().map(Symbol::to_string).collect::<Vec<_>>().join(" ");
            assert_eq!(found, phones, "{word}");
        }
        assert!(!held_out.is_empty());
        for len in [20, bytes.len() / 2, bytes.len() - 1] {
            assert!(LetterToSound::from_bytes(&bytes[..len]).is_none(), "{len} bytes");
        }
    }

    #[test]
    fn holds_out_one_word_in_twenty() {
        let words = (0..10_000).filter(|i| is_held_out(&format!("word{i}"))).count();
        assert!((400..600).contains(&words), "{words}");
    }

    #[test]
    fn codes_are_nearest() {
        let codebook = Codebook::fit((0..1000).map(|i| i as f32), 10);
        assert_eq!(codebook.values.len(), 10);
        assert_eq!(codebook.code(-5.0), 0);
        assert_eq!(codebook.code(140.0), 1);
        assert_eq!(codebook.code(5000.0), 9);
    }
}
