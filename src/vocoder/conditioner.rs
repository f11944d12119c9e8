//! Mel frames to the flows' conditioning, and to the density which the flows refine (the fADER).
//!
//! The published conditioning could be folded with its upsampler: a group of 8 samples sees 4 frames of 80 mels, 320 values,
//! through 640 upsampled ones, so half of the 86.7 GMAC per second would do. But the fold is another matrix for each of the 32
//! groups of a frame: 96 layers × 512 × 320 × 32 = 503 million weights (2 GB) for 31. Multiplying frame by frame and summing
//! four taps is the same count, as each product of a frame, a tap and a phase is used once. So it stays unfolded.

use candle_core::{Result, Tensor, bail};

use super::config::{Conditioner as Kind, Config, Prior};
use crate::nn::ops::{self, Map};
use crate::nn::{
    Conv1d, Conv1dConfig, ConvTranspose1d, ConvTranspose1dConfig, Gru, Linear, Padding, Params, Reading,
};

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
    /// Number of vectors.
    ///
    /// # Errors
    /// Never for a value made by the conditioner.
    pub fn vectors(&self) -> Result<usize> {
        self.flows.dim(1)
    }
}

/// Frames that the conditioning sees and that are not spoken: the neighbours of a phrase that was cut out of a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    /// Frames before the first that is spoken.
    pub before_frames: usize,
    /// Frames after the last that is spoken.
    pub after_frames: usize,
}

impl Context {
    /// All that the convolutions see on both sides.
    pub fn full() -> Self {
        let frames = Conditioner::context_frames();
        Self { before_frames: frames, after_frames: frames }
    }
}

/// The network from frames to conditioning, and the prior's output layer.
pub(super) struct Conditioner {
    network: Network,
    output: Option<Linear>,
    config: Config,
}

enum Network {
    /// A transposed convolution to sample rate.
    Upsample(ConvTranspose1d),
    /// Convolutions at frame rate, and a GRU over the phrase.
    Frames { convs: Box<[Conv1d; 3]>, gru: Option<Gru> },
}

impl Conditioner {
    pub(super) fn new(config: &Config, params: &Params) -> Result<Self> {
        let group = config.group_samples();
        let branch = params.pp("conditioner");
        let (network, width) = match config.conditioner {
            Kind::Upsample { kernel_samples } => {
                let shape = ConvTranspose1dConfig { kernel: kernel_samples, stride: config.hop_samples };
                let bands = config.mel_bands;
                (Network::Upsample(ConvTranspose1d::new(bands, bands, shape, &params.pp("upsample"))?), 0)
            }
            Kind::Frames { channels, recurrent } => {
                let conv = |name: &str, inputs, kernel| {
                    Conv1d::new(inputs, channels, Conv1dConfig::new(kernel, Padding::Same), &branch.pp(name))
                };
                let convs = [
                    conv("conv1", config.feature_channels(), 5)?,
                    conv("conv2", channels, 1)?,
                    conv("conv3", channels, 3)?,
                ];
                let gru =
                    recurrent.then(|| Gru::new(channels, channels / 2, Reading::BothWays, &branch.pp("gru")));
                (Network::Frames { convs: convs.into(), gru: gru.transpose()? }, channels)
            }
        };
        let outputs = match config.prior {
            Prior::Standard => None,
            Prior::Density => Some(2 * group),
            Prior::SourceFilter => Some(4 * group),
        };
        let output = outputs.map(|n| Linear::new(width, n, &branch.pp("output"))).transpose()?;
        Ok(Self { network, output, config: config.clone() })
    }

    /// Frames on each side that one frame's conditioning sees, the GRU apart: it sees the whole phrase.
    pub(super) fn context_frames() -> usize {
        3
    }

    /// `features [batch, frames, feature_channels]` to `[batch, vectors, channels]`.
    pub(super) fn frames(&self, features: &Tensor) -> Result<Tensor> {
        match &self.network {
            Network::Upsample(upsample) => self.upsampled(&upsample.forward(features)?, features.dim(1)?),
            Network::Frames { convs, gru } => {
                let mut xs = normalised(features)?;
                for conv in convs.iter() {
                    xs = ops::map(&conv.forward(&xs)?, Map::LeakyRelu { slope: LEAK })?;
                }
                if let Some(gru) = gru {
                    xs = (&xs + gru.forward(&xs, None)?.states)?;
                }
                self.repeated(xs)
            }
        }
    }

    /// Every frame's conditioning for each of its vectors.
    fn repeated(&self, xs: Tensor) -> Result<Tensor> {
        let (batch, frames, channels) = xs.dims3()?;
        let count = self.config.groups_per_frame();
        if count == 1 {
            return Ok(xs);
        }
        let repeated = xs.unsqueeze(2)?.broadcast_as((batch, frames, count, channels))?;
        repeated.contiguous()?.reshape((batch, frames * count, channels))
    }

    /// Samples `[batch, samples, bands]`, cut to whole frames, to vectors; channel `band · group + phase`, as published.
    fn upsampled(&self, samples: &Tensor, frames: usize) -> Result<Tensor> {
        let (batch, _, bands) = samples.dims3()?;
        let group = self.config.group_samples();
        let vectors = frames * self.config.groups_per_frame();
        let cut = samples.narrow(1, 0, vectors * group)?.contiguous()?;
        let grouped = cut.reshape((batch * vectors, group, bands))?.transpose(1, 2)?.contiguous()?;
        grouped.reshape((batch, vectors, bands * group))
    }

    /// Joins the conditioning with the excitation's MDCT and MDST `[batch, vectors, 2 × group]` and gives the density.
    pub(super) fn density(&self, conditioning: Tensor, excitation: Option<&Tensor>) -> Result<Conditioned> {
        let Some(output) = &self.output else {
            return Ok(Conditioned { flows: conditioning, density: None });
        };
        let parts = output.forward(&conditioning)?;
        let group = self.config.group_samples();
        let part = |i: usize| parts.narrow(2, i * group, group);
        if !self.config.has_excitation() {
            let density = Some((part(0)?, ops::map(&part(1)?, LOG_RANGE)?));
            return Ok(Conditioned { flows: conditioning, density });
        }
        let Some(excitation) = excitation else {
            bail!("vocoder: the source-filter prior needs an excitation");
        };
        let cosine = excitation.narrow(2, 0, group)?;
        let sine = excitation.narrow(2, group, group)?;
        let gain = ops::map(&part(2)?, LOG_RANGE)?.exp()?;
        let mean = (((part(0)? * cosine)? + (part(1)? * sine)?)? * gain)?;
        let log_scale = ops::map(&part(3)?, LOG_RANGE)?;
        Ok(Conditioned {
            flows: Tensor::cat(&[&conditioning, excitation], 2)?,
            density: Some((mean, log_scale)),
        })
    }
}

/// Mel, log-F0 and voicing near unit variance.
fn normalised(features: &Tensor) -> Result<Tensor> {
    let width = features.dim(2)?;
    let mel = ((features.narrow(2, 0, width - 2)? + MEL_CENTRE)? / MEL_SPREAD)?;
    let log_f0 = (features.narrow(2, width - 2, 1)? - LOG_F0_CENTRE)?;
    Tensor::cat(&[mel, log_f0, features.narrow(2, width - 1, 1)?], 2)
}
