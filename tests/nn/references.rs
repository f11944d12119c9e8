//! Layers against PyTorch: a small committed file, made by `make_nn_references.py` beside this test's folder, and the
//! larger golden set.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Tensor, Var};
use fastglow::nn::{
    BatchNorm1d, Conv1d, Conv1dConfig, ConvTranspose1d, ConvTranspose1dConfig, Gru, LayerNorm, Linear,
    Padding, Params, Reading, Statistics, fold_weight_norm, ops, square, tap_major, tap_major_transposed,
};

use crate::goldens;

use super::{DEVICE, assert_close, float, trainable};

/// One file of reference values.
struct References {
    tensors: HashMap<String, Tensor>,
}

impl References {
    fn load(path: &Path) -> Self {
        let tensors = candle_core::safetensors::load(path, &DEVICE)
            .unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()));
        Self { tensors }
    }

    fn committed() -> Self {
        Self::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/nn_references.safetensors"))
    }

    fn get(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("the references have no `{name}`"))
    }

    /// A sequence of PyTorch's `[batch, channels, time]`, channels last.
    fn sequence(&self, name: &str) -> Tensor {
        self.get(name).transpose(1, 2).unwrap().contiguous().unwrap()
    }
}

/// Runs `test` on the golden set, if it is at hand.
fn with_goldens(test: impl Fn(&References)) {
    if let Some(path) = goldens::file("candle_traps.safetensors") {
        test(&References::load(&path));
    }
}

/// Value and gradients of the convolution `case`.
fn convolution(references: &References, case: &str, config: Conv1dConfig) {
    let name = |part: &str| format!("{case}_{part}");
    let torch = references.get(&name("w"));
    let (outputs, inputs, _) = torch.dims3().unwrap();
    let (weight, bias) = (tap_major(torch).unwrap(), references.get(&name("b")));
    let params = trainable(&[("weight", &weight), ("bias", bias)]);
    let conv = Conv1d::new(inputs, outputs, config, &params).unwrap();
    let xs = Var::from_tensor(&references.sequence(&name("x"))).unwrap();
    let ys = conv.forward(&xs).unwrap();
    assert_close(&name("y"), &ys, &references.sequence(&name("y")), 1e-5);
    let grads = (ys * references.sequence(&name("dy"))).unwrap().sum_all().unwrap().backward().unwrap();
    let vars = params.vars();
    assert_close(&name("dx"), grads.get(&xs).unwrap(), &references.sequence(&name("dx")), 1e-4);
    let dw = tap_major(references.get(&name("dw"))).unwrap();
    assert_close(&name("dw"), grads.get(&vars["weight"]).unwrap(), &dw, 1e-4);
    assert_close(&name("db"), grads.get(&vars["bias"]).unwrap(), references.get(&name("db")), 1e-4);
    // The weight as published, in PyTorch's layout.
    let published = float(&[("weight", torch), ("bias", bias)]);
    let conv = Conv1d::new(inputs, outputs, config, &published).unwrap();
    let ys = conv.forward(&references.sequence(&name("x"))).unwrap();
    assert_close(&name("y"), &ys, &references.sequence(&name("y")), 1e-5);
}

fn transposed_convolution(references: &References, stride: usize) {
    let torch = references.get("convtr_w");
    let (inputs, outputs, kernel) = torch.dims3().unwrap();
    let bias = Tensor::zeros(outputs, candle_core::DType::F32, &DEVICE).unwrap();
    let config = ConvTranspose1dConfig { kernel, stride };
    let params = trainable(&[("weight", &tap_major_transposed(torch).unwrap()), ("bias", &bias)]);
    let published = float(&[("weight", torch), ("bias", &bias)]);
    let xs = Var::from_tensor(&references.sequence("convtr_x")).unwrap();
    for params in [&params, &published] {
        let ys = ConvTranspose1d::new(inputs, outputs, config, params).unwrap().forward(&xs).unwrap();
        assert_close("convtr_y", &ys, &references.sequence("convtr_y"), 1e-5);
        let grads = (ys * references.sequence("convtr_dy")).unwrap().sum_all().unwrap().backward().unwrap();
        assert_close("convtr_dx", grads.get(&xs).unwrap(), &references.sequence("convtr_dx"), 1e-4);
        if let Some(weight) = params.vars().get("weight") {
            let dw = tap_major_transposed(references.get("convtr_dw")).unwrap();
            assert_close("convtr_dw", grads.get(weight).unwrap(), &dw, 1e-4);
        }
    }
}

