//! What a voice says about itself, and its place in the file's metadata.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::gguf::Value;
use super::{Fault, Part};
use crate::phoneme::SYMBOL_FINGERPRINT;

/// The version of the voice format that this program writes: a file may hold one model alone.
pub const FORMAT_VERSION: u32 = 2;
/// The oldest version that it reads: every file holds both models.
const OLDEST_FORMAT_VERSION: u32 = 1;
const ARCHITECTURE: &str = "fastglow";
const KEY_ARCHITECTURE: &str = "general.architecture";
const KEY_FORMAT_VERSION: &str = "fastglow.format_version";
const KEY_NAME: &str = "general.name";
const KEY_LANGUAGE: &str = "fastglow.language";
const KEY_LICENCE: &str = "fastglow.licence";
const KEY_PROVENANCE: &str = "fastglow.provenance";
const KEY_TRAINING: &str = "fastglow.training";
const KEY_SAMPLE_RATE: &str = "fastglow.sample_rate_hz";
const KEY_MEL: &str = "fastglow.mel";
const KEY_ACOUSTIC: &str = "fastglow.acoustic.config";
const KEY_VOCODER: &str = "fastglow.vocoder.config";
const KEY_SYMBOLS: &str = "fastglow.symbols_fingerprint";

const LOWEST_SAMPLE_RATE_HZ: u32 = 8_000;
const HIGHEST_SAMPLE_RATE_HZ: u32 = 192_000;

/// How the mel spectrogram between the two models is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MelSettings {
    /// Number of bands.
    pub bands: usize,
    /// Length of the Hann window and of the transform.
    pub window_samples: usize,
    /// Distance between frames.
    pub hop_samples: usize,
    /// Lower edge of the lowest band.
    pub low_hz: f32,
    /// Upper edge of the highest band.
    pub high_hz: f32,
    /// Magnitudes are raised to this before the logarithm.
    pub floor: f32,
}

impl MelSettings {
    /// Refuses what no voice has, before anything is allocated by it.
    fn checked(self) -> Result<Self, Fault> {
        let ranges = [
            ("bands", self.bands, 1, 1024),
            ("hop_samples", self.hop_samples, 1, 8192),
            ("window_samples", self.window_samples, 1, 65_536),
        ];
        for (name, got, least, most) in ranges {
            if !(least..=most).contains(&got) {
                return Err(bad(KEY_MEL, format!("{name}: expected {least} to {most}, got {got}")));
            }
        }
        if !(self.low_hz >= 0.0 && self.low_hz < self.high_hz && self.high_hz.is_finite() && self.floor > 0.0)
        {
            return Err(bad(KEY_MEL, "expected edges that rise from 0 Hz on, and a floor above 0"));
        }
        Ok(self)
    }
}

impl Default for MelSettings {
    /// Those of the published models.
    fn default() -> Self {
        Self { bands: 80, window_samples: 1024, hop_samples: 256, low_hz: 0.0, high_hz: 8000.0, floor: 1e-5 }
    }
}

/// What a voice says about itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Meta {
    /// Its name; also the file's, less `.gguf`.
    pub name: String,
    /// BCP 47 tag of the language it speaks.
    pub language: String,
    /// SPDX expression, or a sentence.
    pub licence: String,
    /// Where the speech it learnt from came from, and how it was trained.
    pub provenance: String,
    /// Figures of the training: steps, losses, measured quality. Any JSON object.
    pub training: serde_json::Value,
    /// Of the sound it makes.
    pub sample_rate_hz: u32,
    /// What lies between its two models.
    pub mel: MelSettings,
}

/// The models' configurations, as stored. A voice that can speak has both; an imported one may have one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelConfigs {
    /// Of the acoustic model.
    pub acoustic: Option<serde_json::Value>,
    /// Of the vocoder.
    pub vocoder: Option<serde_json::Value>,
}

impl ModelConfigs {
    /// The configuration of one model, if there is that model.
    pub fn get(&self, part: Part) -> Option<&serde_json::Value> {
        match part {
            Part::Acoustic => self.acoustic.as_ref(),
            Part::Vocoder => self.vocoder.as_ref(),
        }
    }
}

pub(super) fn to_metadata(meta: &Meta, configs: &ModelConfigs) -> Result<BTreeMap<String, Value>, Fault> {
    let mel = serde_json::to_string(&meta.mel).map_err(|e| bad(KEY_MEL, e))?;
    let mut metadata = BTreeMap::from([
        (KEY_FORMAT_VERSION.to_string(), Value::U32(FORMAT_VERSION)),
        (KEY_SAMPLE_RATE.to_string(), Value::U32(meta.sample_rate_hz)),
        (KEY_SYMBOLS.to_string(), Value::U32(SYMBOL_FINGERPRINT)),
    ]);
    for (key, text) in [
        (KEY_ARCHITECTURE, ARCHITECTURE.to_string()),
        (KEY_NAME, meta.name.clone()),
        (KEY_LANGUAGE, meta.language.clone()),
        (KEY_LICENCE, meta.licence.clone()),
        (KEY_PROVENANCE, meta.provenance.clone()),
        (KEY_TRAINING, meta.training.to_string()),
        (KEY_MEL, mel),
    ] {
        metadata.insert(key.to_string(), Value::Text(text));
    }
    for (key, config) in [(KEY_ACOUSTIC, &configs.acoustic), (KEY_VOCODER, &configs.vocoder)] {
        if let Some(config) = config {
            metadata.insert(key.to_string(), Value::Text(config.to_string()));
        }
    }
    Ok(metadata)
}

