//! The first of the engine's threads: text to chunks to phrases.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::job::{JobState, Report};
use super::parallel::{JobListener, Shared};
use super::phrase::PhraseMaker;
use super::{Models, NamedMark, Phrase, SpeakConfig};
use crate::Result;
use crate::text::{Chunk, Chunker, ChunkerConfig};

/// How long the thread sleeps at most before it looks whether its job was cancelled.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// A job as it comes from its handle.
pub(super) struct NewJob {
    pub state: Arc<JobState>,
    pub config: SpeakConfig,
    pub pieces: Receiver<Vec<u8>>,
    pub listener: JobListener,
    pub done: SyncSender<Result<Report>>,
}

/// What the vocoder thread is told.
pub(super) enum Message {
    Begin(Box<Begin>),
    /// A chunk of which a part is not spoken.
    Omissions(Box<Chunk>),
    Phrase(Box<Phrase>),
    /// Marks behind the last word.
    Marks(Vec<NamedMark>),
    /// Nothing more is made until more text comes.
    AwaitText,
    /// The text has ended, or the models have failed.
    End(Result<()>),
}

pub(super) struct Begin {
    pub state: Arc<JobState>,
    pub config: SpeakConfig,
    pub listener: JobListener,
    pub done: SyncSender<Result<Report>>,
}

/// The vocoder thread is gone.
struct Gone;

/// Works until no handle can begin a job any more.
pub(super) fn run(models: &Arc<Models>, shared: &Shared, jobs: &Receiver<NewJob>, out: &SyncSender<Message>) {
    for job in jobs {
        let NewJob { state, config, pieces, listener, done } = job;
        let begin = Begin { state: state.clone(), config: config.clone(), listener, done };
        if out.send(Message::Begin(Box::new(begin))).is_err() {
            return;
        }
        let maker = PhraseMaker::new(models.clone(), config.directions.clone());
        let chunker = Chunker::new(ChunkerConfig::of(models.pronouncer.language()));
        let mut work = Work { shared, state, config, maker, chunker, out };
        let Ok(result) = work.speak(&pieces) else { return };
        // Whoever pushes learns that nobody reads.
        drop(pieces);
        if out.send(Message::End(result)).is_err() {
            return;
        }
    }
}

struct Work<'a> {
    shared: &'a Shared,
    state: Arc<JobState>,
    config: SpeakConfig,
    maker: PhraseMaker,
    chunker: Chunker,
    out: &'a SyncSender<Message>,
}

impl Work<'_> {
    /// Speaks the job's text. The inner result is the models'.
    fn speak(&mut self, pieces: &Receiver<Vec<u8>>) -> std::result::Result<Result<()>, Gone> {
        let mut made_samples = 0;
        let mut last_text = Instant::now();
        let mut is_waiting = false;
        let mut rest = Vec::new();
        while !self.shared.is_cancelled(&self.state) {
            match self.chunker.push(&rest) {
                Ok(taken) => drop(rest.drain(..taken)),
                Err(error) => return Ok(Err(error.into())),
            }
            let silent_ms = last_text.elapsed().as_millis().min(u128::from(u32::MAX)) as u32;
            let pace = self.state.pace(made_samples, silent_ms, self.shared.played_samples());
            let state = self.state.clone();
            if let Some(chunk) = state.busy.during(|| self.chunker.next_chunk(pace)) {
                is_waiting = false;
                let phrases = match state.busy.during(|| self.make(&chunk)) {
                    Ok(phrases) => phrases,
                    Err(error) => return Ok(Err(error)),
                };
                if !chunk.text.unspoken.is_empty() {
                    self.send(Message::Omissions(Box::new(chunk)))?;
                }
                for phrase in phrases {
                    made_samples += (phrase.mel.frame_count() * phrase.hop_samples) as u64;
                    self.send(Message::Phrase(Box::new(phrase)))?;
                }
                continue;
            }
            if self.chunker.is_done() {
                let marks = self.maker.finish();
                self.send(Message::Marks(marks))?;
                break;
            }
            if !std::mem::replace(&mut is_waiting, true) {
                self.send(Message::AwaitText)?;
            }
            let deadline = self.chunker.next_deadline_ms(pace).map(|ms| Duration::from_millis(ms.into()));
            match pieces.recv_timeout(deadline.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)) {
                Ok(piece) => {
                    last_text = Instant::now();
                    rest.extend(piece);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.chunker.finish(),
            }
        }
        Ok(Ok(()))
    }

    fn make(&mut self, chunk: &Chunk) -> Result<Vec<Phrase>> {
        self.state.first_chunk.get_or_init(Instant::now);
        self.state.apply_controls(&mut self.config);
        let mut phrases = Vec::new();
        self.maker.make(chunk, &self.config, &mut |phrase| phrases.push(phrase))?;
        Ok(phrases)
    }

    fn send(&self, message: Message) -> std::result::Result<(), Gone> {
        self.out.send(message).map_err(|_| Gone)
    }
}
