//! The FFT block: masked self-attention and a convolutional feed-forward, each with residual and post-norm
//! ([Ren et al. 2019](https://arxiv.org/abs/1905.09263)).

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::{Config, Dropout, Layout};
use crate::nn::ops::{self, Map};
use crate::nn::{Conv1d, Conv1dConfig, LayerNorm, Linear, Padding as Edge, Params};

/// Which rows of a padded batch are real.
#[derive(Debug, Clone)]
pub struct Padding {
    /// Rows of each sequence.
    pub lengths: Arc<[usize]>,
    /// 0 for real keys and −∞ for padding, `[batch, 1, 1, time]`; none when nothing is padded.
    keys: Option<Tensor>,
}

impl Padding {
    /// The padding of sequences of these lengths in a batch of `time` rows.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new(lengths: Arc<[usize]>, time: usize, device: &Device) -> Result<Self> {
        let keys = if lengths.iter().all(|&rows| rows == time) {
            None
        } else {
            let mask: Vec<f32> = lengths
                .iter()
                .flat_map(|&rows| (0..time).map(move |t| if t < rows { 0.0 } else { f32::NEG_INFINITY }))
                .collect();
            Some(Tensor::from_vec(mask, (lengths.len(), 1, 1, time), device)?)
        };
        Ok(Self { lengths, keys })
    }

    /// `xs [batch, time, channels]` with zeros in the padding.
    ///
    /// # Errors
    /// The batch or the time differs.
    pub fn clear(&self, xs: &Tensor) -> Result<Tensor> {
        ops::keep_rows(xs, &self.lengths)
    }
}

/// Scaled dot-product attention over the tokens of each sequence.
pub struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
    /// The output projection sees the block's input beside the context.
    joined: bool,
}

impl SelfAttention {
    fn new(sizes: FftSizes, params: &Params) -> Result<Self> {
        let FftSizes { layout, width, attention, heads, .. } = sizes;
        let joined = layout == Layout::Native;
        let output = if joined { width + attention } else { attention };
        Ok(Self {
            query: Linear::new(width, attention, &params.pp("query"))?,
            key: Linear::new(width, attention, &params.pp("key"))?,
            value: Linear::new(width, attention, &params.pp("value"))?,
            output: Linear::new(output, width, &params.pp("output"))?,
            heads,
            joined,
        })
    }

    /// The weights that each query gives to each key: `[batch, heads, time, time]`, rows summing to 1, exactly 0 where
    /// the key is padding.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn weights(&self, xs: &Tensor, padding: &Padding) -> Result<Tensor> {
        let queries = self.split(&self.query.forward(xs)?)?;
        let keys = self.split(&self.key.forward(xs)?)?.transpose(2, 3)?.contiguous()?;
        let scale = 1.0 / (queries.dim(3)? as f64).sqrt();
        let scores = (queries.matmul(&keys)? * scale)?;
        let scores = match &padding.keys {
            Some(keys) => scores.broadcast_add(keys)?,
            None => scores,
        };
        ops::softmax(&scores)
    }

    fn forward(&self, xs: &Tensor, padding: &Padding) -> Result<Tensor> {
        let values = self.split(&self.value.forward(xs)?)?;
        let context = self.weights(xs, padding)?.matmul(&values)?;
        let context = context.transpose(1, 2)?.contiguous()?.flatten_from(2)?;
        if self.joined {
            return self.output.forward(&Tensor::cat(&[xs, &context], 2)?);
        }
        self.output.forward(&context)
    }

    /// `[batch, time, width]` to `[batch, heads, time, width / heads]`.
    fn split(&self, xs: &Tensor) -> Result<Tensor> {
        let (batch, time, width) = xs.dims3()?;
        xs.reshape((batch, time, self.heads, width / self.heads))?.transpose(1, 2)?.contiguous()
    }
}

/// Sizes of an [`FftBlock`].
#[derive(Debug, Clone, Copy)]
pub(super) struct FftSizes {
    pub(super) layout: Layout,
    pub(super) width: usize,
    /// Width of all heads together.
    pub(super) attention: usize,
    pub(super) heads: usize,
    /// Taps of both convolutions.
    pub(super) kernels: [usize; 2],
    pub(super) filter: usize,
}

impl FftSizes {
    pub(super) fn encoder(config: &Config) -> Self {
        Self::new(config, config.encoder_kernel, config.encoder_filter)
    }

    pub(super) fn decoder(config: &Config) -> Self {
        Self::new(config, config.decoder_kernel, config.decoder_filter)
    }

    fn new(config: &Config, kernel: usize, filter: usize) -> Self {
        Self {
            layout: config.layout,
            width: config.width,
            attention: config.attention_width(),
            heads: config.heads,
            kernels: [kernel, config.contract_kernel()],
            filter,
        }
    }
}

/// Attention and feed-forward, `[batch, time, width]` to the same shape, zeros in the padding.
pub struct FftBlock {
    attention: SelfAttention,
    attention_norm: LayerNorm,
    expand: Conv1d,
    contract: Conv1d,
    feed_norm: LayerNorm,
}

impl FftBlock {
    pub(super) fn new(sizes: FftSizes, params: &Params) -> Result<Self> {
        let FftSizes { width, kernels, filter, .. } = sizes;
        let [expand, contract] = kernels.map(|kernel| Conv1dConfig::new(kernel, Edge::Same));
        Ok(Self {
            attention: SelfAttention::new(sizes, &params.pp("attention"))?,
            attention_norm: LayerNorm::new(width, &params.pp("attention_norm"))?,
            expand: Conv1d::new(width, filter, expand, &params.pp("expand"))?,
            contract: Conv1d::new(filter, width, contract, &params.pp("contract"))?,
            feed_norm: LayerNorm::new(width, &params.pp("feed_norm"))?,
        })
    }

    /// The block's attention.
    pub fn attention(&self) -> &SelfAttention {
        &self.attention
    }

    /// # Errors
    /// Shapes differ.
    pub fn forward(&self, xs: &Tensor, padding: &Padding, dropout: &Dropout) -> Result<Tensor> {
        let ys = self.attention.forward(xs, padding)?;
        let xs = self.attention_norm.forward(&ops::add_dropped(xs, &ys, dropout.mask())?)?;
        let xs = padding.clear(&xs)?;
        let ys = self.contract.forward(&self.expand.forward_then(&xs, Map::RELU)?)?;
        let xs = self.feed_norm.forward(&ops::add_dropped(&xs, &ys, dropout.mask())?)?;
        padding.clear(&xs)
    }
}
