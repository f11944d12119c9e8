//! Recording sentences one after the other into a folder that can be adapted from: which comes next, and what of it stays.
//!
//! ```text
//!  prompt ──▶ take ──▶ sound: written, next open prompt
//!    ▲          └────▶ problem: the same prompt again
//!    └── skip, back, redo
//! ```

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::recordings::{Check, Problem, Take, check_recordings, check_sound, find_recordings};
use super::{AdaptError, stages};
use crate::atomic_file::AtomicFile;
use crate::audio::to_pcm16;
use crate::signal::Recording;

/// Speech that makes a good voice; more gains little by little.
const GOOD_SECONDS: f64 = 180.0;

/// What became of a take.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is sound, and written.
    Kept {
        /// Its speech, without the silence around it.
        seconds: f64,
        /// How loud that is.
        speech_dbfs: f64,
        /// How far it stands out from the noise.
        snr_db: f64,
    },
    /// It is of no use; nothing was written, and an earlier take of this prompt is still there.
    Refused(Problem),
}

/// Whether there is enough to adapt a voice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Enough {
    /// Fewer sentences than the least that adaptation accepts: this many more are needed.
    TooFew(usize),
    /// It can be tried; this many seconds more make a good voice.
    Least(f64),
    /// Three minutes or more.
    Good,
}

/// How far the recording has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Prompts that have a sound take.
    pub kept: usize,
    /// Prompts in all.
    pub prompts: usize,
    /// Speech in the sound takes.
    pub seconds: f64,
}

impl Progress {
    /// Whether that is enough.
    pub fn enough(&self) -> Enough {
        match stages::MIN_PAIRS.saturating_sub(self.kept) {
            0 if self.seconds >= GOOD_SECONDS => Enough::Good,
            0 => Enough::Least(GOOD_SECONDS - self.seconds),
            missing => Enough::TooFew(missing),
        }
    }
}

/// A folder of takes in the making. All that is kept is on the disk; another recorder goes on from there.
pub struct Recorder {
    folder: PathBuf,
    prompts: Vec<Slot>,
    /// The prompt that is asked; past the end if all are done.
    at: usize,
    last_kept: Option<usize>,
    /// Names in the folder, without their endings.
    names: HashSet<String>,
}

struct Slot {
    text: String,
    /// The file of this sentence, if there is one, sound or not.
    path: Option<PathBuf>,
    /// Seconds of its sound take.
    kept: Option<f64>,
    is_skipped: bool,
}

impl Slot {
    fn is_open(&self) -> bool {
        self.kept.is_none() && !self.is_skipped
    }
}

impl Recorder {
    /// Begins to record `prompts` into `folder`, which is made if it is not there. A prompt that has a sound take there,
    /// by its text, is not asked again.
    ///
    /// # Errors
    /// The folder cannot be made or read, or has a `metadata.csv`.
    pub fn open(folder: &Path, prompts: Vec<String>) -> Result<Self, AdaptError> {
        std::fs::create_dir_all(folder).map_err(AdaptError::io(folder))?;
        if folder.join("metadata.csv").is_file() {
            return Err(AdaptError::Listed { folder: folder.into() });
        }
        let takes = match find_recordings(folder) {
            Err(AdaptError::NoRecordings { .. }) => Vec::new(),
            takes => takes?,
        };
        // The first of several takes of a text; a sound one if there is one.
        let mut known: HashMap<&str, (&Take, Option<f64>)> = HashMap::new();
        for (take, check) in takes.iter().zip(check_recordings(&takes)) {
            let Some(text) = take.text.as_deref() else { continue };
            let seconds = check.ok().map(|check| seconds_of(&check));
            let entry = known.entry(text).or_insert((take, seconds));
            if entry.1.is_none() && seconds.is_some() {
                *entry = (take, seconds);
            }
        }
        let slot = |text: String| {
            let (path, kept) = known
                .get(text.as_str())
                .map_or((None, None), |(take, kept)| (Some(take.path.clone()), *kept));
            Slot { text, path, kept, is_skipped: false }
        };
        let prompts = prompts.into_iter().map(slot).collect();
        let mut recorder =
            Self { folder: folder.into(), prompts, at: 0, last_kept: None, names: names_in(folder)? };
        recorder.advance(0);
        Ok(recorder)
    }

