//! WaveGlow as NVIDIA publishes it, in each of its layouts, to ours: weight norm folded, convolutions as matrices.
//!
//! | part | layouts |
//! |---|---|
//! | any layer | `weight`; `weight_g`, `weight_v`; `parametrizations.weight.original0`, `original1` |
//! | conditioning | `cond_layer` for all layers, or `cond_layers.{i}` |
//! | residual and skip | `res_skip_layers.{i}`, or `res_layers.{i}` and `skip_layers.{i}` (before 2019) |

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Tensor;

use super::{Checkpoint, CheckpointError};
use crate::nn::{fold_weight_norm, tap_major, tap_major_transposed};
use crate::vocoder::{Analysis, Conditioner, Config, ConfigError, WavenetConfig};

/// The upsampler spreads a frame over four hops; its stride is nowhere in a checkpoint.
const HOPS_PER_KERNEL: usize = 4;
/// More flows or layers than any published model has.
const MAX_COUNT: usize = 64;

/// Why a checkpoint is not taken as a WaveGlow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaveGlowError {
    /// The checkpoint cannot be read, or lacks a tensor.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No tensors of a WaveGlow, or of several.
    #[error("expected one WaveGlow in the checkpoint, got {got}")]
    Count {
        /// How many.
        got: usize,
    },
    /// The shapes are those of no WaveGlow.
    #[error("tensor `{name}`: expected {expected}, got {got:?}")]
    Shape {
        /// Which.
        name: String,
        /// What a WaveGlow has there.
        expected: &'static str,
        /// Its shape.
        got: Vec<usize>,
    },
    /// The shapes make no vocoder.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A tensor operation failed.
    #[error("compute: {0}")]
    Compute(#[from] candle_core::Error),
}

/// A WaveGlow under our names, and what of the checkpoint it was not made of.
#[derive(Debug)]
pub struct ImportedWaveGlow {
    /// Its shape, from the weights.
    pub config: Config,
    /// Its weights, as [`crate::vocoder::WaveGlow::new`] takes them.
    pub tensors: BTreeMap<String, Tensor>,
    /// Where in the checkpoint it was.
    pub prefix: String,
    /// Tensors of the checkpoint that are no part of it: an optimizer's, a generator's state.
    pub ignored: Vec<String>,
}

/// Finds the WaveGlow in a checkpoint, under whatever prefix, and converts it.
///
/// # Errors
/// There is none, a tensor is missing, or the shapes do not fit together; [`WaveGlowError`] says which.
pub fn waveglow(checkpoint: &Checkpoint) -> Result<ImportedWaveGlow, WaveGlowError> {
    let mut reader = Reader { checkpoint, prefix: prefix(checkpoint)?, used: BTreeSet::new() };
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
        let wavenet = reader.wavenet(&format!("WN.{flow}"), &format!("wn.{flow}"), &mut tensors)?;
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
        return Err(WaveGlowError::Shape { name, expected, got: vec![flow_channels[flow]] });
    }
    let ignored = checkpoint.tensors().keys().filter(|name| !reader.used.contains(*name));
    let ignored = ignored.chain(checkpoint.attributes()).cloned().collect();
    Ok(ImportedWaveGlow { config, tensors, prefix: reader.prefix, ignored })
}

/// What stands before the names of the one WaveGlow of the checkpoint.
fn prefix(checkpoint: &Checkpoint) -> Result<String, WaveGlowError> {
    let names = checkpoint.tensors();
    let ends = names.keys().filter_map(|name| name.strip_suffix("upsample.weight"));
    let found: Vec<_> =
        ends.filter(|prefix| names.contains_key(&format!("{prefix}convinv.0.conv.weight"))).collect();
    match found[..] {
        [prefix] => Ok(prefix.to_owned()),
        _ => Err(WaveGlowError::Count { got: found.len() }),
    }
}

struct Reader<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    used: BTreeSet<String>,
}

