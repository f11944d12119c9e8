//! Matrix product, bias and an element-wise function in one node of the graph.
//!
//! Composed of candle's operations, a linear layer's backward pass spends more time on the sum over rows for the bias,
//! on transposed copies and on accumulating into fresh zeros than on its two products.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

use super::map::MapGradient;
use super::{Map, values, with_values};
use crate::nn::Matrix8;

/// `xs Wᵀ + bias`, then `then`: `xs [.., inputs]`, `weight [outputs, inputs]`, `bias [outputs]` to `[.., outputs]`.
///
/// # Errors
/// The shapes do not fit.
pub fn linear(xs: &Tensor, weight: &Tensor, bias: &Tensor, then: Option<Map>) -> Result<Tensor> {
    let inputs = xs.dim(D::Minus1)?;
    let (outputs, expected) = weight.dims2()?;
    if inputs != expected || bias.dims() != [outputs] {
        bail!("linear: expected {expected} inputs and {outputs} biases, got {inputs} and {:?}", bias.dims());
    }
    let xs = xs.contiguous()?;
    if super::fused(&xs) {
        return xs.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Affine(then));
    }
    let rows = xs.elem_count() / inputs.max(1);
    let ys = xs.reshape((rows, inputs))?.matmul(&weight.t()?)?.broadcast_add(bias)?;
    let mut shape = xs.dims().to_vec();
    shape.pop();
    shape.push(outputs);
    compose(ys, then)?.reshape(shape)
}

/// `xs Wᵀ`, with `bias [outputs]` added if there is one, then `then`: as [`linear`], for a matrix of 8-bit blocks on the
/// CPU. Without a gradient.
///
/// # Errors
/// The shapes do not fit, or `xs` is not of f32 on the CPU.
pub fn linear8(xs: &Tensor, matrix: &Matrix8, bias: Option<&Tensor>, then: Option<Map>) -> Result<Tensor> {
    let mut shape = xs.dims().to_vec();
    if shape.pop() != Some(matrix.inputs()) || bias.is_some_and(|bias| bias.dims() != [matrix.outputs()]) {
        let bias = bias.map(Tensor::dims);
        bail!(
            "linear: a matrix [{}, {}] does not fit {:?} and biases {bias:?}",
            matrix.outputs(),
            matrix.inputs(),
            xs.dims()
        );
    }
    shape.push(matrix.outputs());
    let mut ys = with_values("linear", &xs.contiguous()?, |xs| matrix.product(xs))??;
    match (bias, then) {
        (Some(bias), _) => with_values("linear", bias, |bias| finish(&mut ys[..], bias, then))?,
        (None, Some(map)) => super::map::apply(map, &mut ys[..]),
        (None, None) => {}
    }
    Tensor::from_vec(ys, shape, xs.device())
}

/// `xs + bias`, then `then`: `xs [.., width]` and `bias [width]` to the shape of `xs`.
///
/// # Errors
/// The widths differ.
pub fn add_bias(xs: &Tensor, bias: &Tensor, then: Option<Map>) -> Result<Tensor> {
    if bias.dims() != [xs.dim(D::Minus1)?] {
        bail!("bias: expected a width of {}, got {:?}", xs.dim(D::Minus1)?, bias.dims());
    }
    if super::fused(xs) {
        return xs.contiguous()?.apply_op2(&bias.contiguous()?, AddBias(then));
    }
    compose(xs.broadcast_add(bias)?, then)
}

fn compose(xs: Tensor, then: Option<Map>) -> Result<Tensor> {
    match then {
        Some(map) => map.compose(&xs),
        None => Ok(xs),
    }
}

vectorized! {
    fn finish(ys: &mut [f32], bias: &[f32], then: Option<Map>) -> () {
        for row in ys.chunks_exact_mut(bias.len().max(1)) {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            if let Some(map) = then {
                map.apply(row);
            }
        }
    }

    fn sum_rows(rows: &[f32], width: usize) -> Vec<f32> {
        let mut sums = vec![0f32; width];
        for row in rows.chunks_exact(width.max(1)) {
            sums.iter_mut().zip(row).for_each(|(s, x)| *s += x);
        }
        sums
    }
}

/// The gradient before `then`, contiguous; `ys` are the results after it.
fn through(then: Option<Map>, ys: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let grad = grad.contiguous()?;
    match then {
        Some(map) => ys.apply_op2_no_bwd(&grad, &MapGradient(map)),
        None => Ok(grad),
    }
}

fn bias_gradient(grad: &Tensor, width: usize) -> Result<Tensor> {
    let sums = with_values("bias", grad, |grad| sum_rows(grad, width))?;
    Tensor::from_vec(sums, width, grad.device())
}

struct Affine(Option<Map>);

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let bias = values(self.name(), s3, l3)?;
        let (outputs, inputs) = l2.shape().dims2()?;
        let rows = l1.shape().elem_count() / inputs.max(1);
        let left = Layout::contiguous_with_offset((rows, inputs), l1.start_offset());
        let right = l2.transpose(0, 1)?;
        let mut product = s1.matmul(s2, (1, rows, outputs, inputs), &left, &right)?;
        if let CpuStorage::F32(ys) = &mut product {
            finish(&mut ys[..], bias, self.0);
        }
        let mut shape = l1.dims().to_vec();
        shape.pop();
        shape.push(outputs);
        Ok((product, Shape::from(shape)))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        ys: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (outputs, inputs) = weight.dims2()?;
        let grad = through(self.0, ys, grad)?.reshape(((), outputs))?;
        // Inputs and weights outside the graph (data, frozen layers) need no product.
        let dx = match xs.track_op() {
            true => Some(grad.matmul(&weight.detach())?.reshape(xs.shape())?),
            false => None,
        };
        let dw = match weight.track_op() {
            true => Some(grad.t()?.matmul(&xs.detach().reshape(((), inputs))?)?),
            false => None,
        };
        let db = match bias.track_op() {
            true => Some(bias_gradient(&grad, outputs)?),
            false => None,
        };
        Ok((dx, dw, db))
    }
}

struct AddBias(Option<Map>);

impl CustomOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (mut ys, bias) = (values(self.name(), s1, l1)?.to_vec(), values(self.name(), s2, l2)?);
        finish(&mut ys[..], bias, self.0);
        Ok((CpuStorage::F32(ys), l1.shape().clone()))
    }

    fn bwd(
        &self,
        _xs: &Tensor,
        bias: &Tensor,
        ys: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = through(self.0, ys, grad)?;
        let db = match bias.track_op() {
            true => Some(bias_gradient(&grad, bias.elem_count())?),
            false => None,
        };
        Ok((Some(grad), db))
    }
}
