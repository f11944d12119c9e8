//! From a corpus to what the trainers read: waveform, mel, energy, F0, voicing, aligned excitation, timed phones.
//!
//! ```text
//!  utterances/00000.wav ──▶ 22,050 Hz, one gain for all, dither ──▶ mel, energy, F0, voicing ──▶ excitation ─┐
//!  utterances/00000.lab ──▶ phones with durations in frames ────────────────────────────────────────────────┼─▶ train.features
//!                                                                                                             └─▶ held_out.features
//! ```

mod phones;
mod store;

use std::path::{Path, PathBuf};

pub use phones::{Agreement, Disagreement, TimedPhones};
pub use store::{FeatureHeader, FeatureReader};

use crate::phoneme::Pronouncer;
use crate::signal::{
    ExcitationConfig, F0Config, F0Tracker, MelConfig, MelSpectrogram, SignalError, SourceFrame,
    aligned_excitation, continuous_log_f0, read_wav, resample,
};
use crate::train::corpus::{self, CorpusError, Labels};

use phones::{FrameClock, timed_phones};
use store::{FeatureWriter, stored_sample};

/// F0 of an utterance without a voiced frame.
const FALLBACK_HZ: f32 = 180.0;
/// The corpus is never made louder than this peak.
const MAX_PEAK: f32 = 0.98;

/// Which part of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// For training.
    Train,
    /// For validation: see [`corpus::is_held_out`].
    HeldOut,
}

impl Split {
    /// The name of its feature file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Train => "train.features",
            Self::HeldOut => "held_out.features",
        }
    }
}

/// One utterance as the trainers read it. T frames of `hop` samples; frame t stands for sample t · hop.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Its line in the corpus's list of texts, from 0.
    pub index: usize,
    /// The text spoken.
    pub text: String,
    /// Its words, lower case; phones refer to them.
    pub words: Vec<String>,
    /// Phones and their durations, which add up to T.
    pub timed: TimedPhones,
    /// Waveform, `[T · hop]`, full scale ±1.
    pub samples: Vec<f32>,
    /// Unit-power pulse train aligned to the waveform, `[T · hop]`, 0 where unvoiced.
    pub excitation: Vec<f32>,
    /// Log-mels, row-major `[T, bands]`.
    pub mel: Vec<f32>,
    /// Norm of each frame's magnitude spectrum, `[T]`.
    pub energy: Vec<f32>,
    /// ln F0 in Hz, linear through unvoiced frames, `[T]`.
    pub log_f0: Vec<f32>,
    /// 1 voiced, 0 unvoiced, `[T]`.
    pub voicing: Vec<f32>,
}

impl Utterance {
    /// T.
    pub fn frame_count(&self) -> usize {
        self.log_f0.len()
    }
}

/// What is known of a recording without knowing what is said in it; fields as in [`Utterance`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tracks {
    /// Waveform.
    pub samples: Vec<f32>,
    /// Pulse train aligned to it.
    pub excitation: Vec<f32>,
    /// Log-mels.
    pub mel: Vec<f32>,
    /// Norms of the magnitude spectra.
    pub energy: Vec<f32>,
    /// ln F0 in Hz.
    pub log_f0: Vec<f32>,
    /// 1 voiced, 0 unvoiced.
    pub voicing: Vec<f32>,
}

impl Tracks {
    /// The utterance in which these phones are said.
    pub fn with_phones(
        self,
        index: usize,
        timed: TimedPhones,
        (text, words): (String, Vec<String>),
    ) -> Utterance {
        let Self { samples, excitation, mel, energy, log_f0, voicing } = self;
        Utterance { index, text, words, timed, samples, excitation, mel, energy, log_f0, voicing }
    }
}

/// How features are made.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureConfig {
    /// Rate, hop and mels.
    pub mel: MelConfig,
    /// Pitch tracking; its rate and hop must be those of `mel`.
    pub f0: F0Config,
    /// The level to which the whole corpus is brought by one gain, as the mean power of all samples, silence included.
    pub level_dbfs: f32,
    /// Standard deviation of the noise added, so that no frame is digitally silent.
    pub dither: f32,
    /// Longer utterances are left out and counted.
    pub max_seconds: f64,
}

impl Default for FeatureConfig {
    fn default() -> Self {
        Self {
            mel: MelConfig::default(),
            f0: F0Config::default(),
            level_dbfs: -23.0,
            dither: 1e-4,
            max_seconds: 12.0,
        }
    }
}

/// What [`extract_corpus`] did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureSummary {
    /// Utterances for training.
    pub train_count: usize,
    /// Utterances held out.
    pub held_out_count: usize,
    /// Utterances left out as too long.
    pub too_long_count: usize,
    /// Length of all that was kept.
    pub total_seconds: f64,
    /// The gain applied.
    pub gain: f32,
}

