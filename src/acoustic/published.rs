//! FastSpeech 2 as published: what differs from the native layout. [`import`](crate::import) reads its checkpoints.
//!
//! Paper: [Ren et al. 2020](https://arxiv.org/abs/2006.04558). Code followed: ming024/FastSpeech2, inference, phoneme-level
//! pitch and energy. Its habits are kept, because its weights were trained with them:
//!
//! * energy is scaled by the *pitch* control;
//! * a duration is rounded half to even, then scaled, then cut to an integer;
//! * a value falls into the bin counted by the bounds strictly below it;
//! * padding takes part in the convolutions of predictors and post-net, so a padded sentence is not the same as alone.

use candle_core::{Device, Result, Tensor, bail};

use super::fastspeech::{Adaptor, check_tokens};
use super::predictor::Predictor;
use super::{Config, Dropout, Error, FastSpeech, Regulated, Tokens};
use crate::nn::{Embedding, Init, Params};

/// Regression of log-durations, pitch and energy, the latter two through tables of quantised values.
pub(super) struct PublishedAdaptor {
    duration: Predictor,
    pitch: Quantised,
    energy: Quantised,
    /// A vector for each speaker, if there are several.
    speaker: Option<Embedding>,
}

struct Quantised {
    predictor: Predictor,
    /// Upper bounds of the bins but the last, ascending.
    bounds: Vec<f32>,
    embedding: Embedding,
}

impl Quantised {
    fn new(config: &Config, name: &str, params: &Params) -> Result<Self> {
        let bins = config.variance_bins;
        let bounds = params.constant(&format!("{name}_bins"), bins - 1, Init::Zeros)?;
        let bounds = bounds.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
        if bounds.iter().any(|bound| bound.is_nan()) || !bounds.is_sorted() {
            bail!("tensor `{name}_bins`: expected ascending bounds");
        }
        Ok(Self {
            predictor: Predictor::new(config, 1, &params.pp(name))?,
            bounds,
            embedding: Embedding::new(bins, config.width, &params.pp(format!("{name}_embedding")))?,
        })
    }

    /// Values `[batch, tokens]`, scaled and shifted by `control`, and their vectors `[batch, tokens, width]`.
    fn forward(&self, xs: &Tensor, lengths: &[usize], controls: &[(f32, f32)]) -> Result<(Tensor, Tensor)> {
        let values = per_token(&self.predictor, xs, lengths)?;
        let values = match controls {
            [(scale, offset)] => values.affine(f64::from(*scale), f64::from(*offset))?,
            _ => {
                let of_tokens = |pick: fn(&(f32, f32)) -> f32| {
                    let picked: Vec<f32> = controls.iter().map(pick).collect();
                    Tensor::from_vec(picked, (1, controls.len()), xs.device())
                };
                let (scales, offsets) = (of_tokens(|c| c.0)?, of_tokens(|c| c.1)?);
                values.broadcast_mul(&scales)?.broadcast_add(&offsets)?
            }
        };
        let bin = |value: f32| self.bounds.partition_point(|&bound| bound < value) as u32;
        let bins: Vec<u32> = values.flatten_all()?.to_vec1::<f32>()?.into_iter().map(bin).collect();
        let bins = Tensor::from_vec(bins, values.shape(), xs.device())?;
        Ok((values, self.embedding.forward(&bins)?))
    }
}

/// One value a token, 0 for padding: `[batch, tokens]`.
fn per_token(predictor: &Predictor, xs: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let values = predictor.forward(xs, None, None, &Dropout::off())?;
    crate::nn::ops::keep_rows(&values, &lengths.into())?.squeeze(2)
}

impl PublishedAdaptor {
    pub(super) fn new(config: &Config, params: &Params) -> Result<Self> {
        Ok(Self {
            duration: Predictor::new(config, 1, &params.pp("duration"))?,
            pitch: Quantised::new(config, "pitch", params)?,
            energy: Quantised::new(config, "energy", params)?,
            speaker: (config.speakers > 0)
                .then(|| Embedding::new(config.speakers, config.width, &params.pp("speaker")))
                .transpose()?,
        })
    }
}

/// The published code's factors; 1 leaves things as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedControls {
    /// Of pitch, in deviations of the training speech, and of energy with it.
    pub pitch: f32,
    /// Of durations; 2 is half as fast.
    pub duration: f32,
    /// Who speaks, of a model with several speakers.
    pub speaker: u32,
}

impl Default for PublishedControls {
    fn default() -> Self {
        Self { pitch: 1.0, duration: 1.0, speaker: 0 }
    }
}

impl PublishedControls {
    fn validate(&self) -> std::result::Result<(), Error> {
        let ranges = [("pitch", self.pitch, -10.0, 10.0), ("duration", self.duration, 0.1, 10.0)];
        for (what, got, least, most) in ranges {
            if !(least..=most).contains(&got) {
                return Err(Error::Control { what, least, most, got });
            }
        }
        Ok(())
    }
}

