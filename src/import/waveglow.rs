//! WaveGlow as NVIDIA publishes it, in each of its layouts, to ours: weight norm folded, convolutions as matrices.
//!
//! | part | layouts |
//! |---|---|
//! | any layer | `weight`; `weight_g`, `weight_v`; `parametrizations.weight.original0`, `original1` |
//! | conditioning | `cond_layer` for all layers, or `cond_layers.{i}` |
//! | residual and skip | `res_skip_layers.{i}`, or `res_layers.{i}` and `skip_layers.{i}` (before 2019) |

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::reader::{Imported, Reader};
use super::{Checkpoint, CheckpointError, ImportError};
use crate::nn::tap_major_transposed;
use crate::vocoder::{Analysis, Conditioner, Config, WavenetConfig};

/// The upsampler spreads a frame over four hops; its stride is nowhere in a checkpoint.
const HOPS_PER_KERNEL: usize = 4;
/// More flows or layers than any published model has.
const MAX_COUNT: usize = 64;

/// Finds the WaveGlow in a checkpoint, under whatever prefix, and converts it.
///
/// # Errors
/// There is none, a tensor is missing, or the shapes do not fit together; [`ImportError`] says which.
pub fn waveglow(checkpoint: &Checkpoint) -> Result<Imported<Config>, ImportError> {
    let mut reader = Reader::find(checkpoint, "WaveGlow", ["upsample.weight", "convinv.0.conv.weight"])?;
    let mut tensors = BTreeMap::new();
    let upsample = reader.weight("upsample")?;
    let (mel_bands, outputs, kernel_samples) = reader.dims3("upsample", &upsample)?;
    if outputs != mel_bands || !kernel_samples.is_multiple_of(HOPS_PER_KERNEL) {
        return Err(reader.shape_error("upsample.weight", "[bands, bands, 4 × hop]", &upsample));
    }
    tensors.insert("upsample.weight".to_owned(), tap_major_transposed(&upsample)?);
    tensors.insert("upsample.bias".to_owned(), reader.tensor("upsample.bias")?);

    let mut flow_channels = Vec::new();
    let mut shape = None;
    while flow_channels.len() < MAX_COUNT && reader.has(&format!("convinv.{}.conv", flow_channels.len())) {
        let flow = flow_channels.len();
        let mixing = reader.weight(&format!("convinv.{flow}.conv"))?;
        flow_channels.push(mixing.dim(0)?);
        tensors.insert(format!("convinv.{flow}.weight"), mixing.squeeze(2)?.contiguous()?);
        let wavenet = wavenet(&mut reader, [&format!("WN.{flow}"), &format!("wn.{flow}")], &mut tensors)?;
        shape.get_or_insert(wavenet);
    }
    let (wavenet, Some(&group_samples)) = (shape, flow_channels.first()) else {
        return Err(CheckpointError::Missing { what: "convinv.0.conv.weight".into() }.into());
    };
    // Channels leave before the first flow that has fewer than the one before it.
    let leaving = flow_channels.windows(2).position(|pair| pair[1] < pair[0]);
    let (early_every, early_size) =
        leaving.map_or((0, 0), |at| (at + 1, flow_channels[at] - flow_channels[at + 1]));
    let published = Config::published();
    let config = Config {
        hop_samples: kernel_samples / HOPS_PER_KERNEL,
        mel_bands,
        analysis: Analysis::Squeeze { group_samples },
        conditioner: Conditioner::Upsample { kernel_samples },
        flows: flow_channels.len(),
        early_every,
        early_size,
        wavenet: wavenet.unwrap_or(published.wavenet),
        ..published
    };
    config.validate()?;
    if let Some(flow) = (0..config.flows).find(|&flow| config.flow_channels(flow) != flow_channels[flow]) {
        let (name, expected) = (format!("convinv.{flow}.conv.weight"), "channels that leave at even steps");
        return Err(ImportError::Shape { name, expected, got: vec![flow_channels[flow]] });
    }
    Ok(reader.finish(config, tensors))
}

/// The network of a coupling, into `tensors` under `ours`.
fn wavenet(
    reader: &mut Reader,
    [theirs, ours]: [&str; 2],
    tensors: &mut BTreeMap<String, Tensor>,
) -> Result<WavenetConfig, ImportError> {
    let mut put = |name: &str, [weight, bias]: [Tensor; 2]| {
        tensors.insert(format!("{ours}.{name}.weight"), weight);
        tensors.insert(format!("{ours}.{name}.bias"), bias);
    };
    let first = reader.weight(&format!("{theirs}.in_layers.0"))?;
    let (_, channels, kernel) = reader.dims3(&format!("{theirs}.in_layers.0"), &first)?;
    let layers = reader.count(MAX_COUNT, |i| format!("{theirs}.in_layers.{i}"));
    for name in ["start", "end"] {
        put(name, reader.layer(&format!("{theirs}.{name}"))?);
    }
    for i in 0..layers {
        put(&format!("in_layers.{i}"), reader.layer(&format!("{theirs}.in_layers.{i}"))?);
        let joint = format!("{theirs}.res_skip_layers.{i}");
        let parts = if reader.has(&joint) {
            vec![joint]
        } else if i + 1 < layers {
            vec![format!("{theirs}.res_layers.{i}"), format!("{theirs}.skip_layers.{i}")]
        } else {
            // The last residual goes nowhere.
            vec![format!("{theirs}.skip_layers.{i}")]
        };
        put(&format!("res_skip_layers.{i}"), reader.joined(&parts)?);
    }
    let joint = format!("{theirs}.cond_layer");
    let parts = if reader.has(&joint) {
        vec![joint]
    } else {
        (0..layers).map(|i| format!("{theirs}.cond_layers.{i}")).collect()
    };
    put("cond_layer", reader.joined(&parts)?);
    Ok(WavenetConfig { layers, channels, kernel, dilation_cycle: layers, causal: false })
}
