//! Which of several voices a speaker is nearest to: a voice has less to learn from a speaker like its own.

use serde::Serialize;

use super::AdaptError;
use super::pairs::{Pair, prepare};
use super::recordings::{Take, folder_of};
use super::stages::native;
use crate::acoustic::Statistics;
use crate::engine::acoustic_model;
use crate::voice::{Found, Part, Source, Voice};

/// So much speech tells what a speaker's voice is like.
const SECONDS: f64 = 60.0;
/// Of two voices whose distances differ by less than this factor, the smaller one is better: it speaks faster.
const NEARLY_AS_NEAR: f64 = 1.1;

/// A voice to start from, and why.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The voice chosen.
    pub source: Source,
    /// All that were compared, the nearest first.
    pub candidates: Vec<Candidate>,
}

/// A voice that was compared with the speaker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Its name.
    pub voice: String,
    /// How far the speaker's mean spectrum and pitch are from its own, in its own standard deviations.
    pub distance: f64,
    /// Its size.
    pub weights: usize,
    /// Whether it was taken.
    pub is_chosen: bool,
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { voice, distance, weights, is_chosen } = self;
        let chosen = if *is_chosen { ", chosen" } else { "" };
        write!(f, "{voice}: {distance:.2} deviations from the speaker, {weights} weights{chosen}")
    }
}

/// Chooses the voice nearest to the speaker of some recordings; among nearly equal ones, the smallest. Voices that
/// cannot be adapted are passed over.
///
/// # Errors
/// No voice can be adapted (the first one's reason), or no recording can be used.
pub fn choose_base(takes: &[Take], voices: Vec<Found>) -> Result<Choice, AdaptError> {
    let mut refused = None;
    let mut compared = Vec::new();
    for found in voices {
        match distance(takes, &found.source) {
            Ok((distance, weights)) => {
                let candidate = Candidate { voice: found.name, distance, weights, is_chosen: false };
                compared.push((candidate, found.source));
            }
            // Recordings that are of no use are so with every voice.
            Err(error @ AdaptError::TooFew { .. }) => return Err(error),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    compared.sort_by(|(a, _), (b, _)| a.distance.total_cmp(&b.distance));
    let nearest = compared.first().map(|(candidate, _)| candidate.distance);
    let is_near = |candidate: &Candidate| nearest.is_some_and(|d| candidate.distance <= NEARLY_AS_NEAR * d);
    let near = compared.iter_mut().filter(|(candidate, _)| is_near(candidate));
    let Some((chosen, source)) = near.min_by_key(|(candidate, _)| candidate.weights) else {
        return Err(refused.unwrap_or_else(|| AdaptError::Base {
            voice: "auto".into(),
            reason: "no voice is installed".into(),
        }));
    };
    chosen.is_chosen = true;
    let source = source.clone();
    Ok(Choice { source, candidates: compared.into_iter().map(|(candidate, _)| candidate).collect() })
}

/// How far the speaker is from a voice, and the voice's size.
fn distance(takes: &[Take], source: &Source) -> Result<(f64, usize), AdaptError> {
    let voice = Voice::load(source)?;
    let features = native(&voice)?.features;
    let (pairs, usage) = prepare((takes, takes.len()), (&features, SECONDS), &mut |_, _, _| Ok(()))?;
    if pairs.is_empty() {
        let first = usage.left_out.first().map(ToString::to_string);
        return Err(AdaptError::TooFew { folder: folder_of(takes), least: 1, got: 0, first });
    }
    let model = acoustic_model(&voice).map_err(|error| AdaptError::Speech(Box::new(error)))?;
    let distance = distance_to(model.statistics()?, &pairs, features.mel.band_count);
    Ok((distance, voice.weight_count(Part::Acoustic) + voice.weight_count(Part::Vocoder)))
}

/// Root mean square over the bands, with the pitch as much as all of them.
fn distance_to(own: &Statistics, pairs: &[Pair], bands: usize) -> f64 {
    let (mel, log_f0) = means(pairs, bands);
    let square = |mean: f64, own_mean: f32, own_deviation: f32| {
        ((mean - f64::from(own_mean)) / f64::from(own_deviation)).powi(2)
    };
    let in_bands = mel.iter().zip(own.mel_mean.iter().zip(&own.mel_deviation));
    let spectrum = in_bands.map(|(&mean, (&m, &d))| square(mean, m, d)).sum::<f64>() / bands as f64;
    (spectrum + square(log_f0, own.variance_mean[0], own.variance_deviation[0])).sqrt()
}

/// Mean of each band, and of log-F0 where there is voice.
fn means(pairs: &[Pair], bands: usize) -> (Vec<f64>, f64) {
    let (mut sums, mut count) = (vec![0.0; bands], 0.0f64);
    for frame in pairs.iter().flat_map(|pair| pair.tracks.mel.chunks_exact(bands)) {
        sums.iter_mut().zip(frame).for_each(|(sum, &x)| *sum += f64::from(x));
        count += 1.0;
    }
    let voiced = pairs.iter().flat_map(|pair| pair.tracks.log_f0.iter().zip(&pair.tracks.voicing));
    let voiced = voiced.filter(|(_, voicing)| **voicing > 0.5).map(|(&log_f0, _)| f64::from(log_f0));
    let (sum, voiced) = voiced.fold((0.0, 0.0f64), |(sum, count), x| (sum + x, count + 1.0));
    (sums.into_iter().map(|sum| sum / count.max(1.0)).collect(), sum / voiced.max(1.0))
}
