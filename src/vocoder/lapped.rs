//! The lapped transform in place of WaveGlow's squeeze: MDCT and MDST with a sine window, orthonormal.
//!
//! A tight frame: perfect reconstruction by overlap-add, unit determinant, and frequency-local channels on which flows
//! learn fast. Princen, Johnson and Bradley 1987; the pair of MDCT and MDST is Malvar's MCLT (1999).
//! Vector `t` covers samples `(t − 1) · bins .. (t + 1) · bins`.

use candle_core::{Device, Result, Tensor, bail};

/// The transform's matrices.
#[derive(Clone)]
pub struct Lapped {
    bins: usize,
    /// `[bins, 2 × bins]`: as the inverse multiplies by it, which it does for every window.
    cosine: Tensor,
    /// `[bins, 2 × bins]`
    sine: Tensor,
}

impl Lapped {
    /// A transform of this many bins per hop of as many samples.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn new(bins: usize, device: &Device) -> Result<Self> {
        // π / bins · (n + ½ + bins / 2) · (k + ½) is a multiple of the smallest angle, π / (4 · bins): a table will do.
        let circle = 8 * bins;
        let smallest = std::f64::consts::TAU / circle as f64;
        let scale = (2.0 / bins as f64).sqrt();
        let windows: Vec<f64> = (0..2 * bins).map(|n| (smallest * (2 * n + 1) as f64).sin()).collect();
        let matrix = |wave: fn(f64) -> f64| {
            let waves: Vec<f64> = (0..circle).map(|step| scale * wave(smallest * step as f64)).collect();
            let mut values = Vec::with_capacity(2 * bins * bins);
            for k in 0..bins {
                for (n, window) in windows.iter().enumerate() {
                    values.push((window * waves[(2 * n + 1 + bins) * (2 * k + 1) % circle]) as f32);
                }
            }
            Tensor::from_vec(values, (bins, 2 * bins), device)
        };
        Ok(Self { bins, cosine: matrix(f64::cos)?, sine: matrix(f64::sin)? })
    }

    /// Samples `[batch, (frames + 1) · bins]` to overlapping frames `[batch · frames, 2 · bins]`.
    fn frames(&self, samples: &Tensor) -> Result<(Tensor, usize, usize)> {
        let (batch, length) = samples.dims2()?;
        if length % self.bins != 0 || length < 2 * self.bins {
            bail!("mdct: expected at least 2 hops of {} samples, got {length} samples", self.bins);
        }
        let hops = samples.contiguous()?.reshape((batch, length / self.bins, self.bins))?;
        let frames = length / self.bins - 1;
        let pairs = Tensor::cat(&[hops.narrow(1, 0, frames)?, hops.narrow(1, 1, frames)?], 2)?;
        Ok((pairs.reshape((batch * frames, 2 * self.bins))?, batch, frames))
    }

    /// The MDCT of `samples [batch, (frames + 1) · bins]`, the hop before the first vector included:
    /// `[batch, frames, bins]`.
    ///
    /// # Errors
    /// The length is not a whole number of hops, or below two.
    pub fn forward(&self, samples: &Tensor) -> Result<Tensor> {
        let (rows, batch, frames) = self.frames(samples)?;
        rows.matmul(&self.cosine.t()?)?.reshape((batch, frames, self.bins))
    }

    /// MDCT and MDST side by side: `[batch, frames, 2 · bins]`.
    ///
    /// # Errors
    /// As [`Lapped::forward`].
    pub fn forward_pair(&self, samples: &Tensor) -> Result<Tensor> {
        let (rows, batch, frames) = self.frames(samples)?;
        let pair = Tensor::cat(&[rows.matmul(&self.cosine.t()?)?, rows.matmul(&self.sine.t()?)?], 1)?;
        pair.reshape((batch, frames, 2 * self.bins))
    }

    /// Overlap-add: vectors `[batch, frames, bins]` to samples `[batch, frames · bins]`, the first hop being the one
    /// before the first vector's middle. `tail [batch, bins]` is the second half of the vector before, and is replaced
    /// by that of the last one; zeros at the start of a stream.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn inverse(&self, vectors: &Tensor, tail: &mut Tensor) -> Result<Tensor> {
        let (batch, frames, bins) = vectors.dims3()?;
        let rows = vectors.contiguous()?.reshape((batch * frames, bins))?;
        let halves = rows.matmul(&self.cosine)?.reshape((batch, frames, 2, bins))?;
        let rising = halves.narrow(2, 0, 1)?.squeeze(2)?;
        let falling = halves.narrow(2, 1, 1)?.squeeze(2)?;
        let before =
            Tensor::cat(&[&tail.unsqueeze(1)?, &falling.narrow(1, 0, frames - 1)?.contiguous()?], 1)?;
        *tail = falling.narrow(1, frames - 1, 1)?.squeeze(1)?.contiguous()?;
        (rising + before)?.reshape((batch, frames * bins))
    }
}
