//! The layers as training uses them, on one thread: forward, then gradients of every trainable tensor.
//!
//! `RAYON_NUM_THREADS=1 cargo bench --bench nn`, then `python benches/nn_torch.py` for the same work in PyTorch.

use std::collections::HashMap;
use std::hint::black_box;

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use fastglow::nn::{Conv1d, Conv1dConfig, LayerNorm, Linear, Padding, Params, ops, square};

/// Sizes of the native vocoder's training batch.
const BATCH: usize = 12;
const FRAMES: usize = 64;
const WIDTH: usize = 128;

fn random(shape: &[usize]) -> Result<Var> {
    Var::randn(0f32, 1f32, shape, &Device::Cpu)
}

/// Forward, and backward from the sum of squares.
fn both_ways(ys: &Tensor) -> Result<()> {
    black_box(ys.sqr()?.sum_all()?.backward()?);
    Ok(())
}

fn layers(criterion: &mut Criterion) -> Result<()> {
    let params = Params::trainable(1, HashMap::new(), &Device::Cpu);
    let xs = random(&[BATCH, FRAMES, WIDTH])?;
    let wide = random(&[BATCH, FRAMES, 2 * WIDTH])?;
    let config = Conv1dConfig::new(3, Padding::Causal);
    let conv = Conv1d::new(WIDTH, 2 * WIDTH, config, &params.pp("conv"))?;
    let linear = Linear::new(WIDTH, 2 * WIDTH, &params.pp("linear"))?;
    let norm = LayerNorm::new(2 * WIDTH, &params.pp("norm"))?;
    let mut group = criterion.benchmark_group("nn");
    group.bench_function("conv1d_forward", |b| b.iter(|| conv.forward(&xs.detach())));
    group.bench_function("conv1d", |b| b.iter(|| both_ways(&conv.forward(&xs)?)));
    group.bench_function("linear", |b| b.iter(|| both_ways(&linear.forward(&xs)?)));
    group.bench_function("unfold", |b| b.iter(|| both_ways(&ops::unfold(&xs, &config)?)));
    group.bench_function("gate_forward", |b| b.iter(|| ops::gated_tanh(&wide.detach())));
    group.bench_function("gate", |b| b.iter(|| both_ways(&ops::gated_tanh(&wide)?)));
    group.bench_function("layer_norm", |b| b.iter(|| both_ways(&norm.forward(&wide)?)));
    let scores = random(&[BATCH, 2, FRAMES, FRAMES])?;
    group.bench_function("softmax", |b| b.iter(|| both_ways(&ops::softmax(&scores)?)));
    group.finish();
    Ok(())
}

fn matrices(criterion: &mut Criterion) -> Result<()> {
    let matrix = Var::from_tensor(
        &(random(&[256, 256])?.affine(0.02, 0.)? + Tensor::eye(256, candle_core::DType::F32, &Device::Cpu)?)?,
    )?;
    let mut group = criterion.benchmark_group("nn");
    group.bench_function("inverse_forward", |b| b.iter(|| square::inverse(&matrix.detach())));
    group.bench_function("inverse", |b| b.iter(|| both_ways(&square::inverse(&matrix)?)));
    group.bench_function("log_abs_det", |b| b.iter(|| both_ways(&square::log_abs_det(&matrix)?)));
    group.bench_function("newton_inverse", |b| b.iter(|| square::newton_inverse(&matrix.detach(), 1e-4)));
    group.finish();
    Ok(())
}

fn all(criterion: &mut Criterion) {
    if let Err(error) = layers(criterion).and_then(|()| matrices(criterion)) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
