//! FastSpeech 1 as xcmyz publishes it, to ours.
//!
//! | our name | published name |
//! |---|---|
//! | `symbol`, `{encoder,decoder}.{i}` | as in FastSpeech 2 |
//! | `adaptor.duration.{layers.{0,1}.{conv,norm},output}` | `length_regulator.duration_predictor.…`, as in FastSpeech 2 |
//! | `mel_head` | `mel_linear.linear_layer` |
//! | `post_net.cbhg.banks.{i}.{conv,norm}` | `postnet.conv1d_banks.{i}.{conv1d,bn}` |
//! | `post_net.cbhg.projections.{i}.{conv,norm}` | `postnet.conv1d_projections.{i}.{conv1d,bn}` |
//! | `post_net.cbhg.highways.{i}.{transform,gate}`, `.gru` | `postnet.highways.{i}.{H,T}`, `.gru` |
//! | `post_net.cbhg.output` | `last_linear.linear_layer` |
//!
//! `postnet.pre_highway` is never run: it is for post-nets whose widths differ.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::fastspeech::{AcousticConfig, MAX_COUNT, block_name, check_positions};
use super::reader::{Imported, Reader};
use super::{Checkpoint, ImportError};
use crate::acoustic::{Config, Model, PostNetPart, positions};
use crate::nn::tap_major;

const MODEL: &str = "FastSpeech 1";
const HEADS: usize = 2;
const DURATION: &str = "length_regulator.duration_predictor";

pub(super) fn fastspeech1(
    checkpoint: &Checkpoint,
    from: &AcousticConfig,
) -> Result<Imported<Config>, ImportError> {
    if from.statistics.is_some() || from.speaker.is_some() {
        let got = "FastSpeech 1, which has neither statistics nor several speakers";
        return Err(ImportError::Kind { expected: "FastSpeech 2", got });
    }
    let names = [
        "encoder.src_word_emb.weight",
        "length_regulator.duration_predictor.linear_layer.linear_layer.weight",
    ];
    let mut reader = Reader::find(checkpoint, MODEL, names)?;
    let config = sizes(&reader, from.heads.unwrap_or(HEADS))?;
    config.validate()?;
    let mut tensors = BTreeMap::new();
    for name in reader.names() {
        if name.ends_with("num_batches_tracked") || name.starts_with("postnet.pre_highway.") {
            reader.skip(name);
            continue;
        }
        let tensor = reader.tensor(name)?;
        if name.ends_with("position_enc.weight") {
            check_positions(name, &tensor, |count, width| after_padding(count, width, tensor.device()))?;
            continue;
        }
        let ours = our_name(name).ok_or_else(|| ImportError::Unknown { name: name.into(), model: MODEL })?;
        if let Some(layer) = ours.strip_suffix(".conv.weight").filter(|layer| layer.contains(".cbhg.")) {
            // Published without one.
            let bias = Tensor::zeros(tensor.dim(0)?, DType::F32, tensor.device())?;
            tensors.insert(format!("{layer}.conv.bias"), bias);
        }
        tensors.insert(ours, if tensor.rank() == 3 { tap_major(&tensor)? } else { tensor });
    }
    Ok(reader.finish(config, tensors))
}

/// Sinusoids, but for zeros at the position of the padding, 0.
fn after_padding(count: usize, width: usize, device: &Device) -> candle_core::Result<Tensor> {
    let padding = Tensor::zeros((1, width), DType::F32, device)?;
    Tensor::cat(&[&padding, &positions(count, width, device)?.narrow(0, 1, count.saturating_sub(1))?], 0)
}

fn sizes(reader: &Reader, heads: usize) -> Result<Config, ImportError> {
    let conv = |name: String| reader.dims::<3>(&name, "three dimensions");
    let [symbols, width] = reader.dims("encoder.src_word_emb.weight", "two dimensions")?;
    let [attention, _] = reader.dims("encoder.layer_stack.0.slf_attn.w_qs.weight", "two dimensions")?;
    let feed = |stack: &str, layer: &str| conv(format!("{stack}.layer_stack.0.pos_ffn.{layer}.weight"));
    let blocks = |stack: &str| reader.count(MAX_COUNT, |i| format!("{stack}.layer_stack.{i}.slf_attn.w_qs"));
    let [encoder_filter, _, encoder_kernel] = feed("encoder", "w_1")?;
    let [decoder_filter, _, decoder_kernel] = feed("decoder", "w_1")?;
    let [_, _, contract_kernel] = feed("decoder", "w_2")?;
    let [predictor_width, _, first_kernel] = conv(format!("{DURATION}.conv_layer.conv1d_1.conv.weight"))?;
    let [_, _, second_kernel] = conv(format!("{DURATION}.conv_layer.conv1d_2.conv.weight"))?;
    let [post_width, _, _] = conv("postnet.conv1d_projections.0.conv1d.weight".into())?;
    let [mels, _] = reader.dims("mel_linear.linear_layer.weight", "two dimensions")?;
    let banks = reader.count(MAX_COUNT, |i| format!("postnet.conv1d_banks.{i}.conv1d"));
    let highways = reader.count(MAX_COUNT, |i| format!("postnet.highways.{i}.H"));
    Ok(Config {
        model: Model::FastSpeech1,
        symbols,
        mels,
        width,
        heads,
        head_width: if attention == width { 0 } else { attention / heads.max(1) },
        symbol_width: width,
        position_width: width,
        encoder_blocks: blocks("encoder"),
        encoder_kernel,
        encoder_filter,
        decoder_blocks: blocks("decoder"),
        decoder_kernel,
        decoder_filter,
        contract_kernel: if contract_kernel == 1 { 0 } else { contract_kernel },
        predictor_width,
        predictor_kernels: vec![first_kernel, second_kernel],
        variance_bins: 0,
        post_net: vec![PostNetPart::Cbhg { banks, width: post_width, highways }],
        dropout: 0.1,
        ..Config::published()
    })
}

fn our_name(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("postnet.") {
        let rest = rest
            .replace("conv1d_banks.", "banks.")
            .replace("conv1d_projections.", "projections.")
            .replace(".conv1d.", ".conv.")
            .replace(".bn.", ".norm.")
            .replace(".H.", ".transform.")
            .replace(".T.", ".gate.");
        let known = ["banks.", "projections.", "highways.", "gru."];
        return known.iter().any(|start| rest.starts_with(start)).then(|| format!("post_net.cbhg.{rest}"));
    }
    if let Some(rest) = name.strip_prefix(DURATION) {
        return Some(
            format!("adaptor.duration{rest}")
                .replace(".conv_layer.conv1d_1.conv.", ".layers.0.conv.")
                .replace(".conv_layer.layer_norm_1.", ".layers.0.norm.")
                .replace(".conv_layer.conv1d_2.conv.", ".layers.1.conv.")
                .replace(".conv_layer.layer_norm_2.", ".layers.1.norm.")
                .replace(".linear_layer.linear_layer.", ".output."),
        );
    }
    if let Some(part) = name.strip_prefix("mel_linear.linear_layer.") {
        return Some(format!("mel_head.{part}"));
    }
    if let Some(part) = name.strip_prefix("last_linear.linear_layer.") {
        return Some(format!("post_net.cbhg.output.{part}"));
    }
    if name == "encoder.src_word_emb.weight" { Some("symbol.weight".into()) } else { block_name(name) }
}
