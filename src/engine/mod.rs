//! From text to samples: the only part that knows all stages.
//!
//! [`Synthesizer`] owns a voice's models; [`Utterance`] speaks with them, one piece of text after another, and hands out
//! samples window by window through a callback, on the caller's thread. A phrase's mel is made at once; its sound is
//! made in windows, a short one first, so that the first samples come early. The same text, seed and voice give the same
//! samples, bit by bit.

mod gain;
mod stats;
mod utterance;

use std::sync::Arc;

use crate::acoustic::{self, FastSpeech};
use crate::phoneme::Pronouncer;
use crate::vocoder::{self, Inversion, WaveGlow};
use crate::voice::{Fault, Meta, Part, Source, Voice, VoiceError};
use crate::{Error, Result};

pub use gain::Gain;
pub use stats::{Stats, peak_rss_kb};
pub use utterance::{Event, PhraseTrace, Spoken, Utterance};

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
    /// Standard deviation of the vocoder's latent noise, 0 to 1.5: lower is smoother and duller.
    pub noise_scale: f32,
    /// Frames of an utterance's first window: the shorter, the earlier it sounds.
    pub first_window_frames: usize,
    /// Windows double up to so many frames: the longer, the less each costs.
    pub longest_window_frames: usize,
}

impl Default for SpeakConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            rate: 1.0,
            pitch_semitones: 0.0,
            volume_db: 0.0,
            expressiveness: 0.0,
            noise_scale: 0.667,
            first_window_frames: 8,
            longest_window_frames: 64,
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
    pub fn validate(&self) -> std::result::Result<(), SpeakConfigError> {
        let settings = [
            ("rate", self.rate, 0.5, 2.0),
            ("pitch_semitones", self.pitch_semitones, -12.0, 12.0),
            ("volume_db", self.volume_db, -60.0, 20.0),
            ("expressiveness", self.expressiveness, 0.0, 2.0),
            ("noise_scale", self.noise_scale, 0.0, 1.5),
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

/// A voice that is ready to speak. Shared by reference; each [`Utterance`] has its own state.
pub struct Synthesizer {
    meta: Meta,
    pronouncer: Pronouncer,
    acoustic: FastSpeech,
    vocoder: Arc<WaveGlow>,
}

impl Synthesizer {
    /// Loads a voice.
    ///
    /// # Errors
    /// The voice is missing or damaged, or its tensors do not fit its models.
    pub fn load(source: &Source) -> Result<Self> {
        Self::new(&Voice::load(source)?)
    }

    /// Builds the models of a voice in memory.
    ///
    /// # Errors
    /// The tensors do not fit the models, or the models do not fit each other.
    pub fn new(voice: &Voice) -> Result<Self> {
        let acoustic_config: acoustic::Config = voice.config(Part::Acoustic)?;
        let vocoder_config: vocoder::Config = voice.config(Part::Vocoder)?;
        check_agreement(voice, &acoustic_config, &vocoder_config)?;
        let params = voice.params();
        let acoustic = FastSpeech::new(&acoustic_config, &params.pp(Part::Acoustic.name()))
            .map_err(|error| misfit(voice, Part::Acoustic, error))?;
        // Only the native layout speaks from our phones.
        acoustic.statistics().map_err(|error| misfit(voice, Part::Acoustic, error))?;
        let mut vocoder = WaveGlow::new(&vocoder_config, &params.pp(Part::Vocoder.name()))
            .map_err(|error| misfit(voice, Part::Vocoder, error))?;
        vocoder.prepare_synthesis(Inversion::Lu).map_err(|error| misfit(voice, Part::Vocoder, error))?;
        let unused = params.unused();
        if let Some(first) = unused.first() {
            let fault = Fault::UnusedTensors { count: unused.len(), first: first.clone() };
            return Err(damaged(voice, fault));
        }
        Ok(Self {
            meta: voice.meta().clone(),
            pronouncer: Pronouncer::new(),
            acoustic,
            vocoder: Arc::new(vocoder),
        })
    }

    /// What the voice says about itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Of the samples it makes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.meta.sample_rate_hz
    }

    /// The second of its models.
    pub fn vocoder(&self) -> &Arc<WaveGlow> {
        &self.vocoder
    }

    /// Samples per frame.
    pub fn hop_samples(&self) -> usize {
        self.vocoder.config().hop_samples
    }

    /// Starts an utterance.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn utterance(&self, config: SpeakConfig) -> Result<Utterance<'_>> {
        Utterance::new(self, config)
    }

    /// Speaks a text as a whole.
    ///
    /// # Errors
    /// As [`Utterance::speak`].
    pub fn speak(&self, text: &str, config: SpeakConfig) -> Result<Vec<f32>> {
        let mut samples = Vec::new();
        let mut utterance = self.utterance(config)?;
        let mut collect = |event: Event<'_>| {
            if let Event::Samples(window) = event {
                samples.extend_from_slice(window);
            }
            std::ops::ControlFlow::Continue(())
        };
        utterance.speak(text, &mut collect)?;
        utterance.finish(&mut collect)?;
        Ok(samples)
    }
}

fn damaged(voice: &Voice, fault: Fault) -> Error {
    VoiceError::Damaged { origin: voice.origin().into(), fault }.into()
}

fn misfit(voice: &Voice, part: Part, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    VoiceError::Model { origin: voice.origin().into(), part: part.name(), source: Box::new(source) }.into()
}

/// The two models and the metadata must speak of the same frames and samples.
fn check_agreement(voice: &Voice, acoustic: &acoustic::Config, vocoder: &vocoder::Config) -> Result<()> {
    let mel = &voice.meta().mel;
    let pairs = [
        ("sample_rate_hz", voice.meta().sample_rate_hz as usize, vocoder.sample_rate_hz as usize),
        ("mel.hop_samples", mel.hop_samples, vocoder.hop_samples),
        ("mel.bands", mel.bands, vocoder.mel_bands),
        ("mel.bands", mel.bands, acoustic.mels),
    ];
    for (key, expected, got) in pairs {
        if expected != got {
            let reason = format!("the voice says {expected}, one of its models {got}");
            return Err(damaged(voice, Fault::Value { key: format!("fastglow.{key}"), reason }));
        }
    }
    Ok(())
}
