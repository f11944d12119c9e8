//! The generalized energy distance between spectra of speech and of two samples of a model.
//!
//! 2·E d(x, y) − E d(y, y′), estimated by d(x, y₁) + d(x, y₂) − d(y₁, y₂), is smallest when the model's samples are
//! distributed like speech: unlike a plain spectral loss it does not reward a model for leaving the noise out
//! ([Gritsenko et al. 2020](https://arxiv.org/abs/2008.01160)). d compares magnitudes, and logarithms of magnitudes, at
//! several window lengths.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::nn::ops::values;

/// Window lengths.
const WINDOWS_SAMPLES: [usize; 5] = [128, 256, 512, 1024, 2048];
/// Weight of the logarithmic part.
const LOG_WEIGHT: f32 = 0.3;
/// Added to magnitudes before the logarithm; signals have unit variance.
const LOG_FLOOR: f32 = 1e-3;

struct Window {
    length: usize,
    hop: usize,
    shape: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// The distance, with its plans.
pub struct EnergyDistance {
    windows: Arc<Vec<Window>>,
}

impl Default for EnergyDistance {
    fn default() -> Self {
        let mut planner = RealFftPlanner::new();
        let windows = WINDOWS_SAMPLES.map(|length| {
            let angle = |n: usize| std::f64::consts::TAU * n as f64 / length as f64;
            let hann: Vec<f64> = (0..length).map(|n| 0.5 - 0.5 * angle(n).cos()).collect();
            let norm = hann.iter().map(|w| w * w).sum::<f64>().sqrt();
            Window {
                length,
                hop: length / 4,
                shape: hann.iter().map(|w| (w / norm) as f32).collect(),
                forward: planner.plan_fft_forward(length),
                inverse: planner.plan_fft_inverse(length),
            }
        });
        Self { windows: Arc::new(windows.into()) }
    }
}

impl EnergyDistance {
    /// `speech`, `first` and `second`, each `[batch, samples]`, to a scalar that is differentiable in the latter two.
    ///
    /// # Errors
    /// The shapes differ, or the signals are shorter than the longest window.
    pub fn forward(&self, speech: &Tensor, first: &Tensor, second: &Tensor) -> Result<Tensor> {
        if speech.shape() != first.shape() || speech.shape() != second.shape() {
            bail!(
                "energy distance: the shapes {:?}, {:?}, {:?} differ",
                speech.shape(),
                first.shape(),
                second.shape()
            );
        }
        let longest = WINDOWS_SAMPLES.iter().copied().max().unwrap_or(0);
        if speech.dim(1)? < longest {
            bail!("energy distance: expected at least {longest} samples, got {}", speech.dim(1)?);
        }
        let op = Op { windows: self.windows.clone(), gradients: Mutex::default() };
        first.contiguous()?.apply_op3(&second.contiguous()?, &speech.contiguous()?.detach(), op)
    }
}

struct Op {
    windows: Arc<Vec<Window>>,
    /// Left by the forward pass, which has everything at hand that they need.
    gradients: Mutex<Option<[Vec<f32>; 2]>>,
}

/// Spectrum and magnitude of one frame of a signal, and the gradient with respect to the magnitude.
struct Frame {
    input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    magnitude: Vec<f32>,
    log: Vec<f32>,
    slope: Vec<f32>,
}

impl Frame {
    fn new(length: usize) -> Self {
        let bins = length / 2 + 1;
        Self {
            input: vec![0.0; length],
            spectrum: vec![Complex::default(); bins],
            magnitude: vec![0.0; bins],
            log: vec![0.0; bins],
            slope: vec![0.0; bins],
        }
    }

    fn analyse(&mut self, window: &Window, samples: &[f32]) -> Result<()> {
        for ((x, s), w) in self.input.iter_mut().zip(samples).zip(&window.shape) {
            *x = s * w;
        }
        window.forward.process(&mut self.input, &mut self.spectrum).map_err(candle_core::Error::wrap)?;
        for ((m, l), s) in self.magnitude.iter_mut().zip(&mut self.log).zip(&self.spectrum) {
            *m = s.norm();
            *l = (*m + LOG_FLOOR).ln();
        }
        self.slope.fill(0.0);
        Ok(())
    }