/// What the published model says of a batch. Padding holds what the published code leaves there.
pub struct PublishedOutput {
    /// Log-mels before the post-net, `[batch, frames, mels]`.
    pub mel_before: Tensor,
    /// Log-mels after it, `[batch, frames, mels]`.
    pub mel_after: Tensor,
    /// Pitch of each token times its control, `[batch, tokens]`.
    pub pitch: Tensor,
    /// Energy of each token times the pitch control, `[batch, tokens]`.
    pub energy: Tensor,
    /// Log-durations of each token, `[batch, tokens]`.
    pub log_durations: Tensor,
    /// Durations, rounded and scaled, not yet cut to integers, of each sequence's tokens, padding included.
    pub durations_rounded: Vec<Vec<f32>>,
    /// Frames of each sequence.
    pub lengths_frames: Vec<usize>,
}

/// How a batch is read: scale and offset of the normalised values, factor of the durations; one for all tokens, or one
/// for each.
pub(super) struct Reading {
    pub pitch: Vec<(f32, f32)>,
    pub energy: (f32, f32),
    pub duration: Vec<f32>,
    pub speaker: u32,
}

impl FastSpeech {
    /// Speaks sequences of symbol ids with a model of the published layout.
    ///
    /// # Errors
    /// The layout is not the published one, an id is outside the table, a control is out of range, a sequence is empty
    /// or too long, or a tensor operation failed.
    pub fn infer_ids(
        &self,
        sequences: &[Vec<u32>],
        controls: &PublishedControls,
    ) -> std::result::Result<PublishedOutput, Error> {
        controls.validate()?;
        let scale = (controls.pitch, 0.0);
        let (duration, speaker) = (controls.duration, controls.speaker);
        let reading = Reading { pitch: vec![scale], energy: scale, duration: vec![duration], speaker };
        Ok(self.read_ids(sequences, &reading, None)?.0)
    }

    /// The same, with durations in frames if they are given; also gives the durations that were used.
    pub(super) fn read_ids(
        &self,
        sequences: &[Vec<u32>],
        reading: &Reading,
        given: Option<Vec<Vec<u32>>>,
    ) -> std::result::Result<(PublishedOutput, Vec<Vec<u32>>), Error> {
        let Adaptor::Published(adaptor) = &self.adaptor else {
            return Err(Error::Layout { call: "infer_ids", needed: "published" });
        };
        self.check_speaker(reading.speaker)?;
        check_tokens(sequences.iter().map(Vec::len).max().unwrap_or(0))?;
        if let Some(&got) = sequences.iter().flatten().find(|&&id| id as usize >= self.config.symbols) {
            return Err(Error::Symbol { symbols: self.config.symbols, got });
        }
        let off = Dropout::off();
        let tokens = Tokens::from_ids(sequences, &self.device)?;
        let (_, count) = tokens.dims()?;
        let lengths = &tokens.lengths;
        let mut xs = self.encode(&tokens, &off)?.output;
        if let Some(speakers) = &adaptor.speaker {
            // Padding has a speaker as well, as in the published code.
            xs = xs.broadcast_add(&speakers.forward(&Tensor::new(&[reading.speaker], &self.device)?)?)?;
        }
        let log_durations = per_token(&adaptor.duration, &xs, lengths)?;
        let (pitch, pitch_vectors) = adaptor.pitch.forward(&xs, lengths, &reading.pitch)?;
        let xs = (xs + pitch_vectors)?;
        let (energy, energy_vectors) = adaptor.energy.forward(&xs, lengths, &[reading.energy])?;
        let xs = (xs + energy_vectors)?;

        let last = reading.duration.len().saturating_sub(1);
        let factor = |token: usize| reading.duration.get(token.min(last)).copied().unwrap_or(1.0);
        let round =
            |(token, log): (usize, f32)| ((log.exp() - 1.0).round_ties_even() * factor(token)).max(0.0);
        let durations_rounded: Vec<Vec<f32>> = log_durations
            .to_vec2::<f32>()?
            .into_iter()
            .map(|row| row.into_iter().enumerate().map(round).collect())
            .collect();
        // As u32 saturates, a hostile duration cannot wrap around the limit below.
        let durations: Vec<Vec<u32>> = given.unwrap_or_else(|| {
            durations_rounded.iter().map(|row| row.iter().map(|&frames| frames as u32).collect()).collect()
        });
        let frames = |row: &Vec<u32>| row.iter().map(|&frames| frames as usize).sum::<usize>();
        let longest = durations.iter().map(frames).max().unwrap_or(0);
        self.check_frames(longest.saturating_mul(durations.len()))?;
        let regulated = Regulated::new(&durations, count, &self.device)?;
        let (_, mel_before, mel_after) = self.decode_frames(&regulated.repeat(&xs)?, &regulated, &off)?;
        let output = PublishedOutput {
            mel_before,
            mel_after,
            pitch,
            energy,
            log_durations,
            durations_rounded,
            lengths_frames: regulated.lengths.to_vec(),
        };
        Ok((output, durations))
    }

    pub(super) fn check_speaker(&self, got: u32) -> std::result::Result<(), Error> {
        let speakers = self.config.speakers.max(1);
        if (got as usize) < speakers { Ok(()) } else { Err(Error::Speaker { speakers, got }) }
    }
}
