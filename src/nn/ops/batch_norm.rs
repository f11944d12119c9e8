//! Normalisation of each channel by the mean and variance of the whole batch.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

use super::{values, with_values};

/// The moments of each channel over a batch, `[channels]` each, without gradient.
pub struct BatchMoments {
    /// Means.
    pub mean: Tensor,
    /// Variances, those of the batch itself (divided by the number of rows).
    pub variance: Tensor,
}

/// `(x − mean) / √(variance + epsilon) · weight + bias` for each channel, over all rows of `xs [.., channels]`, and the
/// moments. Gradients flow through the moments too.
///
/// # Errors
/// The widths differ, or there are no rows.
pub fn batch_norm(
    xs: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f32,
) -> Result<(Tensor, BatchMoments)> {
    let width = xs.dim(D::Minus1)?;
    if weight.dims() != [width] || bias.dims() != [width] || xs.elem_count() == 0 {
        bail!("batch norm: expected rows of {:?} values, got {:?}", weight.dims(), xs.dims());
    }
    if super::fused(xs) {
        let xs = xs.contiguous()?;
        let moments = with_values("batch-norm", &xs, |xs| moments(xs, width))?;
        let public = BatchMoments {
            mean: Tensor::from_slice(&moments.mean, width, xs.device())?,
            variance: Tensor::from_slice(&moments.variance, width, xs.device())?,
        };
        let op = BatchNorm { scale: moments.scale(epsilon), moments };
        return Ok((xs.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)?, public));
    }
    let rows = xs.contiguous()?.reshape(((), width))?;
    let mean = rows.mean(0)?;
    let centred = rows.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean(0)?;
    let scale = weight.div(&(&variance + f64::from(epsilon))?.sqrt()?)?;
    let ys = centred.broadcast_mul(&scale)?.broadcast_add(bias)?.reshape(xs.shape())?;
    Ok((ys, BatchMoments { mean: mean.detach(), variance: variance.detach() }))
}

struct Moments {
    mean: Vec<f32>,
    variance: Vec<f32>,
}

impl Moments {
    #[inline(always)]
    fn new(xs: &[f32], width: usize) -> Self {
        let count = (xs.len() / width) as f32;
        let (mut mean, mut variance) = (vec![0f32; width], vec![0f32; width]);
        for row in xs.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
        }
        mean.iter_mut().for_each(|mean| *mean /= count);
        for row in xs.chunks_exact(width) {
            for ((variance, mean), x) in variance.iter_mut().zip(&mean).zip(row) {
                *variance += (x - mean) * (x - mean);
            }
        }
        variance.iter_mut().for_each(|variance| *variance /= count);
        Self { mean, variance }
    }

    fn scale(&self, epsilon: f32) -> Vec<f32> {
        self.variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect()
    }
}

struct BatchNorm {
    moments: Moments,
    /// 1 / √(variance + epsilon).
    scale: Vec<f32>,
}

/// Gradients of input, weight and bias.
struct Gradients {
    dx: Vec<f32>,
    dw: Vec<f32>,
    db: Vec<f32>,
}

impl BatchNorm {
    #[inline(always)]
    fn forward(&self, ys: &mut [f32], weight: &[f32], bias: &[f32]) {
        let gain: Vec<f32> = self.scale.iter().zip(weight).map(|(s, w)| s * w).collect();
        for row in ys.chunks_exact_mut(weight.len()) {
            for (((y, mean), gain), bias) in row.iter_mut().zip(&self.moments.mean).zip(&gain).zip(bias) {
                *y = (*y - mean) * gain + bias;
            }
        }
    }

    #[inline(always)]
    fn backward(&self, xs: &[f32], weight: &[f32], grad: &[f32]) -> Gradients {
        let width = weight.len();
        let (mean, scale) = (&self.moments.mean, &self.scale);
        let (mut dw, mut db) = (vec![0f32; width], vec![0f32; width]);
        for (row, grad) in xs.chunks_exact(width).zip(grad.chunks_exact(width)) {
            db.iter_mut().zip(grad).for_each(|(db, g)| *db += g);
            for (((dw, mean), x), g) in dw.iter_mut().zip(mean).zip(row).zip(grad) {
                *dw += (x - mean) * g;
            }
        }
        dw.iter_mut().zip(scale).for_each(|(dw, s)| *dw *= s);
        // dx = gain · (g − mean of g − standardised x · mean of (g · standardised x))
        let count = (xs.len() / width) as f32;
        let gain: Vec<f32> = scale.iter().zip(weight).map(|(s, w)| s * w).collect();
        let constant: Vec<f32> = db.iter().map(|db| db / count).collect();
        let slope: Vec<f32> = dw.iter().zip(scale).map(|(dw, s)| dw * s / count).collect();
        let mut dx = vec![0f32; xs.len()];
        let rows = xs.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((row, grad), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            for i in 0..width {
                dx[i] = gain[i] * (grad[i] - constant[i] - (row[i] - mean[i]) * slope[i]);
            }
        }
        Gradients { dx, dw, db }
    }
}

vectorized! {
    fn moments(xs: &[f32], width: usize) -> Moments {
        Moments::new(xs, width)
    }

    fn forward(op: &BatchNorm, ys: &mut [f32], weight: &[f32], bias: &[f32]) -> () {
        op.forward(ys, weight, bias)
    }

    fn backward(op: &BatchNorm, xs: &[f32], weight: &[f32], grad: &[f32]) -> Gradients {
        op.backward(xs, weight, grad)
    }
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch-norm"
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
        let mut ys = values(self.name(), s1, l1)?.to_vec();
        let (weight, bias) = (values(self.name(), s2, l2)?, values(self.name(), s3, l3)?);
        forward(self, &mut ys, weight, bias);
        Ok((CpuStorage::F32(ys), l1.shape().clone()))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _ys: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (op, grad) = (self.name(), grad.contiguous()?);
        let Gradients { dx, dw, db } = with_values(op, xs, |xs| {
            with_values(op, weight, |weight| with_values(op, &grad, |grad| backward(self, xs, weight, grad)))
        })???;
        let device = xs.device();
        Ok((
            Some(Tensor::from_vec(dx, xs.shape(), device)?),
            Some(Tensor::from_vec(dw, weight.shape(), device)?),
            Some(Tensor::from_vec(db, bias.shape(), device)?),
        ))
    }
}
