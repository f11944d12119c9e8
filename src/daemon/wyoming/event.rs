//! What the frames mean: requests of clients, and our answers.

use serde_json::{Value, json};

use super::frame::Frame;
use crate::audio::to_pcm16;

/// Bytes of a sample: 16 bits.
const WIDTH_BYTES: u32 = 2;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// What can you do?
    Describe,
    /// Are you there?
    Ping {
        /// To be sent back.
        text: Value,
    },
    /// A part of the conversation that makes speech.
    Speech(SpeechRequest),
    /// What a synthesizer has nothing to say to.
    Other,
}

/// What makes speech.
#[derive(Debug, Clone, PartialEq)]
pub enum SpeechRequest {
    /// Speak a whole text. Inside a stream it repeats the stream's text, for servers that cannot stream.
    Synthesize {
        /// The text.
        text: String,
        /// How.
        manner: Manner,
    },
    /// A stream of text begins.
    Start(Manner),
    /// Its next piece, cut anywhere.
    Chunk(String),
    /// It has ended.
    Stop,
}

/// How to speak.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manner {
    /// With which voice.
    pub voice: VoiceChoice,
    /// Whether the text is marked up.
    pub is_ssml: bool,
}

/// Which voice to speak with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum VoiceChoice {
    /// The one of the configuration.
    #[default]
    Default,
    /// The one of this name.
    Name(String),
    /// Any that speaks this language.
    Language(String),
}

/// A frame lacks what its kind needs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: `{field}`: expected {expected}")]
pub struct RequestError {
    /// The frame's kind.
    pub kind: String,
    /// Which field.
    pub field: &'static str,
    /// What should be there.
    pub expected: &'static str,
}

impl Request {
    /// Reads a frame.
    ///
    /// # Errors
    /// A field is missing or of another type.
    pub fn from_frame(mut frame: Frame) -> Result<Self, RequestError> {
        let speech = match frame.kind.as_str() {
            "describe" => return Ok(Self::Describe),
            "ping" => return Ok(Self::Ping { text: frame.data.remove("text").unwrap_or_default() }),
            "synthesize" => {
                SpeechRequest::Synthesize { manner: Manner::from_frame(&frame)?, text: text_of(frame)? }
            }
            "synthesize-start" => SpeechRequest::Start(Manner::from_frame(&frame)?),
            "synthesize-chunk" => SpeechRequest::Chunk(text_of(frame)?),
            "synthesize-stop" => SpeechRequest::Stop,
            _ => return Ok(Self::Other),
        };
        Ok(Self::Speech(speech))
    }
}

fn text_of(mut frame: Frame) -> Result<String, RequestError> {
    match frame.data.remove("text") {
        Some(Value::String(text)) => Ok(text),
        _ => Err(RequestError { kind: frame.kind, field: "text", expected: "a string" }),
    }
}

impl Manner {
    fn from_frame(frame: &Frame) -> Result<Self, RequestError> {
        let wrong = |field, expected| RequestError { kind: frame.kind.clone(), field, expected };
        let is_ssml = match frame.data.get("text_format").unwrap_or(&Value::Null) {
            Value::Null => false,
            Value::String(format) if format == "text" => false,
            Value::String(format) if format == "ssml" => true,
            _ => return Err(wrong("text_format", "`text` or `ssml`")),
        };
        let voice = match frame.data.get("voice").unwrap_or(&Value::Null) {
            Value::Null => VoiceChoice::Default,
            Value::Object(voice) => match (voice.get("name"), voice.get("language")) {
                (Some(Value::String(name)), _) => VoiceChoice::Name(name.clone()),
                (None | Some(Value::Null), Some(Value::String(language))) => {
                    VoiceChoice::Language(language.clone())
                }
                (None | Some(Value::Null), None | Some(Value::Null)) => VoiceChoice::Default,
                _ => return Err(wrong("voice", "`name` or `language`, strings")),
            },
            _ => return Err(wrong("voice", "an object")),
        };
        Ok(Self { voice, is_ssml })
    }
}

