//! FastSpeech: phones to mel frames, all frames at once.
//!
//! Papers: [Ren et al. 2019](https://arxiv.org/abs/1905.09263), [Ren et al. 2020](https://arxiv.org/abs/2006.04558).
//! The native layout is the default voice's; the published one is in [`published`](super::published).
//!
//! ```text
//!  symbol, word and phrase position, place ─▶ project ─▶ FFT blocks ─▶ + pitch, voicing, energy ─▶ repeat ─▶
//!        conv blocks ─▶ mel head ─▶ post-net                  │
//!                    └▶ log-F0 and voicing head               └▶ predictors of durations and variances
//! ```

use std::collections::HashMap;

use candle_core::{D, Device, Result, Tensor};

use super::attention::FftSizes;
use super::config::FRAME_FEATURES;
use super::decoder::Decoder;
use super::predictor::{Predictor, duration_draw, round_keeping_sum};
use super::published::PublishedAdaptor;
use super::tokens::model_positions;
use super::{
    Config, Controls, CounterNoise, Dropout, Error, F0_RANGE_HZ, FftBlock, Layout, MEL_FLOOR, Mel, Padding,
    PhoneControls, PostNet, Regulated, Tokens, VARIANCES, contour,
};
use crate::nn::{Embedding, Init, Linear, Params, ops};
use crate::phoneme::PhonemeSeq;
use crate::text::Language;

/// Most tokens of one call.
const MAX_TOKENS: usize = 1000;
/// Log-variances stay within this much of their centre, so that no token's likelihood runs away.
const LOG_VARIANCE_SPAN: f64 = 4.0;
const LOG_VARIANCE_CENTRE: f64 = -1.0;

/// Means and deviations of the training speech. The model works on normalised values.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Mean of each log-mel band.
    pub mel_mean: Vec<f32>,
    /// Standard deviation of each log-mel band.
    pub mel_deviation: Vec<f32>,
    /// Means of the tokens' log-F0, voicing and energy.
    pub variance_mean: [f32; VARIANCES],
    /// Their standard deviations.
    pub variance_deviation: [f32; VARIANCES],
}

