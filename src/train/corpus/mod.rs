//! Makes the speech that a voice is trained on: texts, and a free synthesizer that speaks them with exact phone times.
//!
//! ```text
//!  fortunes ─┐
//!            ├─▶ texts.txt ──▶ festival ──▶ utterances/00000.wav + 00000.lab
//!  templates ┘
//! ```
//! A text is known by its line number in `texts.txt`. A run that was stopped goes on where it was.

mod festival;
mod labels;
mod numbers;
mod sentences;
mod templates;
mod text_rules;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

pub use labels::{LabelError, LabelWord, Labels, Segment, SegmentPlace};
pub use sentences::SentenceGenerator;
pub use text_rules::is_plain_text;

use sentences::Choices;

use crate::atomic_file;

/// The list of texts in a corpus folder.
pub const TEXTS_FILE: &str = "texts.txt";
/// The folder of wave and label files in a corpus folder.
pub const UTTERANCES_DIR: &str = "utterances";
/// One in so many utterances is held out for validation; see [`is_held_out`].
pub const HELD_OUT_EVERY: usize = 50;
/// Utterances per run of the teacher.
const BATCH_UTTERANCES: usize = 50;
const MAX_UTTERANCES: usize = 100_000;
const MAX_FORTUNE_BYTES: u64 = 16 << 20;

/// True for utterances that are not trained on, by line number in `texts.txt` from 0.
pub fn is_held_out(index: usize) -> bool {
    index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
}

/// What to make.
#[derive(Debug, Clone)]
pub struct CorpusConfig {
    /// The corpus folder; made if absent.
    pub directory: PathBuf,
    /// Debian's fortune files.
    pub fortunes_directory: PathBuf,
    /// Festival's name of the teacher's voice.
    pub teacher_voice: String,
    /// How many texts, 1 to 100,000.
    pub utterance_count: usize,
    /// Which share of them comes from the templates, 0 to 1; the rest are fortunes.
    pub generated_share: f64,
    /// Chooses the texts and their order.
    pub seed: u64,
    /// Texts that must not occur: the evaluation sentences.
    pub excluded_texts: Vec<String>,
}

impl Default for CorpusConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("corpus"),
            fortunes_directory: PathBuf::from("/usr/share/games/fortunes"),
            teacher_voice: "cmu_us_slt_arctic_hts".to_owned(),
            utterance_count: 4000,
            generated_share: 0.3,
            seed: 1,
            excluded_texts: Vec::new(),
        }
    }
}

/// What a run of [`make_corpus`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorpusSummary {
    /// Utterances in the corpus now.
    pub utterance_count: usize,
    /// Those of them that were there before.
    pub found_count: usize,
}

/// Why a corpus could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// The teacher is not installed.
    #[error("corpus: festival is not installed")]
    FestivalMissing,
    /// Festival is there, its voice is not.
    #[error("corpus: festival has no voice {voice}: {message}")]
    VoiceMissing {
        /// The voice asked for.
        voice: String,
        /// What festival said.
        message: String,
    },
    /// The teacher failed on a batch. What was finished before is kept.
    #[error("corpus: festival failed: {message}")]
    TeacherFailed {
        /// What festival said.
        message: String,
    },
    /// The fortunes are absent or too few.
    #[error("corpus: fortunes in {}: expected {expected} usable texts, got {got}", directory.display())]
    TooFewTexts {
        /// Where they were looked for.
        directory: PathBuf,
        /// How many were needed.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A text that the two front ends might read differently.
    #[error("corpus: text {index}: expected words and plain punctuation, got '{text}'")]
    UnfitText {
        /// Its place in the list, from 0.
        index: usize,
        /// The text.
        text: String,
    },
    /// A setting out of range.
    #[error("corpus: {setting}: expected {expected}, got {got}")]
    BadSetting {
        /// The field of [`CorpusConfig`].
        setting: &'static str,
        /// The range.
        expected: &'static str,
        /// What was given.
        got: String,
    },
    /// A file could not be read or written.
    #[error("corpus: {path}: {source}")]
    Io {
        /// Which one.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A label file is damaged.
    #[error("corpus: {path}: {source}")]
    Label {
        /// Which one.
        path: String,
        /// What is wrong in it.
        source: LabelError,
    },
}

impl CorpusError {
    /// What the user can do about it, if anything is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::FestivalMissing => "on Debian: apt install festival festvox-us-slt-hts".to_owned(),
            Self::VoiceMissing { voice, .. } if voice == "cmu_us_slt_arctic_hts" => {
                "on Debian: apt install festvox-us-slt-hts".to_owned()
            }
            Self::VoiceMissing { .. } => "festival lists its voices with (voice.list)".to_owned(),
            Self::TooFewTexts { .. } => {
                "on Debian: apt install fortunes; or ask for fewer utterances or a larger generated share"
                    .to_owned()
            }
            Self::Label { path, .. } => {
                format!("delete {path} and make the corpus again; only what is missing is made")
            }
            _ => return None,
        })
    }

    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().display().to_string();
        move |source| Self::Io { path, source }
    }
}

