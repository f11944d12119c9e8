//! The stages that make a voice, in order, and the voice that comes out.
//!
//! The vocoder's prior learns alone, then flows are put on top, then its own samples are judged as well. Each stage starts
//! from the best weights of the one before; new couplings start as the identity, so nothing is lost on the way.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::Serialize;

use super::TrainError;
use super::acoustic::{AcousticOptions, AcousticTask, Example};
use super::adam::AdamConfig;
use super::checkpoint::{self, Files, Progress};
use super::features::{Split, load_features};
use super::run::{Ending, Observer, RunConfig, train};
use super::vocoder::{Material, VocoderTask, VocoderTraining};
use crate::nn::Params;
use crate::voice::{Meta, ModelConfigs, Packing, Part, Voice};
use crate::{acoustic, vocoder};

/// The folder of feature files within a work folder.
pub const FEATURES_DIR: &str = "features";
/// The folder of the corpus within a work folder.
pub const CORPUS_DIR: &str = "corpus";

/// What a stage trains.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// Phones to mel; the seed decides start, batches and dropout.
    Acoustic {
        /// The seed.
        seed: u64,
    },
    /// Mel to samples.
    Vocoder {
        /// Flow steps of the model.
        flows: usize,
        /// Batches and losses.
        training: VocoderTraining,
    },
}

/// A stage of the training.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its folder within the work folder.
    pub name: &'static str,
    /// The stage whose best weights it starts from.
    pub starts_from: Option<&'static str>,
    /// What is trained.
    pub model: Model,
    /// Steps and rates.
    pub run: RunConfig,
}

impl Stage {
    /// The part of the voice that it trains.
    pub fn part(&self) -> Part {
        match self.model {
            Model::Acoustic { .. } => Part::Acoustic,
            Model::Vocoder { .. } => Part::Vocoder,
        }
    }
}

/// The stages of a native voice. `scale` multiplies every number of steps: 1 takes about two hours on one core of 2026.
pub fn stages(scale: f64) -> Vec<Stage> {
    let run = |steps: f64, learning_rate| RunConfig {
        steps: (steps * scale).ceil().max(1.0) as u64,
        learning_rate,
        ..RunConfig::default()
    };
    let flows = vocoder::Config::native().flows;
    let vocoder = |name, starts_from, flows, (seed, distance_weight), run| Stage {
        name,
        starts_from,
        model: Model::Vocoder {
            flows,
            training: VocoderTraining { seed, distance_weight, ..VocoderTraining::default() },
        },
        run,
    };
    let gentle = AdamConfig { clip_norm: 1.0, ..AdamConfig::default() };
    vec![
        Stage {
            name: "acoustic",
            starts_from: None,
            model: Model::Acoustic { seed: 0 },
            run: RunConfig { validate_every: 500, adam: gentle, ..run(9000.0, 1e-3) },
        },
        vocoder("vocoder-prior", None, 0, (1, 0.0), run(1000.0, 2e-3)),
        vocoder("vocoder-flows", Some("vocoder-prior"), flows, (2, 0.0), run(2400.0, 1e-3)),
        vocoder("vocoder-distance", Some("vocoder-flows"), flows, (3, 1.0), run(4000.0, 5e-4)),
    ]
}

/// The best weights of a stage, by parameter name.
///
/// # Errors
/// The stage has not been validated yet, or its file is damaged.
pub fn best_weights(work: &Path, stage: &str) -> Result<HashMap<String, Tensor>, TrainError> {
    Ok(checkpoint::load(&Files::new(&work.join(stage)).best)?.0)
}

/// Runs one stage in `work`, going on from its checkpoint if there is one.
///
/// # Errors
/// As [`train`]; also when the features, or the weights of the stage before, are missing.
pub fn run_stage(stage: &Stage, work: &Path, observer: &mut Observer<'_>) -> Result<Ending, TrainError> {
    let preset = match stage.starts_from {
        Some(before) => best_weights(work, before)?,
        None => HashMap::new(),
    };
    let features = work.join(FEATURES_DIR);
    let folder = work.join(stage.name);
    let rates = (stage.run.steps, stage.run.learning_rate);
    match &stage.model {
        Model::Acoustic { seed } => {
            let config = acoustic::Config::default();
            let read = |split| -> Result<Vec<Example>, TrainError> {
                Ok(load_features(&features, split)?.into_iter().map(Example::from).collect())
            };
            let options = AcousticOptions { seed: *seed, preset, ..AcousticOptions::default() };
            let mut task = AcousticTask::new(&config, (read(Split::Train)?, read(Split::HeldOut)?), options)?;
            let model = fingerprint(&(&config, seed, rates));
            train(&mut task, &RunConfig { model, ..stage.run.clone() }, &folder, observer)
        }
        Model::Vocoder { flows, training } => {
            let native = vocoder::Config::native();
            let read = |split| -> Result<Material, TrainError> {
                Ok(Material::from_utterances(&load_features(&features, split)?, native.mel_bands))
            };
            let material = read(Split::Train)?;
            let config = vocoder::Config { flows: *flows, sample_rms: material.rms(), ..native };
            let params = Params::trainable(training.seed, preset, &Device::Cpu);
            let held_out = read(Split::HeldOut)?;
            let mut task = VocoderTask::new(&config, params, (material, held_out), *training)?;
            let model = fingerprint(&(&config, training, rates));
            train(&mut task, &RunConfig { model, ..stage.run.clone() }, &folder, observer)
        }
    }
}

fn fingerprint(settings: &impl Serialize) -> String {
    serde_json::to_string(settings).unwrap_or_default()
}

/// The voice of the last stages' best weights.
///
/// # Errors
/// A stage is missing, or a weight is not finite.
pub fn assemble(work: &Path, meta: Meta, packing: Packing) -> Result<Voice, TrainError> {
    let stages = stages(1.0);
    let mut weights = BTreeMap::new();
    let mut configs = ModelConfigs::default();
    let mut training = serde_json::Map::new();
    for part in [Part::Acoustic, Part::Vocoder] {
        let of_part = |stage: &&Stage| stage.part() == part;
        for stage in stages.iter().filter(of_part) {
            let (_, progress) = checkpoint::load(&Files::new(&work.join(stage.name)).best)?;
            let Progress { step, best, seconds, .. } = progress;
            let figures = serde_json::json!({ "step": step, "criterion": best, "seconds": seconds.round() });
            training.insert(stage.name.into(), figures);
        }
        let Some(last) = stages.iter().rfind(of_part) else { continue };
        for (name, tensor) in best_weights(work, last.name)? {
            weights.insert(format!("{}.{name}", part.name()), tensor);
        }
        let path = Files::new(&work.join(last.name)).best;
        let (_, progress) = checkpoint::load(&path)?;
        let settings: Vec<serde_json::Value> =
            serde_json::from_str(&progress.config).map_err(|e| TrainError::damaged(&path, e))?;
        let config = settings.into_iter().next().unwrap_or_default();
        match part {
            Part::Acoustic => configs.acoustic = config,
            Part::Vocoder => configs.vocoder = config,
        }
    }
    let meta = Meta { training: training.into(), ..meta };
    Ok(Voice::new(meta, configs, &weights, packing)?)
}
