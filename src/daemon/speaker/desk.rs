//! The state that all handles of the loudspeaker and its thread share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

use super::event::{CancelReason, Mailbox, Spoken, Told, Verdict};
use super::utterance::{Say, Text, Utterance};
use super::{Scope, SpeakerError, SpeakerStatus, Tally};
use crate::audio::Control;
use crate::daemon::limits::Limits;
use crate::daemon::metrics::Metrics;
use crate::daemon::queue::{ClientNumber, JobNumber, Place, Queue};
use crate::engine::{Job, JobText, WordMark};

/// How long the thread sleeps at most.
const IDLE_WAIT: Duration = Duration::from_millis(500);

/// What is being spoken.
pub(super) struct Current {
    pub place: Place,
    pub utterance: Utterance,
    /// None until the engine has begun.
    pub job: Option<Job>,
    pub input: Option<JobText>,
    /// Why it is to end before its end.
    pub cancelled: Option<CancelReason>,
}

impl Current {
    fn cancel(&mut self, reason: &CancelReason) {
        if self.cancelled.is_none() {
            self.cancelled = Some(reason.clone());
            if let Some(job) = &self.job {
                job.cancel();
            }
        }
    }
}

pub(super) struct State {
    pub current: Option<Current>,
    pub limits: Limits,
    pub tally: Tally,
    pub control: Option<Control>,
    queue: Queue<Utterance>,
    /// Set by a client since the loudspeaker was opened.
    volume_db: Option<f32>,
    is_paused: bool,
    is_closing: bool,
    clients: ClientNumber,
    jobs: JobNumber,
}

pub(super) struct Desk {
    state: Mutex<State>,
    wake: Condvar,
    pub metrics: Arc<Metrics>,
    started: Instant,
    /// When the thread last got on, in milliseconds after the start.
    beat_ms: AtomicU64,
}

impl Desk {
    pub fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        let state = State {
            current: None,
            limits,
            tally: Tally::default(),
            control: None,
            queue: Queue::default(),
            volume_db: None,
            is_paused: false,
            is_closing: false,
            clients: 0,
            jobs: 0,
        };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            metrics,
            started: Instant::now(),
            beat_ms: AtomicU64::new(0),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wake(&self) {
        self.wake.notify_all();
    }

    /// Waits for a moment, or until something may have changed.
    pub fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.wake.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    pub fn beat(&self) {
        let now_ms = self.started.elapsed().as_millis().min(u128::from(u64::MAX)) as u64;
        self.beat_ms.store(now_ms, Ordering::Relaxed);
    }

