//! `fastglow quantize`

use clap::ValueEnum;
use fastglow::voice::{Packing, Reason, Voice, precision_of};

/// A way to store weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Format {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 8 bits.
    #[value(name = "q8_0")]
    Q8_0,
    /// 6 bits.
    #[value(name = "q6k")]
    Q6K,
    /// 4 bits.
    #[value(name = "q4k")]
    Q4K,
    /// 4 bits where a transformer has most of its weights, 8 elsewhere.
    Mixed,
}

impl Format {
    pub fn packing(self) -> Packing {
        match self {
            Format::F32 => Packing::Float,
            Format::F16 => Packing::F16,
            Format::Q8_0 => Packing::Q8_0,
            Format::Q6K => Packing::Q6K,
            Format::Q4K => Packing::Q4K,
            Format::Mixed => Packing::Mixed,
        }
    }
}

/// The matrices that do not have the precision that was asked for, by the rule that decided.
pub fn exceptions(voice: &Voice, packing: Packing) -> String {
    let bands = voice.meta().mel.bands;
    let mut text = String::new();
    for (name, dims, _) in voice.tensors() {
        let (dtype, reason) = precision_of(name, dims, (packing, bands));
        if let Reason::Row { width, block } = reason {
            text += &format!(
                "          {name} keeps {dtype:?}: its rows of {width} are no whole blocks of {block}\n"
            );
        }
    }
    text
}
