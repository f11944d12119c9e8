//! Pronunciations of the user's own, which go before the lexicon: names of people, places and products.
//!
//! A text of lines `word<TAB>PHONES` (the tab is shown as →), the phones in ARPAbet with stress, `#` before comments:
//!
//! ```text
//! # our products
//! fastglow→F AE1 S T G L OW2
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, PoisonError, RwLock};

use super::Symbol;

/// Most words.
pub const MAX_USER_WORDS: usize = 10_000;
/// Longest word, and most phones of one.
const MAX_LENGTH: usize = 64;

/// Words and their phones. Shared by all who pronounce; a change counts from the next word on.
#[derive(Debug, Default)]
pub struct UserWords {
    words: RwLock<Arc<WordMap>>,
}

/// Words, in order, and their phones.
pub type WordMap = BTreeMap<String, Vec<Symbol>>;

/// A word's pronunciation cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserWordError {
    /// It is no word.
    #[error("word: expected 1 to 64 lower-case letters and apostrophes, got `{got}`")]
    Word {
        /// What it is instead, shortened.
        got: String,
    },
    /// Something is no phone.
    #[error("phones: expected ARPAbet with stress as `HH AH0 L OW1`, got `{got}`")]
    Phone {
        /// What it is instead, shortened.
        got: String,
    },
    /// There are none, or too many.
    #[error("phones: expected 1 to 64, got {got}")]
    PhoneCount {
        /// How many.
        got: usize,
    },
    /// There is no room.
    #[error("words: expected at most {}", MAX_USER_WORDS)]
    TooMany,
    /// A line of a text is wrong.
    #[error("line {line}: {source}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        source: Box<UserWordError>,
    },
}

fn shortened(text: &str) -> String {
    text.chars().take(32).collect()
}

/// Checks a word and reads its phones, with blanks between them.
///
/// # Errors
/// Either is not as it should be.
pub fn parse_user_word(word: &str, phones: &str) -> Result<(String, Vec<Symbol>), UserWordError> {
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '\'';
    let is_word = (1..=MAX_LENGTH).contains(&word.len())
        && word.chars().all(is_letter)
        && word.starts_with(|c: char| c != '\'');
    if !is_word {
        return Err(UserWordError::Word { got: shortened(word) });
    }
    let is_sound = |name: &&str| name.starts_with(|c: char| c.is_ascii_uppercase());
    let symbols = phones.split_whitespace().take(MAX_LENGTH + 1).map(|name| {
        let symbol = Some(name).filter(is_sound).and_then(Symbol::parse);
        symbol.ok_or_else(|| UserWordError::Phone { got: shortened(name) })
    });
    let symbols: Vec<Symbol> = symbols.collect::<Result<_, _>>()?;
    if !(1..=MAX_LENGTH).contains(&symbols.len()) {
        return Err(UserWordError::PhoneCount { got: symbols.len() });
    }
    Ok((word.to_owned(), symbols))
}

/// Phones with blanks between them.
pub fn show_phones(phones: &[Symbol]) -> String {
    phones.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" ")
}

impl UserWords {
    /// Reads a whole text. Of a word that is there twice, the last counts.
    ///
    /// # Errors
    /// A line is wrong, or there are too many; then nothing is changed.
    pub fn read(&self, text: &str) -> Result<(), UserWordError> {
        let mut words = WordMap::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, phones) = line.split_once('\t').unwrap_or((line, ""));
            let entry = parse_user_word(word.trim(), phones);
            let (word, phones) =
                entry.map_err(|source| UserWordError::Line { line: number, source: Box::new(source) })?;
            words.insert(word, phones);
            if words.len() > MAX_USER_WORDS {
                return Err(UserWordError::TooMany);
            }
        }
        self.set(words);
        Ok(())
    }

    /// These words instead of all others.
    pub fn set(&self, words: WordMap) {
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(words);
    }

    /// The words of this moment.
    pub fn all(&self) -> Arc<WordMap> {
        self.words.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A word's phones, if it is listed.
    pub fn get(&self, word: &str) -> Option<Vec<Symbol>> {
        self.words.read().unwrap_or_else(PoisonError::into_inner).get(word).cloned()
    }
}

/// The text that [`UserWords::read`] reads.
pub fn show_user_words(words: &WordMap) -> String {
    let mut text = String::from("# Pronunciations that go before the lexicon: word, tab, phones.\n");
    for (word, phones) in words {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word}\t{}", show_phones(phones));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_read_and_written_again() {
        let words = UserWords::default();
        words.read("# names\n\nfastglow\tF AE1 S T G L OW2\r\nfastglow\tF AE1 S T\nb\tB IY1").unwrap();
        assert_eq!(show_phones(&words.get("fastglow").unwrap()), "F AE1 S T");
        assert_eq!((words.all().len(), words.get("Fastglow")), (2, None));
        let text = show_user_words(&words.all());
        let again = UserWords::default();
        again.read(&text).unwrap();
        assert_eq!(again.all(), words.all());
    }

    #[test]
    fn a_wrong_line_is_named_and_changes_nothing() {
        let words = UserWords::default();
        words.read("a\tAH0").unwrap();
        let error = |text: &str| words.read(text).unwrap_err().to_string();
        assert!(error("b\tB IY1\nC\tS IY1").starts_with("line 2: word: expected 1 to 64 lower-case letters"));
        assert!(error("b\tB IY").ends_with("got `IY`"));
        assert!(error("b\t. B").ends_with("got `.`"), "pauses are no phones");
        assert!(error("b B IY1").starts_with("line 1: word"), "no tab");
        assert!(error("b").ends_with("expected 1 to 64, got 0"));
        assert!(error(&format!("b\t{}", "B ".repeat(65))).ends_with("got 65"));
        let letter = |i: usize| (b'a' + (i % 26) as u8) as char;
        let line = |i: usize| format!("{}{}{}\tB", letter(i), letter(i / 26), letter(i / 676));
        let many: Vec<String> = (0..=MAX_USER_WORDS).map(line).collect();
        assert_eq!(words.read(&many.join("\n")), Err(UserWordError::TooMany));
        assert_eq!(words.all().len(), 1);
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in "(\\PC{0,20}|[a-z']{1,9}\t[A-Z0-2 ]{0,20}|\n){0,9}") {
            let words = UserWords::default();
            if words.read(&text).is_ok() {
                let again = UserWords::default();
                again.read(&show_user_words(&words.all())).unwrap();
                prop_assert_eq!(again.all(), words.all());
            }
        }
    }
}
