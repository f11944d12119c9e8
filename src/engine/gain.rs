//! Loudness: a gain, and a soft limit instead of clipping; gains of single frames.

use std::collections::VecDeque;

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

/// Gains of frames, for samples that come later. Within a frame the gain goes from the last one's to its own.
#[derive(Debug)]
pub(super) struct Envelope {
    hop_samples: usize,
    /// Of the current frame and those that follow.
    gains: VecDeque<f32>,
    /// Of the frame before.
    last: f32,
    /// How much of the current frame is done.
    at_samples: usize,
}

impl Envelope {
    pub fn new(hop_samples: usize) -> Self {
        Self { hop_samples, gains: VecDeque::new(), last: 1.0, at_samples: 0 }
    }

    /// The gains of the next frames.
    pub fn push(&mut self, gains: &[f32]) {
        self.gains.extend(gains);
    }

    /// Applies them to the next samples.
    pub fn apply(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let gain = self.gains.front().copied().unwrap_or(self.last);
            self.at_samples += 1;
            // Exactly 1 between equal gains of 1.
            *sample *= self.last + (gain - self.last) * (self.at_samples as f32 / self.hop_samples as f32);
            if self.at_samples == self.hop_samples {
                self.at_samples = 0;
                self.last = gain;
                self.gains.pop_front();
            }
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
    fn an_envelope_goes_from_frame_to_frame_however_the_samples_come() {
        let gains = [1.0, 0.0, 0.0, 0.5];
        let run = |window: usize| {
            let mut envelope = Envelope::new(4);
            envelope.push(&gains);
            let mut samples = vec![1.0; 16];
            samples.chunks_mut(window).for_each(|window| envelope.apply(window));
            samples
        };
        let expected = [[1.0; 4], [0.75, 0.5, 0.25, 0.0], [0.0; 4], [0.125, 0.25, 0.375, 0.5]].concat();
        assert_eq!((run(16), run(3)), (expected.clone(), expected));
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
