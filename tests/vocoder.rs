//! The vocoder: round trips, streaming against whole, budgets.

mod packed;
mod published;

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use fastglow::nn::Params;
use fastglow::train::random::StepRandom;
use fastglow::vocoder::*;

fn tiny(analysis: Analysis, prior: Prior, causal: bool) -> Config {
    let bins = match analysis {
        Analysis::Squeeze { group_samples } => group_samples,
        Analysis::Mdct { bins } => bins,
    };
    Config {
        hop_samples: if prior == Prior::SourceFilter { bins } else { 2 * bins },
        mel_bands: 6,
        analysis,
        conditioner: Conditioner::Frames { channels: 8, recurrent: false },
        prior,
        flows: 3,
        wavenet: WavenetConfig { layers: 2, channels: 8, kernel: 3, dilation_cycle: 2, causal },
        sample_rms: 0.5,
        ..Config::native()
    }
}

/// Every combination that the config can express with a frame conditioner.
fn shapes() -> Vec<Config> {
    let (mdct, squeeze) = (Analysis::Mdct { bins: 16 }, Analysis::Squeeze { group_samples: 8 });
    let mut shapes = vec![
        tiny(mdct, Prior::SourceFilter, true),
        tiny(mdct, Prior::SourceFilter, false),
        tiny(mdct, Prior::Density, true),
        tiny(mdct, Prior::Standard, false),
        tiny(squeeze, Prior::Density, false),
        tiny(squeeze, Prior::Standard, true),
    ];
    shapes.push(Config { early_every: 1, early_size: 2, ..tiny(squeeze, Prior::Density, false) });
    let recurrent = Conditioner::Frames { channels: 8, recurrent: true };
    shapes.push(Config { conditioner: recurrent, ..tiny(mdct, Prior::SourceFilter, true) });
    let upsample = Conditioner::Upsample { kernel_samples: 64 };
    shapes.push(Config { conditioner: upsample, ..tiny(squeeze, Prior::Standard, false) });
    shapes.push(Config { flows: 0, ..tiny(mdct, Prior::SourceFilter, true) });
    shapes
}

/// A model whose every weight is random: zero-initialised couplings would hide mistakes.
fn random_model(config: &Config) -> Arc<WaveGlow> {
    let params = Params::trainable(3, HashMap::new(), &Device::Cpu);
    WaveGlow::new(config, &params).unwrap();
    let mut random = StepRandom::new(5, 5);
    for var in params.vars().values() {
        let jitter: Vec<f32> = (0..var.elem_count()).map(|_| 0.2 * (random.unit() - 0.5)).collect();
        let jitter = Tensor::from_vec(jitter, var.shape(), &Device::Cpu).unwrap();
        var.set(&(var.as_tensor() + jitter).unwrap()).unwrap();
    }
    let mut model = WaveGlow::new(config, &params).unwrap();
    model.prepare_synthesis(Inversion::Lu).unwrap();
    Arc::new(model)
}

fn noise_values(seed: u64, count: usize) -> Vec<f32> {
    let mut random = StepRandom::new(seed, 0);
    (0..count).map(|_| 2.0 * random.unit() - 1.0).collect()
}

struct Phrase {
    features: Vec<f32>,
    excitation: Vec<f32>,
}

impl Phrase {
    fn new(config: &Config, frames: usize, seed: u64) -> Self {
        Self {
            features: noise_values(seed, frames * config.feature_channels()),
            excitation: noise_values(seed + 1, frames * config.hop_samples),
        }
    }

    fn input(&self, config: &Config) -> PhraseInput<'_> {
        PhraseInput {
            features: &self.features,
            excitation: config.has_excitation().then_some(&self.excitation),
            context: Context::default(),
        }
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap()
}

const NOISE: Noise = Noise::Seeded { seed: 11, scale: 0.7 };

