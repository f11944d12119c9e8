//! Words in capitals: spelled (`USA`, `GPU`), said (`NASA`, `LIDAR`), or an ordinary word made loud (`STOP`).

use super::fold::fold_word;
use super::reader::{Reader, Spoken, is_capitals};
use crate::phoneme::{Lexicon, is_spelled_out};

/// In the lexicon as words, but names of letters when written in capitals.
const SPELLED: &[&str] = &[
    "add", "aka", "ama", "apa", "apr", "asap", "ata", "ect", "eta", "est", "faq", "fin", "ics", "ids", "ira",
    "irs", "iso", "led", "leds", "les", "lol", "mit", "mba", "mri", "nos", "oem", "pac", "pet", "pot", "rip",
    "sos", "ups", "usa", "uss", "utc", "vin", "vip", "viz", "gps", "jfk",
];
/// Not in the lexicon, or too short to look like words, but said.
const SAID: &[&str] =
    &["ascii", "captcha", "cern", "darpa", "gif", "noaa", "rom", "sars", "swat", "uefa", "unicef", "yolo"];
/// The words of two letters that are words in capitals too.
const TWO_LETTER_WORDS: &[&str] = &[
    "ah", "am", "an", "as", "at", "be", "by", "do", "go", "he", "hi", "if", "in", "is", "me", "my", "no",
    "of", "oh", "on", "or", "ox", "so", "to", "uh", "um", "up", "we",
];
/// An unknown word in capitals of at most this many letters is spelled.
const MAX_SPELLED_LETTERS: usize = 5;
/// The same where all is in capitals, so that they prove nothing.
const MAX_SPELLED_LETTERS_SHOUTING: usize = 3;

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let raw = reader.word(0)?;
    if raw == "pH" {
        out.letters("ph");
        return Some(1);
    }
    if !is_capitals(split_ending(raw).0) {
        return None;
    }
    // `AT&T`
    if raw == "AT" && reader.mark(1) == Some('&') && reader.word(2) == Some("T") {
        out.letters("at");
    } else {
        speak(reader, raw, out);
    }
    Some(1)
}

/// Splits off a possessive or plural that is not part of the capitals: `FBI's`, `CDs`.
pub(super) fn split_ending(raw: &str) -> (&str, &'static str) {
    for ending in ["'s", "\u{2019}s", "'S", "\u{2019}S"] {
        if let Some(base) = raw.strip_suffix(ending) {
            return (base, "'s");
        }
    }
    match raw.strip_suffix('s') {
        Some(base) if is_capitals(base) => (base, "s"),
        _ => (raw, ""),
    }
}

/// Says or spells a word that may be an acronym.
pub(super) fn speak(reader: &Reader<'_>, raw: &str, out: &mut Spoken) {
    let (base, ending) = split_ending(raw);
    let folded = fold_word(base);
    let letters = folded.replace('\'', "");
    let short = letters.len() == 1;
    let spelled = short || (is_capitals(base) && is_spelled(reader, &folded)) || has_no_vowel(&folded);
    if spelled {
        out.letters(&letters);
        if let (Some(last), false) = (out.last(), ending.is_empty()) {
            last.push_str("'s");
        }
    } else {
        out.words(&format!("{folded}{ending}"));
    }
}

/// True if a word in capitals is read letter by letter. `word` is in lower case.
fn is_spelled(reader: &Reader<'_>, word: &str) -> bool {
    if SAID.contains(&word) {
        return false;
    }
    let usual = SPELLED.contains(&word) || (word.len() == 2 && !TWO_LETTER_WORDS.contains(&word));
    if usual && !reader.is_shouted() {
        return true;
    }
    match Lexicon::embedded().get(word) {
        // The lexicon lists `fbi` with the names of its letters.
        Some(phones) => is_spelled_out(word, &phones),
        None if word.len() <= MAX_SPELLED_LETTERS_SHOUTING => !word.contains('\'') || reader.is_shouted(),
        None => word.len() <= MAX_SPELLED_LETTERS && !word.contains('\'') && !reader.is_shouted(),
    }
}

/// True for what cannot be a syllable and is not listed as a word: `html`, `pdf`.
pub(super) fn has_no_vowel(word: &str) -> bool {
    !word.bytes().any(|b| b"aeiouy'".contains(&b)) && !Lexicon::embedded().contains(word)
}
