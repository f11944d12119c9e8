//! Short-time Fourier transform and its inverse: periodic Hann window, frames centred by reflection at the ends.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::SignalError;

/// Below this sum of squared windows a sample was not covered by any frame and stays as it is.
const MIN_WINDOW_POWER: f32 = 1e-8;

/// Complex spectra of successive frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Row-major: `[frames, bins]`.
    pub values: Vec<Complex32>,
    /// Bins per frame: half the transform's size, plus one.
    pub bin_count: usize,
}

impl Spectrum {
    /// How many frames there are.
    pub fn frame_count(&self) -> usize {
        self.values.len() / self.bin_count
    }

    /// Absolute values, row-major `[frames, bins]`.
    pub fn magnitudes(&self) -> Vec<f32> {
        self.values.iter().map(|value| value.norm()).collect()
    }
}

/// A transform of fixed size and hop, planned once.
#[derive(Clone)]
pub struct Stft {
    hop_samples: usize,
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

impl std::fmt::Debug for Stft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stft")
            .field("fft_samples", &self.window.len())
            .field("hop_samples", &self.hop_samples)
            .finish()
    }
}

impl Stft {
    /// Plans transforms of `fft_samples` (even, 16 to 65,536; also the window) every `hop_samples`.
    ///
    /// # Errors
    /// [`SignalError::BadSetting`] outside those ranges, or for a hop of 0 or more than half the window.
    pub fn new(fft_samples: usize, hop_samples: usize) -> Result<Self, SignalError> {
        if !(16..=65_536).contains(&fft_samples) || !fft_samples.is_multiple_of(2) {
            let (setting, expected) = ("fft_samples", "an even number from 16 to 65536");
            return Err(SignalError::BadSetting { setting, expected, got: fft_samples as f64 });
        }
        if hop_samples == 0 || hop_samples > fft_samples / 2 {
            let (setting, expected) = ("hop_samples", "1 to half of fft_samples");
            return Err(SignalError::BadSetting { setting, expected, got: hop_samples as f64 });
        }
        let mut planner = RealFftPlanner::new();
        Ok(Self {
            hop_samples,
            window: hann(fft_samples),
            forward: planner.plan_fft_forward(fft_samples),
            inverse: planner.plan_fft_inverse(fft_samples),
        })
    }

    /// Bins per frame.
    pub fn bin_count(&self) -> usize {
        self.window.len() / 2 + 1
    }

    /// Frames that [`Stft::forward`] gives for so many samples.
    pub fn frame_count(&self, sample_count: usize) -> usize {
        sample_count / self.hop_samples + 1
    }

    /// Spectra of frames centred on samples 0, hop, 2·hop …; beyond the ends the signal is mirrored.
    ///
    /// # Errors
    /// [`SignalError::TooShort`] for no more than half a window of samples, which cannot be mirrored.
    pub fn forward(&self, samples: &[f32]) -> Result<Spectrum, SignalError> {
        let fft_samples = self.window.len();
        let half = fft_samples / 2;
        if samples.len() <= half {
            return Err(SignalError::TooShort { expected: half + 1, got: samples.len() });
        }
        let frame_count = self.frame_count(samples.len());
        let bin_count = self.bin_count();
        let mut values = vec![Complex32::default(); frame_count * bin_count];
        let mut frame = vec![0.0; fft_samples];
        let mut scratch = self.forward.make_scratch_vec();
        for (t, spectrum) in values.chunks_exact_mut(bin_count).enumerate() {
            let start = (t * self.hop_samples) as isize - half as isize;
            for (i, (out, weight)) in frame.iter_mut().zip(&self.window).enumerate() {
                *out = samples[mirrored(start + i as isize, samples.len())] * weight;
            }
            self.forward.process_with_scratch(&mut frame, spectrum, &mut scratch)?;
        }
        Ok(Spectrum { values, bin_count })
    }

