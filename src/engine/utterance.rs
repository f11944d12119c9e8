//! One utterance on the caller's thread: pieces of text in, windows of samples out.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::event::{Event, Listener, tell_omissions, tell_refusals};
use super::phrase::PhraseMaker;
use super::stats::{BusyClock, Meter};
use super::windows::Windows;
use super::{Models, Phrase, SpeakConfig, Stats};
use crate::Result;
use crate::compute::Compute;
use crate::text::{Chunker, ChunkerConfig, Pace};

/// Speech in the making. Computes on the caller's thread, inside the calls. Nobody waits for its sound in real time, so it
/// is cut at the ends of sentences and clauses only, and depends on nothing but text, settings and voice;
/// [`Engine`](super::Engine) is for speech that must begin before its sentence is known.
pub struct Utterance {
    config: SpeakConfig,
    pace: Pace,
    chunker: Chunker,
    maker: PhraseMaker,
    windows: Windows,
    is_stopped: bool,
    has_begun: bool,
    meter: Meter,
    busy: BusyClock,
    models: Arc<Models>,
    compute: Compute,
    sample_rate_hz: u32,
}

impl Utterance {
    pub(super) fn new(models: &Arc<Models>, config: SpeakConfig, pace: Pace) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            chunker: Chunker::new(ChunkerConfig::of(models.pronouncer.language())),
            maker: PhraseMaker::new(models.clone(), config.directions.clone()),
            windows: Windows::new(models, &config)?,
            is_stopped: false,
            has_begun: false,
            meter: Meter::default(),
            busy: BusyClock::default(),
            models: models.clone(),
            compute: Compute::of(models.vocoder.device()),
            sample_rate_hz: models.meta.sample_rate_hz,
            config,
            pace,
        })
    }

    /// Takes the next piece of text, cut anywhere, and speaks as much as is certain. After the listener has ended the
    /// utterance, nothing more is spoken.
    ///
    /// # Errors
    /// The models fail; what was handed out before stays spoken.
    pub fn push(&mut self, text: impl AsRef<[u8]>, listener: &mut Listener<'_>) -> Result<()> {
        let text = text.as_ref();
        if text.is_empty() || self.is_stopped {
            return Ok(());
        }
        self.meter.start();
        let mut rest = text;
        while !rest.is_empty() && !self.is_stopped {
            rest = &rest[self.chunker.push(rest)?..];
            self.speak(listener)?;
        }
        Ok(())
    }

    /// Speaks what is left: the text has ended.
    ///
    /// # Errors
    /// As [`Utterance::push`].
    pub fn finish(&mut self, listener: &mut Listener<'_>) -> Result<()> {
        self.chunker.finish();
        self.speak(listener)?;
        if self.is_stopped {
            return Ok(());
        }
        let marks = self.maker.finish();
        self.stop_on(marks.into_iter().try_for_each(|mark| listener(Event::Mark(mark))));
        let samples = self.busy.during(|| self.windows.flush())?;
        self.hand_out(&samples, listener);
        Ok(())
    }

    /// Whether the listener has ended it.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    fn speak(&mut self, listener: &mut Listener<'_>) -> Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.stop_on(tell_refusals(&self.config.directions, &self.models.meta, listener));
        }
        while !self.is_stopped {
            let mut phrases = Vec::new();
            let chunk = self.busy.during(|| -> Result<_> {
                let Some(chunk) = self.chunker.next_chunk(self.pace) else { return Ok(None) };
                self.maker.make(&chunk, &self.config, &mut |phrase| phrases.push(phrase))?;
                Ok(Some(chunk))
            })?;
            let Some(chunk) = chunk else { return Ok(()) };
            self.stop_on(tell_omissions(&chunk, &self.config.directions, listener));
            for phrase in &phrases {
                self.speak_phrase(phrase, listener)?;
            }
        }
        Ok(())
    }

    fn speak_phrase(&mut self, phrase: &Phrase, listener: &mut Listener<'_>) -> Result<()> {
        if self.is_stopped {
            return Ok(());
        }
        self.meter.phrases += 1;
        self.busy.during(|| self.windows.push(phrase))?;
        self.stop_on(phrase.tell(listener));
        while !self.is_stopped {
            let Some(samples) = self.busy.during(|| self.windows.step())? else { break };
            self.hand_out(&samples, listener);
        }
        Ok(())
    }

    fn hand_out(&mut self, samples: &[f32], listener: &mut Listener<'_>) {
        self.meter.add_samples(samples.len());
        if !samples.is_empty() {
            self.stop_on(listener(Event::Samples(samples)));
        }
    }

    fn stop_on(&mut self, flow: ControlFlow<()>) {
        self.is_stopped |= flow.is_break();
    }

    /// What it has cost so far.
    pub fn stats(&self) -> Stats {
        self.meter.stats(self.busy.total(), &self.models.meta.name, self.compute, self.sample_rate_hz)
    }
}
