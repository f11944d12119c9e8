//! Layers: gradients by finite differences, values from PyTorch, streaming, batches, small matrices.

mod gradients;
mod layers;
mod matrices;
mod references;
mod streaming;

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use fastglow::nn::{Init, Params};

const DEVICE: Device = Device::Cpu;

/// Values of a fixed pseudo-random sequence in ±1, different for each `seed`.
fn noise(shape: &[usize], seed: u64) -> Tensor {
    let count = shape.iter().product::<usize>() as u64;
    let values = (0..count).map(|i| {
        let mut z = ((seed << 32) | i).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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

/// Asserts that `got` has the shape of `want` and differs by at most `tolerance` of its largest value.
#[track_caller]
fn assert_close(what: &str, got: &Tensor, want: &Tensor, tolerance: f64) {
    assert_eq!(got.dims(), want.dims(), "{what}: shape");
    let (got, want) = (values(got), values(want));
    let bound = tolerance * largest(&want);
    assert!(bound > 0.0, "{what}: the reference is all zeros");
    for (at, (got, want)) in got.iter().zip(&want).enumerate() {
        // Written so that NaN fails.
        assert!((got - want).abs() <= bound, "{what} at {at}: expected {want}, got {got}, bound {bound:e}");
    }
}

/// Fresh parameters with the given values.
fn trainable(preset: &[(&str, &Tensor)]) -> Params {
    let preset = preset.iter().map(|(name, tensor)| (name.to_string(), (*tensor).clone())).collect();
    Params::trainable(7, preset, &DEVICE)
}

/// Parameters as read from a checkpoint.
fn float(tensors: &[(&str, &Tensor)]) -> Params {
    let tensors: HashMap<_, _> =
        tensors.iter().map(|(name, tensor)| (name.to_string(), (*tensor).clone())).collect();
    Params::float(tensors, &DEVICE)
}

#[test]
fn starting_values_are_a_matter_of_seed_and_name() {
    let params = Params::trainable(1, HashMap::new(), &DEVICE).pp("layer");
    let values = params.tensor("weight", 4, Init::Uniform(1.0)).unwrap().to_vec1::<f32>().unwrap();
    // SplitMix64 of the seed and FNV-1a of `layer.weight`, computed elsewhere: saved runs go on only if they stay.
    let wanted = [-0.788_112_34, -0.248_616_28, -0.496_917_3, -0.785_381_85];
    assert!(values.iter().zip(wanted).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-7), "{values:?}");
}
