//! Lines to a client.

use serde_json::{Value, json};

use super::PROTOCOL;
use crate::daemon::speaker::{CancelReason, SpeakerError, SpeakerEvent, Told};
use crate::engine::WordMark;
use crate::markup::SsmlError;
use crate::phoneme::viseme;

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In one word, for programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub fn bad_request(error: &serde_json::Error) -> Self {
        Self::new("bad_request", format!("request: {error}"))
    }
}

impl From<SsmlError> for Refusal {
    fn from(error: SsmlError) -> Self {
        Self::new("bad_ssml", format!("{error}; {}", error.hint()))
    }
}

impl From<SpeakerError> for Refusal {
    fn from(error: SpeakerError) -> Self {
        Self::new(error.name(), error.to_string())
    }
}

/// The first line.
pub fn greeting() -> Value {
    json!({ "protocol": PROTOCOL, "server": concat!("fastglow ", env!("CARGO_PKG_VERSION")) })
}

/// The answer to a request: what was done, or why nothing was.
pub fn answer(id: Value, result: Result<Value, Refusal>) -> Value {
    let (is_ok, mut answer) = match result {
        Ok(answer) => (true, answer),
        Err(Refusal { code, message }) => (false, json!({ "code": code, "error": message })),
    };
    if let Value::Object(fields) = &mut answer {
        fields.insert("ok".into(), is_ok.into());
        if !id.is_null() {
            fields.insert("id".into(), id);
        }
    }
    answer
}

/// What happened to an utterance.
pub fn event(told: &Told) -> Value {
    let mut line = match &told.event {
        SpeakerEvent::Begin { sample_rate_hz } => {
            json!({ "event": "begin", "sample_rate_hz": sample_rate_hz })
        }
        SpeakerEvent::Word(mark) => {
            let mut line = word(mark);
            line["event"] = "word".into();
            line
        }
        SpeakerEvent::Phone(mark) => json!({
            "event": "phone",
            "symbol": mark.symbol.to_string(),
            "viseme": viseme(mark.symbol),
            "word": mark.word,
            "samples": [mark.samples.start, mark.samples.end],
        }),
        SpeakerEvent::Mark(mark) => {
            json!({ "event": "mark", "name": mark.name, "text": mark.source, "sample": mark.sample })
        }
        SpeakerEvent::Unspoken { kind, source } => {
            json!({ "event": "unspoken", "kind": kind.name(), "text": [source.start, source.end] })
        }
        SpeakerEvent::Underrun { count } => json!({ "event": "underrun", "count": count }),
        SpeakerEvent::End(spoken) => json!({
            "event": "end",
            "audio_ms": spoken.audio_ms,
            "first_audio_ms": spoken.first_audio_ms,
            "rtf": spoken.rtf,
            "underruns": spoken.underruns,
        }),
        SpeakerEvent::Cancelled { reason, last_word } => {
            let mut line = json!({
                "event": "cancelled",
                "reason": reason.name(),
                "last_word": last_word.as_ref().map(word),
            });
            if let CancelReason::Failed { message, hint } = reason {
                line["error"] = message.as_str().into();
                line["hint"] = hint.as_deref().into();
            }
            line
        }
    };
    line["job"] = told.job.into();
    if told.lost_events > 0 {
        line["lost_events"] = told.lost_events.into();
    }
    line
}

fn word(mark: &WordMark) -> Value {
    json!({
        "spoken": mark.spoken,
        "text": [mark.source.start, mark.source.end],
        "samples": [mark.samples.start, mark.samples.end],
    })
}
