//! From what the file says to what the daemon does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::error::Wrong;
use super::{Config, Loudspeaker, Speech};
use crate::audio::SinkConfig;
use crate::compute::{Compute, ComputeError};
use crate::daemon::http::Token;
use crate::daemon::{Limits, LoudspeakerConfig};
use crate::engine::SpeakConfig;
use crate::voice::SearchPath;

/// What the daemon does.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Where voices are.
    pub search: SearchPath,
    /// The voice that speaks when none is named.
    pub default_voice: String,
    /// The user's own pronunciations, if they are kept.
    pub lexicon: Option<PathBuf>,
    /// Voices kept in memory at a time.
    pub most_loaded: usize,
    /// How to speak.
    pub speech: SpeakConfig,
    /// The loudspeaker, if there is one.
    pub loudspeaker: Option<LoudspeakerConfig>,
    /// Threads that compute; `None` for one less than there are cores.
    pub threads: Option<usize>,
    /// What the vocoder computes on.
    pub compute: Compute,
    /// The daemon's own socket.
    pub socket: PathBuf,
    /// The socket of what the loudspeaker plays.
    pub reference: Option<PathBuf>,
    /// Where HTTP is served.
    pub http: Option<SocketAddr>,
    /// What HTTP clients must show.
    pub http_token: Option<Token>,
    /// Where Wyoming is served over TCP.
    pub wyoming: Option<SocketAddr>,
    /// The Unix socket on which Wyoming is served.
    pub wyoming_socket: Option<PathBuf>,
    /// What clients may ask for.
    pub limits: Limits,
    /// What is written to the journal.
    pub journal_level: tracing::Level,
}

/// Where the socket is unless something else is said: in `$RUNTIME_DIRECTORY` (a service of systemd), in
/// `$XDG_RUNTIME_DIR/fastglow` (a user), or in `/run/fastglow`.
pub fn default_socket() -> PathBuf {
    let folder = folder_of("RUNTIME_DIRECTORY")
        .or_else(|| folder_of("XDG_RUNTIME_DIR").map(|folder| folder.join("fastglow")))
        .unwrap_or_else(|| "/run/fastglow".into());
    folder.join("fastglow.sock")
}

/// Of a variable that names one.
fn folder_of(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute())
}

pub(super) fn resolve(config: &Config, folder: &Path) -> Result<Resolved, Wrong> {
    let Config { voices, speech, loudspeaker, compute, socket, reference, http, wyoming: _, limits, journal } =
        config;
    within("voices", "most_loaded", voices.most_loaded as f64, 1.0, 64.0)?;
    within("compute", "threads", compute.threads as f64, 0.0, 256.0)?;
    let search = match voices.folders.as_slice() {
        [] => SearchPath::from_environment(),
        folders => SearchPath::new(folders.iter().map(|path| folder.join(path)).collect()),
    };
    let speech = resolve_speech(speech)?;
    let loudspeaker = resolve_loudspeaker(loudspeaker)?;
    check_limits(limits)?;
    let level = "expected `error`, `warn`, `info` or `debug`";
    let journal_level = journal.level.parse().map_err(|_| wrong("journal", "level", level))?;
    let http_token = match http.token_file.as_os_str() {
        path if path.is_empty() => None,
        path => {
            let token = Token::read(&folder.join(path));
            Some(token.map_err(|error| wrong("http", "token_file", error.to_string()))?)
        }
    };
    let http = address("http", &http.address)?;
    if http_token.is_none() && http.is_some_and(|address| !address.ip().is_loopback()) {
        let message = "other machines can reach this address: expected `token_file` beside it";
        return Err(wrong("http", "address", message));
    }
    let wyoming = address("wyoming", &config.wyoming.address)?;
    if wyoming.is_some_and(|address| !address.ip().is_loopback()) {
        let message =
            "expected an address of this machine alone, as `127.0.0.1:10200`: the protocol knows no token";
        return Err(wrong("wyoming", "address", message));
    }
    Ok(Resolved {
        search,
        default_voice: voices.default.clone(),
        lexicon: match voices.lexicon.as_os_str() {
            name if name.is_empty() => folder_of("STATE_DIRECTORY").map(|state| state.join("words.tsv")),
            name => Some(folder.join(name)),
        },
        most_loaded: voices.most_loaded,
        speech,
        loudspeaker,
        compute: compute
            .device
            .parse()
            .map_err(|error: ComputeError| wrong("compute", "device", error.to_string()))?,
        threads: Some(compute.threads).filter(|&threads| threads > 0),
        socket: place("socket", &socket.path, folder)?.unwrap_or_else(default_socket),
        reference: place("reference", &reference.path, folder)?,
        http,
        http_token,
        wyoming,
        wyoming_socket: place("wyoming", &config.wyoming.path, folder)?,
        limits: limits.clone(),
        journal_level,
    })
}

