//! Chunks just in time: text comes in as a program or a language model writes it, and goes out in parts that can be spoken.
//!
//! While plenty of sound waits to be played, the chunker waits for the end of a sentence. The less there is, the less it
//! asks for: a clause, a phrase, a few words. It looks at no clock: the caller says how urgent it is ([`Pace`]).
//!
//! A word is taken only when nothing that may still come could change how it is read: `3` may become `3.5` or `3rd`, `Dr.`
//! ends no sentence, `No.` waits for a number. Each class of the normaliser asks for what it needs of the text ahead,
//! and a reading that asked for more than has come is not used (see `reader`). So the words of all chunks are those of
//! the whole text, and with a given pace the chunks are the same however the text was cut into pushes. Two cases differ: a
//! source that falls silent within a word or expression for longer than [`ChunkerConfig::word_hold_ms`] gets what there is
//! read as it stands, and so does text without any end that fills [`ChunkerConfig::max_pending_bytes`].

mod boundary;
mod pending;

pub use boundary::Boundary;
use boundary::{Assume, Cut, Need, search};
pub(super) use boundary::{BEFORE_NOUN, PHRASE_STARTS};
use pending::Pending;

use super::reader::End;
use super::{Language, TextChunk};

/// How urgently the next chunk is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Speech that is made but not played yet. [`u32::MAX`] if nobody listens in real time, as when a file is written.
    pub buffered_ms: u32,
    /// How long the source has been silent: the time since the last push.
    pub silent_ms: u32,
}

impl Pace {
    /// Nobody waits: the best boundaries.
    pub const PATIENT: Self = Self { buffered_ms: u32::MAX, silent_ms: 0 };
    /// Silence is heard: the first boundary.
    pub const URGENT: Self = Self { buffered_ms: 0, silent_ms: 0 };
}

/// When the chunker takes what. The defaults suit a machine that makes speech at least ten times faster than it is
/// played, and text that comes at ten words a second or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkerConfig {
    /// What the text is read as.
    pub language: Language,
    /// With less sound waiting than this, a few words are enough.
    pub words_below_ms: u32,
    /// With less than this, a phrase.
    pub phrases_below_ms: u32,
    /// With less than this, a clause; with more, only a whole sentence.
    pub clauses_below_ms: u32,
    /// The fewest words of a chunk that ends without punctuation. At least 1.
    pub least_words: usize,
    /// The most words of a chunk, but for one expression (an address, a number) with more. At least 2.
    pub max_words: usize,
    /// The most bytes of a chunk, about: as much again is allowed for white space and marks around the words, and one
    /// expression may be longer. 16 to 1024.
    pub max_bytes: usize,
    /// Text that waits. At least 4096.
    pub max_pending_bytes: usize,
    /// A source silent for so long gets its whole words spoken, once less sound waits than `words_below_ms`.
    pub hold_ms: u32,
    /// A source silent for so long gets everything spoken, whole or not.
    pub word_hold_ms: u32,
}

impl Default for ChunkerConfig {
    fn default() -> Self {
        Self {
            language: Language::English,
            words_below_ms: 350,
            phrases_below_ms: 1000,
            clauses_below_ms: 2500,
            least_words: 2,
            max_words: 20,
            max_bytes: 250,
            max_pending_bytes: 16 * 1024,
            hold_ms: 300,
            word_hold_ms: 10_000,
        }
    }
}

impl ChunkerConfig {
    /// The defaults for a language: a character of Mandarin counts as a word, and is half as long as an English one.
    pub fn of(language: Language) -> Self {
        let config = Self { language, ..Self::default() };
        match language {
            Language::English => config,
            #[cfg(feature = "mandarin")]
            Language::Mandarin => {
                Self { least_words: 2 * config.least_words, max_words: 2 * config.max_words, ..config }
            }
        }
    }
}

/// A part of the text to be spoken in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The exact text, white space included; what was not UTF-8 is U+FFFD. The sources of all chunks, joined, are the text.
    pub source: String,
    /// Where it begins in the text: the bytes of all chunks before.
    pub start_byte: u64,
    /// What to say; ranges are bytes of `source`. May have no word: then there is nothing to do but report what is unspoken.
    pub text: TextChunk,
    /// The next few words, not to be said yet, as far as they were certain when this chunk was: what the last word leads up
    /// to. Ranges count from the start of `source` too, and lie behind it.
    pub lookahead: TextChunk,
    /// How it ends.
    pub ending: Boundary,
    /// Whether bytes were replaced in it.
    pub is_repaired: bool,
}

