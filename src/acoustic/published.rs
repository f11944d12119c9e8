//! FastSpeech 2 as published: what differs from the native layout.

use candle_core::{Result, Tensor};

use super::Config;
use super::predictor::Predictor;
use crate::nn::{Embedding, Init, Params};

/// Regression of log-durations, pitch and energy, the latter two through tables of quantised values.
pub(super) struct PublishedAdaptor {
    duration: Predictor,
    pitch: Predictor,
    energy: Predictor,
    pitch_bins: Tensor,
    energy_bins: Tensor,
    pitch_embedding: Embedding,
    energy_embedding: Embedding,
}

impl PublishedAdaptor {
    pub(super) fn new(config: &Config, params: &Params) -> Result<Self> {
        let (bins, width) = (config.variance_bins, config.width);
        Ok(Self {
            duration: Predictor::new(config, 1, &params.pp("duration"))?,
            pitch: Predictor::new(config, 1, &params.pp("pitch"))?,
            energy: Predictor::new(config, 1, &params.pp("energy"))?,
            pitch_bins: params.tensor("pitch_bins", bins - 1, Init::Zeros)?,
            energy_bins: params.tensor("energy_bins", bins - 1, Init::Zeros)?,
            pitch_embedding: Embedding::new(bins, width, &params.pp("pitch_embedding"))?,
            energy_embedding: Embedding::new(bins, width, &params.pp("energy_embedding"))?,
        })
    }
}
