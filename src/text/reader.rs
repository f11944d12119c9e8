//! A place in the pieces, with a look ahead; and the words being written.

use std::cell::Cell;

use super::scan::{Kind, Piece};
use super::{Pause, Symbol, TokenKind, UnspokenKind};

const SENTENCE_STARTERS: &[&str] = &[
    "a", "after", "all", "also", "an", "and", "as", "at", "before", "but", "did", "do", "for", "from", "he",
    "her", "his", "how", "however", "i", "if", "in", "is", "it", "its", "it's", "many", "my", "no", "on",
    "our", "please", "she", "so", "that", "the", "then", "there", "these", "they", "this", "we", "what",
    "when", "where", "who", "why", "you",
];

/// What follows the last piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing: the text is whole.
    Final,
    /// Text that has not come yet.
    Open,
    /// Text that has not come yet, behind white space: the guess for a source that pauses between words.
    Gap,
}

/// A place in the pieces of a text.
///
/// Of a text that is still being written, the reader knows which pieces may change. A class that asks for more than is
/// certain gets some answer, and [`Reader::is_certain`] is false from then on: its reading counts for nothing. So a
/// reading is accepted exactly when no continuation of the text can change it, and no class has to care.
pub(super) struct Reader<'a> {
    text: &'a str,
    pieces: &'a [Piece],
    at: usize,
    /// Pieces before this cannot change.
    settled: usize,
    end: End,
    is_certain: Cell<bool>,
}

/// How far capitals are compared, in pieces: about six words behind and three ahead.
const CAPITALS_BEHIND: isize = 12;
const CAPITALS_AHEAD: isize = 6;
/// How many pieces behind its place a class may look at.
pub(super) const PIECES_BEHIND: usize = 16;

impl<'a> Reader<'a> {
    /// At the start of a whole text.
    pub fn new(text: &'a str, pieces: &'a [Piece]) -> Self {
        Self::within(text, pieces, Place { at: 0, settled: pieces.len(), end: End::Final })
    }

    /// At a place in a text of which more may come.
    pub fn within(text: &'a str, pieces: &'a [Piece], place: Place) -> Self {
        let Place { at, settled, end } = place;
        Self { text, pieces, at, settled, end, is_certain: Cell::new(true) }
    }

    /// False once a question has been asked whose answer the rest of the text may change.
    pub fn is_certain(&self) -> bool {
        self.is_certain.get()
    }

    pub fn advance(&mut self, pieces: usize) {
        self.at += pieces;
    }

    pub fn here(&self) -> Option<Piece> {
        self.pieces.get(self.at).copied()
    }

    /// The byte where `pieces` pieces from here end.
    pub fn end_of(&self, pieces: usize) -> usize {
        self.pieces.get((self.at + pieces).saturating_sub(1)).map_or(self.text.len(), |piece| piece.end)
    }

    fn doubt(&self) {
        self.is_certain.set(false);
    }

    /// The piece `ahead` pieces from here, behind if negative; and whether it may still grow. A piece that may grow keeps
    /// its start, and white space remains white space.
    fn look(&self, ahead: isize) -> (Option<Piece>, bool) {
        let Some(index) = self.at.checked_add_signed(ahead) else { return (None, false) };
        let piece = self.pieces.get(index).copied();
        if index < self.settled || self.end == End::Final {
            return (piece, false);
        }
        let gap = match piece {
            Some(piece) => piece.kind.is_gap().then_some(piece),
            None if index == self.pieces.len() && self.settled == self.pieces.len() => {
                Some(Piece { kind: Kind::Space, start: self.text.len(), end: self.text.len() })
            }
            None => None,
        };
        if self.end == End::Gap && gap.is_some() {
            return (gap, false);
        }
        if piece.is_none() {
            self.doubt();
        }
        (piece, true)
    }

    /// The same, where all of the piece matters.
    fn piece(&self, ahead: isize) -> Option<Piece> {
        let (piece, may_grow) = self.look(ahead);
        if may_grow {
            self.doubt();
        }
        piece
    }