fn wrong(section: &'static str, key: &'static str, message: impl Into<String>) -> Wrong {
    Wrong { section, key, message: message.into() }
}

/// Written so that NaN is out of range.
fn within(section: &'static str, key: &'static str, got: f64, least: f64, most: f64) -> Result<(), Wrong> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(wrong(section, key, format!("expected {least} to {most}, got {got}")))
}

fn resolve_speech(speech: &Speech) -> Result<SpeakConfig, Wrong> {
    let resolved = SpeakConfig {
        seed: 0,
        rate: speech.rate,
        pitch_semitones: speech.pitch_semitones,
        volume_db: speech.volume_db,
        expressiveness: speech.expressiveness,
        speaker: speech.speaker,
        noise_scale: speech.noise_scale,
        denoise: (speech.denoise != -1.0).then_some(speech.denoise),
        first_window_frames: speech.first_window_frames,
        longest_window_frames: speech.longest_window_frames,
        ..SpeakConfig::default()
    };
    match resolved.validate() {
        Ok(()) => Ok(resolved),
        Err(error) => {
            let message = format!("expected {} to {}, got {}", error.least, error.most, error.got);
            Err(wrong("speech", error.what, message))
        }
    }
}

fn resolve_loudspeaker(from: &Loudspeaker) -> Result<Option<LoudspeakerConfig>, Wrong> {
    const SECTION: &str = "loudspeaker";
    let ranges = [
        ("volume_db", f64::from(from.volume_db), -60.0, 0.0),
        ("lead_in_ms", from.lead_in_ms.into(), 0.0, 5000.0),
        ("ring_ms", from.ring_ms.into(), 20.0, 10_000.0),
        ("prefill_ms", from.prefill_ms.into(), 0.0, from.ring_ms.into()),
        ("period_ms", from.period_ms.into(), 1.0, (from.ring_ms / 2).into()),
        ("idle_ms", from.idle_ms.into(), 0.0, 3_600_000.0),
        ("reconnect_ms", from.reconnect_ms.into(), 0.0, 600_000.0),
        ("realtime_priority", from.realtime_priority.into(), 0.0, 99.0),
    ];
    for (key, got, least, most) in ranges {
        within(SECTION, key, got, least, most)?;
    }
    if !matches!(from.sink.as_str(), "device" | "null" | "none") {
        return Err(wrong(SECTION, "sink", "expected `device`, `null` or `none`"));
    }
    let sink = SinkConfig {
        device: Some(from.device.clone()).filter(|name| !name.is_empty()),
        ring_ms: from.ring_ms,
        prefill_ms: from.prefill_ms,
        period_ms: from.period_ms,
        idle_ms: from.idle_ms,
        reconnect_ms: from.reconnect_ms,
        realtime_priority: Some(from.realtime_priority).filter(|&priority| priority > 0),
        ..SinkConfig::default()
    };
    let (volume_db, lead_in_ms) = (from.volume_db, from.lead_in_ms);
    let resolved = LoudspeakerConfig { sink_name: from.sink.clone(), sink, volume_db, lead_in_ms };
    Ok(Some(resolved).filter(|config| config.sink_name != "none"))
}

fn check_limits(limits: &Limits) -> Result<(), Wrong> {
    let ranges = [
        ("connections", limits.connections as f64, 1.0, 4096.0),
        ("request_bytes", limits.request_bytes as f64, 256.0, 16_777_216.0),
        ("text_bytes", limits.text_bytes as f64, 64.0, 1_048_576.0),
        ("queued_jobs", limits.queued_jobs as f64, 1.0, 4096.0),
        ("queued_jobs_per_client", limits.queued_jobs_per_client as f64, 1.0, limits.queued_jobs as f64),
        // An utterance's last event keeps its place.
        ("client_events", limits.client_events as f64, limits.queued_jobs_per_client as f64 + 8.0, 65_536.0),
        ("text_pause_ms", limits.text_pause_ms.into(), 100.0, 3_600_000.0),
        ("client_stall_ms", limits.client_stall_ms.into(), 10.0, 600_000.0),
        ("most_volume_db", limits.most_volume_db.into(), -60.0, 20.0),
    ];
    ranges.into_iter().try_for_each(|(key, got, least, most)| within("limits", key, got, least, most))
}

fn address(section: &'static str, text: &str) -> Result<Option<SocketAddr>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let message = format!("expected an IP address and a port, as `127.0.0.1:8080`, got `{text}`");
    text.parse().map(Some).map_err(|_| wrong(section, "address", message))
}

fn place(section: &'static str, path: &Path, folder: &Path) -> Result<Option<PathBuf>, Wrong> {
    /// What fits into a socket's address, with its end mark.
    const MAX_PATH_BYTES: usize = 107;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let path = folder.join(path);
    if path.as_os_str().len() > MAX_PATH_BYTES {
        return Err(wrong(section, "path", format!("expected at most {MAX_PATH_BYTES} bytes")));
    }
    Ok(Some(path))
}