/// Why bytes were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkerError {
    /// The text was said to be finished. [`Chunker::reset`] begins another.
    #[error("chunker: expected no more text behind its end, got {got_bytes} bytes")]
    Finished {
        /// How many came.
        got_bytes: usize,
    },
}

/// Room for the longest expression that must be seen whole, and more.
const MIN_PENDING_BYTES: usize = 4096;
/// Most words of [`Chunk::lookahead`].
const MAX_LOOKAHEAD_WORDS: usize = 3;
/// The least a clause and a phrase must have while there is some sound left, in words.
const CLAUSE_WORDS: usize = 4;
const PHRASE_WORDS: usize = 4;

/// Cuts text into chunks, just in time. Bounded in memory; time grows linearly with the text.
///
/// ```
/// use fastglow::text::{Boundary, Chunker, ChunkerConfig, Pace};
///
/// let mut chunker = Chunker::new(ChunkerConfig::default());
/// let mut said = Vec::new();
/// for token in ["Good", " morning", ".", " Your", " ta", "ble", " is", " ready", "."] {
///     chunker.push(token.as_bytes())?;
///     while let Some(chunk) = chunker.next_chunk(Pace::URGENT) {
///         said.push(chunk.source);
///     }
/// }
/// chunker.finish();
/// while let Some(chunk) = chunker.next_chunk(Pace::URGENT) {
///     said.push(chunk.source);
/// }
/// assert_eq!(said, ["Good morning.", " Your table", " is ready."]);
/// # Ok::<(), fastglow::text::ChunkerError>(())
/// ```
#[derive(Debug)]
pub struct Chunker {
    config: ChunkerConfig,
    pending: Pending,
    /// What was searched without finding an end: the items, and what would have been good enough.
    searched: Option<(usize, Need)>,
}

impl Chunker {
    /// Begins a text. Values of `config` below their least are raised to it.
    pub fn new(config: ChunkerConfig) -> Self {
        let config = ChunkerConfig {
            least_words: config.least_words.max(1),
            max_words: config.max_words.max(2),
            max_bytes: config.max_bytes.clamp(16, 1024),
            max_pending_bytes: config.max_pending_bytes.max(MIN_PENDING_BYTES),
            ..config
        };
        Self { config, pending: Pending::new(config.language), searched: None }
    }

    /// Takes bytes, and says how many: fewer than given if too much text waits. Then take chunks, and push the rest; there
    /// is always a chunk to take when nothing more is.
    ///
    /// # Errors
    /// The text was finished.
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize, ChunkerError> {
        if self.pending.is_finished() && !bytes.is_empty() {
            return Err(ChunkerError::Finished { got_bytes: bytes.len() });
        }
        let mut taken = 0;
        loop {
            // A bad byte becomes three good ones.
            let room = self.config.max_pending_bytes.saturating_sub(self.pending.len_bytes()).div_ceil(3);
            let part = &bytes[taken..][..room.min(bytes.len() - taken)];
            if part.is_empty() {
                return Ok(taken);
            }
            self.pending.push(part);
            taken += part.len();
        }
    }

    /// Says that no more text will come: the rest is spoken to its end.
    pub fn finish(&mut self) {
        if !self.pending.is_finished() {
            self.pending.finish();
            self.searched = None;
        }
    }

    /// The next chunk, if one is ready at this pace.
    pub fn next_chunk(&mut self, pace: Pace) -> Option<Chunk> {
        let cut = self.certain(pace).or_else(|| self.held(pace)).or_else(|| self.overfull(pace))?;
        let start = self.pending.start();
        let (source, start_byte, text, is_repaired) = self.pending.take(cut.items, cut.end);
        let ahead = cut.seen - cut.items;
        let lookahead = self.pending.words_ahead(ahead, MAX_LOOKAHEAD_WORDS, start);
        self.pending.drop_taken();
        self.searched = None;
        Some(Chunk { source, start_byte, text, lookahead, ending: cut.ending, is_repaired })
    }