impl Statistics {
    const NAMES: [&'static str; 4] =
        ["statistics.mel_mean", "statistics.mel_std", "statistics.variance_mean", "statistics.variance_std"];

    /// The tensors that [`Params::trainable`] is to start from.
    ///
    /// # Errors
    /// Out of memory.
    pub fn preset(&self) -> Result<HashMap<String, Tensor>> {
        let values = [&self.mel_mean[..], &self.mel_deviation, &self.variance_mean, &self.variance_deviation];
        Self::NAMES
            .into_iter()
            .zip(values)
            .map(|(name, values)| Ok((name.to_string(), Tensor::new(values, &Device::Cpu)?)))
            .collect()
    }

    fn read(mels: usize, params: &Params) -> Result<Self> {
        let read = |name: &str, count: usize, init: Init| {
            params.constant(name, count, init)?.to_device(&Device::Cpu)?.to_vec1::<f32>()
        };
        let three = |values: Vec<f32>| std::array::from_fn(|i| values.get(i).copied().unwrap_or(0.0));
        Ok(Self {
            mel_mean: read(Self::NAMES[0], mels, Init::Zeros)?,
            mel_deviation: read(Self::NAMES[1], mels, Init::Ones)?,
            variance_mean: three(read(Self::NAMES[2], VARIANCES, Init::Zeros)?),
            variance_deviation: three(read(Self::NAMES[3], VARIANCES, Init::Ones)?),
        })
    }

    /// Normalises one of a token's values.
    fn normal(&self, which: usize, value: f32) -> f32 {
        (value - self.variance_mean[which]) / self.variance_deviation[which]
    }
}

/// What a teacher knows of each sequence of a batch.
#[derive(Debug, Clone)]
pub struct Teacher {
    /// Frames of each token.
    pub durations: Vec<Vec<u32>>,
    /// Log-F0, voicing and energy of each token, as [`token_variances`](super::token_variances) gives them.
    pub variances: Vec<Vec<[f32; VARIANCES]>>,
}

/// What the model says when durations and variances are given. Everything is normalised by the [`Statistics`].
pub struct TeacherForced {
    /// Unnormalised log-probabilities of 0, 1, 2 … frames, `[batch, tokens, bins]`.
    pub duration_logits: Tensor,
    /// Means of log-F0, voicing, energy, `[batch, tokens, 3]`.
    pub variance_means: Tensor,
    /// Logarithms of their variances, `[batch, tokens, 3]`.
    pub log_variances: Tensor,
    /// The frames.
    pub frames: Frames,
}

/// A batch of decoded frames, normalised.
pub struct Frames {
    /// Mel before the post-net, `[batch, frames, mels]`.
    pub mel_before: Tensor,
    /// Mel after the post-net, `[batch, frames, mels]`.
    pub mel_after: Tensor,
    /// Log-F0, `[batch, frames]`.
    pub log_f0: Tensor,
    /// Voicing before the sigmoid, `[batch, frames]`.
    pub voicing_logits: Tensor,
}

/// A batch of encoded tokens.
pub struct Encoded {
    /// Encoder output, `[batch, tokens, width]`, zeros in the padding.
    pub output: Tensor,
    pub(super) padding: Padding,
    /// Input of the native predictors, `[batch, tokens, inputs]`; the output itself in the published layout.
    predictor_input: Tensor,
}

struct Prosody {
    word: Embedding,
    phrase: Embedding,
    project: Linear,
}

struct NativeAdaptor {
    duration: Predictor,
    variance: Predictor,
    embed: Linear,
    place: Linear,
    source_head: Linear,
}

pub(super) enum Adaptor {
    Native(Box<NativeAdaptorParts>),
    Published(Box<PublishedAdaptor>),
}

/// What only the native layout has.
pub(super) struct NativeAdaptorParts {
    prosody: Prosody,
    adaptor: NativeAdaptor,
    statistics: Statistics,
}

/// An acoustic model.
pub struct FastSpeech {
    pub(super) config: Config,
    pub(super) device: Device,
    symbol: Embedding,
    encoder: Vec<FftBlock>,
    pub(super) adaptor: Adaptor,
    decoder: Decoder,
    mel_head: Linear,
    post_net: PostNet,
}

impl FastSpeech {
    /// # Errors
    /// The configuration is out of its limits, or a stored tensor is missing or has another shape.
    pub fn new(config: &Config, params: &Params) -> std::result::Result<Self, Error> {
        config.validate()?;
        Ok(Self::build(config, params)?)
    }

    fn build(config: &Config, params: &Params) -> Result<Self> {
        let width = config.width;
        let encoder = params.pp("encoder");
        let adaptor = match config.layout {
            Layout::Native => Adaptor::Native(Box::new(NativeAdaptorParts::new(config, params)?)),
            Layout::Published => {
                Adaptor::Published(Box::new(PublishedAdaptor::new(config, &params.pp("adaptor"))?))
            }
        };
        Ok(Self {
            symbol: Embedding::new(config.symbols, config.symbol_width, &params.pp("symbol"))?,
            encoder: (0..config.encoder_blocks)
                .map(|i| FftBlock::new(FftSizes::encoder(config), &encoder.pp(i)))
                .collect::<Result<_>>()?,
            adaptor,
            decoder: Decoder::new(config, &params.pp("decoder"))?,
            mel_head: Linear::new(width, config.mels, &params.pp("mel_head"))?,
            post_net: PostNet::new(&config.post_net, config.mels, &params.pp("post_net"))?,
            config: config.clone(),
            device: params.device().clone(),
        })
    }

    /// What the model is made of.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The blocks of the encoder.
    pub fn encoder(&self) -> &[FftBlock] {
        &self.encoder
    }

    /// The means and deviations of the training speech.
    ///
    /// # Errors
    /// The layout is not the native one.
    pub fn statistics(&self) -> std::result::Result<&Statistics, Error> {
        Ok(&self.native("statistics")?.statistics)
    }

    fn native(&self, call: &'static str) -> std::result::Result<&NativeAdaptorParts, Error> {
        match &self.adaptor {
            Adaptor::Native(native) => Ok(native),
            Adaptor::Published(_) => Err(Error::Layout { call, needed: "native" }),
        }
    }

    /// Encodes a batch.
    ///
    /// # Errors
    /// An id is outside its table, or the tokens are another layout's.
    pub fn encode(&self, tokens: &Tokens, dropout: &Dropout) -> Result<Encoded> {
        self.encode_as(None, tokens, dropout)
    }