fn recurrence(references: &References) {
    let parts = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
    let names: Vec<String> =
        parts.iter().flat_map(|part| [format!("{part}_l0"), format!("{part}_l0_reverse")]).collect();
    let tensors: Vec<(&str, &Tensor)> =
        names.iter().map(|name| (name.as_str(), references.get(&format!("gru_{name}")))).collect();
    let xs = references.get("gru_x");
    let (inputs, hidden) = (xs.dim(2).unwrap(), references.get("gru_h_n").dim(2).unwrap());
    for params in [trainable(&tensors), float(&tensors)] {
        let both = Gru::new(inputs, hidden, Reading::BothWays, &params).unwrap().forward(xs, None).unwrap();
        assert_close("gru_y", &both.states, references.get("gru_y"), 1e-5);
        assert_close("gru_h_n", &both.last, references.get("gru_h_n"), 1e-5);
        let one = Gru::new(inputs, hidden, Reading::Forward, &params).unwrap().forward(xs, None).unwrap();
        let want = references.get("gru_y").narrow(2, 0, hidden).unwrap();
        assert_close("gru_y, forward", &one.states, &want, 1e-5);
    }
}

fn batch_normalisation(references: &References) {
    let names = ["weight", "bias", "running_mean", "running_var"];
    let tensors = names.map(|name| (name, references.get(&format!("bn_{name}"))));
    let xs = references.sequence("bn_x");
    let channels = xs.dim(2).unwrap();
    let params = trainable(&tensors);
    let layer = BatchNorm1d::new(channels, &params).unwrap();
    let stored = BatchNorm1d::new(channels, &float(&tensors)).unwrap();
    for layer in [&layer, &stored] {
        let ys = layer.forward(&xs, Statistics::Running).unwrap();
        assert_close("bn_eval_y", &ys, &references.sequence("bn_eval_y"), 1e-5);
    }
    let batch = Statistics::Batch { momentum: BatchNorm1d::MOMENTUM };
    let ys = layer.forward(&xs, batch).unwrap();
    assert_close("bn_train_y", &ys, &references.sequence("bn_train_y"), 1e-5);
    let (mean, variance) = layer.running().unwrap();
    assert_close("bn_running_mean_after", &mean, references.get("bn_running_mean_after"), 1e-5);
    assert_close("bn_running_var_after", &variance, references.get("bn_running_var_after"), 1e-5);
    // What a checkpoint would save.
    let constants = params.constants();
    assert_close("saved", &constants["running_mean"], references.get("bn_running_mean_after"), 1e-5);
    assert!(stored.forward(&xs, batch).is_err(), "stored statistics must not move");
}

fn matrix(references: &References) {
    let matrix = references.get("mat");
    let inverse = references.get("mat_inverse");
    assert_close("inverse by LU", &square::inverse(matrix).unwrap(), inverse, 1e-5);
    assert_close("inverse by Newton", &square::newton_inverse(matrix, 1e-6).unwrap(), inverse, 1e-5);
    let flat = matrix.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (sign, log) = square::Lu::new(matrix.dim(0).unwrap(), &flat).unwrap().sign_log_abs_det();
    let scalar = |name: &str| f64::from(references.get(name).to_vec1::<f32>().unwrap()[0]);
    assert_eq!(sign, scalar("mat_slogdet_sign"));
    let want = scalar("mat_slogdet_logabs");
    assert!((log - want).abs() <= 1e-5 * want.abs(), "log |det|: expected {want}, got {log}");
    let log = f64::from(square::log_abs_det(matrix).unwrap().to_scalar::<f32>().unwrap());
    assert!((log - want).abs() <= 1e-5 * want.abs(), "log |det|: expected {want}, got {log}");
}

/// Kernels that are views, in the layout which unpickling gives.
#[test]
fn golden_convolution_by_a_view() {
    with_goldens(|r| {
        let kernel = r.get("conv_t_kernel_base").transpose(0, 1).unwrap();
        assert!(!kernel.is_contiguous());
        let first = kernel.narrow(2, 0, 1).unwrap();
        let bias = Tensor::zeros(8, candle_core::DType::F32, &DEVICE).unwrap();
        for (name, kernel) in [("conv_t_y", &kernel), ("conv_t1_y", &first)] {
            let config = Conv1dConfig::new(kernel.dim(2).unwrap(), Padding::Same);
            let tap_major = tap_major(kernel).unwrap();
            for params in [
                float(&[("weight", kernel), ("bias", &bias)]),
                float(&[("weight", &tap_major), ("bias", &bias)]),
                trainable(&[("weight", &tap_major), ("bias", &bias)]),
            ] {
                let conv = Conv1d::new(6, 8, config, &params).unwrap();
                // The input, too, as a view with swapped axes.
                let ys = conv.forward(&r.get("conv_t_x").transpose(1, 2).unwrap()).unwrap();
                assert_close(name, &ys, &r.sequence(name), 1e-5);
            }
        }
    });
}

