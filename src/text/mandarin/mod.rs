//! Mandarin text: characters, one a word, and numbers, dates, money and units written out in characters.

mod date;
mod money;
mod number;
mod quantity;
mod symbol;

use super::fold::fold_word;
use super::language::is_han;
use super::punctuation;
use super::reader::{Reader, Spoken};
use super::reading::Class;

/// As for English: the first that can read what stands there.
pub(super) const CLASSES: &[Class] = &[
    date::read,
    date::read_time,
    money::read,
    quantity::read,
    read_character,
    read_letters,
    symbol::read,
    punctuation::read,
];

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