    /// The signal whose frames these are (least squares): (frames − 1) · hop samples.
    ///
    /// # Errors
    /// [`SignalError::Mismatch`] if the spectrum was made with another transform size, or has no frame.
    pub fn inverse(&self, spectrum: &Spectrum) -> Result<Vec<f32>, SignalError> {
        let bin_count = self.bin_count();
        if spectrum.bin_count != bin_count {
            return Err(SignalError::Mismatch { what: "bins", expected: bin_count, got: spectrum.bin_count });
        }
        let frame_count = spectrum.frame_count();
        if frame_count == 0 {
            return Err(SignalError::Mismatch { what: "frames", expected: 1, got: 0 });
        }
        let fft_samples = self.window.len();
        let total = (frame_count - 1) * self.hop_samples + fft_samples;
        let (mut sum, mut power) = (vec![0.0; total], vec![0.0; total]);
        let mut bins = vec![Complex32::default(); bin_count];
        let mut frame = vec![0.0; fft_samples];
        let mut scratch = self.inverse.make_scratch_vec();
        // The transform pair multiplies by its size.
        let scale = 1.0 / fft_samples as f32;
        for (t, values) in spectrum.values.chunks_exact(bin_count).enumerate() {
            bins.copy_from_slice(values);
            // A real signal has no imaginary part there; processing may have left some, which the transform refuses.
            bins[0].im = 0.0;
            bins[bin_count - 1].im = 0.0;
            self.inverse.process_with_scratch(&mut bins, &mut frame, &mut scratch)?;
            let start = t * self.hop_samples;
            for (i, (sample, weight)) in frame.iter().zip(&self.window).enumerate() {
                sum[start + i] += sample * weight * scale;
                power[start + i] += weight * weight;
            }
        }
        let half = fft_samples / 2;
        let covered = half..total - half;
        let level = |(sum, power): (&f32, &f32)| if *power > MIN_WINDOW_POWER { sum / power } else { *sum };
        Ok(sum[covered.clone()].iter().zip(&power[covered]).map(level).collect())
    }
}

/// Periodic Hann window: the first sample is 0, the one after the last would be.
fn hann(count: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU / count as f64;
    (0..count).map(|i| (0.5 - 0.5 * (step * i as f64).cos()) as f32).collect()
}

/// The index that `i` is mirrored to, the end samples not repeated; needs |overhang| < `count`.
fn mirrored(i: isize, count: usize) -> usize {
    let last = count as isize - 1;
    let i = i.abs();
    (if i > last { 2 * last - i } else { i }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn inverse_gives_the_signal_back() {
        let stft = Stft::new(1024, 256).unwrap();
        for count in [513, 1024, 5000, 5120] {
            let samples = noise(count);
            let spectrum = stft.forward(&samples).unwrap();
            assert_eq!(spectrum.frame_count(), stft.frame_count(count));
            let back = stft.inverse(&spectrum).unwrap();
            assert_eq!(back.len(), count / 256 * 256);
            let worst = back.iter().zip(&samples).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap();
            assert!(worst < 1e-5, "{count} samples: {worst}");
        }
    }

    #[test]
    fn a_sine_stands_in_its_bin() {
        let stft = Stft::new(64, 16).unwrap();
        let samples: Vec<f32> =
            (0..640).map(|i| (std::f32::consts::TAU * 8.0 / 64.0 * i as f32).cos()).collect();
        let spectrum = stft.forward(&samples).unwrap();
        let middle = &spectrum.magnitudes()[20 * 33..21 * 33];
        // Half the window's sum in the bin, half of that in its neighbours.
        assert!((middle[8] - 16.0).abs() < 1e-3 && (middle[7] - 8.0).abs() < 1e-3, "{middle:?}");
        assert!(middle[12].abs() < 1e-3);
    }

    #[test]
    fn refusals() {
        assert!(matches!(Stft::new(15, 4), Err(SignalError::BadSetting { .. })));
        assert!(matches!(Stft::new(64, 33), Err(SignalError::BadSetting { .. })));
        let stft = Stft::new(64, 16).unwrap();
        assert!(matches!(stft.forward(&[0.0; 32]), Err(SignalError::TooShort { expected: 33, got: 32 })));
        let other = Spectrum { values: vec![Complex32::default(); 9], bin_count: 9 };
        assert!(matches!(stft.inverse(&other), Err(SignalError::Mismatch { expected: 33, got: 9, .. })));
        let empty = Spectrum { values: Vec::new(), bin_count: 33 };
        assert!(stft.inverse(&empty).is_err());
    }
}