#[test]
fn streaming_equals_whole_for_every_split() {
    for config in shapes() {
        let model = random_model(&config);
        let frames = 13;
        let phrase = Phrase::new(&config, frames, 1);
        let whole = model.infer(&phrase.input(&config), &NOISE).unwrap();
        assert_eq!(whole.len(), frames * config.hop_samples);
        assert!(whole.iter().any(|x| x.abs() > 1e-3), "silent");
        for first in 1..frames {
            for window in [1, 2, 5, frames] {
                let mut stream = Stream::new(model.clone(), NOISE).unwrap();
                stream.push(&phrase.input(&config)).unwrap();
                let mut pieces = stream.step(first).unwrap();
                while stream.pending_frames() > 0 {
                    pieces.extend(stream.step(window).unwrap());
                }
                pieces.extend(stream.flush().unwrap());
                let worst = largest_difference(&whole, &pieces);
                assert!(worst < 1e-4, "{config:?}: first window {first}, then {window}: {worst}");
            }
        }
    }
}

#[test]
fn a_reset_stream_speaks_as_a_new_one() {
    let config = tiny(Analysis::Mdct { bins: 16 }, Prior::SourceFilter, true);
    let (model, phrase) = (random_model(&config), Phrase::new(&config, 9, 2));
    let whole = model.infer(&phrase.input(&config), &NOISE).unwrap();
    let mut stream = Stream::new(model, NOISE).unwrap();
    stream.push(&Phrase::new(&config, 7, 9).input(&config)).unwrap();
    stream.step(3).unwrap();
    stream.reset().unwrap();
    stream.push(&phrase.input(&config)).unwrap();
    let mut again = stream.step(9).unwrap();
    again.extend(stream.flush().unwrap());
    assert_eq!(whole, again);
}

#[test]
fn two_phrases_join_without_a_gap() {
    let config = tiny(Analysis::Mdct { bins: 16 }, Prior::SourceFilter, true);
    let model = random_model(&config);
    let mut stream = Stream::new(model, NOISE).unwrap();
    let mut samples = 0;
    for (frames, seed) in [(5, 1), (8, 2)] {
        let phrase = Phrase::new(&config, frames, seed);
        stream.push(&phrase.input(&config)).unwrap();
        assert!(stream.push(&phrase.input(&config)).is_err(), "a pending phrase must not be lost");
        samples += stream.step(frames).unwrap().len();
    }
    samples += stream.flush().unwrap().len();
    assert_eq!(samples, 13 * config.hop_samples);
}

#[test]
fn too_little_context_is_an_error_that_shrinks_with_context() {
    let config = tiny(Analysis::Squeeze { group_samples: 8 }, Prior::Density, false);
    let (model, phrase) = (random_model(&config), Phrase::new(&config, 16, 4));
    let whole = model.infer(&phrase.input(&config), &NOISE).unwrap();
    let error = |context| {
        let mut stream = Stream::with_context(model.clone(), NOISE, context).unwrap();
        stream.push(&phrase.input(&config)).unwrap();
        let mut pieces = Vec::new();
        while stream.pending_frames() > 0 {
            pieces.extend(stream.step(2).unwrap());
        }
        pieces.extend(stream.flush().unwrap());
        largest_difference(&whole, &pieces)
    };
    assert!(error(0) > 1e-3);
    assert!(error(config.context_groups()) < 1e-4);
}