    fn text_of(&self, kind: Kind, ahead: isize) -> Option<&'a str> {
        let (piece, may_grow) = self.look(ahead);
        let piece = piece.filter(|piece| piece.kind == kind)?;
        if may_grow {
            self.doubt();
        }
        Some(&self.text[piece.start..piece.end])
    }

    /// The word there, as written.
    pub fn word(&self, ahead: isize) -> Option<&'a str> {
        self.text_of(Kind::Word, ahead)
    }

    /// The digits there.
    pub fn number(&self, ahead: isize) -> Option<&'a str> {
        self.text_of(Kind::Number, ahead)
    }

    /// The mark there.
    pub fn mark(&self, ahead: isize) -> Option<char> {
        self.text_of(Kind::Mark, ahead)?.chars().next()
    }

    /// True if there is white space there, within a paragraph.
    pub fn is_space(&self, ahead: isize) -> bool {
        let (piece, may_grow) = self.look(ahead);
        // An open space may become the end of a paragraph.
        let is_space = piece.is_some_and(|piece| matches!(piece.kind, Kind::Space | Kind::Line));
        if is_space && may_grow {
            self.doubt();
        }
        is_space
    }

    /// True if there is white space, or the text ends, there.
    pub fn is_gap(&self, ahead: isize) -> bool {
        self.look(ahead).0.is_none_or(|piece| piece.kind.is_gap())
    }

    /// True if no letter or digit follows there.
    pub fn is_gap_or_mark(&self, ahead: isize) -> bool {
        !self.look(ahead).0.is_some_and(|piece| matches!(piece.kind, Kind::Word | Kind::Number))
    }

    /// True if the text ends, or a paragraph does, there.
    pub fn is_end(&self, ahead: isize) -> bool {
        let (piece, may_grow) = self.look(ahead);
        if may_grow && piece.is_some_and(|piece| matches!(piece.kind, Kind::Space | Kind::Line)) {
            self.doubt();
        }
        piece.is_none_or(|piece| piece.kind.is_break())
    }

    /// True if the word there is one that often begins a sentence, with a capital: behind an abbreviation's dot it tells
    /// the end of a sentence from `Inc. Magazine`.
    pub fn is_sentence_start(&self, ahead: isize) -> bool {
        self.word(ahead).is_some_and(|word| {
            is_capitalised(word) && SENTENCE_STARTERS.contains(&word.to_lowercase().as_str())
        })
    }

    /// True if nothing that belongs to a word or number touches this place from the left.
    pub fn is_start(&self) -> bool {
        self.word(-1).is_none() && self.number(-1).is_none()
    }

    /// True if only white space stands before that place on its line.
    pub fn starts_line(&self, ahead: isize) -> bool {
        match self.piece(ahead - 1).map(|before| before.kind) {
            None | Some(Kind::Paragraph | Kind::Line) => true,
            Some(Kind::Space) => self.piece(ahead - 2).is_none_or(|piece| piece.kind.is_gap()),
            Some(Kind::Wide | Kind::Word | Kind::Number | Kind::Mark) => false,
        }
    }

    /// The word before this place, over one space.
    pub fn word_before(&self) -> Option<&'a str> {
        self.is_space(-1).then(|| self.word(-2))?
    }

    /// True where most words around are in capitals, so that capitals mean nothing.
    pub fn is_shouted(&self) -> bool {
        let (mut capitals, mut others) = (0, 0);
        let mut count = |piece: Piece| {
            if piece.kind == Kind::Word && piece.end - piece.start > 1 {
                let is_loud = is_capitals(&self.text[piece.start..piece.end]);
                *(if is_loud { &mut capitals } else { &mut others }) += 1;
            }
            (capitals, others)
        };
        let verdict = |capitals: isize, others: isize| capitals >= 3 && capitals > 2 * others;
        let mut counted = (0, 0);
        for ahead in (-CAPITALS_BEHIND..=0).rev() {
            match self.piece(ahead).filter(|piece| !piece.kind.is_break()) {
                Some(piece) => counted = count(piece),
                None => break,
            }
        }
        // Looks no further than it must: what follows may not have come yet.
        for ahead in 1..=CAPITALS_AHEAD {
            let words_left = (CAPITALS_AHEAD - ahead) / 2 + 1;
            let (capitals, others) = counted;
            if verdict(capitals, others + words_left) || !verdict(capitals + words_left, others) {
                break;
            }
            match self.piece(ahead).filter(|piece| !piece.kind.is_break()) {
                Some(piece) => counted = count(piece),
                None => break,
            }
        }
        verdict(counted.0, counted.1)
    }

    /// The text from `ahead` on, as far as it has come.
    pub fn rest(&self, ahead: isize) -> &'a str {
        &self.text[self.look(ahead).0.map_or(self.text.len(), |piece| piece.start)..]
    }

    /// Whether `rest`, from [`Reader::rest`], begins with `symbol`.
    pub fn begins(&self, rest: &str, symbol: &str) -> bool {
        if let Some(missing) = symbol.strip_prefix(rest).filter(|missing| !missing.is_empty()) {
            let comes = match self.end {
                End::Final => false,
                End::Open => true,
                End::Gap => missing.starts_with(' ') || rest.ends_with(char::is_whitespace),
            };
            if comes {
                self.doubt();
            }
        }
        rest.starts_with(symbol)
    }

    /// Says that what stands behind the last byte matters: what has come is not enough, unless white space follows.
    pub fn reach_end(&self) {
        if self.end == End::Open {
            self.doubt();
        }
    }

    /// How many pieces from `ahead` on make up exactly `bytes` bytes; `None` if a piece straddles the end.
    pub fn pieces_in(&self, ahead: isize, bytes: usize) -> Option<isize> {
        let end = self.piece(ahead)?.start + bytes;
        let mut count = 0;
        loop {
            let piece = self.piece(ahead + count)?;
            count += 1;
            if piece.end >= end {
                return (piece.end == end).then_some(count);
            }
        }
    }

    /// How many pieces of space there are at `ahead`: 0 or 1.
    pub fn skip_space(&self, ahead: isize) -> isize {
        ahead + isize::from(self.is_space(ahead))
    }
}

