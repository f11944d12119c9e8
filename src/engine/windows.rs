//! A phrase becomes samples, window by window: the first is short so that sound starts early.

use super::gain::Envelope;
use super::{Gain, Models, Phrase, SpeakConfig};
use crate::vocoder::{DenoiserStream, Noise, PhraseInput, Stream};
use crate::{Error, Result};

/// The vocoder's side of one utterance.
pub(super) struct Windows {
    voice: String,
    gain: Gain,
    /// None if all frames are as loud as they are.
    envelope: Option<Envelope>,
    stream: Stream,
    denoiser: Option<DenoiserStream>,
    window_frames: usize,
    longest_frames: usize,
}

impl Windows {
    pub fn new(models: &Models, config: &SpeakConfig) -> Result<Self> {
        let scale = config.noise_scale * models.vocoder.config().noise_scale;
        let noise = Noise::Seeded { seed: config.seed, scale };
        Ok(Self {
            voice: models.meta.name.clone(),
            gain: Gain::from_db(config.volume_db),
            envelope: (config.directions.has_gains())
                .then(|| Envelope::new(models.vocoder.config().hop_samples)),
            stream: Stream::new(models.vocoder.clone(), noise)?,
            denoiser: denoiser(models, config)?,
            window_frames: config.first_window_frames,
            longest_frames: config.longest_window_frames,
        })
    }

    /// Takes the next phrase; the one before must have been spoken.
    pub fn push(&mut self, phrase: &Phrase) -> Result<()> {
        if phrase.mel.frame_count() == 0 {
            return Ok(());
        }
        if let Some(envelope) = &mut self.envelope {
            envelope.push(&phrase.cues.gains);
        }
        Ok(self.stream.push(&PhraseInput {
            features: &phrase.features,
            excitation: phrase.excitation.as_deref(),
            context: phrase.context,
        })?)
    }

    /// The next window; `None` when the phrase has been spoken.
    pub fn step(&mut self) -> Result<Option<Vec<f32>>> {
        if self.stream.pending_frames() == 0 {
            return Ok(None);
        }
        let span = tracing::debug_span!("window", frames = self.window_frames).entered();
        let samples = self.stream.step(self.window_frames)?;
        let samples = match &mut self.denoiser {
            Some(denoiser) => denoiser.step(&samples)?,
            None => samples,
        };
        drop(span);
        self.window_frames = (2 * self.window_frames).min(self.longest_frames);
        self.finished(samples).map(Some)
    }

    /// The last samples of the utterance.
    pub fn flush(&mut self) -> Result<Vec<f32>> {
        let mut samples = self.stream.flush()?;
        if let Some(denoiser) = &mut self.denoiser {
            samples = denoiser.step(&samples)?;
            samples.extend(denoiser.flush()?);
        }
        self.finished(samples)
    }

    fn finished(&mut self, mut samples: Vec<f32>) -> Result<Vec<f32>> {
        if samples.iter().any(|sample| !sample.is_finite()) {
            return Err(Error::NotFinite { voice: self.voice.clone() });
        }
        if let Some(envelope) = &mut self.envelope {
            envelope.apply(&mut samples);
        }
        self.gain.apply(&mut samples);
        Ok(samples)
    }
}

/// What takes the vocoder's hum out, if that is wanted.
fn denoiser(models: &Models, config: &SpeakConfig) -> Result<Option<DenoiserStream>> {
    let strength = config.denoise.unwrap_or(models.vocoder.config().denoise);
    if strength == 0.0 {
        return Ok(None);
    }
    Ok(Some(DenoiserStream::new(models.denoiser()?, strength)))
}
