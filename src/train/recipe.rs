//! The stages that make a voice, in order, and the voice that comes out.
//!
//! The vocoder's prior learns alone, then flows are put on top, then its own samples are judged as well. Each stage starts
//! from the best weights of the one before; new couplings start as the identity, so nothing is lost on the way.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::Serialize;

use super::TrainError;
use super::acoustic::{AcousticOptions, AcousticTask, Example};
use super::adam::AdamConfig;
use super::checkpoint::{self, Files, Progress};
use super::features::{FeatureError, FeatureReader, Split, Utterance};
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
pub fn best_weights(work: &Path, stage: &'static str) -> Result<HashMap<String, Tensor>, TrainError> {
    Ok(best(work, stage)?.0)
}

fn best(work: &Path, stage: &'static str) -> Result<(HashMap<String, Tensor>, Progress), TrainError> {
    checkpoint::load(&best_path(work, stage)?)
}

/// Where the best weights of a stage lie, if it has been validated.
pub(super) fn best_path(work: &Path, stage: &'static str) -> Result<PathBuf, TrainError> {
    let path = Files::new(&work.join(stage)).best;
    if path.exists() { Ok(path) } else { Err(TrainError::StageMissing { path, stage }) }
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
    let job = Job {
        features: &work.join(FEATURES_DIR),
        most_utterances: None,
        preset,
        folder: &work.join(stage.name),
        run: stage.run.clone(),
    };
    match &stage.model {
        Model::Acoustic { seed } => job.train_acoustic(&acoustic::Config::default(), *seed, observer),
        Model::Vocoder { flows, training } => {
            let config = vocoder::Config { flows: *flows, ..vocoder::Config::native() };
            job.train_vocoder(config, training, observer)
        }
    }
}

/// The training of one model: from what, and where to.
pub(super) struct Job<'a> {
    /// The folder of the feature files.
    pub(super) features: &'a Path,
    /// How many training utterances to take; all if `None`.
    pub(super) most_utterances: Option<usize>,
    /// Weights to start from, by parameter name.
    pub(super) preset: HashMap<String, Tensor>,
    /// Where checkpoints and log go.
    pub(super) folder: &'a Path,
    /// Steps and rates.
    pub(super) run: RunConfig,
}

impl Job<'_> {
    pub(super) fn train_acoustic(
        self,
        config: &acoustic::Config,
        seed: u64,
        observer: &mut Observer<'_>,
    ) -> Result<Ending, TrainError> {
        let read = |split| -> Result<Vec<Example>, TrainError> {
            self.utterances(split)?.map(|utterance| Ok(Example::from(utterance?))).collect()
        };
        let (train_set, held_out) = (read(Split::Train)?, read(Split::HeldOut)?);
        let model = self.fingerprint((config, seed));
        let options = AcousticOptions { seed, preset: self.preset, ..AcousticOptions::default() };
        let mut task = AcousticTask::new(config, (train_set, held_out), options)?;
        train(&mut task, &RunConfig { model, ..self.run }, self.folder, observer)
    }

    /// The level of the samples that `config` states is replaced by that of the training material.
    pub(super) fn train_vocoder(
        self,
        config: vocoder::Config,
        training: &VocoderTraining,
        observer: &mut Observer<'_>,
    ) -> Result<Ending, TrainError> {
        let read = |split| -> Result<Material, TrainError> {
            let mut material = Material::default();
            for utterance in self.utterances(split)? {
                material.push(&utterance?, config.mel_bands);
            }
            Ok(material)
        };
        let (material, held_out) = (read(Split::Train)?, read(Split::HeldOut)?);
        let config = vocoder::Config { sample_rms: material.rms(), ..config };
        let model = self.fingerprint((&config, training));
        let params = Params::trainable(training.seed, self.preset, &Device::Cpu);
        let mut task = VocoderTask::new(&config, params, (material, held_out), *training)?;
        train(&mut task, &RunConfig { model, ..self.run }, self.folder, observer)
    }

    fn utterances(
        &self,
        split: Split,
    ) -> Result<impl Iterator<Item = Result<Utterance, FeatureError>>, TrainError> {
        let most = self.most_utterances.filter(|_| split == Split::Train).unwrap_or(usize::MAX);
        Ok(FeatureReader::open(&self.features.join(split.file_name()))?.take(most))
    }

    fn fingerprint(&self, (config, model): (impl Serialize, impl Serialize)) -> String {
        let rates = (self.run.steps, self.run.learning_rate);
        match self.most_utterances {
            None => serde_json::to_string(&(config, model, rates)),
            Some(most) => serde_json::to_string(&(config, model, rates, most)),
        }
        .unwrap_or_default()
    }
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
            let (_, progress) = best(work, stage.name)?;
            let Progress { step, best, seconds, .. } = progress;
            let figures = serde_json::json!({ "step": step, "criterion": best, "seconds": seconds.round() });
            training.insert(stage.name.into(), figures);
        }
        let Some(last) = stages.iter().rfind(of_part) else { continue };
        let (tensors, progress) = best(work, last.name)?;
        for (name, tensor) in tensors {
            weights.insert(format!("{}.{name}", part.name()), tensor);
        }
        let settings: Vec<serde_json::Value> = serde_json::from_str(&progress.config)
            .map_err(|e| TrainError::damaged(&Files::new(&work.join(last.name)).best, e))?;
        let config = settings.into_iter().next();
        match part {
            Part::Acoustic => configs.acoustic = config,
            Part::Vocoder => configs.vocoder = config,
        }
    }
    let meta = Meta { training: training.into(), ..meta };
    Ok(Voice::new(meta, configs, &weights, packing)?)
}
