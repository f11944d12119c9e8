//! What holds of every layer: a batch is its sequences, folding and quantising change nothing that matters, and wrong
//! shapes are refused.

use std::collections::HashMap;

use candle_core::quantized::GgmlDType;
use candle_core::{Result, Tensor};
use fastglow::nn::{
    BatchNorm1d, Conv1d, Conv1dConfig, ConvTranspose1d, ConvTranspose1dConfig, DepthwiseConv1d, Embedding,
    Gru, Init, LayerNorm, Linear, Padding, Params, Reading, Statistics, Stored, fold_weight_norm, ops,
    ops::Map, tap_major,
};

use super::{DEVICE, assert_close, float, noise, trainable, values};

type Layer = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

/// Every layer, over four channels.
fn layers() -> Vec<(&'static str, Layer)> {
    let params = trainable(&[]);
    let conv = |name: &str, padding| {
        let config = Conv1dConfig { dilation: 2, ..Conv1dConfig::new(3, padding) };
        Conv1d::new(4, 5, config, &params.pp(name)).unwrap()
    };
    let (same, causal, valid) =
        (conv("same", Padding::Same), conv("causal", Padding::Causal), conv("valid", Padding::Valid));
    let pointwise = Conv1d::new(4, 5, Conv1dConfig::new(1, Padding::Same), &params.pp("pointwise")).unwrap();
    let linear = Linear::new(4, 5, &params.pp("linear")).unwrap();
    let depthwise = DepthwiseConv1d::new(4, 5, &params.pp("depthwise")).unwrap();
    let norm = LayerNorm::new(4, &params.pp("norm")).unwrap();
    let batch_norm = BatchNorm1d::new(4, &params.pp("batch_norm")).unwrap();
    let gru = Gru::new(4, 5, Reading::BothWays, &params.pp("gru")).unwrap();
    let config = ConvTranspose1dConfig { kernel: 5, stride: 2 };
    let transposed = ConvTranspose1d::new(4, 3, config, &params.pp("transposed")).unwrap();
    vec![
        ("linear", Box::new(move |xs| linear.forward(xs))),
        ("conv, same", Box::new(move |xs| same.forward(xs))),
        ("conv, causal", Box::new(move |xs| causal.forward(xs))),
        ("conv, valid", Box::new(move |xs| valid.forward(xs))),
        ("conv, pointwise", Box::new(move |xs| pointwise.forward_then(xs, Map::RELU))),
        ("depthwise", Box::new(move |xs| depthwise.forward(xs))),
        ("layer norm", Box::new(move |xs| norm.forward(xs))),
        ("batch norm", Box::new(move |xs| batch_norm.forward(xs, Statistics::Running))),
        ("gru", Box::new(move |xs| Ok(gru.forward(xs, None)?.states))),
        ("transposed", Box::new(move |xs| transposed.forward(xs))),
        ("gate", Box::new(ops::gated_tanh)),
        ("softmax", Box::new(ops::softmax)),
    ]
}

#[test]
fn a_batch_is_its_sequences_one_by_one() {
    let xs = noise(&[2, 9, 4], 1);
    // The same values in another order in memory, as a transposed batch.
    let view = xs.transpose(1, 2).unwrap().contiguous().unwrap().transpose(1, 2).unwrap();
    assert!(!view.is_contiguous());
    for (name, layer) in layers() {
        let batch = layer(&xs).unwrap();
        for i in 0..2 {
            let alone = layer(&xs.narrow(0, i, 1).unwrap()).unwrap();
            assert_close(name, &batch.narrow(0, i, 1).unwrap(), &alone, 1e-6);
        }
        assert_close(name, &layer(&view).unwrap(), &batch, 1e-6);
    }
}

