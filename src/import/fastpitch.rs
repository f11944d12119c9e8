//! FastPitch as NVIDIA publishes it (1.0 and 1.1), to ours.
//!
//! | our name | published name |
//! |---|---|
//! | `symbol` | `encoder.word_emb` |
//! | `{encoder,decoder}.{i}` | `{encoder,decoder}.layers.{i}` |
//! | `.attention.{query,key,value}`, `.output`, `.attention_norm` | thirds of `.dec_attn.qkv_net`, `.o_net`, `.layer_norm` |
//! | `.expand`, `.contract`, `.feed_norm` | `.pos_ff.{CoreNet.0,CoreNet.2,layer_norm}` |
//! | `adaptor.{duration,pitch,energy}.{layers.{i}.{conv,norm},output}` | `{…}_predictor.{layers.{i}.{conv,norm},fc}` |
//! | `adaptor.{pitch,energy}_embedding` | `{pitch,energy}_emb` |
//! | `adaptor.speaker` | `speaker_emb`, whose weight is taken to be 1, as it is unless training was told otherwise |
//! | `mel_head` | `proj` |
//!
//! `pitch_mean` and `pitch_std` tell what pitch stands for; `attention`, the aligner of the training, is left out.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::fastspeech::{AcousticConfig, MAX_COUNT};
use super::reader::{Imported, Reader};
use super::{Checkpoint, ImportError};
use crate::acoustic::{Config, Model, PublishedStatistics};
use crate::nn::tap_major;

const MODEL: &str = "FastPitch";
const HEADS: usize = 1;

pub(super) fn fastpitch(
    checkpoint: &Checkpoint,
    from: &AcousticConfig,
) -> Result<Imported<Config>, ImportError> {
    if from.statistics.is_some() {
        let got = "FastPitch, which holds its own statistics";
        return Err(ImportError::Kind { expected: "FastSpeech 2", got });
    }
    let mut reader = Reader::find(checkpoint, MODEL, ["encoder.word_emb.weight", "proj.weight"])?;
    let statistics = statistics(&mut reader)?;
    let speakers = from.speakers(&reader)?;
    let mut config = Config { statistics, speakers, ..sizes(&reader, from.heads.unwrap_or(HEADS))? };
    let mut tensors = BTreeMap::new();
    for name in reader.names() {
        if name.starts_with("attention.") || name.starts_with("pitch_mean") || name.starts_with("pitch_std") {
            continue;
        }
        let tensor = reader.tensor(name)?;
        if name.ends_with(".inv_freq") {
            check_frequencies(name, &tensor)?;
            continue;
        }
        if let Some((block, part)) = name.split_once(".dec_attn.qkv_net.") {
            let block = block_name(block).ok_or_else(|| unknown(name))?;
            for (kind, third) in ["query", "key", "value"].into_iter().zip(tensor.chunk(3, 0)?) {
                tensors.insert(format!("{block}.attention.{kind}.{part}"), third.contiguous()?);
            }
            continue;
        }
        let ours = our_name(name).ok_or_else(|| unknown(name))?;
        if let Some(layer) = ours.strip_suffix(".attention.output.weight") {
            // Published without one.
            let bias = Tensor::zeros(tensor.dim(0)?, DType::F32, tensor.device())?;
            tensors.insert(format!("{layer}.attention.output.bias"), bias);
        }
        tensors.insert(ours, if tensor.rank() == 3 { tap_major(&tensor)? } else { tensor });
    }
    from.keep_speaker(&mut config, &mut tensors)?;
    config.validate()?;
    Ok(reader.finish(config, tensors))
}

fn unknown(name: &str) -> ImportError {
    ImportError::Unknown { name: name.into(), model: MODEL }
}

/// What pitch is normalised by; zeros where training did not note it.
fn statistics(reader: &mut Reader) -> Result<Option<PublishedStatistics>, ImportError> {
    if !reader.contains("pitch_mean") || !reader.contains("pitch_std") {
        return Ok(None);
    }
    let mut value = |name| -> Result<f32, ImportError> {
        Ok(reader.tensor(name)?.flatten_all()?.get(0)?.to_scalar::<f32>()?)
    };
    let pitch_hz = [value("pitch_mean")?, value("pitch_std")?];
    // Energy is a logarithm here, and not normalised.
    Ok((pitch_hz[1] > 0.0).then_some(PublishedStatistics { pitch_hz, energy: [0.0, 1.0] }))
}

