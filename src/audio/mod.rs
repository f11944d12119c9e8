//! Samples become sound: the ring, the audio thread's part, and the sinks.
//!
//! | thread | does | may wait |
//! |---|---|---|
//! | the one that computes | [`Sink::write`]: converts the rate, fills the ring | yes |
//! | the device's | [`playback::Playback::run`]: empties the ring, fades gaps | never |

pub mod convert;
#[cfg(feature = "device")]
mod device;
mod error;
mod pcm;
pub mod playback;
pub mod ring;
mod sink;

pub use error::AudioError;
pub use pcm::to_pcm16;
pub use sink::{Played, SINKS, Sink, SinkConfig, SinkKind, Target, open};
