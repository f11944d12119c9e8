//! The daemon's configuration file.
//!
//! [`Config`] is what the file says, [`Resolved`] what follows from it: ranges checked, paths absolute, addresses parsed,
//! the token read. `firmware-config/fastglow.toml` has every key at its default.

mod error;
mod resolved;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::compute;
use crate::daemon::{Limits, LoudspeakerConfig};
use crate::engine::SpeakConfig;
use crate::voice::DEFAULT_VOICE;

pub use error::ConfigError;
pub use resolved::{Resolved, default_socket};

/// Largest configuration file.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// A configuration file, as it is written. A key that is absent has its default; an unknown one is an error.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which voices there are.
    pub voices: Voices,
    /// How to speak when a client does not say.
    pub speech: Speech,
    /// The loudspeaker that all clients share.
    pub loudspeaker: Loudspeaker,
    /// How much of the machine to take.
    pub compute: Compute,
    /// The daemon's own protocol, on a Unix socket.
    pub socket: Socket,
    /// What the loudspeaker plays, for echo cancellation.
    pub reference: Reference,
    /// HTTP, and the web page.
    pub http: Http,
    /// The Wyoming protocol.
    pub wyoming: Wyoming,
    /// What clients may ask for.
    pub limits: Limits,
    /// What is written to the journal.
    pub journal: Journal,
}

/// Which voices there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Voices {
    /// The voice that speaks when a client names none.
    pub default: String,
    /// Folders with voice files; relative ones count from the configuration file. Empty: the usual ones.
    pub folders: Vec<PathBuf>,
    /// The user's own pronunciations, `word<TAB>PHONES` a line. Empty: `words.tsv` in `$STATE_DIRECTORY` (a service of
    /// systemd), otherwise none.
    pub lexicon: PathBuf,
    /// Voices kept in memory at a time.
    pub most_loaded: usize,
}

impl Default for Voices {
    fn default() -> Self {
        Self { default: DEFAULT_VOICE.into(), folders: Vec::new(), lexicon: PathBuf::new(), most_loaded: 4 }
    }
}

/// How to speak when a client does not say: the fields of [`SpeakConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Speech {
    pub rate: f32,
    pub pitch_semitones: f32,
    pub volume_db: f32,
    pub expressiveness: f32,
    /// Who speaks, of a voice with several speakers.
    pub speaker: u32,
    pub noise_scale: f32,
    /// -1: as the voice says.
    pub denoise: f32,
    pub first_window_frames: usize,
    pub longest_window_frames: usize,
}

impl Default for Speech {
    fn default() -> Self {
        let usual = SpeakConfig::default();
        Self {
            rate: usual.rate,
            pitch_semitones: usual.pitch_semitones,
            volume_db: usual.volume_db,
            expressiveness: usual.expressiveness,
            speaker: usual.speaker,
            noise_scale: usual.noise_scale,
            denoise: usual.denoise.unwrap_or(-1.0),
            first_window_frames: usual.first_window_frames,
            longest_window_frames: usual.longest_window_frames,
        }
    }
}

/// The loudspeaker that all clients share: the fields of [`LoudspeakerConfig`] and its sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Loudspeaker {
    /// `device`, `null` (silent, in real time) or `none` (no loudspeaker).
    pub sink: String,
    /// The sound card; empty for the system's default.
    pub device: String,
    pub volume_db: f32,
    pub lead_in_ms: u32,
    pub ring_ms: u32,
    pub prefill_ms: u32,
    pub period_ms: u32,
    pub idle_ms: u32,
    pub reconnect_ms: u32,
    /// 1 to 99; 0 does not ask.
    pub realtime_priority: u8,
}

impl Default for Loudspeaker {
    fn default() -> Self {
        let LoudspeakerConfig { sink_name, sink, volume_db, lead_in_ms } = LoudspeakerConfig::default();
        Self {
            sink: sink_name,
            device: String::new(),
            volume_db,
            lead_in_ms,
            ring_ms: sink.ring_ms,
            prefill_ms: sink.prefill_ms,
            period_ms: sink.period_ms,
            idle_ms: sink.idle_ms,
            reconnect_ms: sink.reconnect_ms,
            realtime_priority: sink.realtime_priority.unwrap_or(0),
        }
    }
}

/// How much of the machine to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compute {
    /// Threads that compute; 0 for one less than there are cores.
    pub threads: usize,
    /// What the vocoder computes on: `auto`, `cpu`, `cuda:0` or `metal:0`.
    pub device: String,
}

impl Default for Compute {
    fn default() -> Self {
        Self { threads: 0, device: compute::Compute::Auto.to_string() }
    }
}

/// The daemon's own protocol, on a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Socket {
    /// Where. Empty: see [`default_socket`]. systemd's socket goes before it.
    pub path: PathBuf,
}

/// What the loudspeaker plays, for echo cancellation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reference {
    /// The Unix socket that it can be read from. Empty: nowhere.
    pub path: PathBuf,
}

/// HTTP, and the web page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port. Empty: not served.
    pub address: String,
    /// A file with the token that clients must show. Required unless the address is this machine's own.
    pub token_file: PathBuf,
}

/// The Wyoming protocol, which knows no token: this machine's own addresses only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wyoming {
    /// Address and port. Empty: not served over TCP.
    pub address: String,
    /// A Unix socket. Empty: none.
    pub path: PathBuf,
}

/// What is written to the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// `error`, `warn`, `info` or `debug`.
    pub level: String,
}

impl Default for Journal {
    fn default() -> Self {
        Self { level: "warn".into() }
    }
}

/// A configuration, and the file that it came from.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// What it says.
    pub config: Config,
    path: PathBuf,
    text: String,
}

impl ConfigFile {
    /// Reads a file. What it says is not yet checked.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or has a key that does not exist.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.into(), source };
        let size_bytes = path.metadata().map_err(failed)?.len();
        if size_bytes > MAX_FILE_BYTES {
            return Err(ConfigError::TooLong { path: path.into(), most_bytes: MAX_FILE_BYTES });
        }
        Self::parse(path, std::fs::read_to_string(path).map_err(failed)?)
    }

    /// The same of a text that came from `path`.
    ///
    /// # Errors
    /// As [`ConfigFile::read`].
    pub fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        match toml::from_str(&text) {
            Ok(config) => Ok(Self { config, path: path.into(), text }),
            Err(error) => Err(ConfigError::syntax(path, &text, &error)),
        }
    }

    /// The defaults, of no file.
    pub fn absent() -> Self {
        Self { config: Config::default(), path: "(no file)".into(), text: String::new() }
    }

    /// Checks it all, and reads the files that it names but for the voices.
    ///
    /// # Errors
    /// Names the first value that is wrong, and its line.
    pub fn resolve(&self) -> Result<Resolved, ConfigError> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        resolved::resolve(&self.config, folder).map_err(|wrong| wrong.locate(&self.path, &self.text))
    }
}
