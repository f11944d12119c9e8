//! A place in the pieces, with a look ahead; and the words being written.

use super::scan::{Kind, Piece};
use super::{Pause, TokenKind};

const SENTENCE_STARTERS: &[&str] = &[
    "a", "after", "all", "also", "an", "and", "as", "at", "before", "but", "did", "do", "for", "from", "he",
    "her", "his", "how", "however", "i", "if", "in", "is", "it", "its", "it's", "many", "my", "no", "on",
    "our", "please", "she", "so", "that", "the", "then", "there", "these", "they", "this", "we", "what",
    "when", "where", "who", "why", "you",
];

/// A place in the pieces of a text.
pub(super) struct Reader<'a> {
    text: &'a str,
    pieces: &'a [Piece],
    at: usize,
    /// True where most words are in capitals, so that capitals mean nothing.
    pub shouting: bool,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, pieces: &'a [Piece]) -> Self {
        let (mut capitals, mut others) = (0, 0);
        for piece in pieces.iter().filter(|piece| piece.kind == Kind::Word && piece.end - piece.start > 1) {
            let word = &text[piece.start..piece.end];
            if is_capitals(word) { capitals += 1 } else { others += 1 }
        }
        Self { text, pieces, at: 0, shouting: capitals >= 3 && capitals > 2 * others }
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

    /// The piece `ahead` pieces from here; behind, if negative.
    fn piece(&self, ahead: isize) -> Option<Piece> {
        self.pieces.get(self.at.checked_add_signed(ahead)?).copied()
    }

    fn text_of(&self, kind: Kind, ahead: isize) -> Option<&'a str> {
        let piece = self.piece(ahead).filter(|piece| piece.kind == kind)?;
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
        self.piece(ahead).is_some_and(|piece| piece.kind == Kind::Space)
    }

    /// True if there is white space, or the text ends, there.
    pub fn is_gap(&self, ahead: isize) -> bool {
        self.piece(ahead).is_none_or(|piece| matches!(piece.kind, Kind::Space | Kind::Paragraph))
    }

    /// True if no letter or digit follows there.
    pub fn is_gap_or_mark(&self, ahead: isize) -> bool {
        self.word(ahead).is_none() && self.number(ahead).is_none()
    }

    /// True if the text ends, or a paragraph does, there.
    pub fn is_end(&self, ahead: isize) -> bool {
        self.piece(ahead).is_none_or(|piece| piece.kind == Kind::Paragraph)
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

    /// True if only white space stands before this place on its line.
    pub fn starts_line(&self) -> bool {
        let Some(before) = self.piece(-1) else { return true };
        match before.kind {
            Kind::Paragraph => true,
            Kind::Space => self.at == 1 || self.text[before.start..before.end].contains('\n'),
            _ => false,
        }
    }

    /// The word before this place, over one space.
    pub fn word_before(&self) -> Option<&'a str> {
        self.is_space(-1).then(|| self.word(-2))?
    }

    /// At most `bytes` bytes of the text from `ahead` on.
    pub fn text_at(&self, ahead: isize, bytes: usize) -> &'a str {
        let start = self.piece(ahead).map_or(self.text.len(), |piece| piece.start);
        let rest = &self.text[start..];
        &rest[..rest.floor_char_boundary(bytes)]
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
}

impl Spoken {
    /// Adds words, given with spaces between.
    pub fn words(&mut self, words: &str) {
        self.tokens.extend(words.split(' ').filter(|w| !w.is_empty()).map(|w| TokenKind::Word(w.to_owned())));
    }

    /// Adds the name of each letter of `letters` (lower-case ASCII).
    pub fn letters(&mut self, letters: &str) {
        self.tokens.extend(letters.chars().map(|c| TokenKind::Letter(c.to_string())));
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
    }

    pub fn take(self) -> Vec<TokenKind> {
        self.tokens
    }

    #[cfg(test)]
    pub fn text(self) -> String {
        let words = self.tokens.iter().filter_map(|kind| match kind {
            TokenKind::Word(word) | TokenKind::Letter(word) => Some(word.as_str()),
            TokenKind::Pause(_) => None,
        });
        words.collect::<Vec<_>>().join(" ")
    }
}
