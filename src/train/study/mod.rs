//! Comparisons of parts that the models have a choice of: short trainings that differ in one thing.
//!
//! The vocoders start from nothing and see the same pieces of the same recordings in the same order. The acoustic models
//! start from the trained weights, without their post-net, and all of the model goes on learning from the same batches under
//! the same dropout; a post-net part starts as nearly nothing, so that none pays for a bad start.

mod report;

use std::collections::HashMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::adam::AdamConfig;
use super::checkpoint::{self, Files};
use super::recipe::{FEATURES_DIR, Job, best_path, best_weights};
use super::run::{Event, LineKind, LogLine, Observer, RunConfig, read_log};
use super::vocoder::VocoderTraining;
use crate::acoustic::{self, PostNet, PostNetPart};
use crate::atomic_file;
use crate::nn::Params;
use crate::vocoder::{self, Conditioner, Prior};

/// The folder of the study within a work folder.
pub const STUDY_DIR: &str = "study";
/// The stage whose weights the acoustic models start from.
const ACOUSTIC_STAGE: &str = "acoustic";
/// Validations of each training, evenly spaced.
const VALIDATIONS: u64 = 4;
/// What the last layer of a post-net part is multiplied by at the start.
const START_SHARE: f64 = 0.01;

/// How a study is made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StudyConfig {
    /// Steps of each vocoder.
    pub vocoder_steps: u64,
    /// Pieces of 64 frames in a vocoder's batch.
    pub vocoder_batch: usize,
    /// Steps of each acoustic model.
    pub acoustic_steps: u64,
    /// Training utterances that are read, from the first.
    pub utterances: usize,
    /// Seed of starts, batches and dropout.
    pub seed: u64,
}

impl Default for StudyConfig {
    fn default() -> Self {
        Self { vocoder_steps: 400, vocoder_batch: 6, acoustic_steps: 300, utterances: 2000, seed: 7 }
    }
}

impl StudyConfig {
    /// Multiplies the numbers of steps.
    pub fn scaled(self, scale: f64) -> Self {
        let scaled = |steps: u64| (steps as f64 * scale).ceil().max(1.0) as u64;
        Self {
            vocoder_steps: scaled(self.vocoder_steps),
            acoustic_steps: scaled(self.acoustic_steps),
            ..self
        }
    }
}

/// What a variant is a variant of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// The vocoder's prior and the network in front of it.
    Prior,
    /// The acoustic model's post-net.
    PostNet,
}

/// A model of the comparison.
#[derive(Debug, Clone, PartialEq)]
struct Variant {
    /// Its folder.
    name: &'static str,
    /// As the table calls it.
    title: &'static str,
    model: VariantModel,
}

#[derive(Debug, Clone, PartialEq)]
enum VariantModel {
    Vocoder { prior: Prior, recurrent: bool },
    Acoustic { post_net: Vec<PostNetPart>, seed: u64 },
}

fn variants(seed: u64) -> Vec<Variant> {
    let vocoder = |name, title, prior, recurrent| Variant {
        name,
        title,
        model: VariantModel::Vocoder { prior, recurrent },
    };
    let acoustic = |name, title, post_net: &[PostNetPart], seed| Variant {
        name,
        title,
        model: VariantModel::Acoustic { post_net: post_net.to_vec(), seed },
    };
    let [high_band, wavenet, gated] = [
        PostNetPart::HighBand { width: 128 },
        PostNetPart::Wavenet,
        PostNetPart::Gated { kernel: 3, bound: 1.0 },
    ];
    vec![
        vocoder("standard-conv", "standard normal, convolutions", Prior::Standard, false),
        vocoder("standard-gru", "standard normal, GRU", Prior::Standard, true),
        vocoder("density-conv", "density from the mel, convolutions", Prior::Density, false),
        vocoder("source-filter-conv", "source-filter, convolutions", Prior::SourceFilter, false),
        vocoder("source-filter-gru", "source-filter, GRU", Prior::SourceFilter, true),
        acoustic("post-net-none", "none", &[], seed),
        acoustic("post-net-none-again", "none, other batches", &[], seed + 1),
        acoustic("post-net-high-band", "high-band layers (F4)", &[high_band], seed),
        acoustic("post-net-wavenet", "WaveNet module (F5)", &[wavenet], seed),
        acoustic("post-net-gated", "gated convolutions (F6)", &[gated], seed),
        acoustic("post-net-all", "all three", &[high_band, wavenet, gated], seed),
    ]
}

