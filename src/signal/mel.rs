//! Log-mel spectrograms: Slaney's mel scale (Auditory Toolbox, 1998), filters of equal area, natural logarithm.

use super::{SignalError, Stft};

/// Slaney's scale: linear below 1000 Hz, 27 logarithmic steps per factor of 6.4 above.
const LINEAR_HZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HZ / LINEAR_HZ_PER_MEL;
const LOG_STEPS: f64 = 27.0;
const LOG_SPAN: f64 = 6.4;

/// What a mel frame is. The default is that of the native voices and of the published models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MelConfig {
    /// Samples per second.
    pub sample_rate_hz: u32,
    /// Window and transform size.
    pub fft_samples: usize,
    /// Samples from frame to frame.
    pub hop_samples: usize,
    /// Mel bands.
    pub band_count: usize,
    /// Lower edge of the first band.
    pub low_hz: f64,
    /// Upper edge of the last band, at most half the sample rate.
    pub high_hz: f64,
    /// Magnitudes below this are raised to it before the logarithm.
    pub magnitude_floor: f32,
}

impl Default for MelConfig {
    fn default() -> Self {
        Self {
            sample_rate_hz: 22_050,
            fft_samples: 1024,
            hop_samples: 256,
            band_count: 80,
            low_hz: 0.0,
            high_hz: 8000.0,
            magnitude_floor: 1e-5,
        }
    }
}

/// Mels and energies of successive frames.
#[derive(Debug, Clone, PartialEq)]
pub struct MelFrames {
    /// Natural logarithm of the mel magnitudes, row-major `[frames, bands]`.
    pub log_mel: Vec<f32>,
    /// Euclidean norm of each frame's magnitude spectrum, `[frames]`.
    pub energy: Vec<f32>,
    /// Bands per frame.
    pub band_count: usize,
}

impl MelFrames {
    /// How many frames there are.
    pub fn frame_count(&self) -> usize {
        self.energy.len()
    }

    /// Drops all frames after the first `frame_count`.
    pub fn truncate(&mut self, frame_count: usize) {
        self.energy.truncate(frame_count);
        self.log_mel.truncate(frame_count * self.band_count);
    }
}

/// One triangle of the filter bank: its weights from `first_bin` on.
#[derive(Debug, Clone)]
struct Band {
    first_bin: usize,
    weights: Vec<f32>,
}

/// The mel analysis, planned once.
#[derive(Debug, Clone)]
pub struct MelSpectrogram {
    config: MelConfig,
    stft: Stft,
    bands: Vec<Band>,
}

impl MelSpectrogram {
    /// Plans the transform and the filter bank.
    ///
    /// # Errors
    /// [`SignalError::BadSetting`] for settings outside the ranges named in [`MelConfig`] and [`Stft::new`].
    pub fn new(config: MelConfig) -> Result<Self, SignalError> {
        let bad = |setting, expected, got| Err(SignalError::BadSetting { setting, expected, got });
        if !(1..=512).contains(&config.band_count) {
            return bad("band_count", "1 to 512", config.band_count as f64);
        }
        let nyquist_hz = f64::from(config.sample_rate_hz) / 2.0;
        if !(config.low_hz >= 0.0 && config.low_hz < config.high_hz && config.high_hz <= nyquist_hz) {
            return bad("high_hz", "above low_hz, at most half the sample rate", config.high_hz);
        }
        if !(config.magnitude_floor > 0.0 && config.magnitude_floor < 1.0) {
            return bad("magnitude_floor", "above 0, below 1", f64::from(config.magnitude_floor));
        }
        let stft = Stft::new(config.fft_samples, config.hop_samples)?;
        let bands = filter_bank(&config, stft.bin_count());
        Ok(Self { config, stft, bands })
    }

    /// The settings that it was made with.
    pub fn config(&self) -> &MelConfig {
        &self.config
    }

