//! `GET /v1/audio/stream`: a WebSocket that speaks a text while it is being written.
//!
//! The client sends JSON:
//!
//! * `{"text": "…"}`, as often as it likes, cut anywhere. The first one begins an utterance, and may carry `voice`,
//!   `speed`, `pitch_semitones`, `volume_db` and `sample_rate_hz`; and `"ssml": true`, for a document that is spoken when
//!   all of it has come.
//! * `{"finish": true}` ends the text; it may come with the last of it.
//! * `{"cancel": true}` ends the utterance at once.
//!
//! The server sends JSON with a `type`, and sound (16-bit little-endian mono) as binary messages:
//!
//! * `begin`: `utterance`, its number on this connection; `sample_rate_hz`.
//! * `word`: `index`, `text` as spoken, `source` (byte range in the text), `start_s` and `end_s` in the utterance's sound.
//!   It comes before its samples.
//! * `phone`: `symbol`, `word` (its index), `start_s`, `end_s`.
//! * `mark`: `name`, `source` (a byte) and `start_s`, of a mark in SSML.
//! * `unspoken`: `reason`, `source`.
//! * `end`: `is_cancelled`, and `stats` unless it was.
//! * `error`: `error`, as in all answers. If it ends an utterance, `end` follows.
//!
//! When an utterance has ended, the next may begin.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::encoding::{Encoder, Format};
use super::error::Refusal;
use super::server::{App, Connection};
use super::speech::RATES_HZ;
use super::utterance::{Progress, Utterance, UtteranceText};
use crate::daemon::StreamEvent;
use crate::engine::{Pacing, SpeakConfig};
use crate::markup::Script;
use crate::phoneme::viseme;

/// The protocol's name, for clients that offer some.
const PROTOCOL: &str = "fastglow.v1";
/// Messages that may wait for the connection.
const QUEUED_MESSAGES: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming {
    text: Option<String>,
    #[serde(default)]
    finish: bool,
    #[serde(default)]
    cancel: bool,
    // Not flattened: unknown keys would then be taken in silence.
    voice: Option<String>,
    speed: Option<f32>,
    pitch_semitones: Option<f32>,
    volume_db: Option<f32>,
    sample_rate_hz: Option<u32>,
    #[serde(default)]
    ssml: bool,
}

/// How to speak an utterance.
struct Settings {
    voice: Option<String>,
    config: SpeakConfig,
    sample_rate_hz: Option<u32>,
    is_ssml: bool,
}

impl Incoming {
    /// The settings in it, if there are any.
    fn settings(&self, usual: &SpeakConfig) -> Option<Settings> {
        let numbers = [self.speed, self.pitch_semitones, self.volume_db];
        let has_any = self.ssml
            || self.voice.is_some()
            || self.sample_rate_hz.is_some()
            || numbers.iter().any(Option::is_some);
        let config = SpeakConfig {
            rate: self.speed.unwrap_or(usual.rate),
            pitch_semitones: self.pitch_semitones.unwrap_or(usual.pitch_semitones),
            volume_db: self.volume_db.unwrap_or(usual.volume_db),
            ..usual.clone()
        };
        let Self { sample_rate_hz, ssml: is_ssml, .. } = *self;
        has_any.then(|| Settings { voice: self.voice.clone(), config, sample_rate_hz, is_ssml })
    }
}

/// Takes the connection over.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let limit = app.limits.body_bytes;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(limit).max_frame_size(limit);
    upgrade.on_upgrade(async move |socket| {
        serve(socket, app).await;
        drop(connection);
    })
}

async fn serve(socket: WebSocket, app: Arc<App>) {
    let (sink, mut frames) = socket.split();
    let (outgoing, queue) = channel(QUEUED_MESSAGES);
    let writer = tokio::spawn(write(sink, queue));
    let stall = Duration::from_millis(app.limits.stall_ms);
    let mut session =
        Session { app: app.clone(), outgoing, utterances: 0, turn: None, speaking: JoinSet::new() };
    // A client that answers none of three pings is gone.
    let mut ping = interval((stall / 3).max(Duration::from_millis(1)));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            frame = frames.next() => match frame {
                Some(Ok(Message::Text(text))) => session.take(&text).await,
                Some(Ok(Message::Binary(_))) => {
                    let hint = r#"send JSON as text: {"text": "Hello."}"#;
                    session.refuse(&Refusal::Message { what: "expected text, got bytes", hint }).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
            _ = ping.tick() => {
                if heard.elapsed() > stall {
                    break;
                }
                // A full queue is watched by the connection's own limit.
                let _ = session.outgoing.try_send(Message::Ping(Default::default()));
                continue;
            }
            Some(_) = session.speaking.join_next() => continue,
            () = session.outgoing.closed() => break,
            () = app.closing() => break,
        }
        heard = Instant::now();
    }
    // Ends the utterance, then lets the writer say goodbye.
    drop(session);
    let _ = writer.await;
}

