//! What is told to whoever starts the server, and to its clients.

use std::io;
use std::net::SocketAddr;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::encoding::Format;
use crate::daemon::LexiconError;
use crate::engine::SpeakConfigError;
use crate::markup::SsmlError;
use crate::text::TextError;
use crate::voice::VoiceError;

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Others than this machine could connect, and nothing would keep them out.
    #[error("http: address {address}: expected a token, got none")]
    TokenRequired {
        /// Where it would have listened.
        address: SocketAddr,
    },
    /// A token file cannot be read.
    #[error("http: token file {path}: {source}")]
    TokenFile {
        /// The file.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A token file holds no usable token.
    #[error("http: token file {path}: expected {expected}, got {got}")]
    Token {
        /// The file.
        path: String,
        /// What a token is.
        expected: &'static str,
        /// What is there instead. Never the token itself.
        got: String,
    },
    /// The listener is broken.
    #[error("http: {source}")]
    Listener {
        /// What the operating system said.
        #[from]
        source: io::Error,
    },
}

impl HttpError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TokenRequired { .. } => Some("name a token file, or listen on 127.0.0.1"),
            Self::TokenFile { .. } | Self::Token { .. } => {
                Some("make one: `head -c 24 /dev/urandom | base64 | tr '+/' '-_' > FILE; chmod 600 FILE`")
            }
            Self::Listener { .. } => None,
        }
    }
}

