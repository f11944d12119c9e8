//! A text on its way through an [`Engine`](super::Engine): the handle of whoever speaks, and what the threads share.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::parallel::Shared;
use super::stats::BusyClock;
use super::{SpeakConfig, Stats, WordMark};
use crate::Result;
use crate::text::Pace;

/// The number of a job, from 1, in the order in which jobs were begun.
pub type JobId = u64;

/// Largest piece of text handed from thread to thread.
pub(super) const PIECE_BYTES: usize = 1024;

/// When text is cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacing {
    /// Somebody listens while it is made: the first words are spoken as soon as they are certain, later ones when what was
    /// made before is about to run out.
    #[default]
    Live,
    /// Nobody waits: at the ends of sentences and clauses only. The same text then gives the same samples whenever it
    /// came.
    Unhurried,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What it cost.
    pub stats: Stats,
    /// From the first text until the first words were certain enough to speak; what is left of the time to the first
    /// samples is computing. `None` if nothing was spoken.
    pub first_chunk_ms: Option<f64>,
    /// Whether it was cancelled before its end.
    pub is_cancelled: bool,
    /// The last word that was heard at least in part; `None` if there was none.
    pub last_word: Option<WordMark>,
    /// How often the sink ran dry in mid speech.
    pub underruns: u64,
}

/// Text cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// So many jobs or pieces of text wait already. Retry when some have been spoken.
    #[error("engine: the queue is full")]
    Full,
    /// The job was cancelled, has failed, or its engine is gone.
    #[error("engine: the job has ended")]
    Ended,
}

/// What the threads know of a job.
pub(super) struct JobState {
    pub id: JobId,
    pub pacing: Pacing,
    pub sample_rate_hz: u32,
    is_cancelled: AtomicBool,
    rate: AtomicU32,
    pitch_semitones: AtomicU32,
    /// Samples given to the sink or the listener.
    handed_samples: AtomicU64,
    first_handed: OnceLock<Instant>,
    /// When its first text came.
    pub first_text: OnceLock<Instant>,
    /// When the first words of it were certain enough to speak.
    pub first_chunk: OnceLock<Instant>,
    /// How long the threads have computed.
    pub busy: BusyClock,
    /// Where the job begins among all samples that the sink was given.
    sink_start_samples: OnceLock<u64>,
}

impl JobState {
    pub fn new(id: JobId, config: &SpeakConfig, pacing: Pacing, sample_rate_hz: u32) -> Self {
        Self {
            id,
            pacing,
            sample_rate_hz,
            is_cancelled: AtomicBool::new(false),
            rate: AtomicU32::new(config.rate.to_bits()),
            pitch_semitones: AtomicU32::new(config.pitch_semitones.to_bits()),
            handed_samples: AtomicU64::new(0),
            first_handed: OnceLock::new(),
            first_text: OnceLock::new(),
            first_chunk: OnceLock::new(),
            busy: BusyClock::default(),
            sink_start_samples: OnceLock::new(),
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }

    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
    }

    /// See [`Report::first_chunk_ms`].
    pub fn first_chunk_ms(&self) -> Option<f64> {
        let (text, chunk) = (self.first_text.get()?, self.first_chunk.get()?);
        Some(chunk.saturating_duration_since(*text).as_secs_f64() * 1e3)
    }

    /// The settings that may change while it is spoken.
    pub fn apply_controls(&self, config: &mut SpeakConfig) {
        config.rate = f32::from_bits(self.rate.load(Ordering::Relaxed));
        config.pitch_semitones = f32::from_bits(self.pitch_semitones.load(Ordering::Relaxed));
    }

    pub fn begin_at(&self, sink_samples: u64) {
        self.sink_start_samples.get_or_init(|| sink_samples);
    }

    pub fn add_handed(&self, samples: usize) {
        self.first_handed.get_or_init(Instant::now);
        self.handed_samples.fetch_add(samples as u64, Ordering::AcqRel);
    }

    /// How many of the job's samples have been heard: told by the sink's played samples if it plays in real time, and
    /// otherwise guessed to play in real time from the moment the first were handed out.
    pub fn heard_samples(&self, sink_played_samples: Option<u64>) -> u64 {
        let handed = self.handed_samples.load(Ordering::Acquire);
        let heard = match sink_played_samples {
            Some(played) => self.sink_start_samples.get().map_or(0, |start| played.saturating_sub(*start)),
            None => self
                .first_handed
                .get()
                .map_or(0, |first| (first.elapsed().as_secs_f64() * f64::from(self.sample_rate_hz)) as u64),
        };
        heard.min(handed)
    }

