//! The layers as training uses them, on one thread: forward, then gradients of every trainable tensor. And the products
//! that speaking consists of: 8-bit blocks against candle's and against floats.
//!
//! `RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 cargo bench --bench nn`, then `python benches/nn_torch.py` for the same
//! work in PyTorch; `… --bench nn -- products` for the products alone.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use candle_core::quantized::{GgmlDType, QMatMul};
use candle_core::{Device, Module, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use fastglow::nn::{Conv1d, Conv1dConfig, LayerNorm, Linear, Matrix8, Padding, Params, Stored, ops, square};

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

/// Rows, outputs and inputs of the bundled voice's products: the vocoder's in windows of 64 and of 8 frames (the first
/// samples), the acoustic model's for a phrase of 40 phones and 200 frames, and a single row.
const PRODUCTS: [(usize, usize, usize); 12] = [
    (64, 768, 704),
    (64, 256, 384),
    (64, 256, 128),
    (64, 128, 128),
    (8, 768, 704),
    (8, 256, 384),
    (8, 256, 128),
    (8, 128, 128),
    (40, 384, 960),
    (200, 576, 192),
    (200, 192, 576),
    (1, 768, 704),
];
/// Each is timed so often, in turns, so that all meet the same disturbances.
const ROUNDS: usize = 31;

/// Prints what each way of multiplying achieves (medians), and how much faster ours is.
fn products() -> Result<()> {
    println!(
        "{:>18} {:>8} {:>8} {:>8}   billions of multiplications a second",
        "", "8 bits", "candle", "f32"
    );
    for (rows, outputs, inputs) in PRODUCTS {
        let xs = random(&[rows, inputs])?.as_detached_tensor();
        let values = xs.flatten_all()?.to_vec1::<f32>()?;
        let weight = random(&[outputs, inputs])?.as_detached_tensor();
        let stored = Stored::pack(&weight, GgmlDType::Q8_0)?;
        let matrix = Matrix8::from_q8_0(&stored.data()?, outputs, inputs)?;
        let candle = QMatMul::from_arc(Arc::new(stored.to_candle(&Device::Cpu)?))?;
        let transposed = weight.t()?;
        let work = rows * outputs * inputs;
        let repeats = (2_000_000 / work).max(1);
        let mut seconds = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            let clock = Instant::now();
            for _ in 0..repeats {
                black_box(matrix.product(black_box(&values))?);
            }
            seconds[0].push(clock.elapsed().as_secs_f64());
            let clock = Instant::now();
            for _ in 0..repeats {
                black_box(candle.forward(black_box(&xs))?);
            }
            seconds[1].push(clock.elapsed().as_secs_f64());
            let clock = Instant::now();
            for _ in 0..repeats {
                black_box(black_box(&xs).matmul(&transposed)?);
            }
            seconds[2].push(clock.elapsed().as_secs_f64());
        }
        let [ours, candle, float] = seconds.map(|mut seconds| {
            seconds.sort_by(f64::total_cmp);
            (work * repeats) as f64 / seconds[ROUNDS / 2] / 1e9
        });
        let shape = format!("{rows} × {outputs} × {inputs}");
        let (to_candle, to_float) = (ours / candle, ours / float);
        println!(
            "{shape:>18} {ours:>8.1} {candle:>8.1} {float:>8.1}   {to_candle:.1} × candle, {to_float:.1} × f32"
        );
    }
    Ok(())
}

fn all(criterion: &mut Criterion) {
    let only_products = std::env::args().any(|argument| argument == "products");
    let run = products().and_then(|()| match only_products {
        true => Ok(()),
        false => layers(criterion).and_then(|()| matrices(criterion)),
    });
    if let Err(error) = run {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
