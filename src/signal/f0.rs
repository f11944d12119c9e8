//! Pitch and voicing by autocorrelation: P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
//! harmonics-to-noise ratio of a sampled sound", 1993.
//!
//! The autocorrelation of each windowed frame, divided by that of the window, gives candidates; the cheapest path through
//! them, with costs for octave jumps and for changes of voicing, gives the track. The power spectrum is zero-padded before
//! its inverse transform, so that the autocorrelation comes at quarter samples and a parabola suffices for its peaks.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::SignalError;

/// Lags per sample.
const OVERSAMPLING: usize = 4;
/// The window holds so many periods of the lowest pitch.
const PERIODS_PER_WINDOW: f64 = 3.0;
/// The costs of a path are meant for frames this far apart.
const REFERENCE_STEP_S: f64 = 0.01;

/// How pitch is tracked. The costs are those of the paper, as its author's program has them by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct F0Config {
    /// Samples per second.
    pub sample_rate_hz: u32,
    /// Samples from frame to frame.
    pub hop_samples: usize,
    /// Lowest pitch, at least 30 Hz.
    pub min_hz: f64,
    /// Highest pitch, at most an eighth of the sample rate.
    pub max_hz: f64,
    /// Frames whose peak is below this share of the recording's peak tend to be unvoiced.
    pub silence_threshold: f64,
    /// Periodicity, 0 to 1, from which a frame tends to be voiced.
    pub voicing_threshold: f64,
    /// Advantage of high candidates over low ones, per octave.
    pub octave_cost: f64,
    /// Cost of a jump, per octave.
    pub octave_jump_cost: f64,
    /// Cost of a change between voiced and unvoiced.
    pub voicing_change_cost: f64,
    /// Candidates kept per frame besides "unvoiced".
    pub candidate_count: usize,
}

impl Default for F0Config {
    fn default() -> Self {
        Self {
            sample_rate_hz: 22_050,
            hop_samples: 256,
            min_hz: 70.0,
            max_hz: 450.0,
            silence_threshold: 0.03,
            voicing_threshold: 0.45,
            octave_cost: 0.01,
            octave_jump_cost: 0.35,
            voicing_change_cost: 0.14,
            candidate_count: 14,
        }
    }
}

/// One way to read a frame; no pitch means unvoiced.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    hz: Option<f64>,
    strength: f64,
}

/// The tracker, planned once.
#[derive(Clone)]
pub struct F0Tracker {
    config: F0Config,
    window: Vec<f32>,
    /// The window's own autocorrelation at each lag, 1 at lag 0.
    window_correlation: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

impl std::fmt::Debug for F0Tracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("F0Tracker").field("config", &self.config).finish()
    }
}

impl F0Tracker {
    /// Plans the analysis.
    ///
    /// # Errors
    /// [`SignalError::BadSetting`] for a pitch range outside 30 Hz to an eighth of the sample rate, or a hop of 0.
    pub fn new(config: F0Config) -> Result<Self, SignalError> {
        let bad = |setting, expected, got| Err(SignalError::BadSetting { setting, expected, got });
        let rate = f64::from(config.sample_rate_hz);
        if !(config.min_hz >= 30.0 && config.min_hz < config.max_hz && config.max_hz <= rate / 8.0) {
            return bad(
                "max_hz",
                "min_hz from 30, max_hz above it and up to an eighth of the sample rate",
                config.max_hz,
            );
        }
        if config.hop_samples == 0 {
            return bad("hop_samples", "at least 1", 0.0);
        }
        if !(1..=64).contains(&config.candidate_count) {
            return bad("candidate_count", "1 to 64", config.candidate_count as f64);
        }
        // Odd, so that the window has a middle sample.
        let window_samples = (PERIODS_PER_WINDOW * rate / config.min_hz) as usize | 1;
        let longest_lag = (rate / config.min_hz) as usize + 2;
        let fft_samples = (window_samples + longest_lag).next_power_of_two();
        let step = std::f64::consts::TAU / (window_samples + 1) as f64;
        let window = (1..=window_samples).map(|i| (0.5 - 0.5 * (step * i as f64).cos()) as f32).collect();
        let mut planner = RealFftPlanner::new();
        let mut tracker = Self {
            config,
            window,
            window_correlation: Vec::new(),
            forward: planner.plan_fft_forward(fft_samples),
            inverse: planner.plan_fft_inverse(OVERSAMPLING * fft_samples),
        };
        let mut work = tracker.workspace();
        work.frame[..window_samples].copy_from_slice(&tracker.window);
        tracker.correlate(&mut work)?;
        tracker.window_correlation = work.correlation[..OVERSAMPLING * (longest_lag + 1)].to_vec();
        Ok(tracker)
    }

