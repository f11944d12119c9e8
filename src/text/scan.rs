//! Cuts a text into pieces: words, digits, spaces, and single marks. What cannot be read at all is set aside.
//!
//! The scanner takes one character at a time and knows which of its pieces may still change, so that a text that is
//! still being written is cut exactly as the whole would be.

use super::fold::{Fold, fold};
use super::{Language, MAX_NUMBER_DIGITS, MAX_WORD_LETTERS, Unspoken, UnspokenKind};

/// What a piece is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Latin letters, with inner apostrophes and ignorable characters; one character of Chinese.
    Word,
    /// ASCII digits.
    Number,
    /// White space, or characters left out.
    Space,
    /// White space with the end of a line in it that goes on in the next.
    Line,
    /// So much white space, or so much left out, that nothing before it has to do with what follows.
    Wide,
    /// White space up to the end of a line that ends a piece of text: it is short, or ends with punctuation, or is empty.
    Paragraph,
    /// One punctuation mark or symbol.
    Mark,
}

impl Kind {
    /// White space of any kind.
    pub fn is_gap(self) -> bool {
        matches!(self, Self::Space | Self::Line | Self::Wide | Self::Paragraph)
    }

    /// White space that nothing is read across.
    pub fn is_break(self) -> bool {
        matches!(self, Self::Wide | Self::Paragraph)
    }
}

/// A piece of the text, by its byte range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Of a run of letters too long for a word, this many are read.
const PART_LETTERS: usize = MAX_WORD_LETTERS / 4;
/// A line of at least this length without punctuation at its end goes on in the next.
const WRAPPED_LINE_CHARS: usize = 60;
/// What ends a line for good, however long it is.
const LINE_ENDINGS: &[char] = &['.', '!', '?', ':', ';', '"', '\'', ')', '\u{201d}', '\u{2019}', '\u{2026}'];
/// White space of more bytes than this is [`Kind::Wide`]: a class that waits for what follows must not wait for ever.
const MAX_SPACE_BYTES: usize = 64;
/// Ignorable characters in a row; more are no writing, but an attack or a fault.
const MAX_IGNORABLE: usize = 64;

/// A word that may go on.
#[derive(Debug, Clone, Copy)]
struct OpenWord {
    /// Characters up to its last letter.
    chars: usize,
    /// Characters behind its last letter.
    tail_chars: usize,
    /// Where its first part ends.
    part_end: usize,
    /// An apostrophe behind the last letter.
    apostrophe: Option<Piece>,
}

/// What the last characters may still become.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// Nothing but white space can go on.
    Nothing,
    /// The last piece is a word.
    Word(OpenWord),
    /// The last piece is white space in place of the rest of a word.
    LongWord(OpenWord),
    /// The last piece is a number.
    Number,
    /// The last piece is white space in place of the rest of a number.
    LongNumber,
    /// One Greek letter, in no piece yet: a symbol with a name. A Greek word is another language.
    Greek { start: usize, end: usize },
}

/// The line being written.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    chars: usize,
    /// Characters up to the last that is not white space.
    visible_chars: usize,
    is_complete: bool,
}

impl Line {
    /// Takes a character; true if it ends a line that does not go on in the next.
    fn push(&mut self, c: char) -> bool {
        if c == '\n' {
            let ended = std::mem::take(self);
            return ended.is_complete || ended.visible_chars < WRAPPED_LINE_CHARS;
        }
        self.chars += 1;
        if !c.is_whitespace() {
            self.visible_chars = self.chars;
            self.is_complete = LINE_ENDINGS.contains(&c);
        }
        false
    }
}

/// Takes characters, makes pieces. They cover the text, but for ignorable characters outside words.
#[derive(Debug)]
pub(super) struct Scanner {
    language: Language,
    /// The pieces so far; those from [`Scanner::settled`] on may change.
    pub pieces: Vec<Piece>,
    /// What cannot be read; the last one may grow.
    pub unspoken: Vec<Unspoken>,
    /// Bytes taken.
    at: usize,
    /// Pieces that must not change, whatever follows.
    sealed: usize,
    open: Open,
    line: Line,
    ignorable: usize,
    is_behind_greek: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            language: Language::English,
            pieces: Vec::new(),
            unspoken: Vec::new(),
            at: 0,
            sealed: 0,
            open: Open::Nothing,
            line: Line::default(),
            ignorable: 0,
            is_behind_greek: false,
        }
    }
}