    /// Adds the gradient with respect to the samples.
    fn add_gradient(&mut self, window: &Window, gradient: &mut [f32]) -> Result<()> {
        let last = self.slope.len() - 1;
        for (k, ((s, m), g)) in self.spectrum.iter_mut().zip(&self.magnitude).zip(&self.slope).enumerate() {
            // The inverse transform counts each inner bin twice.
            let half = if k == 0 || k == last { 1.0 } else { 0.5 };
            *s *= g * half / m.max(1e-7);
            if k == 0 || k == last {
                s.im = 0.0;
            }
        }
        window.inverse.process(&mut self.spectrum, &mut self.input).map_err(candle_core::Error::wrap)?;
        for ((g, x), w) in gradient.iter_mut().zip(&self.input).zip(&window.shape) {
            *g += x * w;
        }
        Ok(())
    }
}

/// `weight · d(a, b)` of one frame; adds its gradient to both slopes.
fn compare(a: &mut Frame, b: &mut Frame, weight: f32) -> f32 {
    let bins = a.magnitude.len() as f32;
    let (mut linear, mut square) = (0f32, 0f32);
    for ((ma, mb), (la, lb)) in a.magnitude.iter().zip(&b.magnitude).zip(a.log.iter().zip(&b.log)) {
        linear += (ma - mb).abs();
        square += (la - lb) * (la - lb);
    }
    let root = (square / bins + 1e-9).sqrt();
    let (w_linear, w_log) = (weight / bins, weight * LOG_WEIGHT / (bins * root));
    for i in 0..a.magnitude.len() {
        let sign = (a.magnitude[i] - b.magnitude[i]).signum() * w_linear;
        let log = (a.log[i] - b.log[i]) * w_log;
        a.slope[i] += sign + log / (a.magnitude[i] + LOG_FLOOR);
        b.slope[i] -= sign + log / (b.magnitude[i] + LOG_FLOOR);
    }
    weight * (linear / bins + LOG_WEIGHT * root)
}

impl CustomOp3 for Op {
    fn name(&self) -> &'static str {
        "energy-distance"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let name = self.name();
        let (first, second, speech) = (values(name, s1, l1)?, values(name, s2, l2)?, values(name, s3, l3)?);
        let (batch, length) = l1.shape().dims2()?;
        let mut gradients = [vec![0f32; first.len()], vec![0f32; second.len()]];
        let mut total = 0f64;
        for window in self.windows.iter() {
            let frames = (length - window.length) / window.hop + 1;
            let weight = 1.0 / (frames * batch * self.windows.len()) as f32;
            let [mut x, mut y1, mut y2] = [0; 3].map(|_| Frame::new(window.length));
            for sample in 0..batch {
                for frame in 0..frames {
                    let start = sample * length + frame * window.hop;
                    let range = start..start + window.length;
                    x.analyse(window, &speech[range.clone()])?;
                    y1.analyse(window, &first[range.clone()])?;
                    y2.analyse(window, &second[range.clone()])?;
                    let sum = compare(&mut x, &mut y1, weight)
                        + compare(&mut x, &mut y2, weight)
                        + compare(&mut y1, &mut y2, -weight);
                    total += f64::from(sum);
                    y1.add_gradient(window, &mut gradients[0][range.clone()])?;
                    y2.add_gradient(window, &mut gradients[1][range])?;
                }
            }
        }
        *self.gradients.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(gradients);
        Ok((CpuStorage::F32(vec![total as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        _speech: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let stored = self.gradients.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let Some([g1, g2]) = stored else {
            bail!("energy distance: differentiated twice");
        };
        let scale = |values: Vec<f32>, like: &Tensor| {
            Tensor::from_vec(values, like.shape(), like.device())?.broadcast_mul(grad)
        };
        Ok((Some(scale(g1, first)?), Some(scale(g2, second)?), None))
    }
}
