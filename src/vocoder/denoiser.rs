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

/// Spectral subtraction of a model's bias.
pub struct Denoiser {
    stft: Stft,
    bias: Vec<f32>,
}

impl Denoiser {
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

    /// The samples with `strength` times the bias taken out of every frame's magnitudes; phases stay.
    ///
    /// # Errors
    /// The signal is too short for a frame.
    pub fn apply(&self, samples: &[f32], strength: f32) -> Result<Vec<f32>> {
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