    /// The pitch in Hz at samples 0, hop, 2·hop …, `None` where unvoiced: one frame more than whole hops in the signal.
    ///
    /// # Errors
    /// [`SignalError::Fourier`] only, which would be a bug. A signal of any length is tracked; silence is unvoiced.
    pub fn track(&self, samples: &[f32]) -> Result<Vec<Option<f32>>, SignalError> {
        let mean = samples.iter().sum::<f32>() / samples.len().max(1) as f32;
        let peak = samples.iter().map(|sample| (sample - mean).abs()).fold(0.0, f32::max);
        let frame_count = samples.len() / self.config.hop_samples + 1;
        let mut work = self.workspace();
        let mut frames = Vec::with_capacity(frame_count);
        for t in 0..frame_count {
            frames.push(self.candidates(samples, t * self.config.hop_samples, peak, &mut work)?);
        }
        Ok(self.best_path(&frames))
    }

    fn workspace(&self) -> Workspace {
        Workspace {
            frame: self.forward.make_input_vec(),
            spectrum: self.forward.make_output_vec(),
            power: self.inverse.make_input_vec(),
            correlation: self.inverse.make_output_vec(),
            scratch: vec![
                Complex32::default();
                self.forward.get_scratch_len().max(self.inverse.get_scratch_len())
            ],
        }
    }

    /// From `work.frame` to `work.correlation`, 1 at lag 0 unless the frame is silent.
    fn correlate(&self, work: &mut Workspace) -> Result<(), SignalError> {
        self.forward.process_with_scratch(&mut work.frame, &mut work.spectrum, &mut work.scratch)?;
        work.power.fill(Complex32::default());
        for (power, value) in work.power.iter_mut().zip(&work.spectrum) {
            *power = Complex32::new(value.norm_sqr(), 0.0);
        }
        self.inverse.process_with_scratch(&mut work.power, &mut work.correlation, &mut work.scratch)?;
        let energy = work.correlation[0];
        if energy > 0.0 {
            work.correlation.iter_mut().for_each(|value| *value /= energy);
        }
        Ok(())
    }

