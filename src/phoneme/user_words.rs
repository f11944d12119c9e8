//! Pronunciations of the user's own, which go before the lexicon: names of people, places and products.
//!
//! A text of lines `word<TAB>PHONES` (the tab is shown as →), the phones in ARPAbet with stress or, between slashes, in
//! IPA; `#` before comments:
//!
//! ```text
//! # our products
//! fastglow→F AE1 S T G L OW2
//! siobhan→/ʃɪˈvɔːn/
//! ```
//!
//! Or the same as TOML, one key a word: `siobhan = "/ʃɪˈvɔːn/"`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use super::Symbol;
use super::ipa::read_ipa;

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
    #[error("phones: expected ARPAbet with stress as `HH AH0 L OW1`, or IPA as `/həˈloʊ/`, got `{got}`")]
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
    /// It is no TOML, or a value in it is no string.
    #[error("{reason}")]
    Toml {
        /// What the reader of TOML says.
        reason: String,
    },
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
    Ok((word.to_owned(), parse_phones(phones)?))
}

/// Reads phones: ARPAbet with blanks between, `HH AH0 L OW1`, or IPA between slashes, `/həˈloʊ/`.
///
/// # Errors
/// Something is no phone, or there are none or more than 64.
pub fn parse_phones(phones: &str) -> Result<Vec<Symbol>, UserWordError> {
    let phones = phones.trim();
    if let Some(ipa) = phones.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        return parse_ipa(ipa);
    }
    let is_sound = |name: &&str| name.starts_with(|c: char| c.is_ascii_uppercase());
    let symbols = phones.split_whitespace().take(MAX_LENGTH + 1).map(|name| {
        let symbol = Some(name).filter(is_sound).and_then(Symbol::parse);
        symbol.ok_or_else(|| UserWordError::Phone { got: shortened(name) })
    });
    counted(symbols.collect::<Result<_, _>>()?)
}

/// Reads phones in IPA, `həˈloʊ`: a stress mark stands before its syllable, and without any the first vowel is stressed.
/// Sounds that English lacks become the nearest that it has.
///
/// # Errors
/// Something is no sign of IPA, or there are no phones or more than 64.
pub fn parse_ipa(ipa: &str) -> Result<Vec<Symbol>, UserWordError> {
    // Bounds the work before the phones can be counted.
    let ipa = ipa.get(..ipa.floor_char_boundary(8 * MAX_LENGTH)).unwrap_or_default();
    counted(read_ipa(ipa).map_err(|sign| UserWordError::Phone { got: sign.into() })?)
}

fn counted(symbols: Vec<Symbol>) -> Result<Vec<Symbol>, UserWordError> {
    match symbols.len() {
        1..=MAX_LENGTH => Ok(symbols),
        got => Err(UserWordError::PhoneCount { got }),
    }
}

/// Phones with blanks between them.
pub fn show_phones(phones: &[Symbol]) -> String {
    phones.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" ")
}

/// How a text lists words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WordFormat {
    /// A word, a tab and its phones on each line.
    #[default]
    Tsv,
    /// A key and a string for each word.
    Toml,
}

impl WordFormat {
    /// TOML if the file's name ends in `.toml`.
    pub fn of(path: &Path) -> Self {
        let is_toml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
        if is_toml { Self::Toml } else { Self::Tsv }
    }
}

fn in_line(line: usize, source: UserWordError) -> UserWordError {
    UserWordError::Line { line, source: Box::new(source) }
}

fn read_lines(text: &str) -> Result<WordMap, UserWordError> {
    let mut words = WordMap::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, phones) = line.split_once('\t').unwrap_or((line, ""));
        let (word, phones) =
            parse_user_word(word.trim(), phones).map_err(|source| in_line(number, source))?;
        words.insert(word, phones);
        if words.len() > MAX_USER_WORDS {
            return Err(UserWordError::TooMany);
        }
    }
    Ok(words)
}