/// Sends what is queued, until there is nobody to send to or nobody to send for.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut queue: Receiver<Message>) {
    while let Some(message) = queue.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

struct Session {
    app: Arc<App>,
    outgoing: Sender<Message>,
    /// Begun so far.
    utterances: u64,
    /// The text that is being written. Kept until its end even if its utterance has failed.
    turn: Option<Turn>,
    /// At most one. Aborted when it is dropped.
    speaking: JoinSet<()>,
}

struct Turn {
    /// Not bounded by itself: `chars` is.
    pieces: UnboundedSender<String>,
    chars: usize,
}

impl Session {
    async fn refuse(&self, refusal: &Refusal) {
        tell(&self.outgoing, json!({ "type": "error", "error": refusal.tell() })).await;
    }

    async fn take(&mut self, text: &str) {
        let message: Incoming = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(error) => return self.refuse(&Refusal::Json { reason: error.to_string() }).await,
        };
        if message.cancel {
            return self.cancel().await;
        }
        let settings = message.settings(&self.app.shared.settings().speech);
        if let Some(text) = message.text
            && let Err(refusal) = self.text(text, settings)
        {
            let ends = matches!(refusal, Refusal::TextTooLong { .. });
            self.refuse(&refusal).await;
            if ends {
                self.cancel().await;
            }
            return;
        }
        if message.finish {
            self.turn = None;
        }
    }

    fn text(&mut self, text: String, settings: Option<Settings>) -> Result<(), Refusal> {
        let limit_chars = self.app.limits.streamed_text_chars;
        let turn = match &mut self.turn {
            Some(_) if settings.is_some() => {
                let what = "expected settings before the text, got them in its midst";
                return Err(Refusal::Message { what, hint: "finish the utterance first" });
            }
            Some(turn) => turn,
            None => self.begin(settings)?,
        };
        turn.chars += text.chars().count();
        if turn.chars > limit_chars {
            return Err(Refusal::TextTooLong { param: "text", limit_chars, got_chars: turn.chars });
        }
        // Refused if the utterance has failed, which the client was told.
        let _ = turn.pieces.send(text);
        Ok(())
    }

    fn begin(&mut self, settings: Option<Settings>) -> Result<&mut Turn, Refusal> {
        let usual = || Settings {
            voice: None,
            config: self.app.shared.settings().speech.clone(),
            sample_rate_hz: None,
            is_ssml: false,
        };
        let settings = settings.unwrap_or_else(usual);
        while self.speaking.try_join_next().is_some() {}
        if !self.speaking.is_empty() {
            let what = "the utterance before has not ended";
            return Err(Refusal::Message { what, hint: "wait for its `end`, or cancel it" });
        }
        if let Some(got) = settings.sample_rate_hz.filter(|hz| !RATES_HZ.contains(hz)) {
            return Err(Refusal::SampleRate { got });
        }
        let (pieces, text) = unbounded_channel();
        let number = self.utterances;
        self.utterances += 1;
        let (app, outgoing) = (self.app.clone(), self.outgoing.clone());
        self.speaking.spawn(async move {
            if let Err(refusal) = speak(&app, settings, text, (&outgoing, number)).await {
                tell(&outgoing, json!({ "type": "error", "error": refusal.tell() })).await;
                tell(&outgoing, json!({ "type": "end", "utterance": number, "is_cancelled": true })).await;
            }
        });
        Ok(self.turn.insert(Turn { pieces, chars: 0 }))
    }

    async fn cancel(&mut self) {
        self.turn = None;
        self.speaking.abort_all();
        while let Some(outcome) = self.speaking.join_next().await {
            if outcome.is_err() {
                let number = self.utterances.saturating_sub(1);
                let end = json!({ "type": "end", "utterance": number, "is_cancelled": true });
                tell(&self.outgoing, end).await;
            }
        }
    }
}

