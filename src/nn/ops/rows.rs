//! Softmax and standardisation of rows.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor};

use super::{gate::exp, maximum, sum1, sum2, values};

/// Softmax over the last dimension. A row that is −∞ throughout gives zeros.
///
/// # Errors
/// The tensor is not of floats.
pub fn softmax(xs: &Tensor) -> Result<Tensor> {
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(Row::Softmax);
    }
    candle_nn::ops::softmax(xs, D::Minus1)
}

/// `(x − mean) / √(variance + epsilon)` over the last dimension.
///
/// # Errors
/// The tensor is not of floats.
pub fn standardize(xs: &Tensor, epsilon: f32) -> Result<Tensor> {
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(Row::Standardize { epsilon });
    }
    let centred = xs.broadcast_sub(&xs.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + f64::from(epsilon))?.sqrt()?)
}

#[derive(Clone, Copy)]
enum Row {
    Softmax,
    Standardize { epsilon: f32 },
}

/// Mean and 1 / √(variance + epsilon) of a row.
#[inline(always)]
pub(super) fn moments(row: &[f32], epsilon: f32) -> (f32, f32) {
    let mean = sum1(row, |x| x) / row.len() as f32;
    let variance = sum1(row, |x| (x - mean) * (x - mean)) / row.len() as f32;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

impl CustomOp1 for Row {
    fn name(&self) -> &'static str {
        match self {
            Row::Softmax => "softmax",
            Row::Standardize { .. } => "standardize",
        }
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut ys = values(self.name(), storage, layout)?.to_vec();
        let width = layout.dims().last().copied().unwrap_or(1).max(1);
        forward(*self, &mut ys, width);
        Ok((CpuStorage::F32(ys), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        // y·grad products need y; standardisation also needs the scale, which the argument gives.
        let source = match self {
            Row::Softmax => res,
            Row::Standardize { .. } => arg,
        };
        Ok(Some(source.contiguous()?.apply_op2_no_bwd(&grad.contiguous()?, &RowGradient(*self))?))
    }
}

impl Row {
    #[inline(always)]
    fn forward(&self, ys: &mut [f32], width: usize) {
        for row in ys.chunks_exact_mut(width) {
            match *self {
                Row::Softmax => {
                    let top = maximum(row);
                    if top == f32::NEG_INFINITY {
                        row.fill(0.0);
                        continue;
                    }
                    for x in row.iter_mut() {
                        // exp() clamps at −87; a masked entry must be exactly zero.
                        let y = exp(*x - top);
                        *x = if *x == f32::NEG_INFINITY { 0.0 } else { y };
                    }
                    let scale = 1.0 / sum1(row, |x| x);
                    row.iter_mut().for_each(|x| *x *= scale);
                }
                Row::Standardize { epsilon } => {
                    let (mean, scale) = moments(row, epsilon);
                    row.iter_mut().for_each(|x| *x = (*x - mean) * scale);
                }
            }
        }
    }

    #[inline(always)]
    fn backward(&self, source: &[f32], grad: &[f32], width: usize) -> Vec<f32> {
        let mut out = vec![0f32; source.len()];
        let rows = source.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((row, grad), out) in rows.zip(out.chunks_exact_mut(width)) {
            match *self {
                Row::Softmax => {
                    let dot = sum2(row, grad, |y, g| y * g);
                    for ((d, y), g) in out.iter_mut().zip(row).zip(grad) {
                        *d = y * (g - dot);
                    }
                }
                Row::Standardize { epsilon } => {
                    let (mean, scale) = moments(row, epsilon);
                    let mean_grad = sum1(grad, |g| g) / width as f32;
                    let mean_product = sum2(row, grad, |x, g| (x - mean) * scale * g) / width as f32;
                    for ((d, x), g) in out.iter_mut().zip(row).zip(grad) {
                        *d = scale * (g - mean_grad - (x - mean) * scale * mean_product);
                    }
                }
            }
        }
        out
    }
}

vectorized! {
    fn forward(row: Row, ys: &mut [f32], width: usize) -> () {
        row.forward(ys, width)
    }

    fn backward(row: Row, source: &[f32], grad: &[f32], width: usize) -> Vec<f32> {
        row.backward(source, grad, width)
    }
}

struct RowGradient(Row);

impl CustomOp2 for RowGradient {
    fn name(&self) -> &'static str {
        "row-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (source, grad) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let width = l1.dims().last().copied().unwrap_or(1).max(1);
        let out = backward(self.0, source, grad, width);
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}
