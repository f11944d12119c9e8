//! Bias, ReLU and layer normalisation: the passes that stand between two matrix products.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

use super::values;

/// What follows a linear layer, element by element.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// `max(0, x)`.
    Relu,
}

/// `activation(xs + bias)`: `xs [.., width]` and `bias [width]` to the shape of `xs`.
///
/// # Errors
/// The widths differ.
pub fn add_bias(xs: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    check_width("bias", xs, bias)?;
    let relu = activation == Activation::Relu;
    if super::fused(xs) {
        return xs.contiguous()?.apply_op2(&bias.contiguous()?, AddBias { relu });
    }
    let ys = xs.broadcast_add(bias)?;
    if relu { ys.relu() } else { Ok(ys) }
}

/// Brings each row of `xs [.., width]` to mean 0 and variance 1, then scales by `weight` and shifts by `bias` `[width]`.
///
/// # Errors
/// The widths differ.
pub fn layer_norm(xs: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f32) -> Result<Tensor> {
    check_width("layer norm", xs, weight)?;
    check_width("layer norm", xs, bias)?;
    if super::fused(xs) {
        let op = LayerNorm { epsilon };
        return xs.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op);
    }
    super::standardize(xs, epsilon)?.broadcast_mul(weight)?.broadcast_add(bias)
}

fn check_width(op: &str, xs: &Tensor, vector: &Tensor) -> Result<()> {
    let (expected, got) = (vector.dims1()?, xs.dim(D::Minus1)?);
    if expected != got {
        bail!("{op}: expected {expected} channels, got {got}");
    }
    Ok(())
}

fn last_dim(layout: &Layout) -> usize {
    layout.dims().last().copied().unwrap_or(1).max(1)
}

struct AddBias {
    relu: bool,
}

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
        let (xs, bias) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let mut ys = Vec::with_capacity(xs.len());
        for row in xs.chunks_exact(bias.len().max(1)) {
            if self.relu {
                ys.extend(row.iter().zip(bias).map(|(x, b)| (x + b).max(0.0)));
            } else {
                ys.extend(row.iter().zip(bias).map(|(x, b)| x + b));
            }
        }
        Ok((CpuStorage::F32(ys), l1.shape().clone()))
    }

    fn bwd(
        &self,
        _xs: &Tensor,
        _bias: &Tensor,
        res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx = if self.relu { res.apply_op2_no_bwd(&grad, &ReluGradient)? } else { grad };
        let db = dx.apply_op1_no_bwd(&ColumnSum)?;
        Ok((Some(dx), Some(db)))
    }
}

/// The gradient where the ReLU's output is positive, zero elsewhere.
struct ReluGradient;

impl CustomOp2 for ReluGradient {
    fn name(&self) -> &'static str {
        "relu-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (ys, grad) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let dx = ys.iter().zip(grad).map(|(&y, &g)| if y > 0.0 { g } else { 0.0 }).collect();
        Ok((CpuStorage::F32(dx), l1.shape().clone()))
    }
}

/// `[.., width]` to `[width]`.
struct ColumnSum;

impl CustomOp1 for ColumnSum {
    fn name(&self) -> &'static str {
        "column-sum"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = last_dim(layout);
        let mut sums = vec![0f32; width];
        for row in values(self.name(), storage, layout)?.chunks_exact(width) {
            sums.iter_mut().zip(row).for_each(|(s, x)| *s += x);
        }
        Ok((CpuStorage::F32(sums), Shape::from(width)))
    }
}

/// A sum in sixteen lanes, so that compilers vectorise it; also more accurate than one running sum.
#[inline(always)]
fn lane_sum(count: usize, term: impl Fn(usize) -> f32) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0f32; LANES];
    let whole = count - count % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(start + lane);
        }
    }
    let rest: f32 = (whole..count).map(term).sum();
    lanes.iter().sum::<f32>() + rest
}

#[derive(Clone, Copy)]
struct LayerNorm {
    epsilon: f32,
}

impl LayerNorm {
    /// Mean and 1 / √(variance + epsilon).
    #[inline(always)]
    fn statistics(self, row: &[f32]) -> (f32, f32) {
        let count = row.len();
        let mean = lane_sum(count, |i| row[i]) / count as f32;
        let variance = lane_sum(count, |i| (row[i] - mean) * (row[i] - mean)) / count as f32;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
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
        let xs = values(self.name(), s1, l1)?;
        let (weight, bias) = (values(self.name(), s2, l2)?, values(self.name(), s3, l3)?);
        let mut ys = Vec::with_capacity(xs.len());
        for row in xs.chunks_exact(weight.len().max(1)) {
            let (mean, scale) = self.statistics(row);
            ys.extend(row.iter().zip(weight).zip(bias).map(|((x, w), b)| (x - mean) * scale * w + b));
        }
        Ok((CpuStorage::F32(ys), l1.shape().clone()))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx = xs.apply_op3_no_bwd(weight, &grad, &LayerNormInput(*self))?;
        let affine = xs.apply_op2_no_bwd(&grad, &LayerNormAffine(*self))?;
        Ok((Some(dx), Some(affine.get(0)?), Some(affine.get(1)?)))
    }
}

/// (x, weight, dy) to dx.
struct LayerNormInput(LayerNorm);

impl CustomOp3 for LayerNormInput {
    fn name(&self) -> &'static str {
        "layer-norm-input-gradient"
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
        let xs = values(self.name(), s1, l1)?;
        let (weight, grad) = (values(self.name(), s2, l2)?, values(self.name(), s3, l3)?);
        let width = weight.len().max(1);
        let mut out = vec![0f32; xs.len()];
        let rows = xs.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((row, grad), out) in rows.zip(out.chunks_exact_mut(width)) {
            let (mean, scale) = self.0.statistics(row);
            let (weight, row, grad) = (&weight[..width], &row[..width], &grad[..width]);
            let mean_grad = lane_sum(width, |i| grad[i] * weight[i]) / width as f32;
            let product = lane_sum(width, |i| (row[i] - mean) * grad[i] * weight[i]) * scale / width as f32;
            for i in 0..width {
                out[i] = scale * (grad[i] * weight[i] - mean_grad - (row[i] - mean) * scale * product);
            }
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}

/// (x, dy) to `[2, width]`: the gradients of weight and bias.
struct LayerNormAffine(LayerNorm);

impl CustomOp2 for LayerNormAffine {
    fn name(&self) -> &'static str {
        "layer-norm-affine-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (xs, grad) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let width = last_dim(l1);
        let mut out = vec![0f32; 2 * width];
        let (d_weight, d_bias) = out.split_at_mut(width);
        for (row, grad) in xs.chunks_exact(width).zip(grad.chunks_exact(width)) {
            let (mean, scale) = self.0.statistics(row);
            let columns = d_weight.iter_mut().zip(d_bias.iter_mut());
            for (((dw, db), x), g) in columns.zip(row).zip(grad) {
                *dw += (x - mean) * scale * g;
                *db += g;
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((2, width))))
    }
}
