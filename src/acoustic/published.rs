//! The published models: what differs from the native layout. [`import`](crate::import) reads their checkpoints.
//!
//! Code followed, in inference, with its habits, because the weights were trained with them:
//!
//! | | FastSpeech 2, ming024 | FastSpeech 1, xcmyz | FastPitch, NVIDIA |
//! |---|---|---|---|
//! | a duration d from the predictor's p | e^p − 1, rounded half to even, scaled, cut | max(p, 0) + ½, scaled, cut | e^p − 1, 0 to 75, scaled, rounded |
//! | pitch, energy | by bins: counted by the bounds strictly below | none | by a convolution; energy sees pitch |
//! | energy is scaled by | the *pitch* control | | nothing |
//! | padding | takes part in the convolutions of predictors and post-net | one sentence alone | as in FastSpeech 2 |

use candle_core::{Device, Result, Tensor, bail};

use super::fastspeech::{Adaptor, check_tokens};
use super::predictor::Predictor;
use super::{Config, Dropout, Error, FastSpeech, Model, Regulated, Tokens};
use crate::nn::ops::keep_rows;
use crate::nn::{Conv1d, Conv1dConfig, Embedding, Init, Padding as Edge, Params};

/// Regression of durations, pitch and energy.
pub(super) struct PublishedAdaptor {
    duration: Predictor,
    pitch: Option<Variance>,
    energy: Option<Variance>,
    /// A vector for each speaker, if there are several: FastPitch's encoder reads it, FastSpeech 2's does not.
    speaker: Option<Embedding>,
}

/// A predicted value of each token, and how it is told to the decoder.
struct Variance {
    predictor: Predictor,
    vectors: Vectors,
}

enum Vectors {
    Quantised {
        /// Upper bounds of the bins but the last, ascending.
        bounds: Vec<f32>,
        embedding: Embedding,
    },
    /// From the values of a token and its neighbours.
    Convolved(Conv1d),
}

/// Taps of FastPitch's convolutions of pitch and energy.
const VARIANCE_KERNEL: usize = 3;

impl Variance {
    fn new(config: &Config, name: &str, params: &Params) -> Result<Self> {
        let vectors = params.pp(format!("{name}_embedding"));
        let vectors = match config.model {
            Model::FastPitch => {
                let shape = Conv1dConfig::new(VARIANCE_KERNEL, Edge::Same);
                Vectors::Convolved(Conv1d::new(1, config.width, shape, &vectors)?)
            }
            Model::FastSpeech1 | Model::FastSpeech2 => {
                let bins = config.variance_bins;
                let bounds = params.constant(&format!("{name}_bins"), bins.saturating_sub(1), Init::Zeros)?;
                let bounds = bounds.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
                if bounds.iter().any(|bound| bound.is_nan()) || !bounds.is_sorted() {
                    bail!("tensor `{name}_bins`: expected ascending bounds");
                }
                Vectors::Quantised { bounds, embedding: Embedding::new(bins, config.width, &vectors)? }
            }
        };
        Ok(Self { predictor: Predictor::new(config, 1, &params.pp(name))?, vectors })
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
        let vectors = match &self.vectors {
            Vectors::Quantised { bounds, embedding } => {
                let bin = |value: f32| bounds.partition_point(|&bound| bound < value) as u32;
                let bins: Vec<u32> = values.flatten_all()?.to_vec1::<f32>()?.into_iter().map(bin).collect();
                embedding.forward(&Tensor::from_vec(bins, values.shape(), xs.device())?)?
            }
            Vectors::Convolved(conv) => conv.forward(&values.unsqueeze(2)?)?,
        };
        Ok((values, vectors))
    }
}

/// One value a token, 0 for padding: `[batch, tokens]`.
fn per_token(predictor: &Predictor, xs: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let values = predictor.forward(xs, None, None, &Dropout::off())?;
    keep_rows(&values, &lengths.into())?.squeeze(2)
}

/// Frames of a token from what its predictor says; what is left behind the point is cut.
fn scaled_duration(model: Model, predicted: f32, scale: f32) -> f32 {
    /// FastPitch's longest token.
    const MOST_FRAMES: f32 = 75.0;
    match model {
        Model::FastSpeech2 => ((predicted.exp() - 1.0).round_ties_even() * scale).max(0.0),
        Model::FastSpeech1 => (predicted.max(0.0) + 0.5) * scale,
        Model::FastPitch => ((predicted.exp() - 1.0).clamp(0.0, MOST_FRAMES) * scale).round_ties_even(),
    }
}

