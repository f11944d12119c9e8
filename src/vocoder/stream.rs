//! Synthesis in windows, equal to synthesis of the whole.
//!
//! A phrase's mel is known before its first sample, so the network over its frames runs once per phrase; what streams is
//! the prior, the flows and the overlap-add. Causal flows keep state and recompute nothing; others run over each window with the context
//! that their receptive field asks for. Noise is addressed by position, so the windows' borders leave no trace.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use super::conditioner::{Conditioned, Context};
use super::noise::Noise;
use super::waveglow::{FlowState, WaveGlow};

/// A stream of samples from phrases given one after another.
pub struct Stream {
    model: Arc<WaveGlow>,
    noise: Noise,
    /// Vectors on each side of a window that are computed and thrown away; 0 for causal flows.
    context_vectors: usize,
    phrase: Option<Phrase>,
    state: Option<FlowState>,
    tail: Tensor,
    /// The excitation's last hop, which the next phrase's first vector overlaps.
    last_hop: Vec<f32>,
    /// Vectors of all phrases before the current one.
    position: u64,
    /// Whether the hop before the first vector has been dropped.
    started: bool,
}

struct Phrase {
    /// The conditioning `[1, vectors, channels]`.
    conditioning: Tensor,
    /// `[1, hop + vectors · group]`: the hop before the first vector, and all that follow.
    excitation: Option<Tensor>,
    vectors: usize,
    /// The first vector that has not been spoken.
    next: usize,
}

impl Phrase {
    /// What the flows are told about vectors `first .. last`.
    fn window(&self, model: &WaveGlow, first: usize, last: usize) -> Result<Conditioned> {
        let vectors = self.conditioning.narrow(1, first, last - first)?.contiguous()?;
        let (hop, group) = (model.config().hop_samples, model.config().group_samples());
        let excitation = self
            .excitation
            .as_ref()
            .map(|all| all.narrow(1, hop + first * group - group, (last + 1 - first) * group));
        model.density(vectors, excitation.transpose()?.as_ref())
    }
}

/// A phrase as the vocoder takes it.
pub struct PhraseInput<'a> {
    /// `[context + frames, feature_channels]`: log-mel, and as the config says log-F0 and voicing.
    pub features: &'a [f32],
    /// Harmonic excitation `[frames · hop]`, for voices with a source-filter prior.
    pub excitation: Option<&'a [f32]>,
    /// How many of the frames only surround the phrase.
    pub context: Context,
}

