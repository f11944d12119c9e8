//! Stacked convolutions that say something about each token, and durations from their distribution.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::{Config, CounterNoise, Dropout, Model};
use crate::nn::ops::{self, Map};
use crate::nn::{Conv1d, Conv1dConfig, LayerNorm, Linear, Padding as Edge, Params};

/// Convolution, ReLU and layer norm, several times, then a linear layer. FastSpeech 1 has the norm before ReLU.
pub(super) struct Predictor {
    layers: Vec<(Conv1d, LayerNorm)>,
    output: Linear,
    /// The columns of the first layer that belong to log-duration, if it is an input.
    duration: Option<Linear>,
    norm_first: bool,
}

impl Predictor {
    pub(super) fn new(config: &Config, outputs: usize, params: &Params) -> Result<Self> {
        let width = config.predictor_width;
        let mut inputs = config.predictor_inputs();
        let mut layers = Vec::new();
        for (i, &kernel) in config.predictor_kernels.iter().enumerate() {
            let params = params.pp(format!("layers.{i}"));
            let conv = Conv1d::new(inputs, width, Conv1dConfig::new(kernel, Edge::Same), &params.pp("conv"))?;
            layers.push((conv, LayerNorm::new(width, &params.pp("norm"))?));
            inputs = width;
        }
        let output = Linear::new(width, outputs, &params.pp("output"))?;
        Ok(Self { layers, output, duration: None, norm_first: config.model == Model::FastSpeech1 })
    }

    /// As [`Predictor::new`], with log-duration appended to the input. Its columns are stored apart, so that the wide
    /// matrix keeps a width that quantises.
    pub(super) fn with_duration(config: &Config, outputs: usize, params: &Params) -> Result<Self> {
        let duration = Linear::new(1, config.predictor_width, &params.pp("duration"))?;
        Ok(Self { duration: Some(duration), ..Self::new(config, outputs, params)? })
    }

    /// `xs [batch, tokens, inputs]` (and `log_durations [batch, tokens, 1]`) to `[batch, tokens, outputs]`. With
    /// `lengths`, padding never reaches a convolution; without, it does, as in the published code.
    pub(super) fn forward(
        &self,
        xs: &Tensor,
        log_durations: Option<&Tensor>,
        lengths: Option<&Arc<[usize]>>,
        dropout: &Dropout,
    ) -> Result<Tensor> {
        let mut xs = xs.clone();
        for (i, (conv, norm)) in self.layers.iter().enumerate() {
            if let Some(lengths) = lengths {
                xs = ops::keep_rows(&xs, lengths)?;
            }
            let ys = match (&self.duration, log_durations) {
                (Some(duration), Some(durations)) if i == 0 => {
                    (conv.forward(&xs)? + duration.forward(durations)?)?.relu()?
                }
                _ if self.norm_first => {
                    xs = norm.forward(&conv.forward(&xs)?)?.relu()?;
                    continue;
                }
                _ => conv.forward_then(&xs, Map::RELU)?,
            };
            xs = ops::dropped(&norm.forward(&ys)?, dropout.mask())?;
        }
        self.output.forward(&xs)
    }
}

/// How durations come from their distribution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DurationChoice {
    /// The mean.
    #[default]
    Mean,
    /// The most likely value.
    Mode,
    /// Drawn at random, by the controls' seed.
    Sampled,
}

impl DurationChoice {
    /// The duration in frames from `probabilities` of 0, 1, 2 … frames; `draw` is uniform in (0, 1).
    pub(super) fn pick(self, probabilities: &[f32], draw: f32) -> f32 {
        match self {
            DurationChoice::Mean => probabilities.iter().enumerate().map(|(d, p)| d as f32 * p).sum(),
            DurationChoice::Mode => {
                let best =
                    |best: usize, (d, &p): (usize, &f32)| if p > probabilities[best] { d } else { best };
                probabilities.iter().enumerate().fold(0, best) as f32
            }
            DurationChoice::Sampled => {
                let mut below = 0.0;
                let past = |p: &f32| {
                    below += p;
                    below > draw
                };
                probabilities.iter().position(past).unwrap_or(probabilities.len().saturating_sub(1)) as f32
            }
        }
    }
}

/// Rounds durations to whole frames, carrying the error along: the sum of the first n is never more than half a frame
/// from the sum of the first n wanted. One that is at least 1 stays at least 1.
pub fn round_keeping_sum(durations_frames: &[f32]) -> Vec<u32> {
    let (mut wanted, mut given) = (0f64, 0u64);
    durations_frames
        .iter()
        .map(|&frames| {
            wanted += f64::from(frames.max(0.0));
            let end = wanted.round() as u64;
            let whole = end - given;
            given = end;
            whole as u32
        })
        .collect()
}

/// One draw per token, uniform in (0, 1), apart from every other use of the seed.
pub(super) fn duration_draw(seed: u64, token: usize) -> f32 {
    CounterNoise::new(seed ^ 0x6475_7261_7469_6f6e).unit(token as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rounding_keeps_the_sum(durations in prop::collection::vec(0f32..40.0, 1..80)) {
            let rounded = round_keeping_sum(&durations);
            let (mut wanted, mut given) = (0f64, 0f64);
            for (d, r) in durations.iter().zip(&rounded) {
                wanted += f64::from(*d);
                given += f64::from(*r);
                prop_assert!((wanted - given).abs() <= 0.5 + 1e-9);
                prop_assert!(*r >= 1 || *d < 1.0);
            }
        }
    }

    #[test]
    fn a_duration_is_picked_as_asked() {
        let probabilities = [0.1, 0.2, 0.6, 0.1];
        assert!((DurationChoice::Mean.pick(&probabilities, 0.0) - 1.7).abs() < 1e-6);
        assert_eq!(DurationChoice::Mode.pick(&probabilities, 0.0), 2.0);
        let counts = (0..10_000).fold([0usize; 4], |mut counts, token| {
            counts[DurationChoice::Sampled.pick(&probabilities, duration_draw(3, token)) as usize] += 1;
            counts
        });
        for (count, p) in counts.iter().zip(probabilities) {
            assert!((*count as f32 / 10_000.0 - p).abs() < 0.02, "{counts:?}");
        }
    }
}
