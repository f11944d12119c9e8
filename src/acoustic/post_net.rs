//! The post-net: parts that add detail to the decoder's mel.
//!
//! The native parts work on normalised mels and leave padding alone; the published one convolves padding too.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};

use super::cbhg::Cbhg;
use super::{Dropout, PostNetPart};
use crate::nn::ops::{self, Map};
use crate::nn::{Conv1d, Conv1dConfig, Linear, Padding as Edge, Params};

/// Two fully connected layers with ReLU and one with tanh, added to each frame: sharpens what regression smooths.
pub struct HighBand {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl HighBand {
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(mels: usize, width: usize, params: &Params) -> Result<Self> {
        Ok(Self {
            first: Linear::new(mels, width, &params.pp("first"))?,
            second: Linear::new(width, width, &params.pp("second"))?,
            last: Linear::new(width, mels, &params.pp("last"))?,
        })
    }

    /// `[batch, frames, mels]` to the same shape.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let ys = self.second.forward_then(&self.first.forward_then(xs, Map::RELU)?, Map::RELU)?;
        xs + self.last.forward(&ys)?.tanh()?
    }
}

/// `x[t] + tanh(w₀ x[t − 1] + w₁ x[t] + b)`, where `x[−1]` is the reflection `x[1]` (`x[0]` if there is no other frame).
pub struct Wavenet {
    conv: Conv1d,
}

impl Wavenet {
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(mels: usize, params: &Params) -> Result<Self> {
        Ok(Self { conv: Conv1d::new(mels, mels, Conv1dConfig::new(2, Edge::Valid), &params.pp("conv"))? })
    }

    /// `[batch, frames, mels]` to the same shape; `lengths` are the frames of each sequence.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn forward(&self, xs: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let (batch, frames, mels) = xs.dims3()?;
        if lengths.len() != batch {
            bail!("wavenet part: expected {batch} lengths, got {}", lengths.len());
        }
        let reflected: Vec<u32> =
            lengths.iter().enumerate().map(|(i, &n)| (i * frames + usize::from(n > 1)) as u32).collect();
        let reflected = Tensor::from_vec(reflected, batch, xs.device())?;
        let rows = xs.contiguous()?.reshape((batch * frames, mels))?;
        let edge = rows.index_select(&reflected, 0)?.reshape((batch, 1, mels))?;
        self.after(&edge, xs)
    }

    /// The outputs for `xs` when `previous [batch, 1, mels]` came before it.
    fn after(&self, previous: &Tensor, xs: &Tensor) -> Result<Tensor> {
        xs + self.conv.forward(&Tensor::cat(&[previous, xs], 1)?)?.tanh()?
    }
}

/// A [`Wavenet`] that takes its frames piece by piece. The first frame waits for the second, which it reflects;
/// nothing else waits.
pub struct WavenetStream<'a> {
    part: &'a Wavenet,
    /// The frame before the next one.
    previous: Option<Tensor>,
    /// `previous` is the first frame, and its output is still owed.
    waiting: bool,
}

impl<'a> WavenetStream<'a> {
    /// A stream that has seen nothing.
    pub fn new(part: &'a Wavenet) -> Self {
        Self { part, previous: None, waiting: false }
    }

    /// Takes `xs [batch, frames, mels]`; gives the outputs that are ready.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn step(&mut self, xs: &Tensor) -> Result<Option<Tensor>> {
        let (_, frames, _) = xs.dims3()?;
        if frames == 0 {
            return Ok(None);
        }
        let xs = match self.previous.take() {
            Some(first) if self.waiting => Tensor::cat(&[&first, xs], 1)?,
            Some(previous) => {
                self.previous = Some(xs.narrow(1, frames - 1, 1)?);
                return self.part.after(&previous, xs).map(Some);
            }
            None => xs.clone(),
        };
        let frames = xs.dim(1)?;
        self.waiting = frames == 1;
        self.previous = Some(xs.narrow(1, frames - 1, 1)?);
        if self.waiting {
            return Ok(None);
        }
        self.part.after(&xs.narrow(1, 1, 1)?, &xs).map(Some)
    }

    /// Ends the stream: gives the output still owed, if any, and forgets everything.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn flush(&mut self) -> Result<Option<Tensor>> {
        let owed = self.previous.take().filter(|_| self.waiting);
        self.reset();
        owed.map(|only| self.part.after(&only, &only)).transpose()
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.previous = None;
        self.waiting = false;
    }
}

