//! The classes of things that are read, and the readings put together into words and pauses.

use std::ops::Range;

use super::reader::{Reader, Spoken};
use super::scan::Kind;
use super::{
    Language, TextChunk, Token, TokenKind, Unspoken, UnspokenKind, abbreviation, acronym, address, code,
    date, emoji, fraction, inline_phones, label, money, phone_number, punctuation, quantity, range, roman,
    symbol, time, web, word, year,
};

/// Reads what stands at the reader's place: writes the words and returns how many pieces they took, or `None` if it is
/// not of this class.
pub(super) type Class = fn(&Reader<'_>, &mut Spoken) -> Option<usize>;

/// The classes, first match first: `10:30` is a time before it is a number.
const CLASSES: &[Class] = &[
    inline_phones::read,
    web::read,
    date::read,
    address::read,
    range::read_calendar,
    abbreviation::read,
    money::read,
    time::read,
    phone_number::read,
    fraction::read,
    label::read,
    range::read,
    year::read_decade,
    quantity::read,
    code::read,
    roman::read,
    acronym::read,
    word::read_camel_case,
    word::read,
    emoji::read,
    symbol::read,
    punctuation::read,
];

/// What one or a few pieces say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// Words and pauses; none for silent marks.
    pub kinds: Vec<TokenKind>,
    /// How many pieces it takes.
    pub pieces: usize,
    /// Where they stand.
    pub source: Range<usize>,
    /// True if it begins with a punctuation mark or a symbol.
    pub is_mark: bool,
    /// False for a sign without a reading.
    pub is_known: bool,
    /// What is wrong with it, though it is read.
    pub omitted: Option<UnspokenKind>,
}

impl Reading {
    /// Reads what stands at the reader's place, which is no white space but for an empty line; `None` if what may still
    /// follow could change it.
    pub fn next(reader: &Reader<'_>, language: Language) -> Option<Self> {
        let piece = reader.here()?;
        let mut spoken = Spoken::default();
        let classes = match language {
            Language::English => CLASSES,
            #[cfg(feature = "mandarin")]
            Language::Mandarin => super::mandarin::CLASSES,
        };
        let read = classes.iter().find_map(|class| {
            spoken.clear();
            // What is uncertain to one class is uncertain altogether: the others need not be asked.
            if reader.is_certain() { class(reader, &mut spoken) } else { Some(1) }
        });
        reader.is_certain().then(|| Self {
            omitted: spoken.omitted(),
            kinds: if read.is_some() { spoken.take() } else { Vec::new() },
            pieces: read.unwrap_or(1),
            source: piece.start..reader.end_of(read.unwrap_or(1)),
            is_mark: piece.kind == Kind::Mark,
            is_known: read.is_some(),
        })
    }

    /// The words in it.
    pub fn words(&self) -> usize {
        self.kinds.iter().filter(|kind| !matches!(kind, TokenKind::Pause(_))).count()
    }
}

/// Puts readings together.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    chunk: TextChunk,
    punctuation: Option<Range<usize>>,
    /// Where the last word with phones of its own stands: letters in it need no reading.
    given: Range<usize>,
}

impl Assembly {
    /// Adds what stands at `source`, behind everything added before.
    pub fn add(&mut self, reading: Reading) {
        let Reading { kinds, source, is_mark, is_known, omitted, .. } = reading;
        if let Some(kind) = omitted {
            self.report(kind, source.clone());
        }
        if kinds.iter().any(|kind| matches!(kind, TokenKind::Phones { .. })) {
            self.given = source.clone();
        }
        if is_mark && !is_known {
            self.report(UnspokenKind::Symbol, source.clone());
        }
        if is_mark && is_known {
            self.punctuation.get_or_insert(source.clone()).end = source.end;
        }
        for kind in kinds {
            self.push(kind, &source);
        }
    }

    /// Adds a part that is not spoken.
    pub fn report(&mut self, kind: UnspokenKind, source: Range<usize>) {
        if self.given.contains(&source.start) {
            return;
        }
        match self.chunk.unspoken.last_mut() {
            Some(last) if last.kind == kind && last.source.end == source.start => {
                last.source.end = source.end;
            }
            _ => self.chunk.unspoken.push(Unspoken { kind, source }),
        }
    }

    /// Appends a token. Neighbouring pauses become the stronger one, and there is none before the first word.
    fn push(&mut self, kind: TokenKind, source: &Range<usize>) {
        if let TokenKind::Pause(pause) = kind {
            match self.chunk.tokens.last_mut() {
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
        self.chunk.tokens.push(Token { kind, source: source.clone() });
    }

    /// What was put together. Where there is no word, its punctuation is reported too.
    pub fn finish(self) -> TextChunk {
        let Self { mut chunk, punctuation, .. } = self;
        let silent = chunk.words().next().is_none();
        if let Some(source) = punctuation.filter(|_| silent) {
            let at = chunk.unspoken.partition_point(|unspoken| unspoken.source.start < source.start);
            chunk.unspoken.insert(at, Unspoken { kind: UnspokenKind::Punctuation, source });
        }
        chunk
    }
}
