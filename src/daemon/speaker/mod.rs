//! The loudspeaker that several programs share: one utterance at a time, from a queue with limits.
//!
//! ```text
//!  Client::say, append, finish ─┐                  ┌─▶ events of each utterance
//!  Speaker::pause, skip, stop ──┴▶ Desk ◀─ thread ─┴─▶ Engine ─▶ Outlet (the sink)
//! ```
//!
//! Every method returns at once and can be called from any thread, async ones too: it changes the desk under a lock that
//! is held for microseconds, and what is being spoken by the handles that the engine and the sink have for that. The
//! thread `fastglow-speaker` takes the next utterance from the desk, loads its voice, feeds its text to the engine and
//! tells its client what is heard. An utterance that was accepted ends with exactly one last event
//! ([`SpeakerEvent::End`] or [`SpeakerEvent::Cancelled`]), whatever happens.

mod desk;
mod event;
mod outlet;
mod thread;
mod utterance;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::Receiver;

use super::limits::Limits;
use super::metrics::Metrics;
use super::queue::{ClientNumber, JobNumber};
use super::voices::Voices;
use crate::audio::{AudioError, Sink, SinkConfig};
use crate::engine::SpeakConfigError;
use crate::{Error, Result};
use desk::Desk;
use event::Mailbox;
use outlet::Outlet;

pub use event::{CancelReason, SpeakerEvent, Spoken, Told};
pub use utterance::Say;

/// The loudspeaker's own settings.
#[derive(Debug, Clone, PartialEq)]
pub struct LoudspeakerConfig {
    /// Which of [`SINKS`](crate::audio::SINKS): one that plays in real time, `device` or `null`.
    pub sink_name: String,
    /// How to open it. Its rate is the voice's.
    pub sink: SinkConfig,
    /// The volume of everything, 0 at most: no sample is louder than this, whatever clients ask for.
    pub volume_db: f32,
    /// Silence before speech when the loudspeaker has been idle, for those that swallow its beginning.
    pub lead_in_ms: u32,
}

impl Default for LoudspeakerConfig {
    fn default() -> Self {
        let sink_name = crate::audio::SINKS.first().map_or("null", |kind| match kind.name {
            "device" => "device",
            _ => "null",
        });
        Self { sink_name: sink_name.into(), sink: SinkConfig::default(), volume_db: 0.0, lead_in_ms: 0 }
    }
}

/// Opens the loudspeaker; called again for a voice of another sample rate.
pub type OpenLoudspeaker = Box<dyn Fn(&SinkConfig) -> std::result::Result<Box<dyn Sink>, AudioError> + Send>;

/// A request to the loudspeaker was refused. Nothing of it is done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpeakerError {
    /// Retry when some have been spoken.
    #[error("queue: expected at most {most} waiting utterances, got one more")]
    QueueFull {
        /// How many may wait.
        most: usize,
    },
    /// The same for one client. Retry when some of its own have been spoken.
    #[error("queue: expected at most {most} waiting utterances of one client, got one more")]
    ClientQueueFull {
        /// How many may wait.
        most: usize,
    },
    /// Send less, or in pieces as it is spoken.
    #[error("text: expected at most {most_bytes} waiting bytes, got {got_bytes}")]
    TextTooLong {
        /// How many may wait.
        most_bytes: usize,
        /// How many there would be.
        got_bytes: usize,
    },
    /// The client must read its events first.
    #[error("events: too many wait to be read")]
    EventsUnread,
    /// The utterance is over, or was another client's.
    #[error("utterance {job}: there is none of this client that waits or is spoken")]
    UnknownJob {
        /// The number asked for.
        job: JobNumber,
    },
    /// No more text can come.
    #[error("text: it was finished already")]
    Finished,
    /// A way of speaking that is out of range.
    #[error(transparent)]
    Speech(#[from] SpeakConfigError),
    /// The daemon ends.
    #[error("loudspeaker: it is shutting down")]
    ShuttingDown,
}

impl SpeakerError {
    /// In one word, for protocols.
    pub fn name(&self) -> &'static str {
        match self {
            SpeakerError::QueueFull { .. } | SpeakerError::ClientQueueFull { .. } => "queue_full",
            SpeakerError::TextTooLong { .. } => "text_too_long",
            SpeakerError::EventsUnread => "events_unread",
            SpeakerError::UnknownJob { .. } => "unknown_job",
            SpeakerError::Finished => "finished",
            SpeakerError::Speech(_) => "out_of_range",
            SpeakerError::ShuttingDown => "shutting_down",
        }
    }
}

/// What is meant by a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One utterance, of any client.
    Job(JobNumber),
    /// All of a client's.
    Client(ClientNumber),
    /// Everything.
    All,
}

/// How the loudspeaker is, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpeakerStatus {
    /// The utterance that is being spoken.
    pub speaking: Option<JobNumber>,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Utterances that wait.
    pub queued_jobs: usize,
    /// Sound that is made but not heard yet.
    pub buffered_ms: u64,
    /// What it has done since it began.
    pub tally: Tally,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Tally {
    /// Utterances accepted.
    pub accepted: u64,
    /// Those heard to their end.
    pub spoken: u64,
    /// Those that were not, for whatever reason. With those spoken, waiting and being spoken, all that were accepted.
    pub cancelled: u64,
    /// Those of them that could not be spoken.
    pub failed: u64,
    /// Bytes of text accepted.
    pub text_bytes: u64,
    /// Sound made.
    pub audio_ms: u64,
    /// Gaps in mid speech.
    pub underruns: u64,
    /// From its first text to its first samples, of the latest utterance.
    pub last_first_audio_ms: Option<f64>,
    /// Computing time over the sound's length, of the latest utterance.
    pub last_rtf: Option<f64>,
}

