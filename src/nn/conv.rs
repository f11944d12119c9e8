//! Convolution over time, channels last: shifted copies and one matrix product.

use candle_core::{DType, Result, Tensor, bail};

use super::ops::{self, Map};
use super::{Init, Linear, Params, Weight};

/// What stands outside a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Zeros on both sides, so that the output is as long as the input. The kernel must be odd.
    Same,
    /// Zeros before the start only: an output sees nothing later than itself.
    Causal,
    /// Nothing: the output is shorter by the kernel's span.
    Valid,
    /// This many rows of zeros on each side.
    Zeros(usize),
}

/// The shape of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv1dConfig {
    /// Number of taps.
    pub kernel: usize,
    /// Rows between taps.
    pub dilation: usize,
    /// Rows between outputs.
    pub stride: usize,
    /// What stands outside.
    pub padding: Padding,
}

impl Conv1dConfig {
    /// A kernel without dilation, moved row by row.
    pub fn new(kernel: usize, padding: Padding) -> Self {
        Self { kernel, dilation: 1, stride: 1, padding }
    }

    /// Rows that one output spans, less one.
    pub fn span(&self) -> usize {
        self.kernel.saturating_sub(1) * self.dilation
    }

    /// Zero rows before and after the input.
    pub fn pads(&self) -> (usize, usize) {
        match self.padding {
            Padding::Same => (self.span() / 2, self.span() - self.span() / 2),
            Padding::Causal => (self.span(), 0),
            Padding::Valid => (0, 0),
            Padding::Zeros(rows) => (rows, rows),
        }
    }
}

/// `[batch, time, inputs]` to `[batch, time', outputs]`.
#[derive(Clone)]
pub struct Conv1d {
    linear: Linear,
    config: Conv1dConfig,
    inputs: usize,
}

impl Conv1d {
    /// Takes `weight [outputs, kernel × inputs]` (tap-major columns) and `bias [outputs]`.
    ///
    /// A stored weight of three dimensions is read as PyTorch's `[outputs, inputs, kernel]`; `weight_g` and `weight_v`
    /// of a weight-normed layer win over a stale `weight` beside them and are folded.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape, a trainable one has PyTorch's layout, or the kernel is even and
    /// has to keep the length.
    pub fn new(inputs: usize, outputs: usize, config: Conv1dConfig, params: &Params) -> Result<Self> {
        Self::with_init(inputs, outputs, (config, Init::fan_in(inputs * config.kernel)), params)
    }

    /// As [`Conv1d::new`], with a start of its own for the weight.
    ///
    /// # Errors
    /// As [`Conv1d::new`].
    pub fn with_init(
        inputs: usize,
        outputs: usize,
        (config, init): (Conv1dConfig, Init),
        params: &Params,
    ) -> Result<Self> {
        if config.kernel == 0 || config.dilation == 0 || config.stride == 0 {
            bail!("convolution: kernel, dilation and stride must be at least 1");
        }
        if config.padding == Padding::Same && config.kernel.is_multiple_of(2) {
            bail!("convolution: an even kernel of {} has no middle", config.kernel);
        }
        let kernel = config.kernel;
        let torch = (outputs, inputs, kernel);
        let normed = params.contains("weight_v");
        let is_torch = normed || params.shape_of("weight").is_some_and(|shape| shape.rank() == 3);
        if is_torch && params.is_trainable() {
            // The weight used would be a copy that no step moves.
            bail!(
                "convolution: a weight in PyTorch's layout cannot be trained; fold it and make it tap-major first"
            );
        }
        let weight = if normed {
            let gain = params.tensor("weight_g", (outputs, 1, 1), Init::Ones)?;
            let direction = params.tensor("weight_v", torch, init)?;
            Weight::Float(tap_major(&fold_weight_norm(&gain, &direction)?)?)
        } else if is_torch {
            Weight::Float(tap_major(&params.tensor("weight", torch, init)?)?)
        } else {
            params.weight("weight", outputs, kernel * inputs, init)?
        };
        let bias = params.tensor("bias", outputs, Init::Zeros)?;
        Ok(Self { linear: Linear::from_parts(weight, Some(bias)), config, inputs })
    }

    /// A layer of given parts: `linear` from kernel × inputs, tap-major, to the outputs.
    pub fn from_parts(linear: Linear, inputs: usize, config: Conv1dConfig) -> Self {
        Self { linear, config, inputs }
    }

