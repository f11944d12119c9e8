//! Frames to frames: convolutional blocks (native) or attention blocks (published).

use candle_core::{Result, Tensor};

use super::attention::FftSizes;
use super::tokens::model_positions;
use super::{Config, Dropout, FftBlock, Layout, Model, Padding};
use crate::nn::ops::{self, Map};
use crate::nn::{DepthwiseConv1d, LayerNorm, Linear, Params};

/// Depthwise convolution, norm, and a feed-forward of two layers, added to the input: ConvNeXt in one dimension
/// ([Liu et al. 2022](https://arxiv.org/abs/2201.03545)), with ReLU.
pub(super) struct ConvBlock {
    depthwise: DepthwiseConv1d,
    norm: LayerNorm,
    expand: Linear,
    contract: Linear,
}

impl ConvBlock {
    fn new(config: &Config, params: &Params) -> Result<Self> {
        let (width, filter) = (config.width, config.decoder_filter);
        Ok(Self {
            depthwise: DepthwiseConv1d::new(width, config.decoder_kernel, &params.pp("depthwise"))?,
            norm: LayerNorm::new(width, &params.pp("norm"))?,
            expand: Linear::new(width, filter, &params.pp("expand"))?,
            contract: Linear::new(filter, width, &params.pp("contract"))?,
        })
    }

    fn forward(&self, xs: &Tensor, padding: &Padding, dropout: &Dropout) -> Result<Tensor> {
        let ys = self.norm.forward(&self.depthwise.forward(&padding.clear(xs)?)?)?;
        let ys = self.contract.forward(&self.expand.forward_then(&ys, Map::RELU)?)?;
        ops::add_dropped(xs, &ys, dropout.mask())
    }
}

/// `[batch, frames, width]` to the same shape.
pub(super) enum Decoder {
    /// Cost grows with the frames; each output sees a fixed neighbourhood.
    Convolutions(Vec<ConvBlock>),
    /// Positions added, then FFT blocks.
    Attention {
        /// In order.
        blocks: Vec<FftBlock>,
        /// Whose positions.
        model: Model,
    },
}

impl Decoder {
    pub(super) fn new(config: &Config, params: &Params) -> Result<Self> {
        let blocks = 0..config.decoder_blocks;
        match config.layout {
            Layout::Native => blocks
                .map(|i| ConvBlock::new(config, &params.pp(i)))
                .collect::<Result<_>>()
                .map(Self::Convolutions),
            Layout::Published => blocks
                .map(|i| FftBlock::new(FftSizes::decoder(config), &params.pp(i)))
                .collect::<Result<_>>()
                .map(|blocks| Self::Attention { blocks, model: config.model }),
        }
    }

    pub(super) fn forward(&self, xs: &Tensor, padding: &Padding, dropout: &Dropout) -> Result<Tensor> {
        match self {
            Self::Convolutions(blocks) => {
                blocks.iter().try_fold(xs.clone(), |xs, block| block.forward(&xs, padding, dropout))
            }
            Self::Attention { blocks, model } => {
                let (_, frames, width) = xs.dims3()?;
                let xs = xs.broadcast_add(&model_positions(*model, frames, width, xs.device())?)?;
                blocks.iter().try_fold(xs, |xs, block| block.forward(&xs, padding, dropout))
            }
        }
    }
}
