//! Gated recurrent unit ([Cho et al. 2014](https://arxiv.org/abs/1406.1078)) in the form, gate order (reset, update,
//! candidate) and names of PyTorch.

use candle_core::{Result, Tensor, bail};

use super::{Init, Linear, Params, ops};

/// A GRU of one layer, in one direction or both: `[batch, time, inputs]` to `[batch, time, directions × hidden]`.
#[derive(Clone)]
pub struct Gru {
    directions: Vec<Direction>,
    hidden: usize,
}

/// In which order a GRU reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// From the first row to the last.
    Forward,
    /// Both ways; the outputs of the way forward stand before those of the way back.
    BothWays,
}

#[derive(Clone)]
struct Direction {
    input: Linear,
    recurrent: Recurrent,
    reverse: bool,
}

/// What a GRU gives for a sequence.
pub struct GruOutput {
    /// `[batch, time, directions × hidden]`.
    pub states: Tensor,
    /// The state after the last row read, `[directions, batch, hidden]`.
    pub last: Tensor,
}

/// Recurrent weights as the recurrence wants them, `[hidden + 1, 3 × hidden]`, or what they are made of.
#[derive(Clone)]
enum Recurrent {
    Ready(Tensor),
    /// Trainable: `[3 × hidden, hidden]` and `[3 × hidden]`, joined anew on each pass.
    Parts {
        weight: Tensor,
        bias: Tensor,
    },
}

impl Recurrent {
    fn new(weight: Tensor, bias: Tensor) -> Result<Self> {
        if weight.track_op() || bias.track_op() {
            return Ok(Self::Parts { weight, bias });
        }
        Ok(Self::Ready(join(&weight, &bias)?))
    }

    fn tensor(&self) -> Result<Tensor> {
        match self {
            Self::Ready(tensor) => Ok(tensor.clone()),
            Self::Parts { weight, bias } => join(weight, bias),
        }
    }
}

fn join(weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    Tensor::cat(&[&weight.t()?, &bias.unsqueeze(0)?], 0)
}

impl Direction {
    fn new(inputs: usize, hidden: usize, reverse: bool, params: &Params) -> Result<Self> {
        let name = |part: &str| format!("{part}_l0{}", if reverse { "_reverse" } else { "" });
        let init = Init::fan_in(hidden);
        let tensor = |part: &str, shape: &[usize]| params.tensor(&name(part), shape, init);
        let weight = params.weight(&name("weight_ih"), 3 * hidden, inputs, init)?;
        Ok(Self {
            input: Linear::from_parts(weight, Some(tensor("bias_ih", &[3 * hidden])?)),
            recurrent: Recurrent::new(
                tensor("weight_hh", &[3 * hidden, hidden])?,
                tensor("bias_hh", &[3 * hidden])?,
            )?,
            reverse,
        })
    }

    /// `[batch, time, inputs]` and the state before `[batch, hidden]` to states `[batch, time, hidden]`.
    fn forward(&self, xs: &Tensor, before: &Tensor) -> Result<Tensor> {
        ops::gru(&self.input.forward(xs)?, &self.recurrent.tensor()?, before, self.reverse)
    }

    /// The state after the last row read, `[batch, hidden]`.
    fn last(&self, states: &Tensor) -> Result<Tensor> {
        let row = if self.reverse { 0 } else { states.dim(1)? - 1 };
        states.narrow(1, row, 1)?.squeeze(1)?.contiguous()
    }
}

impl Gru {
    /// Takes `weight_ih_l0 [3 × hidden, inputs]`, `weight_hh_l0 [3 × hidden, hidden]`, `bias_ih_l0` and `bias_hh_l0`
    /// `[3 × hidden]`, and the same with `_reverse` for the way back.
    ///
    /// # Errors
    /// A stored tensor is missing or has another shape.
    pub fn new(inputs: usize, hidden: usize, reading: Reading, params: &Params) -> Result<Self> {
        let mut directions = vec![Direction::new(inputs, hidden, false, params)?];
        if reading == Reading::BothWays {
            directions.push(Direction::new(inputs, hidden, true, params)?);
        }
        Ok(Self { directions, hidden })
    }

    /// Reads `xs [batch, time, inputs]` from `initial [directions, batch, hidden]`, or from zeros.
    ///
    /// # Errors
    /// Shapes differ, or there are no rows.
    pub fn forward(&self, xs: &Tensor, initial: Option<&Tensor>) -> Result<GruOutput> {
        let batch = xs.dim(0)?;
        let expected = [self.directions.len(), batch, self.hidden];
        if let Some(initial) = initial
            && initial.dims() != expected
        {
            bail!("gru: expected an initial state {expected:?}, got {:?}", initial.dims());
        }
        let (mut states, mut last) = (Vec::new(), Vec::new());
        for (i, direction) in self.directions.iter().enumerate() {
            let before = match initial {
                Some(initial) => initial.get(i)?,
                None => self.zero_state(batch, xs)?,
            };
            let ys = direction.forward(xs, &before)?;
            last.push(direction.last(&ys)?);
            states.push(ys);
        }
        Ok(GruOutput { states: Tensor::cat(&states, 2)?, last: Tensor::stack(&last, 0)? })
    }

    /// Continues a stream: `state [batch, hidden]` is the one after the rows before `xs`, and is moved on. A fresh stream
    /// starts from [`Gru::zero_state`].
    ///
    /// # Errors
    /// Shapes differ, or the GRU reads both ways.
    pub fn step(&self, xs: &Tensor, state: &mut Tensor) -> Result<Tensor> {
        let [direction] = self.directions.as_slice() else {
            bail!("gru: only one that reads forward has steps");
        };
        let states = direction.forward(xs, state)?;
        *state = direction.last(&states)?;
        Ok(states)
    }

    /// The state of one direction that has seen nothing: `[batch, hidden]` of zeros.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn zero_state(&self, batch: usize, like: &Tensor) -> Result<Tensor> {
        Tensor::zeros((batch, self.hidden), like.dtype(), like.device())
    }
}
