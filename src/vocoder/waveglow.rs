//! WaveGlow, published and native, from one `Config` ([Prenger et al. 2018](https://arxiv.org/abs/1811.00002)).
//!
//! Analysis direction: samples → vectors (squeeze or MDCT) → whitening by the prior → flows, each an invertible 1×1
//! convolution and an affine coupling, some channels leaving early → latent. Synthesis runs it backwards.
//!
//! | our name | published name |
//! |---|---|
//! | `convinv.{k}.weight` | `convinv.{k}.conv.weight` |
//! | `wn.{k}.…` | `WN.{k}.…` |
//! | `upsample.…` | the same |
//! | `conditioner.…` | (native only) |

use candle_core::{DType, Device, Result, Tensor, bail};
use rayon::prelude::*;

use super::conditioner::{Conditioned, Conditioner, Context};
use super::config::{Analysis, Config};
use super::lapped::Lapped;
use super::noise::Noise;
use super::wavenet::{Wavenet, WavenetShape, WavenetState};
use crate::nn::{Init, Params, ops, square};

/// How the 1×1 convolutions are inverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inversion {
    /// LU with partial pivoting, in f64.
    Lu,
    /// Newton-Schulz iteration, in f32.
    Newton,
}

/// The model.
pub struct WaveGlow {
    config: Config,
    conditioner: Conditioner,
    lapped: Option<Lapped>,
    mixing: Vec<Mixing>,
    couplings: Vec<Wavenet>,
    device: Device,
}

/// An invertible 1×1 convolution: every vector times W.
struct Mixing {
    weight: Tensor,
    /// Filled once for synthesis; in training it changes with every step. Transposed and contiguous: so a product
    /// reads it as it is, where it would otherwise copy it for every window.
    inverse: Option<Tensor>,
}

/// The likelihood of vectors, by parts.
pub struct Likelihood {
    /// The latent, channels that left early first: `[batch, vectors, group]`.
    pub latent: Tensor,
    /// Per flow, the sum of log-scales over batch, vectors and channels (scalars).
    pub log_scales: Vec<Tensor>,
    /// Per flow, batch × vectors × log |det W| (scalars).
    pub log_dets: Vec<Tensor>,
    /// The prior's share of the log-determinant: minus the sum of its log-scales (a scalar).
    pub whitening: Option<Tensor>,
}

impl Likelihood {
    /// Negative log-likelihood in nats per sample, the Gaussian's constant included.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn nats_per_sample(&self) -> Result<Tensor> {
        let count = self.latent.elem_count() as f64;
        let mut sum = (self.latent.sqr()?.sum_all()? * 0.5)?;
        for part in self.log_scales.iter().chain(&self.log_dets).chain(&self.whitening) {
            sum = (sum - part)?;
        }
        (sum / count)? + 0.5 * (2.0 * std::f64::consts::PI).ln()
    }
}

/// What causal flows remember between steps.
pub struct FlowState {
    couplings: Vec<WavenetState>,
}

