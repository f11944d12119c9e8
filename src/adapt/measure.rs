//! How near a voice comes to a speaker, on sentences that it has not learnt from.

use serde::{Deserialize, Serialize};

use super::cepstrum::{CEPSTRA, cepstra};
use super::pairs::Pair;
use super::{AdaptError, Alignment};
use crate::engine::{SpeakConfig, Synthesizer};
use crate::train::features::{FeatureConfig, FeatureExtractor, Tracks};

/// Decibels of a difference of natural logarithms of amplitudes, as mel-cepstral distortion counts them.
const DECIBELS: f64 = 10.0 / std::f64::consts::LN_10;

/// What was measured on held-out recordings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Mel-cepstral distortion of the synthesised sound, along the best path: `10/ln 10 √(2 Σ Δc²)` over 12 coefficients.
    pub mcd_db: f64,
    /// Error of the synthesised sound's F0 where both are voiced, along that path.
    pub f0_rmse_hz: f64,
    /// The same in cents.
    pub f0_rmse_cents: f64,
    /// Distance between the long-term averages of the cepstra, as decibels like the distortion.
    pub speaker_distance_db: f64,
    /// Mean error of a phone's duration.
    pub duration_mae_frames: f64,
    /// The acoustic model's loss.
    pub acoustic_loss: f64,
    /// The vocoder's negative log-likelihood per sample.
    pub nll: f64,
}

/// Speaks each held-out text and compares it with its recording. Leaves the figures of the models alone.
pub(super) fn compare(
    voice: &Synthesizer,
    features: &FeatureConfig,
    pairs: &[(&Pair, &Alignment)],
) -> Result<Figures, AdaptError> {
    let extractor = FeatureExtractor::new(features)?;
    let bands = features.mel.band_count;
    let mut sums = Sums::default();
    for (pair, _) in pairs {
        let samples = voice
            .speak(&pair.text, SpeakConfig::default())
            .map_err(|error| AdaptError::Speech(Box::new(error)))?;
        let made = extractor.tracks(0, samples)?;
        sums.add((&pair.tracks, &cepstra(&pair.tracks.mel, bands)), (&made, &cepstra(&made.mel, bands)));
    }
    Ok(sums.figures())
}

#[derive(Default)]
struct Sums {
    frames: f64,
    distortion: f64,
    voiced: f64,
    hertz: f64,
    cents: f64,
    recorded: Mean,
    made: Mean,
}

#[derive(Default)]
struct Mean {
    frames: f64,
    sum: [f64; CEPSTRA],
}

impl Mean {
    fn add(&mut self, cepstra: &[f32]) {
        for frame in cepstra.chunks_exact(CEPSTRA) {
            self.frames += 1.0;
            self.sum.iter_mut().zip(frame).for_each(|(sum, &c)| *sum += f64::from(c));
        }
    }

    fn mean(&self) -> Vec<f32> {
        self.sum.iter().map(|sum| (sum / self.frames.max(1.0)) as f32).collect()
    }
}

impl Sums {
    fn add(&mut self, (recorded, a): (&Tracks, &[f32]), (made, b): (&Tracks, &[f32])) {
        self.recorded.add(a);
        self.made.add(b);
        for (i, j) in warp(a, b) {
            self.frames += 1.0;
            self.distortion += distortion(&a[i * CEPSTRA..][..CEPSTRA], &b[j * CEPSTRA..][..CEPSTRA]);
            if recorded.voicing[i] > 0.5 && made.voicing[j] > 0.5 {
                let (wanted, got) = (f64::from(recorded.log_f0[i]), f64::from(made.log_f0[j]));
                self.voiced += 1.0;
                self.hertz += (got.exp() - wanted.exp()).powi(2);
                self.cents += (1200.0 / std::f64::consts::LN_2 * (got - wanted)).powi(2);
            }
        }
    }

    fn figures(&self) -> Figures {
        let voiced = self.voiced.max(1.0);
        Figures {
            mcd_db: self.distortion / self.frames.max(1.0),
            f0_rmse_hz: (self.hertz / voiced).sqrt(),
            f0_rmse_cents: (self.cents / voiced).sqrt(),
            speaker_distance_db: distortion(&self.recorded.mean(), &self.made.mean()),
            ..Figures::default()
        }
    }
}

/// Mel-cepstral distortion of two frames, the level left out.
pub fn distortion(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).skip(1).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    DECIBELS * (2.0 * squares).sqrt()
}

/// Dynamic time warping (Sakoe and Chiba 1978): the pairs of frames along the path of least distortion.
fn warp(a: &[f32], b: &[f32]) -> Vec<(usize, usize)> {
    let (rows, columns) = (a.len() / CEPSTRA, b.len() / CEPSTRA);
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    let mut costs = vec![f64::INFINITY; rows * columns];
    for i in 0..rows {
        for j in 0..columns {
            let at = |up: usize, left: usize| match (i.checked_sub(up), j.checked_sub(left)) {
                (Some(i), Some(j)) => costs[i * columns + j],
                _ => f64::INFINITY,
            };
            let best = at(1, 1).min(at(1, 0)).min(at(0, 1));
            let own = distortion(&a[i * CEPSTRA..][..CEPSTRA], &b[j * CEPSTRA..][..CEPSTRA]);
            costs[i * columns + j] = own + if i + j == 0 { 0.0 } else { best };
        }
    }
    let (mut i, mut j) = (rows - 1, columns - 1);
    let mut path = vec![(i, j)];
    while i + j > 0 {
        let at = |i: usize, j: usize| costs[i * columns + j];
        (i, j) = match (i, j) {
            (0, _) => (0, j - 1),
            (_, 0) => (i - 1, 0),
            _ => [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
                .into_iter()
                .min_by(|&a, &b| at(a.0, a.1).total_cmp(&at(b.0, b.1)))
                .unwrap_or((i - 1, j - 1)),
        };
        path.push((i, j));
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(values: &[f32]) -> Vec<f32> {
        values.iter().flat_map(|&v| (0..CEPSTRA).map(move |k| if k == 3 { v } else { 0.0 })).collect()
    }

    #[test]
    fn a_path_finds_what_was_stretched() {
        let (a, b) = (frames(&[0.0, 1.0, 5.0, 5.0, 5.0, 2.0]), frames(&[0.0, 1.0, 1.0, 5.0, 2.0]));
        let path = warp(&a, &b);
        assert_eq!((path[0], path[path.len() - 1]), ((0, 0), (5, 4)));
        assert!(path.iter().all(|&(i, j)| a[i * CEPSTRA + 3] == b[j * CEPSTRA + 3]), "{path:?}");
    }

    #[test]
    fn distortion_counts_decibels_and_no_level() {
        let (mut a, b) = ([0f32; CEPSTRA], [0f32; CEPSTRA]);
        a[0] = 9.0;
        assert_eq!(distortion(&a, &b), 0.0);
        a[5] = 1.0;
        assert!((distortion(&a, &b) - 6.1419).abs() < 1e-3);
    }
}