    pub fn stalled_for(&self) -> Duration {
        let beat = Duration::from_millis(self.beat_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(beat)
    }

    pub fn enter(&self) -> (ClientNumber, Arc<Mailbox>, Receiver<Told>) {
        let mut state = self.lock();
        state.clients += 1;
        let (mailbox, events) = Mailbox::new(state.limits.client_events);
        (state.clients, mailbox, events)
    }

    pub fn say(
        &self,
        client: ClientNumber,
        mailbox: &Arc<Mailbox>,
        say: Say,
    ) -> Result<JobNumber, SpeakerError> {
        self.take(client, mailbox, say).inspect_err(|_| self.metrics.refused())
    }

    fn take(
        &self,
        client: ClientNumber,
        mailbox: &Arc<Mailbox>,
        say: Say,
    ) -> Result<JobNumber, SpeakerError> {
        let Say { text, is_whole, voice, mut speech, priority, is_urgent, ends_with_client, tells_phones } =
            say;
        speech.validate()?;
        let mut state = self.lock();
        let limits = &state.limits;
        if state.is_closing {
            return Err(SpeakerError::ShuttingDown);
        }
        if state.queue.len() >= limits.queued_jobs {
            return Err(SpeakerError::QueueFull { most: limits.queued_jobs });
        }
        if state.queue.len_of(client) >= limits.queued_jobs_per_client {
            return Err(SpeakerError::ClientQueueFull { most: limits.queued_jobs_per_client });
        }
        speech.volume_db = speech.volume_db.min(limits.most_volume_db);
        let text_bytes = text.len();
        let text_chars = text.chars().count() as u64;
        let text = Text::new(text, is_whole, limits.text_bytes)?;
        let job = state.jobs + 1;
        let verdict = Verdict::promise(job, mailbox)?;
        state.jobs = job;
        state.tally.accepted += 1;
        state.tally.text_bytes += text_bytes as u64;
        let place = Place { job, client, priority, is_urgent };
        let utterance = Utterance { voice, speech, ends_with_client, tells_phones, text, verdict };
        state.queue.push(place, utterance);
        self.metrics.characters(text_chars);
        self.metrics.queue_length(state.queue.len() as u64);
        if is_urgent
            && let Some(current) = &mut state.current
            && current.place.priority <= priority
        {
            current.cancel(&CancelReason::Interrupted);
        }
        drop(state);
        self.wake();
        Ok(job)
    }

    pub fn append(&self, client: ClientNumber, job: JobNumber, text: &str) -> Result<(), SpeakerError> {
        let mut state = self.lock();
        let most_bytes = state.limits.text_bytes;
        state.text_of(client, job)?.append(text, most_bytes)?;
        state.tally.text_bytes += text.len() as u64;
        self.metrics.characters(text.chars().count() as u64);
        drop(state);
        self.wake();
        Ok(())
    }

    pub fn finish(&self, client: ClientNumber, job: JobNumber) -> Result<(), SpeakerError> {
        self.lock().text_of(client, job)?.finish();
        self.wake();
        Ok(())
    }

    pub fn stop(&self, scope: Scope, reason: &CancelReason) -> usize {
        let mut state = self.lock();
        let is_meant = |place: &Place| match scope {
            Scope::Job(job) => place.job == job,
            Scope::Client(client) => place.client == client,
            Scope::All => true,
        };
        let count = self.cancel_where(&mut state, reason, |place, _| is_meant(place));
        if scope == Scope::All {
            state.set_paused(false);
        }
        drop(state);
        self.wake();
        count
    }

    pub fn stop_own(&self, client: ClientNumber, job: Option<JobNumber>) -> usize {
        let is_meant =
            |place: &Place, _: &Utterance| place.client == client && job.is_none_or(|job| job == place.job);
        let count = self.cancel_where(&mut self.lock(), &CancelReason::Stopped, is_meant);
        self.wake();
        count
    }

    fn cancel_where(
        &self,
        state: &mut State,
        reason: &CancelReason,
        is_meant: impl Fn(&Place, &Utterance) -> bool,
    ) -> usize {
        let waiting = state.queue.len();
        let count = state.cancel_where(reason, is_meant);
        // What was spoken is counted when its end is reported.
        (state.queue.len()..waiting).for_each(|_| self.metrics.cancelled());
        self.metrics.queue_length(state.queue.len() as u64);
        count
    }

    pub fn skip(&self) -> Option<JobNumber> {
        let mut state = self.lock();
        let current = state.current.as_mut().filter(|current| current.cancelled.is_none())?;
        current.cancel(&CancelReason::Skipped);
        let job = current.place.job;
        drop(state);
        self.wake();
        Some(job)
    }

    pub fn set_paused(&self, is_paused: bool) {
        self.lock().set_paused(is_paused);
        self.wake();
    }

    pub fn leave(&self, client: ClientNumber) {
        let mut state = self.lock();
        let is_meant = |place: &Place, utterance: &Utterance| {
            place.client == client && (utterance.ends_with_client || !utterance.text.is_whole())
        };
        self.cancel_where(&mut state, &CancelReason::ClientGone, is_meant);
        state.queue.forget(client);
        drop(state);
        self.wake();
    }

    pub fn set_limits(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    pub fn set_volume_db(&self, volume_db: f32) {
        let mut state = self.lock();
        state.volume_db = Some(volume_db);
        if let Some(control) = &state.control {
            control.set_volume_db(volume_db);
        }
    }

    pub fn status(&self) -> SpeakerStatus {
        let state = self.lock();
        SpeakerStatus {
            speaking: state.current.as_ref().map(|current| current.place.job),
            is_paused: state.is_paused,
            queued_jobs: state.queue.len(),
            buffered_ms: state.control.as_ref().and_then(Control::buffered_ms).unwrap_or(0),
            tally: state.tally,
        }
    }

    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closing = true;
        self.cancel_where(&mut state, &CancelReason::ShuttingDown, |_, _| true);
        state.set_paused(false);
        drop(state);
        self.wake();
    }

    /// The next utterance becomes the current one. `None` when the loudspeaker closes.
    pub fn next(&self) -> Option<Turn> {
        let mut state = self.lock();
        loop {
            self.beat();
            if state.is_closing {
                return None;
            }
            state.end_pauses();
            if !state.is_paused
                && let Some((place, utterance)) = state.queue.take_next(Utterance::is_ready)
            {
                let turn = Turn { place, voice: utterance.voice.clone(), speech: utterance.speech.clone() };
                let current = Current { place, utterance, job: None, input: None, cancelled: None };
                state.current = Some(current);
                self.metrics.queue_length(state.queue.len() as u64);
                return Some(turn);
            }
            state = self.wait(state, IDLE_WAIT);
        }
    }

    /// The loudspeaker was opened.
    pub fn set_control(&self, control: Control) {
        let mut state = self.lock();
        if let Some(volume_db) = state.volume_db {
            control.set_volume_db(volume_db);
        }
        if state.is_paused {
            control.pause();
        }
        state.control = Some(control);
    }

    /// The current utterance is over, for better or worse.
    pub fn end(&self, outcome: Outcome) {
        let mut state = self.lock();
        let Some(current) = state.current.take() else { return };
        let verdict = current.utterance.verdict;
        match outcome {
            Outcome::Spoken(spoken) => {
                state.tally.add(&spoken);
                state.tally.spoken += 1;
                drop(state);
                verdict.end(spoken);
            }
            Outcome::Cancelled { last_word, spoken } => {
                state.tally.add(&spoken);
                state.tally.cancelled += 1;
                drop(state);
                verdict.cancel(current.cancelled.unwrap_or(CancelReason::Stopped), last_word);
            }
            Outcome::Failed(reason) => {
                state.tally.cancelled += 1;
                state.tally.failed += 1;
                drop(state);
                verdict.cancel(reason, None);
            }
        }
    }
}

/// An utterance whose turn has come.
pub(super) struct Turn {
    pub place: Place,
    pub voice: Option<String>,
    pub speech: crate::engine::SpeakConfig,
}

/// How an utterance ended.
pub(super) enum Outcome {
    Spoken(Spoken),
    Cancelled { last_word: Option<WordMark>, spoken: Spoken },
    Failed(CancelReason),
}

impl State {
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        if let Some(control) = &self.control {
            if is_paused { control.pause() } else { control.resume() }
        }
    }

