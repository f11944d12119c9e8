//! One client: its requests are read while it is being spoken to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout, timeout_at};

use super::Limits;
use super::event::{AudioTrack, Manner, Request, SpeechRequest, VoiceChoice, error};
use super::frame::{Decoder, Frame, FrameError};
use super::info::info;
use crate::daemon::ssml::MarkedText;
use crate::daemon::{Shared, SpeechStream, StreamEvent, TextSender, UtteranceMeter, Voices};
use crate::engine::{Pacing, Synthesizer};

/// Requests that may wait while something is spoken; then the client has to wait.
const QUEUED_REQUESTS: usize = 16;
const READ_BYTES: usize = 8192;

/// Why a conversation ends.
#[derive(Debug, thiserror::Error)]
enum Ending {
    /// The client is gone, which cancels what it asked for.
    #[error("the client has gone")]
    Gone(#[source] Option<std::io::Error>),
    #[error("the client was silent too long")]
    Idle,
    #[error("the client stopped in the middle of a frame")]
    Stalled,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("no voice speaks `{0}`")]
    Language(String),
    #[error("no voice is called `{0}`")]
    VoiceName(String),
    #[error("text: expected at most {0} bytes, got more")]
    TextTooLong(usize),
    #[error("{0}: not inside a stream of text")]
    OutOfPlace(&'static str),
    /// What exactly, a client need not know: it may name files.
    #[error("the speech failed")]
    Speech(#[from] crate::Error),
}

impl Ending {
    /// What the client is told, if it can be told anything.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Gone(_) | Self::Idle | Self::Stalled => None,
            Self::Frame(_) => Some("bad-frame"),
            Self::Language(_) => Some("language-not-supported"),
            Self::VoiceName(_) => Some("voice-not-found"),
            Self::TextTooLong(_) => Some("text-too-long"),
            Self::OutOfPlace(_) => Some("out-of-place"),
            Self::Speech(_) => Some("synthesis-failed"),
        }
    }
}

/// Talks with a client until it is gone or has done something wrong.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Send, shared: Arc<Shared>, limits: Limits) {
    let (reader, writer) = tokio::io::split(stream);
    let session = Session { wire: Wire::new(writer, limits), shared, limits };
    let (requests, asked) = channel(QUEUED_REQUESTS);
    // Whichever ends takes the other one with it.
    let ending = tokio::select! {
        ending = session.listen(reader, requests) => ending,
        ending = session.speak(asked) => ending,
    };
    let Err(ending) = ending else { return };
    match &ending {
        Ending::Speech(error) => tracing::warn!(%error, "wyoming: the speech failed"),
        _ => tracing::debug!(reason = %ending, "wyoming: connection closed"),
    }
    if let Some(code) = ending.code() {
        let _ = session.wire.send(&error(code, &ending)).await;
    }
}

/// The way to the client.
struct Wire<S> {
    writer: Mutex<WriteHalf<S>>,
    stalled: Duration,
    opened: Instant,
    /// When something last went either way, in ms since it was opened.
    active_ms: AtomicU64,
}

impl<S: AsyncWrite> Wire<S> {
    fn new(writer: WriteHalf<S>, limits: Limits) -> Self {
        let active_ms = AtomicU64::new(0);
        Self { writer: Mutex::new(writer), stalled: limits.stalled, opened: Instant::now(), active_ms }
    }

