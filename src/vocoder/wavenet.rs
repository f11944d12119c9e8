//! The network inside a coupling: gated dilated convolutions with skips (WaveGlow, [Prenger et al. 2018]
//! (<https://arxiv.org/abs/1811.00002>), there called WN). One code path: dilated or not, causal or not, by config.

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Result, Tensor, bail};

use super::config::WavenetConfig;
use super::gated::{Gated, Parts};
use crate::nn::{Conv1d, Conv1dConfig, Init, Linear, Padding, Params, Weight, ops};

/// Gated convolutions from half a vector and its conditioning to shift and log-scale.
pub struct Wavenet {
    config: WavenetConfig,
    start: Linear,
    body: Body,
    end: Linear,
}

/// The gated layers.
enum Body {
    /// As they were made or loaded: for training, for streams that keep state, for all devices.
    Layers(Layers),
    /// Packed for synthesis on the CPU.
    Packed(Gated),
}

struct Layers {
    /// In which they compute.
    dtype: DType,
    conditioning: Conditioning,
    convs: Vec<Conv1d>,
    res_skip: Vec<Linear>,
}

/// One product for all layers, as we train it; one per layer, as some published files have it.
enum Conditioning {
    Fused(Linear),
    PerLayer(Vec<Linear>),
}

/// What the causal convolutions remember.
pub struct WavenetState {
    rows: Vec<Tensor>,
}

/// The sizes around a [`Wavenet`].
pub struct WavenetShape {
    /// Channels that come in.
    pub inputs: usize,
    /// Channels of the conditioning.
    pub conditioning: usize,
    /// Channels that go out.
    pub outputs: usize,
}

fn pointwise(inputs: usize, outputs: usize, params: &Params) -> Result<Linear> {
    // A stored 1×1 convolution may be weight-normed or three-dimensional; `Conv1d` reads both.
    if params.contains("weight_v") || params.shape_of("weight").is_some_and(|shape| shape.rank() == 3) {
        return Conv1d::new(inputs, outputs, Conv1dConfig::new(1, Padding::Valid), params)
            .map(Conv1d::into_linear);
    }
    Linear::new(inputs, outputs, params)
}

impl Wavenet {
    /// Takes `start`, `cond_layer` (or `cond_layers.{i}`), `in_layers.{i}`, `res_skip_layers.{i}` and `end`.
    /// `end` starts at zero, so that a new coupling changes nothing.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(config: &WavenetConfig, shape: &WavenetShape, params: &Params) -> Result<Self> {
        let channels = config.channels;
        let padding = if config.causal { Padding::Causal } else { Padding::Same };
        let convs = (0..config.layers)
            .map(|i| {
                let conv = Conv1dConfig {
                    dilation: config.dilation(i),
                    ..Conv1dConfig::new(config.kernel, padding)
                };
                Conv1d::new(channels, 2 * channels, conv, &params.pp("in_layers").pp(i))
            })
            .collect::<Result<_>>()?;
        let res_skip = (0..config.layers)
            .map(|i| {
                let outputs = if i + 1 < config.layers { 2 * channels } else { channels };
                pointwise(channels, outputs, &params.pp("res_skip_layers").pp(i))
            })
            .collect::<Result<_>>()?;
        let first = params.pp("cond_layers").pp(0);
        let conditioning = if first.contains("weight") || first.contains("weight_v") {
            let layer = |i| pointwise(shape.conditioning, 2 * channels, &params.pp("cond_layers").pp(i));
            Conditioning::PerLayer((0..config.layers).map(layer).collect::<Result<_>>()?)
        } else {
            let outputs = 2 * channels * config.layers;
            Conditioning::Fused(pointwise(shape.conditioning, outputs, &params.pp("cond_layer"))?)
        };
        let end = params.pp("end");
        let end = if end.shape_of("weight").is_some_and(|shape| shape.rank() == 3) {
            pointwise(channels, shape.outputs, &end)?
        } else {
            let weight: Weight = end.weight("weight", shape.outputs, channels, Init::Zeros)?;
            Linear::from_parts(weight, Some(end.tensor("bias", shape.outputs, Init::Zeros)?))
        };
        let in_layer = params.pp("in_layers").pp(0);
        let mut wavenet = Self {
            config: *config,
            start: pointwise(shape.inputs, channels, &params.pp("start"))?,
            body: Body::Layers(Layers { dtype: DType::F32, conditioning, convs, res_skip }),
            end,
        };
        // A card computes in the precision in which the voice stores its weights.
        let is_half = in_layer.stored_dtype("weight") == Some(GgmlDType::F16);
        if is_half && !params.device().is_cpu() {
            wavenet.halve()?;
        }
        Ok(wavenet)
    }

    /// Packs the gated layers for synthesis, where there is a form for them; what was loaded is given up.
    ///
    /// # Errors
    /// Out of memory.
    pub fn prepare_synthesis(&mut self) -> Result<()> {
        let Body::Layers(layers) = &self.body else { return Ok(()) };
        let Some(conditioning) = layers.conditioning.per_layer(self.config.layers)? else { return Ok(()) };
        let parts = Parts { convs: &layers.convs, conditioning: &conditioning, res_skip: &layers.res_skip };
        if let Some(packed) = Gated::pack(&self.config, &parts)? {
            self.body = Body::Packed(packed);
        }
        Ok(())
    }

    /// Computes the gated layers in 16 bits, as NVIDIA ships them for its cards; on processors that only costs time.
    /// Quantised weights, and layers packed for the CPU, stay as they are.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn halve(&mut self) -> Result<()> {
        let Body::Layers(layers) = &mut self.body else { return Ok(()) };
        let half = |linears: &mut Vec<Linear>| -> Result<()> {
            linears.iter_mut().try_for_each(|linear| linear.to_dtype(DType::F16).map(|half| *linear = half))
        };
        match &mut layers.conditioning {
            Conditioning::Fused(fused) => *fused = fused.to_dtype(DType::F16)?,
            Conditioning::PerLayer(each) => half(each)?,
        }
        half(&mut layers.res_skip)?;
        for conv in &mut layers.convs {
            *conv = conv.to_dtype(DType::F16)?;
        }
        layers.dtype = DType::F16;
        Ok(())
    }

    /// `xs [batch, vectors, inputs]` and `conditioning [batch, vectors, channels]` to `[batch, vectors, outputs]`.
    /// With a state, continues the stream that it describes and moves it on.
    ///
    /// # Errors
    /// Shapes differ, or a state is given and the convolutions are not causal.
    pub fn forward(
        &self,
        xs: &Tensor,
        conditioning: &Tensor,
        state: Option<&mut WavenetState>,
    ) -> Result<Tensor> {
        let xs = self.start.forward(xs)?;
        let skip = match (&self.body, state) {
            (Body::Layers(layers), state) => layers.forward(xs, conditioning, state)?,
            (Body::Packed(packed), None) => packed.forward(&xs, conditioning)?,
            (Body::Packed(_), Some(_)) => bail!("wavenet: only causal layers keep state"),
        };
        self.end.forward(&skip)
    }

    /// The state of a stream that has seen nothing.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn zero_state(&self, like: &Tensor) -> Result<WavenetState> {
        let Body::Layers(layers) = &self.body else { bail!("wavenet: only causal layers keep state") };
        let like = like.to_dtype(layers.dtype)?;
        let rows = layers.convs.iter().map(|layer| layer.zero_state(1, &like)).collect::<Result<_>>()?;
        Ok(WavenetState { rows })
    }
}