impl Reader<'_> {
    fn contains(&self, name: &str) -> bool {
        self.checkpoint.tensors().contains_key(&format!("{}{name}", self.prefix))
    }

    /// Whether there is a layer of this name, in whatever form.
    fn has(&self, layer: &str) -> bool {
        ["weight", "weight_v", "parametrizations.weight.original1"]
            .iter()
            .any(|form| self.contains(&format!("{layer}.{form}")))
    }

    fn tensor(&mut self, name: &str) -> Result<Tensor, WaveGlowError> {
        let name = format!("{}{name}", self.prefix);
        let tensor = self.checkpoint.read(&name)?;
        self.used.insert(name);
        Ok(tensor)
    }

    /// A layer's weight; gain and direction win over a stale product beside them.
    fn weight(&mut self, layer: &str) -> Result<Tensor, WaveGlowError> {
        for (gain, direction) in [
            ("weight_g", "weight_v"),
            ("parametrizations.weight.original0", "parametrizations.weight.original1"),
        ] {
            if self.contains(&format!("{layer}.{direction}")) {
                let direction = self.tensor(&format!("{layer}.{direction}"))?;
                let gain = self.tensor(&format!("{layer}.{gain}"))?;
                return Ok(fold_weight_norm(&gain, &direction)?);
            }
        }
        self.tensor(&format!("{layer}.weight"))
    }

    /// A convolution as a matrix, and its bias.
    fn layer(&mut self, layer: &str) -> Result<[Tensor; 2], WaveGlowError> {
        let weight = self.weight(layer)?;
        self.dims3(layer, &weight)?;
        Ok([tap_major(&weight)?, self.tensor(&format!("{layer}.bias"))?])
    }

    /// Several layers of the same inputs as one.
    fn joined(&mut self, layers: &[String]) -> Result<[Tensor; 2], WaveGlowError> {
        let parts = layers.iter().map(|layer| self.layer(layer)).collect::<Result<Vec<_>, _>>()?;
        let all = |i: usize| Tensor::cat(&parts.iter().map(|part| &part[i]).collect::<Vec<_>>(), 0);
        Ok([all(0)?, all(1)?])
    }

    /// The network of a coupling, into `tensors` under `ours`.
    fn wavenet(
        &mut self,
        theirs: &str,
        ours: &str,
        tensors: &mut BTreeMap<String, Tensor>,
    ) -> Result<WavenetConfig, WaveGlowError> {
        let mut put = |name: &str, [weight, bias]: [Tensor; 2]| {
            tensors.insert(format!("{ours}.{name}.weight"), weight);
            tensors.insert(format!("{ours}.{name}.bias"), bias);
        };
        let first = self.weight(&format!("{theirs}.in_layers.0"))?;
        let (_, channels, kernel) = self.dims3(&format!("{theirs}.in_layers.0"), &first)?;
        let layers = (0..MAX_COUNT).take_while(|i| self.has(&format!("{theirs}.in_layers.{i}"))).count();
        for name in ["start", "end"] {
            put(name, self.layer(&format!("{theirs}.{name}"))?);
        }
        for i in 0..layers {
            put(&format!("in_layers.{i}"), self.layer(&format!("{theirs}.in_layers.{i}"))?);
            let joint = format!("{theirs}.res_skip_layers.{i}");
            let parts = if self.has(&joint) {
                vec![joint]
            } else if i + 1 < layers {
                vec![format!("{theirs}.res_layers.{i}"), format!("{theirs}.skip_layers.{i}")]
            } else {
                // The last residual goes nowhere.
                vec![format!("{theirs}.skip_layers.{i}")]
            };
            put(&format!("res_skip_layers.{i}"), self.joined(&parts)?);
        }
        let joint = format!("{theirs}.cond_layer");
        let parts = if self.has(&joint) {
            vec![joint]
        } else {
            (0..layers).map(|i| format!("{theirs}.cond_layers.{i}")).collect()
        };
        put("cond_layer", self.joined(&parts)?);
        Ok(WavenetConfig { layers, channels, kernel, dilation_cycle: layers.min(12), causal: false })
    }

    fn dims3(&self, layer: &str, weight: &Tensor) -> Result<(usize, usize, usize), WaveGlowError> {
        weight.dims3().map_err(|_| self.shape_error(&format!("{layer}.weight"), "three dimensions", weight))
    }

    fn shape_error(&self, name: &str, expected: &'static str, tensor: &Tensor) -> WaveGlowError {
        let name = format!("{}{name}", self.prefix);
        WaveGlowError::Shape { name, expected, got: tensor.dims().to_vec() }
    }
}
