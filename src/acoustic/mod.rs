//! Phones become mel frames with a pitch track: FastSpeech, in our own layout and in the published one.
//!
//! ```text
//!  phones ─▶ encoder ─▶ durations, variances ─▶ length regulator ─▶ decoder ─▶ post-net ─▶ Mel
//! ```
//!
//! [`FastSpeech`] is the one model; [`Config`] says what it is made of.

mod attention;
mod cbhg;
mod config;
mod decoder;
mod dropout;
mod error;
mod fastspeech;
mod noise;
mod post_net;
mod predictor;
mod published;
mod published_letters;
mod published_speech;
mod published_symbols;
mod regulator;
mod tokens;

pub use attention::{FftBlock, Padding, SelfAttention};
pub use config::{Config, FRAMES_PER_SECOND, Layout, Model, PostNetPart, PublishedStatistics, VARIANCES};
pub use dropout::Dropout;
pub use error::Error;
pub use fastspeech::{Encoded, FastSpeech, Frames, Statistics, Teacher, TeacherForced};
pub use post_net::{Gated, HighBand, PostNet, Wavenet, WavenetStream};
pub use predictor::{DurationChoice, round_keeping_sum};
pub use published::{PublishedControls, PublishedOutput};
pub use published_symbols::{COMMON_SYMBOLS, PUBLISHED_SYMBOLS, published_id};
pub use regulator::{Regulated, contour, token_variances};
pub use tokens::Tokens;

pub(crate) use noise::CounterNoise;

pub(crate) use tokens::positions;

use candle_core::Tensor;

/// Lowest log-mel: the front end clamps magnitudes at 1e-5.
pub(crate) const MEL_FLOOR: f32 = -11.512_925;
/// F0 of speech, in Hz; what lies outside is an accident, and the excitation would alias or stall on it.
const F0_RANGE_HZ: (f32, f32) = (30.0, 1200.0);

/// A phrase as frames: the output of this stage, the input of `vocoder`.
///
/// Frames follow each other every 256 samples at 22,050 Hz.
#[derive(Debug, Clone)]
pub struct Mel {
    /// Natural logarithms of mel magnitudes, `[frames, 80]`.
    pub frames: Tensor,
    /// Natural logarithm of F0 in Hz, one a frame, continuous through unvoiced frames.
    pub log_f0: Vec<f32>,
    /// How surely a frame is voiced, 0 to 1, one a frame.
    pub voicing: Vec<f32>,
    /// Frames of each phone, in order; their sum is the number of frames.
    pub durations_frames: Vec<u32>,
}

impl Mel {
    /// The number of frames.
    pub fn frame_count(&self) -> usize {
        self.log_f0.len()
    }
}

/// How a phrase is to be spoken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Controls {
    /// Speaking rate; 2 is twice as fast. 0.25 to 4.
    pub rate: f32,
    /// Shift of the pitch, −24 to 24.
    pub pitch_semitones: f32,
    /// Change of the loudness that the model aims at, −40 to 20.
    pub volume_db: f32,
    /// 0 speaks the most likely prosody, 1 varies it as much as the training speech did, at most 2.
    pub expressiveness: f32,
    /// How durations come from their distribution.
    pub durations: DurationChoice,
    /// What the variation depends on; the same seed gives the same speech.
    pub seed: u64,
    /// Who speaks, of a voice with several speakers.
    pub speaker: u32,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            rate: 1.0,
            pitch_semitones: 0.0,
            volume_db: 0.0,
            expressiveness: 0.0,
            durations: DurationChoice::Mean,
            seed: 0,
            speaker: 0,
        }
    }
}

/// How one phone differs from its phrase's [`Controls`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhoneControls {
    /// Factor of the rate. With the phrase's, it stays within 0.25 to 4.
    pub rate: f32,
    /// Shift of the pitch beside the phrase's. Together they stay within −24 to 24.
    pub pitch_semitones: f32,
}

impl Controls {
    /// These controls for each phone: rates and pitches.
    fn of_phones(&self, each: &[PhoneControls]) -> (Vec<f32>, Vec<f32>) {
        let rates = each.iter().map(|phone| (self.rate * phone.rate).clamp(0.25, 4.0));
        let pitches =
            each.iter().map(|phone| (self.pitch_semitones + phone.pitch_semitones).clamp(-24.0, 24.0));
        (rates.collect(), pitches.collect())
    }

    /// # Errors
    /// A control is outside its range.
    pub fn validate(&self) -> Result<(), Error> {
        let ranges = [
            ("rate", self.rate, 0.25, 4.0),
            ("pitch_semitones", self.pitch_semitones, -24.0, 24.0),
            ("volume_db", self.volume_db, -40.0, 20.0),
            ("expressiveness", self.expressiveness, 0.0, 2.0),
        ];
        for (what, got, least, most) in ranges {
            if !(least..=most).contains(&got) {
                return Err(Error::Control { what, least, most, got });
            }
        }
        Ok(())
    }
}
