//! What `SET` sets: speech-dispatcher's scales from −100 to 100, and ours.

use crate::engine::SpeakConfig;

/// Half a scale of pitch.
const PITCH_SEMITONES: f32 = 12.0;
const LEAST_VOLUME_DB: f32 = -60.0;

/// How the next messages are spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    rate: i32,
    pitch: i32,
    volume: i32,
    /// The voice asked for by name.
    pub voice: Option<String>,
    /// The language asked for.
    pub language: Option<String>,
    /// Whether texts are spelled, character by character.
    pub is_spelled: bool,
    /// Whether a capital is called one when it is spelled.
    pub names_capitals: bool,
}

impl Default for Settings {
    /// Those of speech-dispatcher: its volume is full at 100.
    fn default() -> Self {
        Self {
            rate: 0,
            pitch: 0,
            volume: 100,
            voice: None,
            language: None,
            is_spelled: false,
            names_capitals: false,
        }
    }
}

/// Why a line of `SET` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingError {
    /// It is no `name=value`.
    Syntax,
    /// There is no such setting, or the value is out of range.
    Value,
}

impl Settings {
    /// Takes a line.
    ///
    /// # Errors
    /// It means nothing; nothing has changed.
    pub fn set(&mut self, line: &str) -> Result<(), SettingError> {
        let (name, value) = line.split_once('=').ok_or(SettingError::Syntax)?;
        let value = (value != "NULL").then_some(value);
        let defaults = Self::default();
        let percent = |default: i32| match value {
            None => Ok(default),
            Some(value) => match value.parse() {
                Ok(percent @ -100..=100) => Ok(percent),
                _ => Err(SettingError::Value),
            },
        };
        match name {
            "rate" => self.rate = percent(defaults.rate)?,
            "pitch" => self.pitch = percent(defaults.pitch)?,
            "volume" => self.volume = percent(defaults.volume)?,
            // A voice has one range of pitch.
            "pitch_range" => drop(percent(0)?),
            "synthesis_voice" => self.voice = value.map(str::to_owned),
            "language" => self.language = value.map(str::to_owned),
            "spelling_mode" => {
                self.is_spelled = match value {
                    Some("on") => true,
                    None | Some("off") => false,
                    Some(_) => return Err(SettingError::Value),
                }
            }
            "cap_let_recogn" => {
                self.names_capitals = match value {
                    Some("spell" | "icon") => true,
                    None | Some("none") => false,
                    Some(_) => return Err(SettingError::Value),
                }
            }
            // speech-dispatcher itself writes punctuation out (`SymbolsPreproc`), and a voice is no male, female or
            // child one by request.
            "punctuation_mode" | "voice" => {}
            _ => return Err(SettingError::Value),
        }
        Ok(())
    }

    /// The same in our terms: half to double speed, an octave down to an octave up, silence to full.
    pub fn speak_config(&self) -> SpeakConfig {
        let part = |percent: i32| percent as f32 / 100.0;
        let amplitude = (part(self.volume) + 1.0) / 2.0;
        SpeakConfig {
            rate: 2f32.powf(part(self.rate)),
            pitch_semitones: part(self.pitch) * PITCH_SEMITONES,
            volume_db: (20.0 * amplitude.log10()).max(LEAST_VOLUME_DB),
            ..SpeakConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_reach_our_ranges_and_their_middle_changes_nothing() {
        assert_eq!(Settings::default().speak_config(), SpeakConfig::default());
        for (percent, rate, semitones, volume_db) in
            [("-100", 0.5, -12.0, -60.0), ("0", 1.0, 0.0, -6.0206), ("100", 2.0, 12.0, 0.0)]
        {
            let mut settings = Settings::default();
            for name in ["rate", "pitch", "volume", "pitch_range"] {
                settings.set(&format!("{name}={percent}")).unwrap();
            }
            let config = settings.speak_config();
            config.validate().unwrap();
            assert_eq!((config.rate, config.pitch_semitones), (rate, semitones));
            assert!((config.volume_db - volume_db).abs() < 1e-3);
        }
    }

    #[test]
    fn null_unsets_and_nonsense_is_refused() {
        let mut settings = Settings::default();
        for line in ["rate=50", "synthesis_voice=x", "language=en", "spelling_mode=on", "cap_let_recogn=icon"]
        {
            settings.set(line).unwrap();
        }
        assert_ne!(settings, Settings::default());
        for name in ["rate", "synthesis_voice", "language", "spelling_mode", "cap_let_recogn", "voice"] {
            settings.set(&format!("{name}=NULL")).unwrap();
        }
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.set("rate"), Err(SettingError::Syntax));
        for line in ["rate=101", "rate=x", "rate=", "volume=-101", "spelling_mode=maybe", "bogus=1", "=", ""]
        {
            assert!(settings.set(line).is_err(), "{line}");
        }
        assert_eq!(settings, Settings::default());
    }
}
