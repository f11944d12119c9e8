//! The daemon: several programs speak through one loudspeaker, or have speech made for them, for months.
//!
//! ```text
//!  unix socket, HTTP, Wyoming, speech-dispatcher        tokio tasks: sockets only
//!        │                       │
//!        ▼ through the loudspeaker▼ for the client itself
//!     queue ──▶ Engine ──▶ device  SpeechStream (an Engine of its own) ──▶ bytes
//! ```

pub mod http;
mod lexicon;
mod limits;
mod queue;
#[cfg(unix)]
pub mod reference;
mod shared;
#[cfg(unix)]
pub mod socket;
mod speaker;

mod metrics;
mod speech_stream;
pub mod speechd;
mod ssml;
mod voices;
pub mod wyoming;

pub use lexicon::{Lexicon, LexiconError};
pub use limits::Limits;
pub use metrics::{Metrics, UtteranceMeter};
pub use queue::{ClientNumber, JobNumber, Place, Queue};
pub use shared::{Settings, Shared};
pub use speaker::{
    CancelReason, Client, LoudspeakerConfig, OpenLoudspeaker, Say, Scope, Speaker, SpeakerError,
    SpeakerEvent, SpeakerStatus, Spoken, Tally, Told,
};
pub use speech_stream::{SpeechStream, StreamEvent, TextSender};
pub use voices::{VoiceCard, Voices};
