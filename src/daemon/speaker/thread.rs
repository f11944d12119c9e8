//! The loudspeaker's thread: one utterance after another, from the desk through an engine to the sink.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::desk::{Desk, Outcome, Turn};
use super::event::{CancelReason, Mailbox, SpeakerEvent, Spoken};
use super::outlet::Outlet;
use crate::Result;
use crate::audio::{Control, Progress};
use crate::daemon::metrics::UtteranceMeter;
use crate::daemon::queue::JobNumber;
use crate::daemon::voices::Voices;
use crate::engine::{Engine, EngineConfig, Event, JobError, JobListener, Pacing, Report, Synthesizer};

/// How often it looks what was heard while it speaks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Works until the desk closes.
pub(super) fn run(desk: &Arc<Desk>, voices: &Voices, outlet: Outlet) {
    let mut mouth = Mouth { desk, voices, outlet, engine: None };
    while let Some(turn) = desk.next() {
        let job = turn.place.job;
        let _span = tracing::debug_span!("utterance", job).entered();
        let outcome = mouth.speak(&turn).unwrap_or_else(|error| {
            tracing::warn!(job, %error, "an utterance could not be spoken");
            Outcome::Failed(CancelReason::failed(&error))
        });
        desk.end(outcome);
    }
    drop(mouth.engine);
    mouth.outlet.close();
}

struct Mouth<'a> {
    desk: &'a Arc<Desk>,
    voices: &'a Voices,
    outlet: Outlet,
    /// The engine of the voice that spoke last.
    engine: Option<(Synthesizer, Engine)>,
}

impl Mouth<'_> {
    fn speak(&mut self, turn: &Turn) -> Result<Outcome> {
        let voice = self.voices.get(turn.voice.as_deref())?;
        let control = self.prepare(&voice)?;
        self.outlet.lead_in()?;
        let Some((_, engine)) = &self.engine else { return Err(JobError::Ended.into()) };
        let ear = Arc::new(Ear::default());
        let listener = {
            let state = self.desk.lock();
            let Some(current) = &state.current else { return Err(JobError::Ended.into()) };
            let mailbox = current.utterance.verdict.mailbox();
            let phones = current.utterance.tells_phones;
            listen(self.desk.clone(), ear.clone(), mailbox, (turn.place.job, phones), control.clone())
        };
        {
            let mut state = self.desk.lock();
            let Some(current) = &mut state.current else { return Err(JobError::Ended.into()) };
            let pacing = if current.utterance.text.is_whole() { Pacing::Unhurried } else { Pacing::Live };
            let mut job = engine.begin(turn.speech.clone(), pacing, listener)?;
            current.input = job.take_text();
            if current.cancelled.is_some() {
                // It came while the voice was being loaded.
                job.cancel();
            }
            current.job = Some(job);
        }
        let mut meter = UtteranceMeter::begin(self.desk.metrics.clone(), voice.sample_rate_hz());
        let report = self.follow(&ear, &control);
        meter.samples(ear.heard().samples);
        meter.end(&report);
        self.outlet.note_heard();
        report.map(outcome)
    }

    /// An engine of this voice, on the loudspeaker.
    fn prepare(&mut self, voice: &Synthesizer) -> Result<Control> {
        let is_ready =
            |(speaks, engine): &(Synthesizer, Engine)| speaks.is_same(voice) && engine.is_running();
        if self.engine.as_ref().is_some_and(is_ready)
            && let Some(control) = self.outlet.control()
        {
            return Ok(control.clone());
        }
        // The one before lets go of the loudspeaker first.
        self.engine = None;
        let control = self.outlet.prepare(voice.sample_rate_hz())?;
        self.desk.set_control(control.clone());
        let engine = Engine::start(voice, self.outlet.lend(), EngineConfig::default())?;
        self.engine = Some((voice.clone(), engine));
        Ok(control)
    }

    /// Feeds the text and tells what is heard, until the engine reports.
    fn follow(&self, ear: &Ear, control: &Control) -> Result<Report> {
        let mut before: Option<(Progress, u64)> = None;
        let mut state = self.desk.lock();
        loop {
            state.end_pauses();
            let is_paused = state.is_paused();
            let Some(current) = &mut state.current else { return Err(JobError::Ended.into()) };
            current.utterance.text.feed(&mut current.input);
            let waits_for_text = current.input.is_some() && !current.utterance.text.has_pending();
            let report =
                current.job.as_ref().map_or(Some(Err(JobError::Ended.into())), |job| job.try_report());
            let now = control.progress();
            let is_over = matches!(&report, Some(Ok(report)) if !report.is_cancelled);
            for event in ear.take_heard(now.played_samples, is_over) {
                current.utterance.verdict.tell(event);
            }
            if let Some(report) = report {
                return report;
            }
            let progress = Some((now, ear.heard().events));
            if is_paused || waits_for_text || progress != before {
                self.desk.beat();
            }
            before = progress;
            state = self.desk.wait(state, LOOK_EVERY);
        }
    }
}