    /// How urgently more is wanted, given how much has been made and how long the text has been silent.
    pub fn pace(&self, made_samples: u64, silent_ms: u32, sink_played_samples: Option<u64>) -> Pace {
        match self.pacing {
            Pacing::Unhurried => Pace { silent_ms, ..Pace::PATIENT },
            Pacing::Live => {
                let left = made_samples.saturating_sub(self.heard_samples(sink_played_samples));
                let buffered_ms = left * 1000 / u64::from(self.sample_rate_hz.max(1));
                Pace { buffered_ms: buffered_ms.min(u64::from(u32::MAX - 1)) as u32, silent_ms }
            }
        }
    }
}

/// The end of a job that text is pushed into. Dropping it says that the text has ended.
pub struct JobText {
    state: Arc<JobState>,
    shared: Arc<Shared>,
    pieces: SyncSender<Vec<u8>>,
}

impl JobText {
    /// Takes the next piece of text, cut anywhere. Waits while earlier text is not being spoken fast enough.
    ///
    /// # Errors
    /// [`JobError::Ended`].
    pub fn push(&self, text: impl AsRef<[u8]>) -> std::result::Result<(), JobError> {
        for piece in text.as_ref().chunks(PIECE_BYTES) {
            self.begin()?;
            self.pieces.send(piece.to_vec()).map_err(|_| JobError::Ended)?;
        }
        Ok(())
    }

    /// As [`JobText::push`] for at most 1,024 bytes, without waiting.
    ///
    /// # Errors
    /// [`JobError::Full`]: nothing was taken, try again later. [`JobError::Ended`].
    pub fn try_push(&self, piece: &[u8]) -> std::result::Result<(), JobError> {
        if piece.len() > PIECE_BYTES {
            return Err(JobError::Full);
        }
        self.begin()?;
        self.pieces.try_send(piece.to_vec()).map_err(|error| match error {
            TrySendError::Full(_) => JobError::Full,
            TrySendError::Disconnected(_) => JobError::Ended,
        })
    }

    fn begin(&self) -> std::result::Result<(), JobError> {
        if self.shared.is_cancelled(&self.state) {
            return Err(JobError::Ended);
        }
        self.state.first_text.get_or_init(Instant::now);
        Ok(())
    }
}

/// A text on its way to the ear. Dropped before its text has ended, it is cancelled; dropped after, it is spoken to its
/// end.
pub struct Job {
    state: Arc<JobState>,
    shared: Arc<Shared>,
    text: Option<JobText>,
    report: Receiver<Result<Report>>,
}

impl Job {
    pub(super) fn new(
        state: Arc<JobState>,
        shared: Arc<Shared>,
        pieces: SyncSender<Vec<u8>>,
        report: Receiver<Result<Report>>,
    ) -> Self {
        let text = Some(JobText { state: state.clone(), shared: shared.clone(), pieces });
        Self { state, shared, text, report }
    }

    /// Its number.
    pub fn id(&self) -> JobId {
        self.state.id
    }

    /// As [`JobText::push`].
    ///
    /// # Errors
    /// [`JobError::Ended`], also when the text was finished or taken.
    pub fn push(&self, text: impl AsRef<[u8]>) -> std::result::Result<(), JobError> {
        self.text.as_ref().ok_or(JobError::Ended)?.push(text)
    }

    /// Takes the end that text is pushed into, for another thread. `None` if that was done, or the text has ended.
    pub fn take_text(&mut self) -> Option<JobText> {
        self.text.take()
    }

    /// Says that the text has ended.
    pub fn finish(&mut self) {
        self.text = None;
    }

    /// Ends it now: what is in the sink fades out within its period and 5 ms.
    pub fn cancel(&self) {
        self.shared.cancel(&self.state);
    }

    /// Changes the speaking rate of what has not been chunked yet; 0.5 to 2, values beyond are limited, NaN is
    /// ignored.
    pub fn set_rate(&self, rate: f32) {
        if !rate.is_nan() {
            self.state.rate.store(rate.clamp(0.5, 2.0).to_bits(), Ordering::Relaxed);
        }
    }

    /// Changes the pitch of what has not been chunked yet; −12 to 12, values beyond are limited, NaN is
    /// ignored.
    pub fn set_pitch_semitones(&self, pitch_semitones: f32) {
        if !pitch_semitones.is_nan() {
            let bits = pitch_semitones.clamp(-12.0, 12.0).to_bits();
            self.state.pitch_semitones.store(bits, Ordering::Relaxed);
        }
    }

    /// The report, if all has been heard or the job was cancelled; the outer `None` says: not yet. Never waits.
    ///
    /// # Errors
    /// The models or the sink failed.
    pub fn try_report(&self) -> Option<Result<Report>> {
        match self.report.try_recv() {
            Ok(report) => Some(report),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(JobError::Ended.into())),
        }
    }

    /// Waits until it has been heard to its end, or was cancelled. Ends the text unless it was taken.
    ///
    /// # Errors
    /// The models or the sink failed.
    pub fn wait(mut self) -> Result<Report> {
        self.finish();
        match self.report.recv() {
            Ok(report) => report,
            Err(_) => Err(JobError::Ended.into()),
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.text.is_some() {
            self.cancel();
        }
    }
}