    /// The same, as read by a speaker, `[1, width]`, of a model whose encoder is told.
    pub(super) fn encode_as(
        &self,
        speaker: Option<&Tensor>,
        tokens: &Tokens,
        dropout: &Dropout,
    ) -> Result<Encoded> {
        let (batch, count) = tokens.dims()?;
        let padding = Padding::new(tokens.lengths.clone(), count, &self.device)?;
        let symbols = self.symbol.forward(&tokens.symbols)?;
        let places = model_positions(self.config.model, count, self.config.position_width, &self.device)?;
        let (input, beside) = match (&self.adaptor, &tokens.prosody) {
            (Adaptor::Native(native), Some((word, phrase))) => {
                let Prosody { word: words, phrase: phrases, project } = &native.prosody;
                let places =
                    places.unsqueeze(0)?.expand((batch, count, self.config.position_width))?.contiguous()?;
                let own =
                    Tensor::cat(&[&symbols, &words.forward(word)?, &phrases.forward(phrase)?, &places], 2)?;
                (project.forward(&own)?, Some(own))
            }
            (Adaptor::Published(_), None) => (symbols.broadcast_add(&places)?, None),
            _ => candle_core::bail!("tokens: word and phrase positions belong to the native layout alone"),
        };
        let input = match speaker {
            Some(speaker) => input.broadcast_add(speaker)?,
            None => input,
        };
        let output = self
            .encoder
            .iter()
            .try_fold(padding.clear(&input)?, |xs, block| block.forward(&xs, &padding, dropout))?;
        let predictor_input = match beside {
            Some(own) => Tensor::cat(&[&output, &own, &pooled(&output, &padding)?], 2)?,
            None => output.clone(),
        };
        Ok(Encoded { output, padding, predictor_input })
    }

    /// Frames from the tokens' final vectors.
    pub(super) fn decode_frames(
        &self,
        xs: &Tensor,
        regulated: &Regulated,
        dropout: &Dropout,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let padding = Padding::new(regulated.lengths.clone(), regulated.frames, &self.device)?;
        let xs = self.decoder.forward(&padding.clear(xs)?, &padding, dropout)?;
        let before = self.mel_head.forward(&xs)?;
        let after = self.post_net.forward(&before, &regulated.lengths, dropout)?;
        Ok((xs, before, after))
    }

    /// Log-probabilities (unnormalised) of each token's duration, `[batch, tokens, bins]`.
    ///
    /// # Errors
    /// The layout is not the native one, or a tensor operation failed.
    pub fn duration_logits(
        &self,
        encoded: &Encoded,
        dropout: &Dropout,
    ) -> std::result::Result<Tensor, Error> {
        let native = self.native("duration_logits")?;
        let lengths = Some(&encoded.padding.lengths);
        Ok(native.adaptor.duration.forward(&encoded.predictor_input, None, lengths, dropout)?)
    }

    /// Means and log-variances of each token's normalised log-F0, voicing and energy, each `[batch, tokens, 3]`, given
    /// durations in frames (one list a sequence).
    ///
    /// # Errors
    /// The layout is not the native one, or a tensor operation failed.
    pub fn variances(
        &self,
        encoded: &Encoded,
        durations_frames: &[Vec<f32>],
        dropout: &Dropout,
    ) -> std::result::Result<(Tensor, Tensor), Error> {
        let native = self.native("variances")?;
        let (batch, tokens, _) = encoded.output.dims3()?;
        let mut logs = vec![0f32; batch * tokens];
        for (row, durations) in logs.chunks_exact_mut(tokens).zip(durations_frames) {
            row.iter_mut().zip(durations).for_each(|(log, frames)| *log = (frames + 1.0).ln() - 2.0);
        }
        let logs = Tensor::from_vec(logs, (batch, tokens, 1), &self.device)?;
        let lengths = Some(&encoded.padding.lengths);
        let input = &encoded.predictor_input;
        let both = native.adaptor.variance.forward(input, Some(&logs), lengths, dropout)?;
        let means = both.narrow(D::Minus1, 0, VARIANCES)?;
        let raw = both.narrow(D::Minus1, VARIANCES, VARIANCES)?;
        let log_variances =
            (raw * (1.0 / LOG_VARIANCE_SPAN))?.tanh()?.affine(LOG_VARIANCE_SPAN, LOG_VARIANCE_CENTRE)?;
        Ok((means, log_variances))
    }