/// Sound on its way to a client: counts what has been sent.
pub struct AudioTrack {
    sample_rate_hz: u32,
    sent_samples: u64,
}

impl AudioTrack {
    /// Mono, 16 bits, at this rate.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self { sample_rate_hz, sent_samples: 0 }
    }

    fn timestamp_ms(&self) -> u64 {
        self.sent_samples * 1000 / u64::from(self.sample_rate_hz.max(1))
    }

    fn format(&self) -> Value {
        json!({
            "rate": self.sample_rate_hz,
            "width": WIDTH_BYTES,
            "channels": 1,
            "timestamp": self.timestamp_ms(),
        })
    }

    /// `audio-start`
    pub fn start(&self) -> Frame {
        Frame::new("audio-start", self.format())
    }

    /// `audio-chunk`
    pub fn chunk(&mut self, samples: &[f32]) -> Frame {
        let payload = samples.iter().flat_map(|&sample| to_pcm16(sample).to_le_bytes()).collect();
        let frame = Frame { payload, ..Frame::new("audio-chunk", self.format()) };
        self.sent_samples += samples.len() as u64;
        frame
    }

    /// `audio-stop`
    pub fn stop(&self) -> Frame {
        Frame::new("audio-stop", json!({ "timestamp": self.timestamp_ms() }))
    }
}

/// `error`
pub fn error(code: &str, text: impl std::fmt::Display) -> Frame {
    Frame::new("error", json!({ "text": text.to_string(), "code": code }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, data: Value) -> Result<Request, RequestError> {
        Request::from_frame(Frame::new(kind, data))
    }

    #[test]
    fn requests_are_read_with_and_without_their_options() {
        let speech = |request| Ok(Request::Speech(request));
        let plain = SpeechRequest::Synthesize { text: "Hi.".into(), manner: Manner::default() };
        assert_eq!(request("synthesize", json!({ "text": "Hi." })), speech(plain));
        let manner = |voice, is_ssml| Manner { voice, is_ssml };
        for (data, expected) in [
            (
                json!({ "voice": { "name": "a", "speaker": "b" } }),
                manner(VoiceChoice::Name("a".into()), false),
            ),
            (json!({ "voice": { "language": "en" } }), manner(VoiceChoice::Language("en".into()), false)),
            (json!({ "voice": {}, "text_format": "ssml" }), manner(VoiceChoice::Default, true)),
            (json!({ "voice": null, "text_format": "text", "context": { "x": 1 } }), Manner::default()),
        ] {
            assert_eq!(request("synthesize-start", data), speech(SpeechRequest::Start(expected)));
        }
        assert_eq!(request("ping", json!({ "text": "x" })), Ok(Request::Ping { text: "x".into() }));
        assert_eq!(request("audio-chunk", json!({})), Ok(Request::Other));
    }

    #[test]
    fn what_a_request_lacks_is_named() {
        for (kind, data, field) in [
            ("synthesize", json!({}), "text"),
            ("synthesize-chunk", json!({ "text": 1 }), "text"),
            ("synthesize-start", json!({ "voice": "a" }), "voice"),
            ("synthesize-start", json!({ "voice": { "name": 1 } }), "voice"),
            ("synthesize-start", json!({ "text_format": "html" }), "text_format"),
        ] {
            assert_eq!(request(kind, data).unwrap_err().field, field);
        }
    }

    #[test]
    fn sound_carries_its_place() {
        let mut track = AudioTrack::new(1000);
        assert_eq!(track.start().data["timestamp"], 0);
        assert_eq!(track.chunk(&[0.0, 1.0, -1.0]).payload, [0, 0, 0xff, 0x7f, 0x01, 0x80]);
        assert_eq!(track.chunk(&[0.0]).data["timestamp"], 3);
        assert_eq!(track.stop().data["timestamp"], 4);
    }
}
