//! In which precision a voice stores each tensor.

use candle_core::quantized::GgmlDType;
use candle_core::{Result, Tensor};

use super::Part;
use crate::nn::Stored;

/// How small to make a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Every tensor as trained: 32-bit floats.
    Float,
    /// What the trainer makes: matrices in 8 bits, the few that cannot take it in 16, about a quarter of
    /// [`Packing::Float`]. It knows no delicate layer but the invertible ones.
    #[default]
    Small,
    /// 16-bit floats, but for what is delicate.
    F16,
    /// 8 bits and a scale for 32 weights, but for what is delicate.
    Q8_0,
    /// 6 bits in blocks of 256, but for what is delicate.
    Q6K,
    /// 4 bits in blocks of 256, but for what is delicate.
    Q4K,
    /// 4 bits in blocks of 256 where a transformer has most of its weights, 8 bits elsewhere, but for what is delicate.
    Mixed,
}

/// Invertible convolutions of more channels than this are stored in 16 bits: published ones have 4 to 8, native ones 256.
const WIDE: usize = 64;

/// Why a tensor has the precision that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The packing asks for it.
    Packing,
    /// A norm, a bias, a table of bounds: few, and it costs nothing to keep them.
    Vector,
    /// Its errors would be heard: see [`Packing`].
    Delicate,
    /// Its rows of this width are no whole blocks.
    Row {
        /// Weights of a row.
        width: usize,
        /// Weights of a block of the precision that was asked for.
        block: usize,
    },
}

/// The precision of one tensor, and why. Bands are those of the mel.
///
/// A matrix whose rows are not whole blocks takes the next finer precision that they divide into, never a coarser one:
/// 4 or 6 bits, then 8, then 16.
pub fn precision_of(name: &str, dims: &[usize], (packing, bands): (Packing, usize)) -> (GgmlDType, Reason) {
    let &[_, width] = dims else { return (GgmlDType::F32, Reason::Vector) };
    let wanted = match packing {
        Packing::Float => return (GgmlDType::F32, Reason::Packing),
        Packing::Small if is_invertible(name) => return (GgmlDType::F16, Reason::Delicate),
        Packing::Small => GgmlDType::Q8_0,
        // Wide only where a vector is a whole frame; then there are too many for 32 bits.
        _ if is_invertible(name) && width > WIDE => return (GgmlDType::F16, Reason::Delicate),
        _ if is_delicate(name, dims, bands) => return (GgmlDType::F32, Reason::Delicate),
        Packing::F16 => GgmlDType::F16,
        Packing::Q8_0 => GgmlDType::Q8_0,
        Packing::Q6K => GgmlDType::Q6K,
        Packing::Q4K => GgmlDType::Q4K,
        Packing::Mixed if is_feed_forward(name) => GgmlDType::Q4K,
        Packing::Mixed => GgmlDType::Q8_0,
    };
    let fits = |dtype: &GgmlDType| width.is_multiple_of(dtype.block_size());
    if fits(&wanted) {
        return (wanted, Reason::Packing);
    }
    let finer = [GgmlDType::Q8_0].into_iter().find(fits).unwrap_or(GgmlDType::F16);
    (finer, Reason::Row { width, block: wanted.block_size() })
}

/// The invertible 1×1 convolutions. The voice speaks through their inverses, which pass an error on instead of averaging it
/// away.
fn is_invertible(name: &str) -> bool {
    name.contains(".convinv.")
}

/// Layers that few weights sit in and whose errors go straight into the sound: the ends of a coupling, whose log-scale is
/// exponentiated in every flow, the layers that write the mel, and those that write durations, pitch and energy or take
/// them in. Of a depthwise convolution, neighbours in a row are weights of different channels, which share no scale.
fn is_delicate(name: &str, dims: &[usize], bands: usize) -> bool {
    let of = |part: Part| name.strip_prefix(part.name()).and_then(|rest| rest.strip_prefix('.'));
    if let Some(rest) = of(Part::Acoustic) {
        let writes_mel = rest.starts_with("post_net.") && dims.first() == Some(&bands);
        let is_small = [
            "mel_head.",
            "source_head.",
            "variance_embedding.",
            "adaptor.pitch_embedding.",
            "adaptor.energy_embedding.",
            "frame_place.",
        ];
        let is_predictor = rest.starts_with("adaptor.") || rest.contains("_predictor.");
        return writes_mel
            || is_small.iter().any(|start| rest.starts_with(start))
            || rest.ends_with(".depthwise.weight")
            || is_predictor && (rest.ends_with(".output.weight") || rest.ends_with(".duration.weight"));
    }
    let is_end = |rest: &str| rest.ends_with(".start.weight") || rest.ends_with(".end.weight");
    is_invertible(name) || of(Part::Vocoder).is_some_and(is_end)
}

