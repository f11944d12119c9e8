//! Makes the compact lexicon from a dictionary in CMUdict's text format.

use std::collections::BTreeMap;

use super::lexicon::{BLOCK_ENTRIES, HEADER_BYTES, MAGIC, MAX_WORD_BYTES};
use super::symbol::{SYMBOL_FINGERPRINT, Symbol};

/// Our own additions, read after the dictionary: words it lacks, and readings that a voice should prefer.
const SUPPLEMENT: &str = include_str!("data/supplement.dict");

/// Why a dictionary could not be compiled.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DictionaryError {
    /// A pronunciation names a phone that the symbol table lacks, or has none at all.
    #[error("dictionary line {line}: expected ARPAbet phones with stress digits, got {found:?}")]
    Phone {
        /// Line number, from 1, in the dictionary (or in our supplement, which is read after it).
        line: usize,
        /// What stands there.
        found: String,
    },
    /// The file is no text of a dictionary's size.
    #[error("dictionary: expected UTF-8 text of at most {most_bytes} bytes")]
    NotText {
        /// The limit.
        most_bytes: u64,
    },
    /// Not one usable word.
    #[error("dictionary: expected lines of `word PH ON ES`, got none")]
    Empty,
}

impl DictionaryError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Phone { .. } => "the format is CMUdict's: `hello HH AH0 L OW1`, one word a line",
            Self::NotText { .. } | Self::Empty => "give CMUdict's `cmudict.dict`",
        }
    }
}

/// One line of a dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DictionaryEntry {
    pub word: String,
    /// False for `word(2)` and the like.
    pub first: bool,
    pub phones: Vec<Symbol>,
}

/// Reads CMUdict's text format: `word PH ON ES # comment`, `word(2) …` for a variant.
///
/// Words with other characters than letters and inner apostrophes are skipped: the normaliser never makes them.
pub(super) fn parse_dictionary(text: &str) -> Result<Vec<DictionaryEntry>, DictionaryError> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some((head, pronunciation)) = line.split_once(char::is_whitespace) else { continue };
        let (word, first) = match head.split_once('(') {
            Some((word, _)) => (word, false),
            None => (head, true),
        };
        let speakable = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'\'')
            && word.bytes().any(|b| b.is_ascii_lowercase())
            && word.len() <= MAX_WORD_BYTES;
        if !speakable {
            continue;
        }
        let phones: Option<Vec<Symbol>> = pronunciation
            .split_whitespace()
            .map(|name| Symbol::parse(name).filter(|symbol| symbol.pause().is_none()))
            .collect();
        let phones = phones.filter(|phones| !phones.is_empty()).ok_or_else(|| DictionaryError::Phone {
            line: index + 1,
            found: pronunciation.trim().to_owned(),
        })?;
        entries.push(DictionaryEntry { word: word.to_owned(), first, phones });
    }
    Ok(entries)
}

/// Compiles CMUdict's text (first pronunciations) and our supplement to the bytes that [`Lexicon`](super::Lexicon)
/// reads: about 1.4 MB. The same text gives the same bytes.
pub fn compile_lexicon(dict_text: &str) -> Result<Vec<u8>, DictionaryError> {
    let mut words: BTreeMap<String, Vec<Symbol>> = BTreeMap::new();
    for entry in parse_dictionary(dict_text)? {
        if entry.first {
            words.entry(entry.word).or_insert(entry.phones);
        }
    }
    if words.is_empty() {
        return Err(DictionaryError::Empty);
    }
    for entry in parse_dictionary(SUPPLEMENT)? {
        words.insert(entry.word, entry.phones);
    }

    let (mut offsets, mut blocks) = (Vec::new(), Vec::new());
    let mut previous: &[u8] = &[];
    for (index, (word, phones)) in words.iter().enumerate() {
        let word = word.as_bytes();
        if index % BLOCK_ENTRIES == 0 {
            offsets.push(blocks.len() as u32);
            previous = &[];
        }
        let shared = word.iter().zip(previous).take_while(|(a, b)| a == b).count();
        blocks.push(shared as u8);
        push_marked(&mut blocks, word[shared..].iter().copied());
        push_marked(&mut blocks, phones.iter().map(|symbol| symbol.id()));
        previous = word;
    }

    let mut bytes = Vec::with_capacity(HEADER_BYTES + 4 * offsets.len() + blocks.len());
    bytes.extend_from_slice(MAGIC);
    for number in [SYMBOL_FINGERPRINT, words.len() as u32, offsets.len() as u32].iter().chain(&offsets) {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&blocks);
    Ok(bytes)
}

/// Appends bytes below 128, the last with its high bit set.
fn push_marked(to: &mut Vec<u8>, bytes: impl Iterator<Item = u8>) {
    to.extend(bytes);
    if let Some(last) = to.last_mut() {
        *last |= 0x80;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::Lexicon;

    #[test]
    fn round_trip() {
        let text = "able EY1 B AH0 L # comment\nable-bodied EY1\na. EY1\nabler EY1 B L ER0\nabler(2) AA1\n\
                    zoo Z UW1\n'quoth K W OW1 TH\n";
        let bytes = compile_lexicon(text).unwrap();
        let lexicon = Lexicon::from_bytes(&bytes).unwrap();
        let get = |word: &str| {
            let phones = lexicon.get(word)?;
            Some(phones.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(get("able").as_deref(), Some("EY1 B AH0 L"));
        assert_eq!(get("abler").as_deref(), Some("EY1 B L ER0"));
        assert_eq!(get("zoo").as_deref(), Some("Z UW1"));
        assert_eq!(get("'quoth").as_deref(), Some("K W OW1 TH"));
        assert_eq!(get("able-bodied"), None);
        assert_eq!(get("abl"), None);
        assert_eq!(get("zzz"), None);
        assert_eq!(bytes, compile_lexicon(text).unwrap());
    }

    #[test]
    fn names_the_bad_line() {
        let error = compile_lexicon("able EY1 B AH0 L\nbaker B EY1 K QQ\n").unwrap_err();
        assert_eq!(error, DictionaryError::Phone { line: 2, found: "B EY1 K QQ".into() });
        assert_eq!(compile_lexicon("able").unwrap_err(), DictionaryError::Empty);
        assert_eq!(
            compile_lexicon("stop .").unwrap_err().to_string().split(':').next(),
            Some("dictionary line 1")
        );
    }

    #[test]
    fn supplement_parses_and_wins() {
        let bytes = compile_lexicon("and AH0 N D\n").unwrap();
        let phones = Lexicon::from_bytes(&bytes).unwrap().get("and").unwrap();
        assert_eq!(phones[0].to_string(), "AE1");
    }
}