/// Chooses texts, writes them to `texts.txt` and has them spoken. Calls `progress(done, total)` after each batch.
///
/// Needs Debian's `festival`, `festvox-us-slt-hts` and `fortunes`. Utterances already there are kept if their label file
/// holds the same text, so a stopped run can be repeated; each file appears whole or not at all.
///
/// # Errors
/// See [`CorpusError`]; packages that are missing are named in the hint.
pub fn make_corpus(
    config: &CorpusConfig,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<CorpusSummary, CorpusError> {
    festival::check(&config.teacher_voice)?;
    let texts = choose_texts(config)?;
    let directory = &config.directory;
    std::fs::create_dir_all(directory).map_err(CorpusError::io(directory))?;
    let list = directory.join(TEXTS_FILE);
    atomic_file::write(&list, |file| writeln!(file, "{}", texts.join("\n")))
        .map_err(CorpusError::io(&list))?;
    speak_texts(&texts, &config.teacher_voice, &directory.join(UTTERANCES_DIR), progress)
}

/// Has `texts` spoken by the festival voice to `00000.wav`, `00000.lab` and so on in `directory`.
///
/// # Errors
/// [`CorpusError::UnfitText`] for a text that is not [plain](is_plain_text); otherwise as [`make_corpus`].
pub fn speak_texts(
    texts: &[String],
    teacher_voice: &str,
    directory: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<CorpusSummary, CorpusError> {
    if let Some(index) = texts.iter().position(|text| !is_plain_text(text)) {
        return Err(CorpusError::UnfitText { index, text: texts[index].clone() });
    }
    std::fs::create_dir_all(directory).map_err(CorpusError::io(directory))?;
    let missing: Vec<_> = (0..texts.len()).filter(|&i| !is_spoken(directory, i, &texts[i])).collect();
    let found_count = texts.len() - missing.len();
    progress(found_count, texts.len());
    for (batch, indices) in missing.chunks(BATCH_UTTERANCES).enumerate() {
        let stems: Vec<_> = indices.iter().map(|&i| stem(i)).collect();
        let jobs: Vec<_> = stems.iter().zip(indices).map(|(stem, &i)| (&**stem, &*texts[i])).collect();
        let work = tempfile::TempDir::new_in(directory).map_err(CorpusError::io(directory))?;
        festival::speak(teacher_voice, &jobs, work.path())?;
        for (stem, text) in jobs {
            if read_labels(&work.path().join(format!("{stem}.lab")))?.text != text {
                return Err(CorpusError::TeacherFailed {
                    message: format!("other labels than asked for: '{text}'"),
                });
            }
            // The label file comes last: where it stands, the wave is whole.
            for extension in ["wav", "lab"] {
                let name = format!("{stem}.{extension}");
                let target = directory.join(&name);
                std::fs::rename(work.path().join(&name), &target).map_err(CorpusError::io(&target))?;
            }
        }
        progress(found_count + batch * BATCH_UTTERANCES + indices.len(), texts.len());
    }
    Ok(CorpusSummary { utterance_count: texts.len(), found_count })
}

/// The file stem of utterance `index`.
pub fn stem(index: usize) -> String {
    format!("{index:05}")
}

/// Reads one label file.
///
/// # Errors
/// If it cannot be read, is over a megabyte, or is damaged.
pub fn read_labels(path: &Path) -> Result<Labels, CorpusError> {
    let contents = read_text(path, labels::MAX_LABEL_BYTES)?;
    Labels::parse(&contents).map_err(|source| CorpusError::Label { path: path.display().to_string(), source })
}

fn is_spoken(directory: &Path, index: usize, text: &str) -> bool {
    let stem = stem(index);
    directory.join(format!("{stem}.wav")).is_file()
        && read_labels(&directory.join(format!("{stem}.lab"))).is_ok_and(|labels| labels.text == text)
}

fn choose_texts(config: &CorpusConfig) -> Result<Vec<String>, CorpusError> {
    let bad = |setting, expected, got: String| Err(CorpusError::BadSetting { setting, expected, got });
    if !(1..=MAX_UTTERANCES).contains(&config.utterance_count) {
        return bad("utterance_count", "1 to 100000", config.utterance_count.to_string());
    }
    if !(0.0..=1.0).contains(&config.generated_share) {
        return bad("generated_share", "0 to 1", config.generated_share.to_string());
    }
    let generated_count = (config.utterance_count as f64 * config.generated_share).round() as usize;
    let fortune_count = config.utterance_count - generated_count;
    let excluded: HashSet<_> = config.excluded_texts.iter().map(|text| text.to_lowercase()).collect();

    let mut random = Choices::new(config.seed);
    let mut texts = if fortune_count > 0 { fortunes(&config.fortunes_directory)? } else { Vec::new() };
    texts.retain(|text| !excluded.contains(&text.to_lowercase()));
    random.shuffle(&mut texts);
    let generator = SentenceGenerator::new(config.seed);
    let found = texts.len();
    texts.truncate(fortune_count);
    texts.extend(generator.filter(|text| !excluded.contains(&text.to_lowercase())).take(generated_count));
    if texts.len() < config.utterance_count {
        let directory = config.fortunes_directory.clone();
        return Err(CorpusError::TooFewTexts { directory, expected: fortune_count, got: found });
    }
    // Mixed, so that any first part of the corpus, and the held-out part, is a fair sample.
    random.shuffle(&mut texts);
    Ok(texts)
}

fn fortunes(directory: &Path) -> Result<Vec<String>, CorpusError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.map_err(CorpusError::io(directory))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_file() && text_rules::is_used_file(name) {
            paths.push(path);
        }
    }
    // The system lists files in any order.
    paths.sort();
    let mut seen = HashSet::new();
    let mut texts = Vec::new();
    for path in paths {
        texts.extend(text_rules::fortune_texts(&read_text(&path, MAX_FORTUNE_BYTES)?, &mut seen));
    }
    Ok(texts)
}

/// Reads a text of bounded size; bytes that are not UTF-8 become replacement characters, which no rule lets through.
fn read_text(path: &Path, max_bytes: u64) -> Result<String, CorpusError> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(CorpusError::io(path))?;
    let mut bytes = Vec::new();
    let count = file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(CorpusError::io(path))?;
    if count as u64 > max_bytes {
        let error = std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("over {max_bytes} bytes"));
        return Err(CorpusError::io(path)(error));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
