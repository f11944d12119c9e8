//! Words become phones: the symbol table and the sequence that the acoustic model reads.
//!
//! A native voice reads ARPAbet with stress, pauses by punctuation, and two prosodic positions per phone.

#[cfg(feature = "train")]
mod compile;
mod heteronym;
mod ipa;
mod letter_to_sound;
mod letters;
mod lexicon;
#[cfg(feature = "mandarin")]
mod mandarin;
mod morphology;
mod pinyin;
mod pronouncer;
mod sequence;
mod symbol;
mod user_words;
mod viseme;

#[cfg(feature = "train")]
pub use compile::{DictionaryError, compile_lexicon};
pub use letter_to_sound::LetterToSound;
#[cfg(feature = "train")]
pub use letter_to_sound::{
    LetterToSoundConfig, LetterToSoundReport, evaluate_letter_to_sound, is_held_out, train_letter_to_sound,
};
pub use letters::{is_spelled_out, letter_name};
pub use lexicon::Lexicon;
pub use pronouncer::{Origin, PhonemePart, Pronouncer, Pronunciation, Surrounded};
pub use sequence::SequenceBuilder;
pub use symbol::{Pause, SYMBOL_COUNT, SYMBOL_FINGERPRINT, Stress, Symbol};
pub use user_words::{
    MAX_USER_WORDS, UserWordError, UserWords, WordFormat, WordMap, parse_ipa, parse_phones, parse_user_word,
    show_phones, show_user_words,
};
pub use viseme::viseme;

/// Where a phone stands in its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum WordPosition {
    /// A pause: no word.
    None = 0,
    /// The word's only phone.
    Single = 1,
    /// The first of several.
    Begin = 2,
    /// Neither first nor last.
    Middle = 3,
    /// The last of several.
    End = 4,
}

impl WordPosition {
    /// How many values there are; the size of the model's table.
    pub const COUNT: usize = 5;

    /// The position of phone `index` in a word of `phone_count` phones.
    pub fn of(index: usize, phone_count: usize) -> Self {
        match (index, phone_count) {
            (_, 1) => Self::Single,
            (0, _) => Self::Begin,
            (i, n) if i + 1 == n => Self::End,
            _ => Self::Middle,
        }
    }
}

/// How many phrase positions there are: four phrase kinds times four distances to the phrase's end.
pub const PHRASE_POSITION_COUNT: usize = 16;

/// The phrase position of a phone: what kind of pause ends its phrase, and how many words (0, 1, 2, 3 or more)
/// stand between its word and that end. Pauses themselves use distance 0.
pub fn phrase_position(ending: Pause, words_to_end: usize) -> u8 {
    let kind = match ending {
        Pause::Stop | Pause::Start => 0,
        Pause::Comma | Pause::Colon | Pause::Break => 1,
        Pause::Question => 2,
        Pause::Exclamation => 3,
    };
    kind * 4 + words_to_end.min(3) as u8
}

/// One token of the acoustic model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phone {
    /// Phone with stress, or a pause.
    pub symbol: Symbol,
    /// Where it stands in its word.
    pub word_position: WordPosition,
    /// See [`phrase_position`].
    pub phrase_position: u8,
    /// Index into [`PhonemeSeq::words`]; `None` for pauses.
    pub word: Option<u32>,
}

/// A word of the text that the phones came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordSpan {
    /// The word as it is spoken (lower case, numbers written out).
    pub spoken: String,
    /// Byte range in the text given.
    pub source: std::ops::Range<usize>,
}

/// A phrase as phones: the output of this stage, the input of `acoustic`.
///
/// A whole phrase starts with [`Pause::Start`] and ends with a pause.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PhonemeSeq {
    /// The tokens, in order.
    pub phones: Vec<Phone>,
    /// The words they belong to.
    pub words: Vec<WordSpan>,
}

impl std::fmt::Display for PhonemeSeq {
    /// The symbols' names with spaces between: `^ HH AY1 !`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, phone) in self.phones.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            write!(f, "{space}{}", phone.symbol)?;
        }
        Ok(())
    }
}
