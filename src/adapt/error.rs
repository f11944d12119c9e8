//! Why a voice could not be adapted.

use std::path::{Path, PathBuf};

use crate::train::TrainError;

/// An adaptation that could not be done. Nothing was written but its work folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptError {
    /// The folder has no recordings.
    #[error("{}: no recordings: expected `metadata.csv`, or a .txt beside each .wav", folder.display())]
    NoRecordings {
        /// The folder.
        folder: PathBuf,
    },
    /// Too few recordings are good enough to learn from and to measure on.
    #[error(
        "{}: expected at least {least} usable recordings, got {got}{}",
        folder.display(),
        first.as_ref().map_or(String::new(), |problem| format!("; the first problem: {problem}"))
    )]
    TooFew {
        /// The folder.
        folder: PathBuf,
        /// The least that is accepted.
        least: usize,
        /// How many are usable.
        got: usize,
        /// What is wrong with the first of the others.
        first: Option<String>,
    },
    /// More recordings than fit in memory.
    #[error("{}: {what}: expected at most {limit}, got {got}", folder.display())]
    TooMuch {
        /// The folder.
        folder: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// How much there is.
        got: u64,
    },
    /// Even the smallest batches would take more memory than allowed.
    #[error("memory: needs about {needed_mb} MB, allowed are {allowed_mb} MB")]
    Memory {
        /// What it would take.
        needed_mb: u64,
        /// What it may take.
        allowed_mb: u64,
    },
    /// A line of `metadata.csv` is not `file|text`.
    #[error("{}: line {line}: expected `file|text`", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A prompt cannot be read aloud.
    #[error("{}: line {line}: {reason}", path.display())]
    Prompt {
        /// The file of prompts.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why not.
        reason: String,
    },
    /// A file of prompts has none.
    #[error("{}: expected one sentence a line, got none", path.display())]
    NoPrompts {
        /// The file.
        path: PathBuf,
    },
    /// A folder's list would hide what is recorded into it.
    #[error("{}: has a `metadata.csv`: what is recorded beside it would not be found", folder.display())]
    Listed {
        /// The folder.
        folder: PathBuf,
    },
    /// The observer asked for the end.
    #[error("adaptation: stopped; the same command goes on from here")]
    Stopped,
    /// The base voice cannot be adapted.
    #[error("voice `{voice}`: {reason}")]
    Base {
        /// The voice.
        voice: String,
        /// Why not.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A voice could not be read or written.
    #[error(transparent)]
    Voice(#[from] crate::voice::VoiceError),
    /// A voice could not speak.
    #[error(transparent)]
    Speech(Box<crate::Error>),
    /// Sound could not be analysed.
    #[error(transparent)]
    Signal(#[from] crate::signal::SignalError),
    /// A picture could not be drawn.
    #[error(transparent)]
    Plot(#[from] crate::plot::PlotError),
    /// A tensor operation failed.
    #[error("compute: {0}")]
    Compute(#[from] candle_core::Error),
}

impl From<crate::acoustic::Error> for AdaptError {
    fn from(error: crate::acoustic::Error) -> Self {
        Self::Train(error.into())
    }
}

impl AdaptError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoRecordings { .. } => Some(
                "record sentences as WAV files and write each one's text into a .txt of the same name".into(),
            ),
            Self::TooFew { .. } => {
                Some("repair or record more: three minutes, about 50 sentences, make a good voice".into())
            }
            Self::TooMuch { .. } => Some("leave some out: more than ten minutes gain little".into()),
            Self::Memory { needed_mb, .. } => {
                Some(format!("use fewer recordings, or `--max-memory {needed_mb}`"))
            }
            Self::Metadata { .. } => Some("write one line a recording: `rec01|What is said in it.`".into()),
            Self::Prompt { .. } | Self::NoPrompts { .. } => Some(
                "write one sentence a line, of 5 to 14 words; lines that begin with `#` are left out".into(),
            ),
            Self::Listed { .. } => Some("record into a folder of its own".into()),
            Self::Stopped => None,
            Self::Base { .. } => Some("start from another voice: `--voice en-us-slt`".into()),
            Self::Io { .. } => Some("check that the folder exists, is writable and has room".into()),
            Self::Train(error) => error.hint(),
            Self::Voice(error) => error.hint(),
            Self::Speech(error) => error.hint(),
            Self::Signal(error) => error.hint(),
            Self::Plot(error) => error.hint(),
            Self::Compute(_) => None,
        }
    }
}
