//! The names of Latin letters as Mandarin says them.

use super::super::{Origin, Pronunciation};
use super::syllable::Syllable;

const NAMES: [&str; 26] = [
    "ei1",
    "bi4",
    "xi1",
    "di4",
    "yi4",
    "ai2fu5",
    "ji4",
    "ei1chi5",
    "ai4",
    "zhei4",
    "kai4",
    "ai2lou5",
    "ai2mu5",
    "en1",
    "ou1",
    "pi4",
    "kou4",
    "a4er5",
    "ai2si5",
    "ti4",
    "you1",
    "wei1",
    "da2bu5liu5",
    "ai2ke5si5",
    "wai4",
    "zei4",
];

/// The name of a letter; empty for anything but `a` to `z`.
pub(super) fn pronunciation(letter: &str) -> Pronunciation {
    let names = letter.bytes().filter(u8::is_ascii_lowercase).map(|letter| NAMES[usize::from(letter - b'a')]);
    let syllables = names.filter_map(Syllable::parse_all).flatten();
    Pronunciation {
        phones: syllables.flat_map(|syllable| syllable.phones()).collect(),
        origin: Origin::Letter,
    }
}
