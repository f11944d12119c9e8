//! Streaming layers give the same rows as the whole, wherever the stream is cut.

use candle_core::Tensor;
use fastglow::nn::{
    Conv1d, Conv1dConfig, ConvTranspose1d, ConvTranspose1dConfig, ConvTransposeState, Gru, Padding, Reading,
};

use super::{assert_close, noise, trainable};

const ROWS: usize = 11;

/// All ways to cut [`ROWS`] rows in two, row by row, and some uneven ones.
fn splits() -> Vec<Vec<usize>> {
    let mut splits: Vec<Vec<usize>> = (1..ROWS).map(|first| vec![first, ROWS - first]).collect();
    splits.push(vec![ROWS]);
    splits.push(vec![1; ROWS]);
    splits.push(vec![2, 1, 5, 3]);
    splits.push(vec![4, 4, 3]);
    splits
}

/// Runs `step` over the parts of `xs` and joins what it gives.
fn pieces(xs: &Tensor, parts: &[usize], mut step: impl FnMut(&Tensor) -> Tensor) -> Tensor {
    let mut start = 0;
    let rows: Vec<Tensor> = parts
        .iter()
        .map(|&count| {
            let part = step(&xs.narrow(1, start, count).unwrap());
            start += count;
            part
        })
        .collect();
    Tensor::cat(&rows, 1).unwrap()
}

#[test]
fn causal_convolutions() {
    let xs = noise(&[2, ROWS, 3], 1);
    for (kernel, dilation) in [(1, 1), (2, 1), (3, 1), (3, 2), (2, 7), (4, 4)] {
        let config = Conv1dConfig { dilation, ..Conv1dConfig::new(kernel, Padding::Causal) };
        let conv = Conv1d::new(3, 4, config, &trainable(&[])).unwrap();
        let whole = conv.forward(&xs).unwrap();
        for parts in splits() {
            let mut state = conv.zero_state(2, &xs).unwrap();
            let streamed = pieces(&xs, &parts, |xs| conv.step(xs, &mut state).unwrap());
            assert_close(&format!("{config:?} {parts:?}"), &streamed, &whole, 1e-6);
        }
    }
    for config in [
        Conv1dConfig::new(3, Padding::Same),
        Conv1dConfig { stride: 2, ..Conv1dConfig::new(3, Padding::Causal) },
    ] {
        let conv = Conv1d::new(3, 4, config, &trainable(&[])).unwrap();
        let mut state = conv.zero_state(2, &xs).unwrap();
        assert!(conv.step(&xs, &mut state).is_err(), "{config:?} has no steps");
    }
}

#[test]
fn transposed_convolutions() {
    let xs = noise(&[2, ROWS, 3], 1);
    for (kernel, stride) in [(4, 4), (5, 2), (7, 3), (16, 4), (3, 1)] {
        let config = ConvTranspose1dConfig { kernel, stride };
        let params = trainable(&[("bias", &noise(&[2], 3))]);
        let conv = ConvTranspose1d::new(3, 2, config, &params).unwrap();
        let whole = conv.forward(&xs).unwrap();
        assert_eq!(whole.dims(), [2, (ROWS - 1) * stride + kernel, 2]);
        let mut state = ConvTransposeState::default();
        assert!(conv.flush(&mut state).unwrap().is_none(), "nothing came in");
        // The state goes on from split to split: a flushed stream must start afresh.
        for parts in splits() {
            let mut streamed = pieces(&xs, &parts, |xs| {
                let rows = conv.step(xs, &mut state).unwrap();
                assert_eq!(rows.dim(1).unwrap(), xs.dim(1).unwrap() * stride);
                rows
            });
            if let Some(rest) = conv.flush(&mut state).unwrap() {
                streamed = Tensor::cat(&[streamed, rest], 1).unwrap();
            }
            assert_close(&format!("{config:?} {parts:?}"), &streamed, &whole, 1e-6);
        }
    }
}

#[test]
fn grus() {
    let xs = noise(&[2, ROWS, 3], 1);
    let gru = Gru::new(3, 4, Reading::Forward, &trainable(&[])).unwrap();
    let whole = gru.forward(&xs, None).unwrap();
    for parts in splits() {
        let mut state = gru.zero_state(2, &xs).unwrap();
        let streamed = pieces(&xs, &parts, |xs| gru.step(xs, &mut state).unwrap());
        assert_close(&format!("gru {parts:?}"), &streamed, &whole.states, 1e-6);
        assert_close("last", &state, &whole.last.get(0).unwrap(), 1e-6);
    }
    let both = Gru::new(3, 4, Reading::BothWays, &trainable(&[])).unwrap();
    assert!(both.step(&xs, &mut both.zero_state(2, &xs).unwrap()).is_err());
}
