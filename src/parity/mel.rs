//! The analysis: magnitudes, log-mels, energies, the filter bank, and the way back.

use candle_core::{Device, Tensor};

use super::Measure;
use super::arrays::{Arrays, USUAL};
use crate::Result;
use crate::signal::{MelConfig, MelSpectrogram, Stft};
use crate::voice::MelSettings;

/// Log-mels below this are near the floor, where rounding shows.
const QUIET: f32 = -9.0;

pub fn is_set(arrays: &Arrays) -> bool {
    ["magnitude", "mel_basis", "istft_roundtrip"].iter().any(|name| arrays.contains(name))
}

pub fn compare(settings: &MelSettings, sample_rate_hz: u32, arrays: &mut Arrays) -> Result<()> {
    let analysis = |error| candle_core::Error::wrap(error);
    let config = MelConfig {
        sample_rate_hz,
        fft_samples: settings.window_samples,
        hop_samples: settings.hop_samples,
        band_count: settings.bands,
        low_hz: settings.low_hz.into(),
        high_hz: settings.high_hz.into(),
        magnitude_floor: settings.floor,
    };
    let mel = MelSpectrogram::new(config).map_err(analysis)?;
    arrays.compare_values("mel_basis", &mel.filter_matrix(), (Measure::Absolute, 1e-6))?;
    let Some(audio) = arrays.values("audio")? else { return Ok(()) };
    let stft = Stft::new(config.fft_samples, config.hop_samples).map_err(analysis)?;
    let spectrum = stft.forward(&audio).map_err(analysis)?;
    let frames = mel.forward(&audio).map_err(analysis)?;
    let count = frames.frame_count();

    // The arrays are `[bands, frames]`.
    let turned = |values: Vec<f32>, width: usize| {
        Tensor::from_vec(values, (count, width), &Device::Cpu)?.t()?.contiguous()
    };
    arrays.compare("magnitude", &turned(spectrum.magnitudes(), stft.bin_count())?, USUAL)?;
    let log_mel = turned(frames.log_mel, frames.band_count)?.flatten_all()?.to_vec1::<f32>()?;
    arrays.compare_each("mel", &log_mel, |want| if want > QUIET { 1e-3 } else { 5e-3 })?;
    arrays.compare_values("energy", &frames.energy, USUAL)?;
    let back = stft.inverse(&spectrum).map_err(analysis)?;
    Ok(arrays.compare_values("istft_roundtrip", &back, USUAL)?)
}