#[test]
fn golden_linear_on_views() {
    with_goldens(|r| {
        let xs = r.get("linear_x_base").transpose(1, 2).unwrap();
        assert!(!xs.is_contiguous());
        let view = r.get("linear_t_w_base").t().unwrap();
        for (weight, name) in [(r.get("linear_w"), "linear_y"), (&view, "linear_t_y")] {
            let parts = [("weight", weight), ("bias", r.get("linear_b"))];
            for params in [float(&parts), trainable(&parts)] {
                let ys = Linear::new(6, 8, &params).unwrap().forward(&xs).unwrap();
                assert_close(name, &ys, r.get(name), 1e-5);
            }
        }
    });
}

#[test]
fn golden_convolutions_and_their_gradients() {
    with_goldens(|r| {
        let dilated = |padding| Conv1dConfig { dilation: 2, ..Conv1dConfig::new(3, padding) };
        convolution(r, "convgrad_pad0", Conv1dConfig::new(3, Padding::Valid));
        convolution(r, "convgrad_dil2", dilated(Padding::Valid));
        convolution(r, "convgrad_dil2pad2", dilated(Padding::Same));
        convolution(r, "convgrad_dil2pad2", dilated(Padding::Zeros(2)));
        convolution(r, "convgrad_k1", Conv1dConfig::new(1, Padding::Same));
        convolution(r, "convgrad_k5pad2", Conv1dConfig::new(5, Padding::Same));
        let strided = Conv1dConfig { stride: 2, ..Conv1dConfig::new(4, Padding::Zeros(1)) };
        convolution(r, "convgrad_k4s2pad1", strided);
    });
}

#[test]
fn golden_transposed_convolution() {
    with_goldens(|r| transposed_convolution(r, 4));
}

#[test]
fn golden_gru() {
    with_goldens(recurrence);
}

#[test]
fn golden_batch_norm() {
    with_goldens(batch_normalisation);
}

#[test]
fn golden_matrix() {
    with_goldens(matrix);
}

#[test]
fn convolutions_match_pytorch() {
    let r = References::committed();
    convolution(&r, "conv_same", Conv1dConfig::new(3, Padding::Same));
    convolution(&r, "conv_dilated", Conv1dConfig { dilation: 3, ..Conv1dConfig::new(3, Padding::Valid) });
    let strided = Conv1dConfig { stride: 3, ..Conv1dConfig::new(4, Padding::Zeros(2)) };
    convolution(&r, "conv_strided", strided);
}

#[test]
fn transposed_convolution_matches_pytorch() {
    transposed_convolution(&References::committed(), 3);
}

#[test]
fn gru_matches_pytorch() {
    let r = References::committed();
    recurrence(&r);
    let params = |suffix: &str| {
        let names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
        let tensors: Vec<_> = names.iter().map(|n| (*n, r.get(&format!("gru_{n}{suffix}")))).collect();
        trainable(&tensors)
    };
    let params = params("");
    let layer = Gru::new(4, 5, Reading::Forward, &params).unwrap();
    let (xs, initial) =
        (Var::from_tensor(r.get("gru_x")).unwrap(), Var::from_tensor(r.get("gru_h_0")).unwrap());
    let ys = layer.forward(&xs, Some(&initial)).unwrap().states;
    assert_close("gru_from_state_y", &ys, r.get("gru_from_state_y"), 1e-5);
    let grads = (ys * r.get("gru_dy")).unwrap().sum_all().unwrap().backward().unwrap();
    assert_close("gru_dx", grads.get(&xs).unwrap(), r.get("gru_dx"), 1e-4);
    assert_close("gru_dh_0", grads.get(&initial).unwrap(), r.get("gru_dh_0"), 1e-4);
    for (name, var) in params.vars() {
        assert_close(&name, grads.get(&var).unwrap(), r.get(&format!("gru_d_{name}")), 1e-4);
    }
}

