//! The voiced source: a train of band-limited pulses that follows F0, and its alignment to a recording.
//!
//! e(n) = g(n) · √(2/K) · Σ cos(k φ(n)), k = 1 … K, with K = ⌊Nyquist / F0(n)⌋: unit power while voiced. The sum is taken in
//! closed form (Dirichlet's kernel). Between frames t and t + 1 (samples t·hop to (t + 1)·hop):
//!
//! * F0 goes linearly in Hz from one frame's value to the next one's;
//! * the gain g goes from one frame's voicing to the next one's by a raised cosine over the middle half;
//! * φ(n) = 2π Σ F0(m) / rate over m = 0 … n.
//!
//! So a frame's samples need the frame after it, and no more; the last frame is held. Training uses the same F0, gain and
//! φ, and adds to φ what the recording's own fundamental is ahead of it ([`aligned_excitation`]).

use realfft::num_complex::Complex32;

use super::SignalError;

/// F0 is held in this range, so that K stays between 1 and a few hundred whatever a model predicts.
const F0_RANGE_HZ: std::ops::RangeInclusive<f64> = 40.0..=1000.0;
/// Length of the low-pass that isolates the recording's fundamental.
const ALIGNMENT_WINDOW_S: f64 = 0.025;
/// The low-passed phase changes slowly: it is taken at every so many samples and interpolated.
const ALIGNMENT_STEP_SAMPLES: usize = 16;

/// Rate and hop of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExcitationConfig {
    /// Samples per second.
    pub sample_rate_hz: u32,
    /// Samples per frame.
    pub hop_samples: usize,
}

impl Default for ExcitationConfig {
    fn default() -> Self {
        Self { sample_rate_hz: 22_050, hop_samples: 256 }
    }
}

/// What the source does at the instant of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceFrame {
    /// ln F0, F0 in Hz; defined in unvoiced frames too.
    pub log_f0: f32,
    /// 0 unvoiced, 1 voiced; values between are gains.
    pub voicing: f32,
}

impl SourceFrame {
    /// F0 within the range; a value that is no number counts as the lowest.
    fn f0_hz(self) -> f64 {
        f64::from(self.log_f0).exp().max(*F0_RANGE_HZ.start()).min(*F0_RANGE_HZ.end())
    }
}

/// F0 and gain at each sample from one frame to the next.
fn between(config: ExcitationConfig, from: SourceFrame, to: SourceFrame) -> impl Iterator<Item = (f64, f64)> {
    let (from_hz, to_hz) = (from.f0_hz(), to.f0_hz());
    let gain = |frame: SourceFrame| f64::from(frame.voicing.clamp(0.0, 1.0));
    let (from_gain, to_gain) = (gain(from), gain(to));
    (0..config.hop_samples).map(move |i| {
        let place = i as f64 / config.hop_samples as f64;
        let fade = ((place - 0.25) * 2.0).clamp(0.0, 1.0);
        let fade = 0.5 - 0.5 * (std::f64::consts::PI * fade).cos();
        (from_hz + (to_hz - from_hz) * place, from_gain + (to_gain - from_gain) * fade)
    })
}

/// The pulse train at one instant; the phase is in cycles.
fn pulse(sample_rate_hz: u32, hz: f64, phase_cycles: f64) -> f64 {
    let harmonics = (f64::from(sample_rate_hz) / 2.0 / hz).floor().max(1.0);
    let half_angle = std::f64::consts::PI * (phase_cycles - phase_cycles.round());
    let sine = half_angle.sin();
    // Both sines vanish together at the pulse's peak.
    let sum = if sine.abs() < 1e-7 {
        harmonics
    } else {
        ((2.0 * harmonics + 1.0) * half_angle).sin() / (2.0 * sine) - 0.5
    };
    (2.0 / harmonics).sqrt() * sum
}

