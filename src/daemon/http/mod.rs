//! Speech over HTTP, in the shape of OpenAI's interface, and a page to try it.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/audio/speech` | speech, in pieces as they are made, or as server-sent events |
//! | `GET /v1/audio/stream` | a WebSocket: text goes in while it is written, sound and time marks come out |
//! | `GET /v1/audio/voices`, `GET /v1/models` | what there is |
//! | `POST /v1/loudspeaker` | a request of the daemon's own protocol, for the loudspeaker that all clients share |
//! | `GET /v1/lexicon`; `GET`, `PUT`, `DELETE /v1/lexicon/{word}` | the user's own pronunciations |
//! | `GET /health`, `GET /metrics` | for supervisors and Prometheus |
//! | `GET /` | the page |
//!
//! Differences to OpenAI's: formats are `wav` (the default), `pcm` and `flac`; `speed` is 0.5 to 2; `model` may be
//! anything; without `voice` the default one speaks. `pcm` has the voice's rate, which the content type tells, unless
//! `sample_rate_hz` asks for another. `"stream": false` gives a complete file with its true length. With `"ssml": true` the
//! input is a document of SSML ([`crate::markup`]).
//!
//! Every error is `{"error": {"message", "type", "param", "code", "hint"}}`.
//!
//! A token is required wherever others than this machine can connect. Without one, requests that a web page of elsewhere
//! makes a browser send are refused: they come from this machine, but not from its user.

mod body;
mod catalogue;
mod encoding;
mod error;
mod flac;
mod guard;
mod lexicon;
mod limits;
#[cfg(unix)]
mod loudspeaker;
mod page;
mod server;
mod socket;
mod speech;
mod stall;
mod utterance;

use std::sync::Arc;

pub use error::HttpError;
pub use guard::Token;
pub use limits::HttpLimits;
pub use server::run;

use super::Shared;

/// What the server works with.
#[derive(Clone)]
pub struct HttpDeps {
    /// The daemon's parts.
    pub shared: Arc<Shared>,
    /// How much it takes.
    pub limits: HttpLimits,
    /// What clients must know; `None` lets all of this machine in, and requires a loopback address.
    pub token: Option<Token>,
}