    fn text_of(&mut self, client: ClientNumber, job: JobNumber) -> Result<&mut Text, SpeakerError> {
        let is_it = |place: &Place| place.job == job && place.client == client;
        if let Some(current) = self.current.as_mut().filter(|c| is_it(&c.place) && c.cancelled.is_none()) {
            return Ok(&mut current.utterance.text);
        }
        let waiting = self.queue.get_mut(job).filter(|(place, _)| is_it(place));
        waiting.map(|(_, utterance)| &mut utterance.text).ok_or(SpeakerError::UnknownJob { job })
    }

    fn cancel_where(
        &mut self,
        reason: &CancelReason,
        is_meant: impl Fn(&Place, &Utterance) -> bool,
    ) -> usize {
        let removed = self.queue.remove(&is_meant);
        let mut count = removed.len();
        self.tally.cancelled += count as u64;
        for (_, utterance) in removed {
            utterance.cancel(reason.clone());
        }
        if let Some(current) = &mut self.current
            && current.cancelled.is_none()
            && is_meant(&current.place, &current.utterance)
        {
            current.cancel(reason);
            count += 1;
        }
        count
    }

    /// Takes as finished what nothing comes of any more.
    pub fn end_pauses(&mut self) {
        let most = Duration::from_millis(self.limits.text_pause_ms.into());
        let waiting = self.queue.iter_mut().map(|(_, utterance)| utterance);
        let current = self.current.iter_mut().map(|current| &mut current.utterance);
        for utterance in waiting.chain(current) {
            if !utterance.text.is_whole() && utterance.text.last_came().elapsed() >= most {
                utterance.text.finish();
            }
        }
    }
}

impl Tally {
    fn add(&mut self, spoken: &Spoken) {
        self.audio_ms += spoken.audio_ms;
        self.underruns += spoken.underruns;
        self.last_first_audio_ms = spoken.first_audio_ms.or(self.last_first_audio_ms);
        self.last_rtf = spoken.rtf.or(self.last_rtf);
    }
}
