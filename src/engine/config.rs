//! How to speak.

use std::sync::Arc;

use crate::markup::Directions;
use crate::vocoder::Denoiser;

/// How to speak.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeakConfig {
    /// Chooses among the many ways in which a voice can say the same thing.
    pub seed: u64,
    /// Speaking rate; 2 is twice as fast. 0.5 to 2.
    pub rate: f32,
    /// Shift of the pitch, −12 to 12.
    pub pitch_semitones: f32,
    /// Change of the loudness, −60 to 20. What would exceed full scale is limited softly.
    pub volume_db: f32,
    /// 0 speaks the most likely prosody, 1 varies it as the training speech does. 0 to 2.
    pub expressiveness: f32,
    /// Who speaks, of a voice with several speakers.
    pub speaker: u32,
    /// Standard deviation of the vocoder's latent noise, in units of the voice's own, 0 to 1.5: lower is smoother and
    /// duller.
    pub noise_scale: f32,
    /// How much of the vocoder's own hum is taken out, 0 to 2; the voice's own setting unless given. Only published vocoders
    /// have one. Sound comes 35 ms later.
    pub denoise: Option<f32>,
    /// Frames of an utterance's first window: the shorter, the earlier it sounds.
    pub first_window_frames: usize,
    /// Windows double up to so many frames: the longer, the less each costs.
    pub longest_window_frames: usize,
    /// Pauses, prosody and marks at bytes of the text, from [`Script`](crate::markup::Script); none for plain text.
    pub directions: Arc<Directions>,
}

impl Default for SpeakConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            rate: 1.0,
            pitch_semitones: 0.0,
            volume_db: 0.0,
            expressiveness: 0.0,
            speaker: 0,
            noise_scale: 1.0,
            denoise: None,
            first_window_frames: 8,
            longest_window_frames: 64,
            directions: Arc::default(),
        }
    }
}

/// A way of speaking that is out of range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what}: expected {least} to {most}, got {got}")]
pub struct SpeakConfigError {
    /// The setting.
    pub what: &'static str,
    /// Its least value.
    pub least: f32,
    /// Its greatest value.
    pub most: f32,
    /// The value given.
    pub got: f32,
}

impl SpeakConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// Names the first that is out of range.
    pub fn validate(&self) -> Result<(), SpeakConfigError> {
        let settings = [
            ("rate", self.rate, 0.5, 2.0),
            ("pitch_semitones", self.pitch_semitones, -12.0, 12.0),
            ("volume_db", self.volume_db, -60.0, 20.0),
            ("expressiveness", self.expressiveness, 0.0, 2.0),
            ("noise_scale", self.noise_scale, 0.0, 1.5),
            ("denoise", self.denoise.unwrap_or(0.0), 0.0, Denoiser::MAX_STRENGTH),
            ("first_window_frames", self.first_window_frames as f32, 1.0, 1024.0),
            ("longest_window_frames", self.longest_window_frames as f32, 1.0, 1024.0),
        ];
        for (what, got, least, most) in settings {
            // Written so that NaN is out of range.
            if !(least..=most).contains(&got) {
                return Err(SpeakConfigError { what, least, most, got });
            }
        }
        Ok(())
    }
}
