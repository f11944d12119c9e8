//! fastglow: streaming speech synthesis for robots and kiosks.
//!
//! ```text
//!  text ──▶ phoneme ──▶ acoustic ──▶ vocoder ──▶ audio
//!  chunk    phones      mel, F0      PCM         ring, sink
//! ```
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

pub mod text;

pub mod phoneme;

pub mod nn;

pub mod signal;

pub mod acoustic;

pub mod vocoder;

pub mod voice;

pub mod audio;

pub mod engine;

#[cfg(feature = "plot")]
pub mod plot;

#[cfg(feature = "train")]
pub mod train;

pub use error::{Error, Result};
