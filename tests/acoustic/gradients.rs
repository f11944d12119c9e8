//! Gradients against finite differences.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};
use fastglow::acoustic::Regulated;
use fastglow::nn::ops::{self, DropMask};
use fastglow::train::acoustic::{AcousticOptions, AcousticTask};
use fastglow::train::task::Task;

use super::{Draws, example, tiny};

fn random(shape: &[usize], draws: &mut Draws) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| 2.0 * draws.unit() - 1.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Checks every element's gradient of a random projection of `function`.
fn check(shape: &[usize], function: impl Fn(&Tensor) -> Result<Tensor>) {
    let mut draws = Draws(5);
    let start = random(shape, &mut draws);
    let var = Var::from_tensor(&start).unwrap();
    let weights = random(function(&start).unwrap().dims(), &mut draws);
    let loss = |xs: &Tensor| (function(xs).unwrap() * &weights).unwrap().sum_all().unwrap();
    let grads = loss(var.as_tensor()).backward().unwrap();
    let slopes = grads.get(&var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let values = start.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let step = 0.05;
    for (i, slope) in slopes.iter().enumerate() {
        let at = |offset: f32| {
            let mut moved = values.clone();
            moved[i] += offset;
            loss(&Tensor::from_vec(moved, shape, &Device::Cpu).unwrap()).to_scalar::<f32>().unwrap()
        };
        let measured = (at(step) - at(-step)) / (2.0 * step);
        assert!((slope - measured).abs() < 2e-4, "element {i}: {slope} {measured}");
    }
}

#[test]
fn of_the_masking_operations() {
    let lengths: Arc<[usize]> = [4, 2, 3].into();
    check(&[3, 4, 5], |xs| ops::keep_rows(xs, &lengths));
    let mask = Some(DropMask { rate: 0.4, seed: 9 });
    check(&[3, 4, 5], |xs| ops::dropped(xs, mask));
    let other = random(&[3, 4, 5], &mut Draws(6));
    check(&[3, 4, 5], |xs| ops::add_dropped(xs, &other, mask));
    check(&[3, 4, 5], |xs| ops::add_dropped(&other, xs, mask));
}

#[test]
fn of_the_length_regulator() {
    let regulated = Regulated::new(&[vec![2, 0, 3], vec![1, 1], vec![4]], 3, &Device::Cpu).unwrap();
    check(&[3, 3, 2], |xs| ops::keep_rows(&regulated.repeat(xs)?, &regulated.lengths));
}

#[test]
fn dropout_drops_its_share_and_keeps_the_mean() {
    let ones = Tensor::ones((10, 100, 10), candle_core::DType::F32, &Device::Cpu).unwrap();
    let mask = DropMask { rate: 0.3, seed: 2 };
    let values = ops::dropped(&ones, Some(mask)).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let zeros = values.iter().filter(|&&x| x == 0.0).count() as f32 / values.len() as f32;
    assert!((zeros - 0.3).abs() < 0.02, "{zeros}");
    assert!((values.iter().sum::<f32>() / values.len() as f32 - 1.0).abs() < 0.03);
    let again = ops::dropped(&ones, Some(mask)).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(values, again);
    assert!(ops::dropped(&ones, Some(DropMask { rate: 1.0, seed: 2 })).is_err());
}

/// Moves each tensor along its own gradient, at batch 3 and under dropout: the loss must change by what the gradient
/// promises. Every tensor of the model takes part.
#[test]
fn of_the_whole_training_loss() {
    let config = tiny();
    let mut draws = Draws(9);
    let mut examples: Vec<_> = [7, 12, 9].map(|count| example(count, config.mels, &mut draws)).to_vec();
    // A pause that does not sound, as in real corpora.
    let silent = examples[1].durations_frames.pop().unwrap() as usize;
    examples[1].durations_frames.push(0);
    let frames = examples[1].log_f0.len() - silent;
    examples[1].log_f0.truncate(frames);
    examples[1].voicing.truncate(frames);
    examples[1].mel.truncate(frames * config.mels);
    let options = AcousticOptions { seed: 3, frames_per_batch: 10_000, ..AcousticOptions::default() };
    let mut task = AcousticTask::new(&config, (examples.clone(), examples), options).unwrap();
    let loss = task.loss(0).unwrap();
    assert_eq!(
        loss.total.to_scalar::<f32>().unwrap(),
        task.loss(0).unwrap().total.to_scalar::<f32>().unwrap(),
        "a step has one loss"
    );
    let grads = loss.total.backward().unwrap();
    let vars = task.params().vars();
    assert!(vars.len() > 60, "{}", vars.len());
    for (name, var) in vars {
        let grad = grads.get(&var).unwrap_or_else(|| panic!("{name} has no gradient"));
        let norm = grad.sqr().unwrap().sum_all().unwrap().sqrt().unwrap().to_scalar::<f32>().unwrap();
        if name.ends_with("attention.key.bias") {
            // The same for every key, so softmax does not see it.
            assert!(norm < 1e-5, "{name}: {norm}");
            continue;
        }
        assert!(norm > 1e-6, "{name}: gradient {norm}");
        let start = var.as_tensor().copy().unwrap();
        let mut at = |offset: f32| {
            let direction = (grad * f64::from(offset / norm)).unwrap();
            var.set(&(&start + direction).unwrap()).unwrap();
            f64::from(task.loss(0).unwrap().total.to_scalar::<f32>().unwrap())
        };
        // Far enough for f32, near enough for the kinks of ReLU and of absolute values: one of three steps will be.
        let furthest = (2e-3 / norm).min(2e-2);
        let (measured, error) = [1.0, 0.4, 0.15]
            .map(|share| {
                let step = share * furthest;
                let measured = (at(step) - at(-step)) / (2.0 * f64::from(step));
                (measured, (measured - f64::from(norm)).abs())
            })
            .into_iter()
            .fold((0.0, f64::INFINITY), |best, next| if next.1 < best.1 { next } else { best });
        var.set(&start).unwrap();
        assert!(error < 0.02 * f64::from(norm) + 2e-4, "{name}: {norm} measured {measured}");
    }
}