impl WaveGlow {
    /// Takes `conditioner.…`, `convinv.{k}.weight` and `wn.{k}.…`.
    ///
    /// # Errors
    /// The configuration is invalid, or a stored tensor is missing or has another shape.
    pub fn new(config: &Config, params: &Params) -> Result<Self> {
        config.validate().map_err(candle_core::Error::wrap)?;
        let device = params.device().clone();
        let lapped = match config.analysis {
            Analysis::Squeeze { .. } => None,
            Analysis::Mdct { bins } => Some(Lapped::new(bins, &device)?),
        };
        let mut mixing = Vec::with_capacity(config.flows);
        let mut couplings = Vec::with_capacity(config.flows);
        for flow in 0..config.flows {
            let channels = config.flow_channels(flow);
            let path = params.pp("convinv").pp(flow);
            // A permutation keeps neighbouring frequencies together, unlike the paper's random rotation.
            let start = if flow == 0 { Init::EvenBeforeOdd } else { Init::SwapHalves };
            let weight = path.tensor("weight", (channels, channels), start)?;
            mixing.push(Mixing { weight, inverse: None });
            let shape = WavenetShape {
                inputs: channels / 2,
                conditioning: config.conditioning_channels(),
                outputs: channels,
            };
            couplings.push(Wavenet::new(&config.wavenet, &shape, &params.pp("wn").pp(flow))?);
        }
        Ok(Self {
            config: config.clone(),
            conditioner: Conditioner::new(config, params)?,
            lapped,
            mixing,
            couplings,
            device,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Inverts the 1×1 convolutions and packs the couplings, once, for synthesis.
    ///
    /// # Errors
    /// A matrix is singular, or Newton's iteration does not converge.
    pub fn prepare_synthesis(&mut self, inversion: Inversion) -> Result<()> {
        self.mixing.par_iter_mut().try_for_each(|mixing| -> Result<()> {
            let weight = mixing.weight.detach();
            let inverse = match inversion {
                Inversion::Lu => square::inverse(&weight)?,
                Inversion::Newton => square::newton_inverse(&weight, 1e-5)?,
            };
            mixing.inverse = Some(inverse.t()?.contiguous()?);
            Ok(())
        })?;
        self.couplings.par_iter_mut().try_for_each(Wavenet::prepare_synthesis)
    }

    /// Computes the couplings' gated layers in 16 bits: [`Wavenet::halve`].
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn halve(&mut self) -> Result<()> {
        self.couplings.iter_mut().try_for_each(Wavenet::halve)
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The conditioning of a phrase: `features [batch, context + frames, feature_channels]`, and for the source-filter
    /// prior `excitation [batch, (frames + 1) · hop]`, which starts one hop before the first frame that counts. Frames of
    /// context are seen and left out, so that a cut looks like the middle that it is.
    ///
    /// # Errors
    /// Shapes differ, or the excitation is missing.
    pub fn condition(
        &self,
        features: &Tensor,
        excitation: Option<&Tensor>,
        context: Context,
    ) -> Result<Conditioned> {
        self.density(self.condition_frames(features, context)?, excitation)
    }

    /// The first half of [`WaveGlow::condition`], which sees the whole phrase: `[batch, vectors, channels]`.
    ///
    /// # Errors
    /// Shapes differ.
    pub(super) fn condition_frames(&self, features: &Tensor, context: Context) -> Result<Tensor> {
        let frames = features.dim(1)?.saturating_sub(context.before_frames + context.after_frames);
        let per_frame = self.config.groups_per_frame();
        let vectors = self.conditioner.frames(features)?;
        vectors.narrow(1, context.before_frames * per_frame, frames * per_frame)?.contiguous()
    }

    /// The second half, vector by vector: any run of the first half's vectors, and the excitation that starts one hop
    /// before it.
    ///
    /// # Errors
    /// Shapes differ, or the excitation is missing.
    pub(super) fn density(&self, vectors: Tensor, excitation: Option<&Tensor>) -> Result<Conditioned> {
        let pair = match (excitation, &self.lapped) {
            (Some(excitation), Some(lapped)) => Some(lapped.forward_pair(excitation)?),
            _ => None,
        };
        self.conditioner.density(vectors, pair.as_ref())
    }

    /// Frames on each side that one frame's conditioning sees: more context than this changes nothing.
    pub fn context_frames() -> usize {
        Conditioner::context_frames()
    }

    /// Samples to vectors. MDCT: `[batch, (vectors + 1) · bins]`, the hop before the first included; squeeze:
    /// `[batch, vectors · group]`. Gives `[batch, vectors, group]`.
    ///
    /// # Errors
    /// The length does not divide.
    pub fn analyse(&self, samples: &Tensor) -> Result<Tensor> {
        match &self.lapped {
            Some(lapped) => lapped.forward(samples),
            None => {
                let (batch, length) = samples.dims2()?;
                let group = self.config.group_samples();
                samples.contiguous()?.reshape((batch, length / group, group))
            }
        }
    }

    /// Samples by which synthesis lags behind its vectors: one hop of the lapped transform.
    pub fn latency_samples(&self) -> usize {
        if self.lapped.is_some() { self.config.group_samples() } else { 0 }
    }

    /// Vectors `[batch, vectors, group]` to samples `[batch, vectors · group]`; `tail` as in [`Lapped::inverse`].
    ///
    /// # Errors
    /// Shapes differ.
    pub fn synthesise(&self, vectors: &Tensor, tail: &mut Tensor) -> Result<Tensor> {
        match &self.lapped {
            Some(lapped) => lapped.inverse(vectors, tail),
            None => {
                let (batch, count, group) = vectors.dims3()?;
                vectors.contiguous()?.reshape((batch, count * group))
            }
        }
    }

    /// The likelihood of `vectors [batch, vectors, group]`.
    ///
    /// # Errors
    /// Shapes differ, or a 1×1 matrix became singular.
    pub fn likelihood(&self, vectors: &Tensor, conditioned: &Conditioned) -> Result<Likelihood> {
        let (batch, count, _) = vectors.dims3()?;
        let (mut z, whitening) = match &conditioned.density {
            None => (vectors.clone(), None),
            Some((mean, log_scale)) => {
                ((vectors - mean)?.mul(&log_scale.neg()?.exp()?)?, Some(log_scale.sum_all()?.neg()?))
            }
        };
        let (mut early, mut log_scales, mut log_dets) = (Vec::new(), Vec::new(), Vec::new());
        for flow in 0..self.config.flows {
            if self.config.leaves_before(flow) {
                let size = self.config.early_size;
                early.push(z.narrow(2, 0, size)?);
                z = z.narrow(2, size, z.dim(2)? - size)?;
            }
            let weight = &self.mixing[flow].weight;
            z = rows_times(&z, &weight.t()?)?;
            log_dets.push((square::log_abs_det(weight)? * (batch * count) as f64)?);
            let (kept, changed) = halves(&z)?;
            let (shift, log_scale) = self.coupling(flow, &kept, conditioned, None)?;
            let changed = ((changed * log_scale.exp()?)? + shift)?;
            log_scales.push(log_scale.sum_all()?);
            z = Tensor::cat(&[kept, changed], 2)?;
        }
        early.push(z);
        Ok(Likelihood { latent: Tensor::cat(&early, 2)?, log_scales, log_dets, whitening })
    }

    /// Vectors drawn for `conditioned`, the first of them at position `first` of the utterance. With a state (causal
    /// flows only), continues the stream that it describes.
    ///
    /// # Errors
    /// Shapes differ, or a 1×1 matrix is singular.
    pub fn sample(
        &self,
        conditioned: &Conditioned,
        noise: &Noise,
        first: u64,
        mut state: Option<&mut FlowState>,
    ) -> Result<Tensor> {
        let count = conditioned.vectors()?;
        let mut stage = 0;
        let mut draw = |channels: usize| {
            stage += 1;
            noise.draw(stage - 1, first, (count, channels), &self.device)
        };
        let mut z = draw(self.config.flow_channels(self.config.flows.saturating_sub(1)))?;
        for flow in (0..self.config.flows).rev() {
            let state = state.as_deref_mut().map(|state| &mut state.couplings[flow]);
            z = self.unflow(flow, &z, conditioned, state)?;
            if self.config.leaves_before(flow) {
                z = Tensor::cat(&[draw(self.config.early_size)?, z], 2)?;
            }
        }
        self.colour(z, conditioned)
    }

    /// Vectors from a given latent `[batch, vectors, group]`, differentiable, for training through the synthesis
    /// direction. Flows without early outputs only.
    ///
    /// # Errors
    /// Shapes differ, or a 1×1 matrix is singular.
    pub fn sample_from(&self, latent: &Tensor, conditioned: &Conditioned) -> Result<Tensor> {
        if self.config.early_every > 0 && self.config.flows > self.config.early_every {
            bail!("vocoder: training through synthesis needs flows without early outputs");
        }
        let mut z = latent.clone();
        for flow in (0..self.config.flows).rev() {
            z = self.unflow(flow, &z, conditioned, None)?;
        }
        self.colour(z, conditioned)
    }

    /// One flow step backwards.
    fn unflow(
        &self,
        flow: usize,
        z: &Tensor,
        conditioned: &Conditioned,
        state: Option<&mut WavenetState>,
    ) -> Result<Tensor> {
        let (kept, changed) = halves(z)?;
        let (shift, log_scale) = self.coupling(flow, &kept, conditioned, state)?;
        let changed = ((changed - shift)? * log_scale.neg()?.exp()?)?;
        let mixing = &self.mixing[flow];
        let inverse = match &mixing.inverse {
            Some(inverse) => inverse.clone(),
            None => square::inverse(&mixing.weight)?.t()?,
        };
        rows_times(&Tensor::cat(&[kept, changed], 2)?, &inverse)
    }

    /// The prior's whitening, undone.
    fn colour(&self, z: Tensor, conditioned: &Conditioned) -> Result<Tensor> {
        match &conditioned.density {
            None => Ok(z),
            Some((mean, log_scale)) => (z * log_scale.exp()?)? + mean,
        }
    }

    /// Shift and log-scale of a coupling.
    fn coupling(
        &self,
        flow: usize,
        kept: &Tensor,
        conditioned: &Conditioned,
        state: Option<&mut WavenetState>,
    ) -> Result<(Tensor, Tensor)> {
        let out = self.couplings[flow].forward(kept, &conditioned.flows, state)?;
        let (shift, log_scale) = halves(&out)?;
        let log_scale = match self.config.log_scale_limit {
            Some(limit) => ops::map(&log_scale, ops::Map::Clamp { low: -limit as f32, high: limit as f32 })?,
            None => log_scale,
        };
        Ok((shift, log_scale))
    }

    /// The state of a stream that has seen nothing.
    ///
    /// # Errors
    /// The flows are not causal.
    pub fn zero_state(&self) -> Result<FlowState> {
        if !self.config.wavenet.causal {
            bail!("vocoder: only causal flows keep state");
        }
        let like = Tensor::zeros(1, DType::F32, &self.device)?;
        let couplings = self.couplings.iter().map(|wn| wn.zero_state(&like)).collect::<Result<_>>()?;
        Ok(FlowState { couplings })
    }

    /// Second half of the vector before the first, for [`WaveGlow::synthesise`]: `[batch, group]` of zeros.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn zero_tail(&self, batch: usize) -> Result<Tensor> {
        Tensor::zeros((batch, self.config.group_samples()), DType::F32, &self.device)
    }
}

fn halves(xs: &Tensor) -> Result<(Tensor, Tensor)> {
    let half = xs.dim(2)? / 2;
    Ok((xs.narrow(2, 0, half)?, xs.narrow(2, half, half)?))
}

/// `[batch, rows, inputs]` times `[inputs, outputs]`, as one product of two dimensions.
fn rows_times(xs: &Tensor, matrix: &Tensor) -> Result<Tensor> {
    let (batch, rows, inputs) = xs.dims3()?;
    xs.contiguous()?.reshape((batch * rows, inputs))?.matmul(matrix)?.reshape((batch, rows, matrix.dim(1)?))
}
