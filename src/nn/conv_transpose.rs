//! Transposed convolution over time, the upsampler of the published WaveGlow: one matrix product and shifted sums.

use candle_core::{Result, Tensor, bail};

use super::{Init, Linear, Params, Weight, ops};

/// `[batch, time, inputs]` to `[batch, (time − 1) · stride + kernel, outputs]`: each row puts `kernel` rows at `stride`
/// times its place, and what overlaps is added.
#[derive(Clone)]
pub struct ConvTranspose1d {
    linear: Linear,
    bias: Tensor,
    config: ConvTranspose1dConfig,
}

/// The shape of a transposed convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvTranspose1dConfig {
    /// Rows that one input row makes.
    pub kernel: usize,
    /// Rows between the places of neighbouring input rows; at most the kernel.
    pub stride: usize,
}

/// What a stream has begun and not finished: rows that later input will add to.
#[derive(Clone, Default)]
pub struct ConvTransposeState {
    /// `[batch, kernel − stride, outputs]`, without bias; nothing before the first row.
    overlap: Option<Tensor>,
}

impl ConvTranspose1d {
    /// Takes `weight [kernel × outputs, inputs]` (tap-major rows) and `bias [outputs]`. A stored weight of three
    /// dimensions is read as PyTorch's `[inputs, outputs, kernel]`.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape, a trainable one has PyTorch's layout, or the stride is 0 or
    /// larger than the kernel.
    pub fn new(
        inputs: usize,
        outputs: usize,
        config: ConvTranspose1dConfig,
        params: &Params,
    ) -> Result<Self> {
        let ConvTranspose1dConfig { kernel, stride } = config;
        if stride == 0 || stride > kernel {
            bail!("transposed convolution: expected a stride from 1 to the kernel of {kernel}, got {stride}");
        }
        let init = Init::fan_in(inputs * kernel / stride);
        let is_torch = params.shape_of("weight").is_some_and(|shape| shape.rank() == 3);
        let weight = if is_torch && params.is_trainable() {
            // The weight used would be a copy that no step moves.
            bail!(
                "transposed convolution: a weight in PyTorch's layout cannot be trained; make it tap-major first"
            );
        } else if is_torch {
            Weight::Float(tap_major_transposed(&params.tensor("weight", (inputs, outputs, kernel), init)?)?)
        } else {
            params.weight("weight", kernel * outputs, inputs, init)?
        };
        let bias = params.tensor("bias", outputs, Init::Zeros)?;
        Ok(Self { linear: Linear::from_parts(weight, None), bias, config })
    }

    /// `[batch, time, inputs]` to `[batch, (time − 1) · stride + kernel, outputs]`.
    ///
    /// # Errors
    /// The input has another width or no rows.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        ops::add_bias(&self.spread(xs)?, &self.bias, None)
    }

    fn spread(&self, xs: &Tensor) -> Result<Tensor> {
        ops::fold(&self.linear.forward(xs)?, self.config.kernel, self.config.stride)
    }

    /// Continues a stream: `stride` rows out for each row in, which no later input changes.
    ///
    /// # Errors
    /// As [`ConvTranspose1d::forward`], or the batch has changed.
    pub fn step(&self, xs: &Tensor, state: &mut ConvTransposeState) -> Result<Tensor> {
        let open = self.config.kernel - self.config.stride;
        let mut rows = self.spread(xs)?;
        let ready = rows.dim(1)? - open;
        if let Some(overlap) = &state.overlap {
            rows = (rows + overlap.pad_with_zeros(1, 0, ready)?)?;
        }
        state.overlap = match open {
            0 => None,
            _ => Some(rows.narrow(1, ready, open)?.contiguous()?),
        };
        ops::add_bias(&rows.narrow(1, 0, ready)?, &self.bias, None)
    }

    /// Ends a stream: the `kernel − stride` rows that are still open; `None` when there are none, or there was no input.
    /// The state is fresh afterwards.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn flush(&self, state: &mut ConvTransposeState) -> Result<Option<Tensor>> {
        state.overlap.take().map(|rows| ops::add_bias(&rows, &self.bias, None)).transpose()
    }
}

/// PyTorch's `[inputs, outputs, kernel]` to our `[kernel × outputs, inputs]`.
///
/// # Errors
/// The tensor does not have three dimensions.
pub fn tap_major_transposed(weight: &Tensor) -> Result<Tensor> {
    let (inputs, outputs, kernel) = weight.dims3()?;
    weight.permute((2, 1, 0))?.contiguous()?.reshape((kernel * outputs, inputs))
}
