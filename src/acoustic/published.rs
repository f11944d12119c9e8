//! FastSpeech 2 as published: what differs from the native layout, and how its checkpoints are read.
//!
//! Paper: [Ren et al. 2020](https://arxiv.org/abs/2006.04558). Code followed: ming024/FastSpeech2, inference, phoneme-level
//! pitch and energy. Its habits are kept, because its weights were trained with them:
//!
//! * energy is scaled by the *pitch* control;
//! * a duration is rounded half to even, then scaled, then cut to an integer;
//! * a value falls into the bin counted by the bounds strictly below it;
//! * padding takes part in the convolutions of predictors and post-net, so a padded sentence is not the same as alone.
//!
//! | our name | published name |
//! |---|---|
//! | `symbol` | `encoder.src_word_emb` |
//! | `{encoder,decoder}.{i}` | `{encoder,decoder}.layer_stack.{i}` |
//! | `.attention.{query,key,value,output}`, `.attention_norm` | `.slf_attn.{w_qs,w_ks,w_vs,fc}`, `.slf_attn.layer_norm` |
//! | `.expand`, `.contract`, `.feed_norm` | `.pos_ffn.{w_1,w_2,layer_norm}` |
//! | `adaptor.{duration,pitch,energy}` | `variance_adaptor.{duration,pitch,energy}_predictor` |
//! | `.layers.{0,1}.{conv,norm}`, `.output` | `.conv_layer.{conv1d_1.conv,layer_norm_1,…}`, `.linear_layer` |
//! | `adaptor.{pitch,energy}_{bins,embedding}` | `variance_adaptor.{pitch,energy}_{bins,embedding}` |
//! | `mel_head` | `mel_linear` |
//! | `post_net.convolutions.{i}` | `postnet.convolutions.{i}.0.conv` with `.1` (batch norm) folded in |

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, bail};

use super::fastspeech::{Adaptor, check_tokens};
use super::predictor::Predictor;
use super::tokens::positions;
use super::{Config, Dropout, Error, FastSpeech, PostNetPart, Regulated, Tokens};
use crate::nn::{Embedding, Init, Params};

/// Regression of log-durations, pitch and energy, the latter two through tables of quantised values.
pub(super) struct PublishedAdaptor {
    duration: Predictor,
    pitch: Quantised,
    energy: Quantised,
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

