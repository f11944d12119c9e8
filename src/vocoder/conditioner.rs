//! Mel frames to the flows' conditioning, and to the density which the flows refine (the fADER).

use candle_core::{Result, Tensor, bail};

use super::config::{Conditioner as Kind, Config, Prior};
use crate::nn::ops::{self, Map};
use crate::nn::{Conv1d, Conv1dConfig, Linear, Padding, Params};

/// Slope of the leaky ReLUs.
const LEAK: f32 = 0.1;
/// Bounds of the prior's log-gain and log-scale: e⁻⁹ to e⁴ of a signal of unit variance.
const LOG_RANGE: Map = Map::Clamp { low: -9.0, high: 4.0 };
/// Brings log-mels (about −11.5 to 2) near unit variance.
const MEL_CENTRE: f64 = 5.0;
/// As above.
const MEL_SPREAD: f64 = 2.5;
/// Brings log-F0 (4.2 to 6.1) near the other inputs.
const LOG_F0_CENTRE: f64 = 5.2;

/// What a phrase's mel says about its samples.
pub struct Conditioned {
    /// `[batch, vectors, channels]`, the flows' side input.
    pub flows: Tensor,
    /// Mean and log-scale `[batch, vectors, group]` of the prior, unless it is standard normal.
    pub density: Option<(Tensor, Tensor)>,
}

impl Conditioned {
    /// The part for vectors `first .. first + count`.
    ///
    /// # Errors
    /// The range is outside.
    pub fn narrow(&self, first: usize, count: usize) -> Result<Self> {
        let cut = |t: &Tensor| t.narrow(1, first, count)?.contiguous();
        let density = match &self.density {
            Some((mean, log_scale)) => Some((cut(mean)?, cut(log_scale)?)),
            None => None,
        };
        Ok(Self { flows: cut(&self.flows)?, density })
    }

    /// Number of vectors.
    ///
    /// # Errors
    /// Never for a value made by the conditioner.
    pub fn vectors(&self) -> Result<usize> {
        self.flows.dim(1)
    }
}

/// Convolutions over the frames, and the prior's output layer.
pub(super) struct Frames {
    convs: [Conv1d; 3],
    output: Option<Linear>,
    groups_per_frame: usize,
    group: usize,
    source_filter: bool,
}

impl Frames {
    pub(super) fn new(config: &Config, params: &Params) -> Result<Self> {
        let Kind::Frames { channels, recurrent } = config.conditioner else {
            bail!("conditioner: expected the frame kind");
        };
        if recurrent {
            bail!("conditioner: the recurrent kind is not built yet");
        }
        let params = params.pp("conditioner");
        let conv = |name: &str, inputs, kernel| {
            Conv1d::new(inputs, channels, Conv1dConfig::new(kernel, Padding::Same), &params.pp(name))
        };
        let group = config.group_samples();
        let outputs = match config.prior {
            Prior::Standard => None,
            Prior::Density => Some(2 * group),
            Prior::SourceFilter => Some(4 * group),
        };
        Ok(Self {
            convs: [
                conv("conv1", config.mel_bands + 2, 5)?,
                conv("conv2", channels, 1)?,
                conv("conv3", channels, 3)?,
            ],
            output: outputs.map(|n| Linear::new(channels, n, &params.pp("output"))).transpose()?,
            groups_per_frame: config.groups_per_frame(),
            group,
            source_filter: config.prior == Prior::SourceFilter,
        })
    }

    /// Frames on each side that one frame's conditioning sees.
    pub(super) fn context_frames() -> usize {
        3
    }

    /// `features [batch, frames, mel_bands + 2]` to `[batch, vectors, channels]`.
    pub(super) fn frames(&self, features: &Tensor) -> Result<Tensor> {
        let (batch, frames, width) = features.dims3()?;
        let mel = ((features.narrow(2, 0, width - 2)? + MEL_CENTRE)? / MEL_SPREAD)?;
        let log_f0 = (features.narrow(2, width - 2, 1)? - LOG_F0_CENTRE)?;
        let mut xs = Tensor::cat(&[mel, log_f0, features.narrow(2, width - 1, 1)?], 2)?;
        for conv in &self.convs {
            xs = ops::map(&conv.forward(&xs)?, Map::LeakyRelu { slope: LEAK })?;
        }
        if self.groups_per_frame == 1 {
            return Ok(xs);
        }
        let channels = xs.dim(2)?;
        xs.unsqueeze(2)?
            .broadcast_as((batch, frames, self.groups_per_frame, channels))?
            .contiguous()?
            .reshape((batch, frames * self.groups_per_frame, channels))
    }

    /// Joins the conditioning with the excitation's MDCT and MDST `[batch, vectors, 2 × group]` and gives the density.
    pub(super) fn density(&self, conditioning: Tensor, excitation: Option<&Tensor>) -> Result<Conditioned> {
        let Some(output) = &self.output else {
            return Ok(Conditioned { flows: conditioning, density: None });
        };
        let parts = output.forward(&conditioning)?;
        let part = |i: usize| parts.narrow(2, i * self.group, self.group);
        if !self.source_filter {
            let density = Some((part(0)?, ops::map(&part(1)?, LOG_RANGE)?));
            return Ok(Conditioned { flows: conditioning, density });
        }
        let Some(excitation) = excitation else {
            bail!("vocoder: the source-filter prior needs an excitation");
        };
        let cosine = excitation.narrow(2, 0, self.group)?;
        let sine = excitation.narrow(2, self.group, self.group)?;
        let gain = ops::map(&part(2)?, LOG_RANGE)?.exp()?;
        let mean = (((part(0)? * cosine)? + (part(1)? * sine)?)? * gain)?;
        let log_scale = ops::map(&part(3)?, LOG_RANGE)?;
        Ok(Conditioned {
            flows: Tensor::cat(&[&conditioning, excitation], 2)?,
            density: Some((mean, log_scale)),
        })
    }
}
