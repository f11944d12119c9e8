//! Random numbers addressed by seed and position.

use crate::random::mix;

/// A table of random numbers that is computed instead of stored: the same seed and position give the same number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CounterNoise {
    seed: u64,
}

impl CounterNoise {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed: mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)) }
    }

    /// 64 random bits.
    pub(crate) fn bits(self, position: u64) -> u64 {
        mix(self.seed.wrapping_add(position.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Uniform in (0, 1).
    pub(crate) fn unit(self, position: u64) -> f32 {
        ((self.bits(position) >> 41) as f32 + 0.5) / (1u64 << 23) as f32
    }

    /// Normal, mean 0, variance 1, by Box and Muller.
    pub(crate) fn normal(self, position: u64) -> f32 {
        let radius = (-2.0 * self.unit(2 * position).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit(2 * position + 1)).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let noise = CounterNoise::new(7);
        let draws: Vec<f64> = (0..20_000).map(|i| f64::from(noise.normal(i))).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }
}
