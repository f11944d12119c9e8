//! Every custom operation and every layer against finite differences, at batch 3.
//!
//! The fused f32 passes are compared in addition with the compositions used on other devices, run in f64.

use candle_core::{DType, Device, Result, Tensor, Var};
use fastglow::nn::{Conv1dConfig, Padding, ops, ops::Map, square};

const DEVICE: Device = Device::Cpu;

/// Values of a fixed pseudo-random sequence in ±1, different for each `seed`.
pub fn noise(shape: &[usize], seed: u64) -> Tensor {
    let count = shape.iter().product::<usize>() as u64;
    let values = (0..count).map(|i| {
        let mut z = (seed << 32 | i).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    });
    Tensor::from_vec(values.collect::<Vec<_>>(), shape, &DEVICE).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |top, x| top.max(x.abs()))
}

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
    ] {
        let config = Conv1dConfig { kernel, dilation, padding };
        check_both(&format!("{config:?}"), &[noise(&[3, 7, 2], 1)], |t| ops::unfold(&t[0], &config));
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