impl Conditioning {
    /// One for each of so many layers; `None` if the one for all of them cannot be taken apart.
    fn per_layer(&self, layers: usize) -> Result<Option<Vec<Linear>>> {
        match self {
            Conditioning::PerLayer(layers) => Ok(Some(layers.clone())),
            Conditioning::Fused(fused) => fused.split_outputs(layers),
        }
    }

    /// The part of every layer's gate that the conditioning gives: one `[batch, vectors, 2 × channels]` per layer.
    fn gates(&self, conditioning: &Tensor, layers: usize) -> Result<Vec<Tensor>> {
        match self {
            Conditioning::Fused(layer) => layer.forward(conditioning)?.chunk(layers, 2),
            Conditioning::PerLayer(layers) => {
                layers.iter().map(|layer| layer.forward(conditioning)).collect()
            }
        }
    }
}

impl Layers {
    /// `xs [batch, vectors, channels]` to the sum of all skips, of the same shape.
    fn forward(
        &self,
        mut xs: Tensor,
        conditioning: &Tensor,
        mut state: Option<&mut WavenetState>,
    ) -> Result<Tensor> {
        let channels = xs.dim(2)?;
        xs = xs.to_dtype(self.dtype)?;
        let gates = self.conditioning.gates(&conditioning.to_dtype(self.dtype)?, self.convs.len())?;
        let mut skip: Option<Tensor> = None;
        for (i, (layer, gate)) in self.convs.iter().zip(&gates).enumerate() {
            let inner = match state.as_deref_mut() {
                Some(state) => layer.step(&xs, &mut state.rows[i])?,
                None => layer.forward(&xs)?,
            };
            let acts = ops::gated_tanh(&(inner + gate)?)?;
            let out = self.res_skip[i].forward(&acts)?;
            let to_skip = if i + 1 < self.convs.len() {
                xs = (xs + out.narrow(2, 0, channels)?)?;
                out.narrow(2, channels, channels)?
            } else {
                out
            };
            skip = Some(match skip {
                Some(skip) => (skip + to_skip)?,
                None => to_skip,
            });
        }
        match skip {
            Some(skip) => skip.to_dtype(DType::F32),
            None => bail!("wavenet: expected at least one layer"),
        }
    }
}
