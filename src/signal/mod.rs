//! Signals: spectra, mels, pitch, the voiced source, and recordings as samples.
//!
//! What every voice of 22,050 Hz shares: hop 256, window 1024, 80 Slaney mels from 0 to 8000 Hz, natural logarithm.
//! Frame `t` of every track (mel, F0, voicing, energy) stands for the instant of sample `t · hop`.

mod excitation;
mod f0;
mod mel;
mod resample;
mod stft;
mod wav;

pub use excitation::{Excitation, ExcitationConfig, SourceFrame, aligned_excitation};
pub use f0::{F0Config, F0Tracker, continuous_log_f0};
pub use mel::{MelConfig, MelFrames, MelSpectrogram};
pub use resample::resample;
pub use stft::{Spectrum, Stft};
pub use wav::{Recording, read_wav};

/// Why a signal could not be read or analysed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// A setting out of range: a bug, or a damaged configuration.
    #[error("signal: {setting}: expected {expected}, got {got}")]
    BadSetting {
        /// Which one.
        setting: &'static str,
        /// The range.
        expected: &'static str,
        /// What was given.
        got: f64,
    },
    /// Fewer samples than the analysis needs.
    #[error("signal: expected at least {expected} samples, got {got}")]
    TooShort {
        /// The least number of samples.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Two tracks that belong together differ in length.
    #[error("signal: {what}: expected {expected}, got {got}")]
    Mismatch {
        /// Which track.
        what: &'static str,
        /// The length that fits.
        expected: usize,
        /// The length given.
        got: usize,
    },
    /// A wave file that is not one, or is damaged or cut short.
    #[error("{path}: {source}")]
    Wav {
        /// Which file.
        path: String,
        /// What is wrong with it.
        source: hound::Error,
    },
    /// A wave file beyond the limits, or with samples that are no numbers.
    #[error("{path}: {what}: expected {expected}, got {got}")]
    WavContents {
        /// Which file.
        path: String,
        /// What is out of range.
        what: &'static str,
        /// The limit.
        expected: String,
        /// What the file has.
        got: String,
    },
    /// The resampler refused the rates.
    #[error("signal: resampling from {from_hz} Hz to {to_hz} Hz: {reason}")]
    Resample {
        /// Rate of the input.
        from_hz: u32,
        /// Rate asked for.
        to_hz: u32,
        /// The resampler's reason.
        reason: String,
    },
    /// The Fourier transform refused its buffers: a bug.
    #[error("signal: fourier transform: {0}")]
    Fourier(#[from] realfft::FftError),
}

impl SignalError {
    /// What the user can do about it, if anything is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Wav { .. } | Self::WavContents { .. } => {
                "recordings are WAV files: 8 to 32 bit PCM or 32 bit float, 8000 to 192000 Hz, up to an hour"
                    .to_owned()
            }
            Self::TooShort { .. } => "recordings need at least a tenth of a second of sound".to_owned(),
            _ => return None,
        })
    }
}