/// The source as a stream: any split of the frames into steps gives the samples of the whole, bit by bit.
#[derive(Debug, Clone)]
pub struct Excitation {
    config: ExcitationConfig,
    phase_cycles: f64,
    /// The frame whose samples wait for the next one.
    pending: Option<SourceFrame>,
}

impl Excitation {
    /// A source at phase 0.
    pub fn new(config: ExcitationConfig) -> Self {
        Self { config, phase_cycles: 0.0, pending: None }
    }

    /// All samples of a phrase, `frames.len() · hop`, from phase 0. Does not touch the stream's state.
    pub fn forward(&self, frames: &[SourceFrame]) -> Vec<f32> {
        let mut whole = Self::new(self.config);
        let mut samples = whole.step(frames);
        samples.extend(whole.flush());
        samples
    }

    /// Takes the next frames and gives the samples up to the last of them: a hop for each frame that has a successor.
    pub fn step(&mut self, frames: &[SourceFrame]) -> Vec<f32> {
        let mut samples = Vec::with_capacity(frames.len() * self.config.hop_samples);
        for &frame in frames {
            if let Some(from) = self.pending.replace(frame) {
                self.extend(&mut samples, from, frame);
            }
        }
        samples
    }

    /// All samples of the next frames, `frames.len() · hop`, given the frame that will follow them; without one the last
    /// is held. The phase goes on into what comes next.
    pub fn step_to(&mut self, frames: &[SourceFrame], following: Option<SourceFrame>) -> Vec<f32> {
        let mut samples = self.step(frames);
        if let Some(last) = self.pending.take() {
            self.extend(&mut samples, last, following.unwrap_or(last));
        }
        samples
    }

    /// The last frame's samples, held constant; then the source is as new. Empty if no frame came.
    pub fn flush(&mut self) -> Vec<f32> {
        let mut samples = Vec::with_capacity(self.config.hop_samples);
        if let Some(last) = self.pending {
            self.extend(&mut samples, last, last);
        }
        self.reset();
        samples
    }

    /// Forgets everything: phase 0, no frame pending.
    pub fn reset(&mut self) {
        *self = Self::new(self.config);
    }

    fn extend(&mut self, samples: &mut Vec<f32>, from: SourceFrame, to: SourceFrame) {
        let rate = self.config.sample_rate_hz;
        for (hz, gain) in between(self.config, from, to) {
            self.phase_cycles += hz / f64::from(rate);
            self.phase_cycles -= self.phase_cycles.floor();
            let sample = if gain > 0.0 { gain * pulse(rate, hz, self.phase_cycles) } else { 0.0 };
            samples.push(sample as f32);
        }
    }
}

/// The source with its phase aligned to a recording, for training: `frames.len() · hop` samples.
///
/// φ = φ0 + arg(lowpass(x · e^(−jφ0))), where φ0 is the phase of [`Excitation`] and the low-pass a Hann window of 25 ms.
///
/// # Errors
/// [`SignalError::Mismatch`] unless there are exactly `frames.len() · hop` samples.
pub fn aligned_excitation(
    config: ExcitationConfig,
    samples: &[f32],
    frames: &[SourceFrame],
) -> Result<Vec<f32>, SignalError> {
    let expected = frames.len() * config.hop_samples;
    if samples.len() != expected {
        return Err(SignalError::Mismatch { what: "samples of the frames", expected, got: samples.len() });
    }
    let rate = f64::from(config.sample_rate_hz);
    let successors = frames.iter().skip(1).chain(frames.last());
    let track: Vec<_> =
        frames.iter().zip(successors).flat_map(|(&from, &to)| between(config, from, to)).collect();
    let mut phase_cycles = 0.0f64;
    let phases: Vec<f64> = track
        .iter()
        .map(|(hz, _)| {
            phase_cycles += hz / rate;
            phase_cycles -= phase_cycles.floor();
            phase_cycles
        })
        .collect();
    let ahead = phase_ahead(rate, samples, &phases);
    let align = |(n, &(hz, gain)): (usize, &(f64, f64))| {
        if gain <= 0.0 {
            return 0.0;
        }
        let (knot, rest) = (n / ALIGNMENT_STEP_SAMPLES, n % ALIGNMENT_STEP_SAMPLES);
        let place = rest as f64 / ALIGNMENT_STEP_SAMPLES as f64;
        let offset = ahead[knot] + (ahead[knot + 1] - ahead[knot]) * place;
        (gain * pulse(config.sample_rate_hz, hz, phases[n] + offset)) as f32
    };
    Ok(track.iter().enumerate().map(align).collect())
}

