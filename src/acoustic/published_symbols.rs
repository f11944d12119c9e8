//! The symbol table of the published models, and what of it our phrases use. All begin alike; FastSpeech 1 and
//! FastPitch end before the pinyin.
//!
//! | ids | symbols | FastSpeech 2 | FastSpeech 1 | FastPitch |
//! |---|---|---|---|---|
//! | 0 | padding | never | never | never |
//! | 1 – 11 | `-`, punctuation, space | never: punctuation is `@sp` | all that is written | all that is written |
//! | 12 – 63 | letters | never: words are phones | words, in lower case | never |
//! | 64 – 147 | ARPAbet, sorted by name, vowels bare and with three stresses | all but the 15 bare vowels | never | as FastSpeech 2 |
//! | 148 – 356 | pinyin: initials, finals with five tones each, `rr` | all, in Mandarin | | |
//! | 357 – 359 | `@sp`, `@spn`, `@sil` | `@sp`, for a pause inside of a phrase | | |
//!
//! FastSpeech 2's table of embeddings has a row more than there are symbols, FastSpeech 1's has 300 rows.

use std::sync::LazyLock;

use crate::phoneme::{SYMBOL_COUNT, Symbol};

/// Rows of the embedding of a model that was trained with this table.
pub const PUBLISHED_SYMBOLS: usize = 361;
/// Symbols that all the tables begin with.
pub const COMMON_SYMBOLS: usize = 148;
const FIRST_PHONE: u32 = 64;
const FIRST_PINYIN: u32 = 148;
const SHORT_PAUSE: u32 = 357;

/// The published id of a phone, or of a pause inside of a phrase.
pub fn published_id(symbol: Symbol) -> u32 {
    if let Some(index) = symbol.pinyin_index() {
        return FIRST_PINYIN + u32::from(index);
    }
    static IDS: LazyLock<Vec<u32>> = LazyLock::new(ids);
    IDS.get(usize::from(symbol.id())).copied().unwrap_or(SHORT_PAUSE)
}

/// The published id of a lower-case letter, a space or a mark; `None` for what the table does not have.
pub(super) fn letter_id(letter: char) -> Option<u32> {
    const MARKS: &str = "_-!'(),.:;? ";
    const FIRST_LOWER_CASE: u32 = 38;
    match letter {
        'a'..='z' => Some(FIRST_LOWER_CASE + (letter as u32 - 'a' as u32)),
        '_' => None,
        _ => MARKS.find(letter).map(|at| at as u32),
    }
}

/// By our ids; padding, which is never asked for, as a pause.
fn ids() -> Vec<u32> {
    let all = || (1..SYMBOL_COUNT as u8).filter_map(Symbol::from_id);
    let mut names: Vec<String> = Vec::new();
    for symbol in all().filter(|symbol| symbol.pause().is_none()) {
        let name = symbol.to_string();
        if symbol.is_vowel() {
            names.push(name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned());
        }
        names.push(name);
    }
    names.sort();
    names.dedup();
    let id = |symbol: Symbol| match names.binary_search(&symbol.to_string()) {
        Ok(index) if symbol.pause().is_none() => FIRST_PHONE + index as u32,
        _ => SHORT_PAUSE,
    };
    std::iter::once(SHORT_PAUSE).chain(all().map(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_have_the_published_ids() {
        // Counted off the published list by hand.
        for (name, id) in [
            ("AA0", 65),
            ("AH0", 73),
            ("AY2", 87),
            ("B", 88),
            ("CH", 89),
            ("DH", 91),
            ("HH", 106),
            ("IY1", 113),
            ("L", 117),
            ("OW1", 123),
            ("P", 129),
            ("ZH", 147),
            (",", 357),
            (".", 357),
        ] {
            assert_eq!(published_id(Symbol::parse(name).unwrap()), id, "{name}");
        }
        for (name, id) in
            [("b", 148), ("zh", 170), ("a1", 171), ("er5", 220), ("iii4", 259), ("vn5", 355), ("rr", 356)]
        {
            assert_eq!(published_id(Symbol::from_pinyin(name).unwrap()), id, "{name}");
        }
    }
}
