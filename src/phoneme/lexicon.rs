//! The embedded English lexicon: 125 thousand words, looked up in the bytes of the program itself.
//!
//! Compiled from CMUdict by [`compile_lexicon`](super::compile_lexicon) (licence: `data/LICENSE-cmudict.txt`).
//! Nothing is unpacked: a lookup is a binary search over the blocks' first words and a scan of one block.
//!
//! ```text
//! magic [8] │ symbol fingerprint u32 │ entries u32 │ blocks u32 │ block offsets u32 × blocks │ blocks
//! entry: bytes shared with the previous word u8 │ rest of the word │ symbol ids
//! ```
//! Numbers are little-endian; the last byte of a word and of its ids has its high bit set.

use super::symbol::{SYMBOL_FINGERPRINT, Symbol};

pub(super) const MAGIC: &[u8; 8] = b"FGLEX\0\x01\n";
/// Entries per block: larger blocks are smaller on disk and slower to search.
#[cfg(feature = "train")]
pub(super) const BLOCK_ENTRIES: usize = 32;
/// Longest word, in bytes.
pub(super) const MAX_WORD_BYTES: usize = 64;
pub(super) const HEADER_BYTES: usize = 20;

const DATA: &[u8] = include_bytes!("data/english.lex");
// A stale file must not build: its ids would mean other phones. An empty one may, to build the compiler that makes it.
const _: () =
    assert!(DATA.is_empty() || is_current(DATA), "data/english.lex: empty it, then compile it again");

/// True if the header is ours and the ids mean what this build's symbol table says.
const fn is_current(data: &[u8]) -> bool {
    if data.len() < HEADER_BYTES {
        return false;
    }
    let mut i = 0;
    while i < MAGIC.len() {
        if data[i] != MAGIC[i] {
            return false;
        }
        i += 1;
    }
    u32::from_le_bytes([data[8], data[9], data[10], data[11]]) == SYMBOL_FINGERPRINT
}

/// A read-only word list with pronunciations. Copying it copies a pointer.
#[derive(Debug, Clone, Copy)]
pub struct Lexicon<'a> {
    data: &'a [u8],
    entries: usize,
    blocks: usize,
}

impl Lexicon<'static> {
    /// The lexicon that is part of the program.
    pub fn embedded() -> Self {
        Self::over(DATA)
    }
}

impl<'a> Lexicon<'a> {
    /// Reads a compiled lexicon; `None` if it is not one, or was made for another symbol table.
    pub fn from_bytes(data: &'a [u8]) -> Option<Self> {
        let lexicon = is_current(data).then(|| Self::over(data))?;
        (data.len() / 4 >= lexicon.blocks).then_some(lexicon)
    }

