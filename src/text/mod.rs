//! Text becomes words and pauses: numbers, money, times, dates, units, abbreviations and symbols are written out.
//!
//! The text is cut into pieces (`scan`), then each class of thing, a small file with a table, is asked in turn whether
//! it can read what comes next (`CLASSES`). A class looks a bounded number of pieces ahead, so that the time grows
//! linearly with the text.
//!
//! Nothing is lost silently: what cannot be spoken is listed in [`TextChunk::unspoken`].

mod abbreviation;
mod acronym;
mod code;
mod date;
mod fold;
mod fraction;
mod money;
mod number;
mod phone_number;
mod phrase;
mod punctuation;
mod quantity;
mod range;
mod reader;
mod roman;
mod scan;
mod symbol;
mod time;
mod unit;
mod web;
mod word;
mod year;

use std::ops::Range;

pub use crate::phoneme::Pause;
pub use phrase::{PhraseLimits, phrases};
use reader::{Reader, Spoken};

/// Longest run of letters taken for one word; a longer one is read in parts.
pub const MAX_WORD_LETTERS: usize = 64;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A word: lower-case ASCII letters and inner apostrophes, numbers written out.
    Word(String),
    /// A letter's name: `b`, or with an ending (`b's`).
    Letter(String),
    /// A pause, by the punctuation.
    Pause(Pause),
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
        match &self.kind {
            TokenKind::Word(word) | TokenKind::Letter(word) => Some(word),
            TokenKind::Pause(_) => None,
        }
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
    /// Punctuation, where there is nothing else.
    Punctuation,
}

impl UnspokenKind {
    /// What it is, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emoji => "emoji",
            Self::Control => "control characters",
            Self::Script => "a script other than Latin",
            Self::Symbol => "symbols",
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
            Self::NothingToSay { .. } => "give English text: letters, numbers, punctuation",
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

    fn report(&mut self, kind: UnspokenKind, source: Range<usize>) {
        match self.unspoken.last_mut() {
            Some(last) if last.kind == kind && last.source.end == source.start => {
                last.source.end = source.end
            }
            _ => self.unspoken.push(Unspoken { kind, source }),
        }
    }
}

/// Reads what stands at the reader's place: writes the words and returns how many pieces they took, or `None` if it is
/// not of this class.
type Class = fn(&Reader<'_>, &mut Spoken) -> Option<usize>;

/// The classes, first match first: `10:30` is a time before it is a number.
const CLASSES: &[Class] = &[
    web::read,
    date::read,
    abbreviation::read,
    money::read,
    time::read,
    phone_number::read,
    fraction::read,
    range::read,
    year::read_decade,
    quantity::read,
    code::read,
    roman::read,
    acronym::read,
    word::read_camel_case,
    word::read,
    symbol::read,
    punctuation::read,
];

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
    let scan::Scan { pieces, unspoken } = scan::scan(text);
    let mut chunk = TextChunk { tokens: Vec::new(), unspoken: Vec::new() };
    let mut reported = unspoken.into_iter().peekable();
    let mut reader = Reader::new(text, &pieces);
    let mut punctuation: Option<Range<usize>> = None;
    while let Some(piece) = reader.here() {
        while let Some(unspoken) = reported.next_if(|unspoken| unspoken.source.start < piece.start) {
            chunk.report(unspoken.kind, unspoken.source);
        }
        if piece.kind == scan::Kind::Space {
            reader.advance(1);
            continue;
        }
        let mut spoken = Spoken::default();
        let read = CLASSES.iter().find_map(|class| {
            spoken.clear();
            class(&reader, &mut spoken)
        });
        let source = piece.start..reader.end_of(read.unwrap_or(1));
        if read.is_none() && piece.kind == scan::Kind::Mark {
            chunk.report(UnspokenKind::Symbol, source.clone());
        }
        if read.is_some() && piece.kind == scan::Kind::Mark {
            punctuation.get_or_insert(source.clone()).end = source.end;
        }
        for kind in spoken.take() {
            push(&mut chunk.tokens, kind, &source);
        }
        reader.advance(read.unwrap_or(1));
    }
    for unspoken in reported {
        chunk.report(unspoken.kind, unspoken.source);
    }
    let silent = chunk.words().next().is_none();
    if let Some(source) = punctuation.filter(|_| silent) {
        let at = chunk.unspoken.partition_point(|unspoken| unspoken.source.start < source.start);
        chunk.unspoken.insert(at, Unspoken { kind: UnspokenKind::Punctuation, source });
    }
    chunk
}

/// Appends a token. Neighbouring pauses become the stronger one, and there is none before the first word.
fn push(tokens: &mut Vec<Token>, kind: TokenKind, source: &Range<usize>) {
    if let TokenKind::Pause(pause) = kind {
        match tokens.last_mut() {
            None => return,
            Some(Token { kind: TokenKind::Pause(before), source: range }) => {
                if punctuation::strength(pause) > punctuation::strength(*before) {
                    *before = pause;
                }
                range.end = source.end;
                return;
            }
            Some(_) => {}
        }
    }
    tokens.push(Token { kind, source: source.clone() });
}
