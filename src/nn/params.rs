//! Where a model's tensors come from: fresh and trainable, or stored (float or quantised).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Result, Shape, Tensor, Var, bail};

use super::{Stored, Weight};
use crate::random::SplitMix;

/// How a fresh parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All zeros.
    Zeros,
    /// All ones.
    Ones,
    /// Uniform in ± the bound.
    Uniform(f32),
    /// Normal with this standard deviation.
    Normal(f32),
    /// A square permutation that puts even channels before odd ones.
    EvenBeforeOdd,
    /// A square permutation that swaps the halves.
    SwapHalves,
}

impl Init {
    /// The usual start of a weight that sums `inputs` values: uniform in ±1/√inputs.
    pub fn fan_in(inputs: usize) -> Self {
        Init::Uniform(1.0 / (inputs.max(1) as f32).sqrt())
    }
}

enum Source {
    /// Variables, made on first use; `preset` holds values that replace the random start.
    /// `constants` are told apart, because nothing is to move them.
    Fresh {
        vars: Mutex<BTreeMap<String, Var>>,
        constants: Mutex<BTreeMap<String, Tensor>>,
        preset: HashMap<String, Tensor>,
        /// Branches that are trained; all of them if `None`.
        open: Option<Vec<String>>,
        seed: u64,
    },
    /// Stored tensors; `used` finds what a voice holds in vain.
    Stored { tensors: HashMap<String, Stored>, used: Mutex<BTreeSet<String>> },
    /// Float tensors, as read from a checkpoint.
    Float { tensors: HashMap<String, Tensor> },
}

