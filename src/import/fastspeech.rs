//! FastSpeech 2 as ming024 and its forks publish it (LJSpeech, LibriTTS, AISHELL3), to ours: sizes from the weights,
//! convolutions as matrices, batch norms folded.
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
//! | `adaptor.speaker` | `speaker_emb` |
//! | `mel_head` | `mel_linear` |
//! | `post_net.convolutions.{i}` | `postnet.convolutions.{i}.0.conv` with `.1` (batch norm) folded in |

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use serde::Deserialize;

use super::fastpitch::fastpitch;
use super::fastspeech1::fastspeech1;
use super::reader::{Imported, Reader};
use super::{Checkpoint, ImportError};
use crate::acoustic::{Config, PostNetPart, PublishedStatistics, positions};
use crate::nn::tap_major;

const MODEL: &str = "FastSpeech 2";
/// More blocks or layers than any published model has.
pub(super) const MAX_COUNT: usize = 64;
/// Of PyTorch's batch norm.
const EPSILON: f64 = 1e-5;
/// A `stats.json` has two lists of four numbers.
const MAX_STATISTICS_BYTES: u64 = 1 << 16;

/// What a checkpoint of an acoustic model does not say about itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AcousticConfig {
    /// Attention heads. By default as published: 2, and 1 of FastPitch.
    pub heads: Option<usize>,
    /// Keeps one speaker of several.
    pub speaker: Option<usize>,
    /// Of the training speech of FastSpeech 2; FastPitch has its own, FastSpeech 1 has nothing to normalise.
    pub statistics: Option<TrainingStatistics>,
}

impl AcousticConfig {
    /// Rows of the table of speakers, 0 without one.
    pub(super) fn speakers(&self, reader: &Reader) -> Result<usize, ImportError> {
        let speakers = match reader.contains("speaker_emb.weight") {
            true => reader.dims::<2>("speaker_emb.weight", "two dimensions")?[0],
            false => 0,
        };
        if let Some(got) = self.speaker.filter(|&speaker| speaker >= speakers.max(1)) {
            let got = u32::try_from(got).unwrap_or(u32::MAX);
            return Err(crate::acoustic::Error::Speaker { speakers: speakers.max(1), got }.into());
        }
        Ok(speakers)
    }

    /// Leaves the chosen speaker alone in the table, if one was chosen and there is a table.
    pub(super) fn keep_speaker(
        &self,
        config: &mut Config,
        tensors: &mut BTreeMap<String, Tensor>,
    ) -> Result<(), ImportError> {
        if let (Some(speaker), Some(table)) = (self.speaker, tensors.get_mut("adaptor.speaker.weight")) {
            *table = table.narrow(0, speaker, 1)?.contiguous()?;
            config.speakers = 1;
        }
        Ok(())
    }
}

/// Finds the acoustic model in a checkpoint, under whatever prefix, and converts it: FastSpeech 2, FastSpeech 1 or FastPitch.
///
/// # Errors
/// There is none, a tensor is missing, misshapen or unknown, the positions are not the sinusoids, the statistics are not
/// those that its bins were made from, or something is asked for that such a model does not have.
pub fn acoustic(checkpoint: &Checkpoint, from: &AcousticConfig) -> Result<Imported<Config>, ImportError> {
    let has = |part: &str| checkpoint.tensors().keys().any(|name| name.contains(part));
    if has("length_regulator.duration_predictor.") {
        fastspeech1(checkpoint, from)
    } else if has("encoder.word_emb.") && has("pitch_emb.") {
        fastpitch(checkpoint, from)
    } else {
        fastspeech2(checkpoint, from)
    }
}

/// What `stats.json` says of the training speech: least and greatest normalised value, mean, standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct TrainingStatistics {
    /// Of the phones' pitch in Hz.
    pub pitch: [f32; 4],
    /// Of the phones' energy.
    pub energy: [f32; 4],
}

