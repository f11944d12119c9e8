//! An utterance for a client: limited, counted, cancelled when it is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::error::Refusal;
use super::server::App;
use crate::Result as SpeechResult;
use crate::daemon::{SpeechStream, StreamEvent, TextSender, UtteranceMeter};
use crate::engine::{Pacing, Report, SpeakConfig};
use crate::text::Language;

/// Speech being made.
pub(super) struct Utterance {
    stream: SpeechStream,
    meter: UtteranceMeter,
    deadline: Instant,
    limit_ms: u64,
    hop_samples: usize,
    language: Language,
    _permit: OwnedSemaphorePermit,
}

/// Where its text goes.
pub(super) struct UtteranceText {
    sender: TextSender,
    app: Arc<App>,
}

impl UtteranceText {
    /// Takes the next piece; false if nobody wants it any more.
    pub async fn push(&self, text: &str) -> bool {
        self.app.shared.metrics.characters(text.chars().count() as u64);
        self.sender.push(text).await.is_ok()
    }
}

/// What happens to an utterance.
pub(super) enum Progress {
    Event(StreamEvent),
    Ended(SpeechResult<Report>),
}

impl Utterance {
    /// Begins to speak, if the machine may speak one more.
    pub async fn begin(
        app: &Arc<App>,
        voice: Option<String>,
        config: SpeakConfig,
        pacing: Pacing,
    ) -> Result<(UtteranceText, Self), Refusal> {
        config.validate().map_err(Refusal::Setting)?;
        let permit = app.utterances.clone().try_acquire_owned().map_err(|_| {
            app.shared.metrics.refused();
            Refusal::Busy
        })?;
        let voices = app.shared.voices.clone();
        let load = move || {
            let synthesizer = voices.get(voice.as_deref()).map_err(|error| match error.into() {
                Refusal::UnknownVoice { name, .. } => {
                    let known = voices.cards().into_iter().map(|card| card.name).collect();
                    Refusal::UnknownVoice { name, known }
                }
                other => other,
            })?;
            let (sender, stream) = SpeechStream::start(&synthesizer, config, pacing)?;
            Ok::<_, Refusal>((sender, stream, synthesizer))
        };
        let loaded = tokio::task::spawn_blocking(load).await.map_err(|_| Refusal::Thread)?;
        let (sender, stream, synthesizer) = loaded?;
        let limit_ms = app.limits.utterance_ms;
        let utterance = Self {
            meter: UtteranceMeter::begin(app.shared.metrics.clone(), stream.sample_rate_hz()),
            deadline: Instant::now() + Duration::from_millis(limit_ms),
            limit_ms,
            hop_samples: synthesizer.hop_samples(),
            language: synthesizer.language(),
            stream,
            _permit: permit,
        };
        Ok((UtteranceText { sender, app: app.clone() }, utterance))
    }

    /// What comes next.
    pub async fn next(&mut self) -> Result<Progress, Refusal> {
        let limit_ms = self.limit_ms;
        let next = timeout_at(self.deadline, self.stream.next());
        match next.await.map_err(|_| Refusal::TooSlow { limit_ms })? {
            Some(StreamEvent::End(report)) => {
                self.meter.end(&report);
                Ok(Progress::Ended(report))
            }
            Some(event) => {
                if let StreamEvent::Samples(samples) = &event {
                    self.meter.samples(samples.len());
                }
                Ok(Progress::Event(event))
            }
            // Its thread is gone without a word.
            None => Err(Refusal::Thread),
        }
    }

    /// Of the samples.
    pub fn sample_rate_hz(&self) -> u32 {
        self.stream.sample_rate_hz()
    }

    /// What its text is read as.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Samples a frame.
    pub fn hop_samples(&self) -> usize {
        self.hop_samples
    }
}