/// A validation of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps done.
    pub step: u64,
    /// Held-out figures by name, as the trainer logs them.
    pub figures: serde_json::Map<String, serde_json::Value>,
}

/// What became of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The variant's folder within the study's.
    pub name: String,
    /// What it is.
    pub title: String,
    /// What it answers.
    pub question: Question,
    /// Trained numbers.
    pub parameters: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// Its validations, the last one after all steps.
    pub points: Vec<Point>,
}

/// All variants, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// How it was made.
    pub config: StudyConfig,
    /// In the order of training.
    pub outcomes: Vec<Outcome>,
}

/// Trains all variants in `work/study`, each going on from its checkpoint if there is one, and compares them. `observer`
/// hears of every variant by name.
///
/// # Errors
/// The features or the acoustic stage's weights are missing, a checkpoint was made with other settings, or training fails.
pub fn run_study(
    work: &Path,
    config: &StudyConfig,
    observer: &mut dyn FnMut(&str, Event<'_>),
) -> Result<Study, TrainError> {
    // Said now, not when the vocoders are done.
    best_path(work, ACOUSTIC_STAGE)?;
    let mut outcomes = Vec::new();
    for variant in variants(config.seed) {
        let folder = work.join(STUDY_DIR).join(variant.name);
        variant.train(work, config, &mut |event| {
            observer(variant.name, event);
            ControlFlow::Continue(())
        })?;
        outcomes.push(variant.outcome(&folder)?);
    }
    Ok(Study { config: *config, outcomes })
}

impl Study {
    /// Writes `study.json` and the tables, `study.md`, into `folder`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        let json = folder.join("study.json");
        let text = serde_json::to_string_pretty(self).map_err(|e| TrainError::damaged(&json, e))?;
        for (path, text) in [(json, text + "\n"), (folder.join("study.md"), self.markdown())] {
            atomic_file::write(&path, |file| file.write_all(text.as_bytes()))
                .map_err(|e| TrainError::io(&path, e))?;
        }
        Ok(())
    }
}

impl Variant {
    fn train(
        &self,
        work: &Path,
        config: &StudyConfig,
        observer: &mut Observer<'_>,
    ) -> Result<(), TrainError> {
        let (features, folder) = (work.join(FEATURES_DIR), work.join(STUDY_DIR).join(self.name));
        let run = |steps: u64, learning_rate| RunConfig {
            steps,
            learning_rate,
            warmup_steps: steps / 10,
            checkpoint_every: 50,
            validate_every: steps.div_ceil(VALIDATIONS),
            patience: 0,
            ..RunConfig::default()
        };
        let job = |run, preset| Job {
            features: &features,
            most_utterances: Some(config.utterances),
            preset,
            folder: &folder,
            run,
        };
        match &self.model {
            VariantModel::Vocoder { prior, recurrent } => {
                let native = vocoder::Config::native();
                let conditioner = match native.conditioner {
                    Conditioner::Frames { channels, .. } => {
                        Conditioner::Frames { channels, recurrent: *recurrent }
                    }
                    other => other,
                };
                let shape = vocoder::Config { prior: *prior, conditioner, ..native };
                let training = VocoderTraining {
                    batch: config.vocoder_batch,
                    seed: config.seed,
                    ..VocoderTraining::default()
                };
                job(run(config.vocoder_steps, 1e-3), HashMap::new())
                    .train_vocoder(shape, &training, observer)?;
            }
            VariantModel::Acoustic { post_net, seed } => {
                let shape = acoustic::Config { post_net: post_net.clone(), ..acoustic::Config::default() };
                let mut preset = best_weights(work, ACOUSTIC_STAGE)?;
                preset.retain(|name, _| !name.starts_with("post_net."));
                preset.extend(quiet_start(&shape, *seed)?);
                let gentle = AdamConfig { clip_norm: 1.0, ..AdamConfig::default() };
                let run = RunConfig { adam: gentle, ..run(config.acoustic_steps, 3e-4) };
                job(run, preset).train_acoustic(&shape, *seed, observer)?;
            }
        }
        Ok(())
    }

