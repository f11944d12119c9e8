//! Weights of a model that has learnt nothing, and yet computes like one that has: for measuring.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Result, Tensor};

use super::config::Config;
use super::waveglow::WaveGlow;
use crate::nn::Params;
use crate::random::SplitMix;

/// Couplings start as the identity; uniform values of this size in their last layers make them do something.
const END_SPREAD: f32 = 0.1;

impl WaveGlow {
    /// Random weights of a model of this shape, by seed and name alone, as [`WaveGlow::new`] takes them.
    ///
    /// # Errors
    /// The configuration is invalid.
    pub fn untrained(config: &Config, seed: u64) -> Result<BTreeMap<String, Tensor>> {
        let params = Params::trainable(seed, HashMap::new(), &Device::Cpu);
        Self::new(config, &params)?;
        let mut random = SplitMix::new(seed);
        // 24 bits, as many as a float holds exactly.
        let mut spread = || END_SPREAD * ((random.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0);
        let weights = params.vars().into_iter().map(|(name, var)| {
            let is_end = name.contains(".end.");
            let tensor = if is_end {
                let values: Vec<f32> = (0..var.elem_count()).map(|_| spread()).collect();
                Tensor::from_vec(values, var.shape(), &Device::Cpu)?
            } else {
                var.as_detached_tensor()
            };
            Ok((name, tensor))
        });
        weights.collect()
    }
}
