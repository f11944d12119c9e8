//! The second of the engine's threads: phrases to windows of samples, into the sink and to the listener.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use super::acoustic_thread::{Begin, Message};
use super::event::{tell_omissions, tell_refusals};
use super::job::{JobState, Report};
use super::parallel::{JobListener, OpenSink, Shared};
use super::stats::Meter;
use super::windows::Windows;
use super::{Event, Models, Phrase, WordMark};
use crate::audio::{AudioError, Played, Sink};
use crate::compute::Compute;
use crate::markup::Directions;
use crate::{Error, Result};

/// How often the thread looks whether a job has been heard to its end.
const LISTEN_EVERY: Duration = Duration::from_millis(5);

/// Where samples go beside the listener.
type Output = Option<Box<dyn Sink>>;

/// What the thread works with.
pub(super) struct VocoderThread {
    pub models: Arc<Models>,
    pub shared: Arc<Shared>,
    pub messages: Receiver<Message>,
}

/// Works until the acoustic thread has ended, then finishes the sink if the engine is closed and not just dropped.
pub(super) fn run(
    thread: VocoderThread,
    open: Option<OpenSink>,
    opened: SyncSender<std::result::Result<(), AudioError>>,
) -> Result<Played> {
    let mut sink = match open.map(|open| open()).transpose() {
        Ok(sink) => sink,
        Err(error) => {
            // The engine's own start waits for this.
            let _ = opened.send(Err(error));
            return Ok(Played::default());
        }
    };
    if let Some(sink) = &sink {
        thread.shared.open(sink.control());
    }
    let _ = opened.send(Ok(()));
    let mut speaking: Option<Speaking> = None;
    for message in &thread.messages {
        match message {
            Message::Begin(begin) => speaking = Some(Speaking::new(&thread, *begin)),
            other => {
                let Some(current) = &mut speaking else { continue };
                if let Message::End(result) = other {
                    if let Some(finished) = speaking.take() {
                        finished.end(result, &mut sink);
                    }
                } else {
                    current.take(other, &mut sink);
                }
            }
        }
    }
    match sink {
        Some(sink) if thread.shared.is_closing() => Ok(sink.finish()?),
        _ => Ok(Played::default()),
    }
}

/// A job being spoken.
struct Speaking<'a> {
    thread: &'a VocoderThread,
    state: Arc<JobState>,
    listener: JobListener,
    directions: Arc<Directions>,
    done: SyncSender<Result<Report>>,
    windows: Result<Windows>,
    meter: Meter,
    /// Words handed out of which the end has not been heard, and the last one whose start has.
    unheard: VecDeque<WordMark>,
    last_word: Option<WordMark>,
    underruns_before: u64,
    underruns: u64,
    has_begun: bool,
}

impl<'a> Speaking<'a> {
    fn new(thread: &'a VocoderThread, begin: Begin) -> Self {
        let Begin { state, config, mut listener, done } = begin;
        stop_on(&state, listener(state.id, Event::Begin));
        let mut told = |event: Event<'_>| listener(state.id, event);
        stop_on(&state, tell_refusals(&config.directions, &thread.models.meta, &mut told));
        Self {
            thread,
            listener,
            done,
            windows: Windows::new(&thread.models, &config),
            meter: Meter::default(),
            unheard: VecDeque::new(),
            last_word: None,
            underruns_before: 0,
            underruns: 0,
            has_begun: false,
            directions: config.directions,
            state,
        }
    }

    fn is_cancelled(&self) -> bool {
        self.thread.shared.is_cancelled(&self.state)
    }

    /// Does what a message says, unless the job was cancelled or has failed.
    fn take(&mut self, message: Message, sink: &mut Output) {
        if self.is_cancelled() || self.windows.is_err() {
            return;
        }
        let result = match message {
            Message::Phrase(phrase) => self.speak(&phrase, sink),
            Message::AwaitText => sink.as_mut().map_or(Ok(()), |sink| sink.rest().map_err(Error::from)),
            Message::Omissions(chunk) => {
                let id = self.state.id;
                let flow = tell_omissions(&chunk, &self.directions, &mut |event| (self.listener)(id, event));
                stop_on(&self.state, flow);
                Ok(())
            }
            Message::Marks(marks) => {
                let id = self.state.id;
                let flow = marks.into_iter().try_for_each(|mark| (self.listener)(id, Event::Mark(mark)));
                stop_on(&self.state, flow);
                Ok(())
            }
            Message::Begin(_) | Message::End(_) => Ok(()),
        };
        if let Err(error) = result {
            self.windows = Err(error);
            // What is still pushed need not be made.
            self.state.cancel();
        }
    }

