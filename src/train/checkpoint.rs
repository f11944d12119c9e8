//! What a killed run needs to go on: one safetensors file, replaced atomically.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::atomic_file;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Best validation criterion so far, if there was one.
    pub best: Option<f32>,
    /// Validations since then.
    pub stale_validations: u32,
    /// Seconds of training so far, over all runs.
    pub seconds: f64,
    /// The model's configuration as JSON: a checkpoint of another one is refused.
    pub config: String,
    /// What the next line of the log will be the mean of.
    #[serde(default)]
    pub sums: Sums,
}

/// Sums of named figures over steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sums {
    named: BTreeMap<String, f64>,
    steps: u32,
}

impl Sums {
    /// Adds a step's figures.
    pub fn add(&mut self, figures: impl IntoIterator<Item = (&'static str, f32)>) {
        for (name, value) in figures {
            *self.named.entry(name.into()).or_default() += f64::from(value);
        }
        self.steps += 1;
    }

    /// The means by name.
    pub fn means(self) -> Vec<(String, f32)> {
        let steps = f64::from(self.steps.max(1));
        self.named.into_iter().map(|(name, sum)| (name, (sum / steps) as f32)).collect()
    }
}

const PROGRESS: &str = "progress";

/// Writes `tensors` and `progress` to `path`, atomically.
///
/// # Errors
/// The disk is full or the folder cannot be written to; the file that was there is untouched.
pub fn save(
    path: &Path,
    mut tensors: HashMap<String, Tensor>,
    progress: &Progress,
) -> Result<(), TrainError> {
    let json = serde_json::to_vec(progress).map_err(|e| TrainError::damaged(path, e))?;
    let length = json.len();
    tensors.insert(PROGRESS.into(), Tensor::from_vec(json, length, &Device::Cpu)?);
    let bytes = safetensors::serialize(&tensors, None).map_err(|e| TrainError::damaged(path, e))?;
    atomic_file::write(path, |file| file.write_all(&bytes)).map_err(|e| TrainError::io(path, e))
}

/// Reads a checkpoint.
///
/// # Errors
/// The file is missing, damaged, or not a checkpoint.
pub fn load(path: &Path) -> Result<(HashMap<String, Tensor>, Progress), TrainError> {
    let mut tensors =
        candle_core::safetensors::load(path, &Device::Cpu).map_err(|e| TrainError::damaged(path, e))?;
    let json = tensors
        .remove(PROGRESS)
        .ok_or_else(|| TrainError::damaged(path, "it holds no progress"))?
        .to_vec1::<u8>()
        .map_err(|e| TrainError::damaged(path, e))?;
    let progress = serde_json::from_slice(&json).map_err(|e| TrainError::damaged(path, e))?;
    Ok((tensors, progress))
}

/// The files of a run in its folder.
pub(super) struct Files {
    pub(super) last: PathBuf,
    pub(super) best: PathBuf,
    pub(super) log: PathBuf,
}

impl Files {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            last: folder.join("last.safetensors"),
            best: folder.join("best.safetensors"),
            log: folder.join("log.jsonl"),
        }
    }
}
