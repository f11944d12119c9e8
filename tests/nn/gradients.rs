//! Every custom operation and every layer against finite differences, at batch 3.
//!
//! The fused f32 passes are compared in addition with the compositions used on other devices, run in f64.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor, Var};
use fastglow::nn::{
    BatchNorm1d, Conv1d, Conv1dConfig, ConvTranspose1d, ConvTranspose1dConfig, DepthwiseConv1d, Embedding,
    Gru, LayerNorm, Linear, Padding, Params, Reading, Statistics, ops, ops::DropMask, ops::Map, square,
};

use super::{DEVICE, largest, noise, trainable, values};

/// Σ ys · weights, in f64, with fixed weights in ±1.
fn score(ys: &Tensor) -> f64 {
    values(ys).iter().zip(values(&noise(ys.dims(), 99))).map(|(y, w)| y * w).sum()
}

/// Checks the gradient of `run` with respect to each of `inputs` by central differences of every element.
pub fn check(name: &str, inputs: &[Tensor], run: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(&t.contiguous().unwrap()).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let ys = run(&tensors).unwrap();
    let grads = (&ys * noise(ys.dims(), 99)).unwrap().sum_all().unwrap().backward().unwrap();
    for (index, input) in inputs.iter().enumerate() {
        let grad = grads.get(&vars[index]).unwrap_or_else(|| panic!("{name}: input {index} has no gradient"));
        assert_eq!(grad.dims(), input.dims(), "{name}: shape of gradient {index}");
        let (grad, start) = (values(grad), values(input));
        let step = 1e-2;
        let numeric: Vec<f64> = (0..start.len())
            .map(|at| {
                let moved = |by: f64| {
                    let mut moved: Vec<f32> = start.iter().map(|&x| x as f32).collect();
                    moved[at] += by as f32;
                    let mut inputs: Vec<Tensor> = inputs.iter().map(|t| t.contiguous().unwrap()).collect();
                    inputs[index] = Tensor::from_vec(moved, input.shape(), &DEVICE).unwrap();
                    score(&run(&inputs).unwrap())
                };
                (moved(step) - moved(-step)) / (2.0 * step)
            })
            .collect();
        let scale = largest(&numeric);
        assert!(scale > 1e-3, "{name}: gradient {index} vanishes, so the check would prove nothing");
        for (at, (got, want)) in grad.iter().zip(&numeric).enumerate() {
            assert!(
                (got - want).abs() <= 2e-3 * scale,
                "{name}: gradient {index} at {at}: expected {want}, got {got}"
            );
        }
    }
}

/// As [`check`], and compares value and gradients of the fused f32 pass with the composition, in f64.
fn check_both(name: &str, inputs: &[Tensor], run: impl Fn(&[Tensor]) -> Result<Tensor>) {
    check(name, inputs, &run);
    let all = |dtype: DType| {
        let vars: Vec<Var> =
            inputs.iter().map(|t| Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap()).collect();
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let ys = run(&tensors).unwrap();
        let weights = noise(ys.dims(), 99).to_dtype(dtype).unwrap();
        let grads = (&ys * weights).unwrap().sum_all().unwrap().backward().unwrap();
        let mut all = vec![values(&ys)];
        all.extend(vars.iter().map(|v| values(grads.get(v).unwrap())));
        all
    };
    for (index, (fused, composed)) in all(DType::F32).iter().zip(all(DType::F64)).enumerate() {
        let scale = largest(&composed);
        for (got, want) in fused.iter().zip(&composed) {
            assert!((got - want).abs() <= 1e-5 * scale, "{name}: result {index}: expected {want}, got {got}");
        }
    }
}

#[test]
fn unfold() {
    for (kernel, dilation, padding) in [
        (3, 1, Padding::Same),
        (3, 2, Padding::Causal),
        (2, 1, Padding::Valid),
        (5, 3, Padding::Same),
        (4, 1, Padding::Causal),
        (4, 1, Padding::Zeros(1)),
    ] {
        for stride in [1, 2, 3] {
            let config = Conv1dConfig { kernel, dilation, stride, padding };
            check_both(&format!("{config:?}"), &[noise(&[3, 7, 2], 1)], |t| ops::unfold(&t[0], &config));
        }
    }
}