impl Scanner {
    /// At the start of a text.
    pub fn new(language: Language) -> Self {
        Self { language, ..Self::default() }
    }

    /// Cuts a whole text.
    pub fn scan(text: &str, language: Language) -> Self {
        let mut scanner = Self::new(language);
        text.chars().for_each(|c| scanner.push(c));
        scanner.seal();
        scanner
    }

    /// How many pieces no continuation of the text can change.
    pub fn settled(&self) -> usize {
        let is_open = match self.open {
            Open::Nothing | Open::Greek { .. } => self.pieces.last().is_some_and(is_open_gap),
            Open::Word(_) | Open::LongWord(_) | Open::Number | Open::LongNumber => true,
        };
        (self.pieces.len() - usize::from(is_open)).max(self.sealed)
    }

    /// True if the last characters are a word or number that may go on.
    pub fn is_within_word(&self) -> bool {
        !matches!(self.open, Open::Nothing)
    }

    /// Takes the text as ended here: what follows begins new pieces.
    pub fn seal(&mut self) {
        self.close();
        self.sealed = self.pieces.len();
        self.is_behind_greek = false;
    }

    /// Forgets the first `pieces` pieces and moves the others `bytes` bytes towards the start.
    pub fn forget(&mut self, pieces: usize, bytes: usize) {
        self.pieces.drain(..pieces);
        self.sealed = self.sealed.saturating_sub(pieces);
        for piece in &mut self.pieces {
            piece.start = piece.start.saturating_sub(bytes);
            piece.end = piece.end.saturating_sub(bytes);
        }
        self.unspoken.retain_mut(|unspoken| {
            unspoken.source.start = unspoken.source.start.saturating_sub(bytes);
            unspoken.source.end = unspoken.source.end.saturating_sub(bytes);
            !unspoken.source.is_empty()
        });
        self.at -= bytes;
        match &mut self.open {
            Open::Word(word) | Open::LongWord(word) => {
                word.part_end = word.part_end.saturating_sub(bytes);
                if let Some(apostrophe) = &mut word.apostrophe {
                    apostrophe.start -= bytes;
                    apostrophe.end -= bytes;
                }
            }
            Open::Greek { start, end } => {
                *start -= bytes;
                *end -= bytes;
            }
            Open::Nothing | Open::Number | Open::LongNumber => {}
        }
    }

    /// Takes the next character.
    pub fn push(&mut self, c: char) {
        let (start, end) = (self.at, self.at + c.len_utf8());
        self.at = end;
        let fold = fold(c);
        let ends_line = self.line.push(c);
        self.ignorable = if fold == Fold::Ignorable { self.ignorable + 1 } else { 0 };
        let goes_on = match self.open {
            Open::Nothing => false,
            Open::Word(word) | Open::LongWord(word) => self.extend_word(word, fold, c, start),
            Open::Number | Open::LongNumber => fold == Fold::Digit && self.extend_number(start, end),
            Open::Greek { start: greek, end: greek_end } => {
                if is_greek(c) {
                    self.open = Open::Nothing;
                    self.set_aside(UnspokenKind::Script, greek, greek_end);
                }
                false
            }
        };
        if !goes_on {
            self.close();
            self.begin(fold, c, start);
            if ends_line && let Some(last) = self.pieces.last_mut() {
                last.kind = Kind::Paragraph;
            }
        }
        self.is_behind_greek = is_greek(c);
    }

    /// True if the character belongs to the open word.
    fn extend_word(&mut self, mut word: OpenWord, fold: Fold, c: char, start: usize) -> bool {
        let end = self.at;
        let is_long = matches!(self.open, Open::LongWord(_));
        match fold {
            Fold::Letters(_) => {
                word.chars += word.tail_chars + 1;
                word.tail_chars = 0;
                word.apostrophe = None;
                if word.chars <= PART_LETTERS {
                    word.part_end = end;
                }
                let Some(last) = self.pieces.last_mut() else { return false };
                let before = last.end;
                if is_long {
                    self.set_aside(UnspokenKind::LongRun, before, end);
                } else if word.chars <= MAX_WORD_LETTERS {
                    last.end = end;
                } else {
                    last.end = word.part_end;
                    self.set_aside(UnspokenKind::LongRun, word.part_end, end);
                    self.open = Open::LongWord(word);
                    return true;
                }
            }
            Fold::Ignorable if self.ignorable <= MAX_IGNORABLE => word.tail_chars += 1,
            Fold::Mark if is_apostrophe(c) && word.apostrophe.is_none() => {
                word.tail_chars += 1;
                word.apostrophe = Some(Piece { kind: Kind::Mark, start, end });
            }
            _ => return false,
        }
        self.open = if is_long { Open::LongWord(word) } else { Open::Word(word) };
        true
    }