/// `x + ReLU(expand(bounded(gate(conv(x)))))`: the channels in the middle share an L1 budget, so that a frame can
/// bring out a few of them or none.
pub struct Gated {
    conv: Conv1d,
    gate: Linear,
    expand: Linear,
    bound: f32,
}

impl Gated {
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(mels: usize, (kernel, bound): (usize, f32), params: &Params) -> Result<Self> {
        let half = (mels / 2).max(1);
        Ok(Self {
            conv: Conv1d::new(mels, half, Conv1dConfig::new(kernel, Edge::Same), &params.pp("conv"))?,
            gate: Linear::new(half, half, &params.pp("gate"))?,
            expand: Linear::new(half, mels, &params.pp("expand"))?,
            bound,
        })
    }

    /// The bounded channels, `[batch, frames, mels / 2]`; the L1 norm of each frame is at most the bound.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn gates(&self, xs: &Tensor, lengths: &Arc<[usize]>) -> Result<Tensor> {
        let ys = self.gate.forward(&self.conv.forward(&ops::keep_rows(xs, lengths)?)?)?;
        let norm = ys.abs()?.sum_keepdim(2)?;
        // At most `bound`, and the rounding of the products stays below it.
        let scale = norm.maximum(self.bound)?.recip()?.affine(f64::from(self.bound) * (1.0 - 1e-6), 0.0)?;
        ys.broadcast_mul(&scale)
    }

    /// `[batch, frames, mels]` to the same shape.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn forward(&self, xs: &Tensor, lengths: &Arc<[usize]>) -> Result<Tensor> {
        xs + self.expand.forward_then(&self.gates(xs, lengths)?, Map::RELU)?
    }
}

enum Part {
    HighBand(HighBand),
    Wavenet(Wavenet),
    Gated(Gated),
    Convolutions(Vec<Conv1d>),
    Cbhg(Box<Cbhg>),
}

/// The parts of a [`Config`](super::Config), in order.
pub struct PostNet {
    parts: Vec<Part>,
}

impl PostNet {
    /// Each part's tensors are named by the part; two of a kind would share them, so they are refused.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape, or a part occurs twice.
    pub fn new(parts: &[PostNetPart], mels: usize, params: &Params) -> Result<Self> {
        let mut built = Vec::with_capacity(parts.len());
        for (i, part) in parts.iter().enumerate() {
            if parts[..i].iter().any(|other| std::mem::discriminant(other) == std::mem::discriminant(part)) {
                bail!("post-net: a part occurs twice: {part:?}");
            }
            built.push(match *part {
                PostNetPart::HighBand { width } => {
                    Part::HighBand(HighBand::new(mels, width, &params.pp("high_band"))?)
                }
                PostNetPart::Wavenet => Part::Wavenet(Wavenet::new(mels, &params.pp("wavenet"))?),
                PostNetPart::Gated { kernel, bound } => {
                    Part::Gated(Gated::new(mels, (kernel, bound), &params.pp("gated"))?)
                }
                PostNetPart::Cbhg { banks, width, highways } => {
                    Part::Cbhg(Box::new(Cbhg::new(mels, (banks, width, highways), &params.pp("cbhg"))?))
                }
                PostNetPart::Convolutions { width, kernel, layers } => {
                    let config = Conv1dConfig::new(kernel, Edge::Same);
                    let params = params.pp("convolutions");
                    let layer = |i: usize| {
                        let inputs = if i == 0 { mels } else { width };
                        let outputs = if i + 1 == layers { mels } else { width };
                        Conv1d::new(inputs, outputs, config, &params.pp(i))
                    };
                    Part::Convolutions((0..layers).map(layer).collect::<Result<_>>()?)
                }
            });
        }
        Ok(Self { parts: built })
    }

    /// `[batch, frames, mels]` to the same shape.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn forward(&self, xs: &Tensor, lengths: &Arc<[usize]>, dropout: &Dropout) -> Result<Tensor> {
        self.parts.iter().try_fold(xs.clone(), |xs, part| match part {
            Part::HighBand(part) => part.forward(&xs),
            Part::Wavenet(part) => part.forward(&xs, lengths),
            Part::Gated(part) => part.forward(&xs, lengths),
            Part::Cbhg(part) => part.forward(&xs),
            Part::Convolutions(layers) => {
                let mut ys = xs.clone();
                for (i, layer) in layers.iter().enumerate() {
                    ys = layer.forward(&ys)?;
                    if i + 1 < layers.len() {
                        ys = ys.tanh()?;
                    }
                    ys = ops::dropped(&ys, dropout.mask())?;
                }
                xs + ys
            }
        })
    }
}
