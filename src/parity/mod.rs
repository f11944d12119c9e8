//! A voice against what the original code computed: inputs and outputs of FastSpeech 2, WaveGlow and the mel front end.
//!
//! The arrays are those of a file of tensors, by name; which of the three sets they are is told by the names. Every output
//! has a tolerance of its own. Arrays that belong to none are listed, and so are those that a set should have and the
//! file has not.

mod arrays;
mod difference;
mod fastspeech;
mod mel;
mod waveglow;

use std::sync::Arc;

use serde::Serialize;

use crate::Result;
use crate::engine::{acoustic_model, vocoder_model};
use crate::import::{Checkpoint, CheckpointError, ImportError};
use crate::voice::{MelSettings, Voice};
use arrays::Arrays;

pub use difference::{Difference, Models};

/// How an output is held against what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// The largest difference over the largest value wanted.
    OfLargest,
    /// The largest difference.
    Absolute,
    /// The largest difference in tolerances: each value has one of its own.
    OfTolerance,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The array.
    pub array: String,
    /// Its largest error; `None` where it cannot be told: another shape, or not a number.
    pub error: Option<f64>,
    /// How it is counted.
    pub measure: Measure,
    /// The largest that is accepted.
    pub tolerance: f64,
    /// Whether it is within.
    pub is_within: bool,
    /// What else is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// All that a file of arrays says of a voice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether every output that could be compared is within its tolerance.
    pub is_within: bool,
    /// The outputs, in the order in which they were computed.
    pub compared: Vec<Comparison>,
    /// Arrays that a set has and this file has not; what depends on them was not compared.
    pub missing: Vec<String>,
    /// Arrays of no known set.
    pub ignored: Vec<String>,
}

/// Computes what `file` has the outputs of, and compares.
///
/// # Errors
/// The file has no known array, the voice lacks the model that they are of, or a computation failed.
pub fn compare(voice: Option<&Voice>, file: &Checkpoint) -> Result<Report> {
    let mut arrays = Arrays::new(file);
    let sets = [fastspeech::is_set(&arrays), waveglow::is_set(&arrays), mel::is_set(&arrays)];
    if sets == [false; 3] {
        return Err(ImportError::Count { model: "set of known arrays", got: 0 }.into());
    }
    let missing = || ImportError::Count { model: "voice for these arrays", got: 0 };
    if sets[0] {
        let model = acoustic_model(voice.ok_or_else(missing)?)?;
        fastspeech::compare(&model, &mut arrays)?;
    }
    if sets[1] {
        let model = Arc::new(vocoder_model(voice.ok_or_else(missing)?)?);
        waveglow::compare(&model, &mut arrays)?;
    }
    if sets[2] {
        let settings = voice.map_or_else(MelSettings::default, |voice| voice.meta().mel.clone());
        let sample_rate_hz = voice.map_or(22_050, |voice| voice.meta().sample_rate_hz);
        mel::compare(&settings, sample_rate_hz, &mut arrays)?;
    }
    let report = arrays.report();
    if report.compared.is_empty() {
        let what = format!("output with its inputs; {} are missing", report.missing.join(", "));
        return Err(ImportError::Checkpoint(CheckpointError::Missing { what }).into());
    }
    Ok(report)
}