#[test]
fn fold() {
    for (kernel, stride) in [(4, 2), (3, 3), (5, 1), (2, 3)] {
        check_both("fold", &[noise(&[3, 4, 2 * kernel], 1)], |t| ops::fold(&t[0], kernel, stride));
    }
}

#[test]
fn batch_norm() {
    let inputs = [noise(&[3, 5, 4], 1), noise(&[4], 2), noise(&[4], 3)];
    check_both("batch norm", &inputs, |t| Ok(ops::batch_norm(&t[0], &t[1], &t[2], 1e-5)?.0));
}

#[test]
fn gru() {
    for reverse in [false, true] {
        for time in [1, 5] {
            let inputs = [noise(&[3, time, 12], 1), noise(&[5, 12], 2), noise(&[3, 4], 3)];
            check_both("gru", &inputs, |t| ops::gru(&t[0], &t[1], &t[2], reverse));
        }
    }
}

#[test]
fn gate() {
    check_both("gate", &[noise(&[3, 5, 66], 1).affine(3.0, 0.0).unwrap()], |t| ops::gated_tanh(&t[0]));
}

#[test]
fn softmax() {
    for width in [1, 5, 32, 71] {
        let xs = noise(&[3, 2, width], 1).affine(3.0, 0.0).unwrap();
        if width == 1 {
            let ys = values(&ops::softmax(&xs).unwrap());
            assert!(ys.iter().all(|&y| y == 1.0));
        } else {
            check_both("softmax", &[xs], |t| ops::softmax(&t[0]));
        }
    }
}

#[test]
fn masked_softmax_is_exactly_zero_and_never_nan() {
    let inf = f32::NEG_INFINITY;
    let xs = Tensor::new(&[[0f32, inf, 1.0], [inf, inf, inf]], &DEVICE).unwrap();
    let ys = ops::softmax(&xs).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(ys[0][1], 0.0);
    assert!((ys[0][0] + ys[0][2] - 1.0).abs() < 1e-6);
    assert_eq!(ys[1], [0.0; 3]);
}

#[test]
fn standardize() {
    for width in [5, 32, 71] {
        check_both("standardize", &[noise(&[3, 2, width], 1)], |t| ops::standardize(&t[0], 1e-5));
    }
}

#[test]
fn layer_norm() {
    for width in [5, 32, 71] {
        let inputs = [noise(&[3, 2, width], 1), noise(&[width], 2), noise(&[width], 3)];
        check_both("layer norm", &inputs, |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-5));
    }
}

#[test]
fn depthwise() {
    for kernel in [1, 3, 9] {
        let inputs = [noise(&[3, 7, 4], 1), noise(&[kernel, 4], 2)];
        check_both("depthwise", &inputs, |t| ops::depthwise(&t[0], &t[1]));
    }
}

const MAPS: [Option<Map>; 4] =
    [None, Some(Map::RELU), Some(Map::LeakyRelu { slope: 0.1 }), Some(Map::Clamp { low: -0.8, high: 0.6 })];

#[test]
fn map() {
    for map in MAPS.into_iter().flatten() {
        check_both("map", &[off_kinks(&noise(&[3, 4, 6], 1))], |t| ops::map(&t[0], map));
    }
    for wrong in [
        Map::LeakyRelu { slope: -0.1 },
        Map::Clamp { low: 1.0, high: 0.0 },
        Map::Clamp { low: f32::NAN, high: 0.0 },
    ] {
        assert!(ops::map(&noise(&[2], 1), wrong).is_err(), "{wrong:?}");
    }
}

/// Puts values on ±0.1, ±0.3, …, away from the kinks of [`MAPS`], where differences are meaningless.
fn off_kinks(xs: &Tensor) -> Tensor {
    let moved = values(xs).iter().map(|&x| ((x * 5.0).floor() as f32 + 0.5) / 5.0).collect::<Vec<_>>();
    Tensor::from_vec(moved, xs.shape(), &DEVICE).unwrap()
}

#[test]
fn add_bias() {
    for then in MAPS {
        let inputs = [off_kinks(&noise(&[3, 4, 6], 1)), noise(&[6], 2).affine(0.05, 0.0).unwrap()];
        check_both("bias", &inputs, |t| ops::add_bias(&t[0], &t[1], then));
    }
}

