//! The International Phonetic Alphabet as ARPAbet: `/ˈɹoʊbɑt/` is `R OW1 B AA T`.
//!
//! Sounds that English lacks become the nearest that it has. Lengths, ties and syllable dots change nothing.

use super::{Stress, Symbol};

/// Phones of each sign, longest first. A vowel's stress is added: the digit here only makes it a phone.
#[rustfmt::skip]
const SOUNDS: &[(&str, &str)] = &[
    ("ɜɹ", "ER0"), ("ɜr", "ER0"), ("əɹ", "ER0"), ("ər", "ER0"), ("ɛɪ", "EY0"), ("eɪ", "EY0"), ("ei", "EY0"),
    ("aɪ", "AY0"), ("ai", "AY0"), ("ɑɪ", "AY0"), ("aʊ", "AW0"), ("au", "AW0"), ("ɑʊ", "AW0"), ("ɔɪ", "OY0"),
    ("oɪ", "OY0"), ("oʊ", "OW0"), ("əʊ", "OW0"), ("ou", "OW0"), ("tʃ", "CH"), ("dʒ", "JH"), ("l̩", "AH0 L"),
    ("n̩", "AH0 N"), ("m̩", "AH0 M"),
    ("ʧ", "CH"), ("ʤ", "JH"), ("b", "B"), ("d", "D"), ("f", "F"), ("ɡ", "G"), ("g", "G"), ("h", "HH"),
    ("ɦ", "HH"), ("j", "Y"), ("k", "K"), ("l", "L"), ("ɫ", "L"), ("m", "M"), ("n", "N"), ("ŋ", "NG"),
    ("p", "P"), ("r", "R"), ("ɹ", "R"), ("ɻ", "R"), ("ɾ", "D"), ("s", "S"), ("ʃ", "SH"), ("t", "T"),
    ("θ", "TH"), ("ð", "DH"), ("v", "V"), ("w", "W"), ("ʍ", "W"), ("z", "Z"), ("ʒ", "ZH"),
    ("i", "IY0"), ("ɪ", "IH0"), ("ᵻ", "IH0"), ("ɨ", "IH0"), ("e", "EH0"), ("ɛ", "EH0"), ("æ", "AE0"),
    ("a", "AA0"), ("ɑ", "AA0"), ("ɒ", "AA0"), ("ɔ", "AO0"), ("o", "OW0"), ("ʊ", "UH0"), ("u", "UW0"),
    ("ʌ", "AH0"), ("ə", "AH0"), ("ɐ", "AH0"), ("ɚ", "ER0"), ("ɝ", "ER0"), ("ɜ", "ER0"),
    // Not English.
    ("x", "K"), ("χ", "K"), ("ç", "HH"), ("c", "K"), ("q", "K"), ("ɣ", "G"), ("ʁ", "R"), ("ʀ", "R"),
    ("ʔ", "T"), ("ɲ", "N Y"), ("ʎ", "L Y"), ("β", "V"), ("ɸ", "F"), ("ɕ", "SH"), ("ʑ", "ZH"), ("ʂ", "SH"),
    ("ʐ", "ZH"), ("y", "UW0"), ("ʏ", "UH0"), ("ø", "ER0"), ("œ", "ER0"), ("ɯ", "UW0"), ("ɤ", "AH0"),
];
/// Signs that change nothing here: length, ties, syllables, linking, aspiration, brackets.
const SILENT: &[char] = &[
    'ː', 'ˑ', '.', '‿', '\u{361}', '\u{35c}', ' ', '-', '/', '[', ']', '(', ')', 'ʰ', 'ʲ', 'ʷ', '\u{303}',
    '\u{32f}', '\u{30a}', '\u{325}', '\u{32a}', '\u{31a}', '|',
];

/// Reads IPA. Stress marks stand before the syllable; without any, the first vowel is stressed.
///
/// # Errors
/// The sign that is none.
pub(super) fn read_ipa(text: &str) -> Result<Vec<Symbol>, char> {
    let is_heard = |c: &char| !SILENT.contains(c);
    let signs: String = text.chars().filter(is_heard).collect();
    let mut phones: Vec<Symbol> = Vec::new();
    let mut stress = Stress::None;
    let mut rest = signs.as_str();
    while let Some(first) = rest.chars().next() {
        if let 'ˈ' | '\'' | 'ˌ' | ',' = first {
            stress = if matches!(first, 'ˈ' | '\'') { Stress::Primary } else { Stress::Secondary };
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (sign, names) = *SOUNDS.iter().find(|(sign, _)| rest.starts_with(sign)).ok_or(first)?;
        rest = &rest[sign.len()..];
        phones.extend(names.split(' ').filter_map(Symbol::parse).map(|symbol| {
            let is_vowel = symbol.is_vowel();
            let stressed = symbol.with_stress(stress);
            stress = if is_vowel { Stress::None } else { stress };
            stressed
        }));
    }
    let is_stressed = |symbol: &Symbol| symbol.stress() == Some(Stress::Primary);
    if !phones.iter().any(is_stressed)
        && let Some(vowel) = phones.iter_mut().find(|symbol| symbol.is_vowel())
    {
        *vowel = vowel.with_stress(Stress::Primary);
    }
    Ok(phones)
}

#[cfg(test)]
mod tests {
    use super::super::show_phones;
    use super::*;

    #[test]
    fn english_words_are_the_phones_of_the_lexicon() {
        for (ipa, phones) in [
            ("ˈɹoʊˌbɑt", "R OW1 B AA2 T"),
            ("/həˈloʊ/", "HH AH0 L OW1"),
            ("wɜːɹd", "W ER1 D"),
            ("ˈwɔːtɚ", "W AO1 T ER0"),
            ("t͡ʃɜːt͡ʃ", "CH ER1 CH"),
            ("ˈbʌtn̩", "B AH1 T AH0 N"),
            ("[ˈθɪŋkɪŋ]", "TH IH1 NG K IH0 NG"),
            ("ʒanˈdaːʁk", "ZH AA0 N D AA1 R K"),
            ("ɲ", "N Y"),
        ] {
            assert_eq!(show_phones(&read_ipa(ipa).unwrap()), phones, "{ipa}");
        }
    }

    #[test]
    fn a_sign_that_is_none_is_named() {
        assert_eq!(read_ipa("ˈɹo9"), Err('9'));
        assert_eq!(read_ipa("日"), Err('日'));
        assert_eq!(read_ipa(" ˈ"), Ok(Vec::new()));
    }

    #[test]
    fn every_row_is_made_of_phones_and_none_hides_a_longer_one() {
        for (row, (sign, names)) in SOUNDS.iter().enumerate() {
            assert!(names.split(' ').all(|name| Symbol::parse(name).is_some()), "{sign}: {names}");
            assert!(
                SOUNDS[..row].iter().all(|(before, _)| !sign.starts_with(before)),
                "{sign} is never reached"
            );
        }
    }
}
