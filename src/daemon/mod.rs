//! The daemon: several programs speak through one loudspeaker, or have speech made for them, for months.
//!
//! ```text
//!  unix socket, HTTP, Wyoming, speech-dispatcher        tokio tasks: sockets only
//!        │                       │
//!        ▼ through the loudspeaker▼ for the client itself
//!     queue ──▶ Engine ──▶ device  SpeechStream (an Engine of its own) ──▶ bytes
//! ```

pub mod http;

mod metrics;
mod speech_stream;
mod voices;

pub use metrics::{Metrics, UtteranceMeter};
pub use speech_stream::{SpeechStream, StreamEvent, TextSender};
pub use voices::{VoiceCard, Voices};
