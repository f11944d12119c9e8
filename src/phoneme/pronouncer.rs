//! Words become phones: lexicon, then endings of its words, then letter to sound.

use super::morphology;
use super::{LetterToSound, Lexicon, PhonemeSeq, SequenceBuilder, Symbol, WordSpan, letter_name};
use crate::text::{TextChunk, TextError, Token, TokenKind};

/// Where a word's phones come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The lexicon lists the word.
    Lexicon,
    /// The name of a letter.
    Letter,
    /// A word of the lexicon with an ending.
    Derived,
    /// The letter-to-sound model.
    LetterToSound,
}

/// A word's phones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pronunciation {
    /// In order; empty only for a word without letters.
    pub phones: Vec<Symbol>,
    /// Where they come from.
    pub origin: Origin,
}

/// The English pronouncer. Cheap to make and to copy: its data lie in the program.
#[derive(Debug, Clone, Copy)]
pub struct Pronouncer {
    lexicon: Lexicon<'static>,
    letter_to_sound: LetterToSound<'static>,
}

impl Default for Pronouncer {
    fn default() -> Self {
        Self::new()
    }
}

impl Pronouncer {
    /// A pronouncer with the embedded lexicon and letter-to-sound model.
    pub fn new() -> Self {
        Self { lexicon: Lexicon::embedded(), letter_to_sound: LetterToSound::embedded() }
    }

    /// The phones of a word by itself (lower case, ASCII letters and apostrophes).
    pub fn word(&self, word: &str) -> Pronunciation {
        if let Some(phones) = self.lexicon.get(word) {
            return Pronunciation { phones, origin: Origin::Lexicon };
        }
        if let Some(phones) = morphology::derive(word, &|stem| self.lexicon.get(stem)) {
            return Pronunciation { phones, origin: Origin::Derived };
        }
        let phones = self.letter_to_sound.phones(word);
        if phones.is_empty() {
            // Nothing that sounds was found: what is left are the letters' names.
            return Pronunciation {
                phones: word.chars().flat_map(letter_name).collect(),
                origin: Origin::Letter,
            };
        }
        Pronunciation { phones, origin: Origin::LetterToSound }
    }

    /// The phones of a letter's name, with or without an ending: `b`, `b's`.
    pub fn letter(&self, letter: &str) -> Pronunciation {
        let (name, ending) = letter.split_once('\'').unwrap_or((letter, ""));
        let mut phones: Vec<Symbol> = name.chars().flat_map(letter_name).collect();
        if !ending.is_empty() {
            morphology::add_s(&mut phones);
        }
        Pronunciation { phones, origin: Origin::Letter }
    }

    /// Turns a chunk into phones with their positions, beginning with [`Pause::Start`](super::Pause::Start) and ending with a pause.
    ///
    /// Fails if there is no word in the chunk. Pauses are passed on as they are; [`phrases`](crate::text::phrases)
    /// keeps the sequences short.
    pub fn pronounce(&self, chunk: &TextChunk) -> Result<PhonemeSeq, TextError> {
        chunk.speakable()?;
        let mut words: Vec<Option<Vec<Symbol>>> =
            chunk.tokens.iter().map(|token| self.phones(token)).collect();
        for index in 0..words.len() {
            let next =
                words.get(index + 1).and_then(|next| next.as_ref()).and_then(|next| next.first().copied());
            if let (TokenKind::Word(word), Some(phones)) = (&chunk.tokens[index].kind, &mut words[index]) {
                fit_to_next(word, phones, next);
            }
        }
        let mut builder = SequenceBuilder::default();
        for (token, phones) in chunk.tokens.iter().zip(words) {
            match &token.kind {
                TokenKind::Pause(pause) => builder.pause(*pause),
                TokenKind::Word(spoken) | TokenKind::Letter(spoken) => {
                    let span = WordSpan { spoken: spoken.clone(), source: token.source.clone() };
                    builder.word(span, &phones.unwrap_or_default());
                }
            }
        }
        builder.finish().ok_or_else(|| TextError::NothingToSay { found: "words without letters".into() })
    }

    /// The phones of a token, `None` for pauses.
    fn phones(&self, token: &Token) -> Option<Vec<Symbol>> {
        match &token.kind {
            TokenKind::Word(word) => Some(self.word(word).phones),
            TokenKind::Letter(letter) => Some(self.letter(letter).phones),
            TokenKind::Pause(_) => None,
        }
    }
}

/// Function words that sound different before a vowel or at the end of a phrase.
fn fit_to_next(word: &str, phones: &mut [Symbol], next: Option<Symbol>) {
    let vowel_follows = next.is_some_and(Symbol::is_vowel);
    let replacement = match word {
        "the" if vowel_follows => "IY0",
        "to" if vowel_follows || next.is_none() => "UW1",
        _ => return,
    };
    if let (Some(last), Some(symbol)) = (phones.last_mut(), Symbol::parse(replacement)) {
        *last = symbol;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normalise;

    fn word(word: &str) -> (String, Origin) {
        let Pronunciation { phones, origin } = Pronouncer::new().word(word);
        (phones.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" "), origin)
    }

    #[test]
    fn asks_the_lexicon_first() {
        assert_eq!(word("robot"), ("R OW1 B AA2 T".into(), Origin::Lexicon));
        assert_eq!(word("kiosk's").1, Origin::Derived);
        assert_eq!(word("zorblick").1, Origin::LetterToSound);
        assert_eq!(word(""), (String::new(), Origin::Letter));
    }

    #[test]
    fn function_words_fit_what_follows() {
        let phones = |text: &str| Pronouncer::new().pronounce(&normalise(text)).unwrap().to_string();
        assert_eq!(phones("the dog"), "^ DH AH0 D AO1 G .");
        assert_eq!(phones("the apple"), "^ DH IY0 AE1 P AH0 L .");
        assert_eq!(phones("to go"), "^ T AH0 G OW1 .");
        assert_eq!(phones("to eat"), "^ T UW1 IY1 T .");
        assert_eq!(phones("come to, and"), "^ K AH1 M T UW1 , AE1 N D .");
    }

    #[test]
    fn letters_take_endings() {
        let letter = |text: &str| {
            let phones = Pronouncer::new().letter(text).phones;
            phones.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(letter("d"), "D IY1");
        assert_eq!(letter("d's"), "D IY1 Z");
        assert_eq!(letter("s's"), "EH1 S IH0 Z");
    }
}
