//! Noise addressed by position: any windowing of the same utterance draws the same values.
//!
//! A counter-based generator (Philox 2×64-10; Salmon et al., SC 2011, <https://doi.org/10.1145/2063384.2063405>)
//! keyed by seed and stage, counted by vector and channel.

use candle_core::{Device, Result, Tensor, bail};

/// Where the flows' latent values come from.
#[derive(Debug, Clone)]
pub enum Noise {
    /// Standard normal values times `scale`, by seed and position.
    Seeded {
        /// Which noise.
        seed: u64,
        /// Standard deviation.
        scale: f32,
    },
    /// Given latents, one `[1, vectors, channels]` per stage in the order of drawing, times `scale`.
    Given {
        /// The unscaled latents.
        latents: Vec<Tensor>,
        /// Standard deviation.
        scale: f64,
    },
}

impl Noise {
    /// The latents of `count` vectors from position `first`: `[1, count, channels]`.
    /// `stage` counts the draws: 0 at the start, then one for each time channels come back.
    ///
    /// # Errors
    /// Given latents do not cover the range.
    pub fn draw(
        &self,
        stage: usize,
        first: u64,
        (count, channels): (usize, usize),
        device: &Device,
    ) -> Result<Tensor> {
        match self {
            Noise::Seeded { seed, scale } => {
                let mut values = Vec::with_capacity(count * channels + 1);
                for vector in first..first + count as u64 {
                    for pair in 0..channels.div_ceil(2) {
                        let (a, b) = normal_pair(*seed, stage as u64, vector, pair as u64);
                        values.push(a * scale);
                        if 2 * pair + 1 < channels {
                            values.push(b * scale);
                        }
                    }
                }
                Tensor::from_vec(values, (1, count, channels), device)
            }
            Noise::Given { latents, scale } => match latents.get(stage) {
                Some(given) => given.narrow(1, first as usize, count)?.to_device(device)? * *scale,
                None => bail!("noise: {} stages were given, stage {stage} was drawn", latents.len()),
            },
        }
    }
}

/// Two independent standard normal values for a position (Box and Muller on 24-bit uniforms).
fn normal_pair(seed: u64, stage: u64, vector: u64, pair: u64) -> (f32, f32) {
    let [a, b] = philox(vector, stage << 32 | pair, seed);
    let unit = |bits: u64| ((bits >> 40) as f32 + 0.5) / (1u32 << 24) as f32;
    let radius = (-2.0 * unit(a).ln()).sqrt();
    let (sin, cos) = (std::f32::consts::TAU * unit(b)).sin_cos();
    (radius * cos, radius * sin)
}

/// Philox 2×64 with ten rounds.
fn philox(low: u64, high: u64, mut key: u64) -> [u64; 2] {
    let (mut x0, mut x1) = (low, high);
    for _ in 0..10 {
        let product = u128::from(x0) * 0xd2b7_4407_b1ce_6e93u128;
        (x0, x1) = ((product >> 64) as u64 ^ key ^ x1, product as u64);
        key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
    [x0, x1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_window_draws_the_same() {
        let noise = Noise::Seeded { seed: 7, scale: 0.8 };
        let whole = noise.draw(1, 100, (20, 5), &Device::Cpu).unwrap();
        for split in 1..20 {
            let head = noise.draw(1, 100, (split, 5), &Device::Cpu).unwrap();
            let rest = noise.draw(1, 100 + split as u64, (20 - split, 5), &Device::Cpu).unwrap();
            let joined = Tensor::cat(&[head, rest], 1).unwrap();
            assert_eq!(joined.to_vec3::<f32>().unwrap(), whole.to_vec3::<f32>().unwrap());
        }
    }

    #[test]
    fn it_is_standard_normal_and_uncorrelated() {
        let noise = Noise::Seeded { seed: 1, scale: 1.0 };
        let values = noise
            .draw(0, 0, (2000, 64), &Device::Cpu)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let moment = |p: i32| values.iter().map(|&x| f64::from(x).powi(p)).sum::<f64>() / n;
        let neighbour = values.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / n;
        let across = values.iter().zip(&values[64..]).map(|(a, b)| f64::from(a * b)).sum::<f64>() / n;
        // Five standard errors at 128,000 values.
        assert!(mean.abs() < 0.014, "mean {mean}");
        assert!((moment(2) - 1.0).abs() < 0.02, "variance {}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.14, "kurtosis {}", moment(4));
        assert!(neighbour.abs() < 0.014 && across.abs() < 0.014, "{neighbour} {across}");
    }

    #[test]
    fn seeds_and_stages_differ() {
        let draw = |seed, stage| {
            Noise::Seeded { seed, scale: 1.0 }
                .draw(stage, 0, (1, 4), &Device::Cpu)
                .unwrap()
                .to_vec3::<f32>()
                .unwrap()
        };
        assert_ne!(draw(1, 0), draw(2, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
    }
}
