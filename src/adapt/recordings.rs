//! A folder of recordings: what is in it, and what is wrong with it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::AdaptError;
use crate::signal::{Recording, SignalError, read_wav};
use crate::text::normalise;

/// Most recordings of a folder.
pub(super) const MAX_RECORDINGS: usize = 5000;
/// Longest file of texts that is read.
const MAX_TEXT_BYTES: u64 = 4 << 20;
/// A recording shorter than this has no sentence in it.
const MIN_SECONDS: f64 = 0.6;
/// One longer than this makes a batch too large.
const MAX_SECONDS: f64 = 15.0;
/// Below this rate the upper half of the voice is missing.
const MIN_RATE_HZ: u32 = 16_000;
/// Share of samples at full scale above which it can be heard.
const MAX_CLIPPED_SHARE: f64 = 1e-3;
/// Samples at least this close to full scale count as clipped.
const CLIPPED: f32 = 0.999;
/// Speech quieter than this drowns in the sound card's own noise.
const MIN_SPEECH_DBFS: f64 = -50.0;
/// Speech must stand out from the noise by this much.
const MIN_SNR_DB: f64 = 15.0;
/// Level is measured in frames of this length.
const FRAME_SECONDS: f64 = 0.02;
/// Slowest and fastest speech, in letters per second.
const LETTERS_PER_SECOND: (f64, f64) = (2.0, 35.0);

/// A recording and what is said in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    /// The wave file.
    pub path: PathBuf,
    /// The text; `None` if there is none for this file.
    pub text: Option<String>,
}

impl Take {
    /// The file's name, for messages.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// What is wrong with a recording.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is not a wave file, or a damaged one.
    #[error("cannot be read: {0}; export it again as 16-bit WAV")]
    Unreadable(String),
    /// Nobody says what is said in it.
    #[error("no transcript; write its text into {0}")]
    NoTranscript(String),
    /// The transcript has no word.
    #[error("the transcript has no word that can be spoken; write what is said")]
    NoWords,
    /// Too many channels to be one microphone.
    #[error("{0} channels; record in mono or stereo")]
    Channels(u16),
    /// The rate is too low.
    #[error("{0} Hz; record at 22050 Hz or more")]
    Rate(u32),
    /// Nothing, or less than a sentence.
    #[error("{0:.1} s long; record at least 0.6 s")]
    Short(f64),
    /// More than the trainer takes at once.
    #[error("{0:.1} s long; cut it into sentences of at most 15 s")]
    Long(f64),
    /// It is silent, or nearly.
    #[error("silent (speech at {0:.0} dBFS); check the microphone and raise its level")]
    Silent(f64),
    /// It is overdriven.
    #[error("clipped ({0:.1} % of the samples at full scale); lower the microphone's level and record again")]
    Clipped(f64),
    /// Noise nearly as loud as the speech.
    #[error("noisy (speech only {0:.0} dB above the noise); record in a quiet room, near the microphone")]
    Noisy(f64),
    /// So many letters cannot be said in this time, or so few.
    #[error("{letters} letters in {seconds:.1} s of speech; check that the transcript is this recording's")]
    Pace {
        /// Letters of the transcript.
        letters: usize,
        /// Length of what is not silence.
        seconds: f64,
    },
    /// The sound does not follow the transcript.
    #[error("does not sound like its transcript (fit {0:.2}); check the text, or the language")]
    Misfit(f64),
    /// Something is said where the transcript has a pause.
    #[error("says {0:.1} s more than its transcript; complete the text")]
    Unwritten(f64),
}

/// A problem and the file that has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remark {
    /// The file's name.
    pub file: String,
    /// What is wrong, and what to do about it.
    pub problem: String,
}

impl Remark {
    pub(super) fn new(take: &Take, problem: &Problem) -> Self {
        Self { file: take.name(), problem: problem.to_string() }
    }
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.problem)
    }
}

/// A recording that passed the checks, cut to its speech.
#[derive(Debug, Clone)]
pub struct Check {
    /// Where the speech begins in the recording.
    pub start_seconds: f64,
    /// Samples at the file's rate, with little silence at both ends.
    pub samples: Vec<f32>,
    /// That rate.
    pub sample_rate_hz: u32,
    /// Level of the speech.
    pub speech_dbfs: f64,
    /// How far it stands out from the noise.
    pub snr_db: f64,
}

