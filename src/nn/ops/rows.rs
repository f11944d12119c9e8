//! Softmax and standardisation of rows.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor};

use super::{gate::exp, values};

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

fn sum(xs: impl Iterator<Item = f32>) -> f32 {
    xs.map(f64::from).sum::<f64>() as f32
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
        for row in ys.chunks_exact_mut(width) {
            match self {
                Row::Softmax => {
                    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    if top == f32::NEG_INFINITY {
                        row.fill(0.0);
                        continue;
                    }
                    // exp() clamps at −87; a masked entry must be exactly zero.
                    row.iter_mut()
                        .for_each(|x| *x = if *x == f32::NEG_INFINITY { 0.0 } else { exp(*x - top) });
                    let scale = 1.0 / sum(row.iter().copied());
                    row.iter_mut().for_each(|x| *x *= scale);
                }
                Row::Standardize { .. } => {
                    let scale = self.scale(row);
                    let mean = sum(row.iter().copied()) / width as f32;
                    row.iter_mut().for_each(|x| *x = (*x - mean) * scale);
                }
            }
        }
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
    /// 1 / √(variance + epsilon).
    fn scale(&self, row: &[f32]) -> f32 {
        let Row::Standardize { epsilon } = self else { return 1.0 };
        let mean = sum(row.iter().copied()) / row.len() as f32;
        let variance = sum(row.iter().map(|x| (x - mean) * (x - mean))) / row.len() as f32;
        1.0 / (variance + epsilon).sqrt()
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
        let mut out = vec![0f32; source.len()];
        let rows = source.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((row, grad), out) in rows.zip(out.chunks_exact_mut(width)) {
            match self.0 {
                Row::Softmax => {
                    let dot = sum(row.iter().zip(grad).map(|(y, g)| y * g));
                    for ((d, y), g) in out.iter_mut().zip(row).zip(grad) {
                        *d = y * (g - dot);
                    }
                }
                Row::Standardize { .. } => {
                    let scale = self.0.scale(row);
                    let mean = sum(row.iter().copied()) / width as f32;
                    let mean_grad = sum(grad.iter().copied()) / width as f32;
                    let mean_product =
                        sum(row.iter().zip(grad).map(|(x, g)| (x - mean) * scale * g)) / width as f32;
                    for ((d, x), g) in out.iter_mut().zip(row).zip(grad) {
                        *d = scale * (g - mean_grad - (x - mean) * scale * mean_product);
                    }
                }
            }
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}
