//! What a client is told of its utterances, without the voice ever waiting for it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender, channel};

use super::SpeakerError;
use crate::daemon::queue::JobNumber;
use crate::engine::{NamedMark, PhoneMark, WordMark};
use crate::text::UnspokenKind;

/// Something about one utterance.
#[derive(Debug, Clone, PartialEq)]
pub enum SpeakerEvent {
    /// Its turn has come.
    Begin {
        /// Of the samples that words are told in.
        sample_rate_hz: u32,
    },
    /// A word begins to be heard. Samples are counted from the utterance's first.
    Word(WordMark),
    /// A phone or a pause begins to be heard, where [`Say::tells_phones`](super::Say::tells_phones).
    Phone(PhoneMark),
    /// A mark that the text's author set is reached.
    Mark(NamedMark),
    /// A part of the text is left out.
    Unspoken {
        /// Why.
        kind: UnspokenKind,
        /// Its byte range in the text.
        source: Range<u64>,
    },
    /// The loudspeaker ran dry, so often since the utterance began: the machine is too busy.
    Underrun {
        /// How often.
        count: u64,
    },
    /// It was heard to its end.
    End(Spoken),
    /// It was not. Nothing more of it is heard.
    Cancelled {
        /// Why.
        reason: CancelReason,
        /// The last word that was heard at least in part.
        last_word: Option<WordMark>,
    },
}

impl SpeakerEvent {
    /// Whether nothing follows about this utterance.
    pub fn is_last(&self) -> bool {
        matches!(self, SpeakerEvent::End(_) | SpeakerEvent::Cancelled { .. })
    }
}

/// What became of an utterance that was heard to its end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spoken {
    /// Length of the sound that was made.
    pub audio_ms: u64,
    /// From the first text that the voice was given until the first samples went to the loudspeaker; `None` if there was
    /// nothing to say.
    pub first_audio_ms: Option<f64>,
    /// Computing time over the sound's length; `None` if there was nothing to say.
    pub rtf: Option<f64>,
    /// How often the loudspeaker ran dry.
    pub underruns: u64,
}

/// Why an utterance was not heard to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelReason {
    /// Someone asked for silence.
    Stopped,
    /// Someone asked for the next one.
    Skipped,
    /// Something more urgent came.
    Interrupted,
    /// Its client is gone.
    ClientGone,
    /// The daemon ends.
    ShuttingDown,
    /// It could not be spoken.
    Failed {
        /// Why.
        message: String,
        /// What to do about it, if that is known.
        hint: Option<String>,
    },
}

impl CancelReason {
    /// In one word, for protocols.
    pub fn name(&self) -> &'static str {
        match self {
            CancelReason::Stopped => "stopped",
            CancelReason::Skipped => "skipped",
            CancelReason::Interrupted => "interrupted",
            CancelReason::ClientGone => "client_gone",
            CancelReason::ShuttingDown => "shutting_down",
            CancelReason::Failed { .. } => "failed",
        }
    }

    pub(super) fn failed(error: &crate::Error) -> Self {
        CancelReason::Failed { message: error.to_string(), hint: error.hint() }
    }
}

/// An event, and whose.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The utterance.
    pub job: JobNumber,
    /// How many events were lost since the one before because the client did not read them. Never a last one.
    pub lost_events: u64,
    /// What happened.
    pub event: SpeakerEvent,
}

/// The sending end of a client's events. Nothing here waits.
pub(super) struct Mailbox {
    sender: Sender<Told>,
    lost_events: AtomicU64,
}

impl Mailbox {
    pub fn new(capacity: usize) -> (Arc<Self>, Receiver<Told>) {
        let (sender, receiver) = channel(capacity.max(1));
        (Arc::new(Self { sender, lost_events: AtomicU64::new(0) }), receiver)
    }

    pub fn tell(&self, job: JobNumber, event: SpeakerEvent) {
        match self.sender.try_reserve() {
            Ok(permit) => permit.send(self.told(job, event)),
            Err(_) => drop(self.lost_events.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn told(&self, job: JobNumber, event: SpeakerEvent) -> Told {
        Told { job, lost_events: self.lost_events.swap(0, Ordering::Relaxed), event }
    }
}

/// The promise that an utterance ends with exactly one last event. Its place in the mailbox is kept from the start.
pub(super) struct Verdict {
    job: JobNumber,
    mailbox: Arc<Mailbox>,
    /// None if nobody listens, or it was given.
    permit: Option<OwnedPermit<Told>>,
}

impl Verdict {
    /// # Errors
    /// The client has left too many events unread.
    pub fn promise(job: JobNumber, mailbox: &Arc<Mailbox>) -> Result<Self, SpeakerError> {
        let permit = match mailbox.sender.clone().try_reserve_owned() {
            Ok(permit) => Some(permit),
            Err(TrySendError::Closed(_)) => None,
            Err(TrySendError::Full(_)) => return Err(SpeakerError::EventsUnread),
        };
        Ok(Self { job, mailbox: mailbox.clone(), permit })
    }

    pub fn tell(&self, event: SpeakerEvent) {
        self.mailbox.tell(self.job, event);
    }

    pub fn mailbox(&self) -> Arc<Mailbox> {
        self.mailbox.clone()
    }

    pub fn end(mut self, spoken: Spoken) {
        self.give(SpeakerEvent::End(spoken));
    }

    pub fn cancel(mut self, reason: CancelReason, last_word: Option<WordMark>) {
        self.give(SpeakerEvent::Cancelled { reason, last_word });
    }

    fn give(&mut self, event: SpeakerEvent) {
        if let Some(permit) = self.permit.take() {
            permit.send(self.mailbox.told(self.job, event));
        }
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        self.give(SpeakerEvent::Cancelled { reason: CancelReason::ShuttingDown, last_word: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_does_not_read_loses_events_but_never_a_last_one() {
        let (mailbox, mut events) = Mailbox::new(3);
        let first = Verdict::promise(1, &mailbox).unwrap();
        let second = Verdict::promise(2, &mailbox).unwrap();
        for _ in 0..5 {
            first.tell(SpeakerEvent::Begin { sample_rate_hz: 22_050 });
        }
        assert!(matches!(Verdict::promise(3, &mailbox), Err(SpeakerError::EventsUnread)));
        first.end(Spoken::default());
        drop(second);
        let mut next = || events.try_recv().unwrap();
        assert_eq!(
            next(),
            Told { job: 1, lost_events: 0, event: SpeakerEvent::Begin { sample_rate_hz: 22_050 } }
        );
        assert_eq!(next(), Told { job: 1, lost_events: 4, event: SpeakerEvent::End(Spoken::default()) });
        let reason = CancelReason::ShuttingDown;
        let last =
            Told { job: 2, lost_events: 0, event: SpeakerEvent::Cancelled { reason, last_word: None } };
        assert_eq!(next(), last);
        assert!(events.try_recv().is_err(), "exactly one");
    }

    #[test]
    fn nobody_need_listen() {
        let (mailbox, events) = Mailbox::new(1);
        drop(events);
        for job in 0..10 {
            Verdict::promise(job, &mailbox).unwrap().end(Spoken::default());
        }
    }
}
