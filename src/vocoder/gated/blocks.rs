//! A gated layer of 8-bit blocks: convolution and conditioning are one product.

use candle_core::{Result, Tensor, bail};

use super::{Chunk, Layer, Part, Sequence};
use crate::nn::ops::{sigmoid, tanh, vectorized};
use crate::nn::{Linear, Matrix8, Weight};

/// Rows of a chunk: few enough for the cache, enough to read all weights for.
const CHUNK_ROWS: usize = 64;

/// One layer.
pub(super) struct BlockLayer {
    channels: usize,
    kernel: usize,
    dilation: usize,
    /// From the taps and the conditioning, side by side, to both halves of the gate.
    gate: Matrix8,
    gate_bias: Vec<f32>,
    /// To residual and skip; to the skip alone in the last layer.
    res_skip: Matrix8,
    res_skip_bias: Vec<f32>,
}

/// What a thread needs besides.
#[derive(Default)]
pub(super) struct Scratch {
    /// `[rows, taps and conditioning]`
    inputs: Vec<f32>,
    /// `[rows, 2 × channels]`
    gates: Vec<f32>,
    /// `[rows, channels]`
    acts: Vec<f32>,
    /// `[rows, 2 × channels]`
    out: Vec<f32>,
}

fn parts(linear: &Linear) -> Result<(&Matrix8, Vec<f32>)> {
    match (linear.weight(), linear.bias().map(Tensor::to_vec1)) {
        (Weight::Blocks(matrix), Some(bias)) => Ok((matrix, bias?)),
        _ => bail!("gated layers: expected 8-bit blocks and a bias"),
    }
}

impl BlockLayer {
    pub fn pack(part: Part<'_>) -> Result<Self> {
        let (conv, conv_bias) = parts(part.conv.linear())?;
        let (condition, condition_bias) = parts(part.condition)?;
        let (res_skip, res_skip_bias) = parts(part.res_skip)?;
        Ok(Self {
            channels: conv.outputs() / 2,
            kernel: part.conv.config().kernel,
            dilation: part.conv.config().dilation,
            gate: Matrix8::side_by_side(&[conv, condition])?,
            gate_bias: conv_bias.iter().zip(&condition_bias).map(|(a, b)| a + b).collect(),
            res_skip: Matrix8::side_by_side(&[res_skip])?,
            res_skip_bias,
        })
    }
}

impl Layer for BlockLayer {
    type Scratch = Scratch;

    fn reach(&self) -> usize {
        self.kernel / 2 * self.dilation
    }

    fn chunk_rows(&self) -> usize {
        CHUNK_ROWS
    }

    fn advance(&self, sequence: Sequence<'_>, chunk: Chunk<'_>, scratch: &mut Scratch) {
        let channels = self.channels;
        let rows = chunk.next.len() / channels;
        let Scratch { inputs, gates, acts, out } = scratch;
        inputs.clear();
        let condition = self.gate.inputs() - self.kernel * channels;
        let top = sequence.border + chunk.first - self.reach();
        for row in 0..rows {
            for tap in 0..self.kernel {
                let at = (top + row + tap * self.dilation) * channels;
                inputs.extend_from_slice(&sequence.xs[at..at + channels]);
            }
            let at = (chunk.first + row) * condition;
            inputs.extend_from_slice(&sequence.conditioning[at..at + condition]);
        }
        gates.resize(rows * 2 * channels, 0.0);
        acts.resize(rows * channels, 0.0);
        self.gate.product_into(inputs, gates);
        gate_rows(gates, &self.gate_bias, acts);
        out.resize(rows * self.res_skip_bias.len(), 0.0);
        self.res_skip.product_into(acts, out);
        let xs = &sequence.xs[(sequence.border + chunk.first) * channels..][..rows * channels];
        if self.res_skip_bias.len() == channels {
            // The last layer has no residual.
            add_skips(out, &self.res_skip_bias, chunk.skip);
        } else {
            add_both(out, &self.res_skip_bias, xs, chunk.next, chunk.skip);
        }
    }
}

vectorized! {
    fn gate_rows(gates: &[f32], bias: &[f32], acts: &mut [f32]) -> () {
        let channels = bias.len() / 2;
        let (content_bias, gate_bias) = bias.split_at(channels);
        for (gates, acts) in gates.chunks_exact(2 * channels).zip(acts.chunks_exact_mut(channels)) {
            let (content, gate) = gates.split_at(channels);
            for i in 0..channels {
                acts[i] = tanh(content[i] + content_bias[i]) * sigmoid(gate[i] + gate_bias[i]);
            }
        }
    }

    fn add_both(out: &[f32], bias: &[f32], xs: &[f32], next: &mut [f32], skips: &mut [f32]) -> () {
        let channels = bias.len() / 2;
        let (residual_bias, skip_bias) = bias.split_at(channels);
        for (row, out) in out.chunks_exact(2 * channels).enumerate() {
            let (residual, skip) = out.split_at(channels);
            let at = row * channels..(row + 1) * channels;
            let (xs, next, skips) = (&xs[at.clone()], &mut next[at.clone()], &mut skips[at]);
            for i in 0..channels {
                next[i] = xs[i] + residual[i] + residual_bias[i];
                skips[i] += skip[i] + skip_bias[i];
            }
        }
    }

    fn add_skips(out: &[f32], bias: &[f32], skips: &mut [f32]) -> () {
        let channels = bias.len();
        for (out, skips) in out.chunks_exact(channels).zip(skips.chunks_exact_mut(channels)) {
            for i in 0..channels {
                skips[i] += out[i] + bias[i];
            }
        }
    }
}