    /// Decodes with the durations and variances of `teacher`.
    ///
    /// # Errors
    /// The layout is not the native one, the teacher does not fit the batch, or a tensor operation failed.
    pub fn decode(
        &self,
        encoded: &Encoded,
        teacher: &Teacher,
        dropout: &Dropout,
    ) -> std::result::Result<Frames, Error> {
        let native = self.native("decode")?;
        Ok(self.decode_native(native, encoded, (teacher, dropout))?)
    }

    fn decode_native(
        &self,
        native: &NativeAdaptorParts,
        encoded: &Encoded,
        (teacher, dropout): (&Teacher, &Dropout),
    ) -> Result<Frames> {
        let (batch, tokens, _) = encoded.output.dims3()?;
        let fits = |(durations, variances): (&Vec<u32>, &Vec<_>)| durations.len() == variances.len();
        if teacher.durations.len() != batch
            || teacher.variances.len() != batch
            || !teacher.durations.iter().zip(&teacher.variances).all(fits)
        {
            candle_core::bail!("teacher: expected durations and variances for each of {batch} sequences");
        }
        let regulated = Regulated::new(&teacher.durations, tokens, &self.device)?;
        let statistics = &native.statistics;
        let mut values = vec![0f32; batch * tokens * VARIANCES];
        let mut tracks = vec![0f32; batch * regulated.frames];
        for (i, variances) in teacher.variances.iter().enumerate() {
            let rows = values[i * tokens * VARIANCES..].chunks_exact_mut(VARIANCES);
            for (row, token) in rows.zip(variances) {
                row.iter_mut().enumerate().for_each(|(which, v)| *v = statistics.normal(which, token[which]));
            }
            let pitches: Vec<f32> = variances.iter().map(|token| statistics.normal(0, token[0])).collect();
            let track = contour(&teacher.durations[i], &pitches);
            tracks[i * regulated.frames..][..track.len()].copy_from_slice(&track);
        }
        let values = Tensor::from_vec(values, (batch, tokens, VARIANCES), &self.device)?;
        let tracks = Tensor::from_vec(tracks, (batch, regulated.frames), &self.device)?;
        let xs = regulated.repeat(&(&encoded.output + native.adaptor.embed.forward(&values)?)?)?;
        let xs = (xs + native.adaptor.place.forward(&regulated.features)?)?;
        let (xs, mel_before, mel_after) = self.decode_frames(&xs, &regulated, dropout)?;
        let source = native.adaptor.source_head.forward(&xs)?;
        let log_f0 = (source.narrow(2, 0, 1)?.squeeze(2)? + tracks)?;
        Ok(Frames { mel_before, mel_after, log_f0, voicing_logits: source.narrow(2, 1, 1)?.squeeze(2)? })
    }

    /// The whole model with the teacher's durations and variances: what training sees.
    ///
    /// # Errors
    /// As [`FastSpeech::decode`].
    pub fn teacher_forced(
        &self,
        tokens: &Tokens,
        teacher: &Teacher,
        dropout: &Dropout,
    ) -> std::result::Result<TeacherForced, Error> {
        let encoded = self.encode(tokens, dropout)?;
        let durations: Vec<Vec<f32>> =
            teacher.durations.iter().map(|d| d.iter().map(|&frames| frames as f32).collect()).collect();
        let (variance_means, log_variances) = self.variances(&encoded, &durations, dropout)?;
        Ok(TeacherForced {
            duration_logits: self.duration_logits(&encoded, dropout)?,
            variance_means,
            log_variances,
            frames: self.decode(&encoded, teacher, dropout)?,
        })
    }