#[test]
fn wrong_widths_are_errors() {
    let wide = noise(&[2, 9, 7], 1);
    for (name, layer) in layers() {
        if name != "softmax" {
            assert!(layer(&wide).is_err(), "{name}");
        }
    }
    let params = trainable(&[]);
    assert!(Conv1d::new(2, 2, Conv1dConfig::new(4, Padding::Same), &params).is_err());
    assert!(Conv1d::new(2, 2, Conv1dConfig::new(0, Padding::Valid), &params).is_err());
    assert!(DepthwiseConv1d::new(2, 2, &params).is_err());
    for (kernel, stride) in [(2, 3), (2, 0)] {
        assert!(ConvTranspose1d::new(2, 2, ConvTranspose1dConfig { kernel, stride }, &params).is_err());
    }
    let valid = Conv1d::new(4, 2, Conv1dConfig::new(5, Padding::Valid), &params.pp("v")).unwrap();
    assert!(valid.forward(&noise(&[1, 4, 4], 1)).is_err());
    assert_eq!(valid.forward(&noise(&[1, 5, 4], 1)).unwrap().dims(), [1, 1, 2]);
    let norm = BatchNorm1d::new(4, &params.pp("n")).unwrap();
    assert!(norm.forward(&noise(&[1, 1, 4], 1), Statistics::Batch { momentum: 0.1 }).is_err());
    let gru = Gru::new(4, 3, Reading::Forward, &params.pp("g")).unwrap();
    assert!(gru.forward(&noise(&[2, 3, 4], 1), Some(&noise(&[1, 1, 3], 2))).is_err());
    let table = Embedding::new(3, 2, &params.pp("e")).unwrap();
    assert!(table.forward(&Tensor::new(&[3u32], &DEVICE).unwrap()).is_err());
}

#[test]
fn stored_parameters_must_exist_and_fit() {
    let weight = noise(&[3, 2], 1);
    let missing = Linear::new(2, 3, &float(&[("weight", &weight)])).err().unwrap().to_string();
    assert!(missing.contains("`bias` is missing"), "{missing}");
    let other = Linear::new(3, 2, &float(&[("weight", &weight)]).pp("x")).err().unwrap().to_string();
    assert!(other.contains("`x.weight` is missing"), "{other}");
    let shape = Linear::new(3, 2, &float(&[("weight", &weight)])).err().unwrap().to_string();
    assert!(shape.contains("expected shape [2, 3], got [3, 2]"), "{shape}");
}

#[test]
fn weight_norm_folds_as_by_hand() {
    let direction = Tensor::new(&[[[3f32, 0.0], [4.0, 0.0]], [[0.0, -2.0], [0.0, 0.0]]], &DEVICE).unwrap();
    let gain = Tensor::new(&[[[10f32]], [[0.5]]], &DEVICE).unwrap();
    // ‖v‖ is 5 and 2, so the rows are scaled by 2 and by 1/4.
    let want = Tensor::new(&[[[6f32, 0.0], [8.0, 0.0]], [[0.0, -0.5], [0.0, 0.0]]], &DEVICE).unwrap();
    assert_close("folded", &fold_weight_norm(&gain, &direction).unwrap(), &want, 1e-6);
    let rows = Tensor::new(&[[6f32, 8.0, 0.0, 0.0], [0.0, 0.0, -0.5, 0.0]], &DEVICE).unwrap();
    assert_close("tap-major", &tap_major(&want).unwrap(), &rows, 1e-6);
}

#[test]
fn folded_batch_norm_equals_unfolded() {
    let (mean, variance) = (noise(&[5], 4), (noise(&[5], 5) + 1.5).unwrap());
    let params = trainable(&[("n.running_mean", &mean), ("n.running_var", &variance)]);
    let norm = BatchNorm1d::new(5, &params.pp("n")).unwrap();
    for var in params.vars().values() {
        var.set(&noise(var.dims(), 9)).unwrap();
    }
    let config = Conv1dConfig { dilation: 2, ..Conv1dConfig::new(3, Padding::Same) };
    let conv = Conv1d::new(4, 5, config, &params.pp("c")).unwrap();
    let xs = noise(&[2, 9, 4], 1);
    let unfolded = norm.forward(&conv.forward(&xs).unwrap(), Statistics::Running).unwrap();
    let folded = norm.fold_into(&conv).unwrap().forward(&xs).unwrap();
    assert_close("folded", &folded, &unfolded, 1e-5);
    let narrow = Conv1d::new(4, 3, config, &params.pp("narrow")).unwrap();
    assert!(norm.fold_into(&narrow).is_err());
}

