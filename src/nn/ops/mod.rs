//! Fused operations with gradients, for the CPU; composed of candle's operations elsewhere.
//!
//! Each is one pass over contiguous rows. The gradients are tested by finite differences at batch 3.

/// Makes functions that run compiled for the widest vector instructions of the processor at hand.
///
/// Only what is inlined profits: called functions should be `#[inline(always)]`, and closures are not enough, since they
/// are compiled once, for the plainest processor. Results do not depend on the width: products and sums are not
/// contracted, and sums are taken in a fixed number of lanes.
macro_rules! vectorized {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $output:ty $body:block)*) => {$(
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) -> $output {
            struct VectorizedCall<Args>(Args);
            impl pulp::NullaryFnOnce for VectorizedCall<($($type,)*)> {
                type Output = $output;
                #[inline(always)]
                fn call(self) -> $output {
                    let ($($arg,)*) = self.0;
                    $body
                }
            }
            $crate::nn::ops::arch().dispatch(VectorizedCall(($($arg,)*)))
        }
    )*};
}
pub(crate) use vectorized;

mod batch_norm;
mod depthwise;
mod gate;
mod gru;
mod layer_norm;
mod linear;
mod map;
mod mask;
mod rows;
mod unfold;

pub use batch_norm::{BatchMoments, batch_norm};
pub use depthwise::depthwise;
pub use gate::gated_tanh;
pub(crate) use gate::{sigmoid, tanh};
pub use gru::gru;
pub use layer_norm::layer_norm;
pub use linear::{add_bias, linear, linear8};
pub use map::{Map, map};
pub use mask::{DropMask, add_dropped, dropped, keep_rows, row_mask};
pub use rows::{softmax, standardize};
pub use unfold::{fold, unfold};

use std::sync::OnceLock;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The values of a contiguous f32 argument.
pub(crate) fn values<'a>(op: &str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        (CpuStorage::F32(_), None) => bail!("{op}: expected a contiguous tensor"),
        _ => bail!("{op}: expected f32, got {:?}", candle_core::backend::BackendStorage::dtype(storage)),
    }
}

/// Calls `read` with the values of a contiguous f32 tensor on the CPU.
fn with_values<T>(op: &str, tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(read(values(op, storage, layout)?)),
        _ => bail!("{op}: expected a tensor on the cpu"),
    }
}

/// True when the fused CPU pass applies.
pub(crate) fn fused(xs: &Tensor) -> bool {
    xs.device().is_cpu() && xs.dtype() == candle_core::DType::F32
}

/// The instructions of this processor.
pub(crate) fn arch() -> pulp::Arch {
    static ARCH: OnceLock<pulp::Arch> = OnceLock::new();
    *ARCH.get_or_init(pulp::Arch::new)
}

/// Lanes of a sum: two of the widest registers in use.
const LANES: usize = 16;

/// Combines lanes in pairs, so that neither time nor rounding grows with their number.
#[inline(always)]
fn combine(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The sum of `term` over pairs of equally long rows, in [`LANES`] partial sums.
#[inline(always)]
fn sum2(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_blocks.remainder().iter().zip(b_blocks.remainder());
    for (lane, (&a, &b)) in lanes.iter_mut().zip(rest) {
        *lane = term(a, b);
    }
    for (a, b) in a_blocks.zip(b_blocks) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += term(a, b);
        }
    }
    combine(lanes, |a, b| a + b)
}

/// The sum of `term` over a row, in [`LANES`] partial sums.
#[inline(always)]
fn sum1(a: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    sum2(a, a, |a, _| term(a))
}

/// The largest value of a row; NaN never wins.
#[inline(always)]
fn maximum(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let blocks = row.chunks_exact(LANES);
    for (lane, &x) in lanes.iter_mut().zip(blocks.remainder()) {
        *lane = larger(*lane, x);
    }
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = larger(*lane, x);
        }
    }
    combine(lanes, larger)
}