fn read_toml(text: &str) -> Result<WordMap, UserWordError> {
    let line_of = |byte: usize| 1 + text.bytes().take(byte).filter(|&byte| byte == b'\n').count();
    let table: BTreeMap<String, toml::Spanned<String>> = toml::from_str(text).map_err(|error| {
        let reason = error.message().to_owned();
        in_line(line_of(error.span().map_or(0, |span| span.start)), UserWordError::Toml { reason })
    })?;
    if table.len() > MAX_USER_WORDS {
        return Err(UserWordError::TooMany);
    }
    let entries = table.into_iter().map(|(word, phones)| {
        let entry = parse_user_word(&word, phones.get_ref());
        entry.map_err(|source| in_line(line_of(phones.span().start), source))
    });
    entries.collect()
}

impl UserWords {
    /// Reads a whole text of lines. Of a word that is there twice, the last counts.
    ///
    /// # Errors
    /// A line is wrong, or there are too many; then nothing is changed.
    pub fn read(&self, text: &str) -> Result<(), UserWordError> {
        self.read_as(WordFormat::Tsv, text)
    }

    /// Reads a whole text.
    ///
    /// # Errors
    /// As [`UserWords::read`]. In TOML a word that is there twice is an error.
    pub fn read_as(&self, format: WordFormat, text: &str) -> Result<(), UserWordError> {
        let words = match format {
            WordFormat::Tsv => read_lines(text)?,
            WordFormat::Toml => read_toml(text)?,
        };
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

/// The text that [`UserWords::read_as`] reads.
pub fn show_user_words(format: WordFormat, words: &WordMap) -> String {
    let layout = match format {
        WordFormat::Tsv => "word, tab, phones",
        WordFormat::Toml => "word = \"phones\"",
    };
    let mut text = format!("# Pronunciations that go before the lexicon: {layout}.\n");
    for (word, phones) in words {
        let phones = show_phones(phones);
        // Writing to a string cannot fail. Neither words nor phones have anything that TOML would want escaped.
        let _ = match format {
            WordFormat::Tsv => writeln!(text, "{word}\t{phones}"),
            WordFormat::Toml => writeln!(text, "\"{word}\" = \"{phones}\""),
        };
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
        for format in [WordFormat::Tsv, WordFormat::Toml] {
            let again = UserWords::default();
            again.read_as(format, &show_user_words(format, &words.all())).unwrap();
            assert_eq!(again.all(), words.all());
        }
    }

    #[test]
    fn ipa_stands_between_slashes() {
        let words = UserWords::default();
        words.read("siobhan\t/ʃɪˈvɔːn/\nplain\tP L EY1 N").unwrap();
        assert_eq!(show_phones(&words.get("siobhan").unwrap()), "SH IH0 V AO1 N");
        let error = words.read("x\t/ʃ9/").unwrap_err().to_string();
        assert!(error.starts_with("line 1: phones: ") && error.ends_with("got `9`"), "{error}");
        assert!(matches!(parse_phones("//"), Err(UserWordError::PhoneCount { got: 0 })));
        assert!(parse_ipa(&"ə".repeat(1000)).is_err(), "too long");
    }

    #[test]
    fn toml_is_read_with_the_lines_of_what_is_wrong() {
        let words = UserWords::default();
        let read = |text: &str| words.read_as(WordFormat::Toml, text);
        read("# ours\nfastglow = \"F AE1 S T G L OW2\"\n\"o'brien\" = '/oʊˈbraɪən/'\n").unwrap();
        assert_eq!(show_phones(&words.get("o'brien").unwrap()), "OW0 B R AY1 AH0 N");
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(error("a = \"AH0\"\n\nb = \"X\"").starts_with("line 3: phones: "));
        assert!(error("a = \"AH0\"\nB = \"B\"").starts_with("line 2: word: "));
        assert!(error("a = \"AH0\"\nb = 3").starts_with("line 2: "));
        assert!(error("a = \"AH0\"\nb = \"B\" c").starts_with("line 2: "));
        assert!(error("a = \"AH0\"\na = \"AH1\"").starts_with("line 2: "), "twice");
        assert_eq!(words.all().len(), 2, "as it was");
        assert_eq!(WordFormat::of(Path::new("words.TOML")), WordFormat::Toml);
        assert_eq!(WordFormat::of(Path::new("words.tsv")), WordFormat::Tsv);
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
                again.read(&show_user_words(WordFormat::Tsv, &words.all())).unwrap();
                prop_assert_eq!(again.all(), words.all());
            }
        }
    }
}