    fn candidates(
        &self,
        samples: &[f32],
        centre: usize,
        recording_peak: f32,
        work: &mut Workspace,
    ) -> Result<Vec<Candidate>, SignalError> {
        let config = &self.config;
        let rate = f64::from(config.sample_rate_hz);
        let window_samples = self.window.len();
        let half = window_samples / 2;
        // Beyond the recording there is silence.
        let at =
            |i: usize| (centre + i).checked_sub(half).and_then(|i| samples.get(i)).copied().unwrap_or(0.0);
        let mean = (0..window_samples).map(at).sum::<f32>() / window_samples as f32;
        work.frame.fill(0.0);
        for (i, weight) in self.window.iter().enumerate() {
            work.frame[i] = (at(i) - mean) * weight;
        }
        let reach = (rate / config.min_hz / 2.0) as usize;
        let near = half - reach..=half + reach;
        let local_peak = near.map(|i| (at(i) - mean).abs()).fold(0.0, f32::max);
        let intensity =
            if recording_peak > 0.0 { f64::from(local_peak / recording_peak).min(1.0) } else { 0.0 };
        let silence = intensity / (config.silence_threshold / (1.0 + config.voicing_threshold));
        let mut candidates =
            vec![Candidate { hz: None, strength: config.voicing_threshold + (2.0 - silence).max(0.0) }];
        if intensity == 0.0 {
            return Ok(candidates);
        }

        self.correlate(work)?;
        let lags_per_second = rate * OVERSAMPLING as f64;
        let shortest = (lags_per_second / config.max_hz).ceil() as usize;
        let longest = (lags_per_second / config.min_hz).floor() as usize;
        let value = |lag: usize| f64::from(work.correlation[lag] / self.window_correlation[lag]);
        for lag in shortest..=longest {
            let (before, here, after) = (value(lag - 1), value(lag), value(lag + 1));
            if here <= 0.5 * config.voicing_threshold || here <= before || here < after {
                continue;
            }
            let curvature = 2.0 * here - before - after;
            let shift = 0.5 * (after - before) / curvature;
            let hz = lags_per_second / (lag as f64 + shift);
            let height = here + 0.25 * (after - before) * shift;
            // Division by the window's correlation can exceed 1 for short lags.
            let height = if height > 1.0 { 1.0 / height } else { height };
            let strength = height - config.octave_cost * (config.min_hz / hz).log2();
            candidates.push(Candidate { hz: Some(hz), strength });
        }
        candidates[1..].sort_by(|a, b| b.strength.total_cmp(&a.strength));
        candidates.truncate(1 + config.candidate_count);
        Ok(candidates)
    }

    /// Viterbi's algorithm: the path of the largest sum of strengths less transition costs.
    fn best_path(&self, frames: &[Vec<Candidate>]) -> Vec<Option<f32>> {
        let config = &self.config;
        let step_s = config.hop_samples as f64 / f64::from(config.sample_rate_hz);
        let correction = REFERENCE_STEP_S / step_s;
        let cost = |from: Candidate, to: Candidate| match (from.hz, to.hz) {
            (None, None) => 0.0,
            (Some(a), Some(b)) => correction * config.octave_jump_cost * (a / b).log2().abs(),
            _ => correction * config.voicing_change_cost,
        };
        let mut back: Vec<Vec<usize>> = Vec::with_capacity(frames.len());
        let mut scores: Vec<f64> = Vec::new();
        for (t, frame) in frames.iter().enumerate() {
            let mut next = Vec::with_capacity(frame.len());
            let mut from = Vec::with_capacity(frame.len());
            for &to in frame {
                let mut best = (0, if t == 0 { 0.0 } else { f64::NEG_INFINITY });
                for (i, score) in scores.iter().enumerate() {
                    let score = score - cost(frames[t - 1][i], to);
                    if score > best.1 {
                        best = (i, score);
                    }
                }
                from.push(best.0);
                next.push(best.1 + to.strength);
            }
            back.push(from);
            scores = next;
        }
        let mut place = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0);
        let mut track = vec![None; frames.len()];
        for t in (0..frames.len()).rev() {
            track[t] = frames[t][place].hz.map(|hz| hz as f32);
            place = back[t][place];
        }
        track
    }
}

struct Workspace {
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    power: Vec<Complex32>,
    correlation: Vec<f32>,
    scratch: Vec<Complex32>,
}

