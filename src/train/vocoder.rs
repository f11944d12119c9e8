//! The vocoder's training: likelihood first, then the energy distance of its own samples as well.

use candle_core::{Device, Result, Tensor, bail};

use super::features::Utterance;
use super::random::StepRandom;
use super::spectral::EnergyDistance;
use super::task::{BatchLoss, Task};
use crate::nn::Params;
use crate::vocoder::{Config, Context, Noise, WaveGlow};

/// Recordings end to end, with what the vocoder is told about them.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// Samples in ±1, a whole number of hops.
    pub samples: Vec<f32>,
    /// Phase-aligned excitation, as long as the samples.
    pub excitation: Vec<f32>,
    /// `[frames, mel_bands + 2]`: log-mel, log-F0, voicing.
    pub features: Vec<f32>,
}

impl Material {
    /// Appends an utterance.
    pub fn push(&mut self, utterance: &Utterance, mel_bands: usize) {
        self.samples.extend_from_slice(&utterance.samples);
        self.excitation.extend_from_slice(&utterance.excitation);
        let prosody = utterance.log_f0.iter().zip(&utterance.voicing);
        for (mel, (log_f0, voicing)) in utterance.mel.chunks_exact(mel_bands).zip(prosody) {
            self.features.extend_from_slice(mel);
            self.features.extend([log_f0, voicing]);
        }
    }

    /// Root of the mean square of the samples, silences included.
    pub fn rms(&self) -> f64 {
        let power: f64 = self.samples.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        (power / self.samples.len().max(1) as f64).sqrt()
    }
}

/// Settings of [`VocoderTask`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VocoderTraining {
    /// Pieces in a batch.
    pub batch: usize,
    /// Length of a piece.
    pub piece_frames: usize,
    /// Weight of the energy distance; 0 trains by likelihood alone.
    pub distance_weight: f64,
    /// Pieces of a batch that the energy distance hears.
    pub distance_batch: usize,
    /// Seed of batches and latents.
    pub seed: u64,
}

impl Default for VocoderTraining {
    fn default() -> Self {
        Self { batch: 12, piece_frames: 64, distance_weight: 0.0, distance_batch: 8, seed: 1 }
    }
}

/// A vocoder in training.
pub struct VocoderTask {
    model: WaveGlow,
    params: Params,
    training: VocoderTraining,
    material: Material,
    validation: Vec<Piece>,
    distance: EnergyDistance,
}

/// Pieces of recordings, stacked.
struct Piece {
    /// `[batch, (frames + 1) · hop]`
    samples: Tensor,
    /// Same shape.
    excitation: Tensor,
    /// `[batch, frames + 2 · context, mel_bands + 2]`
    features: Tensor,
}

impl VocoderTask {
    /// A task over `material`, validated on fixed pieces of `held_out`.
    ///
    /// # Errors
    /// The configuration is invalid, or a recording is shorter than a piece.
    pub fn new(
        config: &Config,
        params: Params,
        (material, held_out): (Material, Material),
        training: VocoderTraining,
    ) -> Result<Self> {
        let model = WaveGlow::new(config, &params)?;
        let mut task = Self {
            model,
            params,
            training,
            material,
            validation: Vec::new(),
            distance: EnergyDistance::default(),
        };
        let mut random = StepRandom::new(training.seed, u64::MAX);
        for _ in 0..3 {
            let piece = task.pieces(&held_out, 16, &mut random)?;
            task.validation.push(piece);
        }
        Ok(task)
    }

