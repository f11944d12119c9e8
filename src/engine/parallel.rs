//! The engine: two threads that make speech while its text is still coming, and the handle that owns them.
//!
//! ```text
//!  Job::push ──▶ acoustic thread ──▶ vocoder thread ──▶ sink, listener
//!     text       chunks, phrases      windows, events
//! ```
//!
//! While the vocoder speaks a phrase, the acoustic thread makes the next one. All channels are bounded: when nobody takes
//! the samples, `push` waits. Jobs are spoken one after another, in the order in which they were begun.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use super::acoustic_thread::{self, NewJob};
use super::job::{Job, JobError, JobId, JobState, Pacing};
use super::vocoder_thread::{self, VocoderThread};
use super::{Event, SpeakConfig, Synthesizer};
use crate::audio::{AudioError, Control, Played, Sink};
use crate::{Error, Result};

/// Limits of an engine's queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineConfig {
    /// Jobs that may wait for their turn; at least 1.
    pub queued_jobs: usize,
    /// Pieces of a job's text, of at most 1,024 bytes each, that may wait to be read; at least 1.
    pub queued_pieces: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { queued_jobs: 16, queued_pieces: 16 }
    }
}

/// Opens a sink on the thread that will write to it.
pub type OpenSink = Box<dyn FnOnce() -> std::result::Result<Box<dyn Sink>, AudioError> + Send>;

