//! The inputs of a product, brought into blocks of 8-bit integers.

use super::tile::{BLOCK, GROUP, GROUPS, InputBlock};
use crate::nn::ops::vectorized;

/// Adding and subtracting 1.5 × 2^23 rounds to the nearest integer, and leaves it in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Integers of −127 to 127 times a scale. A block with a value that is not finite gets a scale that is not, so that it
/// does not go unnoticed; its integers are arbitrary.
#[inline(always)]
fn quantise<Q: From<i8> + Copy>(xs: &[f32; BLOCK]) -> InputBlock<Q> {
    // As bits, magnitudes are ordered like numbers, and NaN above all of them.
    let largest = xs.iter().fold(0u32, |largest, x| largest.max(x.to_bits() & (u32::MAX >> 1)));
    let scale = f32::from_bits(largest) / 127.0;
    // Blocks that are nearly zero are zero: their inverse scale would not be finite.
    let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    let mut integers = [0i8; BLOCK];
    let mut sum = 0i32;
    for (integer, x) in integers.iter_mut().zip(xs) {
        *integer = (x * inverse + ROUND).to_bits() as i8;
        sum += i32::from(*integer);
    }
    let mut quants = [[Q::from(0); GROUP]; GROUPS];
    for (group, integers) in quants.iter_mut().zip(integers.chunks_exact(GROUP)) {
        for (quant, &integer) in group.iter_mut().zip(integers) {
            *quant = Q::from(integer);
        }
    }
    InputBlock { quants, scale, correction: -128 * sum }
}

#[inline(always)]
fn quantise_all<Q: From<i8> + Copy>(xs: &[f32]) -> Vec<InputBlock<Q>> {
    let (blocks, _) = xs.as_chunks::<BLOCK>();
    let mut quantised = Vec::with_capacity(blocks.len());
    for block in blocks {
        quantised.push(quantise(block));
    }
    quantised
}

vectorized! {
    /// For instructions that multiply bytes.
    pub(super) fn bytes(xs: &[f32]) -> Vec<InputBlock<i8>> {
        quantise_all(xs)
    }

    /// For those that multiply words.
    pub(super) fn words(xs: &[f32]) -> Vec<InputBlock<i16>> {
        quantise_all(xs)
    }
}
