//! The gated layers of a coupling as synthesis computes them on the CPU: whole sequences, weights packed once.
//!
//! Every layer is one pass over chunks of rows, in parallel: its convolution and its share of the conditioning, the gate,
//! residual and skip, all while a chunk is in the cache. Rows before and after the sequence are zeros, as published.

mod float;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::config::WavenetConfig;
use crate::nn::{Conv1d, Linear, Weight};
use float::FloatLayer;

/// All gated layers of a coupling.
pub(super) struct Gated {
    channels: usize,
    conditioning: usize,
    /// Rows of zeros before and after a sequence.
    border: usize,
    layers: Vec<FloatLayer>,
}

/// The layers as they were loaded.
pub(super) struct Parts<'a> {
    pub convs: &'a [Conv1d],
    /// One for each layer.
    pub conditioning: &'a [Linear],
    pub res_skip: &'a [Linear],
}

/// What a layer works on.
#[derive(Clone, Copy)]
struct Sequence<'a> {
    /// Rows of all channels, `border` zero rows around them.
    xs: &'a [f32],
    conditioning: &'a [f32],
    border: usize,
}

/// The rows of a layer that one thread makes.
struct Chunk<'a> {
    /// The first of them.
    first: usize,
    /// What the next layer reads, without the border.
    next: &'a mut [f32],
    skip: &'a mut [f32],
}

impl Gated {
    /// `None` if this form is not for these layers: causal ones, which keep state, weights that are trained or in other
    /// precisions, channels that do not fill vectors.
    pub fn pack(config: &WavenetConfig, parts: &Parts<'_>) -> Result<Option<Self>> {
        let channels = config.channels;
        let all = || {
            let convs = parts.convs.iter().map(Conv1d::linear);
            convs.chain(parts.conditioning).chain(parts.res_skip)
        };
        let is_float = all().all(|linear| match (linear.weight(), linear.bias()) {
            (Weight::Float(weight), Some(bias)) => {
                weight.device().is_cpu() && !weight.track_op() && !bias.track_op()
            }
            _ => false,
        });
        if config.causal || !is_float || !channels.is_multiple_of(float::LANES) {
            return Ok(None);
        }
        let layers = (0..config.layers)
            .map(|i| {
                FloatLayer::pack(
                    (config.kernel, config.dilation(i)),
                    [parts.convs[i].linear(), &parts.conditioning[i], &parts.res_skip[i]],
                )
            })
            .collect::<Result<Vec<_>>>()?;
        let border = layers.iter().map(FloatLayer::reach).max().unwrap_or(0);
        let conditioning = layers.first().map_or(0, FloatLayer::conditioning);
        Ok(Some(Self { channels, conditioning, border, layers }))
    }

    /// `xs [batch, rows, channels]` and `conditioning [batch, rows, …]` to the sum of all skips,
    /// `[batch, rows, channels]`.
    pub fn forward(&self, xs: &Tensor, conditioning: &Tensor) -> Result<Tensor> {
        let (batch, rows, channels) = xs.dims3()?;
        let width = conditioning.dim(2)?;
        if conditioning.dims() != [batch, rows, self.conditioning] || channels != self.channels {
            candle_core::bail!(
                "gated layers: expected {rows} rows of {} and {} channels, got {channels} and {width}",
                self.channels,
                self.conditioning
            );
        }
        let mut skips = Vec::with_capacity(batch * rows * channels);
        for (xs, conditioning) in
            xs.contiguous()?.chunk(batch, 0)?.iter().zip(conditioning.contiguous()?.chunk(batch, 0)?)
        {
            let xs = xs.flatten_all()?.to_vec1::<f32>()?;
            let conditioning = conditioning.flatten_all()?.to_vec1::<f32>()?;
            skips.extend(self.sequence(&xs, &conditioning));
        }
        Tensor::from_vec(skips, (batch, rows, channels), xs.device())
    }

    fn sequence(&self, xs: &[f32], conditioning: &[f32]) -> Vec<f32> {
        let before = self.border * self.channels;
        let mut now = vec![0f32; xs.len() + 2 * before];
        let mut next = now.clone();
        now[before..before + xs.len()].copy_from_slice(xs);
        let mut skip = vec![0f32; xs.len()];
        for layer in &self.layers {
            let sequence = Sequence { xs: &now, conditioning, border: self.border };
            let rows = layer.chunk_rows();
            let values = rows * self.channels;
            let chunks =
                next[before..before + xs.len()].par_chunks_mut(values).zip(skip.par_chunks_mut(values));
            chunks.enumerate().for_each_init(float::Scratch::default, |scratch, (i, (next, skip))| {
                layer.advance(sequence, Chunk { first: i * rows, next, skip }, scratch);
            });
            std::mem::swap(&mut now, &mut next);
        }
        skip
    }
}