/// The wide layers of the acoustic model's blocks, in which two thirds of its weights are.
fn is_feed_forward(name: &str) -> bool {
    name.ends_with(".expand.weight") || name.ends_with(".contract.weight")
}

/// Stores one tensor.
pub(super) fn pack(name: &str, tensor: &Tensor, how: (Packing, usize)) -> Result<Stored> {
    // A scalar has no row to count in blocks: a vector of one.
    let tensor = if tensor.rank() == 0 { tensor.reshape(1)? } else { tensor.contiguous()? };
    Stored::pack(&tensor, precision_of(name, tensor.dims(), how).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_decides() {
        let small = |name, dims: &[usize]| precision_of(name, dims, (Packing::Small, 80)).0;
        assert_eq!(small("acoustic.encoder.0.query.weight", &[256, 256]), GgmlDType::Q8_0);
        assert_eq!(small("acoustic.encoder.0.norm.weight", &[256]), GgmlDType::F32);
        assert_eq!(small("acoustic.odd.weight", &[256, 33]), GgmlDType::F16);
        assert_eq!(small("vocoder.convinv.0.weight", &[256, 256]), GgmlDType::F16);
        assert_eq!(small("vocoder.wn.0.end.weight", &[256, 128]), GgmlDType::Q8_0);
        let float = precision_of("a.weight", &[256, 256], (Packing::Float, 80));
        assert_eq!(float, (GgmlDType::F32, Reason::Packing));
    }

    #[test]
    fn delicate_layers_stay_floats_and_odd_rows_get_finer() {
        let four = |name, dims: &[usize]| precision_of(name, dims, (Packing::Q4K, 80));
        for (name, dims) in [
            ("vocoder.convinv.3.weight", [8, 8]),
            ("acoustic.decoder.0.depthwise.weight", [7, 192]),
            ("acoustic.adaptor.pitch.output.weight", [1, 256]),
            ("vocoder.wn.3.start.weight", [256, 4]),
            ("vocoder.wn.3.end.weight", [8, 256]),
            ("acoustic.mel_head.weight", [80, 256]),
            ("acoustic.post_net.convolutions.4.weight", [80, 2560]),
        ] {
            assert_eq!(four(name, &dims), (GgmlDType::F32, Reason::Delicate), "{name}");
        }
        let wide = four("vocoder.convinv.0.weight", &[256, 256]);
        assert_eq!(wide, (GgmlDType::F16, Reason::Delicate));
        assert_eq!(four("vocoder.wn.3.in_layers.0.weight", &[512, 768]), (GgmlDType::Q4K, Reason::Packing));
        let odd = |width| Reason::Row { width, block: 256 };
        assert_eq!(four("vocoder.wn.3.cond_layer.weight", &[4096, 640]), (GgmlDType::Q8_0, odd(640)));
        assert_eq!(four("vocoder.upsample.weight", &[81920, 80]), (GgmlDType::F16, odd(80)));
        assert_eq!(four("acoustic.post_net.convolutions.0.weight", &[512, 400]), (GgmlDType::F16, odd(400)));
        let mixed = |name, dims: &[usize]| precision_of(name, dims, (Packing::Mixed, 80)).0;
        assert_eq!(mixed("acoustic.decoder.0.expand.weight", &[1024, 2304]), GgmlDType::Q4K);
        assert_eq!(mixed("vocoder.wn.3.in_layers.0.weight", &[512, 768]), GgmlDType::Q8_0);
    }
}
