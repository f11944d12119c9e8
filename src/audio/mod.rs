//! Samples become sound: the ring, the audio thread's part, and the sinks.
//!
//! ```text
//!  Sink::write ──▶ rate ──▶ ring ──▶ fill: fades, volume ──▶ device callback
//!                            ▲         ▲
//!               stop ────────┘         └──── pause, volume      (Control)
//! ```
//!
//! | thread | does | may wait |
//! |---|---|---|
//! | the one that computes | [`Sink::write`]: converts the rate, fills the ring | yes |
//! | any | [`Control`]: stop, pause, volume, what was heard | for one block's conversion |
//! | `fastglow-audio` | opens the sound card, pauses it when idle, finds it again | yes |
//! | the device's | [`playback::Playback::run`]: empties the ring, fades gaps | never |
//! | a microphone's | [`capture::Intake::run`]: mixes the channels, fills the ring of a [`Capture`] | never |

mod bell;
pub mod capture;
mod clock;
mod control;
pub mod convert;
#[cfg(feature = "device")]
mod device;
mod error;
mod feed;
#[cfg(feature = "device")]
mod keeper;
pub mod null;
mod pcm;
pub mod playback;
mod player;
#[cfg(feature = "device")]
mod priority;
mod reference;
pub mod ring;
mod sink;
mod timeline;

pub use clock::Clock;
pub use control::{Control, Progress};
#[cfg(feature = "device")]
pub use device::{Capture, DeviceInfo, Microphone, devices, microphones};
pub use error::AudioError;
#[cfg(feature = "device")]
pub use keeper::open_on;
pub use pcm::to_pcm16;
#[cfg(any(feature = "daemon", feature = "train"))]
pub(crate) use pcm::wav_header;
pub use reference::{Reference, ReferenceReader, reference};
pub use sink::{Played, SINKS, Sink, SinkConfig, SinkKind, Target, open};
