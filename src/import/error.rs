//! Why a checkpoint does not become a voice.

use std::path::PathBuf;

use super::CheckpointError;
use crate::{acoustic, vocoder};

/// Why a checkpoint is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be read as a checkpoint.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: CheckpointError,
    },
    /// The checkpoint lacks a tensor, or one is damaged.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No tensors of such a model, or of several.
    #[error("expected one {model} in the checkpoint, got {got}")]
    Count {
        /// Which kind.
        model: &'static str,
        /// How many.
        got: usize,
    },
    /// A model that is known and not taken.
    #[error("expected {expected}, got a checkpoint of {got}")]
    Kind {
        /// What was asked for.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
    /// The shapes are not those of such a model.
    #[error("tensor `{name}`: expected {expected}, got {got:?}")]
    Shape {
        /// Which.
        name: String,
        /// What belongs there.
        expected: &'static str,
        /// Its shape.
        got: Vec<usize>,
    },
    /// A tensor's values are not what the model can have there.
    #[error("tensor `{name}`: {problem}")]
    Values {
        /// Which.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A tensor under the model's name that is no part of it.
    #[error("tensor `{name}` is no part of {model}")]
    Unknown {
        /// Which.
        name: String,
        /// Of what.
        model: &'static str,
    },
    /// The statistics cannot be read, or are another model's.
    #[error("statistics: {problem}")]
    Statistics {
        /// What is wrong.
        problem: String,
    },
    /// The two models do not speak of the same frames.
    #[error("the acoustic model makes {acoustic} mel bands, the vocoder takes {vocoder}")]
    Bands {
        /// Of the one.
        acoustic: usize,
        /// Of the other.
        vocoder: usize,
    },
    /// A voice that was read back is not what was written.
    #[error("{}: tensor `{name}` is not what was written", .path.display())]
    RoundTrip {
        /// The file.
        path: PathBuf,
        /// The first tensor that differs.
        name: String,
    },
    /// The shapes make no vocoder.
    #[error(transparent)]
    Vocoder(#[from] vocoder::ConfigError),
    /// The shapes make no acoustic model, or a setting is out of range.
    #[error(transparent)]
    Acoustic(#[from] acoustic::Error),
    /// What was imported cannot be loaded: a tensor is missing, misshapen, or one too many.
    #[error("what was imported is no whole model: {0}")]
    Misfit(Box<crate::Error>),
    /// A tensor operation failed.
    #[error("compute: {0}")]
    Compute(#[from] candle_core::Error),
}

impl ImportError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File { source, .. } | Self::Checkpoint(source) => return source.hint(),
            Self::Count { got: 0, model } => format!(
                "give a checkpoint of {model}; `--acoustic` takes ming024's FastSpeech 2, xcmyz's FastSpeech 1 and \
                 NVIDIA's FastPitch, `--vocoder` NVIDIA's WaveGlow"
            ),
            Self::Count { .. } => "save the one model alone".into(),
            Self::Kind { .. } => {
                "`--stats` and `--speaker` are for models that have them; `--acoustic` takes \
                 FastSpeech 2, FastSpeech 1 and FastPitch, `--vocoder` WaveGlow"
                    .into()
            }
            Self::Shape { .. } | Self::Values { .. } | Self::Unknown { .. } | Self::Misfit(_) => {
                "the checkpoint is damaged, or of a fork that changed the model".into()
            }
            Self::Statistics { .. } => {
                "give the `stats.json` of the preprocessed data that the model was trained on".into()
            }
            Self::Bands { .. } => "import each alone, or give two that were made for each other".into(),
            Self::RoundTrip { .. } => {
                "the disk is failing, or the file was changed meanwhile: try again".into()
            }
            Self::Acoustic(acoustic::Error::Config { .. }) => {
                "see that `--heads` is the model's own number of attention heads".into()
            }
            Self::Acoustic(error) => return error.hint(),
            Self::Vocoder(_) => {
                "see that `--denoise` is from 0 to 2; else the model is of another size than \
                 published ones"
                    .into()
            }
            Self::Compute(_) => return None,
        })
    }
}
