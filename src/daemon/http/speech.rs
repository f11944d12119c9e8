//! `POST /v1/audio/speech`: a text becomes sound, sent while it is made.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use super::body;
use super::encoding::{Encoder, Format};
use super::error::Refusal;
use super::server::App;
use super::utterance::{Progress, Utterance};
use crate::daemon::StreamEvent;
use crate::engine::{Pacing, SpeakConfig};
use crate::markup::Script;
use crate::text::normalise_in;

pub(super) const RATES_HZ: std::ops::RangeInclusive<u32> = 8000..=48_000;

#[derive(Deserialize)]
struct SpeechRequest {
    input: String,
    voice: Option<VoiceName>,
    response_format: Option<String>,
    speed: Option<f32>,
    stream_format: Option<StreamFormat>,
    /// Ours: false waits for the end, and gives a file with its true length.
    stream: Option<bool>,
    /// Ours.
    sample_rate_hz: Option<u32>,
    /// Ours: whether the input is a document of SSML.
    #[serde(default)]
    ssml: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "voice: expected a name or {\"id\": name}")]
enum VoiceName {
    Name(String),
    Object { id: String },
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum StreamFormat {
    Audio,
    Sse,
}

/// What a request asks for, checked.
struct Wanted {
    input: String,
    voice: Option<String>,
    config: SpeakConfig,
    format: Format,
    sample_rate_hz: Option<u32>,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Bytes as they are made.
    Stream,
    /// The same in server-sent events.
    Events,
    /// All bytes at the end.
    Whole,
}

impl SpeechRequest {
    fn check(self, app: &App) -> Result<Wanted, Refusal> {
        let (limit_chars, got_chars) = (app.limits.text_chars, self.input.chars().count());
        if got_chars > limit_chars {
            return Err(Refusal::TextTooLong { param: "input", limit_chars, got_chars });
        }
        let name = self.response_format.unwrap_or_else(|| "wav".to_owned());
        let format =
            Format::parse(&name).ok_or_else(|| Refusal::Format { got: name.chars().take(32).collect() })?;
        if let Some(got) = self.sample_rate_hz.filter(|hz| !RATES_HZ.contains(hz)) {
            return Err(Refusal::SampleRate { got });
        }
        let shape = match (self.stream_format, self.stream) {
            (Some(StreamFormat::Sse), Some(false)) => return Err(Refusal::WholeEvents),
            (Some(StreamFormat::Sse), _) => Shape::Events,
            (_, Some(false)) => Shape::Whole,
            _ => Shape::Stream,
        };
        let mut config = app.shared.settings().speech.clone();
        config.rate = self.speed.unwrap_or(config.rate);
        let voice = self.voice.map(|voice| match voice {
            VoiceName::Name(id) | VoiceName::Object { id } => id,
        });
        let mut input = self.input;
        if self.ssml {
            let script = Script::read(&input)?;
            (input, config.directions) = (script.text, script.directions.into());
        }
        Ok(Wanted { input, voice, config, format, sample_rate_hz: self.sample_rate_hz, shape })
    }
}

/// Speaks.
pub(super) async fn speech(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let wanted = body::json::<SpeechRequest>(&app, request).await?.check(&app)?;
    // A text that is complete is cut at clauses only: the same text always sounds the same.
    let (text, utterance) = Utterance::begin(&app, wanted.voice, wanted.config, Pacing::Unhurried).await?;
    let input: Arc<str> = wanted.input.into();
    let pushed = input.clone();
    // Ends when all is taken, or when the utterance is dropped.
    tokio::spawn(async move { text.push(&pushed).await });
    let voice_hz = utterance.sample_rate_hz();
    let encoder = Encoder::new(wanted.format, voice_hz, wanted.sample_rate_hz.unwrap_or(voice_hz))?;
    let mut answer = Answer { utterance, encoder, phones: 0, samples: 0, state: Part::Head(None) };
    // Until there is sound, what goes wrong still has a status of its own.
    let first = answer.samples().await?;
    if first.is_none() {
        normalise_in(answer.utterance.language(), &input).speakable()?;
    }
    answer.state = Part::Head(first);
    match wanted.shape {
        Shape::Whole => answer.whole().await,
        Shape::Stream => Ok(answer.stream()),
        Shape::Events => Ok(answer.events()),
    }
}

/// An utterance on its way to the client. Dropped with the connection, it is cancelled.
struct Answer {
    utterance: Utterance,
    encoder: Encoder,
    phones: u64,
    samples: u64,
    state: Part,
}

/// What is sent next.
enum Part {
    /// What comes before the samples, with the first of them.
    Head(Option<Vec<f32>>),
    Samples,
    Over,
}

impl Answer {
    /// The next samples; `None` at the end.
    async fn samples(&mut self) -> Result<Option<Vec<f32>>, Refusal> {
        loop {
            match self.utterance.next().await? {
                Progress::Event(StreamEvent::Samples(samples)) => {
                    self.samples += samples.len() as u64;
                    return Ok(Some(samples));
                }
                Progress::Event(StreamEvent::Phone(_)) => self.phones += 1,
                Progress::Event(_) => {}
                Progress::Ended(report) => return report.map(|_| None).map_err(Refusal::from),
            }
        }
    }