pub(super) fn no_pitch(call: &'static str) -> Error {
    Error::Layout { call, needed: "native or a later published" }
}

impl PublishedAdaptor {
    pub(super) fn new(config: &Config, params: &Params) -> Result<Self> {
        let has_pitch = config.model != Model::FastSpeech1;
        let has_energy = config.model == Model::FastSpeech2 || config.energy;
        let variance = |name| Variance::new(config, name, params);
        Ok(Self {
            duration: Predictor::new(config, 1, &params.pp("duration"))?,
            pitch: has_pitch.then(|| variance("pitch")).transpose()?,
            energy: has_energy.then(|| variance("energy")).transpose()?,
            speaker: (config.speakers > 0)
                .then(|| Embedding::new(config.speakers, config.width, &params.pp("speaker")))
                .transpose()?,
        })
    }
}

/// The published code's factors; 1 leaves things as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedControls {
    /// Of pitch, in deviations of the training speech, and of FastSpeech 2's energy with it.
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
    /// Pitch of each token times its control, `[batch, tokens]`, of a model that has it.
    pub pitch: Option<Tensor>,
    /// Energy of each token, FastSpeech 2's times the pitch control, `[batch, tokens]`, of a model that has it.
    pub energy: Option<Tensor>,
    /// What the predictor of durations says of each token, `[batch, tokens]`: log-durations, FastSpeech 1's in frames.
    pub log_durations: Tensor,
    /// Durations, scaled, the last step before they are integers, of each sequence's tokens, padding included.
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
        let model = self.config.model;
        if model == Model::FastSpeech1 && controls.pitch != 1.0 {
            return Err(no_pitch("pitch"));
        }
        let pitch = (controls.pitch, 0.0);
        let energy = if model == Model::FastSpeech2 { pitch } else { (1.0, 0.0) };
        let (duration, speaker) = (controls.duration, controls.speaker);
        let reading = Reading { pitch: vec![pitch], energy, duration: vec![duration], speaker };
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
        if self.config.model == Model::FastSpeech1 && sequences.len() != 1 {
            // The published code reads one sentence at a time; its recurrent post-net would read padding as speech.
            return Err(Error::Layout { call: "a batch", needed: "FastSpeech 2 or FastPitch" });
        }
        if let Some(&got) = sequences.iter().flatten().find(|&&id| id as usize >= self.config.symbols) {
            return Err(Error::Symbol { symbols: self.config.symbols, got });
        }
        let off = Dropout::off();
        let tokens = Tokens::from_ids(sequences, &self.device)?;
        let (_, count) = tokens.dims()?;
        let lengths = &tokens.lengths;
        let model = self.config.model;
        let id = Tensor::new(&[reading.speaker], &self.device)?;
        let speaker = adaptor.speaker.as_ref().map(|speakers| speakers.forward(&id)).transpose()?;
        let (before, after) = if model == Model::FastPitch { (speaker, None) } else { (None, speaker) };
        let mut xs = self.encode_as(before.as_ref(), &tokens, &off)?.output;
        if let Some(speaker) = after {
            // Padding has a speaker as well, as in the published code.
            xs = xs.broadcast_add(&speaker)?;
        }
        let log_durations = per_token(&adaptor.duration, &xs, lengths)?;
        let mut predicted = [None, None];
        for (values, (variance, controls)) in predicted.iter_mut().zip([
            (&adaptor.pitch, &reading.pitch[..]),
            (&adaptor.energy, std::slice::from_ref(&reading.energy)),
        ]) {
            let Some(variance) = variance else { continue };
            let (its_values, vectors) = variance.forward(&xs, lengths, controls)?;
            *values = Some(its_values);
            xs = (xs + vectors)?;
            if model == Model::FastPitch {
                xs = keep_rows(&xs, &lengths.clone())?;
            }
        }
        let [pitch, energy] = predicted;

        let last = reading.duration.len().saturating_sub(1);
        let factor = |token: usize| reading.duration.get(token.min(last)).copied().unwrap_or(1.0);
        let scaled = |(token, predicted): (usize, f32)| scaled_duration(model, predicted, factor(token));
        let durations_rounded: Vec<Vec<f32>> = log_durations
            .to_vec2::<f32>()?
            .into_iter()
            .map(|row| row.into_iter().enumerate().map(scaled).collect())
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