/// A named tree of parameters; models take what they need by path.
///
/// Cloning is cheap and shares the parameters.
#[derive(Clone)]
pub struct Params {
    source: Arc<Source>,
    prefix: String,
    device: Device,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned map is still a map: the panic that poisoned it is reported where it happened.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Params {
    /// Trainable parameters. Those named in `preset` start there, the others at random, by `seed` and name alone:
    /// adding a layer leaves the start of the others unchanged.
    pub fn trainable(seed: u64, preset: HashMap<String, Tensor>, device: &Device) -> Self {
        Self::fresh(preset, None, (seed, device))
    }

    /// Parameters of a trained model, `preset`, of which only the branches in `open` are variables: a tensor of this name or
    /// below it (`mel_head`, `decoder.4`). The others stay what they are, and no gradient is computed for them.
    pub fn partly_trainable(preset: HashMap<String, Tensor>, open: &[String], device: &Device) -> Self {
        Self::fresh(preset, Some(open.to_vec()), (0, device))
    }

    fn fresh(
        preset: HashMap<String, Tensor>,
        open: Option<Vec<String>>,
        (seed, device): (u64, &Device),
    ) -> Self {
        let (vars, constants) = (Mutex::default(), Mutex::default());
        Self::new(Source::Fresh { vars, constants, preset, open, seed }, device)
    }

    /// Stored parameters, each in the precision in which it was stored.
    pub fn stored(tensors: HashMap<String, Stored>, device: &Device) -> Self {
        Self::new(Source::Stored { tensors, used: Mutex::default() }, device)
    }

    /// Float parameters that are not trained.
    pub fn float(tensors: HashMap<String, Tensor>, device: &Device) -> Self {
        Self::new(Source::Float { tensors }, device)
    }

    fn new(source: Source, device: &Device) -> Self {
        Self { source: Arc::new(source), prefix: String::new(), device: device.clone() }
    }

    /// The device on which the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The same parameters for a model on another device.
    pub fn on(&self, device: &Device) -> Self {
        Self { device: device.clone(), ..self.clone() }
    }

    /// The precision in which a parameter is stored in a voice.
    pub fn stored_dtype(&self, name: &str) -> Option<GgmlDType> {
        match self.source.as_ref() {
            Source::Stored { tensors, .. } => tensors.get(&self.path(name)).map(Stored::dtype),
            _ => None,
        }
    }

    /// Whether these are variables, to be moved by an optimizer.
    pub fn is_trainable(&self) -> bool {
        matches!(self.source.as_ref(), Source::Fresh { .. })
    }

    /// The branch called `name`.
    pub fn pp(&self, name: impl std::fmt::Display) -> Self {
        Self { prefix: self.path(&name.to_string()), ..self.clone() }
    }

    fn path(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) }
    }

    /// Whether a stored parameter of this name exists; `false` for fresh ones that nobody asked for yet.
    pub fn contains(&self, name: &str) -> bool {
        let path = self.path(name);
        match self.source.as_ref() {
            Source::Fresh { vars, preset, .. } => {
                preset.contains_key(&path) || lock(vars).contains_key(&path)
            }
            Source::Stored { tensors, .. } => tensors.contains_key(&path),
            Source::Float { tensors } => tensors.contains_key(&path),
        }
    }

    /// The shape of a stored parameter, if there is one.
    pub fn shape_of(&self, name: &str) -> Option<Shape> {
        let path = self.path(name);
        match self.source.as_ref() {
            Source::Fresh { vars, preset, .. } => preset
                .get(&path)
                .map(|t| t.shape().clone())
                .or_else(|| lock(vars).get(&path).map(|v| v.shape().clone())),
            Source::Stored { tensors, .. } => tensors.get(&path).map(|t| t.shape().clone()),
            Source::Float { tensors } => tensors.get(&path).map(|t| t.shape().clone()),
        }
    }

    /// A float tensor of this shape, contiguous.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn tensor(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Tensor> {
        let (path, shape) = (self.path(name), shape.into());
        let tensor = match self.source.as_ref() {
            Source::Fresh { preset, open: Some(open), .. } if !is_below(&path, open) => {
                match preset.get(&path) {
                    None => bail!("tensor `{path}` is missing"),
                    Some(tensor) => tensor.to_device(&self.device)?.contiguous()?,
                }
            }
            Source::Fresh { vars, preset, seed, .. } => {
                let mut vars = lock(vars);
                if let Some(var) = vars.get(&path) {
                    var.as_tensor().clone()
                } else {
                    let start = match preset.get(&path) {
                        Some(tensor) => tensor.to_device(&self.device)?.contiguous()?,
                        None => fresh(*seed, &path, &shape, init)?.to_device(&self.device)?,
                    };
                    let var = Var::from_tensor(&start)?;
                    let tensor = var.as_tensor().clone();
                    vars.insert(path.clone(), var);
                    tensor
                }
            }
            Source::Stored { tensors, used } => match tensors.get(&path) {
                None => bail!("tensor `{path}` is missing"),
                Some(tensor) => {
                    lock(used).insert(path.clone());
                    check_shape(&path, tensor.shape(), &shape)?;
                    tensor.dequantize(&self.device)?
                }
            },
            Source::Float { tensors } => match tensors.get(&path) {
                None => bail!("tensor `{path}` is missing"),
                Some(tensor) => tensor.to_device(&self.device)?.contiguous()?,
            },
        };
        check_shape(&path, tensor.shape(), &shape)?;
        Ok(tensor)
    }

    /// A float tensor that belongs to the model but is not trained, such as a mean of the training speech: as
    /// [`Params::tensor`], but never among [`Params::vars`]. It stays as it is but for [`Params::set_constant`].
    ///
    /// # Errors
    /// As [`Params::tensor`].
    pub fn constant(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Tensor> {
        let Source::Fresh { constants, preset, seed, .. } = self.source.as_ref() else {
            return self.tensor(name, shape, init);
        };
        let (path, shape) = (self.path(name), shape.into());
        let mut constants = lock(constants);
        let tensor = match constants.get(&path).or_else(|| preset.get(&path)) {
            Some(tensor) => tensor.contiguous()?,
            None => fresh(*seed, &path, &shape, init)?,
        };
        check_shape(&path, tensor.shape(), &shape)?;
        let tensor = tensor.to_device(&self.device)?;
        constants.insert(path, tensor.clone());
        Ok(tensor)
    }

    /// Replaces a constant, such as a running average.
    ///
    /// # Errors
    /// The parameters are stored ones, or nobody has asked for such a constant of this shape.
    pub fn set_constant(&self, name: &str, value: &Tensor) -> Result<()> {
        let path = self.path(name);
        let Source::Fresh { constants, .. } = self.source.as_ref() else {
            bail!("tensor `{path}`: stored parameters do not change");
        };
        match lock(constants).get_mut(&path) {
            None => bail!("tensor `{path}` is not a constant of this model"),
            Some(old) => {
                check_shape(&path, value.shape(), old.shape())?;
                *old = value.detach();
                Ok(())
            }
        }
    }

    /// The constants asked for so far, by path; empty for stored parameters.
    pub fn constants(&self) -> BTreeMap<String, Tensor> {
        match self.source.as_ref() {
            Source::Fresh { constants, .. } => lock(constants).clone(),
            _ => BTreeMap::new(),
        }
    }

    /// A weight `[outputs, inputs]`, in the precision in which it is stored.
    ///
    /// # Errors
    /// As [`Params::tensor`].
    pub fn weight(&self, name: &str, outputs: usize, inputs: usize, init: Init) -> Result<Weight> {
        let path = self.path(name);
        if let Source::Stored { tensors, used } = self.source.as_ref()
            && let Some(tensor) = tensors.get(&path)
            && tensor.dtype().block_size() > 1
        {
            lock(used).insert(path.clone());
            check_shape(&path, tensor.shape(), &Shape::from((outputs, inputs)))?;
            return Weight::quantized(tensor, &self.device);
        }
        Ok(Weight::Float(self.tensor(name, (outputs, inputs), init)?))
    }

    /// The trainable variables made so far, by path; empty for stored parameters.
    pub fn vars(&self) -> BTreeMap<String, Var> {
        match self.source.as_ref() {
            Source::Fresh { vars, .. } => lock(vars).clone(),
            _ => BTreeMap::new(),
        }
    }

    /// Stored tensors that no model has asked for.
    pub fn unused(&self) -> Vec<String> {
        match self.source.as_ref() {
            Source::Stored { tensors, used } => {
                let used = lock(used);
                let mut rest: Vec<_> = tensors.keys().filter(|k| !used.contains(*k)).cloned().collect();
                rest.sort();
                rest
            }
            _ => Vec::new(),
        }
    }
}

