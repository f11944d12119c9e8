//! In which precision a voice stores each tensor.

use candle_core::quantized::GgmlDType;
use candle_core::{Result, Tensor};

use crate::nn::Stored;

/// How small to make a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Every tensor as trained: 32-bit floats.
    Float,
    /// Matrices in 8 bits, the few that cannot take it in 16: about a quarter of [`Packing::Float`].
    #[default]
    Small,
}

/// Part of the names of the invertible 1×1 convolutions. The voice speaks through their inverses, which pass an error on
/// instead of averaging it away: they keep 16 bits under [`Packing::Small`].
const INVERTIBLE: &str = ".convinv.";

/// The precision of one tensor. Vectors (norms, biases) are few and stay as they are; matrices whose rows do not divide
/// into blocks of eight-bit weights take 16 bits.
pub(super) fn precision_of(name: &str, dims: &[usize], packing: Packing) -> GgmlDType {
    match (packing, dims) {
        (Packing::Float, _) => GgmlDType::F32,
        (Packing::Small, [_, _]) if name.contains(INVERTIBLE) => GgmlDType::F16,
        (Packing::Small, [_, width]) if width.is_multiple_of(GgmlDType::Q8_0.block_size()) => GgmlDType::Q8_0,
        (Packing::Small, [_, _]) => GgmlDType::F16,
        (Packing::Small, _) => GgmlDType::F32,
    }
}

/// Stores one tensor.
pub(super) fn pack(name: &str, tensor: &Tensor, packing: Packing) -> Result<Stored> {
    // A scalar has no row to count in blocks: a vector of one.
    let tensor = if tensor.rank() == 0 { tensor.reshape(1)? } else { tensor.contiguous()? };
    Stored::pack(&tensor, precision_of(name, tensor.dims(), packing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_decides() {
        let small = |name, dims: &[usize]| precision_of(name, dims, Packing::Small);
        assert_eq!(small("acoustic.encoder.0.query.weight", &[256, 256]), GgmlDType::Q8_0);
        assert_eq!(small("acoustic.encoder.0.norm.weight", &[256]), GgmlDType::F32);
        assert_eq!(small("acoustic.odd.weight", &[256, 33]), GgmlDType::F16);
        assert_eq!(small("vocoder.convinv.0.weight", &[256, 256]), GgmlDType::F16);
        assert_eq!(small("vocoder.wn.0.end.weight", &[256, 128]), GgmlDType::Q8_0);
        assert_eq!(precision_of("a.weight", &[256, 256], Packing::Float), GgmlDType::F32);
    }
}
