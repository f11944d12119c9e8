//! Mandarin text: characters, one a word, and numbers, dates, money and units written out in characters.

mod date;
mod money;
mod number;
mod quantity;
mod symbol;

use super::fold::fold_word;
use super::reader::{Reader, Spoken};
use super::reading::Class;
use super::{inline_phones, punctuation};

/// As for English: the first that can read what stands there.
pub(super) const CLASSES: &[Class] = &[
    inline_phones::read,
    date::read,
    date::read_time,
    money::read,
    quantity::read,
    read_character,
    read_letters,
    symbol::read,
    punctuation::read,
];

/// True for the characters of Chinese writing.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// The character there, if one stands there.
fn character(reader: &Reader<'_>, ahead: isize) -> Option<char> {
    reader.word(ahead)?.chars().next().filter(|&c| is_han(c))
}

fn read_character(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    out.characters(character(reader, 0)?.encode_utf8(&mut [0; 4]));
    Some(1)
}

/// Latin letters are spelled.
fn read_letters(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let letters = fold_word(reader.word(0)?);
    out.letters(&letters.replace('\'', ""));
    Some(1)
}

#[cfg(test)]
mod tests;
