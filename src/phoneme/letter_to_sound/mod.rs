//! Letter to sound: the phones of a word that no lexicon lists, by a joint n-gram model of our own.
//!
//! A *unit* is a letter with the phones it makes (none, one or two): `c:K`, `h:`, `x:K S`. A word and its phones are one
//! sequence of units; the model is an n-gram over units with Kneser-Ney smoothing, and the search finds the likeliest
//! sequence whose letters spell the word. After Bisani and Ney, "Joint-sequence models for grapheme-to-phoneme
//! conversion" (2008), with one letter per unit so that the search is a beam over the word's letters.

#[cfg(feature = "train")]
mod align;
#[cfg(feature = "train")]
mod evaluate;
mod model;
#[cfg(feature = "train")]
mod ngram;
mod search;
#[cfg(feature = "train")]
mod train;

use super::Symbol;
#[cfg(feature = "train")]
pub use evaluate::{LetterToSoundReport, evaluate_letter_to_sound};
use model::Model;
#[cfg(feature = "train")]
pub use train::{LetterToSoundConfig, is_held_out, train_letter_to_sound};

/// The letter-to-sound model. Copying it copies a pointer.
#[derive(Debug, Clone, Copy)]
pub struct LetterToSound<'a> {
    model: Model<'a>,
}

impl LetterToSound<'static> {
    /// The model that is part of the program.
    pub fn embedded() -> Self {
        Self { model: Model::embedded() }
    }
}

impl<'a> LetterToSound<'a> {
    /// Reads a trained model; `None` if the bytes are not one, or were made for another symbol table.
    pub fn from_bytes(data: &'a [u8]) -> Option<Self> {
        Some(Self { model: Model::from_bytes(data)? })
    }

    /// The likeliest phones of a word (lower-case ASCII letters and apostrophes; anything else is skipped).
    ///
    /// Time grows linearly with the word's length. The same word always gives the same phones.
    pub fn phones(&self, word: &str) -> Vec<Symbol> {
        search::best(&self.model, word.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phones(word: &str) -> String {
        let symbols = LetterToSound::embedded().phones(word);
        symbols.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn reads_regular_words() {
        assert_eq!(phones("blick"), "B L IH1 K");
        assert_eq!(phones("chomber"), "CH AA1 M B ER0");
        assert_eq!(phones("glorping"), "G L AO1 R P IH0 NG");
    }

    #[test]
    fn takes_any_word() {
        assert_eq!(phones(""), "");
        assert_eq!(phones("123 é"), "");
        let long = LetterToSound::embedded().phones(&"strengthen".repeat(100));
        assert!(long.len() > 500, "{} phones", long.len());
    }

    #[test]
    fn refuses_other_bytes() {
        assert!(LetterToSound::from_bytes(b"").is_none());
        assert!(LetterToSound::from_bytes(&[0; 100]).is_none());
    }
}
