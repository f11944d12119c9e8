//! The published layout against the original code's outputs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use fastglow::import::{Checkpoint, waveglow};
use fastglow::nn::Params;
use fastglow::vocoder::*;

use crate::goldens::{self, published_parts};

/// A model of published tensors; their names become ours.
fn model(published: HashMap<String, Tensor>, config: &Config) -> Arc<WaveGlow> {
    let mut tensors = HashMap::new();
    for (name, tensor) in published {
        let name = name.replace("WN.", "wn.").replace(".conv.weight", ".weight");
        let tensor = if name.starts_with("convinv") { tensor.squeeze(2).unwrap() } else { tensor };
        tensors.insert(name, tensor.contiguous().unwrap());
    }
    assert!(!tensors.is_empty());
    let mut model = WaveGlow::new(config, &Params::float(tensors, &Device::Cpu)).unwrap();
    model.prepare_synthesis(Inversion::Lu).unwrap();
    Arc::new(model)
}

/// One of the golden set's checkpoints, imported, and the outputs that all of them have.
fn golden(file: &str) -> Option<(Arc<WaveGlow>, Arrays)> {
    let checkpoint = Checkpoint::open(&goldens::file(file)?).unwrap();
    let outputs = goldens::file("waveglow_io.safetensors")?;
    let imported = waveglow(&checkpoint).unwrap();
    let published = Config::published();
    let wavenet = WavenetConfig { channels: 16, ..published.wavenet };
    assert_eq!(imported.config, Config { mel_bands: 16, wavenet, ..published });
    let tensors = imported.tensors.into_iter().collect();
    let mut model = WaveGlow::new(&imported.config, &Params::float(tensors, &Device::Cpu)).unwrap();
    model.prepare_synthesis(Inversion::Lu).unwrap();
    Some((Arc::new(model), Arrays(candle_core::safetensors::load(outputs, &Device::Cpu).unwrap())))
}

const GOLDEN_FILES: [&str; 3] =
    ["waveglow_classic_legacy.pt", "waveglow_classic_zip.pt", "waveglow_ngc_statedict.pt"];

/// The committed ones, made by `make_published_references.py`.
fn small() -> (Arc<WaveGlow>, Arrays) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/published_waveglow.safetensors");
    let (tensors, outputs) = published_parts(&path);
    let published = Config::published();
    let config = Config {
        hop_samples: 32,
        mel_bands: 4,
        conditioner: Conditioner::Upsample { kernel_samples: 128 },
        flows: 4,
        early_every: 2,
        wavenet: WavenetConfig { layers: 3, channels: 6, ..published.wavenet },
        ..published
    };
    (model(tensors, &config), Arrays(outputs))
}

struct Arrays(HashMap<String, Tensor>);

impl Arrays {
    fn get(&self, name: &str) -> Tensor {
        self.0[name].clone()
    }

    /// `[1, channels, time]` as `[1, time, channels]`.
    fn rows(&self, name: &str) -> Tensor {
        self.get(name).transpose(1, 2).unwrap().contiguous().unwrap()
    }