/// A track without gaps, as the acoustic model learns it: ln F0, linear through unvoiced frames, constant beyond the
/// first and last voiced ones; `fallback_hz` if nothing is voiced.
pub fn continuous_log_f0(track: &[Option<f32>], fallback_hz: f32) -> Vec<f32> {
    let mut log_f0 = vec![fallback_hz.ln(); track.len()];
    let mut last: Option<(usize, f32)> = None;
    for (t, hz) in track.iter().enumerate() {
        let Some(value) = hz.map(f32::ln) else { continue };
        match last {
            None => log_f0[..t].fill(value),
            Some((start, from)) => {
                let step = (value - from) / (t - start) as f32;
                for (i, out) in log_f0[start..t].iter_mut().enumerate() {
                    *out = from + step * i as f32;
                }
            }
        }
        log_f0[t..].fill(value);
        last = Some((t, value));
    }
    log_f0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A glide of 12 harmonics from `from_hz` to `to_hz`, silent in its middle fifth.
    fn glide(from_hz: f64, to_hz: f64, seconds: f64) -> (Vec<f32>, impl Fn(usize) -> f64) {
        let rate = 22_050.0;
        let count = (seconds * rate) as usize;
        let hz = move |n: usize| from_hz + (to_hz - from_hz) * n as f64 / count as f64;
        let mut phase = 0.0;
        let mut samples = Vec::with_capacity(count);
        for n in 0..count {
            phase += std::f64::consts::TAU * hz(n) / rate;
            let voiced = !(0.4..0.6).contains(&(n as f64 / count as f64));
            let sum: f64 = (1..=12).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
            samples.push(if voiced { 0.2 * sum as f32 } else { 0.0 });
        }
        (samples, hz)
    }

    #[test]
    fn a_glide_is_followed_to_a_few_cents() {
        let tracker = F0Tracker::new(F0Config::default()).unwrap();
        for (from_hz, to_hz) in [(90.0, 180.0), (400.0, 150.0), (220.0, 221.0)] {
            let (samples, hz) = glide(from_hz, to_hz, 2.0);
            let track = tracker.track(&samples).unwrap();
            assert_eq!(track.len(), samples.len() / 256 + 1);
            let (mut voiced, mut worst) = (0, 0.0f64);
            for (t, &got) in track.iter().enumerate() {
                let place = (t * 256) as f64 / samples.len() as f64;
                if (0.43..0.57).contains(&place) {
                    assert_eq!(got, None, "frame {t} of silence");
                } else if (0.03..0.37).contains(&place) || (0.63..0.97).contains(&place) {
                    let got = f64::from(got.unwrap_or_else(|| panic!("frame {t} is voiced")));
                    worst = worst.max((1200.0 * (got / hz(t * 256)).log2()).abs());
                    voiced += 1;
                }
            }
            assert!(voiced > 100 && worst < 3.0, "{from_hz} Hz to {to_hz} Hz: {worst} cents");
        }
    }

    #[test]
    fn noise_and_silence_are_unvoiced() {
        let tracker = F0Tracker::new(F0Config::default()).unwrap();
        let mut state = 7u32;
        let noise: Vec<f32> = (0..22_050)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        let voiced = tracker.track(&noise).unwrap().iter().flatten().count();
        assert!(voiced <= 4, "{voiced} of 87 frames of noise are voiced");
        assert!(tracker.track(&[0.0; 5000]).unwrap().iter().all(Option::is_none));
        assert_eq!(tracker.track(&[]).unwrap(), [None]);
        assert_eq!(tracker.track(&[0.1]).unwrap().len(), 1);
    }

    #[test]
    fn gaps_are_bridged_in_the_logarithm() {
        let track = [None, Some(100.0), None, Some(400.0), None];
        let want = [100.0f32, 100.0, 200.0, 400.0, 400.0].map(f32::ln);
        for (got, want) in continuous_log_f0(&track, 150.0).iter().zip(want) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
        assert_eq!(continuous_log_f0(&[None, None], 150.0), [150f32.ln(); 2]);
        assert!(continuous_log_f0(&[], 150.0).is_empty());
    }

    #[test]
    fn bad_settings_are_refused() {
        for config in [
            F0Config { min_hz: 10.0, ..F0Config::default() },
            F0Config { max_hz: 60.0, ..F0Config::default() },
            F0Config { max_hz: f64::NAN, ..F0Config::default() },
            F0Config { hop_samples: 0, ..F0Config::default() },
            F0Config { candidate_count: 0, ..F0Config::default() },
        ] {
            assert!(matches!(F0Tracker::new(config), Err(SignalError::BadSetting { .. })), "{config:?}");
        }
    }
}