#[test]
fn linear() {
    for then in MAPS {
        // Integers, so that no sum lies within a step of a kink.
        let xs = noise(&[3, 4, 2], 1).affine(3.0, 0.0).unwrap().round().unwrap();
        let weight = noise(&[6, 2], 2).affine(3.0, 0.0).unwrap().round().unwrap();
        let bias = (Tensor::zeros(6, DType::F32, &DEVICE).unwrap() + 0.5).unwrap();
        check_both("linear", &[xs, weight, bias], |t| ops::linear(&t[0], &t[1], &t[2], then));
    }
}

/// A well-conditioned matrix with a negative determinant.
fn matrix(size: usize) -> Tensor {
    let identity = Tensor::eye(size, DType::F32, &DEVICE).unwrap();
    let swap: Vec<u32> = (0..size as u32).map(|i| if i < 2 { 1 - i } else { i }).collect();
    let swapped = identity.index_select(&Tensor::new(swap, &DEVICE).unwrap(), 0).unwrap();
    (noise(&[size, size], 5).affine(0.2, 0.0).unwrap() + swapped).unwrap()
}

#[test]
fn inverse() {
    check("inverse", &[matrix(6)], |t| square::inverse(&t[0]));
}

#[test]
fn log_abs_det() {
    check("log |det|", &[matrix(6)], |t| square::log_abs_det(&t[0]));
}

#[test]
fn keep_rows() {
    let lengths: Arc<[usize]> = vec![4, 0, 2].into();
    check_both("keep rows", &[noise(&[3, 4, 2], 1)], |t| ops::keep_rows(&t[0], &lengths));
    let kept = values(&ops::keep_rows(&noise(&[3, 4, 2], 1), &lengths).unwrap());
    assert!(kept[8..16].iter().all(|&x| x == 0.0) && kept[20..].iter().all(|&x| x == 0.0));
}

#[test]
fn dropout() {
    for rate in [0.0, 0.3] {
        let mask = Some(DropMask { rate, seed: 5 });
        check_both("dropout", &[noise(&[3, 4, 5], 1)], |t| ops::dropped(&t[0], mask));
        let inputs = [noise(&[3, 4, 5], 1), noise(&[3, 4, 5], 2)];
        check_both("residual dropout", &inputs, |t| ops::add_dropped(&t[0], &t[1], mask));
    }
}

/// Checks a layer's gradients with respect to its input and to every one of its variables.
fn check_layer(name: &str, input: Tensor, make: impl Fn(&Params) -> Box<dyn Fn(&Tensor) -> Result<Tensor>>) {
    let params = trainable(&[]);
    drop(make(&params));
    let start: Vec<(String, Tensor)> = params
        .vars()
        .iter()
        .enumerate()
        // Not as they start: a weight of ones or a bias of zeros can hide a mistake.
        .map(|(i, (name, var))| {
            (name.clone(), (var.as_tensor().detach() + noise(var.dims(), 50 + i as u64)).unwrap())
        })
        .collect();
    assert!(!start.is_empty(), "{name}: no variables");
    let inputs: Vec<Tensor> = std::iter::once(input).chain(start.iter().map(|(_, t)| t.clone())).collect();
    // Differences move plain tensors, so the layer is built of them; its variables are then tested to be the same ones.
    check(name, &inputs, |t| {
        let float = start.iter().zip(&t[1..]).map(|((name, _), t)| (name.clone(), t.clone())).collect();
        make(&Params::float(float, &DEVICE))(&t[0])
    });
    let xs = inputs[0].clone();
    let params = Params::trainable(7, start.into_iter().collect(), &DEVICE);
    let ys = make(&params)(&xs).unwrap();
    let grads = (&ys * noise(ys.dims(), 99)).unwrap().sum_all().unwrap().backward().unwrap();
    for (path, var) in params.vars() {
        assert!(grads.get(&var).is_some(), "{name}: `{path}` has no gradient");
    }
}