#[test]
fn statistics_can_be_estimated_anew() {
    let params = trainable(&[]);
    let norm = BatchNorm1d::new(3, &params).unwrap();
    let batches: Vec<Tensor> = (0..4).map(|i| (noise(&[2, 5, 3], i) + i as f64).unwrap()).collect();
    for (i, batch) in batches.iter().enumerate() {
        norm.forward(batch, Statistics::Batch { momentum: 1.0 / (i + 1) as f32 }).unwrap();
    }
    let means: Vec<Tensor> = batches.iter().map(|b| b.mean((0, 1)).unwrap()).collect();
    let want = Tensor::stack(&means, 0).unwrap().mean(0).unwrap();
    assert_close("mean", &norm.running().unwrap().0, &want, 1e-5);
    let before = norm.running().unwrap();
    norm.forward(&batches[0], Statistics::Running).unwrap();
    let after = norm.running().unwrap();
    assert_eq!(values(&before.0), values(&after.0), "frozen statistics moved");
    assert_eq!(values(&before.1), values(&after.1), "frozen statistics moved");
    // Another layer over the same parameters sees them, as after a checkpoint.
    let again = BatchNorm1d::new(3, &params).unwrap();
    assert_eq!(values(&again.running().unwrap().0), values(&after.0));
}

#[test]
fn quantised_weights_stay_close_to_float() {
    let (weight, bias) = (noise(&[48, 3 * 64], 1), noise(&[48], 2));
    let stored = |dtype: GgmlDType| {
        let tensors = [
            ("weight".to_string(), Stored::pack(&weight, dtype).unwrap()),
            ("bias".to_string(), Stored::pack(&bias, GgmlDType::F32).unwrap()),
        ];
        Params::stored(tensors.into(), &DEVICE)
    };
    let config = Conv1dConfig::new(3, Padding::Same);
    let xs = noise(&[2, 9, 64], 3);
    let want = Conv1d::new(64, 48, config, &float(&[("weight", &weight), ("bias", &bias)]))
        .unwrap()
        .forward(&xs)
        .unwrap();
    // Q8_0 keeps eight bits of weights and inputs, Q5_1 five bits and a bit of the weights; F32 everything.
    let tolerances = [(GgmlDType::Q8_0, 0.01), (GgmlDType::Q5_1, 0.05), (GgmlDType::F32, 1e-6)];
    for (dtype, tolerance) in tolerances {
        let params = stored(dtype);
        let conv = Conv1d::new(64, 48, config, &params).unwrap();
        assert_close(&format!("{dtype:?}"), &conv.forward(&xs).unwrap(), &want, tolerance);
        let rectified = conv.forward_then(&xs, Map::RELU).unwrap();
        assert_close("rectified", &rectified, &want.relu().unwrap(), tolerance);
        assert!(params.unused().is_empty(), "{:?}", params.unused());
    }
    let norm = BatchNorm1d::new(48, &trainable(&[])).unwrap();
    let quantised = Conv1d::new(64, 48, config, &stored(GgmlDType::Q8_0)).unwrap();
    assert!(norm.fold_into(&quantised).is_err(), "a quantised weight cannot be folded");
    let tracked = candle_core::Var::from_tensor(&xs).unwrap();
    assert!(quantised.forward(&tracked).is_err(), "a quantised weight must not cut a gradient silently");
}

#[test]
fn starts_depend_on_seed_and_name_alone() {
    let start = |seed: u64, names: &[&str]| {
        let params = Params::trainable(seed, HashMap::new(), &DEVICE);
        names
            .iter()
            .map(|n| values(&params.tensor(n, (4, 4), Init::Normal(1.0)).unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(start(1, &["a", "b"])[1], start(1, &["b"])[0]);
    assert_ne!(start(1, &["a"]), start(2, &["a"]));
    assert_ne!(start(1, &["a"]), start(1, &["b"]));
}
