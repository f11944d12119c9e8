//! The couplings as synthesis packs them, against the layers as they were loaded; and on other devices.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Tensor};
use fastglow::nn::{Params, Stored};
use fastglow::vocoder::*;

const NOISE: Noise = Noise::Seeded { seed: 5, scale: 0.7 };

/// The published layout; dilations up to 512, which reach over the chunks that threads work on.
fn config() -> Config {
    let published = Config::published();
    Config {
        mel_bands: 8,
        hop_samples: 128,
        conditioner: Conditioner::Upsample { kernel_samples: 512 },
        flows: 3,
        early_every: 2,
        wavenet: WavenetConfig { layers: 10, channels: 32, dilation_cycle: 10, ..published.wavenet },
        ..published
    }
}

/// Untrained weights, the couplings' large matrices stored in this precision.
fn model(config: &Config, dtype: GgmlDType, device: &Device) -> WaveGlow {
    let mut tensors = HashMap::new();
    for (name, tensor) in WaveGlow::untrained(config, 3).unwrap() {
        let is_large = ["cond_layer", "in_layers", "res_skip"].iter().any(|part| name.contains(part));
        let dtype = if is_large && tensor.rank() == 2 { dtype } else { GgmlDType::F32 };
        tensors.insert(name, Stored::pack(&tensor, dtype).unwrap());
    }
    WaveGlow::new(config, &Params::stored(tensors, device)).unwrap()
}

fn vectors(model: &WaveGlow, frames: usize) -> Vec<f32> {
    let width = model.config().mel_bands;
    let values: Vec<f32> = (0..frames * width).map(|i| (i as f32 * 0.7).sin() * 3.0 - 4.0).collect();
    let mel = Tensor::from_vec(values, (1, frames, width), model.device()).unwrap();
    let conditioned = model.condition(&mel, None, Context::default()).unwrap();
    let vectors = model.sample(&conditioned, &NOISE, 0, None).unwrap();
    vectors.to_device(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference, against the largest value.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let most = a.iter().fold(0f32, |most, x| most.max(x.abs()));
    assert!(most > 0.5, "silent");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap() / most
}

#[test]
fn packed_couplings_equal_the_layers_at_every_length() {
    let config = config();
    // The inputs of 8-bit products are rounded too: a last bit may turn into one step of 127.
    for (dtype, tolerance) in [(GgmlDType::F32, 1e-4), (GgmlDType::Q8_0, 1e-2)] {
        let loaded = model(&config, dtype, &Device::Cpu);
        let mut packed = model(&config, dtype, &Device::Cpu);
        packed.prepare_synthesis(Inversion::Lu).unwrap();
        // 16 vectors a frame: less than a tile, parts of chunks, several chunks.
        for frames in [1, 5, 16, 33, 77, 130] {
            let worst = difference(&vectors(&loaded, frames), &vectors(&packed, frames));
            assert!(worst < tolerance, "{dtype:?}, {frames} frames: {worst}");
        }
    }
}

#[test]
fn sixteen_bits_speak_nearly_alike() {
    let config = config();
    let whole = vectors(&model(&config, GgmlDType::F32, &Device::Cpu), 9);
    let mut halved = model(&config, GgmlDType::F32, &Device::Cpu);
    halved.halve().unwrap();
    let worst = difference(&whole, &vectors(&halved, 9));
    assert!(worst > 0.0 && worst < 2e-2, "{worst}");
}

/// On a card, each format must say what the processor says.
#[test]
#[cfg_attr(not(feature = "cuda"), ignore = "*** NOT RUN *** needs --features cuda and an NVIDIA card")]
fn a_card_speaks_as_the_processor_does() {
    let device = fastglow::compute::Compute::Cuda(0).open().unwrap();
    let native =
        Config { conditioner: Conditioner::Frames { channels: 32, recurrent: false }, ..Config::native() };
    for (dtype, tolerance) in [(GgmlDType::F32, 1e-3), (GgmlDType::F16, 3e-2), (GgmlDType::Q8_0, 5e-2)] {
        for config in [config(), Config { hop_samples: 256, ..native.clone() }] {
            let speak = |device: &Device| {
                let mut model = model(&config, dtype, device);
                model.prepare_synthesis(Inversion::Lu).unwrap();
                let features: Vec<f32> =
                    (0..20 * config.feature_channels()).map(|i| (i as f32 * 0.3).sin() - 4.0).collect();
                let excitation = vec![0.1; 20 * config.hop_samples];
                let input = PhraseInput {
                    features: &features,
                    excitation: config.has_excitation().then_some(&excitation),
                    context: Context::default(),
                };
                let mut stream = Stream::new(Arc::new(model), NOISE).unwrap();
                stream.push(&input).unwrap();
                let mut samples = Vec::new();
                while stream.pending_frames() > 0 {
                    samples.extend(stream.step(7).unwrap());
                }
                samples.extend(stream.flush().unwrap());
                samples
            };
            let (here, there) = (speak(&Device::Cpu), speak(&device));
            assert_eq!(here.len(), there.len());
            let most = here.iter().fold(0f32, |most, x| most.max(x.abs()));
            let worst =
                here.iter().zip(&there).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap() / most;
            assert!(most > 0.0 && worst < tolerance, "{dtype:?}: {worst}");
        }
    }
}