/// How far the recording's fundamental is ahead of `phases`, in cycles, unwrapped, at every
/// [`ALIGNMENT_STEP_SAMPLES`]-th sample and once beyond the end.
fn phase_ahead(rate: f64, samples: &[f32], phases: &[f64]) -> Vec<f64> {
    let shifted: Vec<Complex32> = samples
        .iter()
        .zip(phases)
        .map(|(&sample, phase)| {
            let (sine, cosine) = (std::f64::consts::TAU * phase).sin_cos();
            Complex32::new(sample * cosine as f32, -sample * sine as f32)
        })
        .collect();
    let half = (rate * ALIGNMENT_WINDOW_S / 2.0) as usize;
    let step = std::f64::consts::PI / half.max(1) as f64;
    // Symmetric, zero at both ends.
    let window: Vec<f32> = (0..=2 * half).map(|i| (0.5 - 0.5 * (step * i as f64).cos()) as f32).collect();
    let mut ahead: Vec<f64> = Vec::with_capacity(samples.len() / ALIGNMENT_STEP_SAMPLES + 2);
    for centre in (0..samples.len() + ALIGNMENT_STEP_SAMPLES).step_by(ALIGNMENT_STEP_SAMPLES) {
        let start = centre.saturating_sub(half).min(samples.len());
        let end = (centre + half + 1).min(samples.len());
        let weights = &window[(start + half).saturating_sub(centre).min(window.len())..];
        let sum: Complex32 =
            shifted[start..end].iter().zip(weights).map(|(value, weight)| value * weight).sum();
        let cycles = f64::from(sum.arg()) / std::f64::consts::TAU;
        let last = ahead.last().copied().unwrap_or(cycles);
        ahead.push(cycles + (last - cycles).round());
    }
    ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(count: usize) -> Vec<SourceFrame> {
        let at = |t: usize| SourceFrame {
            log_f0: (150.0 + 60.0 * (t as f32 * 0.2).sin()).ln(),
            voicing: if t % 11 < 7 { 1.0 } else { 0.0 },
        };
        (0..count).map(at).collect()
    }

    #[test]
    fn every_split_gives_the_whole() {
        let frames = frames(40);
        let mut source = Excitation::new(ExcitationConfig::default());
        let whole = source.forward(&frames);
        assert_eq!(whole.len(), 40 * 256);
        for step in [1, 2, 3, 7, 39, 40] {
            // Twice, so that flush is seen to leave a new source behind.
            for _ in 0..2 {
                let mut parts = Vec::new();
                for part in frames.chunks(step) {
                    parts.extend(source.step(part));
                }
                assert_eq!(parts.len(), 39 * 256, "all but the last frame come without a flush");
                parts.extend(source.flush());
                assert_eq!(parts, whole, "step {step}");
            }
        }
        source.step(&frames[..5]);
        source.reset();
        assert!(source.flush().is_empty());
    }

    #[test]
    fn phrases_that_know_their_successor_join_into_the_whole() {
        let frames = frames(30);
        let config = ExcitationConfig { sample_rate_hz: 22_050, hop_samples: 64 };
        let whole = Excitation::new(config).forward(&frames);
        let mut stream = Excitation::new(config);
        let mut joined = stream.step_to(&frames[..11], Some(frames[11]));
        joined.extend(stream.step_to(&frames[11..12], Some(frames[12])));
        joined.extend(stream.step_to(&[], None));
        joined.extend(stream.step_to(&frames[12..], None));
        assert_eq!(joined, whole);
    }

    #[test]
    fn the_closed_form_is_the_sum_of_cosines() {
        for hz in [70.0, 123.4, 450.0] {
            let harmonics = (11_025.0f64 / hz).floor() as usize;
            for phase in [0.0, 1e-9, 0.001, 0.25, 0.5, 0.77, 1.0 - 1e-6, 12.3] {
                let angle = std::f64::consts::TAU * phase;
                let sum: f64 = (1..=harmonics).map(|k| (k as f64 * angle).cos()).sum();
                let want = (2.0 / harmonics as f64).sqrt() * sum;
                let got = pulse(22_050, hz, phase);
                assert!(
                    (got - want).abs() < 1e-6 * want.abs().max(1.0),
                    "{hz} Hz, phase {phase}: {got} {want}"
                );
            }
        }
    }

    #[test]
    fn voiced_power_is_one_and_unvoiced_is_silent() {
        let source = Excitation::new(ExcitationConfig::default());
        let frame = SourceFrame { log_f0: 210f32.ln(), voicing: 1.0 };
        let samples = source.forward(&[frame; 60]);
        let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
        assert!((power - 1.0).abs() < 0.02, "{power}");

        let silent = SourceFrame { voicing: 0.0, ..frame };
        let samples = source.forward(&[silent, silent, frame, silent]);
        let edge = 256 + 64;
        assert!(samples[..=edge].iter().all(|&s| s == 0.0));
        assert!(samples[edge..768].iter().any(|&s| s != 0.0));
        assert!(samples[512 + 192..].iter().all(|&s| s == 0.0));
    }

    #[test]
    fn wild_predictions_stay_finite() {
        let wild = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 100.0, -100.0];
        let frames: Vec<_> = wild.iter().map(|&log_f0| SourceFrame { log_f0, voicing: 2.0 }).collect();
        let samples = Excitation::new(ExcitationConfig::default()).forward(&frames);
        assert!(samples.iter().all(|s| s.is_finite()));
    }

    #[test]
    fn alignment_finds_the_recordings_phase() {
        let config = ExcitationConfig::default();
        let frames: Vec<_> = frames(60).iter().map(|frame| SourceFrame { voicing: 1.0, ..*frame }).collect();
        let mut phase = 0.0;
        let successors = frames.iter().skip(1).chain(frames.last());
        let track = frames.iter().zip(successors).flat_map(|(&a, &b)| between(config, a, b));
        // A recording whose phase is 0.3 cycles ahead and drifts by a tenth of a cycle, with harmonics.
        let (recording, want): (Vec<f32>, Vec<f32>) = track
            .enumerate()
            .map(|(n, (hz, _))| {
                phase += hz / 22_050.0;
                let true_phase = phase + 0.3 + 0.1 * (n as f64 / 4000.0).sin();
                let angle = std::f64::consts::TAU * true_phase;
                let sound = angle.cos() + 0.5 * (2.0 * angle).cos() + 0.3 * (5.0 * angle).cos();
                (0.2 * sound as f32, pulse(22_050, hz, true_phase) as f32)
            })
            .unzip();
        let got = aligned_excitation(config, &recording, &frames).unwrap();
        let inner = 512..got.len() - 512;
        let power: f32 = want[inner.clone()].iter().map(|w| w * w).sum();
        let error: f32 = got[inner.clone()].iter().zip(&want[inner]).map(|(g, w)| (g - w).powi(2)).sum();
        // A pulse of 50 harmonics amplifies a phase error fifty times.
        assert!(error / power < 0.02, "{}", error / power);
        assert!(matches!(
            aligned_excitation(config, &recording[1..], &frames),
            Err(SignalError::Mismatch { expected: 15_360, got: 15_359, .. })
        ));
        assert!(aligned_excitation(config, &[], &[]).unwrap().is_empty());
    }
}
