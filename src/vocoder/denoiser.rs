//! Takes out the steady hum of a published WaveGlow: the spectrum of what it says to an empty mel.

use std::sync::Arc;

use candle_core::{Error, Result};
use realfft::num_complex::Complex32;

use super::conditioner::Context;
use super::noise::Noise;
use super::stream::PhraseInput;
use super::waveglow::WaveGlow;
use crate::signal::Stft;

const FFT_SAMPLES: usize = 1024;
const HOP_SAMPLES: usize = 256;
/// Frames of the empty mel.
const EMPTY_FRAMES: usize = 88;
/// Samples on each side that a sample's result depends on: it lies in frames that begin or end so far away.
const REACH_SAMPLES: usize = FFT_SAMPLES - HOP_SAMPLES;
/// The first whole hops that half a frame can be mirrored in.
const SHORTEST_SAMPLES: usize = FFT_SAMPLES / 2 + HOP_SAMPLES;

/// Spectral subtraction of a model's bias.
pub struct Denoiser {
    stft: Stft,
    bias: Vec<f32>,
}

impl Denoiser {
    /// The strongest that makes sense: all of the hum, and as much again.
    pub const MAX_STRENGTH: f32 = 2.0;

    /// Measures the model's bias: the first frame of its output for a mel of zeros, without noise.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn new(model: &Arc<WaveGlow>) -> Result<Self> {
        let stft = Stft::new(FFT_SAMPLES, HOP_SAMPLES).map_err(Error::wrap)?;
        let features = vec![0.0; EMPTY_FRAMES * model.config().feature_channels()];
        let input = PhraseInput { features: &features, excitation: None, context: Context::default() };
        let hum = model.infer(&input, &Noise::Seeded { seed: 0, scale: 0.0 })?;
        let spectrum = stft.forward(&hum).map_err(Error::wrap)?;
        Ok(Self { bias: spectrum.magnitudes().into_iter().take(stft.bin_count()).collect(), stft })
    }

    /// Magnitudes of the bias, `[513]`.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// The samples, but for those after the last whole hop of 256, with `strength` times the bias taken out of every
    /// frame's magnitudes; phases stay.
    ///
    /// # Errors
    /// The signal is too short for a frame.
    pub fn forward(&self, samples: &[f32], strength: f32) -> Result<Vec<f32>> {
        let mut spectrum = self.stft.forward(samples).map_err(Error::wrap)?;
        for frame in spectrum.values.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in frame.iter_mut().zip(&self.bias) {
                let magnitude = value.norm();
                let rest = (magnitude - strength * bias).max(0.0);
                *value = if magnitude > 0.0 { *value * (rest / magnitude) } else { Complex32::default() };
            }
        }
        self.stft.inverse(&spectrum).map_err(Error::wrap)
    }
}

/// The same for samples that come bit by bit; 768 samples (35 ms) behind them.
pub struct DenoiserStream {
    denoiser: Arc<Denoiser>,
    strength: f32,
    /// What has come, from a whole hop on, as far as it still matters.
    held: Vec<f32>,
    /// How many of them are context: their results have been given.
    given: usize,
}

impl DenoiserStream {
    /// A stream that has heard nothing.
    pub fn new(denoiser: Arc<Denoiser>, strength: f32) -> Self {
        Self { denoiser, strength, held: Vec::new(), given: 0 }
    }

    /// Takes samples, and gives those that no later ones change, in whole hops of 256.
    ///
    /// # Errors
    /// A transform failed.
    pub fn step(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        self.held.extend_from_slice(samples);
        let ready = self.held.len().saturating_sub(REACH_SAMPLES) / HOP_SAMPLES * HOP_SAMPLES;
        if ready <= self.given {
            return Ok(Vec::new());
        }
        // Frames near the ends of what is held see it mirrored; none of them touches what is given.
        let clean = self.denoiser.forward(&self.held, self.strength)?;
        let out = clean[self.given..ready].to_vec();
        let start = ready.saturating_sub(REACH_SAMPLES);
        self.held.drain(..start);
        self.given = ready - start;
        Ok(out)
    }

    /// Ends the stream: the rest, to the last sample, after which it is as new. What is no whole hop, or too short for a
    /// frame, is heard as if silence followed.
    ///
    /// # Errors
    /// A transform failed.
    pub fn flush(&mut self) -> Result<Vec<f32>> {
        if self.held.is_empty() {
            return Ok(Vec::new());
        }
        let end = self.held.len();
        self.held.resize(end.next_multiple_of(HOP_SAMPLES).max(SHORTEST_SAMPLES), 0.0);
        let clean = self.denoiser.forward(&self.held, self.strength)?;
        let rest = clean.get(self.given..end).unwrap_or_default().to_vec();
        self.reset();
        Ok(rest)
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.held.clear();
        self.given = 0;
    }
}
