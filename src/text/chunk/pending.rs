//! Text that has come and is not in a chunk yet: its bytes, its pieces, and what has been read of it.

use std::collections::VecDeque;

use super::super::punctuation;
use super::super::reader::{End, PIECES_BEHIND, Place, Reader};
use super::super::reading::{Assembly, Reading};
use super::super::scan::{Kind, Scanner};
use super::super::utf8::Utf8Repair;
use super::super::{Language, TextChunk, Token, TokenKind, Unspoken};

/// A run of white space, or of what cannot be read, is passed in steps of this many bytes.
const GAP_STEP_BYTES: usize = 128;
/// Text before the next chunk is dropped when there is at least this much of it.
const DROP_BYTES: usize = 4096;
/// Marks behind which white space is likely to come when the source pauses.
const CLOSING: &[char] =
    &['.', '!', '?', ',', ';', ':', ')', ']', '}', '"', '\'', '\u{201d}', '\u{2019}', '\u{2026}', '%'];

/// What has been read, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub what: What,
    /// Where it ends.
    pub end: usize,
    /// Where it was read, to go back.
    place: Mark,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Words, perhaps with pauses between.
    Words {
        reading: Reading,
        /// True if a mark follows that may pause.
        mark_follows: bool,
        /// True for what is written with a figure or a dot at its end: something belongs to it.
        is_short: bool,
    },
    /// Punctuation, and signs without a sound.
    Marks(Reading),
    /// White space begins, or goes on.
    Gap,
    /// The end of a line that does not go on in the next.
    Line(Reading),
}

impl What {
    fn into_reading(self) -> Option<Reading> {
        match self {
            Self::Words { reading, .. } | Self::Marks(reading) | Self::Line(reading) => Some(reading),
            Self::Gap => None,
        }
    }
}

/// A place in the pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mark {
    piece: usize,
    /// Of a gap: up to where it has been passed.
    gap: Option<usize>,
}

/// Why reading stopped; it need not be tried again before this has changed.
type Attempt = (usize, usize, End);

/// Text that has come and is not in a chunk yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    language: Language,
    text: String,
    /// Where `text` begins in the input.
    base: u64,
    /// Where the next chunk begins in `text`.
    start: usize,
    repair: Utf8Repair,
    repaired: VecDeque<usize>,
    scanner: Scanner,
    place: Mark,
    items: VecDeque<Item>,
    stopped: Option<Attempt>,
    is_finished: bool,
    /// How often something was read, or tried.
    #[cfg(test)]
    pub attempts: usize,
    /// How often an item was looked at.
    #[cfg(test)]
    pub looks: usize,
}

