//! A voice small enough to be made by every test run: both native models with random weights. It hums and hisses.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use fastglow::acoustic::{self, FastSpeech, Statistics};
use fastglow::nn::Params;
use fastglow::vocoder::{self, Analysis, Conditioner, WaveGlow, WavenetConfig};
use fastglow::voice::{MelSettings, Meta, ModelConfigs, Packing, Part, Voice};

const BANDS: usize = 16;
const HOP_SAMPLES: usize = 64;

pub fn acoustic_config() -> acoustic::Config {
    acoustic::Config {
        mels: BANDS,
        width: 32,
        symbol_width: 16,
        prosody_width: 4,
        position_width: 8,
        encoder_blocks: 1,
        encoder_kernel: 3,
        encoder_filter: 32,
        decoder_blocks: 1,
        decoder_kernel: 3,
        decoder_filter: 32,
        predictor_width: 16,
        duration_bins: 12,
        ..acoustic::Config::default()
    }
}

pub fn vocoder_config() -> vocoder::Config {
    vocoder::Config {
        hop_samples: HOP_SAMPLES,
        mel_bands: BANDS,
        analysis: Analysis::Mdct { bins: HOP_SAMPLES },
        conditioner: Conditioner::Frames { channels: 16, recurrent: false },
        flows: 2,
        wavenet: WavenetConfig { layers: 1, channels: 16, kernel: 3, dilation_cycle: 1, causal: true },
        ..vocoder::Config::native()
    }
}

pub fn meta() -> Meta {
    Meta {
        name: "tiny".into(),
        language: "en-US".into(),
        licence: "CC0-1.0".into(),
        provenance: "random weights, made by a test".into(),
        training: serde_json::json!({ "steps": 0 }),
        sample_rate_hz: 22_050,
        mel: MelSettings { bands: BANDS, hop_samples: HOP_SAMPLES, ..MelSettings::default() },
    }
}

/// Statistics of plausible speech: pitch around 180 Hz, mostly voiced.
fn statistics() -> Statistics {
    Statistics {
        mel_mean: vec![-5.0; BANDS],
        mel_deviation: vec![2.0; BANDS],
        variance_mean: [5.2, 0.7, 3.0],
        variance_deviation: [0.2, 0.3, 1.0],
    }
}

pub fn weights() -> BTreeMap<String, Tensor> {
    let acoustic = Params::trainable(1, statistics().preset().unwrap(), &Device::Cpu);
    FastSpeech::new(&acoustic_config(), &acoustic).unwrap();
    let vocoder = Params::trainable(2, HashMap::new(), &Device::Cpu);
    WaveGlow::new(&vocoder_config(), &vocoder).unwrap();
    let mut weights = Part::Acoustic.weights(&acoustic);
    weights.extend(Part::Vocoder.weights(&vocoder));
    weights
}

pub fn configs() -> ModelConfigs {
    ModelConfigs {
        acoustic: Some(serde_json::to_value(acoustic_config()).unwrap()),
        vocoder: Some(serde_json::to_value(vocoder_config()).unwrap()),
    }
}

pub fn voice() -> Voice {
    Voice::new(meta(), configs(), &weights(), Packing::Small).unwrap()
}

/// The voice as a file, made once per test run.
pub fn file() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tiny.gguf");
        voice().save(&path).unwrap();
        path
    };
    FILE.get_or_init(make).clone()
}