    /// The same layer computing in another float precision; a quantised one stays as it is.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        Ok(Self { linear: self.linear.to_dtype(dtype)?, ..self.clone() })
    }

    /// The matrix product inside, from kernel × inputs to the outputs.
    pub fn linear(&self) -> &Linear {
        &self.linear
    }

    /// The number of channels that go in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The matrix product inside: the whole of a convolution of one tap.
    pub fn into_linear(self) -> Linear {
        self.linear
    }

    /// The shape that was asked for.
    pub fn config(&self) -> &Conv1dConfig {
        &self.config
    }

    /// `[batch, time, inputs]` to `[batch, time', outputs]`; time' is ⌊(time + zeros − span − 1) / stride⌋ + 1.
    ///
    /// # Errors
    /// The input has another width, or is shorter with its zeros than the kernel's span.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.linear.forward(&self.unfold(xs)?)
    }

    /// As [`Conv1d::forward`], then `map`, in the same pass.
    ///
    /// # Errors
    /// As [`Conv1d::forward`].
    pub fn forward_then(&self, xs: &Tensor, map: Map) -> Result<Tensor> {
        self.linear.forward_then(&self.unfold(xs)?, map)
    }

    fn unfold(&self, xs: &Tensor) -> Result<Tensor> {
        let (_batch, _time, inputs) = xs.dims3()?;
        if inputs != self.inputs {
            bail!("convolution: expected {} channels, got {inputs}", self.inputs);
        }
        let Conv1dConfig { kernel, stride, .. } = self.config;
        if kernel == 1 && stride == 1 && self.config.pads() == (0, 0) {
            return Ok(xs.clone());
        }
        ops::unfold(xs, &self.config)
    }

    /// Continues a causal convolution: `state [batch, span, inputs]` holds the rows before `xs` and is moved on.
    /// A fresh stream starts from [`Conv1d::zero_state`].
    ///
    /// # Errors
    /// Shapes differ, or the convolution is not causal or skips rows.
    pub fn step(&self, xs: &Tensor, state: &mut Tensor) -> Result<Tensor> {
        if self.config.padding != Padding::Causal || self.config.stride != 1 {
            bail!("convolution: only a causal one of stride 1 has steps");
        }
        if self.config.kernel == 1 {
            return self.linear.forward(xs);
        }
        let span = self.config.span();
        let rows = Tensor::cat(&[&*state, xs], 1)?;
        let time = rows.dim(1)?;
        *state = rows.narrow(1, time - span, span)?.contiguous()?;
        let valid = Conv1dConfig { padding: Padding::Valid, ..self.config };
        self.linear.forward(&ops::unfold(&rows, &valid)?)
    }

    /// The state of a stream that has seen nothing: `[batch, span, inputs]` of zeros.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn zero_state(&self, batch: usize, like: &Tensor) -> Result<Tensor> {
        Tensor::zeros((batch, self.config.span(), self.inputs), like.dtype(), like.device())
    }
}

/// PyTorch's `[outputs, inputs, kernel]` to our `[outputs, kernel × inputs]`.
///
/// # Errors
/// The tensor does not have three dimensions.
pub fn tap_major(weight: &Tensor) -> Result<Tensor> {
    let (outputs, inputs, kernel) = weight.dims3()?;
    weight.permute((0, 2, 1))?.contiguous()?.reshape((outputs, kernel * inputs))
}

/// `g · v / ‖v‖`, the norm taken over all dimensions but the first
/// ([Salimans and Kingma 2016](https://arxiv.org/abs/1602.07868)).
///
/// # Errors
/// The first dimensions differ.
pub fn fold_weight_norm(gain: &Tensor, direction: &Tensor) -> Result<Tensor> {
    let outputs = direction.dim(0)?;
    let flat = direction.contiguous()?.reshape((outputs, ()))?;
    let norm = flat.sqr()?.sum_keepdim(1)?.sqrt()?;
    flat.broadcast_mul(&gain.reshape((outputs, 1))?.div(&norm)?)?.reshape(direction.shape())
}

/// One kernel per channel, zeros on both sides: `[batch, time, channels]` to the same shape.
#[derive(Clone)]
pub struct DepthwiseConv1d {
    weight: Tensor,
    bias: Tensor,
}

impl DepthwiseConv1d {
    /// Takes `weight [kernel, channels]` and `bias [channels]`; the kernel must be odd.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(channels: usize, kernel: usize, params: &Params) -> Result<Self> {
        if kernel.is_multiple_of(2) {
            bail!("depthwise convolution: an even kernel of {kernel} cannot keep the length");
        }
        Ok(Self {
            weight: params.tensor("weight", (kernel, channels), Init::fan_in(kernel))?,
            bias: params.tensor("bias", channels, Init::Zeros)?,
        })
    }

    /// # Errors
    /// The input has another width.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        ops::add_bias(&ops::depthwise(xs, &self.weight)?, &self.bias, None)
    }
}
