//! Matrix products: weights in any precision, linear layers, embeddings.

use std::sync::{Arc, Once};

use candle_core::quantized::{GgmlDType, QMatMul};
use candle_core::{D, DType, Device, Module, Result, Tensor, bail};

use super::ops::{self, Map};
use super::{Init, Matrix8, Params, Stored};

/// A matrix `[outputs, inputs]` in the precision in which the voice stores it.
#[derive(Clone)]
pub enum Weight {
    /// f32, contiguous.
    Float(Tensor),
    /// Q8_0, laid out for this processor.
    Blocks(Arc<Matrix8>),
    /// The other block formats, and any on other devices.
    Quantized(QMatMul),
}

impl Weight {
    /// A stored matrix `[outputs, inputs]` of a block format. Where the processor lacks what candle's products of 4 and 6
    /// bits need, those are unpacked to f32, with a warning the first time.
    ///
    /// # Errors
    /// It is not a matrix.
    pub fn quantized(stored: &Stored, device: &Device) -> Result<Self> {
        let (outputs, inputs) = stored.shape().dims2()?;
        if stored.dtype() == GgmlDType::Q8_0 && device.is_cpu() {
            return Ok(Self::Blocks(Arc::new(Matrix8::from_q8_0(&stored.data()?, outputs, inputs)?)));
        }
        if device.is_cpu() && !has_candle_products() {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| {
                tracing::warn!(
                    "this processor has no dot-product instructions: weights of 4 and 6 bits are unpacked to 32"
                );
            });
            return Ok(Self::Float(stored.dequantize(device)?));
        }
        Ok(Self::Quantized(QMatMul::from_arc(Arc::new(stored.to_candle(device)?))?))
    }

    /// `xs [rows, inputs]` to `[rows, outputs]`.
    ///
    /// # Errors
    /// The inner dimensions differ, or `xs` needs a gradient and the weight is quantised.
    pub fn matmul(&self, xs: &Tensor) -> Result<Tensor> {
        match self {
            // Two dimensions: candle's product of a transposed view is only wrong for batches of matrices.
            Weight::Float(weight) => xs.matmul(&weight.t()?),
            // Neither would pass a gradient on, nor say a word.
            Weight::Blocks(_) | Weight::Quantized(_) if xs.track_op() => {
                bail!("a quantised weight passes no gradient on: load it as float to train")
            }
            Weight::Blocks(matrix) => ops::linear8(xs, matrix, None, None),
            Weight::Quantized(weight) => weight.forward(xs),
        }
    }
}

/// Candle 0.11.1 takes the dot-product instructions for granted on ARM: Cortex-A53, A57 and A72 lack them, and end in an
/// illegal instruction.
#[cfg(target_arch = "aarch64")]
fn has_candle_products() -> bool {
    std::arch::is_aarch64_feature_detected!("dotprod")
}

#[cfg(not(target_arch = "aarch64"))]
fn has_candle_products() -> bool {
    true
}

/// `y = x Wᵀ + b` over the last dimension.
#[derive(Clone)]
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

impl Linear {
    /// Takes `weight [outputs, inputs]` and `bias [outputs]`.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(inputs: usize, outputs: usize, params: &Params) -> Result<Self> {
        Self::with_init(inputs, outputs, Init::fan_in(inputs), params)
    }

    /// As [`Linear::new`], with a start of its own for the weight; the bias starts at zero.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn with_init(inputs: usize, outputs: usize, init: Init, params: &Params) -> Result<Self> {
        let weight = params.weight("weight", outputs, inputs, init)?;
        let bias = Some(params.tensor("bias", outputs, Init::Zeros)?);
        Ok(Self { weight, bias })
    }

    /// A layer of given parts: `weight [outputs, inputs]`, `bias [outputs]`.
    pub fn from_parts(weight: Weight, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// The same layer computing in another float precision; a quantised one stays as it is.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        let Weight::Float(weight) = &self.weight else { return Ok(self.clone()) };
        let bias = self.bias.as_ref().map(|bias| bias.to_dtype(dtype)).transpose()?;
        Ok(Self { weight: Weight::Float(weight.to_dtype(dtype)?), bias })
    }

    /// The matrix.
    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    /// What is added to the product, if anything.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// The layers that give an equal share of the outputs each, in order; `None` for a weight of a format, or of tiles,
    /// that are not taken apart.
    ///
    /// # Errors
    /// The outputs do not divide.
    pub fn split_outputs(&self, count: usize) -> Result<Option<Vec<Self>>> {
        let weights = match &self.weight {
            Weight::Float(weight) => weight.chunk(count, 0)?.into_iter().map(Weight::Float).collect(),
            Weight::Blocks(matrix) if !matrix.divides(count) => return Ok(None),
            Weight::Blocks(matrix) => {
                let parts = matrix.split_outputs(count)?;
                parts.into_iter().map(|part| Weight::Blocks(Arc::new(part))).collect::<Vec<_>>()
            }
            Weight::Quantized(_) => return Ok(None),
        };
        let biases = match &self.bias {
            Some(bias) => bias.chunk(count, 0)?.into_iter().map(Some).collect(),
            None => vec![None; count],
        };
        if weights.len() != count || biases.len() != count {
            bail!("linear: outputs do not divide into {count} parts");
        }
        Ok(Some(weights.into_iter().zip(biases).map(|(weight, bias)| Self { weight, bias }).collect()))
    }

    /// `[.., inputs]` to `[.., outputs]`.
    ///
    /// # Errors
    /// The last dimension is not `inputs`.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.apply(xs, None)
    }

    /// As [`Linear::forward`], then `map`, in the same pass.
    ///
    /// # Errors
    /// As [`Linear::forward`].
    pub fn forward_then(&self, xs: &Tensor, map: Map) -> Result<Tensor> {
        self.apply(xs, Some(map))
    }

    fn apply(&self, xs: &Tensor, then: Option<Map>) -> Result<Tensor> {
        match (&self.weight, &self.bias) {
            (Weight::Float(weight), Some(bias)) => return ops::linear(xs, weight, bias, then),
            (Weight::Blocks(matrix), bias) if !xs.track_op() => {
                return ops::linear8(xs, matrix, bias.as_ref(), then);
            }
            _ => {}
        }
        let mut shape = xs.dims().to_vec();
        let inputs = xs.dim(D::Minus1)?;
        let rows = xs.elem_count() / inputs.max(1);
        let ys = self.weight.matmul(&xs.contiguous()?.reshape((rows, inputs))?)?;
        shape.pop();
        shape.push(ys.dim(1)?);
        match (&self.bias, then) {
            (Some(bias), _) => ops::add_bias(&ys, bias, then)?,
            (None, Some(map)) => ops::map(&ys, map)?,
            (None, None) => ys,
        }
        .reshape(shape)
    }
}

/// A table of vectors.
#[derive(Clone)]
pub struct Embedding {
    table: Tensor,
}

impl Embedding {
    /// Takes `weight [rows, width]`.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(rows: usize, width: usize, params: &Params) -> Result<Self> {
        let deviation = 1.0 / (width.max(1) as f32).sqrt();
        Ok(Self { table: params.tensor("weight", (rows, width), Init::Normal(deviation))? })
    }

    /// `ids` (u32, any shape) to `[.., width]`.
    ///
    /// # Errors
    /// An id is outside the table.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let mut shape = ids.dims().to_vec();
        shape.push(self.table.dim(1)?);
        self.table.index_select(&ids.flatten_all()?, 0)?.reshape(shape)
    }
}
