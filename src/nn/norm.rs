//! Layer normalisation that keeps its gradient.

use candle_core::{Result, Tensor};

use super::{Init, Params, ops};

/// Normalises the last dimension to mean 0 and variance 1, then scales and shifts it
/// ([Ba et al. 2016](https://arxiv.org/abs/1607.06450)).
#[derive(Clone)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    const EPSILON: f32 = 1e-5;

    /// Takes `weight [width]` and `bias [width]`.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(width: usize, params: &Params) -> Result<Self> {
        Ok(Self {
            weight: params.tensor("weight", width, Init::Ones)?,
            bias: params.tensor("bias", width, Init::Zeros)?,
        })
    }

    /// `[.., width]` to the same shape.
    ///
    /// # Errors
    /// The last dimension is not `width`.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        ops::layer_norm(xs, &self.weight, &self.bias, Self::EPSILON)
    }
}