/// Why features could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// The corpus is absent or damaged.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// A recording could not be read or analysed.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// A phone that is in neither phone set: another teacher than festival's.
    #[error("features: phone '{phone}' in word '{word}': expected a phone of festival's radio set")]
    Phone {
        /// The phone.
        phone: String,
        /// Its word, if known.
        word: String,
    },
    /// Labels and sound of an utterance do not belong together.
    #[error("features: labels end at {label_s:.3} s, the sound at {sound_s:.3} s")]
    Times {
        /// End of the last label.
        label_s: f64,
        /// Length of the recording.
        sound_s: f64,
    },
    /// An utterance in which nothing is said.
    #[error("features: expected phones in the labels, got silence only")]
    NoPhones,
    /// One utterance failed.
    #[error("features: utterance {index}: {source}")]
    Utterance {
        /// Its line in the list of texts, from 0.
        index: usize,
        /// What went wrong.
        source: Box<FeatureError>,
    },
    /// There is nothing to learn from.
    #[error("features: {directory}: expected utterances with sound, got silence or none")]
    Empty {
        /// The corpus folder.
        directory: String,
    },
    /// A feature file is damaged or of another version.
    #[error("features: {path}: {what}")]
    File {
        /// Which one.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A file could not be read or written.
    #[error("features: {path}: {source}")]
    Io {
        /// Which one.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl FeatureError {
    /// What the user can do about it, if anything is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Corpus(error) => error.hint(),
            Self::Signal(error) => error.hint(),
            Self::Utterance { source, .. } => source.hint(),
            Self::Times { .. } => {
                Some("delete the utterance's two files and make the corpus again".to_owned())
            }
            Self::Empty { .. } => Some("make the corpus first".to_owned()),
            Self::File { .. } => Some("make the features again from the corpus".to_owned()),
            Self::Phone { .. } | Self::NoPhones | Self::Io { .. } => None,
        }
    }

    fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().display().to_string();
        move |source| Self::Io { path, source }
    }
}

/// Makes the features of one recording, given at the configured rate and final level.
#[derive(Debug, Clone)]
pub struct FeatureExtractor {
    mel: MelSpectrogram,
    f0: F0Tracker,
    dither: f32,
    pronouncer: Pronouncer,
}

impl FeatureExtractor {
    /// Plans the analyses.
    ///
    /// # Errors
    /// For settings out of range, or rates and hops that differ between mel and pitch.
    pub fn new(config: &FeatureConfig) -> Result<Self, SignalError> {
        let bad = |setting, got| SignalError::BadSetting { setting, expected: "that of the mels", got };
        if config.f0.sample_rate_hz != config.mel.sample_rate_hz {
            return Err(bad("f0.sample_rate_hz", f64::from(config.f0.sample_rate_hz)));
        }
        if config.f0.hop_samples != config.mel.hop_samples {
            return Err(bad("f0.hop_samples", config.f0.hop_samples as f64));
        }
        Ok(Self {
            mel: MelSpectrogram::new(config.mel)?,
            f0: F0Tracker::new(config.f0)?,
            dither: config.dither,
            pronouncer: Pronouncer::new(),
        })
    }

    /// Features of a recording whose phones and times are known.
    ///
    /// # Errors
    /// A recording too short to analyse, or labels that do not fit it.
    pub fn utterance(
        &self,
        index: usize,
        samples: Vec<f32>,
        labels: &Labels,
    ) -> Result<Utterance, FeatureError> {
        let tracks = self.tracks(index, samples)?;
        let config = self.mel.config();
        let frames_per_second = f64::from(config.sample_rate_hz) / config.hop_samples as f64;
        let clock = FrameClock { frame_count: tracks.log_f0.len(), frames_per_second };
        let (timed, words) = timed_phones(labels, clock, &|word| Some(self.pronouncer.word(word).phones))?;
        Ok(tracks.with_phones(index, timed, (labels.text.clone(), words)))
    }

    /// Cuts to whole frames, dithers (the same noise for the same `index`), and analyses.
    ///
    /// # Errors
    /// A recording too short to analyse.
    pub fn tracks(&self, index: usize, mut samples: Vec<f32>) -> Result<Tracks, SignalError> {
        let config = self.mel.config();
        let hop_samples = config.hop_samples;
        let frame_count = samples.len() / hop_samples;
        samples.truncate(frame_count * hop_samples);
        let mut noise = Noise(index as u64 + 1);
        samples.iter_mut().for_each(|sample| *sample = stored_sample(*sample + self.dither * noise.next()));

        let mut mel = self.mel.forward(&samples)?;
        mel.truncate(frame_count);
        let mut track = self.f0.track(&samples)?;
        track.truncate(frame_count);
        let log_f0 = continuous_log_f0(&track, FALLBACK_HZ);
        let voicing: Vec<f32> = track.iter().map(|hz| if hz.is_some() { 1.0 } else { 0.0 }).collect();
        let frame = |(&log_f0, &voicing): (&f32, &f32)| SourceFrame { log_f0, voicing };
        let frames: Vec<_> = log_f0.iter().zip(&voicing).map(frame).collect();
        let source = ExcitationConfig { sample_rate_hz: config.sample_rate_hz, hop_samples };
        let excitation = aligned_excitation(source, &samples, &frames)?;

        Ok(Tracks { samples, excitation, mel: mel.log_mel, energy: mel.energy, log_f0, voicing })
    }
}

