//! Speech for one client, as a stream of events that async code can wait for.

use std::ops::{ControlFlow, Range};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};

use crate::engine::{
    Engine, EngineConfig, Event, Job, JobError, JobListener, JobText, NamedMark, Pacing, PhoneMark, Report,
    SpeakConfig, Synthesizer, WordMark,
};
use crate::text::UnspokenKind;
use crate::{Error, Result};

/// Events that may wait for the client: with windows of 64 frames, some seconds of sound.
const QUEUED_EVENTS: usize = 64;
/// How long a text that found no room waits before it tries again.
const RETRY: Duration = Duration::from_millis(5);
/// Largest piece that the engine takes at once.
const PIECE_BYTES: usize = 1024;

/// What a client is told; [`Event`], owned.
#[derive(Debug)]
pub enum StreamEvent {
    /// A part of the text was left out.
    Unspoken {
        /// Why.
        kind: UnspokenKind,
        /// Its byte range in the text.
        source: Range<u64>,
    },
    /// A word of the samples that follow.
    Word(WordMark),
    /// A phone or pause of the samples that follow.
    Phone(PhoneMark),
    /// A mark that the text's author set, in the samples that follow.
    Mark(NamedMark),
    /// The next samples, mono, within ±1.
    Samples(Vec<f32>),
    /// Nothing follows.
    End(Result<Report>),
}

/// Speech being made for a client, on two threads of its own. Dropped, it is cancelled.
///
/// While the client does not read, nothing more is made.
pub struct SpeechStream {
    events: Receiver<StreamEvent>,
    sample_rate_hz: u32,
}

/// Where the client's text goes. Dropping it says that the text has ended.
pub struct TextSender(JobText);

impl SpeechStream {
    /// Begins to speak.
    ///
    /// # Errors
    /// A setting is out of range, or the system gives no threads.
    pub fn start(
        synthesizer: &Synthesizer,
        config: SpeakConfig,
        pacing: Pacing,
    ) -> Result<(TextSender, Self)> {
        let engine = Engine::start(synthesizer, None, EngineConfig::default())?;
        let (sender, events) = channel(QUEUED_EVENTS);
        let to_client = sender.clone();
        let listener: JobListener = Box::new(move |_, event| {
            let told = match event {
                Event::Unspoken(omission) => {
                    StreamEvent::Unspoken { kind: omission.kind, source: omission.source }
                }
                Event::Word(mark) => StreamEvent::Word(mark),
                Event::Phone(mark) => StreamEvent::Phone(mark),
                Event::Mark(mark) => StreamEvent::Mark(mark),
                Event::Samples(samples) => StreamEvent::Samples(samples.to_vec()),
                _ => return ControlFlow::Continue(()),
            };
            // A client that is gone wants no more.
            to_client.blocking_send(told).map_or(ControlFlow::Break(()), ControlFlow::Continue)
        });
        let mut job = engine.begin(config, pacing, listener)?;
        let text = job.take_text().ok_or(JobError::Ended)?;
        let wait = move || {
            let report = Job::wait(job);
            // Joins its threads, which is nothing for an async thread to wait for.
            drop(engine);
            let _ = sender.blocking_send(StreamEvent::End(report));
        };
        std::thread::Builder::new()
            .name("fastglow-stream".into())
            .spawn(wait)
            .map_err(|source| Error::Thread { source })?;
        Ok((TextSender(text), Self { events, sample_rate_hz: synthesizer.sample_rate_hz() }))
    }

    /// The next event; `None` after [`StreamEvent::End`].
    pub async fn next(&mut self) -> Option<StreamEvent> {
        self.events.recv().await
    }

    /// Of the samples.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }
}

impl TextSender {
    /// Takes the next piece of text, cut anywhere. Waits while earlier text is not being spoken fast enough.
    ///
    /// # Errors
    /// [`JobError::Ended`]: nobody listens any more, or the speech has failed.
    pub async fn push(&self, text: impl AsRef<[u8]>) -> std::result::Result<(), JobError> {
        for piece in text.as_ref().chunks(PIECE_BYTES) {
            while let Err(error) = self.0.try_push(piece) {
                match error {
                    JobError::Full => tokio::time::sleep(RETRY).await,
                    JobError::Ended => return Err(error),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::{DEFAULT_VOICE, SearchPath};

    #[tokio::test]
    async fn a_text_in_pieces_becomes_the_utterance() {
        let source = SearchPath::from_environment().find(DEFAULT_VOICE).unwrap();
        let synthesizer = Synthesizer::load(&source).unwrap();
        let expected = synthesizer.speak("Yes. No.", SpeakConfig::default()).unwrap();
        let (text, mut stream) =
            SpeechStream::start(&synthesizer, SpeakConfig::default(), Pacing::Unhurried).unwrap();
        text.push("Yes. ").await.unwrap();
        text.push("No.").await.unwrap();
        drop(text);
        let (mut samples, mut words) = (Vec::new(), Vec::new());
        let report = loop {
            match stream.next().await.unwrap() {
                StreamEvent::Samples(window) => samples.extend(window),
                StreamEvent::Word(word) => words.push(word.spoken),
                StreamEvent::End(report) => break report.unwrap(),
                _ => {}
            }
        };
        assert_eq!((samples, words), (expected, vec!["yes".to_string(), "no".into()]));
        assert!(!report.is_cancelled && stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_client_that_leaves_ends_it() {
        let source = SearchPath::from_environment().find(DEFAULT_VOICE).unwrap();
        let synthesizer = Synthesizer::load(&source).unwrap();
        let (text, stream) = SpeechStream::start(&synthesizer, SpeakConfig::default(), Pacing::Live).unwrap();
        text.push("The first words of many more. ").await.unwrap();
        drop(stream);
        while text.push("And so on and on and on. ").await.is_ok() {}
    }
}