#[test]
fn batch_norm_matches_pytorch() {
    let r = References::committed();
    batch_normalisation(&r);
    let xs = Var::from_tensor(&r.sequence("bn_x")).unwrap();
    let names = ["weight", "bias", "running_mean", "running_var"];
    for (mode, statistics) in [("train", Statistics::Batch { momentum: 0.1 }), ("eval", Statistics::Running)]
    {
        let params = trainable(&names.map(|name| (name, r.get(&format!("bn_{name}")))));
        let layer = BatchNorm1d::new(xs.dim(2).unwrap(), &params).unwrap();
        let ys = layer.forward(&xs, statistics).unwrap();
        let grads = (ys * r.sequence("bn_dy")).unwrap().sum_all().unwrap().backward().unwrap();
        let dx = r.sequence(&format!("bn_{mode}_dx"));
        assert_close(&format!("bn_{mode}_dx"), grads.get(&xs).unwrap(), &dx, 1e-4);
        for (name, var) in params.vars() {
            let want = r.get(&format!("bn_{mode}_d_{name}"));
            assert_close(&format!("bn_{mode}_d_{name}"), grads.get(&var).unwrap(), want, 1e-4);
        }
    }
}

#[test]
fn matrices_match_pytorch() {
    matrix(&References::committed());
}

#[test]
fn weight_norm_matches_pytorch() {
    let r = References::committed();
    let (gain, direction) = (r.get("wn_weight_g"), r.get("wn_weight_v"));
    let folded = fold_weight_norm(gain, direction).unwrap();
    assert_close("wn_weight", &folded, r.get("wn_weight"), 1e-6);
    // A stale plain weight lies beside the pair in published files and must lose.
    let bias = r.get("wn_bias");
    let stale = (r.get("wn_weight") * 3.0).unwrap();
    let params = float(&[("weight_g", gain), ("weight_v", direction), ("weight", &stale), ("bias", bias)]);
    let (outputs, inputs, kernel) = direction.dims3().unwrap();
    let conv = Conv1d::new(inputs, outputs, Conv1dConfig::new(kernel, Padding::Same), &params).unwrap();
    assert_close("wn_y", &conv.forward(&r.sequence("wn_x")).unwrap(), &r.sequence("wn_y"), 1e-5);
}

#[test]
fn layer_norm_gate_and_softmax_match_pytorch() {
    let r = References::committed();
    let params = trainable(&[("weight", r.get("ln_weight")), ("bias", r.get("ln_bias"))]);
    let layer = LayerNorm::new(r.get("ln_weight").dim(0).unwrap(), &params).unwrap();
    let run = |name: &str, f: &dyn Fn(&Tensor) -> candle_core::Result<Tensor>| {
        let xs = Var::from_tensor(r.get(&format!("{name}_x"))).unwrap();
        let ys = f(&xs).unwrap();
        assert_close(name, &ys, r.get(&format!("{name}_y")), 1e-5);
        let grads = (ys * r.get(&format!("{name}_dy"))).unwrap().sum_all().unwrap().backward().unwrap();
        assert_close(name, grads.get(&xs).unwrap(), r.get(&format!("{name}_dx")), 1e-4);
        grads
    };
    let grads = run("ln", &|xs| layer.forward(xs));
    for (name, var) in params.vars() {
        assert_close(&name, grads.get(&var).unwrap(), r.get(&format!("ln_d_{name}")), 1e-4);
    }
    run("gate", &|xs| ops::gated_tanh(xs));
    run("softmax", &|xs| ops::softmax(xs));
}

/// The weight in use would be a copy which no step moves: silence would cost a training run.
#[test]
fn a_trainable_weight_in_pytorchs_layout_is_refused() {
    let r = References::committed();
    let (weight, bias) = (r.get("conv_same_w"), r.get("conv_same_b"));
    let (outputs, inputs, kernel) = weight.dims3().unwrap();
    let conv =
        |params: &Params| Conv1d::new(inputs, outputs, Conv1dConfig::new(kernel, Padding::Same), params);
    assert!(conv(&trainable(&[("weight", weight), ("bias", bias)])).is_err());
    let normed = [("weight_g", r.get("wn_weight_g")), ("weight_v", r.get("wn_weight_v")), ("bias", bias)];
    assert!(conv(&trainable(&normed)).is_err());
    let config = ConvTranspose1dConfig { kernel, stride: 1 };
    assert!(ConvTranspose1d::new(outputs, inputs, config, &trainable(&[("weight", weight)])).is_err());
}