    /// Values `[batch, tokens]`, scaled by `control`, and their vectors `[batch, tokens, width]`.
    fn forward(&self, xs: &Tensor, lengths: &[usize], control: f32) -> Result<(Tensor, Tensor)> {
        let values = (per_token(&self.predictor, xs, lengths)? * f64::from(control))?;
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
}

impl Default for PublishedControls {
    fn default() -> Self {
        Self { pitch: 1.0, duration: 1.0 }
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
        let Adaptor::Published(adaptor) = &self.adaptor else {
            return Err(Error::Layout { call: "infer_ids", needed: "published" });
        };
        controls.validate()?;
        check_tokens(sequences.iter().map(Vec::len).max().unwrap_or(0))?;
        if let Some(&got) = sequences.iter().flatten().find(|&&id| id as usize >= self.config.symbols) {
            return Err(Error::Symbol { symbols: self.config.symbols, got });
        }
        let off = Dropout::off();
        let tokens = Tokens::from_ids(sequences, &self.device)?;
        let (_, count) = tokens.dims()?;
        let lengths = &tokens.lengths;
        let xs = self.encode(&tokens, &off)?.output;
        let log_durations = per_token(&adaptor.duration, &xs, lengths)?;
        let (pitch, pitch_vectors) = adaptor.pitch.forward(&xs, lengths, controls.pitch)?;
        let xs = (xs + pitch_vectors)?;
        let (energy, energy_vectors) = adaptor.energy.forward(&xs, lengths, controls.pitch)?;
        let xs = (xs + energy_vectors)?;

        let round = |log: f32| ((log.exp() - 1.0).round_ties_even() * controls.duration).max(0.0);
        let durations_rounded: Vec<Vec<f32>> = log_durations
            .to_vec2::<f32>()?
            .into_iter()
            .map(|row| row.into_iter().map(round).collect())
            .collect();
        // As u32 saturates, a hostile duration cannot wrap around the limit below.
        let durations: Vec<Vec<u32>> =
            durations_rounded.iter().map(|row| row.iter().map(|&frames| frames as u32).collect()).collect();
        let frames = |row: &Vec<u32>| row.iter().map(|&frames| frames as usize).sum::<usize>();
        let longest = durations.iter().map(frames).max().unwrap_or(0);
        self.check_frames(longest.saturating_mul(durations.len()))?;
        let regulated = Regulated::new(&durations, count, &self.device)?;
        let (_, mel_before, mel_after) = self.decode_frames(&regulated.repeat(&xs)?, &regulated, &off)?;
        Ok(PublishedOutput {
            mel_before,
            mel_after,
            pitch,
            energy,
            log_durations,
            durations_rounded,
            lengths_frames: regulated.lengths.to_vec(),
        })
    }
}

/// Turns the tensors of a published checkpoint (its `model` entry) into a configuration and tensors under our names,
/// convolutions as `[outputs, kernel × inputs]`, batch norms folded. Sizes come from the weights; `heads` cannot.
///
/// # Errors
/// A tensor is missing, misshapen or unknown, the checkpoint has several speakers, or its position tables are not the
/// sinusoids.
pub fn from_published(
    tensors: &HashMap<String, Tensor>,
    heads: usize,
) -> std::result::Result<(Config, HashMap<String, Tensor>), Error> {
    if tensors.contains_key("speaker_emb.weight") {
        return Err(Error::Layout { call: "a checkpoint of several speakers", needed: "single-speaker" });
    }
    let config = sizes(tensors, heads)?;
    config.validate()?;
    Ok((config, convert(tensors)?))
}

fn find<'a>(tensors: &'a HashMap<String, Tensor>, name: &str) -> Result<&'a Tensor> {
    match tensors.get(name) {
        Some(tensor) => Ok(tensor),
        None => bail!("tensor `{name}` is missing"),
    }
}

fn sizes(tensors: &HashMap<String, Tensor>, heads: usize) -> Result<Config> {
    let conv = |name: &str| find(tensors, name)?.dims3();
    let count =
        |pattern: &dyn Fn(usize) -> String| (0..).take_while(|&i| tensors.contains_key(&pattern(i))).count();
    let (symbols, width) = find(tensors, "encoder.src_word_emb.weight")?.dims2()?;
    let feed = |stack: &str| conv(&format!("{stack}.layer_stack.0.pos_ffn.w_1.weight"));
    let blocks = |stack: &str| count(&|i| format!("{stack}.layer_stack.{i}.slf_attn.w_qs.weight"));
    let (encoder_filter, _, encoder_kernel) = feed("encoder")?;
    let (decoder_filter, _, decoder_kernel) = feed("decoder")?;
    let predictor = "variance_adaptor.duration_predictor.conv_layer";
    let (predictor_width, _, first_kernel) = conv(&format!("{predictor}.conv1d_1.conv.weight"))?;
    let (_, _, second_kernel) = conv(&format!("{predictor}.conv1d_2.conv.weight"))?;
    let (post_width, mels, post_kernel) = conv("postnet.convolutions.0.0.conv.weight")?;
    let layers = count(&|i| format!("postnet.convolutions.{i}.0.conv.weight"));
    Ok(Config {
        symbols,
        mels,
        width,
        heads,
        symbol_width: width,
        position_width: width,
        encoder_blocks: blocks("encoder"),
        encoder_kernel,
        encoder_filter,
        decoder_blocks: blocks("decoder"),
        decoder_kernel,
        decoder_filter,
        predictor_width,
        predictor_kernels: vec![first_kernel, second_kernel],
        variance_bins: find(tensors, "variance_adaptor.pitch_bins")?.dims1()? + 1,
        post_net: vec![PostNetPart::Convolutions { width: post_width, kernel: post_kernel, layers }],
        ..Config::published()
    })
}

