//! How often the model is wrong on words it was not trained on.

use std::collections::BTreeMap;

use super::super::compile::{DictionaryError, parse_dictionary};
use super::super::morphology;
use super::super::symbol::Symbol;
use super::LetterToSound;
use super::search::without_stress;
use super::train::is_held_out;

/// Errors on the held-out words. A word is right if it equals any pronunciation that the dictionary lists; phone errors
/// are counted against the nearest one.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct LetterToSoundReport {
    /// Held-out words.
    pub words: usize,
    /// Share of words with an error, stress ignored: 0 to 1.
    pub word_error: f64,
    /// Share of words with an error in phones or stress.
    pub word_error_with_stress: f64,
    /// Insertions, deletions and substitutions per phone of the dictionary, stress ignored.
    pub phone_error: f64,
    /// The same with stress: a vowel with another stress is a substitution.
    pub phone_error_with_stress: f64,
    /// The word error where words made of a listed word and an ending, or of two listed words, are put together from
    /// them, as the pronouncer does; no listed word is one held out. Stress ignored.
    pub derived_word_error: f64,
    /// The phone error of the same.
    pub derived_phone_error: f64,
}

/// Measures the model on the dictionary's words of [`is_held_out`] (two letters or more).
pub fn evaluate_letter_to_sound(
    model: &LetterToSound<'_>,
    dict_text: &str,
) -> Result<LetterToSoundReport, DictionaryError> {
    let mut words: BTreeMap<String, Vec<Vec<Symbol>>> = BTreeMap::new();
    let mut listed: BTreeMap<String, Vec<Symbol>> = BTreeMap::new();
    for entry in parse_dictionary(dict_text)? {
        if entry.word.len() > 1 && is_held_out(&entry.word) {
            words.entry(entry.word).or_default().push(entry.phones);
        } else if entry.first {
            listed.insert(entry.word, entry.phones);
        }
    }
    if words.is_empty() {
        return Err(DictionaryError::Empty);
    }
    let [mut plain, mut stressed, mut derived] = [(); 3].map(|()| Errors::default());
    for (word, references) in &words {
        let found = model.phones(word);
        stressed.add(&found, references);
        let references: Vec<Vec<Symbol>> = references.iter().map(|phones| without_stress(phones)).collect();
        plain.add(&without_stress(&found), &references);
        let found = morphology::derive(word, &|stem| listed.get(stem).cloned()).unwrap_or(found);
        derived.add(&without_stress(&found), &references);
    }
    let share = |errors: usize, of: usize| errors as f64 / of as f64;
    Ok(LetterToSoundReport {
        words: words.len(),
        word_error: share(plain.words, words.len()),
        word_error_with_stress: share(stressed.words, words.len()),
        phone_error: share(plain.phones, plain.total),
        phone_error_with_stress: share(stressed.phones, stressed.total),
        derived_word_error: share(derived.words, words.len()),
        derived_phone_error: share(derived.phones, derived.total),
    })
}

#[derive(Default)]
struct Errors {
    words: usize,
    phones: usize,
    total: usize,
}

impl Errors {
    fn add(&mut self, found: &[Symbol], references: &[Vec<Symbol>]) {
        let nearest = references.iter().map(|reference| (distance(found, reference), reference.len())).min();
        let (errors, len) = nearest.unwrap_or_default();
        self.words += usize::from(errors > 0);
        self.phones += errors;
        self.total += len;
    }
}

/// Levenshtein distance.
fn distance(a: &[Symbol], b: &[Symbol]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_against_the_nearest_reference() {
        let parse = |names: &str| names.split(' ').filter_map(Symbol::parse).collect::<Vec<_>>();
        assert_eq!(distance(&parse("K AE1 T"), &parse("K AE1 T")), 0);
        assert_eq!(distance(&parse("K AE1 T"), &parse("K AE0 T S")), 2);
        assert_eq!(distance(&parse(""), &parse("K AE0 T S")), 4);
        let mut errors = Errors::default();
        errors.add(&parse("K AE1 T"), &[parse("D AO1 G Z"), parse("K AE1 T S")]);
        assert_eq!((errors.words, errors.phones, errors.total), (1, 1, 4));
        assert_eq!(without_stress(&parse("K AE1 T")), parse("K AE0 T"));
    }
}
