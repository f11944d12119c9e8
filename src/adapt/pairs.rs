//! Recordings with their transcripts, aligned; those that do not fit each other are left out.

use serde::Serialize;

use super::AdaptError;
use super::align::{Aligner, Alignment, Script, align};
use super::cepstrum::{Moments, cepstra};
use super::recordings::{Problem, Remark, Take, check_recordings, folder_of};
use crate::acoustic::FastSpeech;
use crate::signal::resample;
use crate::train::features::{FeatureConfig, FeatureExtractor, Tracks, Utterance};

/// All recordings together may last this long: their features are held in memory.
const MAX_SECONDS: f64 = 3600.0;
/// Largest fit by the base voice, another speaker: of true transcripts the worst had 1.02.
pub(super) const MAX_FIT_BEFORE: f64 = 1.15;
/// Largest fit by the voice whose output layers have learnt the speaker: of true transcripts the worst had 0.49.
pub(super) const MAX_FIT_AFTER: f64 = 0.7;
/// A recording may last so many times as long as the voice would speak, or as short, compared with the others.
const MAX_STRETCH: f64 = 1.7;
/// Never louder than this.
const MAX_PEAK: f32 = 0.98;

/// How well a recording follows its transcript: its distance along it, over that along other transcripts. 1 is chance.
pub type Fit = f64;

/// A recording that is not learnt from, and why.
pub type LeftOut = Remark;

/// A pair's alignment and fit, or what is wrong with it.
type Fitted = Result<(Alignment, Fit), Problem>;

/// Hears of each recording checked: how many of how many, and what is wrong with this one.
type CheckProgress<'a> = dyn FnMut(usize, usize, Option<&Remark>) -> Result<(), AdaptError> + 'a;

/// A recording that passed its checks.
pub(super) struct Pair {
    pub take: Take,
    /// Whether it is one of the recordings to measure on.
    pub is_test: bool,
    pub text: String,
    /// Where its speech begins in the file.
    pub start_seconds: f64,
    pub tracks: Tracks,
    cepstra: Vec<f32>,
}

/// What became of the recordings.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Recordings in the folder.
    pub found: usize,
    /// Recordings learnt from or measured on.
    pub used: usize,
    /// Length of those.
    pub seconds: f64,
    /// The others.
    pub left_out: Vec<LeftOut>,
    /// How well those that were kept follow their transcripts.
    pub fits: Vec<PairFit>,
}

/// How well a recording follows its transcript.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairFit {
    /// The recording.
    pub file: String,
    /// By which alignment.
    pub stage: &'static str,
    /// See [`Fit`].
    pub fit: Fit,
}

impl Pair {
    pub(super) fn seconds(&self, rate_hz: u32) -> f64 {
        self.tracks.samples.len() as f64 / f64::from(rate_hz)
    }
}

/// Checks, resamples, levels and analyses the recordings, of which those from `test_from` on are to measure on.
/// Those that would be learnt from end with the first that reaches `most_speech_seconds`.
pub(super) fn prepare(
    (takes, test_from): (&[Take], usize),
    (features, most_speech_seconds): (&FeatureConfig, f64),
    progress: &mut CheckProgress<'_>,
) -> Result<(Vec<Pair>, Usage), AdaptError> {
    let rate_hz = features.mel.sample_rate_hz;
    let mut usage = Usage { found: test_from, ..Usage::default() };
    let mut sounds = Vec::new();
    let total = takes.len();
    let (mut seconds, mut to_learn_seconds) = (0.0, 0.0);
    for (index, check) in check_recordings(takes).enumerate() {
        let (take, is_test) = (&takes[index], index >= test_from);
        if !is_test && to_learn_seconds >= most_speech_seconds {
            progress(index + 1, total, None)?;
            continue;
        }
        match check {
            Ok(check) => {
                let samples = resample(&check.samples, check.sample_rate_hz, rate_hz)?;
                let own_seconds = samples.len() as f64 / f64::from(rate_hz);
                seconds += own_seconds;
                to_learn_seconds += if is_test { 0.0 } else { own_seconds };
                if seconds > MAX_SECONDS {
                    let (limit, got) = (MAX_SECONDS as u64, seconds as u64);
                    let folder = folder_of(takes);
                    return Err(AdaptError::TooMuch { folder, what: "seconds of speech", limit, got });
                }
                sounds.push(((take.clone(), is_test, check.start_seconds), samples));
                progress(index + 1, total, None)?;
            }
            Err(problem) => {
                let remark = Remark::new(take, &problem);
                progress(index + 1, total, Some(&remark))?;
                usage.left_out.push(remark);
            }
        }
    }
    level(&mut sounds, features.level_dbfs);
    let extractor = FeatureExtractor::new(features)?;
    let mut pairs = Vec::with_capacity(sounds.len());
    for (index, ((take, is_test, start_seconds), samples)) in sounds.into_iter().enumerate() {
        let tracks = extractor.tracks(index, samples)?;
        let cepstra = cepstra(&tracks.mel, features.mel.band_count);
        let text = take.text.clone().unwrap_or_default();
        pairs.push(Pair { take, is_test, text, start_seconds, tracks, cepstra });
    }
    Ok((pairs, usage))
}