/// Whether `path` is one of `branches` or on one of them.
fn is_below(path: &str, branches: &[String]) -> bool {
    let on = |branch: &String| {
        path.strip_prefix(branch.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    branches.iter().any(on)
}

fn check_shape(path: &str, got: &Shape, expected: &Shape) -> Result<()> {
    if got != expected {
        bail!("tensor `{path}`: expected shape {:?}, got {:?}", expected.dims(), got.dims());
    }
    Ok(())
}

fn fresh(seed: u64, path: &str, shape: &Shape, init: Init) -> Result<Tensor> {
    let device = Device::Cpu;
    let mut random = Draws(SplitMix::new(seed ^ fnv1a(path)));
    let count = shape.elem_count();
    let values: Vec<f32> = match init {
        Init::Zeros => vec![0.0; count],
        Init::Ones => vec![1.0; count],
        Init::Uniform(bound) => (0..count).map(|_| (2.0 * random.unit() - 1.0) * bound).collect(),
        Init::Normal(deviation) => (0..count).map(|_| random.normal() * deviation).collect(),
        Init::EvenBeforeOdd => {
            let half = |n: usize| n.div_ceil(2);
            permutation(shape, |row, n| if row < half(n) { 2 * row } else { 2 * (row - half(n)) + 1 })?
        }
        Init::SwapHalves => permutation(shape, |row, n| (row + n / 2) % n)?,
    };
    Tensor::from_vec(values, shape, &device)
}

/// A matrix whose row `i` is 1 at column `column_of(i, size)`.
fn permutation(shape: &Shape, column_of: impl Fn(usize, usize) -> usize) -> Result<Vec<f32>> {
    let (rows, columns) = shape.dims2()?;
    if rows != columns {
        bail!("permutation: expected a square matrix, got {rows} × {columns}");
    }
    let mut values = vec![0.0; rows * rows];
    for row in 0..rows {
        values[row * rows + column_of(row, rows)] = 1.0;
    }
    Ok(values)
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Starting values.
struct Draws(SplitMix);

impl Draws {
    /// In (0, 1).
    fn unit(&mut self) -> f32 {
        ((self.0.bits() >> 40) as f32 + 0.5) / (1u64 << 24) as f32
    }

    /// Box and Muller.
    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }
}
