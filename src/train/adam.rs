//! Adam over a parameter tree, with gradient clipping and a moving average of the weights; its state can be saved.

use std::collections::{BTreeMap, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var, bail};

/// Settings of [`Adam`] ([Kingma and Ba 2014](https://arxiv.org/abs/1412.6980)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Decay of the mean of the gradient.
    pub beta1: f32,
    /// Decay of the mean of its square.
    pub beta2: f32,
    /// Added to the root of the latter.
    pub epsilon: f32,
    /// Gradients of a larger norm, over all parameters, are scaled down to it.
    pub clip_norm: f32,
    /// Decay of the weights' moving average, which is what gets validated and shipped.
    pub average_decay: f32,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, clip_norm: 5.0, average_decay: 0.999 }
    }
}

struct Moments {
    mean: Vec<f32>,
    square: Vec<f32>,
    average: Vec<f32>,
}

/// The optimizer.
pub struct Adam {
    config: AdamConfig,
    vars: BTreeMap<String, Var>,
    moments: BTreeMap<String, Moments>,
    step: u64,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Norm of the gradient before clipping.
    pub gradient_norm: f32,
    /// False when the gradient was not finite and the step was left out.
    pub applied: bool,
}

fn flat(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()
}

impl Adam {
    /// An optimizer of `vars` that has not moved yet.
    ///
    /// # Errors
    /// A variable is not f32.
    pub fn new(vars: BTreeMap<String, Var>, config: AdamConfig) -> Result<Self> {
        let moments = vars
            .iter()
            .map(|(name, var)| {
                let average = flat(var.as_tensor())?;
                let zeros = vec![0f32; average.len()];
                Ok((name.clone(), Moments { mean: zeros.clone(), square: zeros, average }))
            })
            .collect::<Result<_>>()?;
        Ok(Self { config, vars, moments, step: 0 })
    }

    /// Steps applied so far.
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Moves every variable against its gradient.
    ///
    /// # Errors
    /// A variable has no gradient: the graph was cut somewhere.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f32) -> Result<StepReport> {
        let mut slopes = Vec::with_capacity(self.vars.len());
        for (name, var) in &self.vars {
            let Some(gradient) = gradients.get(var.as_tensor()) else {
                bail!("adam: `{name}` has no gradient");
            };
            slopes.push(flat(gradient)?);
        }
        let norm = slopes
            .iter()
            .map(|slope| slope.iter().map(|g| g * g).sum::<f32>())
            .map(f64::from)
            .sum::<f64>()
            .sqrt() as f32;
        if !norm.is_finite() {
            return Ok(StepReport { gradient_norm: norm, applied: false });
        }
        self.step += 1;
        let AdamConfig { beta1, beta2, epsilon, clip_norm, average_decay } = self.config;
        let scale = if norm > clip_norm { clip_norm / norm } else { 1.0 };
        let unbias1 = 1.0 / (1.0 - beta1.powi(self.step.min(100_000) as i32));
        let unbias2 = 1.0 / (1.0 - beta2.powi(self.step.min(100_000) as i32));
        // Early on the average must not remember the random start.
        let keep = average_decay.min((1.0 + self.step as f32) / (10.0 + self.step as f32));
        for ((var, moments), slope) in self.vars.values().zip(self.moments.values_mut()).zip(&slopes) {
            let mut weights = flat(var.as_tensor())?;
            let state = moments.mean.iter_mut().zip(&mut moments.square).zip(&mut moments.average);
            for ((weight, ((mean, square), average)), slope) in weights.iter_mut().zip(state).zip(slope) {
                let slope = slope * scale;
                *mean += (1.0 - beta1) * (slope - *mean);
                *square += (1.0 - beta2) * (slope * slope - *square);
                *weight -= learning_rate * (*mean * unbias1) / ((*square * unbias2).sqrt() + epsilon);
                *average += (1.0 - keep) * (*weight - *average);
            }
            set(var, weights)?;
        }
        Ok(StepReport { gradient_norm: norm, applied: true })
    }

    /// Puts the averaged weights into the variables and returns the trained ones, to be given to [`Adam::put_back`].
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn swap_in_average(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut trained = BTreeMap::new();
        for (name, var) in &self.vars {
            trained.insert(name.clone(), var.as_tensor().detach().copy()?);
            if let Some(moments) = self.moments.get(name) {
                set(var, moments.average.clone())?;
            }
        }
        Ok(trained)
    }

    /// Undoes [`Adam::swap_in_average`].
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn put_back(&self, trained: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, tensor) in trained {
            if let Some(var) = self.vars.get(name) {
                var.set(tensor)?;
            }
        }
        Ok(())
    }

    /// Everything that a resumed run needs: `weight:`, `mean:`, `square:` and `average:` tensors by name.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        for (name, var) in &self.vars {
            let shape = var.shape();
            state.insert(format!("weight:{name}"), var.as_tensor().detach().copy()?);
            if let Some(moments) = self.moments.get(name) {
                for (kind, values) in
                    [("mean", &moments.mean), ("square", &moments.square), ("average", &moments.average)]
                {
                    state.insert(format!("{kind}:{name}"), Tensor::from_slice(values, shape, &Device::Cpu)?);
                }
            }
        }
        Ok(state)
    }

    /// Goes back to a saved state.
    ///
    /// # Errors
    /// A tensor is missing or has another size: the state belongs to another model.
    pub fn restore(&mut self, state: &HashMap<String, Tensor>, step: u64) -> Result<()> {
        let find = |kind: &str, name: &str, length: usize| {
            let Some(tensor) = state.get(&format!("{kind}:{name}")) else {
                bail!("checkpoint: `{kind}:{name}` is missing");
            };
            let values = flat(tensor)?;
            if values.len() != length {
                bail!("checkpoint: `{kind}:{name}`: expected {length} values, got {}", values.len());
            }
            Ok(values)
        };
        for (name, var) in &self.vars {
            let length = var.elem_count();
            set(var, find("weight", name, length)?)?;
            let moments = Moments {
                mean: find("mean", name, length)?,
                square: find("square", name, length)?,
                average: find("average", name, length)?,
            };
            self.moments.insert(name.clone(), moments);
        }
        self.step = step;
        Ok(())
    }
}

fn set(var: &Var, values: Vec<f32>) -> Result<()> {
    var.set(&Tensor::from_vec(values, var.shape(), var.device())?)
}
