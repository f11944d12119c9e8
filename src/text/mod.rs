//! Text becomes words and pauses: numbers, money, times, dates, units, abbreviations and symbols are written out.
//!
//! The text is cut into pieces (`scan`), then each class of thing, a small file with a table, is asked in turn whether
//! it can read what comes next (`reading`). A class looks a bounded number of pieces ahead, so that the time grows
//! linearly with the text.
//!
//! Nothing is lost silently: what cannot be spoken is listed in [`TextChunk::unspoken`].

mod abbreviation;
mod acronym;
mod address;
mod chunk;
mod code;
mod date;
mod emoji;
mod fold;
mod fraction;
mod inline_phones;
mod label;
mod language;
#[cfg(feature = "mandarin")]
mod mandarin;
mod money;
mod number;
mod phone_number;
mod phrasing;
mod punctuation;
mod quantity;
mod range;
mod reader;
mod reading;
mod roman;
mod say_as;
mod scan;
mod symbol;
mod time;
mod unit;
mod utf8;
mod web;
mod word;
mod year;

use std::ops::Range;

pub use crate::phoneme::{Pause, Symbol};
pub use chunk::{Boundary, Chunk, Chunker, ChunkerConfig, ChunkerError, Pace};
pub use language::Language;
pub(crate) use language::is_han;
pub(crate) use phrasing::Breath;
use reader::Reader;
use reading::{Assembly, Reading};
#[cfg(feature = "daemon")]
pub(crate) use say_as::mark_name;
pub(crate) use say_as::say_as;
use scan::{Kind, Scanner};
pub use utf8::Utf8Repair;

/// Longest run of letters taken for one word. Of a longer one the first quarter of this is said, the rest reported.
pub const MAX_WORD_LETTERS: usize = 64;
/// Longest run of digits taken for one number; what is more is reported.
pub const MAX_NUMBER_DIGITS: usize = 64;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A word: lower-case ASCII letters and inner apostrophes, numbers written out. Of a Mandarin text, one character.
    Word(String),
    /// A letter's name: `b`, or with an ending (`b's`).
    Letter(String),
    /// A word that comes with its phones.
    Phones {
        /// What it is called: as it was written, in lower case.
        word: String,
        /// What it sounds like; at least one.
        phones: Vec<Symbol>,
    },
    /// A pause, by the punctuation.
    Pause(Pause),
}

impl TokenKind {
    /// The word or letter, if it is no pause.
    pub fn word(&self) -> Option<&str> {
        match self {
            TokenKind::Word(word) | TokenKind::Letter(word) | TokenKind::Phones { word, .. } => Some(word),
            TokenKind::Pause(_) => None,
        }
    }
}

/// A word or a pause, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What is said.
    pub kind: TokenKind,
    /// Byte range in the text given. Words written out from one expression (`1999`) share its range.
    pub source: Range<usize>,
}

impl Token {
    /// The word or letter, if it is no pause.
    pub fn word(&self) -> Option<&str> {
        self.kind.word()
    }
}

/// Why a part of the text is not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnspokenKind {
    /// Emoji and pictographs.
    Emoji,
    /// Control characters.
    Control,
    /// Letters or digits of a script that the English front end cannot read.
    Script,
    /// A sign without a reading.
    Symbol,
    /// What goes on where a run of letters or digits has become too long for a word or number.
    LongRun,
    /// Phones in braces of which one does not exist; the word is read as usual.
    Phones,
    /// Markup that asks for what the voice does not do; what it encloses is read.
    Markup,
    /// Punctuation, where there is nothing else.
    Punctuation,
}

impl UnspokenKind {
    /// What it is, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emoji => "emoji",
            Self::Control => "control characters",
            Self::Script => "a script that this voice does not read",
            Self::Symbol => "symbols",
            Self::LongRun => "a run of letters or digits too long for a word",
            Self::Phones => "phones that do not exist",
            Self::Markup => "markup that the voice does not follow",
            Self::Punctuation => "punctuation",
        }
    }
}

/// A part of the text that is not spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unspoken {
    /// Why.
    pub kind: UnspokenKind,
    /// Byte range in the text given.
    pub source: Range<usize>,
}

/// Why a text cannot be spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is no word in it. Another text may work; the same one will not.
    #[error("text: expected words, got {found}")]
    NothingToSay {
        /// What was there instead: `nothing`, `only emoji and punctuation`, …
        found: String,
    },
}

impl TextError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NothingToSay { .. } => {
                "give text in the language of the voice: words, numbers, punctuation"
            }
        }
    }
}

/// Words and pauses: the output of this stage, the input of `phoneme`.
///
/// Begins with a word unless it is empty; source ranges begin in increasing order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextChunk {
    /// What is said, in order.
    pub tokens: Vec<Token>,
    /// What cannot be said, in order.
    pub unspoken: Vec<Unspoken>,
}

impl TextChunk {
    /// The words and letters, without pauses.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter_map(Token::word)
    }

    /// The words in lower case with single spaces between, and the punctuation of `text`, which this was made from, as
    /// tokens of its own. A pause within an expression, as between the groups of a telephone number, is not shown.
    pub fn show(&self, text: &str) -> String {
        let shown = self.tokens.iter().filter_map(|token| match &token.kind {
            TokenKind::Pause(pause) => punctuation::show(*pause, text.get(token.source.clone())?),
            spoken => spoken.word(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Fails if there is no word in it, saying what was there instead.
    pub fn speakable(&self) -> Result<&Self, TextError> {
        if self.words().next().is_some() {
            return Ok(self);
        }
        let mut names: Vec<&str> = Vec::new();
        for unspoken in &self.unspoken {
            if !names.contains(&unspoken.kind.name()) {
                names.push(unspoken.kind.name());
            }
        }
        let found = match names.split_last() {
            None => "nothing".to_owned(),
            Some((only, [])) => format!("only {only}"),
            Some((last, others)) => format!("only {} and {last}", others.join(", ")),
        };
        Err(TextError::NothingToSay { found })
    }
}

/// Writes a text out as words and pauses. Time and memory grow linearly with its length.
///
/// Accented Latin letters lose their accents; control characters, emoji and other scripts are left out and reported.
///
/// ```
/// let chunk = fastglow::text::normalise("It's 3:05 pm, and $3.50!");
/// let words: Vec<&str> = chunk.words().collect();
/// assert_eq!(words.join(" "), "it's three oh five p m and three dollars and fifty cents");
/// ```
pub fn normalise(text: &str) -> TextChunk {
    normalise_in(Language::English, text)
}

/// The same, of a text in any of the languages. Of a Mandarin one, each character is a word.
pub fn normalise_in(language: Language, text: &str) -> TextChunk {
    let Scanner { pieces, unspoken, .. } = Scanner::scan(text, language);
    let mut assembly = Assembly::default();
    let mut unspoken = unspoken.into_iter().peekable();
    let mut reader = Reader::new(text, &pieces);
    while let Some(piece) = reader.here() {
        while let Some(part) = unspoken.next_if(|part| part.source.start < piece.start) {
            assembly.report(part.kind, part.source);
        }
        if piece.kind.is_gap() && piece.kind != Kind::Paragraph {
            reader.advance(1);
            continue;
        }
        let Some(reading) = Reading::next(&reader, language) else { break };
        reader.advance(reading.pieces);
        assembly.add(reading);
    }
    for part in unspoken {
        assembly.report(part.kind, part.source);
    }
    assembly.finish()
}
