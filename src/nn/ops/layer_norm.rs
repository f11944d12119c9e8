//! Layer normalisation with its scale and shift in one pass.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

use super::rows::moments;
use super::{sum1, sum2, values, with_values};

/// `(x − mean) / √(variance + epsilon) · weight + bias` over the last dimension; `weight [width]`, `bias [width]`.
///
/// # Errors
/// The widths differ.
pub fn layer_norm(xs: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f32) -> Result<Tensor> {
    let width = xs.dim(D::Minus1)?;
    if weight.dims() != [width] || bias.dims() != [width] {
        bail!("layer norm: expected a width of {width}, got {:?} and {:?}", weight.dims(), bias.dims());
    }
    if super::fused(xs) {
        let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
        return xs.contiguous()?.apply_op3(&weight, &bias, LayerNorm { epsilon });
    }
    super::standardize(xs, epsilon)?.broadcast_mul(weight)?.broadcast_add(bias)
}

struct LayerNorm {
    epsilon: f32,
}

vectorized! {
    fn forward(ys: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) -> () {
        for row in ys.chunks_exact_mut(weight.len().max(1)) {
            let (mean, scale) = moments(row, epsilon);
            for ((x, w), b) in row.iter_mut().zip(weight).zip(bias) {
                *x = (*x - mean) * scale * w + b;
            }
        }
    }
}

/// Gradients of input, weight and bias.
struct Gradients {
    dx: Vec<f32>,
    dw: Vec<f32>,
    db: Vec<f32>,
}

vectorized! {
    fn backward(xs: &[f32], weight: &[f32], grad: &[f32], epsilon: f32) -> Gradients {
        let width = weight.len().max(1);
        let (mut dx, mut dw, mut db) = (vec![0f32; xs.len()], vec![0f32; width], vec![0f32; width]);
        let mut scaled = vec![0f32; width];
        let rows = xs.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((row, grad), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let (mean, scale) = moments(row, epsilon);
            // dx holds the standardised row until it is overwritten.
            dx.iter_mut().zip(row).for_each(|(d, x)| *d = (x - mean) * scale);
            dw.iter_mut().zip(&*dx).zip(grad).for_each(|((dw, x), g)| *dw += x * g);
            db.iter_mut().zip(grad).for_each(|(db, g)| *db += g);
            scaled.iter_mut().zip(grad).zip(weight).for_each(|((s, g), w)| *s = g * w);
            let mean_grad = sum1(&scaled, |s| s) / width as f32;
            let mean_product = sum2(&scaled, dx, |s, x| s * x) / width as f32;
            dx.iter_mut().zip(&scaled).for_each(|(d, s)| *d = scale * (s - mean_grad - *d * mean_product));
        }
        Gradients { dx, dw, db }
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
        let mut ys = values(self.name(), s1, l1)?.to_vec();
        let (weight, bias) = (values(self.name(), s2, l2)?, values(self.name(), s3, l3)?);
        forward(&mut ys, weight, bias, self.epsilon);
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
        let grad = grad.contiguous()?;
        let op = self.name();
        let Gradients { dx, dw, db } = with_values(op, xs, |xs| {
            with_values(op, weight, |weight| {
                with_values(op, &grad, |grad| backward(xs, weight, grad, self.epsilon))
            })
        })???;
        let device = xs.device();
        Ok((
            Some(Tensor::from_vec(dx, xs.shape(), device)?),
            Some(Tensor::from_vec(dw, weight.shape(), device)?),
            Some(Tensor::from_vec(db, bias.shape(), device)?),
        ))
    }
}