    fn pieces(&self, material: &Material, count: usize, random: &mut StepRandom) -> Result<Piece> {
        let config = self.model.config();
        let (hop, width) = (config.hop_samples, config.mel_bands + 2);
        let (length, context) = (self.training.piece_frames, WaveGlow::context_frames());
        let frames = material.samples.len() / hop;
        if material.features.len() != frames * width || material.excitation.len() != material.samples.len() {
            bail!("vocoder training: features, excitation and samples differ in length");
        }
        let first = 1 + context;
        let Some(room) = frames.checked_sub(length + 2 * context + 2) else {
            bail!("vocoder training: {frames} frames are fewer than a piece of {length}");
        };
        let (mut samples, mut excitation, mut features) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let start = first + random.below(room as u64 + 1) as usize;
            let range = (start - 1) * hop..(start + length) * hop;
            samples.extend_from_slice(&material.samples[range.clone()]);
            excitation.extend_from_slice(&material.excitation[range]);
            features.extend_from_slice(
                &material.features[(start - context) * width..(start + length + context) * width],
            );
        }
        let device = self.params.device();
        let tensor = |values: Vec<f32>, shape: &[usize]| {
            Tensor::from_vec(values, shape, &Device::Cpu)?.to_device(device)
        };
        Ok(Piece {
            samples: (tensor(samples, &[count, (length + 1) * hop])? / config.sample_rms)?,
            excitation: tensor(excitation, &[count, (length + 1) * hop])?,
            features: tensor(features, &[count, length + 2 * context, width])?,
        })
    }

    fn likelihood(&self, piece: &Piece) -> Result<Tensor> {
        let conditioned = self.model.condition(&piece.features, Some(&piece.excitation), Context::full())?;
        self.model.likelihood(&self.model.analyse(&piece.samples)?, &conditioned)?.nats_per_sample()
    }

    /// The energy distance of two samples from the pieces' own speech.
    fn distance(&self, piece: &Piece, seed: u64) -> Result<Tensor> {
        let config = self.model.config();
        let (hop, length) = (config.hop_samples, self.training.piece_frames);
        let count = piece.samples.dim(0)?;
        let conditioned = self.model.condition(&piece.features, Some(&piece.excitation), Context::full())?;
        let draw = |stage: usize| -> Result<Tensor> {
            let latent = Noise::Seeded { seed, scale: 1.0 }
                .draw(stage, 0, (count * length, config.group_samples()), self.params.device())?
                .reshape((count, length, config.group_samples()))?;
            let vectors = self.model.sample_from(&latent, &conditioned)?;
            let samples = self.model.synthesise(&vectors, &mut self.model.zero_tail(count)?)?;
            // The first hop lacks the vector before it.
            samples.narrow(1, hop, (length - 1) * hop)
        };
        let speech = piece.samples.narrow(1, hop, (length - 1) * hop)?;
        self.distance.forward(&speech, &draw(0)?, &draw(1)?)
    }
}

impl Task for VocoderTask {
    fn params(&self) -> &Params {
        &self.params
    }

    fn loss(&mut self, step: u64) -> Result<BatchLoss> {
        let mut random = StepRandom::new(self.training.seed, step);
        let piece = self.pieces(&self.material, self.training.batch, &mut random)?;
        let likelihood = self.likelihood(&piece)?;
        let mut parts = vec![("nll", likelihood.to_scalar::<f32>()?)];
        let mut total = likelihood;
        if self.training.distance_weight > 0.0 {
            let count = self.training.distance_batch.min(self.training.batch);
            let heard = Piece {
                samples: piece.samples.narrow(0, 0, count)?,
                excitation: piece.excitation.narrow(0, 0, count)?,
                features: piece.features.narrow(0, 0, count)?,
            };
            let distance = self.distance(&heard, random.bits())?;
            parts.push(("distance", distance.to_scalar::<f32>()?));
            total = (total + (distance * self.training.distance_weight)?)?;
        }
        Ok(BatchLoss { total, parts })
    }

    fn validate(&mut self) -> Result<Vec<(&'static str, f32)>> {
        let (mut nll, mut distance) = (0.0, 0.0);
        for (i, piece) in self.validation.iter().enumerate() {
            nll += self.likelihood(piece)?.to_scalar::<f32>()?;
            distance += self.distance(piece, i as u64)?.to_scalar::<f32>()?;
        }
        let count = self.validation.len() as f32;
        let (nll, distance) = (nll / count, distance / count);
        let criterion = nll + self.training.distance_weight as f32 * distance;
        Ok(vec![("criterion", criterion), ("nll", nll), ("distance", distance)])
    }
}