    fn over(data: &'a [u8]) -> Self {
        let number = |at: usize| read_u32(data, at).unwrap_or(0);
        Self { data, entries: number(12), blocks: number(16) }
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// True if there are no words.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// True if the word (lower case, apostrophes kept) is listed.
    pub fn contains(&self, word: &str) -> bool {
        self.find(word.as_bytes()).is_some()
    }

    /// The word's phones, if it is listed.
    pub fn get(&self, word: &str) -> Option<Vec<Symbol>> {
        let ids = self.find(word.as_bytes())?;
        ids.iter().map(|&id| Symbol::from_id(id & 0x7f)).collect()
    }

    /// The ids of a word, high bit on the last.
    fn find(&self, word: &[u8]) -> Option<&'a [u8]> {
        if word.is_empty() || word.len() > MAX_WORD_BYTES {
            return None;
        }
        // The last block whose first word is not after ours.
        let (mut low, mut high) = (0, self.blocks);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut buffer = WordBuffer::default();
            if buffer.read(self.block(middle)?)?.word() <= word {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let block = self.block(low.checked_sub(1)?)?;
        let mut entries = Entries { rest: block, buffer: WordBuffer::default() };
        while let Some(ids) = entries.advance() {
            match entries.buffer.word().cmp(word) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Some(ids),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }

    fn block(&self, index: usize) -> Option<&'a [u8]> {
        let first = HEADER_BYTES + 4 * self.blocks;
        let offset = |i: usize| read_u32(self.data, HEADER_BYTES + 4 * i);
        let start = first + offset(index)?;
        let end = if index + 1 < self.blocks { first + offset(index + 1)? } else { self.data.len() };
        self.data.get(start..end)
    }

    /// Calls `visit` with every word and its phones, in order.
    pub fn for_each(&self, mut visit: impl FnMut(&str, &[Symbol])) {
        for block in (0..self.blocks).filter_map(|i| self.block(i)) {
            let mut entries = Entries { rest: block, buffer: WordBuffer::default() };
            while let Some(ids) = entries.advance() {
                let phones: Vec<Symbol> = ids.iter().filter_map(|&id| Symbol::from_id(id & 0x7f)).collect();
                if let Ok(word) = std::str::from_utf8(entries.buffer.word()) {
                    visit(word, &phones);
                }
            }
        }
    }
}

fn read_u32(data: &[u8], at: usize) -> Option<usize> {
    let bytes = data.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
}

/// Up to and including the first byte with its high bit set.
fn split_marked(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = data.iter().position(|byte| byte & 0x80 != 0)?;
    Some(data.split_at(last + 1))
}

/// The word being read: front coding needs the previous one.
struct WordBuffer {
    bytes: [u8; MAX_WORD_BYTES],
    len: usize,
    entry_bytes: usize,
}

impl Default for WordBuffer {
    fn default() -> Self {
        Self { bytes: [0; MAX_WORD_BYTES], len: 0, entry_bytes: 0 }
    }
}

impl WordBuffer {
    fn read(&mut self, entry: &[u8]) -> Option<&Self> {
        let (&shared, rest) = entry.split_first()?;
        let (suffix, _) = split_marked(rest)?;
        let (start, end) = (shared as usize, shared as usize + suffix.len());
        if start > self.len {
            return None;
        }
        let target = self.bytes.get_mut(start..end)?;
        for (to, from) in target.iter_mut().zip(suffix) {
            *to = from & 0x7f;
        }
        self.len = end;
        self.entry_bytes = 1 + suffix.len();
        Some(self)
    }

    fn word(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

struct Entries<'a> {
    rest: &'a [u8],
    buffer: WordBuffer,
}

impl<'a> Entries<'a> {
    /// Reads the next entry's word into the buffer and returns its ids.
    fn advance(&mut self) -> Option<&'a [u8]> {
        self.buffer.read(self.rest)?;
        let (ids, rest) = split_marked(self.rest.get(self.buffer.entry_bytes..)?)?;
        self.rest = rest;
        Some(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phones(word: &str) -> String {
        let symbols = Lexicon::embedded().get(word).unwrap_or_default();
        symbols.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn knows_common_words() {
        assert_eq!(phones("hello"), "HH AH0 L OW1");
        assert_eq!(phones("understand"), "AH2 N D ER0 S T AE1 N D");
        assert_eq!(phones("don't"), "D OW1 N T");
        assert_eq!(phones("zzzz"), "");
        assert_eq!(phones(""), "");
        assert_eq!(phones(&"a".repeat(1000)), "");
    }

    #[test]
    fn every_entry_is_found_again() {
        let lexicon = Lexicon::embedded();
        let (mut count, mut previous) = (0, String::new());
        lexicon.for_each(|word, phones| {
            assert!(previous.as_str() < word, "{previous} before {word}");
            assert_eq!(lexicon.get(word).as_deref(), Some(phones), "{word}");
            previous = word.to_owned();
            count += 1;
        });
        assert_eq!(count, lexicon.len());
        assert!(count > 120_000, "{count}");
    }

    #[test]
    fn stays_small() {
        assert!(DATA.len() < 2_000_000, "{} bytes", DATA.len());
    }

    #[test]
    fn refuses_other_bytes() {
        assert!(Lexicon::from_bytes(b"").is_none());
        assert!(Lexicon::from_bytes(&[0; 64]).is_none());
        let mut other_symbols = DATA[..64].to_vec();
        other_symbols[8] ^= 1;
        assert!(Lexicon::from_bytes(&other_symbols).is_none());
        // Cut short: words are missing, nothing panics.
        for bytes in [20, 21, 100, 4096, 20_000, DATA.len() / 2] {
            if let Some(lexicon) = Lexicon::from_bytes(&DATA[..bytes]) {
                assert_eq!(lexicon.get("zebra"), None);
            }
        }
    }
}