impl TrainingStatistics {
    /// Reads a `stats.json`.
    ///
    /// # Errors
    /// It cannot be read, or its numbers are no statistics.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let wrong = |problem: String| ImportError::Statistics { problem };
        let size = std::fs::metadata(path).map_err(|e| wrong(format!("{}: {e}", path.display())))?.len();
        if size > MAX_STATISTICS_BYTES {
            return Err(wrong(format!("expected at most {MAX_STATISTICS_BYTES} bytes, got {size}")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
        let statistics: Self =
            serde_json::from_str(&text).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
        for (what, [least, most, mean, deviation]) in
            [("pitch", statistics.pitch), ("energy", statistics.energy)]
        {
            let is_sound = least < most && mean.is_finite() && deviation > 0.0 && deviation.is_finite();
            if !is_sound || !least.is_finite() || !most.is_finite() {
                return Err(wrong(format!(
                    "{what}: expected least < greatest, a mean and a deviation above 0"
                )));
            }
        }
        Ok(statistics)
    }

    fn published(&self) -> PublishedStatistics {
        let [_, _, mean, deviation] = self.pitch;
        PublishedStatistics { pitch_hz: [mean, deviation], energy: [self.energy[2], self.energy[3]] }
    }
}

fn fastspeech2(checkpoint: &Checkpoint, from: &AcousticConfig) -> Result<Imported<Config>, ImportError> {
    let found = Reader::find(checkpoint, MODEL, ["encoder.src_word_emb.weight", "mel_linear.weight"]);
    let mut reader = found.map_err(|error| {
        let is_vocoder = checkpoint.tensors().keys().any(|name| name.contains("convinv.0."));
        if is_vocoder { ImportError::Kind { expected: "an acoustic model", got: "WaveGlow" } } else { error }
    })?;
    let mut config = sizes(&reader, from)?;
    let mut tensors = BTreeMap::new();
    for name in reader.names() {
        if let Some((name, tensor)) = converted(&mut reader, name)? {
            tensors.insert(name, tensor);
        }
    }
    from.keep_speaker(&mut config, &mut tensors)?;
    if let Some(statistics) = &from.statistics {
        for (name, range) in [("pitch", statistics.pitch), ("energy", statistics.energy)] {
            check_bins(name, &tensors, [range[0], range[1]])?;
        }
    }
    config.validate()?;
    Ok(reader.finish(config, tensors))
}

fn sizes(reader: &Reader, from: &AcousticConfig) -> Result<Config, ImportError> {
    let conv = |name: String| reader.dims::<3>(&name, "three dimensions");
    let [symbols, width] = reader.dims("encoder.src_word_emb.weight", "two dimensions")?;
    let feed = |stack: &str| conv(format!("{stack}.layer_stack.0.pos_ffn.w_1.weight"));
    let blocks = |stack: &str| reader.count(MAX_COUNT, |i| format!("{stack}.layer_stack.{i}.slf_attn.w_qs"));
    let [encoder_filter, _, encoder_kernel] = feed("encoder")?;
    let [decoder_filter, _, decoder_kernel] = feed("decoder")?;
    let predictor = "variance_adaptor.duration_predictor.conv_layer";
    let [predictor_width, _, first_kernel] = conv(format!("{predictor}.conv1d_1.conv.weight"))?;
    let [_, _, second_kernel] = conv(format!("{predictor}.conv1d_2.conv.weight"))?;
    let [post_width, mels, post_kernel] = conv("postnet.convolutions.0.0.conv.weight".into())?;
    let layers = reader.count(MAX_COUNT, |i| format!("postnet.convolutions.{i}.0.conv"));
    let [bounds] = reader.dims("variance_adaptor.pitch_bins", "one dimension")?;
    Ok(Config {
        symbols,
        mels,
        width,
        heads: from.heads.unwrap_or(2),
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
        variance_bins: bounds + 1,
        post_net: vec![PostNetPart::Convolutions { width: post_width, kernel: post_kernel, layers }],
        speakers: from.speakers(reader)?,
        statistics: from.statistics.map(|statistics| statistics.published()),
        ..Config::published()
    })
}

/// A tensor under our name; `None` for one that was checked, or folded into another.
fn converted(reader: &mut Reader, name: &str) -> Result<Option<(String, Tensor)>, ImportError> {
    if name.ends_with("num_batches_tracked") {
        reader.skip(name);
        return Ok(None);
    }
    let tensor = reader.tensor(name)?;
    if name.ends_with("position_enc") {
        let table = tensor.squeeze(0)?;
        check_positions(name, &table, |count, width| positions(count, width, table.device()))?;
        return Ok(None);
    }
    if let Some(rest) = name.strip_prefix("postnet.convolutions.") {
        // The norm's own tensors are read with their convolution's.
        let Some((layer, part)) = rest.split_once(".0.conv.") else { return Ok(None) };
        let folded = fold_batch_norm(reader, layer, &tensor)?;
        return Ok(Some((format!("post_net.convolutions.{layer}.{part}"), folded)));
    }
    let ours = our_name(name).ok_or_else(|| ImportError::Unknown { name: name.into(), model: MODEL })?;
    let tensor = if tensor.rank() == 3 { tap_major(&tensor)? } else { tensor };
    Ok(Some((ours, tensor)))
}

/// A table `[count, width]` holds what `expected` makes of these numbers.
pub(super) fn check_positions(
    name: &str,
    table: &Tensor,
    expected: impl FnOnce(usize, usize) -> candle_core::Result<Tensor>,
) -> Result<(), ImportError> {
    let shape = |expected| ImportError::Shape { name: name.into(), expected, got: table.dims().to_vec() };
    let (count, width) = table.dims2().map_err(|_| shape("a table of positions"))?;
    if count > 1 << 16 || width > 1 << 12 {
        return Err(shape("at most 65536 × 4096 values"));
    }
    let errors = (table - expected(count, width)?)?.abs()?.flatten_all()?.to_vec1::<f32>()?;
    // Unlike the tensors' own, this order lets no NaN pass. The published table is rounded to f32 as ours is.
    let error = errors.into_iter().max_by(f32::total_cmp).unwrap_or(0.0);
    if error.is_nan() || error > 1e-5 {
        let problem = format!("expected sinusoids, got values off by {error}");
        return Err(ImportError::Values { name: name.into(), problem });
    }
    Ok(())
}

/// The weight (tap-major) or bias of post-net layer `layer`, its evaluation-mode batch norm folded in:
/// `y = (conv(x) − mean) / √(variance + ε) · scale + shift` ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)).
fn fold_batch_norm(reader: &mut Reader, layer: &str, conv: &Tensor) -> Result<Tensor, ImportError> {
    let mut norm = |part: &str| reader.tensor(&format!("postnet.convolutions.{layer}.1.{part}"));
    let gain = norm("weight")?.div(&(norm("running_var")? + EPSILON)?.sqrt()?)?;
    if conv.rank() == 3 {
        return Ok(tap_major(conv)?.broadcast_mul(&gain.unsqueeze(1)?)?);
    }
    Ok((((conv - norm("running_mean")?)? * gain)? + norm("bias")?)?)
}

/// The bins of a value lie evenly between its least and its greatest, or their logarithms do.
fn check_bins(
    name: &str,
    tensors: &BTreeMap<String, Tensor>,
    [least, most]: [f32; 2],
) -> Result<(), ImportError> {
    let Some(bins) = tensors.get(&format!("adaptor.{name}_bins")) else { return Ok(()) };
    let bins = bins.to_vec1::<f32>()?;
    let steps = bins.len().saturating_sub(1).max(1) as f32;
    let between = |low: f32, high: f32, i: usize| low + (high - low) * i as f32 / steps;
    let tolerance = 1e-4 * (most - least);
    let is = |bound: &dyn Fn(usize) -> f32| {
        bins.iter().enumerate().all(|(i, &bin)| (bin - bound(i)).abs() <= tolerance)
    };
    let is_logarithmic = || least > 0.0 && is(&|i| between(least.ln(), most.ln(), i).exp());
    if is(&|i| between(least, most, i)) || is_logarithmic() {
        return Ok(());
    }
    let (first, last) = (bins.first().copied().unwrap_or_default(), bins.last().copied().unwrap_or_default());
    let problem = format!("{name} goes from {least} to {most}, the checkpoint's bins from {first} to {last}");
    Err(ImportError::Statistics { problem })
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
    match name {
        "encoder.src_word_emb.weight" => return Some("symbol.weight".into()),
        "speaker_emb.weight" => return Some("adaptor.speaker.weight".into()),
        _ => {}
    }
    block_name(name)
}

/// Our name of a tensor of an attention block, which FastSpeech 1 has as well.
pub(super) fn block_name(name: &str) -> Option<String> {
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
