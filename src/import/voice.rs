//! Imported models as a voice, and the proof that its file holds them.

use std::path::Path;

use super::{ImportError, Imported};
use crate::voice::{MelSettings, Meta, ModelConfigs, Packing, Part, Source, Voice};
use crate::{Error, Result, acoustic, engine, vocoder};

/// What was found in one or two checkpoints.
#[derive(Debug, Default)]
pub struct Models {
    /// Phones to mel.
    pub acoustic: Option<Imported<acoustic::Config>>,
    /// Mel to samples.
    pub vocoder: Option<Imported<vocoder::Config>>,
}

/// What a checkpoint does not say about the voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// BCP 47 tag of its language.
    pub language: String,
    /// SPDX expression, or a sentence.
    pub licence: String,
    /// Where it comes from.
    pub provenance: String,
}

impl Models {
    /// The voice of these models. The tensors are handed over: each is freed when it is packed.
    ///
    /// # Errors
    /// The models do not fit each other, or a weight is not finite.
    pub fn into_voice(self, description: Description, packing: Packing) -> Result<Voice> {
        let bands = match (&self.acoustic, &self.vocoder) {
            (Some(acoustic), Some(vocoder)) if acoustic.config.mels != vocoder.config.mel_bands => {
                let (acoustic, vocoder) = (acoustic.config.mels, vocoder.config.mel_bands);
                return Err(ImportError::Bands { acoustic, vocoder }.into());
            }
            (Some(acoustic), _) => acoustic.config.mels,
            (None, Some(vocoder)) => vocoder.config.mel_bands,
            (None, None) => return Err(ImportError::Count { model: "model", got: 0 }.into()),
        };
        let published = vocoder::Config::published();
        let samples = self.vocoder.as_ref().map_or(&published, |vocoder| &vocoder.config);
        let mel = MelSettings { bands, hop_samples: samples.hop_samples, ..MelSettings::default() };
        let Description { name, language, licence, provenance } = description;
        let meta = Meta {
            name,
            language,
            licence,
            provenance,
            training: serde_json::json!({}),
            sample_rate_hz: samples.sample_rate_hz,
            mel,
        };
        let json = |value: serde_json::Result<serde_json::Value>| {
            value.map_err(|error| Error::Compute(candle_core::Error::wrap(error)))
        };
        let configs = ModelConfigs {
            acoustic: self.acoustic.as_ref().map(|m| json(serde_json::to_value(&m.config))).transpose()?,
            vocoder: self.vocoder.as_ref().map(|m| json(serde_json::to_value(&m.config))).transpose()?,
        };
        let named = |part: Part| move |(name, tensor)| (format!("{}.{name}", part.name()), tensor);
        let acoustic = self.acoustic.map(|model| model.tensors).unwrap_or_default();
        let vocoder = self.vocoder.map(|model| model.tensors).unwrap_or_default();
        let weights = acoustic
            .into_iter()
            .map(named(Part::Acoustic))
            .chain(vocoder.into_iter().map(named(Part::Vocoder)));
        Ok(Voice::new(meta, configs, weights, packing)?)
    }
}

/// Loads the models of a voice once, as a program that speaks would.
///
/// # Errors
/// A tensor is missing, misshapen, or one too many.
pub fn check_whole(voice: &Voice) -> Result<()> {
    Ok(engine::check_models(voice).map_err(|error| ImportError::Misfit(Box::new(error)))?)
}

/// Reads a file back, checks its sums, and compares every tensor with the voice that was written.
///
/// # Errors
/// The file cannot be read, is damaged, or a tensor differs.
pub fn compare_written(voice: &Voice, path: &Path) -> Result<usize> {
    let written = Voice::load(&Source::File(path.to_path_buf()))?;
    written.verify()?;
    let differs = |name: &str| ImportError::RoundTrip { path: path.into(), name: name.into() };
    let mut count = 0;
    for ((name, dims, dtype), (other, other_dims, other_dtype)) in voice.tensors().zip(written.tensors()) {
        if (name, dims, dtype) != (other, other_dims, other_dtype)
            || voice.tensor_bytes(name)? != written.tensor_bytes(name)?
        {
            return Err(differs(name).into());
        }
        count += 1;
    }
    if count != voice.tensors().count() || count != written.tensors().count() {
        return Err(differs("(their number)").into());
    }
    Ok(count)
}
