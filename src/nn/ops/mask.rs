//! Padding rows and dropout.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::values;
use crate::random::mix;

/// Sets the rows of `xs [batch, time, channels]` at and after each sequence's length to zero; nothing to do, and
/// nothing copied, when every sequence is `time` rows long.
///
/// # Errors
/// The number of lengths is not the batch, or a length exceeds `time`.
pub fn keep_rows(xs: &Tensor, lengths: &Arc<[usize]>) -> Result<Tensor> {
    let (batch, time, _) = xs.dims3()?;
    if lengths.len() != batch || lengths.iter().any(|&rows| rows > time) {
        bail!("keep rows: lengths {lengths:?} do not fit a batch of {batch} × {time}");
    }
    if lengths.iter().all(|&rows| rows == time) {
        return Ok(xs.clone());
    }
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(KeepRows(lengths.clone()));
    }
    xs.broadcast_mul(&row_mask(lengths, time)?.to_device(xs.device())?.to_dtype(xs.dtype())?)
}

/// 1 for the rows of a sequence, 0 for its padding: `[batch, time, 1]`, f32, on the CPU.
///
/// # Errors
/// Out of memory.
pub fn row_mask(lengths: &[usize], time: usize) -> Result<Tensor> {
    let rows: Vec<f32> =
        lengths.iter().flat_map(|&rows| (0..time).map(move |t| if t < rows { 1.0 } else { 0.0 })).collect();
    Tensor::from_vec(rows, (lengths.len(), time, 1), &candle_core::Device::Cpu)
}

struct KeepRows(Arc<[usize]>);

impl CustomOp1 for KeepRows {
    fn name(&self) -> &'static str {
        "keep-rows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let xs = values(self.name(), storage, layout)?;
        let (_, time, channels) = layout.shape().dims3()?;
        let mut ys = Vec::with_capacity(xs.len());
        for (sequence, rows) in xs.chunks_exact((time * channels).max(1)).zip(self.0.iter()) {
            ys.extend_from_slice(&sequence[..rows * channels]);
            ys.resize(ys.len() + (time - rows) * channels, 0.0);
        }
        Ok((CpuStorage::F32(ys), layout.shape().clone()))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&KeepRows(self.0.clone()))?))
    }
}

/// Which values a dropout keeps: a function of the seed and the value's place alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropMask {
    /// Share of the values that become zero, in [0, 1); the others are scaled up by 1 / (1 − rate).
    pub rate: f32,
    /// Another seed, another choice.
    pub seed: u64,
}

impl DropMask {
    /// Writes `xs` with its dropped values zeroed, the others scaled, through `write(index, value)`.
    #[inline(always)]
    fn each(self, xs: &[f32], mut write: impl FnMut(usize, f32)) {
        // Four decisions of sixteen bits from each hash.
        let threshold = (self.rate * 65_536.0) as u32;
        let scale = 1.0 / (1.0 - threshold as f32 / 65_536.0);
        for (group, four) in xs.chunks(4).enumerate() {
            let mut bits = mix(self.seed ^ (group as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for (i, x) in four.iter().enumerate() {
                let keep = if (bits & 0xffff) as u32 >= threshold { scale } else { 0.0 };
                write(4 * group + i, x * keep);
                bits >>= 16;
            }
        }
    }

    /// The factors themselves, of the shape, type and device of `xs`, for devices without the fused pass.
    fn factors(self, xs: &Tensor) -> Result<Tensor> {
        let mut factors = vec![0f32; xs.elem_count()];
        self.each(&vec![1.0; xs.elem_count()], |i, y| factors[i] = y);
        Tensor::from_vec(factors, xs.shape(), &candle_core::Device::Cpu)?
            .to_dtype(xs.dtype())?
            .to_device(xs.device())
    }
}

/// `xs + dropped(ys)`: a residual branch under dropout, or a plain sum without a mask.
///
/// # Errors
/// The shapes differ, or the rate is outside [0, 1).
pub fn add_dropped(xs: &Tensor, ys: &Tensor, mask: Option<DropMask>) -> Result<Tensor> {
    let Some(mask) = checked(mask)? else { return xs + ys };
    if xs.shape() != ys.shape() {
        bail!("residual: expected {:?}, got {:?}", xs.dims(), ys.dims());
    }
    if super::fused(xs) {
        return xs.contiguous()?.apply_op2(&ys.contiguous()?, AddDropped(mask));
    }
    xs + (ys * mask.factors(ys)?)?
}

/// `xs` under dropout ([Srivastava et al. 2014](https://jmlr.org/papers/v15/srivastava14a.html)).
///
/// # Errors
/// The rate is outside [0, 1).
pub fn dropped(xs: &Tensor, mask: Option<DropMask>) -> Result<Tensor> {
    let Some(mask) = checked(mask)? else { return Ok(xs.clone()) };
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(Drop(mask));
    }
    xs * mask.factors(xs)?
}

fn checked(mask: Option<DropMask>) -> Result<Option<DropMask>> {
    match mask {
        Some(mask) if !(0.0..1.0).contains(&mask.rate) => {
            bail!("dropout: expected a rate in [0, 1), got {}", mask.rate)
        }
        Some(mask) if mask.rate == 0.0 => Ok(None),
        other => Ok(other),
    }
}

struct Drop(DropMask);

impl CustomOp1 for Drop {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let xs = values(self.name(), storage, layout)?;
        let mut ys = vec![0f32; xs.len()];
        self.0.each(xs, |i, y| ys[i] = y);
        Ok((CpuStorage::F32(ys), layout.shape().clone()))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&Drop(self.0))?))
    }
}

struct AddDropped(DropMask);

impl CustomOp2 for AddDropped {
    fn name(&self) -> &'static str {
        "add-dropped"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (xs, ys) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let mut sums = xs.to_vec();
        self.0.each(ys, |i, y| sums[i] += y);
        Ok((CpuStorage::F32(sums), l1.shape().clone()))
    }

    fn bwd(
        &self,
        _xs: &Tensor,
        _ys: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dy = grad.apply_op1_no_bwd(&Drop(self.0))?;
        Ok((Some(grad), Some(dy)))
    }
}