/// What the engine has said about an utterance.
#[derive(Default)]
struct Ear(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    /// Where the utterance begins among all samples that the sink was given.
    start_samples: Option<u64>,
    /// Words, phones and marks that were made but not heard yet, and where they begin. As many as the engine is ahead.
    waiting: VecDeque<(u64, SpeakerEvent)>,
    events: u64,
    /// Made so far.
    samples: usize,
}

impl Heard {
    /// Words of a phrase come before its phones and marks, but not all are heard before them.
    fn wait(&mut self, sample: u64, event: SpeakerEvent) {
        let at = self.waiting.partition_point(|(before, _)| *before <= sample);
        self.waiting.insert(at, (sample, event));
    }
}

impl Ear {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Words, phones and marks of which the beginning has been played, or all.
    fn take_heard(&self, played_samples: u64, all: bool) -> Vec<SpeakerEvent> {
        let mut heard = self.heard();
        let Some(start) = heard.start_samples else { return Vec::new() };
        let count = if all {
            heard.waiting.len()
        } else {
            heard.waiting.iter().take_while(|(sample, _)| start + sample < played_samples).count()
        };
        heard.waiting.drain(..count).map(|(_, event)| event).collect()
    }
}

/// Runs on the engine's thread, and never waits.
fn listen(
    desk: Arc<Desk>,
    ear: Arc<Ear>,
    mailbox: Arc<Mailbox>,
    (job, tells_phones): (JobNumber, bool),
    control: Control,
) -> JobListener {
    let sample_rate_hz = control.progress().sample_rate_hz;
    Box::new(move |_, event| {
        let mut heard = ear.heard();
        heard.events += 1;
        match event {
            Event::Begin => mailbox.tell(job, SpeakerEvent::Begin { sample_rate_hz }),
            Event::Word(mark) => heard.wait(mark.samples.start, SpeakerEvent::Word(mark)),
            Event::Phone(mark) if tells_phones => heard.wait(mark.samples.start, SpeakerEvent::Phone(mark)),
            Event::Mark(mark) => heard.wait(mark.sample, SpeakerEvent::Mark(mark)),
            Event::Unspoken(part) => {
                mailbox.tell(job, SpeakerEvent::Unspoken { kind: part.kind, source: part.source });
            }
            Event::Samples(samples) => {
                heard.samples += samples.len();
                heard.start_samples.get_or_insert_with(|| control.progress().written_samples);
            }
            Event::Underrun { count } => mailbox.tell(job, SpeakerEvent::Underrun { count }),
            // The report comes a moment later.
            Event::End(_) => desk.wake(),
            _ => {}
        }
        ControlFlow::Continue(())
    })
}

fn outcome(report: Report) -> Outcome {
    let stats = report.stats;
    let spoken = Spoken {
        audio_ms: (stats.audio_s * 1e3) as u64,
        first_audio_ms: stats.first_audio_ms,
        rtf: stats.rtf,
        underruns: report.underruns,
    };
    if report.is_cancelled {
        Outcome::Cancelled { last_word: report.last_word, spoken }
    } else {
        Outcome::Spoken(spoken)
    }
}
