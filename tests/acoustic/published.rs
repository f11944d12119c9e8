//! The published layout against PyTorch's outputs.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use fastglow::acoustic::{
    Controls, Dropout, Error, FastSpeech, PublishedControls, PublishedOutput, Tokens, from_published,
};
use fastglow::import::Checkpoint;
use fastglow::nn::Params;
use fastglow::phoneme::PhonemeSeq;

use crate::goldens::{self, published_parts};

use super::Draws;

fn model(tensors: &HashMap<String, Tensor>) -> FastSpeech {
    let (config, tensors) = from_published(tensors, 2).unwrap();
    FastSpeech::new(&config, &Params::float(tensors, &Device::Cpu)).unwrap()
}

fn close(name: &str, got: &Tensor, want: &Tensor) {
    assert_eq!(got.dims(), want.dims(), "{name}");
    let scale = want.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    let error = (got - want).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    let error = error.to_scalar::<f32>().unwrap() / scale;
    // A NaN is not within the tolerance either.
    assert!(error <= 1e-4, "{name}: {error:e} of the largest value");
}

fn ids(tensor: &Tensor, length: usize) -> Vec<u32> {
    tensor.to_vec1::<i64>().unwrap()[..length].iter().map(|&id| id as u32).collect()
}

#[test]
fn published_weights_give_the_published_output() {
    let (Some(weights), Some(outputs)) =
        (goldens::file("fastspeech2_ckpt.pth.tar"), goldens::file("fastspeech2_io.safetensors"))
    else {
        return;
    };
    let checkpoint = Checkpoint::open(&weights).unwrap();
    let names = checkpoint.tensors().keys().filter_map(|name| Some((name.strip_prefix("model.")?, name)));
    let tensors: HashMap<_, _> =
        names.map(|(short, name)| (short.to_owned(), checkpoint.read(name).unwrap())).collect();
    assert!(!tensors.is_empty());
    meets(&model(&tensors), &candle_core::safetensors::load(outputs, &Device::Cpu).unwrap());
}

/// The committed model and outputs, made by `make_published_references.py`.
#[test]
fn small_weights_of_the_published_layout_give_pytorch_s_output() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/published_fastspeech2.safetensors");
    let (tensors, outputs) = published_parts(&path);
    let model = model(&tensors);
    assert_eq!((model.config().symbols, model.config().width, model.config().mels), (20, 8, 6));
    meets(&model, &outputs);
}

/// Every output of the whole batch and of each sentence alone, under three settings of the controls.
fn meets(model: &FastSpeech, want: &HashMap<String, Tensor>) {
    let lengths = want["src_lens"].to_vec1::<i64>().unwrap();
    let batch: Vec<Vec<u32>> = lengths
        .iter()
        .enumerate()
        .map(|(i, &length)| ids(&want["ids_batch"].get(i).unwrap(), length as usize))
        .collect();

    let tokens = Tokens::from_ids(&batch, &Device::Cpu).unwrap();
    let encoded = model.encode(&tokens, &Dropout::off()).unwrap();
    close("encoder", &encoded.output, &want["encoder_output_batch"]);

    for (case, pitch, duration) in [("c1", 1.0, 1.0), ("c2", 1.2, 1.1), ("c3", 0.8, 1.7)] {
        let controls = PublishedControls { pitch, duration };
        let whole = model.infer_ids(&batch, &controls).unwrap();
        compare(&format!("batch_{case}"), &whole, want);
        for i in 0..batch.len() {
            let length = want[&format!("ids_single{i}")].dim(0).unwrap();
            let single = ids(&want[&format!("ids_single{i}")], length);
            compare(&format!("single{i}_{case}"), &model.infer_ids(&[single], &controls).unwrap(), want);
        }
    }
}

