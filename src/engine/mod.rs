//! From text to samples: the only part that knows all stages.
//!
//! [`Synthesizer`] owns a voice's models. Two ways lead from it to sound:
//!
//! * [`Utterance`] speaks on the caller's thread, a sentence or clause at a time. The same text, seed and voice give the
//!   same samples, bit by bit.
//! * [`Engine`] speaks on threads of its own while the text is still coming, from the first words on, into a sink or to
//!   a listener, one [`Job`] after another; jobs can be cancelled at any instant.
//!
//! Both hand a chunk of text through the same two steps: its frames are made at once, in the light of the words around
//! it; its sound in windows, a short one first, so that the first samples come early.

mod acoustic_thread;
mod config;
mod director;
mod event;
mod gain;
mod job;
mod marks;
mod models;
mod parallel;
mod phrase;
mod stats;
mod utterance;
mod vocoder_thread;
mod windows;

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use candle_core::Device;

use crate::Result;
use crate::acoustic::{self, FastSpeech};
use crate::compute::Compute;
use crate::markup::Script;
use crate::phoneme::{Pronouncer, UserWords};
use crate::text::{Language, Pace, normalise_in};
use crate::vocoder::{self, Context, Denoiser, Noise, PhraseInput, WaveGlow};
use crate::voice::{Fault, Meta, Part, Source, Voice, VoiceError};

pub use config::{SpeakConfig, SpeakConfigError};
pub use event::{Event, Listener, NamedMark, Omission, PhoneMark, WordMark};
pub use gain::Gain;
pub use job::{Job, JobError, JobId, JobText, Pacing, Report};
pub use marks::{MarkFormat, Marks};
pub use models::{acoustic_model, check_models, vocoder_model};
pub use parallel::{Engine, EngineConfig, JobListener, OpenSink, Stopper};
pub use phrase::Phrase;
pub use stats::{Stats, peak_rss_kb};
pub use utterance::Utterance;

/// A voice that is ready to speak. Cheap to clone: the models are shared, the state is each [`Utterance`]'s own.
#[derive(Clone)]
pub struct Synthesizer {
    models: Arc<Models>,
}

/// What a voice is made of.
struct Models {
    meta: Meta,
    pronouncer: Pronouncer,
    acoustic: FastSpeech,
    vocoder: Arc<WaveGlow>,
    /// Measured when it is first wanted.
    denoiser: OnceLock<Arc<Denoiser>>,
}

impl Models {
    /// # Errors
    /// The vocoder has no hum that one could take out, or fails.
    fn denoiser(&self) -> Result<Arc<Denoiser>> {
        if let Some(denoiser) = self.denoiser.get() {
            return Ok(denoiser.clone());
        }
        if !self.vocoder.config().has_hum() {
            return Err(VoiceError::Denoise { name: self.meta.name.clone() }.into());
        }
        let measured = Arc::new(Denoiser::new(&self.vocoder)?);
        Ok(self.denoiser.get_or_init(|| measured).clone())
    }
}

impl Synthesizer {
    /// Loads a voice.
    ///
    /// # Errors
    /// The voice is missing or damaged, or its tensors do not fit its models.
    pub fn load(source: &Source) -> Result<Self> {
        Self::load_with(source, Arc::default())
    }

    /// Loads a voice that knows words of the user's own, which may change at any time.
    ///
    /// # Errors
    /// As [`Synthesizer::load`].
    pub fn load_with(source: &Source, words: Arc<UserWords>) -> Result<Self> {
        Self::build(&Voice::load(source)?, words, &Device::Cpu)
    }

    /// As [`Synthesizer::load_with`], with the vocoder on another device, warmed up there.
    ///
    /// # Errors
    /// As [`Synthesizer::load`], or the device fails.
    pub fn load_on(source: &Source, words: Arc<UserWords>, device: &Device) -> Result<Self> {
        Self::build(&Voice::load(source)?, words, device)
    }

    /// Builds the models of a voice in memory.
    ///
    /// # Errors
    /// The tensors do not fit the models, or the models do not fit each other.
    pub fn new(voice: &Voice) -> Result<Self> {
        Self::build(voice, Arc::default(), &Device::Cpu)
    }

    /// As [`Synthesizer::load_on`], of a voice in memory.
    ///
    /// # Errors
    /// As [`Synthesizer::new`], or the device fails.
    pub fn new_on(voice: &Voice, words: Arc<UserWords>, device: &Device) -> Result<Self> {
        Self::build(voice, words, device)
    }

