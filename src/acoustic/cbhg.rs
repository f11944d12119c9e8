//! The post-net of the published FastSpeech 1, in evaluation mode
//! ([Wang et al. 2017](https://arxiv.org/abs/1703.10135), xcmyz's code).
//!
//! ```text
//!  x ─▶ convolutions of 1 … banks taps, ReLU, batch norm, side by side ─▶ greater of two frames
//!    ─▶ convolution, ReLU, batch norm ─▶ convolution, batch norm ─▶ + x ─▶ highways ─▶ GRU, both ways ─▶ project ─▶ + x
//! ```

use candle_core::{Result, Tensor};

use crate::nn::ops::Map;
use crate::nn::{
    BatchNorm1d, Conv1d, Conv1dConfig, Gru, Linear, Padding as Edge, Params, Reading, Statistics,
};

pub(super) struct Cbhg {
    banks: Vec<(Conv1d, BatchNorm1d)>,
    projections: [(Conv1d, BatchNorm1d); 2],
    highways: Vec<Highway>,
    gru: Gru,
    output: Linear,
}

/// `t · ReLU(Hx) + (1 − t) · x` with `t = σ(Tx)`.
struct Highway {
    transform: Linear,
    gate: Linear,
}

impl Cbhg {
    pub(super) fn new(
        mels: usize,
        (banks, width, highways): (usize, usize, usize),
        params: &Params,
    ) -> Result<Self> {
        let layer = |inputs: usize, outputs: usize, kernel: usize, params: &Params| {
            // An even kernel has no middle: it sees a frame more of the past, and gives one too many at the end.
            let config = Conv1dConfig::new(kernel, Edge::Zeros(kernel / 2));
            Ok((
                Conv1d::new(inputs, outputs, config, &params.pp("conv"))?,
                BatchNorm1d::new(outputs, &params.pp("norm"))?,
            ))
        };
        let (bank, projection) = (params.pp("banks"), params.pp("projections"));
        let highway = |i: usize| {
            let params = params.pp(format!("highways.{i}"));
            let transform = Linear::new(mels, mels, &params.pp("transform"))?;
            Ok(Highway { transform, gate: Linear::new(mels, mels, &params.pp("gate"))? })
        };
        Ok(Self {
            banks: (0..banks).map(|i| layer(mels, mels, i + 1, &bank.pp(i))).collect::<Result<_>>()?,
            projections: [
                layer(banks * mels, width, 3, &projection.pp(0))?,
                layer(width, mels, 3, &projection.pp(1))?,
            ],
            highways: (0..highways).map(highway).collect::<Result<_>>()?,
            gru: Gru::new(mels, mels, Reading::BothWays, &params.pp("gru"))?,
            output: Linear::new(2 * mels, mels, &params.pp("output"))?,
        })
    }

    /// `[batch, frames, mels]` to the same shape. Padding is read as frames are.
    pub(super) fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let frames = xs.dim(1)?;
        let bank = |(conv, norm): &(Conv1d, BatchNorm1d)| {
            let ys = conv.forward_then(xs, Map::RELU)?.narrow(1, 0, frames)?.contiguous()?;
            norm.forward(&ys, Statistics::Running)
        };
        let ys = Tensor::cat(&self.banks.iter().map(bank).collect::<Result<Vec<_>>>()?, 2)?;
        // Each frame and the one before it; the first stands alone.
        let before = Tensor::cat(&[&ys.narrow(1, 0, 1)?, &ys.narrow(1, 0, frames - 1)?], 1)?;
        let [(first, first_norm), (second, second_norm)] = &self.projections;
        let ys = first.forward_then(&ys.maximum(&before)?, Map::RELU)?;
        let ys = second.forward(&first_norm.forward(&ys, Statistics::Running)?)?;
        let ys = (xs + second_norm.forward(&ys, Statistics::Running)?)?;
        let ys = self.highways.iter().try_fold(ys, |ys, highway| highway.forward(&ys))?;
        xs + self.output.forward(&self.gru.forward(&ys, None)?.states)?
    }
}

impl Highway {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let share = self.gate.forward(xs)?.affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5)?;
        let transformed = self.transform.forward_then(xs, Map::RELU)?;
        xs + (share * (transformed - xs)?)?
    }
}
