//! Small square matrices: both inverses agree and undo, determinants multiply, singular matrices are errors.

use candle_core::{DType, Tensor};
use fastglow::nn::square::{Lu, inverse, log_abs_det, newton_inverse};
use proptest::prelude::*;

use super::{DEVICE, assert_close, largest, noise, values};

fn identity(size: usize) -> Tensor {
    Tensor::eye(size, DType::F32, &DEVICE).unwrap()
}

/// A regular matrix: noise whose rows sum to less than `spread`, on a permutation with some signs turned.
fn regular(size: usize, spread: f64, seed: u64) -> Tensor {
    let order: Vec<u32> = (0..size as u32).map(|i| (i + seed as u32) % size as u32).collect();
    let permutation = identity(size).index_select(&Tensor::new(order, &DEVICE).unwrap(), 0).unwrap();
    let signs: Vec<f32> = (0..size).map(|i| if (seed >> (i % 64)) & 1 == 0 { 1.0 } else { -1.0 }).collect();
    let signs = Tensor::new(signs, &DEVICE).unwrap().unsqueeze(1).unwrap();
    let noise = noise(&[size, size], seed).affine(spread / size as f64, 0.0).unwrap();
    (permutation.broadcast_mul(&signs).unwrap() + noise).unwrap()
}

/// `row` becomes the sum of multiples of the others.
fn made_dependent(matrix: &Tensor, row: usize, seed: u64) -> Tensor {
    let size = matrix.dim(0).unwrap();
    let mut rows = matrix.to_vec2::<f32>().unwrap();
    let weights = noise(&[size], seed).to_vec1::<f32>().unwrap();
    rows[row] = (0..size)
        .map(|k| (0..size).filter(|&i| i != row).map(|i| (weights[i] * 4.0).round() * rows[i][k]).sum())
        .collect();
    Tensor::new(rows, &DEVICE).unwrap()
}

fn log_and_sign(matrix: &Tensor) -> (f64, f64) {
    let flat = matrix.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    Lu::new(matrix.dim(0).unwrap(), &flat).unwrap().sign_log_abs_det()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn regular_matrices_are_inverted(size in 1usize..=40, spread in 0.0f64..0.8, seed in 0u64..1_000_000) {
        let matrix = regular(size, spread, seed);
        let by_lu = inverse(&matrix).unwrap();
        assert_close("W · W⁻¹", &matrix.matmul(&by_lu).unwrap(), &identity(size), 1e-5);
        assert_close("Newton", &newton_inverse(&matrix, 1e-6).unwrap(), &by_lu, 1e-5);
        let (sign, log) = log_and_sign(&matrix);
        let (inverse_sign, inverse_log) = log_and_sign(&by_lu);
        prop_assert_eq!(sign, inverse_sign);
        prop_assert!((log + inverse_log).abs() < 1e-4, "{} and {}", log, inverse_log);
        let (_, doubled_log) = log_and_sign(&(&matrix * 2.0).unwrap());
        prop_assert!((doubled_log - log - size as f64 * 2f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn singular_matrices_are_errors(size in 1usize..=24, row in 0usize..24, seed in 0u64..1_000_000) {
        // Small whole numbers, so that the dependence is exact in f32.
        let matrix = noise(&[size, size], seed).affine(4.0, 0.0).unwrap().round().unwrap();
        let singular = made_dependent(&matrix, row % size, seed + 1);
        prop_assert!(inverse(&singular).is_err());
        prop_assert!(log_abs_det(&singular).is_err());
        prop_assert!(newton_inverse(&singular, 1e-5).is_err());
    }
}

#[test]
fn both_inverses_undo_up_to_256() {
    for size in [8, 64, 128, 256] {
        let matrix = regular(size, 0.5, 12_345);
        let by_lu = inverse(&matrix).unwrap();
        let by_newton = newton_inverse(&matrix, 1e-6).unwrap();
        assert_close("LU and Newton", &by_newton, &by_lu, 1e-5);
        let xs = noise(&[3, 10, size], 6).reshape((30, size)).unwrap();
        for inverse in [&by_lu, &by_newton] {
            let there_and_back =
                xs.matmul(&matrix.t().unwrap()).unwrap().matmul(&inverse.t().unwrap()).unwrap();
            assert_close("round trip", &there_and_back, &xs, 1e-5);
        }
    }
}

#[test]
fn ill_conditioned_matrices_converge() {
    // Condition number 10⁴.
    let scales: Vec<f32> = (0..16).map(|i| 10f32.powf(-4.0 * i as f32 / 15.0)).collect();
    let scales = Tensor::new(scales, &DEVICE).unwrap().unsqueeze(1).unwrap();
    let matrix = regular(16, 0.5, 77).broadcast_mul(&scales).unwrap();
    assert_close("Newton", &newton_inverse(&matrix, 1e-6).unwrap(), &inverse(&matrix).unwrap(), 1e-5);
}

#[test]
fn determinants_are_known() {
    let matrix = Tensor::new(&[[0f32, 2.0, 0.0], [3.0, 0.0, 0.0], [5.0, 7.0, 4.0]], &DEVICE).unwrap();
    // −(2 · 3 · 4)
    let (sign, log) = log_and_sign(&matrix);
    assert_eq!(sign, -1.0);
    assert!((log - 24f64.ln()).abs() < 1e-12);
    let permutation = regular(9, 0.0, 0);
    assert_eq!(log_and_sign(&permutation), (1.0, 0.0));
}

#[test]
fn what_is_not_a_regular_matrix_is_an_error() {
    let bad: Vec<(&str, Tensor)> = vec![
        ("zeros", Tensor::zeros((4, 4), DType::F32, &DEVICE).unwrap()),
        ("ones", Tensor::ones((4, 4), DType::F32, &DEVICE).unwrap()),
        ("not square", noise(&[3, 4], 1)),
        ("a vector", noise(&[4], 1)),
        ("nan", Tensor::new(&[[1f32, 0.0], [0.0, f32::NAN]], &DEVICE).unwrap()),
        ("infinite", Tensor::new(&[[1f32, 0.0], [f32::INFINITY, 1.0]], &DEVICE).unwrap()),
    ];
    for (what, matrix) in &bad {
        assert!(inverse(matrix).is_err(), "{what}");
        assert!(log_abs_det(matrix).is_err(), "{what}");
        assert!(newton_inverse(matrix, 1e-5).is_err(), "{what}");
    }
    assert!(Lu::new(3, &[1.0; 4]).is_err());
}

/// The gradient of log |det W| is W⁻ᵀ.
#[test]
fn the_log_determinants_gradient_is_the_inverse_transposed() {
    let matrix = candle_core::Var::from_tensor(&regular(20, 0.7, 5)).unwrap();
    let log = log_abs_det(&matrix).unwrap();
    let grads = (log * 3.0).unwrap().backward().unwrap();
    let want = (inverse(&matrix.as_detached_tensor()).unwrap().t().unwrap() * 3.0).unwrap();
    assert_close("W⁻ᵀ", grads.get(&matrix).unwrap(), &want, 1e-6);
    assert!(largest(&values(&want)) > 1.0);
}