    /// Durations in frames and the prosody that the model would speak, for one encoded sequence at a rate of 1.
    fn prosody(
        &self,
        encoded: &Encoded,
        controls: &Controls,
    ) -> std::result::Result<(Vec<f32>, Vec<[f32; VARIANCES]>), Error> {
        let statistics = self.statistics()?;
        let off = Dropout::off();
        let probabilities = ops::softmax(&self.duration_logits(encoded, &off)?)?.get(0)?.to_vec2::<f32>()?;
        let durations: Vec<f32> = probabilities
            .iter()
            .enumerate()
            .map(|(token, row)| controls.durations.pick(row, duration_draw(controls.seed, token)))
            .collect();
        let (means, log_variances) = self.variances(encoded, std::slice::from_ref(&durations), &off)?;
        let (means, log_variances) =
            (means.get(0)?.to_vec2::<f32>()?, log_variances.get(0)?.to_vec2::<f32>()?);
        let noise = CounterNoise::new(controls.seed);
        // A quarter of the tone goes with each neighbour: pitch that jumps from phone to phone is not expression.
        let draw = |token: usize, which: usize| {
            let at = |token: usize| noise.normal((token * VARIANCES + which) as u64);
            (at(token) + at(token + 1) + at(token + 2)) / 3f32.sqrt()
        };
        let shift = [
            controls.pitch_semitones * std::f32::consts::LN_2 / 12.0,
            0.0,
            controls.volume_db * std::f32::consts::LN_10 / 20.0,
        ];
        let token = |(token, (means, logs)): (usize, (&Vec<f32>, &Vec<f32>))| {
            std::array::from_fn(|which| {
                let deviation = (0.5 * logs[which]).exp() * controls.expressiveness;
                let drawn = if deviation > 0.0 { deviation * draw(token, which) } else { 0.0 };
                let value = statistics.variance_mean[which]
                    + statistics.variance_deviation[which] * (means[which] + drawn)
                    + shift[which];
                if which == 1 { value.clamp(0.0, 1.0) } else { value }
            })
        };
        let variances = means.iter().zip(&log_variances).enumerate().map(token).collect();
        Ok((durations, variances))
    }

    /// Whether it can speak our phrases: a native model English ones, a published one if it was
    /// trained on the published symbols; only FastSpeech 2 has those of pinyin.
    ///
    /// # Errors
    /// It has another table of symbols.
    pub fn check_speakable(&self, language: Language) -> std::result::Result<(), Error> {
        match language {
            Language::English if self.config.layout == Layout::Native => Ok(()),
            #[cfg(feature = "mandarin")]
            Language::Mandarin if !self.config.reads_pinyin() => {
                Err(Error::Layout { call: "Mandarin", needed: "published FastSpeech 2" })
            }
            _ => self.check_symbols(),
        }
    }

    /// Speaks a phrase.
    ///
    /// # Errors
    /// The model lacks what a control asks for, a control is out of range, the phrase is empty or too long, or a tensor
    /// operation failed.
    pub fn speak(&self, phrase: &PhonemeSeq, controls: &Controls) -> std::result::Result<Mel, Error> {
        self.say(phrase, controls, None, &[])
    }

    /// Speaks a phrase of which each phone may be faster or higher than the others; no `each` means none is.
    ///
    /// # Errors
    /// As [`FastSpeech::speak`], or there are not as many `each` as phones.
    pub fn speak_varied(
        &self,
        phrase: &PhonemeSeq,
        controls: &Controls,
        each: &[PhoneControls],
    ) -> std::result::Result<Mel, Error> {
        if !each.is_empty() && each.len() != phrase.phones.len() {
            return Err(Error::Phones { most: phrase.phones.len(), got: each.len() });
        }
        self.say(phrase, controls, None, each)
    }

    /// Speaks a phrase with given durations in frames, one a phone.
    ///
    /// # Errors
    /// As [`FastSpeech::speak`], or there are not as many durations as phones.
    pub fn speak_timed(
        &self,
        phrase: &PhonemeSeq,
        controls: &Controls,
        durations_frames: &[u32],
    ) -> std::result::Result<Mel, Error> {
        check_tokens(phrase.phones.len())?;
        if durations_frames.len() != phrase.phones.len() {
            return Err(Error::Phones { most: phrase.phones.len(), got: durations_frames.len() });
        }
        self.say(phrase, controls, Some(durations_frames), &[])
    }