    /// The sentence to read; `None` when there is none left.
    pub fn prompt(&self) -> Option<&str> {
        self.prompts.get(self.at).map(|slot| slot.text.as_str())
    }

    /// The number of that sentence, from 1.
    pub fn number(&self) -> usize {
        self.at + 1
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let kept = self.prompts.iter().filter_map(|slot| slot.kept);
        Progress { kept: kept.clone().count(), prompts: self.prompts.len(), seconds: kept.sum() }
    }

    /// Judges a take of the prompt. A sound one is written, in place of any before it, and the next prompt is asked; for
    /// another the same one is asked again. Without a prompt nothing happens, and `None` is given.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn take(&mut self, mut recording: Recording) -> Result<Option<Verdict>, AdaptError> {
        let Some(slot) = self.prompts.get_mut(self.at) else { return Ok(None) };
        // What is judged is what the file will have.
        let pcm: Vec<i16> = recording.samples.iter().map(|&sample| to_pcm16(sample)).collect();
        recording.samples = pcm.iter().map(|&sample| f32::from(sample) / 32768.0).collect();
        let check = match check_sound(&slot.text, &recording) {
            Ok(check) => check,
            Err(problem) => return Ok(Some(Verdict::Refused(problem))),
        };
        let path = match &slot.path {
            Some(path) => path.clone(),
            None => self.folder.join(free_name(&mut self.names)).with_extension("wav"),
        };
        // The text first: a wave file never lies there without it.
        write_whole(&path.with_extension("txt"), format!("{}\n", slot.text).as_bytes())?;
        write_whole(&path, &wav_bytes(&pcm, recording.sample_rate_hz))?;
        let seconds = seconds_of(&check);
        (slot.path, slot.kept, slot.is_skipped) = (Some(path), Some(seconds), false);
        self.last_kept = Some(self.at);
        self.advance(self.at + 1);
        Ok(Some(Verdict::Kept { seconds, speech_dbfs: check.speech_dbfs, snr_db: check.snr_db }))
    }

    /// Leaves the prompt out, until the folder is opened anew.
    pub fn skip(&mut self) {
        if let Some(slot) = self.prompts.get_mut(self.at) {
            slot.is_skipped = true;
            self.advance(self.at + 1);
        }
    }

    /// Asks the prompt before this one, whatever became of it; its take stays until a sound one replaces it.
    pub fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    /// Asks the prompt that was kept last, to read it better; `false` if none was.
    pub fn redo(&mut self) -> bool {
        self.at = self.last_kept.unwrap_or(self.at);
        self.last_kept.is_some()
    }

    /// To the first open prompt from `from` on, or else from the beginning.
    fn advance(&mut self, from: usize) {
        let open = |slot: &Slot| slot.is_open();
        let after = self.prompts.iter().skip(from).position(open).map(|i| from + i);
        let any = || self.prompts.iter().position(open);
        self.at = after.or_else(any).unwrap_or(self.prompts.len());
    }
}

fn seconds_of(check: &Check) -> f64 {
    check.samples.len() as f64 / f64::from(check.sample_rate_hz)
}

fn names_in(folder: &Path) -> Result<HashSet<String>, AdaptError> {
    let mut names = HashSet::new();
    for entry in std::fs::read_dir(folder).map_err(AdaptError::io(folder))? {
        let path = entry.map_err(AdaptError::io(folder))?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    Ok(names)
}

/// A name that no file has yet, whatever its ending.
fn free_name(names: &mut HashSet<String>) -> String {
    let mut number = names.len();
    loop {
        number += 1;
        let name = format!("take-{number:04}");
        if names.insert(name.clone()) {
            return name;
        }
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), AdaptError> {
    let write = || {
        let mut file = AtomicFile::create(path)?;
        file.write_all(bytes)?;
        file.commit()
    };
    write().map_err(AdaptError::io(path))
}

fn wav_bytes(pcm: &[i16], sample_rate_hz: u32) -> Vec<u8> {
    let mut bytes = crate::audio::wav_header(sample_rate_hz, Some(2 * pcm.len() as u64));
    bytes.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests;