    fn question(&self) -> Question {
        match self.model {
            VariantModel::Vocoder { .. } => Question::Prior,
            VariantModel::Acoustic { .. } => Question::PostNet,
        }
    }

    /// Reads the finished training in `folder`.
    fn outcome(&self, folder: &Path) -> Result<Outcome, TrainError> {
        let (tensors, progress) = checkpoint::load(&Files::new(folder).last)?;
        let weights = tensors.iter().filter(|(name, _)| name.starts_with("weight:"));
        let point = |line: LogLine| Point { step: line.step, figures: line.figures };
        Ok(Outcome {
            name: self.name.into(),
            title: self.title.into(),
            question: self.question(),
            parameters: weights.map(|(_, tensor)| tensor.elem_count()).sum(),
            seconds: progress.seconds.round(),
            points: read_log(folder)?
                .into_iter()
                .filter(|line| line.kind == LineKind::Validation)
                .map(point)
                .collect(),
        })
    }
}

/// The start of a post-net that hardly changes the mel, and yet has a gradient everywhere: its last layers are small.
fn quiet_start(config: &acoustic::Config, seed: u64) -> Result<HashMap<String, Tensor>, TrainError> {
    const LAST_LAYERS: [&str; 3] =
        ["post_net.high_band.last.", "post_net.wavenet.conv.", "post_net.gated.expand."];
    let params = Params::trainable(seed, HashMap::new(), &Device::Cpu);
    PostNet::new(&config.post_net, config.mels, &params.pp("post_net"))?;
    let mut start = HashMap::new();
    for (name, var) in params.vars() {
        if LAST_LAYERS.iter().any(|layer| name.starts_with(layer)) {
            start.insert(name, (var.as_detached_tensor() * START_SHARE)?);
        }
    }
    Ok(start)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::acoustic::Dropout;

    #[test]
    fn variants_differ_and_have_folders_of_their_own() {
        let variants = variants(7);
        let names: BTreeSet<_> = variants.iter().map(|v| v.name).collect();
        assert_eq!(names.len(), variants.len());
        for (i, variant) in variants.iter().enumerate() {
            assert!(variants[..i].iter().all(|other| other.model != variant.model), "{}", variant.name);
        }
    }

    #[test]
    fn a_quiet_start_hardly_changes_the_mel_and_every_part_can_learn() {
        for variant in variants(7) {
            let VariantModel::Acoustic { post_net, seed } = variant.model else { continue };
            let config = acoustic::Config { post_net, ..acoustic::Config::default() };
            let start = quiet_start(&config, seed).unwrap();
            let params = Params::trainable(seed, start, &Device::Cpu);
            let net = PostNet::new(&config.post_net, config.mels, &params.pp("post_net")).unwrap();
            let mel = Tensor::randn(0f32, 1.0, (1, 20, config.mels), &Device::Cpu).unwrap();
            let lengths: Arc<[usize]> = [20].into();
            let change = (net.forward(&mel, &lengths, &Dropout::off()).unwrap() - &mel).unwrap();
            let largest = change.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(largest < 0.05, "{}: {largest}", variant.name);
            let gradients = change.sum_all().unwrap().backward().unwrap();
            for (name, var) in params.vars() {
                let slope = gradients.get(var.as_tensor()).unwrap().abs().unwrap().max_all().unwrap();
                assert!(slope.to_scalar::<f32>().unwrap() > 0.0, "{}: {name}", variant.name);
            }
        }
    }
}
