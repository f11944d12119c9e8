//! Shifted copies of a sequence side by side: the left operand of a convolution's matrix product.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::values;
use crate::nn::Conv1dConfig;

/// `[batch, time, channels]` to `[batch, time', kernel × channels]`, tap-major.
///
/// # Errors
/// The padded input is shorter than the kernel's span.
pub fn unfold(xs: &Tensor, config: &Conv1dConfig) -> Result<Tensor> {
    let (_, time, _) = xs.dims3()?;
    let (before, after) = config.pads();
    let Some(out_time) = (time + before + after).checked_sub(config.span()).filter(|&t| t > 0) else {
        bail!("convolution: {time} rows are fewer than the kernel's span of {}", config.span() + 1);
    };
    let plan = Plan { kernel: config.kernel, dilation: config.dilation, before, time, out_time };
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(Unfold(plan));
    }
    let padded = xs.pad_with_zeros(1, before, after)?;
    let taps = (0..config.kernel)
        .map(|tap| padded.narrow(1, tap * config.dilation, out_time))
        .collect::<Result<Vec<_>>>()?;
    Tensor::cat(&taps, 2)?.contiguous()
}

#[derive(Clone, Copy)]
struct Plan {
    kernel: usize,
    dilation: usize,
    before: usize,
    time: usize,
    out_time: usize,
}

impl Plan {
    /// Calls `visit(input row, output row, tap)` for each tap that falls inside the input.
    fn each(&self, batch: usize, mut visit: impl FnMut(usize, usize, usize)) {
        for sample in 0..batch {
            for tap in 0..self.kernel {
                let shift = tap * self.dilation;
                let first = self.before.saturating_sub(shift);
                let last = (self.time + self.before).saturating_sub(shift).min(self.out_time);
                for out in first..last {
                    visit(sample * self.time + out + shift - self.before, sample * self.out_time + out, tap);
                }
            }
        }
    }
}

struct Unfold(Plan);

impl CustomOp1 for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let xs = values(self.name(), storage, layout)?;
        let (batch, _, channels) = layout.shape().dims3()?;
        let width = self.0.kernel * channels;
        let mut ys = vec![0f32; batch * self.0.out_time * width];
        self.0.each(batch, |from, to, tap| {
            let target = to * width + tap * channels;
            ys[target..target + channels].copy_from_slice(&xs[from * channels..(from + 1) * channels]);
        });
        Ok((CpuStorage::F32(ys), Shape::from((batch, self.0.out_time, width))))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&Fold(self.0))?))
    }
}

/// The transpose of [`Unfold`]: adds the copies back where they came from.
struct Fold(Plan);

impl CustomOp1 for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let ys = values(self.name(), storage, layout)?;
        let (batch, _, width) = layout.shape().dims3()?;
        let channels = width / self.0.kernel;
        let mut xs = vec![0f32; batch * self.0.time * channels];
        self.0.each(batch, |from, to, tap| {
            let source = &ys[to * width + tap * channels..][..channels];
            for (x, y) in xs[from * channels..(from + 1) * channels].iter_mut().zip(source) {
                *x += y;
            }
        });
        Ok((CpuStorage::F32(xs), Shape::from((batch, self.0.time, channels))))
    }
}