/// Where a reader stands in a text of which more may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its piece.
    pub at: usize,
    /// Pieces before this cannot change.
    pub settled: usize,
    /// What follows the last piece.
    pub end: End,
}

/// True for two or more letters that are all capitals.
pub(super) fn is_capitals(word: &str) -> bool {
    let mut letters = word.chars().filter(|c| c.is_alphabetic());
    let first_two = (letters.next(), letters.next());
    matches!(first_two, (Some(a), Some(b)) if a.is_uppercase() && b.is_uppercase())
        && letters.all(char::is_uppercase)
}

/// True if the word begins with a capital.
pub(super) fn is_capitalised(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase)
}

/// The words that a class writes.
#[derive(Default)]
pub(super) struct Spoken {
    tokens: Vec<TokenKind>,
    omitted: Option<UnspokenKind>,
}

impl Spoken {
    /// Adds words, given with spaces between.
    pub fn words(&mut self, words: &str) {
        self.tokens.extend(words.split(' ').filter(|w| !w.is_empty()).map(|w| TokenKind::Word(w.to_owned())));
    }

    /// Adds each character as a word.
    #[cfg(feature = "mandarin")]
    pub fn characters(&mut self, characters: &str) {
        self.tokens.extend(characters.chars().map(|c| TokenKind::Word(c.to_string())));
    }

    /// Adds the name of each letter of `letters` (lower-case ASCII).
    pub fn letters(&mut self, letters: &str) {
        self.tokens.extend(letters.chars().map(|c| TokenKind::Letter(c.to_string())));
    }

    /// Adds a word with its phones.
    pub fn phones(&mut self, word: String, phones: Vec<Symbol>) {
        self.tokens.push(TokenKind::Phones { word, phones });
    }

    /// Says that a part of it is not read.
    pub fn omit(&mut self, kind: UnspokenKind) {
        self.omitted = Some(kind);
    }

    pub fn omitted(&self) -> Option<UnspokenKind> {
        self.omitted
    }

    pub fn pause(&mut self, pause: Pause) {
        self.tokens.push(TokenKind::Pause(pause));
    }

    /// The last word, to change its form.
    pub fn last(&mut self) -> Option<&mut String> {
        match self.tokens.last_mut() {
            Some(TokenKind::Word(word) | TokenKind::Letter(word)) => Some(word),
            _ => None,
        }
    }

    pub fn clear(&mut self) {
        self.tokens.clear();
        self.omitted = None;
    }

    pub fn take(self) -> Vec<TokenKind> {
        self.tokens
    }

    /// The words with spaces between.
    pub fn text(self) -> String {
        let words = self.tokens.iter().filter_map(|kind| match kind {
            TokenKind::Pause(_) => None,
            spoken => spoken.word(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}
