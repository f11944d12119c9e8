//! The spectral energy distance: its gradient, and what it prefers.

use candle_core::{Device, Tensor, Var};
use fastglow::train::spectral::EnergyDistance;

use crate::acoustic::Draws;

const SHAPE: (usize, usize) = (2, 2600);

/// Noise of this standard deviation, nearly normal.
fn noise(seed: u64, deviation: f32) -> Vec<f32> {
    let mut draws = Draws(seed);
    let mut normal = || (0..4).map(|_| draws.unit() - 0.5).sum::<f32>() * 3f32.sqrt();
    (0..SHAPE.0 * SHAPE.1).map(|_| deviation * normal()).collect()
}

fn tensor(values: &[f32]) -> Tensor {
    Tensor::from_slice(values, SHAPE, &Device::Cpu).unwrap()
}

fn distance(speech: &[f32], first: &[f32], second: &[f32]) -> f32 {
    let distance = EnergyDistance::default();
    distance.forward(&tensor(speech), &tensor(first), &tensor(second)).unwrap().to_scalar().unwrap()
}

#[test]
fn its_gradient_is_that_of_finite_differences() {
    let speech = noise(1, 0.7);
    let samples = [noise(2, 1.0), noise(3, 0.5)];
    let vars = [&samples[0], &samples[1]].map(|values| Var::from_tensor(&tensor(values)).unwrap());
    let loss = EnergyDistance::default().forward(&tensor(&speech), &vars[0], &vars[1]).unwrap();
    // Something behind it, so that the incoming gradient is not 1.
    let gradients = (loss * 3.0).unwrap().backward().unwrap();
    for (which, var) in vars.iter().enumerate() {
        let gradient = gradients.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        assert!(norm > 1e-3, "{norm}");
        // Along the gradient itself, and along directions that know nothing of it.
        let deviation = ((SHAPE.0 * SHAPE.1) as f32).sqrt().recip();
        let mut directions = vec![gradient.iter().map(|g| g / norm).collect::<Vec<f32>>()];
        directions.extend((10..13).map(|seed| noise(seed, deviation)));
        for (i, direction) in directions.iter().enumerate() {
            let slope: f32 = gradient.iter().zip(direction).map(|(a, b)| a * b).sum();
            let at = |step: f32| {
                let mut moved = samples.clone();
                moved[which].iter_mut().zip(direction).for_each(|(x, d)| *x += step * d);
                3.0 * distance(&speech, &moved[0], &moved[1])
            };
            // Far enough for f32, near enough for the kinks of absolute values and the steep logarithms: one of three.
            let error = [0.02, 0.005, 0.002]
                .map(|step| ((at(step) - at(-step)) / (2.0 * step) - slope).abs())
                .into_iter()
                .fold(f32::INFINITY, f32::min);
            assert!(
                error < 0.02 * slope.abs() + 1e-5,
                "sample {which}, direction {i}: {slope} off by {error}"
            );
        }
    }
}

#[test]
fn noise_like_the_speech_is_nearest() {
    let mean = |deviation: f32| {
        let draw = |i| distance(&noise(i, 1.0), &noise(100 + i, deviation), &noise(200 + i, deviation));
        (1..6).map(draw).sum::<f32>() / 5.0
    };
    let right = mean(1.0);
    for wrong in [0.3, 0.7, 1.4, 3.0] {
        assert!(mean(wrong) > right, "{wrong}: {} against {right}", mean(wrong));
    }
    // Two samples that are the same lack the noise that they should have: a plain spectral loss would not see it.
    let same =
        (1..6).map(|i| distance(&noise(i, 1.0), &noise(300, 1.0), &noise(300, 1.0))).sum::<f32>() / 5.0;
    assert!(same > right, "{same} against {right}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let distance = EnergyDistance::default();
    let zeros = |length: usize| Tensor::zeros((1, length), candle_core::DType::F32, &Device::Cpu).unwrap();
    let short = distance.forward(&zeros(2047), &zeros(2047), &zeros(2047)).unwrap_err().to_string();
    assert!(short.contains("2048"), "{short}");
    let unlike = distance.forward(&zeros(4000), &zeros(3000), &zeros(4000)).unwrap_err().to_string();
    assert!(unlike.contains("differ"), "{unlike}");
}
