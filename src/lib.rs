//! Speech for robots and kiosks: text in, sound out, on this machine alone.
//!
//! ```text
//!  text ──▶ phoneme ──▶ acoustic ──▶ vocoder ──▶ audio
//!  chunk    phones      mel, F0      PCM         ring, sink
//! ```
//!
//! [`engine::Synthesizer`] joins the stages, [`engine::Engine`] runs them while the text comes. Each stage is a module of
//! its own, and its output type is all that the next one knows of it. [`voice`] is the file that holds both models.
//! [`markup`] reads SSML.
//!
//! ```no_run
//! use fastglow::engine::{SpeakConfig, Synthesizer};
//! use fastglow::voice::{DEFAULT_VOICE, SearchPath};
//!
//! let voice = SearchPath::from_environment().find(DEFAULT_VOICE)?;
//! let samples = Synthesizer::load(&voice)?.speak("Hello, world.", SpeakConfig::default())?;
//! # Ok::<(), fastglow::Error>(())
//! ```
//!
//! # Threads
//!
//! | thread | runs | may wait or allocate |
//! |---|---|---|
//! | the caller's, with [`engine::Utterance`] | all models | yes |
//! | `fastglow-acoustic`, one an [`engine::Engine`] | text, phones, FastSpeech: the next chunk's frames | yes |
//! | `fastglow-vocoder`, one an engine | WaveGlow: windows into the ring, events to the listener | yes |
//! | candle's pools | parts of matrix products; as many as `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS` say | yes |
//! | `fastglow-audio` | opens the sound card, pauses it when idle, finds it again when it went away | yes |
//! | `fastglow-sockets`, two a daemon | sockets alone: lines, frames, requests; files and voices go to tokio's blocking threads | yes, but never for a client |
//! | `fastglow-speaker`, one a daemon | the loudspeaker's queue: one utterance after another into its engine | yes |
//! | `fastglow-stream`, one an utterance over HTTP or Wyoming | waits for its engine's end | yes |
//! | the sound card's | [`audio::playback::Playback::run`]: empties the ring | never |
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::exit
    )
)]

pub mod error;

mod atomic_file;
mod random;

pub mod text;

pub mod markup;

pub mod phoneme;

pub mod compute;

pub mod nn;

pub mod signal;

pub mod acoustic;

pub mod vocoder;

pub mod voice;

pub mod import;

pub mod audio;

pub mod engine;

pub mod parity;

#[cfg(feature = "daemon")]
pub mod daemon;

#[cfg(feature = "daemon")]
pub mod config;

#[cfg(feature = "plot")]
pub mod plot;

#[cfg(feature = "train")]
pub mod train;

#[cfg(feature = "train")]
pub mod adapt;

pub use error::{Error, Result};

// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