/// A request cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("body: expected a JSON object of a speech request, got: {reason}")]
    Json { reason: String },
    #[error("body: expected at most {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: usize },
    #[error("body: expected all of it within {limit_ms} ms")]
    BodyTooSlow { limit_ms: u64 },
    #[error("body: the connection broke: {reason}")]
    BodyBroken { reason: String },
    #[error("{param}: expected at most {limit_chars} characters, got {got_chars}")]
    TextTooLong { param: &'static str, limit_chars: usize, got_chars: usize },
    #[error("response_format: expected one of {}, got `{got}`", Format::NAMES)]
    Format { got: String },
    #[error("sample_rate_hz: expected 8000 to 48000, got {got}")]
    SampleRate { got: u32 },
    #[error(
        "stream: `false` gives a complete file, `stream_format` `sse` gives events; expected one of them"
    )]
    WholeEvents,
    #[error("voice: there is no `{name}`")]
    UnknownVoice { name: String, known: Vec<String> },
    #[error("input: {0}")]
    Text(#[from] TextError),
    #[error("input: {0}")]
    Ssml(#[from] SsmlError),
    #[error("{}: expected {} to {}, got {}", setting(.0), .0.least, .0.most, .0.got)]
    Setting(SpeakConfigError),
    #[error("message: {what}")]
    Message { what: &'static str, hint: &'static str },
    #[error("authorization: expected the bearer token of this server")]
    Token,
    #[error("origin: a web page of elsewhere may not speak here")]
    Origin,
    #[error("host: expected a name of this machine, got another")]
    Host,
    #[error("there is no `{path}` here")]
    Path { path: String },
    #[error("this path takes another method")]
    Method,
    #[error("as much is being spoken as this machine may at a time")]
    Busy,
    #[error("the utterance took longer than {limit_ms} ms")]
    TooSlow { limit_ms: u64 },
    #[error("{message}")]
    Loudspeaker { code: &'static str, message: String },
    #[error("loudspeaker: the configuration says there is none")]
    NoLoudspeaker,
    #[error("lexicon: {}", told(.0))]
    Lexicon(#[from] LexiconError),
    #[error("{0}")]
    Speech(crate::Error),
    #[error("a thread of the server failed")]
    Thread,
}

/// The request's name of a setting.
fn setting(error: &SpeakConfigError) -> &'static str {
    if error.what == "rate" { "speed" } else { error.what }
}

/// A client is not told of files.
fn told(error: &LexiconError) -> String {
    match error {
        LexiconError::File { .. } => "its file cannot be read or written".to_owned(),
        LexiconError::Content { source, .. } => format!("its file: {source}"),
        LexiconError::NoFile | LexiconError::Word(_) => error.to_string(),
    }
}

impl From<crate::Error> for Refusal {
    fn from(error: crate::Error) -> Self {
        match error {
            crate::Error::SpeakConfig(error) => Self::Setting(error),
            crate::Error::Text(error) => Self::Text(error),
            crate::Error::Ssml(error) => Self::Ssml(error),
            crate::Error::Voice(VoiceError::NotFound { name, .. }) => {
                Self::UnknownVoice { name, known: Vec::new() }
            }
            other => Self::Speech(other),
        }
    }
}

/// A refusal as clients read it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: &'static str,
    hint: Option<String>,
}

#[derive(Serialize)]
struct Wrapped {
    error: Told,
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Origin | Self::Host => StatusCode::FORBIDDEN,
            Self::Path { .. } | Self::UnknownVoice { .. } => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy | Self::NoLoudspeaker => StatusCode::SERVICE_UNAVAILABLE,
            Self::Loudspeaker {
                code: "bad_request" | "bad_ssml" | "out_of_range" | "text_too_long", ..
            } => StatusCode::BAD_REQUEST,
            Self::Loudspeaker { code: "unknown_job" | "finished", .. } => StatusCode::NOT_FOUND,
            Self::Loudspeaker { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Lexicon(LexiconError::NoFile) => StatusCode::CONFLICT,
            Self::Lexicon(LexiconError::File { .. } | LexiconError::Content { .. }) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::TooSlow { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Speech(_) | Self::Thread => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Stable, for programs.
    fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "invalid_json",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTooSlow { .. } | Self::BodyBroken { .. } => "body_incomplete",
            Self::TextTooLong { .. } => "text_too_long",
            Self::Format { .. } => "unsupported_format",
            Self::SampleRate { .. } | Self::WholeEvents | Self::Setting(_) => "invalid_value",
            Self::UnknownVoice { .. } => "voice_not_found",
            Self::Text(_) => "nothing_to_say",
            Self::Ssml(_) => "invalid_ssml",
            Self::Message { .. } => "invalid_message",
            Self::Token => "invalid_token",
            Self::Origin | Self::Host => "forbidden",
            Self::Path { .. } => "not_found",
            Self::Method => "method_not_allowed",
            Self::Busy => "overloaded",
            Self::Loudspeaker { code, .. } => code,
            Self::NoLoudspeaker => "no_loudspeaker",
            Self::Lexicon(LexiconError::NoFile) => "no_lexicon",
            Self::Lexicon(LexiconError::Word(_)) => "invalid_value",
            Self::Lexicon(_) => "lexicon_failed",
            Self::TooSlow { .. } => "too_slow",
            Self::Speech(_) | Self::Thread => "internal",
        }
    }

    fn param(&self) -> Option<&'static str> {
        match self {
            Self::TextTooLong { param, .. } => Some(param),
            Self::Format { .. } => Some("response_format"),
            Self::SampleRate { .. } => Some("sample_rate_hz"),
            Self::WholeEvents => Some("stream"),
            Self::UnknownVoice { .. } => Some("voice"),
            Self::Text(_) | Self::Ssml(_) => Some("input"),
            Self::Setting(error) => Some(setting(error)),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Json { .. } => r#"send {"input": "Hello."} with the content type application/json"#,
            Self::BodyTooLarge { .. } | Self::TextTooLong { .. } => "send the text in several requests",
            Self::Format { .. } => "ask for `wav`, which every player knows",
            Self::UnknownVoice { known, .. } => {
                return Some(format!("there are: {}", known.join(", ")));
            }
            Self::Text(error) => error.hint(),
            Self::Message { hint, .. } => hint,
            Self::Token => "send `Authorization: Bearer TOKEN`",
            Self::Origin => "open the page that this server itself serves",
            Self::Host => "connect to localhost, or give the server a token",
            Self::Path { .. } => "see `GET /`",
            Self::Busy => "try again in a second",
            Self::Lexicon(LexiconError::NoFile) => {
                "name one in the configuration, as `lexicon` of `[voices]`"
            }
            Self::Ssml(error) => return Some(error.hint()),
            Self::Speech(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }

    pub fn tell(&self) -> Told {
        let is_ours = self.status().is_server_error();
        Told {
            message: self.to_string(),
            kind: if is_ours { "server_error" } else { "invalid_request_error" },
            param: self.param(),
            code: self.code(),
            hint: self.hint(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match &self {
            Self::Speech(error) => tracing::error!(%error, "http: speech failed"),
            Self::Lexicon(error @ (LexiconError::File { .. } | LexiconError::Content { .. })) => {
                tracing::error!(%error, "http: the lexicon was not changed");
            }
            _ => {}
        }
        let mut response = (self.status(), Json(Wrapped { error: self.tell() })).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Busy => drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"))),
            Self::Token => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // What is left of the body is not read.
            Self::BodyTooLarge { .. } | Self::BodyTooSlow { .. } => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