    /// A chunk that nothing which may come can change.
    fn certain(&mut self, pace: Pace) -> Option<Cut> {
        if self.pending.len_bytes() == 0 {
            return None;
        }
        let need = self.need(pace);
        let read = self.pending.items_read();
        if self.searched == Some((read, need)) && self.pending.item(read, End::Open).is_none() {
            return None;
        }
        let cut = search(&mut self.pending, &self.config, need, Assume::Nothing);
        self.searched = cut.is_none().then(|| (self.pending.items_read(), need));
        cut
    }

    /// What a source that pauses has said so far.
    fn held(&mut self, pace: Pace) -> Option<Cut> {
        let is_dry = pace.buffered_ms < self.config.words_below_ms && self.pending.has_content();
        if !is_dry || pace.silent_ms < self.config.hold_ms {
            return None;
        }
        let need = self.need(pace);
        if pace.silent_ms >= self.config.word_hold_ms {
            return self.everything(need, Assume::Whole);
        }
        let assume = if self.pending.may_pause() { Assume::PauseAtGap } else { Assume::Pause };
        let read = self.pending.items_read();
        let cut = search(&mut self.pending, &self.config, need, assume);
        // What was read on a guess, and is not spoken, is read again when more has come.
        self.pending.unread(cut.map_or(read, |cut| cut.items.max(read)));
        cut
    }

    /// A chunk of text that would otherwise wait for ever: there is no room for what it waits for.
    fn overfull(&mut self, pace: Pace) -> Option<Cut> {
        let is_full = self.pending.len_bytes() >= self.config.max_pending_bytes;
        if is_full { self.everything(self.need(pace), Assume::Full) } else { None }
    }

    fn everything(&mut self, need: Need, assume: Assume) -> Option<Cut> {
        self.pending.seal();
        search(&mut self.pending, &self.config, need, assume)
    }

    fn need(&self, pace: Pace) -> Need {
        let config = &self.config;
        let never = Need { clause_words: None, phrase_words: None, word_words: None, any_words: None };
        match pace.buffered_ms {
            buffered if buffered < config.words_below_ms => Need {
                clause_words: Some(1),
                phrase_words: Some(config.least_words),
                word_words: Some(config.least_words),
                any_words: Some(config.least_words + 3),
            },
            buffered if buffered < config.phrases_below_ms => Need {
                clause_words: Some(config.least_words),
                phrase_words: Some(PHRASE_WORDS.max(config.least_words)),
                ..never
            },
            buffered if buffered < config.clauses_below_ms => {
                Need { clause_words: Some(CLAUSE_WORDS.max(config.least_words)), ..never }
            }
            _ => never,
        }
    }

    /// When to ask again if no more text comes: the milliseconds from `pace` until the sound that waits runs low, or the
    /// silence becomes long, so that a chunk may be ready then. `None` if only more text can help.
    pub fn next_deadline_ms(&self, pace: Pace) -> Option<u32> {
        let config = &self.config;
        let nobody_waits = pace.buffered_ms == u32::MAX;
        if nobody_waits || self.pending.is_finished() || !self.pending.has_content() {
            return None;
        }
        let until_below = |level_ms: u32| pace.buffered_ms.saturating_add(1).saturating_sub(level_ms);
        let until_dry = until_below(config.words_below_ms);
        let until_held = |hold_ms: u32| hold_ms.saturating_sub(pace.silent_ms).max(until_dry);
        let times = [
            until_below(config.clauses_below_ms),
            until_below(config.phrases_below_ms),
            until_dry,
            until_held(config.hold_ms),
            until_held(config.word_hold_ms),
        ];
        times.into_iter().filter(|&time_ms| time_ms > 0).min()
    }

    /// True once the text is finished and all of it was taken.
    pub fn is_done(&self) -> bool {
        self.pending.is_finished() && self.pending.len_bytes() == 0
    }

    /// Forgets everything and begins another text.
    pub fn reset(&mut self) {
        *self = Self::new(self.config);
    }
}

#[cfg(test)]
mod tests;