fn compare(case: &str, got: &PublishedOutput, want: &HashMap<String, Tensor>) {
    let golden = |name: &str| {
        let tensor = &want[&format!("{case}_{name}")];
        // Single sentences are stored without their batch dimension.
        if case.starts_with("single") && name != "mel_lens" {
            tensor.unsqueeze(0).unwrap()
        } else {
            tensor.clone()
        }
    };
    let frames: Vec<i64> = got.lengths_frames.iter().map(|&n| n as i64).collect();
    assert_eq!(frames, golden("mel_lens").to_vec1::<i64>().unwrap(), "{case}");
    let wanted = golden("duration_rounded").to_vec2::<f32>().unwrap();
    for (got, want) in got.durations_rounded.iter().flatten().zip(wanted.iter().flatten()) {
        assert!((got - want).abs() <= 1e-6 * want.abs().max(1.0), "{case}: duration {got} {want}");
    }
    assert_eq!(got.durations_rounded.len(), wanted.len(), "{case}");
    close(&format!("{case} pitch"), &got.pitch, &golden("pitch"));
    close(&format!("{case} energy"), &got.energy, &golden("energy"));
    close(&format!("{case} log durations"), &got.log_durations, &golden("log_duration"));
    close(&format!("{case} mel before"), &got.mel_before, &golden("mel_before"));
    close(&format!("{case} mel after"), &got.mel_after, &golden("mel_after"));
}

/// Random weights under the published names: two blocks each, width 8, no sense in them.
fn random_checkpoint() -> HashMap<String, Tensor> {
    let (width, filter, mels, post, bins) = (8, 12, 6, 10, 16);
    let mut draws = Draws(3);
    let mut tensors = HashMap::new();
    let mut add = |name: String, shape: &[usize]| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| 0.4 * (draws.unit() - 0.5)).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    add("encoder.src_word_emb.weight".into(), &[20, width]);
    for stack in ["encoder", "decoder"] {
        for i in 0..2 {
            let block = format!("{stack}.layer_stack.{i}");
            for layer in ["slf_attn.w_qs", "slf_attn.w_ks", "slf_attn.w_vs", "slf_attn.fc"] {
                add(format!("{block}.{layer}.weight"), &[width, width]);
                add(format!("{block}.{layer}.bias"), &[width]);
            }
            for norm in ["slf_attn.layer_norm", "pos_ffn.layer_norm"] {
                add(format!("{block}.{norm}.weight"), &[width]);
                add(format!("{block}.{norm}.bias"), &[width]);
            }
            add(format!("{block}.pos_ffn.w_1.weight"), &[filter, width, 3]);
            add(format!("{block}.pos_ffn.w_1.bias"), &[filter]);
            add(format!("{block}.pos_ffn.w_2.weight"), &[width, filter, 1]);
            add(format!("{block}.pos_ffn.w_2.bias"), &[width]);
        }
    }
    for kind in ["duration", "pitch", "energy"] {
        let predictor = format!("variance_adaptor.{kind}_predictor");
        for layer in [1, 2] {
            add(format!("{predictor}.conv_layer.conv1d_{layer}.conv.weight"), &[width, width, 3]);
            add(format!("{predictor}.conv_layer.conv1d_{layer}.conv.bias"), &[width]);
            add(format!("{predictor}.conv_layer.layer_norm_{layer}.weight"), &[width]);
            add(format!("{predictor}.conv_layer.layer_norm_{layer}.bias"), &[width]);
        }
        add(format!("{predictor}.linear_layer.weight"), &[1, width]);
        add(format!("{predictor}.linear_layer.bias"), &[1]);
        if kind != "duration" {
            add(format!("variance_adaptor.{kind}_embedding.weight"), &[bins, width]);
        }
    }
    add("mel_linear.weight".into(), &[mels, width]);
    add("mel_linear.bias".into(), &[mels]);
    let layers = [(mels, post), (post, post), (post, mels)];
    for (i, (inputs, outputs)) in layers.into_iter().enumerate() {
        add(format!("postnet.convolutions.{i}.0.conv.weight"), &[outputs, inputs, 5]);
        for part in ["0.conv.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"] {
            add(format!("postnet.convolutions.{i}.{part}"), &[outputs]);
        }
    }
    for i in 0..3 {
        let name = format!("postnet.convolutions.{i}.1.running_var");
        let positive = (tensors[&name].sqr().unwrap() + 0.5).unwrap();
        tensors.insert(name, positive);
        let counter = Tensor::new(7i64, &Device::Cpu).unwrap();
        tensors.insert(format!("postnet.convolutions.{i}.1.num_batches_tracked"), counter);
    }
    let bounds: Vec<f32> = (1..bins).map(|i| i as f32 * 0.05 - 0.4).collect();
    for kind in ["pitch", "energy"] {
        let bounds = Tensor::new(&bounds[..], &Device::Cpu).unwrap();
        tensors.insert(format!("variance_adaptor.{kind}_bins"), bounds);
    }
    // About three frames a symbol.
    let bias = "variance_adaptor.duration_predictor.linear_layer.bias";
    tensors.insert(bias.into(), Tensor::new(&[1.4f32], &Device::Cpu).unwrap());
    tensors
}

