//! In which precision a voice stores each tensor.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Result, Tensor};

/// How small to make a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Every tensor as trained: 32-bit floats.
    Float,
    /// Matrices in 8 bits, the few that cannot take it in 16: about a quarter of [`Packing::Float`].
    #[default]
    Small,
}

/// Parts of names of matrices that stay in floating point under [`Packing::Small`]:
/// an error in them is not averaged away by a sum but passed on, or amplified by an inverse.
const SENSITIVE: &[(&str, GgmlDType)] = &[
    // The invertible 1×1 convolutions: the voice speaks through their inverses.
    (".convinv.", GgmlDType::F16),
    // The first and the last layer of every coupling network.
    (".start.weight", GgmlDType::F16),
    (".end.weight", GgmlDType::F16),
];

/// The precision of one tensor. Vectors (norms, biases) are few and stay as they are; so do matrices whose rows do not
/// divide into blocks.
pub(super) fn precision_of(name: &str, dims: &[usize], packing: Packing) -> GgmlDType {
    let sensitive = SENSITIVE.iter().find(|(part, _)| name.contains(part));
    match (packing, dims, sensitive) {
        (Packing::Float, _, _) => GgmlDType::F32,
        (Packing::Small, _, Some((_, dtype))) => *dtype,
        (Packing::Small, [_, width], None) if width % GgmlDType::Q8_0.block_size() == 0 => GgmlDType::Q8_0,
        (Packing::Small, ..) => GgmlDType::F32,
    }
}

/// Stores one tensor.
pub(super) fn pack(name: &str, tensor: &Tensor, packing: Packing) -> Result<QTensor> {
    // A scalar has no row to count in blocks: a vector of one.
    let tensor = if tensor.rank() == 0 { tensor.reshape(1)? } else { tensor.contiguous()? };
    QTensor::quantize(&tensor, precision_of(name, tensor.dims(), packing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_decides() {
        let small = |name, dims: &[usize]| precision_of(name, dims, Packing::Small);
        assert_eq!(small("acoustic.encoder.0.query.weight", &[256, 256]), GgmlDType::Q8_0);
        assert_eq!(small("acoustic.encoder.0.norm.weight", &[256]), GgmlDType::F32);
        assert_eq!(small("acoustic.odd.weight", &[256, 33]), GgmlDType::F32);
        assert_eq!(small("vocoder.convinv.0.weight", &[256, 256]), GgmlDType::F16);
        assert_eq!(small("vocoder.wn.0.end.weight", &[256, 128]), GgmlDType::F16);
        assert_eq!(precision_of("a.weight", &[256, 256], Packing::Float), GgmlDType::F32);
    }
}