fn convert(tensors: &HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
    let mut ours = HashMap::new();
    for (name, tensor) in tensors {
        if name.ends_with("num_batches_tracked") {
            continue;
        }
        // Column-major views come out of pickles, and candle computes wrongly with them.
        let tensor = tensor.to_dtype(DType::F32)?.contiguous()?;
        if name.ends_with("position_enc") {
            check_positions(name, &tensor)?;
        } else if let Some(rest) = name.strip_prefix("postnet.convolutions.") {
            if let Some((layer, part)) = rest.split_once(".0.conv.") {
                let folded = fold_batch_norm(tensors, layer, &tensor)?;
                ours.insert(format!("post_net.convolutions.{layer}.{part}"), folded);
            }
        } else {
            let Some(name) = our_name(name) else { bail!("tensor `{name}` is not part of FastSpeech 2") };
            let tensor = if tensor.rank() == 3 { tap_major(&tensor)? } else { tensor };
            ours.insert(name, tensor);
        }
    }
    Ok(ours)
}

/// PyTorch's `[outputs, inputs, kernel]` to `[outputs, kernel × inputs]`.
fn tap_major(weight: &Tensor) -> Result<Tensor> {
    weight.permute((0, 2, 1))?.contiguous()?.flatten(1, 2)
}

fn check_positions(name: &str, table: &Tensor) -> Result<()> {
    let (_, count, width) = table.dims3()?;
    if count > 1 << 16 || width > 1 << 12 {
        bail!("tensor `{name}`: expected at most 65536 × 4096 values, got {count} × {width}");
    }
    let sinusoids = positions(count, width, table.device())?;
    let error = (table.squeeze(0)? - sinusoids)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
    // The published table is rounded to f32 as ours is.
    if error.is_nan() || error > 1e-5 {
        bail!("tensor `{name}`: expected sinusoids, got values off by {error}");
    }
    Ok(())
}

/// The weight (tap-major) or bias of post-net layer `layer`, its evaluation-mode batch norm folded in:
/// `y = (conv(x) − mean) / √(variance + ε) · scale + shift` ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)).
fn fold_batch_norm(tensors: &HashMap<String, Tensor>, layer: &str, conv: &Tensor) -> Result<Tensor> {
    const EPSILON: f64 = 1e-5;
    let norm = |part: &str| {
        find(tensors, &format!("postnet.convolutions.{layer}.1.{part}"))?.to_dtype(DType::F32)?.contiguous()
    };
    let gain = norm("weight")?.div(&(norm("running_var")? + EPSILON)?.sqrt()?)?;
    if conv.rank() == 3 {
        return tap_major(conv)?.broadcast_mul(&gain.unsqueeze(1)?);
    }
    (conv - norm("running_mean")?)? * gain + norm("bias")?
}

/// Our name of a published tensor outside the post-net.
fn our_name(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("variance_adaptor.") {
        let rest = rest
            .replace("_predictor.conv_layer.conv1d_1.conv.", ".layers.0.conv.")
            .replace("_predictor.conv_layer.layer_norm_1.", ".layers.0.norm.")
            .replace("_predictor.conv_layer.conv1d_2.conv.", ".layers.1.conv.")
            .replace("_predictor.conv_layer.layer_norm_2.", ".layers.1.norm.")
            .replace("_predictor.linear_layer.", ".output.");
        let known = ["duration.", "pitch.", "energy.", "pitch_", "energy_"];
        return known.iter().any(|start| rest.starts_with(start)).then(|| format!("adaptor.{rest}"));
    }
    if let Some(part) = name.strip_prefix("mel_linear.") {
        return Some(format!("mel_head.{part}"));
    }
    if name == "encoder.src_word_emb.weight" {
        return Some("symbol.weight".into());
    }
    let (stack, rest) = name.split_once(".layer_stack.")?;
    let (block, rest) = rest.split_once('.')?;
    let (layer, part) = rest.rsplit_once('.')?;
    let layer = match layer {
        "slf_attn.w_qs" => "attention.query",
        "slf_attn.w_ks" => "attention.key",
        "slf_attn.w_vs" => "attention.value",
        "slf_attn.fc" => "attention.output",
        "slf_attn.layer_norm" => "attention_norm",
        "pos_ffn.w_1" => "expand",
        "pos_ffn.w_2" => "contract",
        "pos_ffn.layer_norm" => "feed_norm",
        _ => return None,
    };
    Some(format!("{stack}.{block}.{layer}.{part}"))
}
