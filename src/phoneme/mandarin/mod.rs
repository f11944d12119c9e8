//! Mandarin characters become the phones of pinyin: words are found, read as a whole where a character has several
//! readings, and their tones fitted to each other.
//!
//! | step | by |
//! |---|---|
//! | words | [jieba-rs](https://docs.rs/jieba-rs), with the words of `data/mandarin.dict` |
//! | readings of words whose characters are not read as usual | `data/mandarin.dict` |
//! | readings of other characters | [pinyin](https://docs.rs/pinyin) |
//! | readings that hang on the character before | `context` |
//! | tones in company | `sandhi` |
//! | phones | `syllable`, after the published AISHELL3 dictionary |

mod context;
mod letter;
mod sandhi;
mod syllable;

use std::io::BufReader;
use std::sync::OnceLock;

use jieba_rs::Jieba;
use pinyin::ToPinyin;

use super::{Origin, Pronunciation};
use crate::text::{Token, TokenKind, is_han};
use sandhi::Word;
use syllable::Syllable;

/// Lines of a word, its count, and perhaps its syllables, sorted by bytes; made by `make_dictionary.py`.
const DICTIONARY: &str = include_str!("data/mandarin.dict");

/// The word finder, which knows the dictionary's words.
fn jieba() -> &'static Jieba {
    static JIEBA: OnceLock<Jieba> = OnceLock::new();
    JIEBA.get_or_init(|| {
        let mut reader = BufReader::new(DICTIONARY.as_bytes());
        // It is part of the program, and read by a test: without it, words are found by their characters alone.
        Jieba::with_dict(&mut reader).unwrap_or_else(|_| Jieba::empty())
    })
}

/// Reads the dictionary now rather than with the first text: a quarter of a second, once in a program.
pub(super) fn warm_up() {
    jieba();
}

/// How each token sounds among the others, `None` for pauses.
pub(super) fn pronunciations(tokens: &[&Token]) -> Vec<Option<Pronunciation>> {
    let character = |token: &Token| match &token.kind {
        TokenKind::Word(word) => word.chars().next().filter(|&c| is_han(c)),
        _ => None,
    };
    let mut said = Vec::with_capacity(tokens.len());
    for run in tokens.chunk_by(|a, b| character(a).is_some() && character(b).is_some()) {
        let phrase: String = run.iter().filter_map(|token| character(token)).collect();
        if phrase.is_empty() {
            said.extend(run.iter().map(|token| other(token)));
        } else {
            said.extend(pronounce(&phrase).into_iter().map(Some));
        }
    }
    said
}

/// Letters by their names, and words with phones of their own; a pause has none.
fn other(token: &Token) -> Option<Pronunciation> {
    match &token.kind {
        TokenKind::Phones { phones, .. } => {
            Some(Pronunciation { phones: phones.clone(), origin: Origin::Text })
        }
        _ => token.word().map(letter::pronunciation),
    }
}

/// The phones of each character of a phrase.
fn pronounce(phrase: &str) -> Vec<Pronunciation> {
    let mut words: Vec<Word> = jieba().cut(phrase, true).into_iter().map(|word| read(word.word)).collect();
    context::apply(&mut words);
    sandhi::apply(&mut words);
    let syllables = words.iter().flat_map(|word| &word.syllables);
    syllables.map(|syllable| Pronunciation { phones: syllable.phones(), origin: Origin::Lexicon }).collect()
}

/// A word with its readings.
fn read(word: &str) -> Word {
    let characters: Vec<char> = word.chars().collect();
    let listed = listed(word).and_then(Syllable::parse_all).filter(|all| all.len() == characters.len());
    let syllables = listed.unwrap_or_else(|| by_parts(&characters));
    Word { head: head(&characters), characters, syllables }
}

/// The readings of a word that is not listed: of the longest listed words in it, else of its characters.
fn by_parts(characters: &[char]) -> Vec<Syllable> {
    let mut syllables = Vec::with_capacity(characters.len());
    while let Some(&c) = characters.get(syllables.len()) {
        let rest = &characters[syllables.len()..];
        let longest = (2..rest.len()).rev().find_map(|len| {
            let part: String = rest[..len].iter().collect();
            listed(&part).and_then(Syllable::parse_all).filter(|all| all.len() == len)
        });
        syllables.extend(longest.unwrap_or_else(|| vec![alone(c)]));
    }
    syllables
}

/// The commonest reading of a character.
fn alone(c: char) -> Syllable {
    let word = listed(c.encode_utf8(&mut [0; 4])).and_then(Syllable::parse);
    let reading = || Syllable::parse(c.to_pinyin()?.with_tone_num_end());
    let toneless = || c.to_pinyin().map(|reading| Syllable { sound: reading.plain().to_owned(), tone: 5 });
    let mut found = word.or_else(reading).or_else(toneless);
    if let Some(syllable) = &mut found {
        syllable.sound = syllable.sound.replace('ü', "v");
    }
    found.unwrap_or(Syllable { sound: String::new(), tone: 5 })
}

/// How many characters of a word of three or more are a word by themselves: 展览 of 展览馆.
fn head(characters: &[char]) -> usize {
    let is_word = |part: &[char]| jieba().has_word(&part.iter().collect::<String>());
    let len = characters.len();
    if len < 3 {
        return 0;
    }
    (1..len)
        .rev()
        .find(|&head| head > 1 && is_word(&characters[..head]))
        .unwrap_or_else(|| (1..len - 1).find(|&head| is_word(&characters[head..])).unwrap_or(0))
}

/// The syllables that the dictionary has for a word, by bisection of its lines.
fn listed(word: &str) -> Option<&'static str> {
    let (mut low, mut high) = (0, DICTIONARY.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let bytes = DICTIONARY.as_bytes();
        let start = bytes[..middle].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let end = bytes[middle..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| middle + at);
        let mut fields = DICTIONARY.get(start..end)?.split(' ');
        match fields.next()?.cmp(word) {
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
            std::cmp::Ordering::Equal => return fields.nth(1),
        }
    }
    None
}

#[cfg(test)]
mod tests;