/// The callback of a job, run on the vocoder thread: what to do with an event, and whether to go on. While it waits,
/// nothing is made.
pub type JobListener = Box<dyn FnMut(JobId, Event<'_>) -> ControlFlow<()> + Send>;

/// What both threads and all handles know.
#[derive(Default)]
pub(super) struct Shared {
    jobs: AtomicU64,
    /// Jobs up to this number are cancelled.
    stopped_up_to: AtomicU64,
    /// The sink's control, once it is open; none without a sink.
    control: OnceLock<Control>,
    /// Whether the sink is to be finished when all is over. Otherwise it is dropped: a file that is not complete vanishes.
    is_closing: AtomicBool,
    /// The job whose samples are in the sink, so that no other one's are thrown away. Held only for an instant, and never
    /// by the audio thread.
    in_sink: Mutex<Option<Arc<JobState>>>,
}

impl Shared {
    pub fn cancel(&self, job: &Arc<JobState>) {
        job.cancel();
        let in_sink = self.in_sink.lock().unwrap_or_else(PoisonError::into_inner);
        if in_sink.as_ref().is_some_and(|current| current.id == job.id) {
            self.stop_sink();
        }
    }

    fn stop_sink(&self) {
        if let Some(control) = self.control.get() {
            control.stop();
        }
    }

    pub fn is_cancelled(&self, job: &JobState) -> bool {
        job.is_cancelled() || job.id <= self.stopped_up_to.load(Ordering::Acquire)
    }

    /// The sink belongs to this job from now on.
    pub fn enter_sink(&self, job: &Arc<JobState>) {
        *self.in_sink.lock().unwrap_or_else(PoisonError::into_inner) = Some(job.clone());
    }

    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    pub fn open(&self, control: Control) {
        let _ = self.control.set(control);
    }

    /// How much has been played, if the sink plays in real time.
    pub fn played_samples(&self) -> Option<u64> {
        let control = self.control.get()?;
        control.buffered_samples().map(|_| control.played_samples())
    }
}

/// Speech in the making, on threads of its own. Dropped, it stops at once, waits for its threads and leaves no file
/// behind; [`Engine::close`] lets jobs and sink finish first.
pub struct Engine {
    shared: Arc<Shared>,
    config: EngineConfig,
    sample_rate_hz: u32,
    jobs: Option<SyncSender<NewJob>>,
    acoustic: Option<JoinHandle<()>>,
    vocoder: Option<JoinHandle<Result<Played>>>,
}

impl Engine {
    /// Starts the threads. With a sink, samples go there, and a job is over when it has been heard; without one they go
    /// to the job's listener alone.
    ///
    /// # Errors
    /// The sink cannot be opened, or the system gives no threads.
    pub fn start(synthesizer: &Synthesizer, sink: Option<OpenSink>, config: EngineConfig) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (jobs, new_jobs) = mpsc::sync_channel(config.queued_jobs.max(1));
        // One phrase waits while another is spoken; a third would be chunked earlier than it need be.
        let (phrases, messages) = mpsc::sync_channel(1);
        let (opened, is_open) = mpsc::sync_channel(1);
        let thread = VocoderThread { models: synthesizer.models.clone(), shared: shared.clone(), messages };
        let vocoder = spawn("fastglow-vocoder", move || vocoder_thread::run(thread, sink, opened))?;
        let models = synthesizer.models.clone();
        let acoustic_shared = shared.clone();
        let acoustic = spawn("fastglow-acoustic", move || {
            acoustic_thread::run(&models, &acoustic_shared, &new_jobs, &phrases);
        })?;
        let engine = Self {
            shared,
            config,
            sample_rate_hz: synthesizer.sample_rate_hz(),
            jobs: Some(jobs),
            acoustic: Some(acoustic),
            vocoder: Some(vocoder),
        };
        match is_open.recv() {
            Ok(result) => result.map(|()| engine).map_err(Error::from),
            Err(_) => Err(JobError::Ended.into()),
        }
    }

    /// Queues a job. Its turn comes when the ones before it have been heard.
    ///
    /// # Errors
    /// A setting is out of range, or too many jobs wait.
    pub fn begin(&self, config: SpeakConfig, pacing: Pacing, listener: JobListener) -> Result<Job> {
        config.validate()?;
        let jobs = self.jobs.as_ref().ok_or(JobError::Ended)?;
        let id = self.shared.jobs.fetch_add(1, Ordering::AcqRel) + 1;
        let state = Arc::new(JobState::new(id, &config, pacing, self.sample_rate_hz));
        let (text, pieces) = mpsc::sync_channel(self.config.queued_pieces.max(1));
        let (done, report) = mpsc::sync_channel(1);
        let job = NewJob { state: state.clone(), config, pieces, listener, done };
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => JobError::Full,
            TrySendError::Disconnected(_) => JobError::Ended,
        })?;
        Ok(Job::new(state, self.shared.clone(), text, report))
    }

    /// Of the samples it makes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Ends all jobs begun so far, at once.
    pub fn stop(&self) {
        self.stopper().stop();
    }

    /// A handle that only stops; for signal handlers and other threads.
    pub fn stopper(&self) -> Stopper {
        Stopper { shared: self.shared.clone() }
    }

    /// The sink's control: pause, volume, what has been played. `None` without a sink.
    pub fn control(&self) -> Option<&Control> {
        self.shared.control.get()
    }

    /// Whether both threads live. They end early only by a bug.
    pub fn is_running(&self) -> bool {
        fn lives<T>(thread: &Option<JoinHandle<T>>) -> bool {
            thread.as_ref().is_some_and(|thread| !thread.is_finished())
        }
        lives(&self.acoustic) && lives(&self.vocoder)
    }

    /// Lets all jobs finish, then the sink.
    ///
    /// # Errors
    /// The sink cannot be finished: its device is gone, its disk is full.
    pub fn close(mut self) -> Result<Played> {
        self.shared.is_closing.store(true, Ordering::Release);
        self.jobs = None;
        self.join()
    }

    fn join(&mut self) -> Result<Played> {
        if let Some(thread) = self.acoustic.take() {
            // A panic there ends the vocoder thread too, which reports.
            let _ = thread.join();
        }
        match self.vocoder.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(JobError::Ended.into()),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.vocoder.is_some() {
            self.jobs = None;
            self.stop();
            let _ = self.join();
        }
    }
}

/// Stops an engine's jobs.
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

impl Stopper {
    /// Ends all jobs begun so far, at once.
    pub fn stop(&self) {
        let begun = self.shared.jobs.load(Ordering::Acquire);
        self.shared.stopped_up_to.fetch_max(begun, Ordering::AcqRel);
        let in_sink = self.shared.in_sink.lock().unwrap_or_else(PoisonError::into_inner);
        if in_sink.as_ref().is_some_and(|job| job.id <= begun) {
            self.shared.stop_sink();
        }
    }
}

fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(|source| Error::Thread { source })
}
