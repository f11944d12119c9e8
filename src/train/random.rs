//! Random choices of a training step, from seed and step alone.

use crate::random::SplitMix;

/// A stream of choices for one step.
pub struct StepRandom(SplitMix);

impl StepRandom {
    /// The choices of `step` under `seed`.
    pub fn new(seed: u64, step: u64) -> Self {
        // Neighbouring steps differ in few bits; two rounds spread them.
        let once = SplitMix::new(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ step).bits();
        Self(SplitMix::new(SplitMix::new(once ^ seed).bits()))
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Uniform in `0 .. bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 24) as f32
    }
}