    /// The next bytes; `None` at the end.
    async fn bytes(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let mut out = Vec::new();
        // The converter may keep what it was given: then there is nothing to send yet.
        while out.is_empty() {
            let samples = match std::mem::replace(&mut self.state, Part::Samples) {
                Part::Head(first) => {
                    out = self.encoder.head();
                    first
                }
                Part::Samples => self.samples().await?,
                Part::Over => {
                    self.state = Part::Over;
                    return Ok(None);
                }
            };
            match samples {
                Some(samples) => self.encoder.push(&samples, &mut out)?,
                None => {
                    self.encoder.finish(&mut out)?;
                    self.state = Part::Over;
                }
            }
        }
        Ok(Some(out))
    }

    async fn whole(mut self) -> Result<Response, Refusal> {
        let content_type = self.encoder.content_type();
        let mut data = Vec::new();
        while let Some(bytes) = self.bytes().await? {
            data.extend_from_slice(&bytes);
        }
        let head = self.encoder.complete_head();
        data[..head.len()].copy_from_slice(&head);
        Ok(([(header::CONTENT_TYPE, content_type)], data).into_response())
    }

    fn stream(self) -> Response {
        let content_type = self.encoder.content_type();
        // A failure breaks the connection off, so that no client takes a part for the whole.
        let pieces = stream::try_unfold(self, async |mut answer| match answer.bytes().await {
            Ok(bytes) => Ok(bytes.map(|bytes| (Bytes::from(bytes), answer))),
            Err(refusal) => {
                tracing::error!(%refusal, "http: an answer broke off");
                Err(refusal)
            }
        });
        ([(header::CONTENT_TYPE, content_type)], Body::from_stream(pieces)).into_response()
    }

    fn events(self) -> Response {
        let events = stream::unfold(Some(self), async |answer| {
            let mut answer = answer?;
            let (event, rest) = match answer.bytes().await {
                Ok(Some(bytes)) => {
                    let event = json!({ "type": "speech.audio.delta", "audio": BASE64.encode(bytes) });
                    (event, Some(answer))
                }
                Ok(None) => (answer.done(), None),
                Err(refusal) => (json!({ "type": "error", "error": refusal.tell() }), None),
            };
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(format!("data: {event}\n\n"))), rest))
        });
        let head = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
        (head, Body::from_stream(events)).into_response()
    }

    /// The last event. The models' tokens are phones, which go in, and frames, which come out.
    fn done(&self) -> serde_json::Value {
        let frames = self.samples / self.utterance.hop_samples().max(1) as u64;
        let usage = json!({
            "input_tokens": self.phones,
            "output_tokens": frames,
            "total_tokens": self.phones + frames,
        });
        json!({ "type": "speech.audio.done", "usage": usage })
    }
}