async fn tell(outgoing: &Sender<Message>, value: Value) {
    // Nobody is left to be told if it fails.
    let _ = outgoing.send(Message::Text(value.to_string().into())).await;
}

/// Speaks an utterance to its end.
async fn speak(
    app: &Arc<App>,
    mut settings: Settings,
    mut pieces: UnboundedReceiver<String>,
    (outgoing, number): (&Sender<Message>, u64),
) -> Result<(), Refusal> {
    let mut whole = None;
    if settings.is_ssml {
        let mut document = String::new();
        while let Some(piece) = pieces.recv().await {
            document.push_str(&piece);
        }
        let script = Script::read(&document)?;
        settings.config.directions = script.directions.into();
        whole = Some(script.text);
    }
    let pacing = if whole.is_some() { Pacing::Unhurried } else { Pacing::Live };
    let (text, mut utterance) = Utterance::begin(app, settings.voice, settings.config, pacing).await?;
    let voice_hz = utterance.sample_rate_hz();
    let client_hz = settings.sample_rate_hz.unwrap_or(voice_hz);
    let mut encoder = Encoder::new(Format::Pcm, voice_hz, client_hz)?;
    tell(outgoing, json!({ "type": "begin", "utterance": number, "sample_rate_hz": client_hz })).await;
    let hear = async {
        loop {
            let mut bytes = Vec::new();
            match utterance.next().await? {
                Progress::Event(StreamEvent::Samples(samples)) => encoder.push(&samples, &mut bytes)?,
                Progress::Event(event) => {
                    if let Some(value) = mark(&event, number, voice_hz) {
                        tell(outgoing, value).await;
                    }
                }
                Progress::Ended(report) => {
                    let report = report?;
                    encoder.finish(&mut bytes)?;
                    send(outgoing, bytes).await;
                    let (is_cancelled, stats) = (report.is_cancelled, report.stats);
                    let end = json!({
                        "type": "end", "utterance": number, "is_cancelled": is_cancelled, "stats": stats,
                    });
                    tell(outgoing, end).await;
                    return Ok(());
                }
            }
            send(outgoing, bytes).await;
        }
    };
    tokio::select! {
        outcome = hear => outcome,
        never = write_text(text, whole, pieces) => match never {},
    }
}

async fn send(outgoing: &Sender<Message>, bytes: Vec<u8>) {
    if !bytes.is_empty() {
        let _ = outgoing.send(Message::Binary(bytes.into())).await;
    }
}

/// Hands the text on, and says when it has ended.
async fn write_text(
    text: UtteranceText,
    mut whole: Option<String>,
    mut pieces: UnboundedReceiver<String>,
) -> std::convert::Infallible {
    while let Some(piece) = match whole.take() {
        Some(whole) => Some(whole),
        None => pieces.recv().await,
    } {
        if !text.push(&piece).await {
            break;
        }
    }
    drop(text);
    std::future::pending().await
}

/// What the client is told of an event, if anything.
fn mark(event: &StreamEvent, utterance: u64, sample_rate_hz: u32) -> Option<Value> {
    let seconds = |samples: u64| samples as f64 / f64::from(sample_rate_hz);
    match event {
        StreamEvent::Word(word) => Some(json!({
            "type": "word",
            "utterance": utterance,
            "index": word.index,
            "text": word.spoken,
            "source": [word.source.start, word.source.end],
            "start_s": seconds(word.samples.start),
            "end_s": seconds(word.samples.end),
        })),
        StreamEvent::Phone(phone) => Some(json!({
            "type": "phone",
            "utterance": utterance,
            "symbol": phone.symbol.to_string(),
            "viseme": viseme(phone.symbol),
            "word": phone.word,
            "start_s": seconds(phone.samples.start),
            "end_s": seconds(phone.samples.end),
        })),
        StreamEvent::Mark(mark) => Some(json!({
            "type": "mark",
            "utterance": utterance,
            "name": mark.name,
            "source": mark.source,
            "start_s": seconds(mark.sample),
        })),
        StreamEvent::Unspoken { kind, source } => Some(json!({
            "type": "unspoken",
            "utterance": utterance,
            "reason": kind.name(),
            "source": [source.start, source.end],
        })),
        StreamEvent::Samples(_) | StreamEvent::End(_) => None,
    }
}
