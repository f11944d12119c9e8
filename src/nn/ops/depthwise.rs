//! Depthwise convolution: one kernel per channel, zeros outside, length kept.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::values;

/// `xs [batch, time, channels]` by `weight [kernel, channels]`, kernel odd, to the shape of `xs`.
///
/// # Errors
/// The channels differ.
pub fn depthwise(xs: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (_, time, channels) = xs.dims3()?;
    let (kernel, width) = weight.dims2()?;
    if channels != width {
        bail!("depthwise convolution: expected {width} channels, got {channels}");
    }
    if super::fused(xs) {
        return xs.contiguous()?.apply_op2(&weight.contiguous()?, Depthwise(Pass::Forward));
    }
    let padded = xs.pad_with_zeros(1, kernel / 2, kernel / 2)?;
    let mut sum = padded.narrow(1, 0, time)?.broadcast_mul(&weight.get(0)?)?;
    for tap in 1..kernel {
        sum = (sum + padded.narrow(1, tap, time)?.broadcast_mul(&weight.get(tap)?)?)?;
    }
    Ok(sum)
}

#[derive(Clone, Copy)]
enum Pass {
    /// (x, w) to y.
    Forward,
    /// (dy, w) to dx: the same kernel, reversed.
    Input,
    /// (x, dy) to dw.
    Kernel { kernel: usize },
}

struct Depthwise(Pass);

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    time: usize,
    channels: usize,
    kernel: usize,
}

vectorized! {
    fn accumulate(pass: Pass, sizes: Sizes, inputs: (&[f32], &[f32]), out: &mut [f32]) -> () {
        let Sizes { batch, time, channels, kernel } = sizes;
        let (first, second) = inputs;
        for tap in 0..kernel {
            // y[t] += x[t + offset] · w[tap]
            let offset = match pass {
                Pass::Input => (kernel / 2) as isize - tap as isize,
                _ => tap as isize - (kernel / 2) as isize,
            };
            let first_row = (-offset).max(0) as usize;
            let last_row = (time as isize - offset).clamp(0, time as isize) as usize;
            for sample in 0..batch {
                for row in first_row..last_row {
                    let here = (sample * time + row) * channels;
                    let there = (here as isize + offset * channels as isize) as usize;
                    let (target, a, b) = match pass {
                        Pass::Kernel { .. } => {
                            (tap * channels, &first[there..there + channels], &second[here..here + channels])
                        }
                        _ => (here, &first[there..there + channels], &second[tap * channels..][..channels]),
                    };
                    for ((y, a), b) in out[target..target + channels].iter_mut().zip(a).zip(b) {
                        *y += a * b;
                    }
                }
            }
        }
    }
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (first, second) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let (batch, time, channels) = l1.shape().dims3()?;
        let kernel = match self.0 {
            Pass::Kernel { kernel } => kernel,
            _ => l2.shape().dims2()?.0,
        };
        let shape = match self.0 {
            Pass::Kernel { .. } => Shape::from((kernel, channels)),
            _ => l1.shape().clone(),
        };
        let mut out = vec![0f32; shape.elem_count()];
        let sizes = Sizes { batch, time, channels, kernel };
        accumulate(self.0, sizes, (first, second), &mut out);
        Ok((CpuStorage::F32(out), shape))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx = grad.apply_op2_no_bwd(&weight.contiguous()?, &Depthwise(Pass::Input))?;
        let kernel = weight.dim(0)?;
        let dw = xs.contiguous()?.apply_op2_no_bwd(&grad, &Depthwise(Pass::Kernel { kernel }))?;
        Ok((Some(dx), Some(dw)))
    }
}