    fn extend_number(&mut self, start: usize, end: usize) -> bool {
        if let Some(last) = self.pieces.last_mut() {
            if matches!(self.open, Open::Number) && last.end - last.start >= MAX_NUMBER_DIGITS {
                self.open = Open::LongNumber;
            } else {
                last.end = end;
            }
        }
        if matches!(self.open, Open::LongNumber) {
            self.set_aside(UnspokenKind::LongRun, start, end);
        }
        true
    }

    /// True for what is a word by itself in the text's language.
    fn is_character(&self, c: char) -> bool {
        self.language != Language::English && super::is_han(c)
    }

    /// Ends what is open.
    fn close(&mut self) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Word(OpenWord { apostrophe: Some(mark), .. })
            | Open::LongWord(OpenWord { apostrophe: Some(mark), .. }) => self.pieces.push(mark),
            Open::Greek { start, end } => self.pieces.push(Piece { kind: Kind::Mark, start, end }),
            _ => {}
        }
    }

    fn begin(&mut self, fold: Fold, c: char, start: usize) {
        let end = self.at;
        match fold {
            Fold::Letters(_) => {
                self.pieces.push(Piece { kind: Kind::Word, start, end });
                self.open = Open::Word(OpenWord { chars: 1, tail_chars: 0, part_end: end, apostrophe: None });
            }
            Fold::Digit => {
                self.pieces.push(Piece { kind: Kind::Number, start, end });
                self.open = Open::Number;
            }
            Fold::Space => self.push_space(c == '\n', start, end),
            Fold::Ignorable if self.ignorable <= MAX_IGNORABLE => {}
            Fold::Ignorable => self.set_aside(UnspokenKind::Control, start, end),
            Fold::Mark => self.pieces.push(Piece { kind: Kind::Mark, start, end }),
            Fold::Unspoken(UnspokenKind::Script) if self.is_character(c) => {
                self.pieces.push(Piece { kind: Kind::Word, start, end });
            }
            Fold::Unspoken(UnspokenKind::Script) if is_greek(c) && !self.is_behind_greek => {
                self.open = Open::Greek { start, end };
            }
            Fold::Unspoken(kind) => self.set_aside(kind, start, end),
        }
    }

    /// Lists what cannot be read; white space stands in its place.
    fn set_aside(&mut self, kind: UnspokenKind, start: usize, end: usize) {
        match self.unspoken.last_mut() {
            Some(last) if last.kind == kind && last.source.end == start => last.source.end = end,
            _ => self.unspoken.push(Unspoken { kind, source: start..end }),
        }
        self.push_space(false, start, end);
        if let Some(last) = self.pieces.last_mut().filter(|_| kind == UnspokenKind::LongRun) {
            last.kind = Kind::Wide;
        }
    }

    fn push_space(&mut self, ends_line: bool, start: usize, end: usize) {
        let is_sealed = self.pieces.len() <= self.sealed;
        let kind = if ends_line { Kind::Line } else { Kind::Space };
        match self.pieces.last_mut().filter(|last| !is_sealed && is_open_gap(last)) {
            Some(last) => {
                last.end = end;
                if last.kind == Kind::Wide || last.end - last.start > MAX_SPACE_BYTES {
                    last.kind = Kind::Wide;
                } else if ends_line {
                    last.kind = kind;
                }
            }
            None => self.pieces.push(Piece { kind, start, end }),
        }
    }
}

/// White space that more may be added to; a paragraph's end is final.
fn is_open_gap(piece: &Piece) -> bool {
    matches!(piece.kind, Kind::Space | Kind::Line | Kind::Wide)
}

pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2bc}' | '\u{ff07}')
}

