//! The module's configuration file: one `Key value` a line, as all files of speech-dispatcher are.

use std::path::PathBuf;

use crate::voice::{DEFAULT_VOICE, SearchPath};

/// What the configuration file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleConfig {
    /// `Voice`: which voice speaks unless a client chooses one.
    pub voice: String,
    /// `VoiceFolder`, as often as needed: where voices are looked for, instead of the usual folders.
    pub voice_folders: Vec<PathBuf>,
}

impl Default for ModuleConfig {
    fn default() -> Self {
        Self { voice: DEFAULT_VOICE.into(), voice_folders: Vec::new() }
    }
}

/// A line of the file that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, got `{got}`")]
pub struct ModuleConfigError {
    /// Which line, from 1.
    pub line: usize,
    /// What could stand there.
    pub expected: &'static str,
    /// What does.
    pub got: String,
}

impl ModuleConfig {
    /// Reads a file's text. Empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// Names the first line that is not understood.
    pub fn parse(text: &str) -> Result<Self, ModuleConfigError> {
        let mut config = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |expected| ModuleConfigError { line: index + 1, expected, got: line.into() };
            let (key, value) =
                line.split_once(char::is_whitespace).ok_or_else(|| wrong("a key and a value"))?;
            let value = value.trim();
            let value = match value.strip_prefix('"') {
                Some(inner) => inner.strip_suffix('"').ok_or_else(|| wrong("closed quotation marks"))?,
                None => value,
            };
            match key {
                "Voice" => config.voice = value.into(),
                "VoiceFolder" => config.voice_folders.push(value.into()),
                _ => return Err(wrong("`Voice` or `VoiceFolder`")),
            }
        }
        Ok(config)
    }

    /// Where voices are looked for.
    pub fn search_path(&self) -> SearchPath {
        if self.voice_folders.is_empty() {
            SearchPath::from_environment()
        } else {
            SearchPath::new(self.voice_folders.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_unknown_ones_refused_with_their_line() {
        let text = "# voices\n\nVoice \"a b\"\n  VoiceFolder /x\nVoiceFolder\t\"/y\"\n";
        let expected = ModuleConfig { voice: "a b".into(), voice_folders: vec!["/x".into(), "/y".into()] };
        assert_eq!(ModuleConfig::parse(text), Ok(expected));
        assert_eq!(ModuleConfig::parse(""), Ok(ModuleConfig::default()));
        for (text, line) in [("Voice a\nRate 3\n", 2), ("Voice\n", 1), ("#\n\nVoice \"a\n", 3)] {
            assert_eq!(ModuleConfig::parse(text).unwrap_err().line, line);
        }
    }

    #[test]
    fn the_shipped_file_is_valid_also_with_its_examples_switched_on() {
        let shipped = include_str!("../../../firmware-config/speech-dispatcher/fastglow.conf");
        assert_eq!(ModuleConfig::parse(shipped), Ok(ModuleConfig::default()));
        let switched_on: String =
            shipped.lines().map(|line| format!("{}\n", line.trim_start_matches('#'))).collect();
        let keys: Vec<&str> = switched_on.lines().filter(|line| line.starts_with("Voice")).collect();
        let config = ModuleConfig::parse(&keys.join("\n")).unwrap();
        assert_eq!((config.voice.as_str(), config.voice_folders.len()), (DEFAULT_VOICE, 1));
    }
}