    fn speak(&mut self, phrase: &Phrase, sink: &mut Output) -> Result<()> {
        self.meter.started = self.state.first_text.get().copied();
        self.meter.phrases += 1;
        let Ok(windows) = &mut self.windows else { return Ok(()) };
        self.state.busy.during(|| windows.push(phrase))?;
        let id = self.state.id;
        stop_on(&self.state, phrase.tell(&mut |event| (self.listener)(id, event)));
        self.unheard.extend(phrase.word_marks());
        while !self.is_cancelled() {
            let Ok(windows) = &mut self.windows else { return Ok(()) };
            let Some(samples) = self.state.busy.during(|| windows.step())? else { break };
            self.hand_out(&samples, sink)?;
        }
        Ok(())
    }

    fn hand_out(&mut self, samples: &[f32], sink: &mut Output) -> Result<()> {
        self.meter.add_samples(samples.len());
        if samples.is_empty() {
            return Ok(());
        }
        self.state.add_handed(samples.len());
        let id = self.state.id;
        stop_on(&self.state, (self.listener)(id, Event::Samples(samples)));
        let Some(sink) = sink.as_deref_mut() else { return Ok(()) };
        if !std::mem::replace(&mut self.has_begun, true) {
            self.underruns_before = sink.control().underruns();
            self.state.begin_at(sink.control().progress().written_samples);
            self.thread.shared.enter_sink(&self.state);
        }
        if !self.is_cancelled() {
            sink.write(samples)?;
            if self.is_cancelled() {
                // It may have come between the look and the write.
                sink.control().stop();
            }
        }
        self.listen(sink);
        Ok(())
    }

    /// Keeps up with what has been heard.
    fn listen(&mut self, sink: &dyn Sink) {
        let underruns = sink.control().underruns() - self.underruns_before;
        if underruns > self.underruns {
            self.underruns = underruns;
            let event = Event::Underrun { count: underruns };
            stop_on(&self.state, (self.listener)(self.state.id, event));
        }
        self.hear();
    }

    fn hear(&mut self) {
        let heard = self.state.heard_samples(self.thread.shared.played_samples());
        while self.unheard.front().is_some_and(|word| word.samples.start < heard) {
            self.last_word = self.unheard.pop_front();
        }
    }

    /// The last samples, and the report once all has been heard.
    fn end(mut self, result: Result<()>, sink: &mut Output) {
        let result = match std::mem::replace(&mut self.windows, Err(super::JobError::Ended.into())) {
            Err(error) => Err(error),
            Ok(windows) => result.and_then(|()| self.finish(windows, sink)),
        };
        let result = result.map(|()| {
            self.hear();
            let Models { meta, vocoder, .. } = &*self.thread.models;
            let compute = Compute::of(vocoder.device());
            Report {
                stats: self.meter.stats(self.state.busy.total(), &meta.name, compute, meta.sample_rate_hz),
                first_chunk_ms: self.state.first_chunk_ms(),
                is_cancelled: self.is_cancelled(),
                last_word: self.last_word.clone(),
                underruns: self.underruns,
            }
        });
        if let Ok(report) = &result {
            let _ = (self.listener)(self.state.id, Event::End(report));
        }
        // Nobody need wait for it.
        let _ = self.done.send(result);
    }

    fn finish(&mut self, mut windows: Windows, sink: &mut Output) -> Result<()> {
        if self.is_cancelled() {
            return Ok(());
        }
        let samples = self.state.busy.during(|| windows.flush())?;
        self.hand_out(&samples, sink)?;
        let Some(sink) = sink.as_deref_mut() else { return Ok(()) };
        sink.rest()?;
        while sink.control().buffered_samples().is_some_and(|left| left > 0) && !self.is_cancelled() {
            std::thread::sleep(LISTEN_EVERY);
            self.listen(sink);
        }
        Ok(())
    }
}

/// The listener's word is final.
fn stop_on(state: &JobState, flow: ControlFlow<()>) {
    if flow.is_break() {
        state.cancel();
    }
}