    /// Speaks a document of SSML as a whole.
    ///
    /// # Errors
    /// It cannot be read, there is no word in it, or the models fail.
    pub fn speak_ssml(&self, document: &str, config: SpeakConfig) -> Result<Vec<f32>> {
        let Script { text, directions } = Script::read(document)?;
        self.speak(&text, SpeakConfig { directions: Arc::new(directions), ..config })
    }

    fn build(voice: &Voice, words: Arc<UserWords>, device: &Device) -> Result<Self> {
        let acoustic_config: acoustic::Config = voice.config(Part::Acoustic)?;
        let vocoder_config: vocoder::Config = voice.config(Part::Vocoder)?;
        check_agreement(voice, &acoustic_config, &vocoder_config)?;
        let Some(language) = Language::of_tag(&voice.meta().language) else {
            let language = voice.meta().language.clone();
            return Err(VoiceError::Language { origin: voice.origin().into(), language }.into());
        };
        let params = voice.params();
        let acoustic = models::acoustic(voice, &params)?;
        acoustic.check_speakable(language).map_err(|error| models::misfit(voice, Part::Acoustic, error))?;
        let vocoder = models::vocoder(voice, &params, device)?;
        models::check_used(voice, &params, "")?;
        let models = Models {
            meta: voice.meta().clone(),
            pronouncer: Pronouncer::of(language, words),
            acoustic,
            vocoder: Arc::new(vocoder),
            denoiser: OnceLock::new(),
        };
        if models.vocoder.config().denoise > 0.0 {
            models.denoiser()?;
        }
        if !device.is_cpu() {
            warm_up(&models.vocoder)?;
        }
        Ok(Self { models: Arc::new(models) })
    }

    /// What the voice says about itself.
    pub fn meta(&self) -> &Meta {
        &self.models.meta
    }

    /// What its texts are read as.
    pub fn language(&self) -> Language {
        self.models.pronouncer.language()
    }

    /// Whether both speak from the same models in memory: a voice that was loaded again does not.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.models, &other.models)
    }

    /// Measures the vocoder's hum now, as long as a second of speech takes, and not when speech is first to be denoised.
    ///
    /// # Errors
    /// The vocoder has no hum that one could take out, or fails.
    pub fn prepare_denoiser(&self) -> Result<()> {
        self.models.denoiser().map(drop)
    }

    /// What its vocoder computes on.
    pub fn compute(&self) -> Compute {
        Compute::of(self.models.vocoder.device())
    }

    /// Of the samples it makes.
    pub fn sample_rate_hz(&self) -> u32 {
        self.models.meta.sample_rate_hz
    }

    /// The first of its models: phones to frames.
    pub fn acoustic(&self) -> &FastSpeech {
        &self.models.acoustic
    }

    /// The second of its models: frames to samples.
    pub fn vocoder(&self) -> &Arc<WaveGlow> {
        &self.models.vocoder
    }

    /// Samples per frame.
    pub fn hop_samples(&self) -> usize {
        self.models.vocoder.config().hop_samples
    }

    /// Starts an utterance.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn utterance(&self, config: SpeakConfig) -> Result<Utterance> {
        Utterance::new(&self.models, config, Pace::PATIENT)
    }

    /// Starts an utterance that is cut into chunks as if the pace were always this one: what an [`Engine`] does, without
    /// its clock.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn utterance_at(&self, config: SpeakConfig, pace: Pace) -> Result<Utterance> {
        Utterance::new(&self.models, config, pace)
    }

    /// Speaks a text as a whole.
    ///
    /// # Errors
    /// There is no word in it, or the models fail.
    pub fn speak(&self, text: &str, config: SpeakConfig) -> Result<Vec<f32>> {
        let mut samples = Vec::new();
        let mut utterance = self.utterance(config)?;
        let mut collect = |event: Event<'_>| {
            if let Event::Samples(window) = event {
                samples.extend_from_slice(window);
            }
            ControlFlow::Continue(())
        };
        utterance.push(text, &mut collect)?;
        utterance.finish(&mut collect)?;
        if samples.is_empty() {
            normalise_in(self.language(), text).speakable()?;
        }
        Ok(samples)
    }
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
            return Err(models::damaged(voice, Fault::Value { key: format!("fastglow.{key}"), reason }));
        }
    }
    Ok(())
}

/// Speaks one window of nothing: a card compiles and loads its programs at the first use.
fn warm_up(vocoder: &Arc<WaveGlow>) -> Result<()> {
    let config = vocoder.config();
    let features = vec![0.0; config.feature_channels()];
    let excitation = vec![0.0; config.hop_samples];
    let input = PhraseInput {
        features: &features,
        excitation: config.has_excitation().then_some(&excitation),
        context: Context::default(),
    };
    vocoder.infer(&input, &Noise::Seeded { seed: 0, scale: 0.0 })?;
    Ok(())
}