/// The loudspeaker. Clones are handles to the same one; with the last, it falls silent.
#[derive(Clone)]
pub struct Speaker {
    owner: Arc<Owner>,
}

struct Owner {
    desk: Arc<Desk>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Speaker {
    /// Starts the thread. The sound card is opened with the first utterance, so that it may be plugged in later.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        voices: Arc<Voices>,
        config: LoudspeakerConfig,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let name = config.sink_name.clone();
        let open: OpenLoudspeaker = Box::new(move |config| crate::audio::open(&name, config));
        Self::start_with(open, voices, config, (limits, metrics))
    }

    /// The same, on a sink of the caller's: [`LoudspeakerConfig::sink_name`] is not looked at.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start_with(
        open: OpenLoudspeaker,
        voices: Arc<Voices>,
        config: LoudspeakerConfig,
        (limits, metrics): (Limits, Arc<Metrics>),
    ) -> Result<Self> {
        let desk = Arc::new(Desk::new(limits, metrics));
        let thread = {
            let desk = desk.clone();
            let name = std::thread::Builder::new().name("fastglow-speaker".into());
            name.spawn(move || thread::run(&desk, &voices, Outlet::new(open, config)))
                .map_err(|source| Error::Thread { source })?
        };
        Ok(Self { owner: Arc::new(Owner { desk, thread: Some(thread).into() }) })
    }

    /// A new client, and what it is told. It may drop the events if it does not want them, but should not leave them
    /// unread: then [`Client::say`] is refused.
    pub fn client(&self) -> (Client, Receiver<Told>) {
        let desk = self.owner.desk.clone();
        let (number, mailbox, events) = desk.enter();
        (Client { number, mailbox, desk, _owner: self.owner.clone() }, events)
    }

    /// Ends what is meant, spoken or waiting, with this reason. Returns how many utterances that were. After a stop of
    /// everything the loudspeaker is no longer paused.
    pub fn stop(&self, scope: Scope) -> usize {
        self.owner.desk.stop(scope, &CancelReason::Stopped)
    }

    /// Ends what is being spoken; the next one follows. Returns its number.
    pub fn skip(&self) -> Option<JobNumber> {
        self.owner.desk.skip()
    }

    /// Fades out and keeps the place. Nothing else is begun.
    pub fn pause(&self) {
        self.owner.desk.set_paused(true);
    }

    /// Goes on.
    pub fn resume(&self) {
        self.owner.desk.set_paused(false);
    }

    /// What it is doing.
    pub fn status(&self) -> SpeakerStatus {
        self.owner.desk.status()
    }

    /// Other limits from now on. What was accepted stays so.
    pub fn set_limits(&self, limits: Limits) {
        self.owner.desk.set_limits(limits);
    }

    /// Another volume of everything, at once.
    pub fn set_volume_db(&self, volume_db: f32) {
        self.owner.desk.set_volume_db(volume_db);
    }

    /// Whether speech is being made as it should: the time since the thread, or the engine while it has something to
    /// do, last got on. A pause counts as getting on; a sound card that is unplugged does not.
    pub fn stalled_for(&self) -> Duration {
        self.owner.desk.stalled_for()
    }

    /// Cancels everything, lets the sound fade, closes the loudspeaker. Waits for that: some tens of milliseconds.
    pub fn close(&self) {
        self.owner.close();
    }
}

impl Owner {
    fn close(&self) {
        self.desk.close();
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic there has been reported, and there is nothing left to close.
            let _ = thread.join();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close();
    }
}

/// One program that speaks. Dropped, it is gone: see [`Say::ends_with_client`].
pub struct Client {
    number: ClientNumber,
    mailbox: Arc<Mailbox>,
    desk: Arc<Desk>,
    /// A client keeps the loudspeaker alive.
    _owner: Arc<Owner>,
}

impl Client {
    /// Its number.
    pub fn number(&self) -> ClientNumber {
        self.number
    }

    /// Queues an utterance, or interrupts with it. Returns its number, by which its events are known.
    ///
    /// # Errors
    /// A limit is reached, or a setting is out of range.
    pub fn say(&self, say: Say) -> std::result::Result<JobNumber, SpeakerError> {
        self.desk.say(self.number, &self.mailbox, say)
    }

    /// The next piece of an unfinished text.
    ///
    /// # Errors
    /// The utterance is over or finished, or too much text waits: then nothing was taken, try again later.
    pub fn append(&self, job: JobNumber, text: &str) -> std::result::Result<(), SpeakerError> {
        self.desk.append(self.number, job, text)
    }

    /// No more text follows. Finishing twice is no error.
    ///
    /// # Errors
    /// The utterance is over.
    pub fn finish(&self, job: JobNumber) -> std::result::Result<(), SpeakerError> {
        self.desk.finish(self.number, job)
    }

    /// Ends all its own utterances, or one of them. Returns how many that were.
    pub fn stop(&self, job: Option<JobNumber>) -> usize {
        self.desk.stop_own(self.number, job)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.desk.leave(self.number);
    }
}