/// Brings the recordings to one level, each by its own gain: a speaker comes nearer and turns away.
fn level<T>(sounds: &mut [(T, Vec<f32>)], level_dbfs: f32) {
    for (_, samples) in sounds {
        let offset = samples.iter().sum::<f32>() / samples.len().max(1) as f32;
        samples.iter_mut().for_each(|sample| *sample -= offset);
        let power = samples.iter().map(|x| f64::from(x * x)).sum::<f64>() / samples.len().max(1) as f64;
        let peak = samples.iter().fold(1e-6f32, |peak, sample| peak.max(sample.abs()));
        let gain = (10f32.powf(level_dbfs / 20.0) / (power.sqrt() as f32).max(1e-6)).min(MAX_PEAK / peak);
        samples.iter_mut().for_each(|sample| *sample *= gain);
    }
}

/// Aligns all pairs by `model`; one whose fit is above `max_fit` is refused.
pub(super) fn align_pairs(
    model: &FastSpeech,
    (pairs, max_fit): (&[Pair], Fit),
    progress: &mut dyn FnMut(usize, usize) -> Result<(), AdaptError>,
) -> Result<Vec<Fitted>, AdaptError> {
    let aligner = Aligner::new(model);
    let scripts: Vec<Option<Script>> =
        pairs.iter().map(|pair| aligner.script(&pair.text)).collect::<Result<_, _>>()?;
    let spoken = Moments::of(pairs.iter().map(|pair| &pair.cepstra[..]));
    let made = Moments::of(scripts.iter().flatten().map(|script| &script.cepstra[..]));
    let made: Vec<Vec<f32>> = scripts
        .iter()
        .map(|script| script.as_ref().map_or_else(Vec::new, |script| made.features(&script.cepstra)))
        .collect();
    let stretches = stretches(pairs, &scripts);
    let mut results = Vec::with_capacity(pairs.len());
    for (index, (pair, stretch)) in pairs.iter().zip(stretches).enumerate() {
        let recording = spoken.features(&pair.cepstra);
        let along = |other: usize| align(scripts[other].as_ref()?, &made[other], &recording);
        // Transcripts of about the same length, so that only what is said makes the difference.
        let mut others: Vec<usize> =
            (0..pairs.len()).filter(|&other| other != index && pairs[other].text != pair.text).collect();
        others.sort_by_key(|&other| (made[other].len().abs_diff(made[index].len()), other));
        let distances = others.into_iter().filter_map(along).take(3).map(|other| f64::from(other.distance));
        let chance = distances.fold(f64::INFINITY, f64::min);
        results.push(match along(index) {
            None => Err(Problem::Misfit(1.0)),
            Some(own) => {
                let fit = if chance.is_finite() { f64::from(own.distance) / chance } else { 0.0 };
                if fit > max_fit {
                    Err(Problem::Misfit(fit))
                } else if !(1.0 / MAX_STRETCH..=MAX_STRETCH).contains(&stretch) {
                    Err(Problem::Length(stretch))
                } else {
                    Ok((own, fit))
                }
            }
        });
        progress(index + 1, pairs.len())?;
    }
    Ok(results)
}

/// How long each recording lasts, against what the voice would need for its transcript; 1 is this speaker's median. A
/// transcript that lacks words still sounds like the sound it goes with, but for its end.
fn stretches(pairs: &[Pair], scripts: &[Option<Script>]) -> Vec<f64> {
    let ratio = |(pair, script): (&Pair, &Option<Script>)| {
        let script_values = script.as_ref().map_or(0, |script| script.cepstra.len()).max(1);
        pair.cepstra.len() as f64 / script_values as f64
    };
    let mut stretches: Vec<f64> = pairs.iter().zip(scripts).map(ratio).collect();
    let mut sorted = stretches.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
    stretches.iter_mut().for_each(|stretch| *stretch /= median);
    stretches
}

/// The utterances of aligned pairs.
pub(super) fn utterances<'a>(pairs: impl Iterator<Item = (&'a Pair, &'a Alignment)>) -> Vec<Utterance> {
    pairs
        .enumerate()
        .map(|(index, (pair, alignment))| {
            let names = (pair.text.clone(), alignment.words.clone());
            pair.tracks.clone().with_phones(index, alignment.timed.clone(), names)
        })
        .collect()
}
