//! Shifted copies of a sequence side by side, and their transpose: the memory side of every convolution over time.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::values;
use crate::nn::Conv1dConfig;

/// `[batch, time, channels]` to `[batch, time', kernel × channels]`, tap-major: the left operand of a convolution.
///
/// # Errors
/// The padded input is shorter than the kernel's span.
pub fn unfold(xs: &Tensor, config: &Conv1dConfig) -> Result<Tensor> {
    let (_, time, _) = xs.dims3()?;
    let plan = Plan::new(config, time)?;
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(Unfold(plan));
    }
    plan.compose(xs)
}

/// The transpose of [`unfold`] without padding: `[batch, time, kernel × channels]`, tap-major, to
/// `[batch, (time − 1) · stride + kernel, channels]`, overlapping rows added up: the right half of a transposed
/// convolution.
///
/// # Errors
/// There are no rows, or `kernel` or `stride` is 0 or does not divide the width.
pub fn fold(xs: &Tensor, kernel: usize, stride: usize) -> Result<Tensor> {
    let (batch, time, width) = xs.dims3()?;
    if kernel == 0 || stride == 0 || time == 0 || !width.is_multiple_of(kernel) {
        bail!("fold: {time} rows of {width} values do not fit a kernel of {kernel} and a stride of {stride}");
    }
    let long = (time - 1) * stride + kernel;
    let plan = Plan { kernel, dilation: 1, stride, before: 0, after: 0, time: long, out_time: time };
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(Fold(plan));
    }
    let channels = width / kernel;
    let mut sum = Tensor::zeros((batch, long, channels), xs.dtype(), xs.device())?;
    for tap in 0..kernel {
        // Rows `stride` apart: zeros between, then cut to length and shifted by the tap.
        let rows = xs.narrow(2, tap * channels, channels)?.unsqueeze(2)?;
        let spread = rows.pad_with_zeros(2, 0, stride - 1)?.reshape((batch, time * stride, channels))?;
        let spread = spread.narrow(1, 0, (time - 1) * stride + 1)?;
        sum = (sum + spread.pad_with_zeros(1, tap, kernel - 1 - tap)?)?;
    }
    Ok(sum)
}

/// Which row goes where.
#[derive(Clone, Copy)]
struct Plan {
    kernel: usize,
    dilation: usize,
    stride: usize,
    before: usize,
    after: usize,
    /// Rows of the sequence.
    time: usize,
    /// Rows of shifted copies.
    out_time: usize,
}

impl Plan {
    fn new(config: &Conv1dConfig, time: usize) -> Result<Self> {
        let Conv1dConfig { kernel, dilation, stride, .. } = *config;
        if kernel == 0 || dilation == 0 || stride == 0 {
            bail!("convolution: kernel, dilation and stride must be at least 1");
        }
        let (before, after) = config.pads();
        let Some(room) = (time + before + after).checked_sub(config.span() + 1) else {
            bail!("convolution: {time} rows are fewer than the kernel's span of {}", config.span() + 1);
        };
        let out_time = room / stride + 1;
        Ok(Self { kernel, dilation, stride, before, after, time, out_time })
    }

    /// Calls `visit(row, copy, tap)` for each tap that falls inside the sequence.
    #[inline(always)]
    fn each(&self, batch: usize, mut visit: impl FnMut(usize, usize, usize)) {
        for sample in 0..batch {
            for tap in 0..self.kernel {
                let shift = tap * self.dilation;
                // Copies o with before ≤ o · stride + shift < before + time.
                let first = self.before.saturating_sub(shift).div_ceil(self.stride);
                let last = (self.time + self.before).saturating_sub(shift).div_ceil(self.stride);
                for out in first..last.min(self.out_time) {
                    let row = out * self.stride + shift - self.before;
                    visit(sample * self.time + row, sample * self.out_time + out, tap);
                }
            }
        }
    }

    #[inline(always)]
    fn unfold(&self, xs: &[f32], ys: &mut [f32], channels: usize) {
        let width = self.kernel * channels;
        let batch = xs.len() / (self.time * channels).max(1);
        self.each(batch, |row, copy, tap| {
            let target = copy * width + tap * channels;
            ys[target..target + channels].copy_from_slice(&xs[row * channels..(row + 1) * channels]);
        });
    }

    #[inline(always)]
    fn fold(&self, ys: &[f32], xs: &mut [f32], channels: usize) {
        let width = self.kernel * channels;
        let batch = ys.len() / (self.out_time * width).max(1);
        self.each(batch, |row, copy, tap| {
            let source = &ys[copy * width + tap * channels..][..channels];
            for (x, y) in xs[row * channels..(row + 1) * channels].iter_mut().zip(source) {
                *x += y;
            }
        });
    }

    fn compose(&self, xs: &Tensor) -> Result<Tensor> {
        let (batch, _, channels) = xs.dims3()?;
        // Room to cut whole strides from; the rows added here are never used.
        let padded = xs.pad_with_zeros(1, self.before, self.after + self.stride - 1)?;
        let taps = (0..self.kernel)
            .map(|tap| {
                let rows =
                    padded.narrow(1, tap * self.dilation, self.out_time * self.stride)?.contiguous()?;
                rows.reshape((batch, self.out_time, self.stride, channels))?.narrow(2, 0, 1)?.squeeze(2)
            })
            .collect::<Result<Vec<_>>>()?;
        Tensor::cat(&taps, 2)?.contiguous()
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
        let shape = (batch, self.0.out_time, self.0.kernel * channels);
        let mut ys = vec![0f32; shape.0 * shape.1 * shape.2];
        self.0.unfold(xs, &mut ys, channels);
        Ok((CpuStorage::F32(ys), Shape::from(shape)))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&Fold(self.0))?))
    }
}

vectorized! {
    fn fold_rows(plan: &Plan, ys: &[f32], xs: &mut [f32], channels: usize) -> () {
        plan.fold(ys, xs, channels)
    }
}

/// Adds the copies back where they came from.
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
        fold_rows(&self.0, ys, &mut xs, channels);
        Ok((CpuStorage::F32(xs), Shape::from((batch, self.0.time, channels))))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&Unfold(self.0))?))
    }
}
