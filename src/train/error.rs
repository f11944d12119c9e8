//! What can go wrong while a voice is made.

use std::path::{Path, PathBuf};

/// A training command that could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The checkpoint in the folder belongs to another configuration.
    #[error("{}: the checkpoint was made with another configuration", path.display())]
    OtherConfig {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A pronunciation dictionary is not one.
    #[error("{}: {source}", path.display())]
    Dictionary {
        /// The dictionary.
        path: PathBuf,
        /// What is wrong.
        source: crate::phoneme::DictionaryError,
    },
    /// A stage builds on another that has not been trained.
    #[error("{}: the stage `{stage}` has not been trained yet", path.display())]
    StageMissing {
        /// The checkpoint that is missing.
        path: PathBuf,
        /// The stage that makes it.
        stage: &'static str,
    },
    /// The loss is not a number, again and again.
    #[error("training diverged at step {step}: the gradient was not finite {count} times in a row")]
    Diverged {
        /// The step.
        step: u64,
        /// How many times.
        count: u32,
    },
    /// The teacher or its corpus.
    #[error(transparent)]
    Corpus(#[from] super::corpus::CorpusError),
    /// The features.
    #[error(transparent)]
    Features(#[from] super::features::FeatureError),
    /// Sound could not be read or analysed.
    #[error(transparent)]
    Signal(#[from] crate::signal::SignalError),
    /// The acoustic model.
    #[error(transparent)]
    Acoustic(#[from] crate::acoustic::Error),
    /// The voice could not be packed or written.
    #[error(transparent)]
    Voice(#[from] crate::voice::VoiceError),
    /// The voice could not speak.
    #[error(transparent)]
    Speech(Box<crate::Error>),
    /// The loss curves could not be drawn.
    #[error(transparent)]
    Plot(#[from] crate::plot::PlotError),
    /// A tensor operation failed.
    #[error("compute: {0}")]
    Compute(#[from] candle_core::Error),
}

impl TrainError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    pub(super) fn damaged(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Damaged { path: path.into(), problem: problem.to_string() }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => Some("check that the folder exists, is writable and has room".into()),
            Self::Damaged { .. } => Some("delete the file and run the command again".into()),
            Self::OtherConfig { .. } => {
                Some("use the same settings as before, or an empty work folder".into())
            }
            Self::Dictionary { source, .. } => Some(source.hint().into()),
            Self::StageMissing { stage, .. } => {
                Some(format!("train it first: `fastglow train run WORK --stage {stage}`"))
            }
            Self::Diverged { .. } => Some("lower the learning rate".into()),
            Self::Corpus(error) => error.hint(),
            Self::Features(error) => error.hint(),
            Self::Signal(error) => error.hint(),
            Self::Acoustic(error) => error.hint(),
            Self::Voice(error) => error.hint(),
            Self::Speech(error) => error.hint(),
            Self::Plot(error) => error.hint(),
            Self::Compute(_) => None,
        }
    }
}