    /// Mel frames centred on samples 0, hop, 2·hop …: one more than whole hops in the signal.
    ///
    /// # Errors
    /// [`SignalError::TooShort`] for no more than half a window of samples.
    pub fn forward(&self, samples: &[f32]) -> Result<MelFrames, SignalError> {
        let magnitudes = self.stft.forward(samples)?.magnitudes();
        let frames = magnitudes.chunks_exact(self.stft.bin_count());
        let mut log_mel = Vec::with_capacity(frames.len() * self.bands.len());
        let mut energy = Vec::with_capacity(frames.len());
        for frame in frames {
            energy.push(frame.iter().map(|m| m * m).sum::<f32>().sqrt());
            log_mel.extend(self.bands.iter().map(|band| {
                let bins = &frame[band.first_bin..];
                let sum: f32 =
                    bins.iter().zip(&band.weights).map(|(magnitude, weight)| magnitude * weight).sum();
                sum.max(self.config.magnitude_floor).ln()
            }));
        }
        Ok(MelFrames { log_mel, energy, band_count: self.bands.len() })
    }

    /// The filter bank as a dense matrix, row-major `[bands, bins]`.
    pub fn filter_matrix(&self) -> Vec<f32> {
        let bin_count = self.stft.bin_count();
        let mut matrix = vec![0.0; self.bands.len() * bin_count];
        for (row, band) in matrix.chunks_exact_mut(bin_count).zip(&self.bands) {
            row[band.first_bin..band.first_bin + band.weights.len()].copy_from_slice(&band.weights);
        }
        matrix
    }
}

fn filter_bank(config: &MelConfig, bin_count: usize) -> Vec<Band> {
    let (low_mel, high_mel) = (mel_from_hz(config.low_hz), mel_from_hz(config.high_hz));
    let step_mel = (high_mel - low_mel) / (config.band_count + 1) as f64;
    let edge_hz = |i: usize| hz_from_mel(low_mel + step_mel * i as f64);
    let bin_hz = f64::from(config.sample_rate_hz) / config.fft_samples as f64;
    let band = |i: usize| {
        let (low, centre, high) = (edge_hz(i), edge_hz(i + 1), edge_hz(i + 2));
        let weight = |bin: usize| {
            let hz = bin as f64 * bin_hz;
            let triangle = ((hz - low) / (centre - low)).min((high - hz) / (high - centre));
            (triangle.max(0.0) * 2.0 / (high - low)) as f32
        };
        let first_bin = ((low / bin_hz).ceil() as usize).min(bin_count - 1);
        let end_bin = ((high / bin_hz).floor() as usize + 1).clamp(first_bin, bin_count);
        Band { first_bin, weights: (first_bin..end_bin).map(weight).collect() }
    };
    (0..config.band_count).map(band).collect()
}

fn mel_from_hz(hz: f64) -> f64 {
    if hz < BREAK_HZ {
        hz / LINEAR_HZ_PER_MEL
    } else {
        BREAK_MEL + (hz / BREAK_HZ).ln() * LOG_STEPS / LOG_SPAN.ln()
    }
}

fn hz_from_mel(mel: f64) -> f64 {
    if mel < BREAK_MEL {
        mel * LINEAR_HZ_PER_MEL
    } else {
        BREAK_HZ * ((mel - BREAK_MEL) * LOG_SPAN.ln() / LOG_STEPS).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_inverts_and_meets_at_the_break() {
        for hz in [0.0, 10.0, 999.0, 1000.0, 1001.0, 8000.0] {
            assert!((hz_from_mel(mel_from_hz(hz)) - hz).abs() < 1e-9, "{hz}");
        }
        assert!((mel_from_hz(1000.0) - 15.0).abs() < 1e-12);
        assert!((mel_from_hz(6400.0) - 42.0).abs() < 1e-12);
    }

    #[test]
    fn silence_sits_at_the_floor() {
        let mel = MelSpectrogram::new(MelConfig::default()).unwrap();
        let frames = mel.forward(&vec![0.0; 2560]).unwrap();
        assert_eq!(frames.frame_count(), 11);
        assert!(frames.log_mel.iter().all(|&v| v == 1e-5f32.ln()));
        assert!(frames.energy.iter().all(|&v| v == 0.0));
    }

    #[test]
    fn bad_settings_are_refused() {
        for config in [
            MelConfig { high_hz: 12_000.0, ..MelConfig::default() },
            MelConfig { low_hz: f64::NAN, ..MelConfig::default() },
            MelConfig { band_count: 0, ..MelConfig::default() },
            MelConfig { magnitude_floor: 0.0, ..MelConfig::default() },
            MelConfig { hop_samples: 0, ..MelConfig::default() },
        ] {
            assert!(matches!(MelSpectrogram::new(config), Err(SignalError::BadSetting { .. })), "{config:?}");
        }
    }
}
