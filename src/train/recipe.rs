//! The order in which a vocoder learns: prior alone, then flows on top, then its own samples are judged as well.
//!
//! Each stage starts from the best weights of the one before. New couplings start as the identity, so nothing is lost
//! on the way.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::TrainError;
use super::checkpoint;
use super::run::{Ending, Observer, RunConfig, train};
use super::vocoder::{Material, VocoderTask, VocoderTraining};
use crate::nn::Params;
use crate::vocoder::Config;

/// A stage of the vocoder's training.
#[derive(Debug, Clone, PartialEq)]
pub struct VocoderStage {
    /// Its folder within the work folder.
    pub name: &'static str,
    /// The stage whose best weights it starts from.
    pub starts_from: Option<&'static str>,
    /// Flow steps of the model.
    pub flows: usize,
    /// Batches and losses.
    pub training: VocoderTraining,
    /// Steps and rates.
    pub run: RunConfig,
}

/// The stages that made the bundled voice.
pub fn vocoder_stages() -> Vec<VocoderStage> {
    let run = |steps, learning_rate| RunConfig { steps, learning_rate, ..RunConfig::default() };
    let flows = Config::native().flows;
    vec![
        VocoderStage {
            name: "vocoder-prior",
            starts_from: None,
            flows: 0,
            training: VocoderTraining { seed: 1, ..VocoderTraining::default() },
            run: run(1000, 2e-3),
        },
        VocoderStage {
            name: "vocoder-flows",
            starts_from: Some("vocoder-prior"),
            flows,
            training: VocoderTraining { seed: 2, ..VocoderTraining::default() },
            run: run(2400, 1e-3),
        },
        VocoderStage {
            name: "vocoder-distance",
            starts_from: Some("vocoder-flows"),
            flows,
            training: VocoderTraining { seed: 3, distance_weight: 1.0, ..VocoderTraining::default() },
            run: run(2400, 5e-4),
        },
    ]
}

/// The best weights of a stage, by parameter name.
///
/// # Errors
/// The stage has not been validated yet, or its file is damaged.
pub fn best_weights(work: &Path, stage: &str) -> Result<HashMap<String, Tensor>, TrainError> {
    Ok(checkpoint::load(&checkpoint::Files::new(&work.join(stage)).best)?.0)
}

/// Runs one stage in `work`, going on from its checkpoint if there is one.
///
/// # Errors
/// As [`train`]; also when the stage before has no weights.
pub fn run_vocoder_stage(
    stage: &VocoderStage,
    native: &Config,
    (material, held_out): (Material, Material),
    work: &Path,
    observer: &mut Observer<'_>,
) -> Result<Ending, TrainError> {
    let config = Config { flows: stage.flows, ..native.clone() };
    let preset = match stage.starts_from {
        Some(before) => best_weights(work, before)?,
        None => HashMap::new(),
    };
    let params = Params::trainable(stage.training.seed, preset, &Device::Cpu);
    let mut task = VocoderTask::new(&config, params, (material, held_out), stage.training)?;
    let model = serde_json::to_string(&(&config, &stage.training, stage.run.steps, stage.run.learning_rate))
        .map_err(|e| TrainError::damaged(work, e))?;
    train(&mut task, &RunConfig { model, ..stage.run.clone() }, &work.join(stage.name), observer)
}