    fn say(
        &self,
        phrase: &PhonemeSeq,
        controls: &Controls,
        given: Option<&[u32]>,
        each: &[PhoneControls],
    ) -> std::result::Result<Mel, Error> {
        controls.validate()?;
        self.check_speaker(controls.speaker)?;
        check_tokens(phrase.phones.len())?;
        if self.config.layout == Layout::Published {
            return self.speak_published(phrase, controls, given, each);
        }
        let statistics = self.statistics()?;
        let tokens = Tokens::from_phones(&[&phrase.phones], &self.device)?;
        let encoded = self.encode(&tokens, &Dropout::off())?;
        let (durations, mut variances) = self.prosody(&encoded, controls)?;
        let (rates, pitches) = controls.of_phones(each);
        for (variances, semitones) in variances.iter_mut().zip(pitches) {
            variances[0] += (semitones - controls.pitch_semitones) * std::f32::consts::LN_2 / 12.0;
        }
        let rates = rates.into_iter().chain(std::iter::repeat(controls.rate));
        // A phone that is written is spoken; a pause may vanish, as it does in the training speech.
        let least = |pause: bool| if pause { 0.0 } else { 1.0 };
        let scaled: Vec<f32> = (durations.iter().zip(&phrase.phones).zip(rates))
            .map(|((frames, phone), rate)| (frames / rate).max(least(phone.symbol.pause().is_some())))
            .collect();
        let mut durations_frames = given.map_or_else(|| round_keeping_sum(&scaled), <[u32]>::to_vec);
        if durations_frames.iter().all(|&frames| frames == 0) {
            durations_frames[0] = 1;
        }
        self.check_frames(durations_frames.iter().map(|&d| d as usize).sum())?;
        let teacher = Teacher { durations: vec![durations_frames], variances: vec![variances] };
        let frames = self.decode(&encoded, &teacher, &Dropout::off())?;
        let deviation = Tensor::new(&statistics.mel_deviation[..], &self.device)?;
        let mean = Tensor::new(&statistics.mel_mean[..], &self.device)?;
        let mel = frames.mel_after.get(0)?.broadcast_mul(&deviation)?.broadcast_add(&mean)?;
        let log_f0 = (frames.log_f0.get(0)? * f64::from(statistics.variance_deviation[0]))?
            .affine(1.0, f64::from(statistics.variance_mean[0]))?
            .clamp(F0_RANGE_HZ.0.ln(), F0_RANGE_HZ.1.ln())?;
        let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
        let voicing = frames.voicing_logits.get(0)?.to_vec1::<f32>()?;
        let Teacher { durations, .. } = teacher;
        Ok(Mel {
            frames: mel.maximum(MEL_FLOOR)?,
            log_f0: log_f0.to_vec1()?,
            voicing: voicing.into_iter().map(sigmoid).collect(),
            durations_frames: durations.into_iter().next().unwrap_or_default(),
        })
    }

    pub(super) fn check_frames(&self, got: usize) -> std::result::Result<(), Error> {
        let most = self.config.max_frames();
        if got > most { Err(Error::Frames { most, got }) } else { Ok(()) }
    }
}

impl NativeAdaptorParts {
    fn new(config: &Config, params: &Params) -> Result<Self> {
        let (words, phrases) = Config::prosody_rows();
        let (width, prosody) = (config.width, config.prosody_width);
        Ok(Self {
            prosody: Prosody {
                word: Embedding::new(words, prosody, &params.pp("word_position"))?,
                phrase: Embedding::new(phrases, prosody, &params.pp("phrase_position"))?,
                project: Linear::new(
                    config.embedding_width() + config.position_width,
                    width,
                    &params.pp("project"),
                )?,
            },
            adaptor: NativeAdaptor {
                duration: Predictor::new(config, config.duration_bins, &params.pp("duration_predictor"))?,
                variance: Predictor::with_duration(config, 2 * VARIANCES, &params.pp("variance_predictor"))?,
                embed: Linear::new(VARIANCES, width, &params.pp("variance_embedding"))?,
                place: Linear::new(FRAME_FEATURES, width, &params.pp("frame_place"))?,
                source_head: Linear::new(width, 2, &params.pp("source_head"))?,
            },
            statistics: Statistics::read(config.mels, params)?,
        })
    }
}

/// The mean of each sequence's real rows, repeated for every token: `[batch, tokens, width]`.
fn pooled(xs: &Tensor, padding: &Padding) -> Result<Tensor> {
    let (batch, tokens, width) = xs.dims3()?;
    let scale: Vec<f32> = padding.lengths.iter().map(|&rows| 1.0 / rows.max(1) as f32).collect();
    let scale = Tensor::from_vec(scale, (batch, 1, 1), xs.device())?;
    xs.sum_keepdim(1)?.broadcast_mul(&scale)?.expand((batch, tokens, width))?.contiguous()
}

pub(super) fn check_tokens(got: usize) -> std::result::Result<(), Error> {
    if (1..=MAX_TOKENS).contains(&got) { Ok(()) } else { Err(Error::Phones { most: MAX_TOKENS, got }) }
}
