//! What PyTorch stores numbers as.

use half::{bf16, f16};

/// The type of a storage's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// 16-bit float with an 8-bit exponent.
    Bf16,
    /// 64-bit integer.
    I64,
    /// 32-bit integer.
    I32,
    /// 16-bit integer.
    I16,
    /// 8-bit integer.
    I8,
    /// Byte.
    U8,
    /// Truth value.
    Bool,
    /// A kind that no model here has weights in, of so many bytes.
    Other(usize),
}

impl Element {
    /// By the name of a storage class (`torch.FloatStorage`) or of a dtype (`torch.float32`).
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "DoubleStorage" | "float64" | "double" => Self::F64,
            "FloatStorage" | "float32" | "float" => Self::F32,
            "HalfStorage" | "float16" | "half" => Self::F16,
            "BFloat16Storage" | "bfloat16" => Self::Bf16,
            "LongStorage" | "int64" | "long" => Self::I64,
            "IntStorage" | "int32" | "int" => Self::I32,
            "ShortStorage" | "int16" | "short" => Self::I16,
            "CharStorage" | "int8" => Self::I8,
            "ByteStorage" | "uint8" => Self::U8,
            "BoolStorage" | "bool" => Self::Bool,
            "ComplexDoubleStorage" | "complex128" => Self::Other(16),
            "ComplexFloatStorage" | "complex64" => Self::Other(8),
            "QInt32Storage" => Self::Other(4),
            "QInt8Storage" | "QUInt8Storage" | "UntypedStorage" => Self::Other(1),
            _ => return None,
        })
    }

    /// Bytes of one.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::Other(bytes) => bytes,
        }
    }

    /// Little-endian elements as floats, appended to `values`; `None` for [`Element::Other`].
    pub(super) fn decode(self, bytes: &[u8], values: &mut Vec<f32>) -> Option<()> {
        match self {
            Self::F64 => extend(bytes, values, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => extend(bytes, values, f32::from_le_bytes),
            Self::F16 => extend(bytes, values, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => extend(bytes, values, |b| bf16::from_le_bytes(b).to_f32()),
            Self::I64 => extend(bytes, values, |b| i64::from_le_bytes(b) as f32),
            Self::I32 => extend(bytes, values, |b| i32::from_le_bytes(b) as f32),
            Self::I16 => extend(bytes, values, |b| i16::from_le_bytes(b).into()),
            Self::I8 => extend(bytes, values, |b| i8::from_le_bytes(b).into()),
            Self::U8 | Self::Bool => extend(bytes, values, |[b]| b.into()),
            Self::Other(_) => return None,
        }
        Some(())
    }
}

fn extend<const N: usize>(bytes: &[u8], values: &mut Vec<f32>, value: impl Fn([u8; N]) -> f32) {
    values.extend(bytes.as_chunks::<N>().0.iter().map(|&chunk| value(chunk)));
}