#[test]
fn a_checkpoint_s_sizes_are_read_from_its_weights() {
    let (config, tensors) = from_published(&random_checkpoint(), 2).unwrap();
    assert_eq!((config.symbols, config.width, config.mels, config.variance_bins), (20, 8, 6, 16));
    assert_eq!((config.encoder_kernel, config.encoder_filter, config.decoder_blocks), (3, 12, 2));
    let model = FastSpeech::new(&config, &Params::float(tensors, &Device::Cpu)).unwrap();
    let output = model.infer_ids(&[vec![3, 4, 5], vec![7]], &PublishedControls::default()).unwrap();
    let longest = *output.lengths_frames.iter().max().unwrap();
    assert_eq!(output.mel_after.dims(), [2, longest, 6]);
    assert!(output.mel_after.sum_all().unwrap().to_scalar::<f32>().unwrap().is_finite());
}

#[test]
fn the_duration_control_scales_and_cuts() {
    let (config, tensors) = from_published(&random_checkpoint(), 2).unwrap();
    let model = FastSpeech::new(&config, &Params::float(tensors, &Device::Cpu)).unwrap();
    let ids = [vec![3, 4, 5, 6, 7, 8]];
    let speak = |duration| model.infer_ids(&ids, &PublishedControls { pitch: 1.0, duration }).unwrap();
    let plain = speak(1.0);
    let scaled = speak(1.7);
    for (one, more) in plain.durations_rounded[0].iter().zip(&scaled.durations_rounded[0]) {
        assert!((one * 1.7 - more).abs() < 1e-5, "{one} {more}");
    }
    let cut: f32 = scaled.durations_rounded[0].iter().map(|frames| frames.floor()).sum();
    assert_eq!(scaled.lengths_frames, [cut as usize]);
}

#[test]
fn damaged_checkpoints_are_refused_by_name() {
    let refuse = |change: &dyn Fn(&mut HashMap<String, Tensor>), what: &str| {
        let mut tensors = random_checkpoint();
        change(&mut tensors);
        let error = from_published(&tensors, 2)
            .and_then(|(config, tensors)| FastSpeech::new(&config, &Params::float(tensors, &Device::Cpu)))
            .err()
            .unwrap();
        assert!(error.to_string().contains(what), "{error}");
    };
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    refuse(&|t| drop(t.remove("mel_linear.bias")), "mel_head.bias");
    refuse(&|t| drop(t.remove("postnet.convolutions.1.1.running_mean")), "convolutions.1.1.running_mean");
    refuse(&|t| drop(t.insert("encoder.surprise.weight".into(), zeros(&[2]))), "surprise");
    refuse(&|t| drop(t.insert("speaker_emb.weight".into(), zeros(&[4, 8]))), "several speakers");
    refuse(&|t| drop(t.insert("decoder.position_enc".into(), zeros(&[1, 9, 8]))), "sinusoids");
    refuse(&|t| drop(t.insert("mel_linear.weight".into(), zeros(&[6, 9]))), "mel_head.weight");
    assert!(from_published(&random_checkpoint(), 3).unwrap_err().to_string().contains("heads"));
}

#[test]
fn a_published_model_refuses_what_it_cannot_say() {
    let (config, tensors) = from_published(&random_checkpoint(), 2).unwrap();
    let model = FastSpeech::new(&config, &Params::float(tensors, &Device::Cpu)).unwrap();
    let plain = PublishedControls::default();
    assert!(matches!(model.infer_ids(&[vec![20]], &plain), Err(Error::Symbol { got: 20, .. })));
    assert!(matches!(model.infer_ids(&[], &plain), Err(Error::Phones { got: 0, .. })));
    assert!(matches!(model.infer_ids(&[vec![1; 1001]], &plain), Err(Error::Phones { got: 1001, .. })));
    assert!(matches!(model.infer_ids(&[vec![1; 900], vec![1; 900]], &plain), Err(Error::Frames { .. })));
    let nan = PublishedControls { pitch: f32::NAN, duration: 1.0 };
    assert!(matches!(model.infer_ids(&[vec![1]], &nan), Err(Error::Control { what: "pitch", .. })));
    let native = model.speak(&PhonemeSeq::default(), &Controls::default());
    assert!(matches!(native, Err(Error::Layout { needed: "native", .. })));
}