/// `10000^(−2i / width)`.
fn check_frequencies(name: &str, frequencies: &Tensor) -> Result<(), ImportError> {
    let frequencies = frequencies.flatten_all()?.to_vec1::<f32>()?;
    let exponent = |i: usize| i as f64 / frequencies.len() as f64;
    let off = |(i, &got): (usize, &f32)| (f64::from(got) * 10_000f64.powf(exponent(i)) - 1.0).abs();
    let error = frequencies.iter().enumerate().map(off).fold(0.0, f64::max);
    if frequencies.iter().any(|frequency| frequency.is_nan()) || error > 1e-3 {
        let problem = format!("expected the frequencies of sinusoids, got some off by {error} of theirs");
        return Err(ImportError::Values { name: name.into(), problem });
    }
    Ok(())
}

fn sizes(reader: &Reader, heads: usize) -> Result<Config, ImportError> {
    let conv = |name: String| reader.dims::<3>(&name, "three dimensions");
    let [symbols, width] = reader.dims("encoder.word_emb.weight", "two dimensions")?;
    let [mels, _] = reader.dims("proj.weight", "two dimensions")?;
    let [attention, _] = reader.dims("encoder.layers.0.dec_attn.qkv_net.weight", "two dimensions")?;
    let feed = |stack: &str, layer: usize| conv(format!("{stack}.layers.0.pos_ff.CoreNet.{layer}.weight"));
    let blocks = |stack: &str| reader.count(MAX_COUNT, |i| format!("{stack}.layers.{i}.dec_attn.qkv_net"));
    let [encoder_filter, _, encoder_kernel] = feed("encoder", 0)?;
    let [decoder_filter, _, decoder_kernel] = feed("decoder", 0)?;
    let [_, _, contract_kernel] = feed("decoder", 2)?;
    let layers = reader.count(MAX_COUNT, |i| format!("duration_predictor.layers.{i}.conv"));
    let predictor = (0..layers)
        .map(|i| conv(format!("duration_predictor.layers.{i}.conv.weight")))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Config {
        model: Model::FastPitch,
        symbols,
        mels,
        width,
        heads,
        head_width: attention / 3 / heads.max(1),
        symbol_width: width,
        position_width: width,
        encoder_blocks: blocks("encoder"),
        encoder_kernel,
        encoder_filter,
        decoder_blocks: blocks("decoder"),
        decoder_kernel,
        decoder_filter,
        contract_kernel,
        predictor_width: predictor.first().map_or(0, |[width, ..]| *width),
        predictor_kernels: predictor.iter().map(|[_, _, kernel]| *kernel).collect(),
        variance_bins: 0,
        energy: reader.contains("energy_emb.weight"),
        post_net: Vec::new(),
        dropout: 0.1,
        ..Config::published()
    })
}

/// `{encoder,decoder}.layers.{i}` to ours.
fn block_name(block: &str) -> Option<String> {
    let (stack, index) = block.split_once(".layers.")?;
    Some(format!("{stack}.{index}"))
}

fn our_name(name: &str) -> Option<String> {
    if let Some(part) = name.strip_prefix("proj.") {
        return Some(format!("mel_head.{part}"));
    }
    match name {
        "encoder.word_emb.weight" => return Some("symbol.weight".into()),
        "speaker_emb.weight" => return Some("adaptor.speaker.weight".into()),
        _ => {}
    }
    for kind in ["duration", "pitch", "energy"] {
        let Some(rest) = name.strip_prefix(kind) else { continue };
        if let Some(part) = rest.strip_prefix("_emb.") {
            return Some(format!("adaptor.{kind}_embedding.{part}"));
        }
        let rest = rest.strip_prefix("_predictor.")?;
        return Some(format!("adaptor.{kind}.{}", rest.replace("fc.", "output.")));
    }
    let (block, rest) = name.split_once(".dec_attn.").or_else(|| name.split_once(".pos_ff."))?;
    let (layer, part) = rest.rsplit_once('.')?;
    let ours = match (layer, name.contains(".dec_attn.")) {
        ("o_net", true) => "attention.output",
        ("layer_norm", true) => "attention_norm",
        ("CoreNet.0", false) => "expand",
        ("CoreNet.2", false) => "contract",
        ("layer_norm", false) => "feed_norm",
        _ => return None,
    };
    Some(format!("{}.{ours}.{part}", block_name(block)?))
}