impl Pending {
    pub fn new(language: Language) -> Self {
        Self { language, scanner: Scanner::new(language), ..Self::default() }
    }

    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let from = self.text.len();
        self.repair.push(bytes, &mut self.text, |at| self.repaired.push_back(at));
        self.scan(from);
    }

    /// Says that no more will come.
    pub fn finish(&mut self) {
        let from = self.text.len();
        self.repair.finish(&mut self.text, |at| self.repaired.push_back(at));
        self.scan(from);
        self.seal();
        self.is_finished = true;
    }

    fn scan(&mut self, from: usize) {
        self.text[from..].chars().for_each(|c| self.scanner.push(c));
    }

    /// Takes the text as ended here, though more may come: what does begins new words.
    pub fn seal(&mut self) {
        self.scanner.seal();
    }

    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Everything that is kept, in bytes of text and numbers of other things.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        let lists = self.scanner.pieces.len() + self.scanner.unspoken.len();
        self.text.len() + lists + self.items.len() + self.repaired.len()
    }

    /// Bytes that are in no chunk yet.
    pub fn len_bytes(&self) -> usize {
        self.text.len() - self.start
    }

    /// Where the next chunk begins.
    pub fn start(&self) -> usize {
        self.start
    }

    /// One past the last byte.
    pub fn end(&self) -> usize {
        self.text.len()
    }

    /// True if there is anything that could be words.
    pub fn has_content(&self) -> bool {
        self.scanner.is_within_word()
            || self.items.iter().any(|item| matches!(item.what, What::Words { .. }))
            || self.scanner.pieces.iter().skip(self.place.piece).any(|piece| !piece.kind.is_gap())
    }

    /// True if the last characters are a word or number that may go on.
    pub fn is_within_word(&self) -> bool {
        self.scanner.is_within_word()
    }

    /// True if white space may well come next: the text does not end within a word, a decimal or an expression.
    pub fn may_pause(&self) -> bool {
        if self.is_within_word() {
            return false;
        }
        let mut back = self.text[self.start..].chars().rev();
        match back.next() {
            None => false,
            Some('!' | '?' | ';' | ')' | '%') => true,
            Some(c) if CLOSING.contains(&c) => !back.next().is_some_and(|before| before.is_ascii_digit()),
            Some(c) => c.is_whitespace(),
        }
    }

    /// Items read, not taken.
    pub fn items_read(&self) -> usize {
        self.items.len()
    }

    /// The item at `index`, reading on if need be; `None` if what comes next is not certain.
    pub fn item(&mut self, index: usize, end: End) -> Option<&Item> {
        #[cfg(test)]
        {
            self.looks += 1;
        }
        while index >= self.items.len() {
            let item = self.read(end)?;
            self.items.push_back(item);
        }
        self.items.get(index)
    }

    /// Takes back what was read from item `index` on.
    pub fn unread(&mut self, index: usize) {
        if let Some(item) = self.items.get(index) {
            self.place = item.place;
            self.items.truncate(index);
            self.stopped = None;
        }
    }

    fn read(&mut self, end: End) -> Option<Item> {
        let end = if self.is_finished { End::Final } else { end };
        let attempt = (self.scanner.pieces.len(), self.scanner.settled(), end);
        if self.stopped == Some(attempt) {
            return None;
        }
        let item = self.read_on(end);
        self.stopped = item.is_none().then_some(attempt).filter(|_| !self.is_in_gap());
        item
    }

    /// True within white space, which may grow without a new piece.
    fn is_in_gap(&self) -> bool {
        self.scanner.pieces.get(self.place.piece).is_some_and(|piece| piece.kind.is_gap())
    }

    fn read_on(&mut self, end: End) -> Option<Item> {
        let settled = self.scanner.settled();
        loop {
            let place = self.place;
            let piece = *self.scanner.pieces.get(place.piece)?;
            if piece.kind.is_gap() {
                // A line end right behind the words is all there is of this gap.
                let is_line_end = piece.kind == Kind::Paragraph && piece.end - piece.start == 1;
                let passed = match place.gap {
                    None if is_line_end => None,
                    None => Some(piece.start),
                    Some(passed) => self.gap_step(passed, piece.end),
                };
                if let Some(passed) = passed {
                    self.place.gap = Some(passed);
                    return Some(Item { what: What::Gap, end: passed, place });
                }
                if piece.kind != Kind::Paragraph {
                    if place.piece >= settled && end != End::Final {
                        return None;
                    }
                    self.place = Mark { piece: place.piece + 1, gap: None };
                    continue;
                }
            } else if place.piece >= settled && end != End::Final {
                return None;
            }
            return self.read_here(end, settled);
        }
    }

    /// The end of the next step through a gap, if the gap has come that far.
    fn gap_step(&self, passed: usize, gap_end: usize) -> Option<usize> {
        let step = passed + GAP_STEP_BYTES;
        (step <= gap_end).then(|| self.text.ceil_char_boundary(step)).filter(|&step| step <= gap_end)
    }

    fn read_here(&mut self, end: End, settled: usize) -> Option<Item> {
        #[cfg(test)]
        {
            self.attempts += 1;
        }
        let place = Place { at: self.place.piece, settled, end };
        let reader = Reader::within(&self.text, &self.scanner.pieces, place);
        let reading = Reading::next(&reader, self.language)?;
        let after = isize::try_from(reading.pieces).unwrap_or(isize::MAX);
        let mark_follows = reading.words() > 0 && reader.mark(after).is_some_and(punctuation::may_pause);
        if !reader.is_certain() {
            return None;
        }
        let before = self.place;
        self.place = Mark { piece: before.piece + reading.pieces, gap: None };
        let is_line = self.scanner.pieces[before.piece].kind == Kind::Paragraph;
        let end = reading.source.end;
        let what = if is_line {
            What::Line(reading)
        } else if reading.words() > 0 {
            let is_short =
                self.text[reading.source.clone()].ends_with(|c: char| c == '.' || c.is_ascii_digit());
            What::Words { reading, mark_follows, is_short }
        } else {
            What::Marks(reading)
        };
        Some(Item { what, end, place: before })
    }

    /// Takes the chunk of the first `items` items, up to byte `end`: its text, where it begins in the input, what it says,
    /// and whether something in it was replaced.
    pub fn take(&mut self, items: usize, end: usize) -> (String, u64, TextChunk, bool) {
        let (start, start_byte) = (self.start, self.base + self.start as u64);
        let unspoken = self.take_unspoken(end);
        let mut unspoken = unspoken.into_iter().peekable();
        let mut assembly = Assembly::default();
        let relative = |mut source: std::ops::Range<usize>| {
            source.start = source.start.saturating_sub(start);
            source.end -= start;
            source
        };
        for item in self.items.drain(..items) {
            let Some(mut reading) = item.what.into_reading() else { continue };
            while let Some(part) = unspoken.next_if(|part| part.source.start < reading.source.start) {
                assembly.report(part.kind, relative(part.source));
            }
            reading.source = relative(reading.source);
            assembly.add(reading);
        }
        for part in unspoken {
            assembly.report(part.kind, relative(part.source));
        }
        let source = self.text[start..end].to_owned();
        let repaired = self.repaired.partition_point(|&at| at < end);
        let is_repaired = self.repaired.drain(..repaired).count() > 0;
        self.start = end;
        (source, start_byte, assembly.finish(), is_repaired)
    }

    fn take_unspoken(&mut self, end: usize) -> Vec<Unspoken> {
        let list = &mut self.scanner.unspoken;
        let count = list.partition_point(|part| part.source.start < end);
        let mut taken: Vec<Unspoken> = list.drain(..count).collect();
        if let Some(last) = taken.last_mut().filter(|last| last.source.end > end) {
            list.insert(0, Unspoken { kind: last.kind, source: end..last.source.end });
            last.source.end = end;
        }
        taken
    }

    /// The first words of the items up to `items`, not beyond `max_words`, with ranges from byte `start` on.
    pub fn words_ahead(&self, items: usize, max_words: usize, start: usize) -> TextChunk {
        let mut ahead = TextChunk::default();
        for item in self.items.iter().take(items) {
            let (What::Words { reading, .. } | What::Marks(reading)) = &item.what else { continue };
            for kind in &reading.kinds {
                let is_word = !matches!(kind, TokenKind::Pause(_));
                if ahead.words().count() == max_words || (!is_word && ahead.tokens.is_empty()) {
                    continue;
                }
                let source = reading.source.start - start..reading.source.end - start;
                ahead.tokens.push(Token { kind: kind.clone(), source });
            }
        }
        ahead
    }

    /// Drops the text of chunks that were taken, but for what the reader may look back at.
    pub fn drop_taken(&mut self) {
        if self.start < DROP_BYTES.max(self.len_bytes()) {
            return;
        }
        let all = &self.scanner.pieces;
        // Nothing looks back across a break, nor at the text of white space.
        let place = self.place.piece.min(all.len().saturating_sub(1));
        let last_break = all[..=place].iter().rposition(|piece| piece.kind.is_break()).unwrap_or(0);
        let pieces = self.place.piece.saturating_sub(PIECES_BEHIND).max(last_break);
        let kept = all[pieces..].iter().find(|piece| !piece.kind.is_gap());
        let bytes = kept.map_or(self.start, |piece| piece.start.min(self.start));
        self.scanner.forget(pieces, bytes);
        self.text.drain(..bytes);
        self.base += bytes as u64;
        self.start -= bytes;
        let back = |mark: &mut Mark| {
            mark.piece = mark.piece.saturating_sub(pieces);
            mark.gap = mark.gap.map(|gap| gap.saturating_sub(bytes));
        };
        back(&mut self.place);
        self.repaired.iter_mut().for_each(|at| *at -= bytes);
        for item in &mut self.items {
            back(&mut item.place);
            item.end -= bytes;
            if let What::Words { reading, .. } | What::Marks(reading) | What::Line(reading) = &mut item.what {
                reading.source.start = reading.source.start.saturating_sub(bytes);
                reading.source.end -= bytes;
            }
        }
        self.stopped = None;
    }
}
