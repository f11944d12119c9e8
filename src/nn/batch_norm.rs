//! Batch normalisation of channels ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)).

use candle_core::{Result, Tensor, bail};

use super::{Conv1d, Init, Linear, Params, Weight, ops};

/// Which mean and variance normalise a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistics {
    /// The batch's own, as in training; the running averages move towards them by this share, 0 to 1.
    ///
    /// [`BatchNorm1d::MOMENTUM`] is the usual share. To estimate the statistics anew over several batches, use 1 for
    /// the first, 1/2 for the second, 1/3 for the third, and so on: the running averages then are plain averages.
    Batch {
        /// The share.
        momentum: f32,
    },
    /// The running averages, which stay as they are: in use, and in training with the layer frozen.
    Running,
}

/// Brings each channel to mean 0 and variance 1, then scales and shifts it; `[batch, time, channels]` to the same shape.
#[derive(Clone)]
pub struct BatchNorm1d {
    weight: Tensor,
    bias: Tensor,
    channels: usize,
    /// Where the running averages live, so that they are saved with the weights.
    params: Params,
}

impl BatchNorm1d {
    /// PyTorch's default share of a batch in the running averages.
    pub const MOMENTUM: f32 = 0.1;
    const EPSILON: f32 = 1e-5;

    /// Takes `weight [channels]` and `bias [channels]`, and the constants `running_mean` and `running_var [channels]`.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(channels: usize, params: &Params) -> Result<Self> {
        let layer = Self {
            weight: params.tensor("weight", channels, Init::Ones)?,
            bias: params.tensor("bias", channels, Init::Zeros)?,
            channels,
            params: params.clone(),
        };
        layer.running()?;
        Ok(layer)
    }

    /// Running mean and variance, `[channels]` each.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn running(&self) -> Result<(Tensor, Tensor)> {
        Ok((
            self.params.constant("running_mean", self.channels, Init::Zeros)?,
            self.params.constant("running_var", self.channels, Init::Ones)?,
        ))
    }

    /// `[batch, time, channels]` to the same shape.
    ///
    /// # Errors
    /// The input has another width; or, by the batch's own statistics, it has a single row, or the parameters are stored
    /// ones, which do not change.
    pub fn forward(&self, xs: &Tensor, statistics: Statistics) -> Result<Tensor> {
        let (batch, time, channels) = xs.dims3()?;
        if channels != self.channels {
            bail!("batch norm: expected {} channels, got {channels}", self.channels);
        }
        match statistics {
            Statistics::Running => {
                let (scale, shift) = self.scale_and_shift()?;
                ops::add_bias(&ops::depthwise(xs, &scale.unsqueeze(0)?)?, &shift, None)
            }
            Statistics::Batch { momentum } => {
                let rows = batch * time;
                if rows < 2 {
                    bail!("batch norm: expected more than one row to take statistics of, got {rows}");
                }
                let (ys, moments) = ops::batch_norm(xs, &self.weight, &self.bias, Self::EPSILON)?;
                let (mean, variance) = self.running()?;
                let unbiased = (moments.variance * (rows as f64 / (rows - 1) as f64))?;
                self.params.set_constant("running_mean", &blend(&mean, &moments.mean, momentum)?)?;
                self.params.set_constant("running_var", &blend(&variance, &unbiased, momentum)?)?;
                Ok(ys)
            }
        }
    }

    /// `weight / √(variance + ε)` and `bias − mean · scale`, of the running averages.
    fn scale_and_shift(&self) -> Result<(Tensor, Tensor)> {
        let (mean, variance) = self.running()?;
        let scale = self.weight.div(&(variance + f64::from(Self::EPSILON))?.sqrt()?)?;
        let shift = (&self.bias - (mean * &scale)?)?;
        Ok((scale, shift))
    }

    /// `conv` followed by this layer at its running averages, as one convolution.
    ///
    /// # Errors
    /// The convolution's outputs are not this layer's channels, or its weight is quantised: fold before quantising.
    pub fn fold_into(&self, conv: &Conv1d) -> Result<Conv1d> {
        let Weight::Float(weight) = conv.linear().weight() else {
            bail!("batch norm: cannot be folded into a quantised weight");
        };
        if weight.dim(0)? != self.channels {
            bail!("batch norm: expected {} channels, got {}", self.channels, weight.dim(0)?);
        }
        let (scale, shift) = self.scale_and_shift()?;
        let weight = weight.broadcast_mul(&scale.unsqueeze(1)?)?;
        let bias = match conv.linear().bias() {
            Some(bias) => ((bias * scale)? + shift)?,
            None => shift,
        };
        let linear = Linear::from_parts(Weight::Float(weight), Some(bias));
        Ok(Conv1d::from_parts(linear, conv.inputs(), *conv.config()))
    }
}

fn blend(old: &Tensor, new: &Tensor, share: f32) -> Result<Tensor> {
    old.affine(1.0 - f64::from(share), 0.0)? + new.affine(f64::from(share), 0.0)?
}
