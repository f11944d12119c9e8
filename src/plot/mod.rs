//! Pictures for people: speech as waveform, spectrogram and phones; training as curves. PNG, written whole or not at all.

mod axis;
mod canvas;
mod curves;
mod speech;

use std::io;
use std::path::Path;

use crate::signal::SignalError;

pub use curves::{Curve, CurvePlot, loss_curve};
pub use speech::{PhoneSpan, SpeechPlot, speech, speech_png};

/// A picture could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// Nothing to draw: no samples, or no curve with two finite points.
    #[error("plot: expected {expected}, got none")]
    Empty {
        /// What is missing.
        expected: &'static str,
    },
    /// The spectrogram could not be computed.
    #[error("plot: {0}")]
    Signal(#[from] SignalError),
    /// The file could not be written; nothing was left behind.
    #[error("{path}: cannot write: {source}")]
    Write {
        /// The file.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl PlotError {
    fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.display().to_string(), source }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            PlotError::Empty { .. } => None,
            PlotError::Signal(error) => error.hint(),
            PlotError::Write { .. } => Some("choose a folder that exists, is writable and has room".into()),
        }
    }
}