#[test]
fn layers_of_products() {
    let xs = || noise(&[3, 6, 2], 1);
    check_layer("linear", xs(), |p| {
        let layer = Linear::new(2, 3, p).unwrap();
        Box::new(move |xs| layer.forward(xs))
    });
    for (kernel, dilation, padding) in [
        (3, 1, Padding::Same),
        (3, 2, Padding::Causal),
        (2, 1, Padding::Valid),
        (1, 1, Padding::Valid),
        (5, 1, Padding::Zeros(1)),
    ] {
        for stride in [1, 2] {
            let config = Conv1dConfig { kernel, dilation, stride, padding };
            check_layer(&format!("{config:?}"), xs(), |p| {
                let layer = Conv1d::new(2, 3, config, p).unwrap();
                Box::new(move |xs| layer.forward(xs))
            });
        }
    }
    check_layer("depthwise", xs(), |p| {
        let layer = DepthwiseConv1d::new(2, 3, p).unwrap();
        Box::new(move |xs| layer.forward(xs))
    });
    check_layer("transposed convolution", xs(), |p| {
        let config = ConvTranspose1dConfig { kernel: 5, stride: 2 };
        let layer = ConvTranspose1d::new(2, 3, config, p).unwrap();
        Box::new(move |xs| layer.forward(xs))
    });
}

#[test]
fn layers_of_norms() {
    let xs = || noise(&[3, 4, 5], 1);
    check_layer("layer norm", xs(), |p| {
        let layer = LayerNorm::new(5, p).unwrap();
        Box::new(move |xs| layer.forward(xs))
    });
    for statistics in [Statistics::Batch { momentum: 0.1 }, Statistics::Running] {
        let params = trainable(&[]);
        let layer = BatchNorm1d::new(5, &params).unwrap();
        let vars = params.vars();
        assert_eq!(vars.keys().collect::<Vec<_>>(), ["bias", "weight"]);
        let ys = layer.forward(&xs(), statistics).unwrap();
        let grads = (&ys * noise(ys.dims(), 99)).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(vars.values().all(|var| grads.get(var).is_some()));
    }
}

#[test]
fn batch_norm_at_running_averages() {
    let (mean, variance) = (noise(&[5], 4), (noise(&[5], 5) + 2.0).unwrap());
    let inputs = [noise(&[3, 4, 5], 1), noise(&[5], 2), noise(&[5], 3)];
    check("batch norm, running", &inputs, |t| {
        let params = super::float(&[
            ("weight", &t[1]),
            ("bias", &t[2]),
            ("running_mean", &mean),
            ("running_var", &variance),
        ]);
        BatchNorm1d::new(5, &params)?.forward(&t[0], Statistics::Running)
    });
}

#[test]
fn layers_of_time() {
    for reading in [Reading::Forward, Reading::BothWays] {
        check_layer(&format!("gru {reading:?}"), noise(&[3, 4, 2], 1), |p| {
            let layer = Gru::new(2, 3, reading, p).unwrap();
            Box::new(move |xs| Ok(layer.forward(xs, None)?.states))
        });
    }
}

#[test]
fn gru_from_a_state_and_to_its_last() {
    let params = trainable(&[]);
    let layer = Gru::new(2, 3, Reading::BothWays, &params).unwrap();
    check("gru state", &[noise(&[3, 4, 2], 1), noise(&[2, 3, 3], 2)], |t| {
        Ok(layer.forward(&t[0], Some(&t[1]))?.last)
    });
}

#[test]
fn embedding() {
    let ids = Tensor::new(&[[0u32, 2, 1], [1, 1, 2], [2, 2, 2]], &DEVICE).unwrap();
    check("embedding", &[noise(&[4, 5], 1)], |t| {
        Embedding::new(4, 5, &super::float(&[("weight", &t[0])]))?.forward(&ids)
    });
}

#[test]
fn a_long_recurrence_does_not_exhaust_the_stack() {
    let params = trainable(&[]);
    let layer = Gru::new(2, 3, Reading::BothWays, &params).unwrap();
    let ys = layer.forward(&noise(&[1, 4_000, 2], 1), None).unwrap().states;
    let grads = ys.sum_all().unwrap().backward().unwrap();
    assert!(params.vars().values().all(|var| grads.get(var).is_some()));
}
