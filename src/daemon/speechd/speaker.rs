//! The thread that has messages spoken, and the handle by which they are stopped.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::output::Output;
use super::track::{Piece, Track};
use crate::daemon::ssml::MarkedText;
use crate::engine::{Engine, EngineConfig, Event, JobListener, Pacing, SpeakConfig, Stopper, Synthesizer};
use crate::{Error, Result};

/// A text to be spoken.
pub struct Message {
    pub text: MarkedText,
    pub config: SpeakConfig,
    pub synthesizer: Synthesizer,
}

/// What both threads know. Messages are numbered from 1.
#[derive(Default)]
struct Shared {
    /// The message that is being spoken; 0 if none is.
    current: AtomicU64,
    stopped_up_to: AtomicU64,
    paused_up_to: AtomicU64,
    stopper: Mutex<Option<Stopper>>,
}

impl Shared {
    fn is_stopped(&self, message: u64) -> bool {
        message <= self.stopped_up_to.load(Ordering::Acquire)
    }

    fn is_paused(&self, message: u64) -> bool {
        message <= self.paused_up_to.load(Ordering::Acquire)
    }

    fn set_stopper(&self, stopper: Option<Stopper>) {
        *self.stopper.lock().unwrap_or_else(PoisonError::into_inner) = stopper;
    }
}

/// Speaks one message at a time. Dropped, it stops and waits for its thread.
pub struct Speaker {
    shared: Arc<Shared>,
    messages: Option<SyncSender<(u64, Message)>>,
    last: u64,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub fn start(output: Output) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (messages, inbox) = sync_channel(1);
        let run = {
            let shared = shared.clone();
            move || run(&shared, &inbox, &output)
        };
        let thread = std::thread::Builder::new()
            .name("fastglow-speechd".into())
            .spawn(run)
            .map_err(|source| Error::Thread { source })?;
        Ok(Self { shared, messages: Some(messages), last: 0, thread: Some(thread) })
    }

    /// Whether a message is being spoken.
    pub fn is_busy(&self) -> bool {
        self.shared.current.load(Ordering::Acquire) != 0
    }

    /// Speaks a message. To be called when it is not busy.
    pub fn speak(&mut self, message: Message) {
        self.last += 1;
        self.shared.current.store(self.last, Ordering::Release);
        if let Some(messages) = &self.messages {
            // The thread is there as long as this.
            let _ = messages.send((self.last, message));
        }
    }

    /// Stops at once what is being spoken.
    pub fn stop(&self) {
        self.shared.stopped_up_to.fetch_max(self.shared.current.load(Ordering::Acquire), Ordering::AcqRel);
        if let Some(stopper) = &*self.shared.stopper.lock().unwrap_or_else(PoisonError::into_inner) {
            stopper.stop();
        }
    }

    /// Stops what is being spoken at its next mark, from which it can be spoken again.
    pub fn pause(&self) {
        self.shared.paused_up_to.fetch_max(self.shared.current.load(Ordering::Acquire), Ordering::AcqRel);
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.messages = None;
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Arc<Shared>, inbox: &Receiver<(u64, Message)>, output: &Output) {
    for (number, message) in inbox {
        let ending = match speak(shared, number, message, output) {
            Ok(ending) => ending,
            Err(error) => {
                tracing::error!(%error, "the speech failed");
                "703 STOP"
            }
        };
        shared.set_stopper(None);
        // Before it is told: the next message may come at once.
        shared.current.store(0, Ordering::Release);
        if output.say(ending).is_err() {
            return;
        }
    }
}

/// Speaks a message; what happened in the end, in the words of the protocol.
fn speak(shared: &Arc<Shared>, number: u64, message: Message, output: &Output) -> Result<&'static str> {
    if output.say("701 BEGIN").is_err() || shared.is_stopped(number) {
        return Ok("703 STOP");
    }
    let Message { text: MarkedText { text, marks }, config, synthesizer } = message;
    let is_paused = Arc::new(AtomicBool::new(false));
    let mut talk = Talk {
        shared: shared.clone(),
        number,
        output: output.clone(),
        track: Track::new(marks),
        rate_hz: synthesizer.sample_rate_hz(),
        is_paused: is_paused.clone(),
    };
    let engine = Engine::start(&synthesizer, None, EngineConfig::default())?;
    shared.set_stopper(Some(engine.stopper()));
    let listener: JobListener = Box::new(move |_, event| talk.hear(&event));
    let job = engine.begin(config, Pacing::Unhurried, listener)?;
    // Refused only if it was stopped, which the report says too.
    let _ = job.push(text);
    let report = job.wait()?;
    Ok(match (is_paused.load(Ordering::Acquire), report.is_cancelled) {
        (true, _) => "704 PAUSE",
        (false, true) => "703 STOP",
        (false, false) => "702 END",
    })
}

/// A message on its way out; runs on the engine's thread.
struct Talk {
    shared: Arc<Shared>,
    number: u64,
    output: Output,
    track: Track,
    rate_hz: u32,
    is_paused: Arc<AtomicBool>,
}

impl Talk {
    fn hear(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        if self.shared.is_stopped(self.number) {
            return ControlFlow::Break(());
        }
        match event {
            Event::Word(word) => self.track.word(word),
            Event::Samples(samples) => self.pass(samples)?,
            Event::End(report) if !report.is_cancelled => {
                while let Some(name) = self.track.rest() {
                    self.mark(&name)?;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pass(&mut self, mut samples: &[f32]) -> ControlFlow<()> {
        while let Some(piece) = self.track.next(samples) {
            match piece {
                Piece::Mark(name) => self.mark(&name)?,
                Piece::Samples(now) => {
                    let is_wanted = || !self.shared.is_stopped(self.number);
                    // Nobody reads any more: the end of the input will tell.
                    if self.output.samples(now, self.rate_hz, is_wanted).is_err() || !is_wanted() {
                        return ControlFlow::Break(());
                    }
                    samples = &samples[now.len()..];
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn mark(&self, name: &str) -> ControlFlow<()> {
        if self.output.mark(name).is_err() {
            return ControlFlow::Break(());
        }
        if self.shared.is_paused(self.number) {
            self.is_paused.store(true, Ordering::Release);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