pub(super) fn from_metadata(metadata: &BTreeMap<String, Value>) -> Result<(Meta, ModelConfigs), Fault> {
    let architecture = text(metadata, KEY_ARCHITECTURE)?;
    if architecture != ARCHITECTURE {
        return Err(bad(KEY_ARCHITECTURE, format!("expected `{ARCHITECTURE}`, got `{architecture}`")));
    }
    let version = number(metadata, KEY_FORMAT_VERSION)?;
    if !(OLDEST_FORMAT_VERSION..=FORMAT_VERSION).contains(&version) {
        return Err(Fault::Version { what: "voice format", expected: FORMAT_VERSION, got: version });
    }
    // A voice trained on another table would babble.
    let got = number(metadata, KEY_SYMBOLS)?;
    if got != SYMBOL_FINGERPRINT {
        return Err(Fault::Symbols { expected: SYMBOL_FINGERPRINT, got });
    }
    let sample_rate_hz = number(metadata, KEY_SAMPLE_RATE)?;
    if !(LOWEST_SAMPLE_RATE_HZ..=HIGHEST_SAMPLE_RATE_HZ).contains(&sample_rate_hz) {
        let reason =
            format!("expected {LOWEST_SAMPLE_RATE_HZ} to {HIGHEST_SAMPLE_RATE_HZ}, got {sample_rate_hz}");
        return Err(bad(KEY_SAMPLE_RATE, reason));
    }
    let meta = Meta {
        name: text(metadata, KEY_NAME)?.to_string(),
        language: text(metadata, KEY_LANGUAGE)?.to_string(),
        licence: text(metadata, KEY_LICENCE)?.to_string(),
        provenance: text(metadata, KEY_PROVENANCE)?.to_string(),
        training: json(metadata, KEY_TRAINING)?,
        sample_rate_hz,
        mel: json::<MelSettings>(metadata, KEY_MEL).and_then(MelSettings::checked)?,
    };
    let config = |key| match metadata.contains_key(key) {
        // Version 1 knows no other file, and a file of nothing at all is of no version.
        false
            if version > 1 && (metadata.contains_key(KEY_ACOUSTIC) || metadata.contains_key(KEY_VOCODER)) =>
        {
            Ok(None)
        }
        _ => json(metadata, key).map(Some),
    };
    let configs = ModelConfigs { acoustic: config(KEY_ACOUSTIC)?, vocoder: config(KEY_VOCODER)? };
    Ok((meta, configs))
}

pub(super) fn bad(key: &str, reason: impl std::fmt::Display) -> Fault {
    Fault::Value { key: key.into(), reason: reason.to_string() }
}

pub(super) fn text<'a>(metadata: &'a BTreeMap<String, Value>, key: &str) -> Result<&'a str, Fault> {
    match metadata.get(key) {
        None => Err(Fault::Missing(key.into())),
        Some(Value::Text(text)) => Ok(text),
        Some(Value::U32(_)) => Err(Fault::ValueType { key: key.into(), expected: "a string", got: 4 }),
    }
}

fn number(metadata: &BTreeMap<String, Value>, key: &str) -> Result<u32, Fault> {
    match metadata.get(key) {
        None => Err(Fault::Missing(key.into())),
        Some(Value::U32(number)) => Ok(*number),
        Some(Value::Text(_)) => Err(Fault::ValueType { key: key.into(), expected: "a u32", got: 8 }),
    }
}

fn json<T: DeserializeOwned>(metadata: &BTreeMap<String, Value>, key: &str) -> Result<T, Fault> {
    serde_json::from_str(text(metadata, key)?).map_err(|e| bad(key, e))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mel_settings_that_no_voice_has_are_refused() {
        let published = MelSettings::default();
        published.clone().checked().unwrap();
        for wrong in [
            MelSettings { hop_samples: 1_000_000_000_000, ..published.clone() },
            MelSettings { window_samples: 0, ..published.clone() },
            MelSettings { bands: 0, ..published.clone() },
            MelSettings { high_hz: f32::INFINITY, ..published.clone() },
            MelSettings { low_hz: f32::NAN, ..published.clone() },
            MelSettings { floor: 0.0, ..published.clone() },
        ] {
            assert!(wrong.clone().checked().is_err(), "{wrong:?}");
        }
    }
}
