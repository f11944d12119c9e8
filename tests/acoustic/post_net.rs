//! The native post-net's parts.

use candle_core::{Device, Tensor};
use fastglow::acoustic::{Gated, Wavenet, WavenetStream};
use fastglow::nn::Params;
use proptest::prelude::*;

use super::Draws;

fn random(shape: (usize, usize, usize), scale: f32, seed: u64) -> Tensor {
    let mut draws = Draws(seed);
    let values: Vec<f32> =
        (0..shape.0 * shape.1 * shape.2).map(|_| scale * (2.0 * draws.unit() - 1.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn wavenet_steps_equal_its_forward_for_every_split() {
    let params = Params::trainable(1, Default::default(), &Device::Cpu);
    let part = Wavenet::new(6, &params).unwrap();
    let frames = 7;
    let mut stream = WavenetStream::new(&part);
    for frames in [1, 2, frames] {
        let xs = random((2, frames, 6), 2.0, 9);
        let whole = part.forward(&xs, &[frames; 2]).unwrap();
        // Each bit of `splits` cuts after a frame.
        for splits in 0..1u32 << (frames - 1) {
            let mut pieces = Vec::new();
            let mut start = 0;
            for frame in 0..frames {
                if frame + 1 == frames || splits >> frame & 1 == 1 {
                    let piece = xs.narrow(1, start, frame + 1 - start).unwrap();
                    pieces.extend(stream.step(&piece).unwrap());
                    start = frame + 1;
                }
            }
            pieces.extend(stream.flush().unwrap());
            let joined = Tensor::cat(&pieces, 1).unwrap();
            assert!(largest_difference(&joined, &whole) < 1e-6, "{frames} frames, split {splits:b}");
        }
        // What a reset leaves behind would show in the next run.
        stream.step(&xs).unwrap();
        stream.reset();
        assert!(stream.flush().unwrap().is_none());
    }
}

#[test]
fn wavenet_reflects_its_first_frame() {
    let params = Params::trainable(1, Default::default(), &Device::Cpu);
    let part = Wavenet::new(4, &params).unwrap();
    let xs = random((1, 5, 4), 1.0, 2);
    // A frame put in front, equal to the second one, is what the reflection stands for.
    let reflected = Tensor::cat(&[&xs.narrow(1, 1, 1).unwrap(), &xs], 1).unwrap();
    let longer = part.forward(&reflected, &[6]).unwrap().narrow(1, 1, 5).unwrap();
    assert!(largest_difference(&part.forward(&xs, &[5]).unwrap(), &longer) < 1e-6);
}

proptest! {
    #[test]
    fn gates_keep_their_bound(
        seed in 0u64..1000,
        scale in prop_oneof![Just(0.0f32), 1e-3f32..1e6],
        bound in 0.01f32..10.0,
    ) {
        let params = Params::trainable(seed, Default::default(), &Device::Cpu);
        let part = Gated::new(8, (3, bound), &params).unwrap();
        let xs = random((2, 9, 8), scale, seed);
        let gates = part.gates(&xs, &[9, 5].into()).unwrap().to_vec3::<f32>().unwrap();
        for frame in gates.iter().flatten() {
            let norm: f64 = frame.iter().map(|x| f64::from(x.abs())).sum();
            prop_assert!(norm <= f64::from(bound), "{norm} above {bound}");
        }
        if scale > 1e4 && bound < 1.0 {
            // The bound is reached, not merely kept.
            let norm: f32 = gates[0][4].iter().map(|x| x.abs()).sum();
            prop_assert!(norm > 0.99 * bound, "{norm} of {bound}");
        }
    }
}