#[test]
fn the_latent_of_samples_gives_the_samples_back() {
    for config in shapes() {
        let model = random_model(&config);
        let frames = 10;
        let phrase = Phrase::new(&config, frames, 3);
        let width = config.feature_channels();
        let features = Tensor::from_slice(&phrase.features, (1, frames, width), &Device::Cpu).unwrap();
        let lap = if matches!(config.analysis, Analysis::Mdct { .. }) { config.group_samples() } else { 0 };
        let excitation = config.has_excitation().then(|| {
            let values = noise_values(8, (frames + 1) * config.hop_samples);
            Tensor::from_vec(values, (1, (frames + 1) * config.hop_samples), &Device::Cpu).unwrap()
        });
        let conditioned = model.condition(&features, excitation.as_ref(), Context::default()).unwrap();
        let length = frames * config.hop_samples + lap;
        let samples = Tensor::from_vec(noise_values(6, length), (1, length), &Device::Cpu).unwrap();
        let vectors = model.analyse(&samples).unwrap();
        let likelihood = model.likelihood(&vectors, &conditioned).unwrap();
        // Channels that left early come first in the latent; synthesis draws the ones that stayed first.
        let mut latents = Vec::new();
        let kept = config.flow_channels(config.flows.saturating_sub(1));
        let group = config.group_samples();
        latents.push(likelihood.latent.narrow(2, group - kept, kept).unwrap());
        let mut left = group - kept;
        while left > 0 {
            left -= config.early_size;
            latents.push(likelihood.latent.narrow(2, left, config.early_size).unwrap());
        }
        let again = model.sample(&conditioned, &Noise::Given { latents, scale: 1.0 }, 0, None).unwrap();
        let worst = (again - vectors).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(worst < 1e-4, "{config:?}: {worst}");
    }
}

#[test]
fn the_lapped_transform_reconstructs_and_keeps_energy() {
    let lapped = Lapped::new(64, &Device::Cpu).unwrap();
    let samples = Tensor::from_vec(noise_values(1, 2 * 64 * 12), (2, 64 * 12), &Device::Cpu).unwrap();
    let vectors = lapped.forward(&samples).unwrap();
    let mut tail = Tensor::zeros((2, 64), candle_core::DType::F32, &Device::Cpu).unwrap();
    let again = lapped.inverse(&vectors, &mut tail).unwrap();
    // The first hop of the output lacks the vector before it.
    let difference =
        (again.narrow(1, 64, 10 * 64).unwrap() - samples.narrow(1, 64, 10 * 64).unwrap()).unwrap();
    assert!(difference.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-5);
}

#[test]
fn newton_and_lu_speak_alike() {
    let config = tiny(Analysis::Mdct { bins: 16 }, Prior::SourceFilter, true);
    let params = Params::trainable(3, HashMap::new(), &Device::Cpu);
    let phrase = Phrase::new(&config, 6, 1);
    let speak = |inversion| {
        let mut model = WaveGlow::new(&config, &params).unwrap();
        model.prepare_synthesis(inversion).unwrap();
        Arc::new(model).infer(&phrase.input(&config), &NOISE).unwrap()
    };
    assert!(largest_difference(&speak(Inversion::Lu), &speak(Inversion::Newton)) < 1e-4);
}

#[test]
fn the_native_vocoder_keeps_its_budget() {
    let macs = Config::native().macs_per_second();
    assert!(macs < 1.5e9, "{macs:.2e}");
    // 223 GMAC is the published figure without biases.
    let published = Config::published().macs_per_second();
    assert!((published / 223.7e9 - 1.0).abs() < 0.02, "{published:.3e}");
}

#[test]
fn absurd_configurations_are_refused() {
    let native = Config::native;
    let refused = |config: Config| config.validate().unwrap_err().field;
    assert_eq!(refused(Config { flows: 1_000_000, ..native() }), "flows");
    assert_eq!(refused(Config { hop_samples: 300, ..native() }), "hop_samples");
    assert_eq!(
        refused(Config {
            prior: Prior::SourceFilter,
            analysis: Analysis::Squeeze { group_samples: 8 },
            ..native()
        }),
        "prior"
    );
    assert_eq!(refused(Config { early_every: 1, early_size: usize::MAX, ..native() }), "early_size");
    assert_eq!(refused(Config { sample_rms: f64::NAN, ..native() }), "sample_rms");
    native().validate().unwrap();
    Config::published().validate().unwrap();
}
