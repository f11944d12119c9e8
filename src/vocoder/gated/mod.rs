//! The gated layers of a coupling as synthesis computes them on the CPU: whole sequences, weights packed once.
//!
//! Every layer is one pass over chunks of rows, in parallel: its convolution and its share of the conditioning, the gate,
//! residual and skip, all while a chunk is in the cache. Rows before and after the sequence are zeros, as published.

mod blocks;
mod float;

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::config::WavenetConfig;
use crate::nn::{Conv1d, Linear, Weight};
use blocks::BlockLayer;
use float::FloatLayer;

/// All gated layers of a coupling.
pub(super) struct Gated {
    channels: usize,
    conditioning: usize,
    /// Rows of zeros before and after a sequence.
    border: usize,
    layers: Layers,
}

enum Layers {
    Float(Vec<FloatLayer>),
    Blocks(Vec<BlockLayer>),
}

/// The layers as they were loaded, one of each for every layer.
pub(super) struct Parts<'a> {
    pub convs: &'a [Conv1d],
    pub conditioning: &'a [Linear],
    pub res_skip: &'a [Linear],
}

/// One of them.
#[derive(Clone, Copy)]
struct Part<'a> {
    conv: &'a Conv1d,
    condition: &'a Linear,
    res_skip: &'a Linear,
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

/// One gated layer in the form that its weights ask for.
trait Layer: Sync {
    /// What a thread needs besides.
    type Scratch: Default + Send;

    /// Rows before and after a chunk's that it may read.
    fn reach(&self) -> usize;

    /// Rows of a chunk.
    fn chunk_rows(&self) -> usize;

    /// Makes a chunk of what the next layer reads, and adds to the skips.
    fn advance(&self, sequence: Sequence<'_>, chunk: Chunk<'_>, scratch: &mut Self::Scratch);
}

impl Gated {
    /// `None` if this form is not for these layers: causal ones, which keep state, weights that are trained, on other
    /// devices or in other precisions, widths that do not fill vectors.
    pub fn pack(config: &WavenetConfig, parts: &Parts<'_>) -> Result<Option<Self>> {
        let all = || {
            let convs = parts.convs.iter().map(Conv1d::linear);
            convs.chain(parts.conditioning).chain(parts.res_skip)
        };
        let is_constant = all().all(|linear| linear.bias().is_some_and(|bias| !bias.track_op()));
        let is_float = all().all(|linear| match linear.weight() {
            Weight::Float(weight) => weight.device().is_cpu() && !weight.track_op(),
            _ => false,
        });
        let is_blocks = all().all(|linear| matches!(linear.weight(), Weight::Blocks(_)));
        if config.causal || !is_constant {
            return Ok(None);
        }
        let each = (0..config.layers).map(|i| {
            let (conv, condition, res_skip) = (&parts.convs[i], &parts.conditioning[i], &parts.res_skip[i]);
            Part { conv, condition, res_skip }
        });
        let layers = if is_float && config.channels.is_multiple_of(float::LANES) {
            Layers::Float(each.map(FloatLayer::pack).collect::<Result<_>>()?)
        } else if is_blocks {
            Layers::Blocks(each.map(BlockLayer::pack).collect::<Result<_>>()?)
        } else {
            return Ok(None);
        };
        let conditioning = match parts.conditioning.first().map(Linear::weight) {
            Some(Weight::Float(weight)) => weight.dim(1)?,
            Some(Weight::Blocks(matrix)) => matrix.inputs(),
            _ => 0,
        };
        let border = match &layers {
            Layers::Float(layers) => layers.iter().map(Layer::reach).max(),
            Layers::Blocks(layers) => layers.iter().map(Layer::reach).max(),
        };
        Ok(Some(Self { channels: config.channels, conditioning, border: border.unwrap_or(0), layers }))
    }

    /// `xs [batch, rows, channels]` and `conditioning [batch, rows, …]` to the sum of all skips,
    /// `[batch, rows, channels]`.
    pub fn forward(&self, xs: &Tensor, conditioning: &Tensor) -> Result<Tensor> {
        let (batch, rows, channels) = xs.dims3()?;
        if conditioning.dims() != [batch, rows, self.conditioning] || channels != self.channels {
            let (own, width) = (self.channels, self.conditioning);
            let got = conditioning.dims();
            bail!(
                "gated layers: expected {own} channels and {width} of conditioning, got {channels} and {got:?}"
            );
        }
        let mut skips = Vec::with_capacity(batch * rows * channels);
        let sequences = xs.contiguous()?.chunk(batch, 0)?.into_iter();
        for (xs, conditioning) in sequences.zip(conditioning.contiguous()?.chunk(batch, 0)?) {
            let xs = xs.flatten_all()?.to_vec1::<f32>()?;
            let conditioning = conditioning.flatten_all()?.to_vec1::<f32>()?;
            skips.extend(match &self.layers {
                Layers::Float(layers) => self.sequence(layers, &xs, &conditioning),
                Layers::Blocks(layers) => self.sequence(layers, &xs, &conditioning),
            });
        }
        Tensor::from_vec(skips, (batch, rows, channels), xs.device())
    }

    fn sequence<L: Layer>(&self, layers: &[L], xs: &[f32], conditioning: &[f32]) -> Vec<f32> {
        let before = self.border * self.channels;
        let mut now = vec![0f32; xs.len() + 2 * before];
        let mut next = now.clone();
        now[before..before + xs.len()].copy_from_slice(xs);
        let mut skip = vec![0f32; xs.len()];
        for layer in layers {
            let sequence = Sequence { xs: &now, conditioning, border: self.border };
            let rows = layer.chunk_rows();
            let values = rows * self.channels;
            let next_chunks = next[before..before + xs.len()].par_chunks_mut(values);
            let chunks = next_chunks.zip(skip.par_chunks_mut(values)).enumerate();
            chunks.for_each_init(L::Scratch::default, |scratch, (i, (next, skip))| {
                layer.advance(sequence, Chunk { first: i * rows, next, skip }, scratch);
            });
            std::mem::swap(&mut now, &mut next);
        }
        skip
    }
}
