//! A vocoder of the published WaveGlow's size, without its file.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Result, Tensor};
use clap::ValueEnum;
use fastglow::nn::{Params, Stored};
use fastglow::vocoder::{Config, Inversion, WaveGlow};

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Format {
    /// As published.
    F32,
    /// The large matrices in 16 bits; only cards compute in them.
    F16,
    /// The large matrices in 8 bits.
    #[value(name = "q8_0")]
    Q8_0,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        })
    }
}

impl Format {
    /// What a layer's matrix `[outputs, inputs]` is stored as: the flows' large ones in this format, the rest, which
    /// costs nothing and whose errors would spread, as floats.
    pub fn of(self, layer: &str, tensor: &Tensor) -> GgmlDType {
        let is_large = ["cond", "in_layers", "res_skip", "prior"].iter().any(|name| layer.contains(name));
        let fits = tensor.dims().last().is_some_and(|width| width.is_multiple_of(32));
        match self {
            Self::F16 if is_large && tensor.rank() == 2 => GgmlDType::F16,
            Self::Q8_0 if is_large && tensor.rank() == 2 && fits => GgmlDType::Q8_0,
            _ => GgmlDType::F32,
        }
    }
}

/// Random weights, by seed.
pub fn waveglow(config: &Config, format: Format, device: &Device) -> Result<Arc<WaveGlow>> {
    let mut stored = HashMap::new();
    for (name, tensor) in WaveGlow::untrained(config, 1)? {
        stored.insert(name.clone(), Stored::pack(&tensor, format.of(&name, &tensor))?);
    }
    let mut vocoder = WaveGlow::new(config, &Params::stored(stored, device))?;
    vocoder.prepare_synthesis(Inversion::Lu)?;
    Ok(Arc::new(vocoder))
}