/// The recordings of a folder, in the order of their names.
///
/// # Errors
/// There are none, or too many, or the folder or its `metadata.csv` cannot be read.
pub fn find_recordings(folder: &Path) -> Result<Vec<Take>, AdaptError> {
    let metadata = folder.join("metadata.csv");
    let mut takes = if metadata.is_file() { listed(folder, &metadata)? } else { beside(folder)? };
    takes.sort_by(|a, b| a.path.cmp(&b.path));
    takes.dedup_by(|a, b| a.path == b.path);
    if takes.is_empty() {
        return Err(AdaptError::NoRecordings { folder: folder.into() });
    }
    if takes.len() > MAX_RECORDINGS {
        let (limit, got) = (MAX_RECORDINGS as u64, takes.len() as u64);
        return Err(AdaptError::TooMuch { folder: folder.into(), what: "recordings", limit, got });
    }
    Ok(takes)
}

/// Where they are from.
pub(super) fn folder_of(takes: &[Take]) -> PathBuf {
    takes.first().and_then(|take| take.path.parent()).map_or_else(PathBuf::new, Path::to_path_buf)
}

pub(super) fn read_text(path: &Path) -> Result<String, AdaptError> {
    let size = std::fs::metadata(path).map_err(AdaptError::io(path))?.len();
    if size > MAX_TEXT_BYTES {
        let what = "bytes of text";
        return Err(AdaptError::TooMuch { folder: path.into(), what, limit: MAX_TEXT_BYTES, got: size });
    }
    let bytes = std::fs::read(path).map_err(AdaptError::io(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// LJSpeech's list: `file|text` or `file|text|text as spoken`, files in `wavs/` or beside the list.
fn listed(folder: &Path, metadata: &Path) -> Result<Vec<Take>, AdaptError> {
    let text = read_text(metadata)?;
    let mut takes = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut fields = line.split('|').map(str::trim);
        let (Some(file), Some(text)) = (fields.next(), fields.next_back()) else {
            return Err(AdaptError::Metadata { path: metadata.into(), line: index + 1 });
        };
        let file = if file.ends_with(".wav") { file.to_owned() } else { format!("{file}.wav") };
        let inside = folder.join("wavs").join(&file);
        let path = if inside.is_file() { inside } else { folder.join(&file) };
        takes.push(Take { path, text: Some(text.to_owned()).filter(|text| !text.is_empty()) });
    }
    Ok(takes)
}

fn beside(folder: &Path) -> Result<Vec<Take>, AdaptError> {
    let mut takes = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(AdaptError::io(folder))? {
        let path = entry.map_err(AdaptError::io(folder))?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav")) {
            let text = path.with_extension("txt");
            let text = if text.is_file() { Some(read_text(&text)?.trim().to_owned()) } else { None };
            takes.push(Take { path, text: text.filter(|text| !text.is_empty()) });
        }
    }
    Ok(takes)
}

/// Checks one recording after the other; gives what each is or what is wrong with it.
pub fn check_recordings(takes: &[Take]) -> impl Iterator<Item = Result<Check, Problem>> {
    takes.iter().map(check)
}

fn check(take: &Take) -> Result<Check, Problem> {
    let text = take.text.as_deref().ok_or_else(|| {
        let text = take.path.with_extension("txt");
        Problem::NoTranscript(text.file_name().unwrap_or_default().to_string_lossy().into_owned())
    })?;
    // Before the sound is read: without a word it is of no use.
    normalise(text).speakable().map_err(|_| Problem::NoWords)?;
    let recording = read_wav(&take.path).map_err(|error| {
        Problem::Unreadable(match error {
            SignalError::Wav { source, .. } => source.to_string(),
            SignalError::WavContents { what, expected, got, .. } => {
                format!("{what}: expected {expected}, got {got}")
            }
            other => other.to_string(),
        })
    })?;
    check_sound(text, &recording)
}

/// Checks one recording of `text`, wherever it comes from.
///
/// # Errors
/// What is wrong with it.
pub fn check_sound(text: &str, recording: &Recording) -> Result<Check, Problem> {
    let &Recording { ref samples, sample_rate_hz, channel_count } = recording;
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
    if channel_count > 2 {
        return Err(Problem::Channels(channel_count));
    }
    if sample_rate_hz < MIN_RATE_HZ {
        return Err(Problem::Rate(sample_rate_hz));
    }
    let seconds = samples.len() as f64 / f64::from(sample_rate_hz);
    if seconds < MIN_SECONDS {
        return Err(Problem::Short(seconds));
    }
    let levels = Levels::of(samples, sample_rate_hz);
    if levels.speech_dbfs < MIN_SPEECH_DBFS {
        return Err(Problem::Silent(levels.speech_dbfs.max(-120.0)));
    }
    let clipped = samples.iter().filter(|sample| sample.abs() >= CLIPPED).count() as f64;
    let clipped_share = clipped / samples.len() as f64;
    if clipped_share > MAX_CLIPPED_SHARE {
        return Err(Problem::Clipped(100.0 * clipped_share));
    }
    if levels.snr_db() < MIN_SNR_DB {
        return Err(Problem::Noisy(levels.snr_db()));
    }
    let speech = levels.speech_range(samples.len());
    let spoken_seconds = speech.len() as f64 / f64::from(sample_rate_hz);
    if spoken_seconds > MAX_SECONDS {
        return Err(Problem::Long(spoken_seconds));
    }
    let pace = letters as f64 / spoken_seconds;
    if !(LETTERS_PER_SECOND.0..=LETTERS_PER_SECOND.1).contains(&pace) {
        return Err(Problem::Pace { letters, seconds: spoken_seconds });
    }
    Ok(Check {
        start_seconds: speech.start as f64 / f64::from(sample_rate_hz),
        samples: samples[speech].to_vec(),
        sample_rate_hz,
        speech_dbfs: levels.speech_dbfs,
        snr_db: levels.snr_db(),
    })
}

/// How loud a recording is, frame by frame.
struct Levels {
    frames_dbfs: Vec<f64>,
    frame_samples: usize,
    /// The loudest twentieth of the frames is louder.
    speech_dbfs: f64,
    /// The quietest twentieth is quieter.
    noise_dbfs: f64,
}

impl Levels {
    fn of(samples: &[f32], rate_hz: u32) -> Self {
        let frame_samples = ((FRAME_SECONDS * f64::from(rate_hz)) as usize).max(1);
        // A microphone's constant offset is no sound.
        let offset = samples.iter().sum::<f32>() / samples.len().max(1) as f32;
        let level = |frame: &[f32]| {
            let power = frame.iter().map(|x| f64::from(x - offset).powi(2)).sum::<f64>() / frame.len() as f64;
            10.0 * (power + 1e-12).log10()
        };
        let frames_dbfs: Vec<f64> = samples.chunks(frame_samples).map(level).collect();
        let mut sorted = frames_dbfs.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).copied().unwrap_or(-120.0);
        Self { frame_samples, speech_dbfs: at(0.95), noise_dbfs: at(0.05), frames_dbfs }
    }

    fn snr_db(&self) -> f64 {
        self.speech_dbfs - self.noise_dbfs
    }

    /// From a little before the first loud frame to a little after the last.
    fn speech_range(&self, sample_count: usize) -> std::ops::Range<usize> {
        const MARGIN_SECONDS: f64 = 0.14;
        let margin = (MARGIN_SECONDS / FRAME_SECONDS) as usize;
        let threshold = (self.speech_dbfs - 40.0).max(self.noise_dbfs + 0.3 * self.snr_db());
        let is_loud = |level: &f64| *level > threshold;
        let first = self.frames_dbfs.iter().position(is_loud).unwrap_or(0).saturating_sub(margin);
        let last = self.frames_dbfs.iter().rposition(is_loud).unwrap_or(0) + 1 + margin;
        first * self.frame_samples..(last * self.frame_samples).min(sample_count)
    }
}
