//! Recordings with their transcripts, aligned; those that do not fit each other are left out.

use serde::Serialize;

use super::AdaptError;
use super::align::{Aligner, Alignment, Script, align};
use super::cepstrum::{Moments, cepstra};
use super::recordings::{Problem, Remark, Take, check_recordings, folder_of};
use crate::acoustic::FastSpeech;
use crate::signal::resample;
use crate::train::features::{FeatureConfig, FeatureExtractor, TimedPhones, Tracks, Utterance};

/// All recordings together may last this long: their features are held in memory.
const MAX_SECONDS: f64 = 3600.0;
/// What is asked of a pair, by one alignment of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    /// Its name in reports.
    pub name: &'static str,
    max_fit: Fit,
    max_unwritten_seconds: f64,
}

/// By the base voice, another speaker: of true transcripts the worst fit was 1.02, and 0.6 s lay in pauses.
pub(super) const FIRST_PASS: Pass =
    Pass { name: "align", max_fit: 1.15, max_unwritten_seconds: f64::INFINITY };
/// By the voice whose output layers have learnt the speaker: the worst were 0.49, and 0.08 s.
pub(super) const SECOND_PASS: Pass = Pass { name: "align again", max_fit: 0.7, max_unwritten_seconds: 0.4 };

/// What counts as loud: so much of the energy that only a tenth of the frames surpass.
const LOUD_SHARE: f32 = 0.1;
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
    /// How long it is.
    pub seconds: f64,
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
        let seconds = tracks.samples.len() as f64 / f64::from(rate_hz);
        pairs.push(Pair { take, is_test, text, start_seconds, seconds, tracks, cepstra });
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

/// Aligns all pairs by `model`; what does not come up to `pass` is refused.
pub(super) fn align_pairs(
    model: &FastSpeech,
    (pairs, pass): (&[Pair], Pass),
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
    let mut aligned = Vec::with_capacity(pairs.len());
    for (index, pair) in pairs.iter().enumerate() {
        let recording = spoken.features(&pair.cepstra);
        let along = |other: usize| align(scripts[other].as_ref()?, &made[other], &recording);
        // Transcripts of about the same length, so that only what is said makes the difference.
        let mut others: Vec<usize> =
            (0..pairs.len()).filter(|&other| other != index && pairs[other].text != pair.text).collect();
        others.sort_by_key(|&other| (made[other].len().abs_diff(made[index].len()), other));
        let distances = others.into_iter().filter_map(along).take(3).map(|other| f64::from(other.distance));
        let chance = distances.fold(f64::INFINITY, f64::min);
        aligned.push(along(index).map(|own| {
            let fit = if chance.is_finite() { f64::from(own.distance) / chance } else { 0.0 };
            let unwritten_seconds = pair.seconds * loud_pause_share(&pair.tracks.energy, &own.timed);
            (own, fit, unwritten_seconds)
        }));
        progress(index + 1, pairs.len())?;
    }
    // A speaker breathes, a room hums: only what is more than usual counts.
    let mut unwritten: Vec<f64> = aligned.iter().flatten().map(|(.., seconds)| *seconds).collect();
    unwritten.sort_by(f64::total_cmp);
    let usual_seconds = unwritten.get(unwritten.len() / 2).copied().unwrap_or(0.0);
    let judge = |own: Option<(Alignment, Fit, f64)>| match own {
        None => Err(Problem::Misfit(1.0)),
        Some((_, fit, _)) if fit > pass.max_fit => Err(Problem::Misfit(fit)),
        Some((_, _, seconds)) if seconds - usual_seconds > pass.max_unwritten_seconds => {
            Err(Problem::Unwritten(seconds))
        }
        Some((alignment, fit, _)) => Ok((alignment, fit)),
    };
    Ok(aligned.into_iter().map(judge).collect())
}

/// The share of the frames that are loud although the transcript has a pause there. Words that it lacks end up in pauses,
/// and fit as well as any silence.
fn loud_pause_share(energy: &[f32], timed: &TimedPhones) -> f64 {
    let mut sorted = energy.to_vec();
    sorted.sort_by(f32::total_cmp);
    let loud = LOUD_SHARE * sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(0.0);
    let mut frames = energy.iter();
    let loud_frames: usize = timed
        .phones
        .iter()
        .zip(&timed.durations_frames)
        .map(|(phone, &duration)| {
            let is_pause = phone.symbol.pause().is_some();
            frames.by_ref().take(duration as usize).filter(|energy| is_pause && **energy > loud).count()
        })
        .sum();
    loud_frames as f64 / energy.len().max(1) as f64
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::{Phone, Symbol, WordPosition};

    #[test]
    fn only_what_is_loud_in_a_pause_counts() {
        let phone = |name: &str| Phone {
            symbol: Symbol::parse(name).unwrap(),
            word: None,
            word_position: WordPosition::Single,
            phrase_position: 0,
        };
        let timed = TimedPhones {
            phones: vec![phone("^"), phone("AA1"), phone(".")],
            durations_frames: vec![2, 4, 4],
        };
        let share = |energy: [f32; 10]| loud_pause_share(&energy, &timed);
        assert_eq!(share([0.1, 0.1, 9.0, 9.0, 9.0, 9.0, 0.1, 0.1, 0.1, 0.1]), 0.0);
        assert_eq!(share([0.1, 0.1, 9.0, 9.0, 9.0, 9.0, 0.1, 9.0, 9.0, 0.1]), 0.2);
    }
}
