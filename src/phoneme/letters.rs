//! The names of the letters.

use super::Symbol;

const NAMES: [&str; 26] = [
    "EY1",
    "B IY1",
    "S IY1",
    "D IY1",
    "IY1",
    "EH1 F",
    "JH IY1",
    "EY1 CH",
    "AY1",
    "JH EY1",
    "K EY1",
    "EH1 L",
    "EH1 M",
    "EH1 N",
    "OW1",
    "P IY1",
    "K Y UW1",
    "AA1 R",
    "EH1 S",
    "T IY1",
    "Y UW1",
    "V IY1",
    "D AH1 B AH0 L Y UW0",
    "EH1 K S",
    "W AY1",
    "Z IY1",
];

/// The phones of a letter's name; none for anything but `a` to `z`.
pub fn letter_name(letter: char) -> Vec<Symbol> {
    let index = if letter.is_ascii_lowercase() { letter as usize - 'a' as usize } else { NAMES.len() };
    let name = NAMES.get(index).copied().unwrap_or_default();
    name.split(' ').filter_map(Symbol::parse).collect()
}

/// True if the phones are the names of the word's letters, whatever their stress: `usa`, `fbi`.
pub fn is_spelled_out(word: &str, phones: &[Symbol]) -> bool {
    let plain = |symbol: &Symbol| symbol.with_stress(super::Stress::None);
    let names = word.chars().flat_map(letter_name);
    word.len() > 1 && names.map(|symbol| plain(&symbol)).eq(phones.iter().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::Lexicon;

    #[test]
    fn every_letter_has_a_name() {
        for letter in 'a'..='z' {
            let name = letter_name(letter);
            assert!(name.iter().any(|symbol| symbol.is_vowel()), "{letter}");
            assert!(name.len() == NAMES[letter as usize - 'a' as usize].split(' ').count(), "{letter}");
        }
        assert!(letter_name('é').is_empty() && letter_name('A').is_empty());
    }

    #[test]
    fn tells_spelled_words() {
        let spelled = |word: &str| is_spelled_out(word, &Lexicon::embedded().get(word).unwrap());
        assert!(spelled("fbi") && spelled("usa") && spelled("ceo"));
        assert!(!spelled("nasa") && !spelled("stop") && !spelled("a"));
    }
}
