//! Dropout of one forward pass.

use std::cell::Cell;

use super::CounterNoise;
use crate::nn::ops::DropMask;

/// Hands out the masks of one forward pass: the same seed gives the same masks, call by call.
#[derive(Debug)]
pub struct Dropout {
    rate: f32,
    seed: u64,
    calls: Cell<u64>,
}

impl Dropout {
    /// Drops nothing: synthesis and validation.
    pub fn off() -> Self {
        Self::new(0.0, 0)
    }

    /// Drops a share of the values.
    pub fn new(rate: f32, seed: u64) -> Self {
        Self { rate, seed, calls: Cell::new(0) }
    }

    /// The mask of the next layer; none when nothing is dropped.
    pub fn mask(&self) -> Option<DropMask> {
        if self.rate <= 0.0 {
            return None;
        }
        let call = self.calls.replace(self.calls.get() + 1);
        Some(DropMask { rate: self.rate, seed: CounterNoise::new(self.seed).bits(call) })
    }
}