    fn values(&self, name: &str) -> Vec<f32> {
        flat(&self.get(name))
    }
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Within 1e-4 of the largest value.
#[track_caller]
fn assert_close(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let bound = 1e-4 * want.iter().fold(0f32, |top, x| top.max(x.abs()));
    let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap();
    assert!(bound > 0.0 && worst <= bound, "{what}: {worst:e} exceeds {bound:e}");
}

#[test]
fn published_checkpoints_give_the_published_samples() {
    for (model, arrays) in GOLDEN_FILES.iter().filter_map(|file| golden(file)) {
        gives_the_samples(&model, &arrays);
    }
}

#[test]
fn small_weights_of_the_published_layout_give_pytorch_s_samples() {
    let (model, arrays) = small();
    gives_the_samples(&model, &arrays);
}

#[test]
fn published_checkpoints_give_the_published_likelihood() {
    for (model, arrays) in GOLDEN_FILES.iter().filter_map(|file| golden(file)) {
        gives_the_likelihood(&model, &arrays);
    }
}

#[test]
fn small_weights_of_the_published_layout_give_pytorch_s_likelihood() {
    let (model, arrays) = small();
    gives_the_likelihood(&model, &arrays);
}

/// Whole, in windows, and denoised.
fn gives_the_samples(model: &Arc<WaveGlow>, arrays: &Arrays) {
    let sigma = arrays.values("sigma")[0];
    let noise = Noise::Given {
        latents: (0..)
            .map(|i| format!("noise_{i}"))
            .take_while(|name| arrays.0.contains_key(name))
            .map(|name| arrays.rows(&name))
            .collect(),
        scale: f64::from(sigma),
    };
    let features = flat(&arrays.rows("mel"));
    let input = PhraseInput { features: &features, excitation: None, context: Context::default() };
    let whole = model.infer(&input, &noise).unwrap();
    assert_close("audio", &whole, &arrays.values("audio"));

    // In windows with less than the receptive field at hand: the whole phrase is context.
    let mut stream = Stream::new(model.clone(), noise).unwrap();
    stream.push(&input).unwrap();
    let mut pieces = Vec::new();
    for window in [1, 7, 13, 64] {
        pieces.extend(stream.step(window).unwrap());
    }
    pieces.extend(stream.flush().unwrap());
    assert_close("audio in windows", &pieces, &arrays.values("audio"));

    let denoiser = Denoiser::new(model).unwrap();
    assert_close("denoiser's bias", denoiser.bias(), &arrays.values("denoiser_bias_spec"));
    let strength = arrays.values("denoiser_strength")[0];
    let denoised = denoiser.forward(&arrays.values("audio"), strength).unwrap();
    assert_close("denoised", &denoised, &arrays.values("denoised_audio"));
}

#[test]
fn a_denoised_stream_equals_the_whole_however_it_is_cut() {
    let (model, _) = small();
    let denoiser = Arc::new(Denoiser::new(&model).unwrap());
    let samples: Vec<f32> = (0..8 * 256).map(|n| (n as f32 * 0.1).sin() * (n as f32 * 0.003).cos()).collect();
    for count in [8 * 256, 7 * 256 + 100, 513, 100] {
        // What is no whole hop, or too short, is heard as if silence followed.
        let mut padded = samples[..count].to_vec();
        padded.resize(count.next_multiple_of(256).max(768), 0.0);
        let whole = &denoiser.forward(&padded, 0.7).unwrap()[..count];
        let mut stream = DenoiserStream::new(denoiser.clone(), 0.7);
        for size in [1, 100, 256, 700, 1024, count] {
            let mut pieces = Vec::new();
            for piece in samples[..count].chunks(size) {
                pieces.extend(stream.step(piece).unwrap());
            }
            pieces.extend(stream.flush().unwrap());
            assert_eq!(pieces.len(), whole.len(), "{count} samples in pieces of {size}");
            let worst = pieces.iter().zip(whole).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap();
            assert!(worst < 1e-6, "{count} samples in pieces of {size}: {worst}");
        }
        stream.step(&samples[..300]).unwrap();
        stream.reset();
        assert!(stream.flush().unwrap().is_empty(), "a reset stream holds nothing");
    }
}

/// All of its terms.
fn gives_the_likelihood(model: &WaveGlow, arrays: &Arrays) {
    let vectors = model.analyse(&arrays.get("fwd_audio")).unwrap();
    let mel = arrays.rows("fwd_mel");
    // The mel is longer than the audio; the published code cuts what becomes of it.
    let frames = vectors.dim(1).unwrap() / model.config().groups_per_frame();
    let context = Context { before_frames: 0, after_frames: mel.dim(1).unwrap() - frames };
    let conditioned = model.condition(&mel, None, context).unwrap();
    let likelihood = model.likelihood(&vectors, &conditioned).unwrap();
    let sums = |parts: &[Tensor]| parts.iter().map(|t| t.to_scalar::<f32>().unwrap()).collect::<Vec<_>>();
    assert_close(
        "latent",
        &flat(&likelihood.latent.transpose(1, 2).unwrap().contiguous().unwrap()),
        &arrays.values("fwd_z"),
    );
    let (log_scales, log_dets) = (sums(&likelihood.log_scales), sums(&likelihood.log_dets));
    assert_close("log scales", &log_scales, &arrays.values("fwd_log_s_sum"));
    assert_close("log determinants", &log_dets, &arrays.values("fwd_log_det"));
    // The published loss has no Gaussian constant.
    let constant = 0.5 * (2.0 * std::f32::consts::PI).ln();
    let loss = likelihood.nats_per_sample().unwrap().to_scalar::<f32>().unwrap() - constant;
    assert_close("loss", &[loss], &arrays.values("fwd_loss_sigma1"));
}