fn is_greek(c: char) -> bool {
    matches!(c, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(Kind, &str)> {
        Scanner::scan(text, Language::English)
            .pieces
            .iter()
            .map(|p| (p.kind, &text[p.start..p.end]))
            .collect()
    }

    #[test]
    fn cuts_words_numbers_and_marks() {
        use Kind::*;
        assert_eq!(
            pieces("Don't pay $3, Zoë’s!"),
            [
                (Word, "Don't"),
                (Space, " "),
                (Word, "pay"),
                (Space, " "),
                (Mark, "$"),
                (Number, "3"),
                (Mark, ","),
                (Space, " "),
                (Word, "Zoë’s"),
                (Mark, "!")
            ]
        );
        assert_eq!(
            pieces("the dogs' "),
            [(Word, "the"), (Space, " "), (Word, "dogs"), (Mark, "'"), (Space, " ")]
        );
        assert_eq!(pieces("a \n\t\n b")[1..4], [(Paragraph, " \n"), (Paragraph, "\t\n"), (Space, " ")]);
        let wrapped = "a ".repeat(WRAPPED_LINE_CHARS / 2);
        assert_eq!(pieces(&format!("{wrapped}a\nb")).iter().rev().nth(1), Some(&(Line, "\n")));
        assert_eq!(pieces(&format!("{wrapped}a\n\nb")).iter().rev().nth(1), Some(&(Paragraph, "\n\n")));
        assert_eq!(pieces(&format!("{wrapped}a.\nb")).iter().rev().nth(1), Some(&(Paragraph, "\n")));
    }

    #[test]
    fn ignorable_characters_do_not_cut_words() {
        assert_eq!(pieces("fast\u{ad}glow\u{200b}").len(), 1);
        assert_eq!(pieces("e\u{301}te\u{301}").len(), 1);
    }

    #[test]
    fn one_greek_letter_is_a_mark() {
        assert_eq!(pieces("π")[0], (Kind::Mark, "π"));
        assert_eq!(pieces("πι")[0], (Kind::Space, "πι"));
    }

    #[test]
    fn runs_too_long_for_a_word_or_number_are_cut_short() {
        for (text, kept) in [("a".repeat(65), 16), ("a".repeat(10_000), 16), ("7".repeat(65), 64)] {
            let scan = Scanner::scan(&text, Language::English);
            assert_eq!(scan.pieces.len(), 2, "{text}");
            assert_eq!(scan.pieces[0].end, kept);
            let rest = Unspoken { kind: UnspokenKind::LongRun, source: kept..text.len() };
            assert_eq!(scan.unspoken, [rest]);
        }
        assert_eq!(pieces(&"é".repeat(64)).len(), 1);
        assert_eq!(pieces(&"é".repeat(65))[0].1, "é".repeat(16));
        assert_eq!(pieces(&"7".repeat(64)).len(), 1);
        assert_eq!(pieces(&format!("{}' b", "a".repeat(100))).len(), 5);
        assert!(Scanner::scan(&"a\u{301}".repeat(32), Language::English).unspoken.is_empty());
        assert_eq!(
            Scanner::scan(&"\u{301}".repeat(10_000), Language::English).unspoken[0].kind,
            UnspokenKind::Control
        );
    }

    #[test]
    fn settled_pieces_never_change() {
        let text = "Don't pay' $3.50, \u{3c0} \u{3c0}\u{3b9} \n \n e\u{301}t\u{200b}s' 🪑 x\u{ad}'y 12\u{200d}3 o\u{2019}\u{2019}c";
        let long = format!("{text}{}'{} {}", "a".repeat(70), "b".repeat(9), "5".repeat(80));
        let whole = Scanner::scan(&long, Language::English);
        let mut scanner = Scanner::default();
        for c in long.chars() {
            scanner.push(c);
            assert_eq!(scanner.pieces.iter().filter(|piece| piece.start >= piece.end).count(), 0);
            let settled = scanner.settled();
            assert_eq!(scanner.pieces[..settled], whole.pieces[..settled], "{}", &long[..scanner.at]);
            // Of the one that may change, at least the class of its kind is known.
            assert!(scanner.pieces.len() <= settled + 1);
            if let Some(open) = scanner.pieces.get(settled) {
                let end = whole.pieces[settled].kind;
                assert_eq!(open.start, whole.pieces[settled].start);
                assert!(open.kind == end || (open.kind.is_gap() && end.is_gap()));
            }
        }
        scanner.seal();
        assert_eq!(scanner.pieces, whole.pieces);
        assert_eq!(scanner.unspoken, whole.unspoken);
    }

    #[test]
    fn sets_aside_what_cannot_be_read() {
        let found = Scanner::scan("hi 🪑🪑 мир\u{7}", Language::English);
        let kinds: Vec<_> = found.unspoken.iter().map(|u| (u.kind, u.source.clone())).collect();
        assert_eq!(
            kinds,
            [(UnspokenKind::Emoji, 3..11), (UnspokenKind::Script, 12..18), (UnspokenKind::Control, 18..19)]
        );
    }
}
