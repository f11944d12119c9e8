//! Small checkpoints in the published layouts, random, as files: what importing needs without the golden set.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use fastglow::import::Checkpoint;

use crate::acoustic::Draws;

/// As a safetensors file whose names begin with `model.`.
pub fn save(tensors: &HashMap<String, Tensor>, path: &Path) {
    let named: HashMap<String, Tensor> =
        tensors.iter().map(|(name, tensor)| (format!("model.{name}"), tensor.clone())).collect();
    candle_core::safetensors::save(&named, path).unwrap();
}

/// The same, opened.
pub fn open(tensors: &HashMap<String, Tensor>) -> Checkpoint {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(tensors, &path);
    Checkpoint::open(&path).unwrap()
}

/// Random weights under the published names of WaveGlow: its hop, four flows of two layers of 8 channels.
pub fn waveglow(mels: usize) -> HashMap<String, Tensor> {
    let (channels, layers) = (8, 2);
    let mut draws = Draws(5);
    let mut tensors = HashMap::new();
    let mut add = |name: String, shape: &[usize], scale: f32| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| scale * (draws.unit() - 0.5)).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    add("upsample.weight".into(), &[mels, mels, 1024], 0.2);
    add("upsample.bias".into(), &[mels], 0.1);
    for (flow, group) in [8usize, 8, 6, 6].into_iter().enumerate() {
        let name = format!("WN.{flow}");
        add(format!("convinv.{flow}.conv.weight"), &[group, group, 1], 0.1);
        let layer = [
            ("start".to_owned(), vec![channels, group / 2, 1]),
            ("end".to_owned(), vec![group, channels, 1]),
            ("cond_layer".to_owned(), vec![2 * channels * layers, mels * 8, 1]),
        ];
        let inner = (0..layers).flat_map(|i| {
            let outputs = if i + 1 < layers { 2 * channels } else { channels };
            [
                (format!("in_layers.{i}"), vec![2 * channels, channels, 3]),
                (format!("res_skip_layers.{i}"), vec![outputs, channels, 1]),
            ]
        });
        for (part, shape) in layer.into_iter().chain(inner) {
            add(format!("{name}.{part}.weight"), &shape, 0.2);
            add(format!("{name}.{part}.bias"), &shape[..1], 0.1);
        }
    }
    // Far from singular.
    for (flow, group) in [8usize, 8, 6, 6].into_iter().enumerate() {
        let name = format!("convinv.{flow}.conv.weight");
        let one = Tensor::eye(group, candle_core::DType::F32, &Device::Cpu).unwrap().unsqueeze(2).unwrap();
        let mixed = (&tensors[&name] + one).unwrap();
        tensors.insert(name, mixed);
    }
    tensors
}

/// What differs between the checkpoints that tests make.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub symbols: usize,
    pub mels: usize,
    /// 0: one speaker and no table.
    pub speakers: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { symbols: 20, mels: 6, speakers: 0 }
    }
}

/// Random weights under the published names of FastSpeech 2: two blocks each, width 8, no sense in them.
pub fn fastspeech2(sizes: Sizes) -> HashMap<String, Tensor> {
    let Sizes { symbols, mels, speakers } = sizes;
    let (width, filter, post, bins) = (8, 12, 10, 16);
    let mut draws = Draws(3);
    let mut tensors = HashMap::new();
    let mut add = |name: String, shape: &[usize]| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| 0.4 * (draws.unit() - 0.5)).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    add("encoder.src_word_emb.weight".into(), &[symbols, width]);
    if speakers > 0 {
        add("speaker_emb.weight".into(), &[speakers, width]);
    }
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