    fn touch(&self) {
        self.active_ms.store(self.opened.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn active_until(&self, idle: Duration) -> Instant {
        self.opened + Duration::from_millis(self.active_ms.load(Ordering::Relaxed)) + idle
    }

    async fn send(&self, frame: &Frame) -> Result<(), Ending> {
        let bytes = frame.encode();
        let write = async { self.writer.lock().await.write_all(&bytes).await };
        match timeout(self.stalled, write).await {
            Ok(Ok(())) => {
                self.touch();
                Ok(())
            }
            Ok(Err(error)) => Err(Ending::Gone(Some(error))),
            Err(_) => Err(Ending::Stalled),
        }
    }
}

struct Session<S> {
    wire: Wire<S>,
    shared: Arc<Shared>,
    limits: Limits,
}

impl<S: AsyncRead + AsyncWrite + Send> Session<S> {
    /// Reads requests; answers the ones that are no speech at once.
    async fn listen(&self, mut reader: ReadHalf<S>, requests: Sender<SpeechRequest>) -> Result<(), Ending> {
        let mut decoder = Decoder::new(self.limits.frame_bytes);
        let mut bytes = vec![0; READ_BYTES];
        let mut frame_due = None;
        loop {
            let deadline = frame_due.unwrap_or_else(|| self.wire.active_until(self.limits.idle));
            let read = match timeout_at(deadline, reader.read(&mut bytes)).await {
                Ok(Ok(0)) => return Err(Ending::Gone(None)),
                Ok(Ok(read)) => read,
                Ok(Err(error)) => return Err(Ending::Gone(Some(error))),
                Err(_) if frame_due.is_some() => return Err(Ending::Stalled),
                // Sound may have gone out meanwhile.
                Err(_) if self.wire.active_until(self.limits.idle) > Instant::now() => continue,
                Err(_) => return Err(Ending::Idle),
            };
            self.wire.touch();
            decoder.push(&bytes[..read]);
            let mut has_frame = false;
            while let Some(frame) = decoder.next_frame()? {
                has_frame = true;
                self.take(frame, &requests).await?;
            }
            if decoder.is_between_frames() {
                frame_due = None;
            } else if has_frame || frame_due.is_none() {
                frame_due = Some(Instant::now() + self.limits.stalled);
            }
        }
    }

    async fn take(&self, frame: Frame, requests: &Sender<SpeechRequest>) -> Result<(), Ending> {
        match Request::from_frame(frame) {
            Ok(Request::Speech(speech)) => requests.send(speech).await.map_err(|_| Ending::Gone(None)),
            Ok(Request::Describe) => {
                let voices = self.shared.voices.clone();
                self.wire.send(&blocking(move || Ok(info(&voices))).await?).await
            }
            Ok(Request::Ping { text }) => {
                let data = if text == Value::Null { json!({}) } else { json!({ "text": text }) };
                self.wire.send(&Frame::new("pong", data)).await
            }
            Ok(Request::Other) => Ok(()),
            Err(wrong) => self.wire.send(&error("bad-request", wrong)).await,
        }
    }

    /// Speaks, one request after another.
    async fn speak(&self, mut requests: Receiver<SpeechRequest>) -> Result<(), Ending> {
        while let Some(request) = requests.recv().await {
            match request {
                SpeechRequest::Synthesize { text, manner } => self.speak_whole(text, manner).await?,
                SpeechRequest::Start(manner) => self.speak_stream(manner, &mut requests).await?,
                SpeechRequest::Chunk(_) => return Err(Ending::OutOfPlace("synthesize-chunk")),
                SpeechRequest::Stop => return Err(Ending::OutOfPlace("synthesize-stop")),
            }
        }
        Ok(())
    }

    async fn speak_whole(&self, text: String, manner: Manner) -> Result<(), Ending> {
        self.check_length(text.len())?;
        let text = if manner.is_ssml { MarkedText::parse(&text).text } else { text };
        self.shared.metrics.characters(text.chars().count() as u64);
        let (sender, stream) = self.begin(manner.voice, Pacing::Unhurried).await?;
        let feed = async move {
            // If nobody takes it, the stream tells why.
            let _ = sender.push(text).await;
            Ok(())
        };
        self.play(stream, feed).await
    }

    async fn speak_stream(
        &self,
        manner: Manner,
        requests: &mut Receiver<SpeechRequest>,
    ) -> Result<(), Ending> {
        let (sender, stream) = self.begin(manner.voice, Pacing::Live).await?;
        self.play(stream, self.feed(sender, manner.is_ssml, requests)).await?;
        self.wire.send(&Frame::new("synthesize-stopped", json!({}))).await
    }

    /// Hands on the pieces of a stream until it ends.
    async fn feed(
        &self,
        sender: TextSender,
        is_ssml: bool,
        requests: &mut Receiver<SpeechRequest>,
    ) -> Result<(), Ending> {
        let (mut bytes, mut marked_up) = (0, String::new());
        loop {
            match requests.recv().await {
                Some(SpeechRequest::Chunk(text)) => {
                    bytes += text.len();
                    self.shared.metrics.characters(text.chars().count() as u64);
                    self.check_length(bytes)?;
                    if is_ssml {
                        // A tag may be cut in two.
                        marked_up.push_str(&text);
                    } else {
                        let _ = sender.push(text).await;
                    }
                }
                // Repeats what came in pieces.
                Some(SpeechRequest::Synthesize { .. }) => {}
                Some(SpeechRequest::Start(_)) => return Err(Ending::OutOfPlace("synthesize-start")),
                Some(SpeechRequest::Stop) => break,
                None => return Err(Ending::Gone(None)),
            }
        }
        if is_ssml {
            let _ = sender.push(MarkedText::parse(&marked_up).text).await;
        }
        Ok(())
    }

    fn check_length(&self, bytes: usize) -> Result<(), Ending> {
        let most = self.limits.text_bytes;
        if bytes <= most { Ok(()) } else { Err(Ending::TextTooLong(most)) }
    }

    async fn begin(&self, choice: VoiceChoice, pacing: Pacing) -> Result<(TextSender, SpeechStream), Ending> {
        let voices = self.shared.voices.clone();
        let speech = self.shared.settings().speech.clone();
        blocking(move || {
            let synthesizer = choose(&voices, choice)?;
            Ok(SpeechStream::start(&synthesizer, speech, pacing)?)
        })
        .await
    }

    /// Sends the sound while the text is fed.
    async fn play(
        &self,
        mut stream: SpeechStream,
        feed: impl Future<Output = Result<(), Ending>>,
    ) -> Result<(), Ending> {
        let send = async {
            let mut track = AudioTrack::new(stream.sample_rate_hz());
            let mut meter = UtteranceMeter::begin(self.shared.metrics.clone(), stream.sample_rate_hz());
            self.wire.send(&track.start()).await?;
            while let Some(event) = stream.next().await {
                match event {
                    StreamEvent::Samples(samples) => {
                        meter.samples(samples.len());
                        self.wire.send(&track.chunk(&samples)).await?;
                    }
                    StreamEvent::End(report) => {
                        meter.end(&report);
                        drop(report?);
                    }
                    StreamEvent::Unspoken { .. }
                    | StreamEvent::Word(_)
                    | StreamEvent::Phone(_)
                    | StreamEvent::Mark(_) => {}
                }
            }
            self.wire.send(&track.stop()).await
        };
        tokio::try_join!(send, feed).map(drop)
    }
}

fn choose(voices: &Voices, choice: VoiceChoice) -> Result<Synthesizer, Ending> {
    let name = match choice {
        VoiceChoice::Default => None,
        VoiceChoice::Name(name) => {
            let is_known = voices.cards().iter().any(|card| card.name == name);
            Some(if is_known { name } else { return Err(Ending::VoiceName(shortened(&name))) })
        }
        VoiceChoice::Language(language) => {
            let unknown = || Ending::Language(shortened(&language));
            Some(voices.speaking(&language).ok_or_else(unknown)?)
        }
    };
    Ok(voices.get(name.as_deref())?)
}

/// What a client called something, fit for a message.
fn shortened(name: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    name.chars().take(SHOWN_CHARS).collect()
}

/// Runs what reads files or starts threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Ending> + Send + 'static,
) -> Result<T, Ending> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Ending::Gone(Some(std::io::Error::other(error)))),
    }
}
