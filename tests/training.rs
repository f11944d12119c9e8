//! The trainer: runs that are killed and go on, early stopping, checkpoints, the energy distance.

mod checkpoint;
mod distance;
mod early_stop;
#[cfg(all(unix, feature = "cli"))]
mod program;
mod resume;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use candle_core::{Device, Tensor};
use fastglow::nn::Params;
use fastglow::train::TrainError;
use fastglow::train::acoustic::{AcousticOptions, AcousticTask};
use fastglow::train::checkpoint::load;
use fastglow::train::run::{Ending, Event, LogLine, RunConfig, read_log, train};
use fastglow::train::task::Task;
use fastglow::train::vocoder::{Material, VocoderTask, VocoderTraining};

use crate::acoustic::{Draws, example, tiny};
use crate::tiny_voice;

/// The acoustic model in training on `count` utterances, validated on two others.
fn acoustic_task(count: usize, dropout: f32) -> AcousticTask {
    let config = fastglow::acoustic::Config { dropout, ..tiny() };
    let mut draws = Draws(21);
    let mut examples = |count: usize| (0..count).map(|i| example(6 + i, config.mels, &mut draws)).collect();
    let sets = (examples(count), examples(2));
    let options = AcousticOptions { seed: 4, frames_per_batch: 80, ..AcousticOptions::default() };
    AcousticTask::new(&config, sets, options).unwrap()
}

/// The vocoder in training on noise that is louder when the mel says so; its own samples are judged as well.
fn vocoder_task() -> VocoderTask {
    let config = tiny_voice::vocoder_config();
    let mut draws = Draws(22);
    let mut material = |frames: usize| {
        let mut material = Material::default();
        for frame in 0..frames {
            let level = 0.02 + 0.1 * draws.unit();
            let mut noise = || (0..config.hop_samples).map(|_| 2.0 * draws.unit() - 1.0).collect::<Vec<_>>();
            material.samples.extend(noise().into_iter().map(|x| level * x));
            material.excitation.extend(noise());
            material.features.extend(std::iter::repeat_n(level.ln(), config.mel_bands));
            material.features.extend([5.2, f32::from(u8::from(frame % 10 < 6))]);
        }
        material
    };
    // Pieces long enough for the longest window of the energy distance.
    let training = VocoderTraining {
        batch: 2,
        piece_frames: 34,
        distance_weight: 1.0,
        distance_batch: 1,
        ..VocoderTraining::default()
    };
    let params = Params::trainable(training.seed, HashMap::new(), &Device::Cpu);
    VocoderTask::new(&config, params, (material(90), material(60)), training).unwrap()
}

/// Validations and checkpoints out of step with each other, so that a kill falls into every gap.
fn run_config(steps: u64) -> RunConfig {
    RunConfig {
        steps,
        learning_rate: 3e-3,
        warmup_steps: 3,
        checkpoint_every: 5,
        validate_every: 4,
        model: "[\"tiny\"]".into(),
        ..RunConfig::default()
    }
}

fn quietly(_: Event<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn run(task: &mut dyn Task, config: &RunConfig, folder: &Path) -> Result<Ending, TrainError> {
    train(task, config, folder, &mut quietly)
}

/// What a run leaves, wall-clock times apart: the weights that the task ended with, both checkpoints and the log.
#[derive(PartialEq)]
struct Remains {
    weights: Vec<(String, Vec<u32>)>,
    checkpoints: Vec<Vec<(String, Vec<u32>)>>,
    log: Vec<LogLine>,
}

fn bits<'a>(tensors: impl Iterator<Item = (&'a String, &'a Tensor)>) -> Vec<(String, Vec<u32>)> {
    let mut bits: Vec<_> = tensors
        .map(|(name, tensor)| {
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            (name.clone(), values.into_iter().map(f32::to_bits).collect())
        })
        .collect();
    bits.sort();
    bits
}

impl Remains {
    fn of(task: &dyn Task, folder: &Path) -> Self {
        let state = |name: &str| bits(load(&folder.join(name)).unwrap().0.iter());
        let vars = task.params().vars();
        Self {
            weights: bits(vars.iter().map(|(name, var)| (name, var.as_tensor()))),
            checkpoints: ["last.safetensors", "best.safetensors"].map(state).into(),
            log: timeless_log(folder),
        }
    }

    fn assert_same(&self, other: &Self, what: &str) {
        assert_eq!(self.log, other.log, "{what}: the log");
        assert!(self.checkpoints == other.checkpoints, "{what}: the checkpoints differ");
        assert!(self.weights == other.weights, "{what}: the weights differ");
    }
}

fn timeless_log(folder: &Path) -> Vec<LogLine> {
    let lines = read_log(folder).unwrap();
    lines.into_iter().map(|line| LogLine { seconds: 0.0, ..line }).collect()
}