impl Stream {
    /// A stream that is exact, but for the rounding of floats in flows that are not causal: its context covers the
    /// receptive field.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn new(model: Arc<WaveGlow>, noise: Noise) -> Result<Self> {
        let context = if model.config().wavenet.causal { 0 } else { model.config().context_groups() };
        Self::with_context(model, noise, context)
    }

    /// A stream with less context than the receptive field: faster, with an error at the windows' borders. Causal flows
    /// take none.
    ///
    /// Flows of the published depth, 64 channels, random weights, windows of 32 frames (`cargo run --release --example
    /// context_error -- 64`; how fast the error falls depends on the weights; at 96 frames only rounding is left):
    ///
    /// | context, frames | largest error | signal to error, dB |
    /// |---|---|---|
    /// | 0 | 2.7 | 26 |
    /// | 8 | 1.5e-2 | 75 |
    /// | 16 | 3.5e-5 | 127 |
    /// | 32 | 1.3e-5 | 130 |
    /// | 64 | 1.1e-5 | 132 |
    /// | 96 (the receptive field) | 7.6e-6 | 135 |
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn with_context(model: Arc<WaveGlow>, noise: Noise, context_vectors: usize) -> Result<Self> {
        let (state, tail) = Self::start(&model)?;
        let last_hop = vec![0.0; model.config().hop_samples];
        Ok(Self {
            model,
            noise,
            context_vectors,
            phrase: None,
            state,
            tail,
            last_hop,
            position: 0,
            started: false,
        })
    }

    fn start(model: &WaveGlow) -> Result<(Option<FlowState>, Tensor)> {
        let state = if model.config().wavenet.causal { Some(model.zero_state()?) } else { None };
        Ok((state, model.zero_tail(1)?))
    }

    /// Frames of the current phrase that have not been spoken.
    pub fn pending_frames(&self) -> usize {
        let per_frame = self.model.config().groups_per_frame();
        self.phrase.as_ref().map_or(0, |phrase| (phrase.vectors - phrase.next).div_ceil(per_frame))
    }

    /// Takes the next phrase. The one before must have been spoken.
    ///
    /// # Errors
    /// Frames of the last phrase are pending, sizes differ, or the excitation that the prior needs is missing.
    pub fn push(&mut self, input: &PhraseInput<'_>) -> Result<()> {
        if self.pending_frames() > 0 {
            bail!("vocoder stream: {} frames of the last phrase are pending", self.pending_frames());
        }
        let config = self.model.config();
        let (hop, width) = (config.hop_samples, config.feature_channels());
        let rows = input.features.len() / width;
        let frames = rows.saturating_sub(input.context.before_frames + input.context.after_frames);
        if frames == 0 || !input.features.len().is_multiple_of(width) {
            bail!(
                "vocoder stream: expected whole frames of {width} values beside the context, got {}",
                input.features.len()
            );
        }
        let device = self.tail.device();
        let features = Tensor::from_slice(input.features, (1, rows, width), device)?;
        let excitation = match input.excitation {
            None => None,
            Some(excitation) if excitation.len() == frames * hop => {
                let joined = [self.last_hop.as_slice(), excitation].concat();
                self.last_hop.copy_from_slice(&excitation[(frames - 1) * hop..]);
                Some(Tensor::from_vec(joined, (1, (frames + 1) * hop), device)?)
            }
            Some(excitation) => {
                bail!(
                    "vocoder stream: expected {} samples of excitation, got {}",
                    frames * hop,
                    excitation.len()
                )
            }
        };
        self.position += self.phrase.take().map_or(0, |phrase| phrase.vectors as u64);
        let conditioning = self.model.condition_frames(&features, input.context)?;
        let vectors = conditioning.dim(1)?;
        self.phrase = Some(Phrase { conditioning, excitation, vectors, next: 0 });
        Ok(())
    }

    /// The samples of at most `frames` further frames, ± 1 for full scale; empty when none are pending. A lapped voice
    /// is one hop behind: its first window is a hop shorter, and [`Stream::flush`] gives the last hop.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn step(&mut self, frames: usize) -> Result<Vec<f32>> {
        let config = self.model.config();
        let Some(phrase) = &mut self.phrase else { return Ok(Vec::new()) };
        let count = (frames * config.groups_per_frame()).min(phrase.vectors - phrase.next);
        if count == 0 {
            return Ok(Vec::new());
        }
        let first = phrase.next.saturating_sub(self.context_vectors);
        let last = (phrase.next + count + self.context_vectors).min(phrase.vectors);
        let conditioned = phrase.window(&self.model, first, last)?;
        let position = self.position + first as u64;
        let vectors = self.model.sample(&conditioned, &self.noise, position, self.state.as_mut())?;
        let vectors = vectors.narrow(1, phrase.next - first, count)?;
        phrase.next += count;
        let samples = self.model.synthesise(&vectors, &mut self.tail)?;
        let mut samples = self.scaled(&samples)?;
        if !std::mem::replace(&mut self.started, true) {
            samples.drain(..self.model.latency_samples().min(samples.len()));
        }
        Ok(samples)
    }

    /// The last samples, after which the stream is as new but for its position in the noise.
    ///
    /// # Errors
    /// Frames are pending.
    pub fn flush(&mut self) -> Result<Vec<f32>> {
        if self.pending_frames() > 0 {
            bail!("vocoder stream: {} frames are pending", self.pending_frames());
        }
        let rest = if self.started && self.model.latency_samples() > 0 {
            self.scaled(&self.tail)?
        } else {
            Vec::new()
        };
        let position = self.position + self.phrase.take().map_or(0, |phrase| phrase.vectors as u64);
        self.reset()?;
        self.position = position;
        Ok(rest)
    }

    /// Forgets everything: the next phrase sounds as from a new stream.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn reset(&mut self) -> Result<()> {
        (self.state, self.tail) = Self::start(&self.model)?;
        self.phrase = None;
        self.last_hop.fill(0.0);
        self.position = 0;
        self.started = false;
        Ok(())
    }

    fn scaled(&self, samples: &Tensor) -> Result<Vec<f32>> {
        (samples * self.model.config().sample_rms)?.flatten_all()?.to_vec1()
    }
}

impl WaveGlow {
    /// The samples of a whole phrase, `frames · hop` of them.
    ///
    /// # Errors
    /// As [`Stream::push`].
    pub fn infer(self: &Arc<Self>, input: &PhraseInput<'_>, noise: &Noise) -> Result<Vec<f32>> {
        let mut stream = Stream::new(self.clone(), noise.clone())?;
        stream.push(input)?;
        let mut samples = stream.step(stream.pending_frames())?;
        samples.extend(stream.flush()?);
        Ok(samples)
    }
}
