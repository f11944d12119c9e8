//! What is to be spoken, from its acceptance to its last event.

use std::collections::VecDeque;
use std::time::Instant;

use super::SpeakerError;
use super::event::{CancelReason, Verdict};
use crate::engine::{JobError, JobText, SpeakConfig};

/// What a client wants spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct Say {
    /// The text, or its beginning.
    pub text: String,
    /// Whether that is all of it. Otherwise [`Client::append`](super::Client::append) and
    /// [`Client::finish`](super::Client::finish) follow.
    pub is_whole: bool,
    /// The name of the voice; `None` for the default one.
    pub voice: Option<String>,
    /// How to speak.
    pub speech: SpeakConfig,
    /// The greater, the sooner.
    pub priority: i32,
    /// Whether to interrupt what is being spoken, unless that has a greater priority, and to go before what waits with
    /// the same priority.
    pub is_urgent: bool,
    /// Whether it is cancelled when its client goes away. An unfinished text always is.
    pub ends_with_client: bool,
    /// Whether its phones are told as well as its words: for a face that moves.
    pub tells_phones: bool,
}

impl Say {
    /// All of a text, with the usual voice, in its turn.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_whole: true,
            voice: None,
            speech: SpeakConfig::default(),
            priority: 0,
            is_urgent: false,
            ends_with_client: false,
            tells_phones: false,
        }
    }
}

/// An accepted [`Say`].
pub(super) struct Utterance {
    pub voice: Option<String>,
    pub speech: SpeakConfig,
    pub ends_with_client: bool,
    pub tells_phones: bool,
    pub text: Text,
    pub verdict: Verdict,
}

impl Utterance {
    /// Whether there is anything to begin with. An empty whole text is: it ends at once.
    pub fn is_ready(&self) -> bool {
        self.text.is_whole || !self.text.pending.is_empty()
    }

    pub fn cancel(self, reason: CancelReason) {
        self.verdict.cancel(reason, None);
    }
}

/// The text that has come and was not given to the engine.
pub(super) struct Text {
    pending: VecDeque<u8>,
    is_whole: bool,
    last_came: Instant,
}

impl Text {
    pub fn new(text: String, is_whole: bool, most_bytes: usize) -> Result<Self, SpeakerError> {
        let mut new = Self { pending: VecDeque::new(), is_whole: false, last_came: Instant::now() };
        new.append(&text, most_bytes)?;
        new.is_whole = is_whole;
        Ok(new)
    }

    pub fn append(&mut self, text: &str, most_bytes: usize) -> Result<(), SpeakerError> {
        if self.is_whole {
            return Err(SpeakerError::Finished);
        }
        let got_bytes = self.pending.len() + text.len();
        if got_bytes > most_bytes {
            return Err(SpeakerError::TextTooLong { most_bytes, got_bytes });
        }
        self.pending.extend(text.as_bytes());
        self.last_came = Instant::now();
        Ok(())
    }

    pub fn finish(&mut self) {
        self.is_whole = true;
    }

    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    pub fn last_came(&self) -> Instant {
        self.last_came
    }

    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Gives the engine what it takes now, and drops `input` once all of it has been taken and no more can come.
    pub fn feed(&mut self, input: &mut Option<JobText>) {
        const PIECE_BYTES: usize = 1024;
        while let Some(text) = input
            && !self.pending.is_empty()
        {
            let piece = &self.pending.make_contiguous()[..];
            let piece = &piece[..piece.len().min(PIECE_BYTES)];
            match text.try_push(piece) {
                Ok(()) => {
                    let count = piece.len();
                    drop(self.pending.drain(..count));
                }
                Err(JobError::Full) => return,
                Err(JobError::Ended) => {
                    *input = None;
                    self.pending.clear();
                }
            }
        }
        if self.is_whole {
            *input = None;
        }
    }
}
