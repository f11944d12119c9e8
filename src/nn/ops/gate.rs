//! The gate of WaveNet: tanh of one half times the sigmoid of the other.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor, bail};

use super::values;

/// `[.., 2 × width]` to `[.., width]`: `tanh(first half) · sigmoid(second half)`.
///
/// # Errors
/// The last dimension is odd.
pub fn gated_tanh(xs: &Tensor) -> Result<Tensor> {
    let width = xs.dim(D::Minus1)?;
    if width % 2 != 0 {
        bail!("gate: expected an even width, got {width}");
    }
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(Gate);
    }
    let halves = xs.chunk(2, D::Minus1)?;
    // sigmoid by tanh: candle's own has no gradient on every device.
    let sigmoid = (halves[1].affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5))?;
    halves[0].tanh()? * sigmoid
}

/// e^x to about 2e-7 relative, in a form that compilers vectorise (Cody and Waite reduction, degree 6).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Adding and subtracting 1.5 × 2^23 rounds to the nearest integer without a call.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * 0.693_359_4) - k * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    // The low bits of the shifted number are k: no conversion, which would have to saturate.
    y * f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits() - 127) << 23)
}

#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

vectorized! {
    fn forward(xs: &[f32], ys: &mut [f32], width: usize) -> () {
        for (row, out) in xs.chunks_exact(2 * width).zip(ys.chunks_exact_mut(width)) {
            let (content, gate) = row.split_at(width);
            for ((y, &c), &g) in out.iter_mut().zip(content).zip(gate) {
                *y = tanh(c) * sigmoid(g);
            }
        }
    }

    fn backward(xs: &[f32], grad: &[f32], dxs: &mut [f32], width: usize) -> () {
        let rows = xs.chunks_exact(2 * width).zip(grad.chunks_exact(width));
        for ((row, grad), out) in rows.zip(dxs.chunks_exact_mut(2 * width)) {
            let (content, gate) = row.split_at(width);
            let (d_content, d_gate) = out.split_at_mut(width);
            // Indices: five zipped iterators are too much for the vectoriser.
            for i in 0..width {
                let (t, s) = (tanh(content[i]), sigmoid(gate[i]));
                d_content[i] = grad[i] * (1.0 - t * t) * s;
                d_gate[i] = grad[i] * t * s * (1.0 - s);
            }
        }
    }
}

struct Gate;

impl CustomOp1 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let xs = values(self.name(), storage, layout)?;
        let mut dims = layout.dims().to_vec();
        let width = dims.last().copied().unwrap_or(2) / 2;
        let mut ys = vec![0f32; xs.len() / 2];
        forward(xs, &mut ys, width);
        if let Some(last) = dims.last_mut() {
            *last = width;
        }
        Ok((CpuStorage::F32(ys), Shape::from(dims)))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(arg.contiguous()?.apply_op2_no_bwd(&grad.contiguous()?, &GateGradient)?))
    }
}

struct GateGradient;

impl CustomOp2 for GateGradient {
    fn name(&self) -> &'static str {
        "gate-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (xs, grad) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let width = l2.dims().last().copied().unwrap_or(1);
        let mut dxs = vec![0f32; xs.len()];
        backward(xs, grad, &mut dxs, width);
        Ok((CpuStorage::F32(dxs), l1.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn exp_is_accurate_over_its_range() {
        let worst = (-8700..8800)
            .map(|i| i as f32 / 100.0)
            .map(|x| (super::exp(x) / x.exp() - 1.0).abs())
            .fold(0f32, f32::max);
        assert!(worst < 1e-6, "{worst}");
    }
}