/// Normal noise of unit variance, nearly: the sum of four uniform numbers of an xorshift generator.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            sum += (self.0 >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        }
        sum * 3f32.sqrt()
    }
}

/// Makes the feature files of a corpus in `directory`. Calls `progress(done, total)` after each utterance, twice over all
/// of them: once for the level, once for the features.
///
/// # Errors
/// See [`FeatureError`]; an utterance that fails is named and stops the run. The files appear whole or not at all.
pub fn extract_corpus(
    corpus_directory: &Path,
    directory: &Path,
    config: &FeatureConfig,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<FeatureSummary, FeatureError> {
    let extractor = FeatureExtractor::new(config)?;
    let utterances = corpus_files(corpus_directory)?;
    let total = 2 * utterances.len();
    let (mut power, mut sample_count, mut peak) = (0.0f64, 0, 0.0f32);
    for (done, (index, wav)) in utterances.iter().enumerate() {
        let samples = read_wav(wav).map_err(|error| at(*index, error))?.samples;
        power += samples.iter().map(|&sample| f64::from(sample * sample)).sum::<f64>();
        peak = samples.iter().fold(peak, |peak, sample| peak.max(sample.abs()));
        sample_count += samples.len();
        progress(done + 1, total);
    }
    if peak == 0.0 {
        return Err(FeatureError::Empty { directory: corpus_directory.display().to_string() });
    }
    let rms = (power / sample_count as f64).sqrt() as f32;
    let gain = (10f32.powf(config.level_dbfs / 20.0) / rms).min(MAX_PEAK / peak);

    std::fs::create_dir_all(directory).map_err(FeatureError::io(directory))?;
    let header = FeatureHeader {
        sample_rate_hz: config.mel.sample_rate_hz,
        hop_samples: config.mel.hop_samples as u32,
        band_count: config.mel.band_count as u32,
        gain,
    };
    let mut train = FeatureWriter::create(&directory.join(Split::Train.file_name()), header)?;
    let mut held_out = FeatureWriter::create(&directory.join(Split::HeldOut.file_name()), header)?;
    let mut summary =
        FeatureSummary { train_count: 0, held_out_count: 0, too_long_count: 0, total_seconds: 0.0, gain };
    for (done, (index, wav)) in utterances.iter().enumerate() {
        let made = read_utterance(&extractor, *index, wav, gain).map_err(|error| at(*index, error))?;
        let seconds = made.samples.len() as f64 / f64::from(config.mel.sample_rate_hz);
        if seconds > config.max_seconds {
            summary.too_long_count += 1;
        } else {
            summary.total_seconds += seconds;
            let held = corpus::is_held_out(*index);
            summary.held_out_count += usize::from(held);
            summary.train_count += usize::from(!held);
            if held { held_out.push(&made)? } else { train.push(&made)? }
        }
        progress(utterances.len() + done + 1, total);
    }
    train.finish()?;
    held_out.finish()?;
    Ok(summary)
}

fn at(index: usize, error: impl Into<FeatureError>) -> FeatureError {
    FeatureError::Utterance { index, source: Box::new(error.into()) }
}

fn read_utterance(
    extractor: &FeatureExtractor,
    index: usize,
    wav: &Path,
    gain: f32,
) -> Result<Utterance, FeatureError> {
    let recording = read_wav(wav)?;
    let rate_hz = extractor.mel.config().sample_rate_hz;
    let mut samples = resample(&recording.samples, recording.sample_rate_hz, rate_hz)?;
    samples.iter_mut().for_each(|sample| *sample *= gain);
    let labels = corpus::read_labels(&wav.with_extension("lab"))?;
    extractor.utterance(index, samples, &labels)
}

/// The wave files of a corpus with their indices, in order.
fn corpus_files(corpus_directory: &Path) -> Result<Vec<(usize, PathBuf)>, FeatureError> {
    let directory = corpus_directory.join(corpus::UTTERANCES_DIR);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(FeatureError::io(&directory))? {
        let path = entry.map_err(FeatureError::io(&directory))?.path();
        let is_wav = path.extension().is_some_and(|extension| extension == "wav");
        let index = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(index) = index.filter(|_| is_wav && path.with_extension("lab").is_file()) {
            files.push((index, path));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(FeatureError::Empty { directory: corpus_directory.display().to_string() });
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
