//! Loudness: a gain, and a soft limit instead of clipping.

/// Below this, samples pass unchanged; above, they approach full scale without reaching it.
const KNEE: f32 = 0.85;

/// A gain without memory: a sample's result depends on nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gain {
    factor: f32,
}

impl Gain {
    /// From decibels; 0 changes nothing below the knee.
    pub fn from_db(gain_db: f32) -> Self {
        Self { factor: 10f32.powf(gain_db / 20.0) }
    }

    /// Applies it in place. The result is within ±1 for every finite sample.
    pub fn apply(&self, samples: &mut [f32]) {
        for sample in samples {
            let raised = *sample * self.factor;
            let excess = raised.abs() - KNEE;
            *sample = if excess <= 0.0 {
                raised
            } else {
                (KNEE + (1.0 - KNEE) * (excess / (1.0 - KNEE)).tanh()).copysign(raised)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(gain_db: f32, sample: f32) -> f32 {
        let mut samples = [sample];
        Gain::from_db(gain_db).apply(&mut samples);
        samples[0]
    }

    #[test]
    fn quiet_samples_are_scaled_exactly() {
        assert_eq!(at(0.0, 0.5), 0.5);
        assert!((at(20.0, -0.05) + 0.5).abs() < 1e-6);
        assert!((at(-6.0206, 0.8) - 0.4).abs() < 1e-5);
    }

    #[test]
    fn loud_samples_never_pass_full_scale_nor_change_order_or_sign() {
        let levels: Vec<f32> = (0..2000).map(|i| at(0.0, i as f32 / 500.0)).collect();
        assert!(levels.iter().all(|l| (0.0..=1.0).contains(l)));
        assert!(levels.windows(2).all(|w| w[0] <= w[1] && w[1] - w[0] <= 0.0021), "no step, no fold");
        assert_eq!(at(20.0, -0.9), -at(20.0, 0.9));
        assert_eq!((at(20.0, 1e30), at(20.0, f32::MAX)), (1.0, 1.0));
    }
}
