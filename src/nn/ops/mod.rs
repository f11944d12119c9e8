//! Fused operations with gradients, for the CPU; composed of candle's operations elsewhere.
//!
//! Each is one pass over contiguous rows. The gradients are tested by finite differences at batch 3.

mod depthwise;
mod gate;
mod map;
mod rows;
mod unfold;

pub use depthwise::depthwise;
pub use gate::gated_tanh;
pub use map::{Map, map};
pub use rows::{softmax, standardize};
pub use unfold::unfold;

use candle_core::{CpuStorage, Layout, Result, Tensor, bail};

/// The values of a contiguous f32 argument.
pub(crate) fn values<'a>(op: &str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        (CpuStorage::F32(_), None) => bail!("{op}: expected a contiguous tensor"),
        _ => bail!("{op}: expected f32, got {:?}", candle_core::backend::BackendStorage::dtype(storage)),
    }
}

/// True when the fused CPU pass applies.
pub(crate) fn fused(xs: &Tensor) -> bool {
    xs.device().is_cpu() && xs.dtype() == candle_core::DType::F32
}
