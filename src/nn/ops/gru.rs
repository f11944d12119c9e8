//! The recurrence of a GRU over a whole sequence as one operation.
//!
//! One node of the graph for all steps: a node for each operation of each step would make backward passes slow, and
//! candle walks its graph recursively, so that long phrases would exhaust the stack.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail};

use super::gate::{sigmoid, tanh};
use super::{values, with_values};

/// Runs a GRU over `gates [batch, time, 3 × hidden]`, the inputs' part of reset gate, update gate and candidate with
/// its bias, from `initial [batch, hidden]`, to its states `[batch, time, hidden]`.
///
/// `recurrent [hidden + 1, 3 × hidden]` holds the transposed recurrent weights and, as its last row, their bias. With
/// `reverse`, time runs backwards: the state at row t has seen the rows from t on.
///
/// # Errors
/// The shapes do not fit.
pub fn gru(gates: &Tensor, recurrent: &Tensor, initial: &Tensor, reverse: bool) -> Result<Tensor> {
    let (batch, time, width) = gates.dims3()?;
    let hidden = initial.dim(1)?;
    if width != 3 * hidden || recurrent.dims() != [hidden + 1, width] || initial.dim(0)? != batch || time == 0
    {
        bail!(
            "gru: gates {:?}, recurrent weights {:?} and initial state {:?} do not fit",
            gates.dims(),
            recurrent.dims(),
            initial.dims()
        );
    }
    if super::fused(gates) {
        let (recurrent, initial) = (recurrent.contiguous()?, initial.contiguous()?);
        return gates.contiguous()?.apply_op3(&recurrent, &initial, Gru { reverse });
    }
    let (weight, bias) = (recurrent.narrow(0, 0, hidden)?, recurrent.narrow(0, hidden, 1)?);
    let mut state = initial.clone();
    let mut states = Vec::with_capacity(time);
    for step in 0..time {
        let row = gates.narrow(1, if reverse { time - 1 - step } else { step }, 1)?.squeeze(1)?;
        let from_state = state.matmul(&weight)?.broadcast_add(&bias)?;
        let part = |t: &Tensor, i: usize| t.narrow(1, i * hidden, hidden)?.contiguous();
        let gate =
            |i: usize| (part(&row, i)? + part(&from_state, i)?)?.affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5);
        let candidate = (part(&row, 2)? + (gate(0)? * part(&from_state, 2)?)?)?.tanh()?;
        state = (&candidate + (gate(1)? * (state - &candidate)?)?)?;
        states.push(state.clone());
    }
    if reverse {
        states.reverse();
    }
    Tensor::stack(&states, 1)
}

struct Gru {
    reverse: bool,
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    time: usize,
    hidden: usize,
}

impl Sizes {
    fn of(gates: &Shape) -> Result<Self> {
        let (batch, time, width) = gates.dims3()?;
        Ok(Self { batch, time, hidden: width / 3 })
    }
}

/// `left [rows, inner]` times `right`, which `layout` describes as `[inner, columns]`; takes and gives row-major values.
fn product(left: Vec<f32>, rows: usize, right: &CpuStorage, layout: &Layout) -> Result<Vec<f32>> {
    let (inner, columns) = layout.shape().dims2()?;
    let left = CpuStorage::F32(left);
    match left.matmul(right, (1, rows, columns, inner), &Layout::contiguous((rows, inner)), layout)? {
        CpuStorage::F32(values) => Ok(values),
        _ => bail!("gru: expected f32"),
    }
}

vectorized! {
    /// One row of the recurrence: `recurrent` is the state's part without its bias, `state` is moved on.
    fn advance(gates: &[f32], recurrent: &[f32], bias: &[f32], state: &mut [f32]) -> () {
        let hidden = state.len();
        let (gates, recurrent, bias) = (&gates[..3 * hidden], &recurrent[..3 * hidden], &bias[..3 * hidden]);
        for i in 0..hidden {
            let (u, n) = (i + hidden, i + 2 * hidden);
            let reset = sigmoid(gates[i] + recurrent[i] + bias[i]);
            let update = sigmoid(gates[u] + recurrent[u] + bias[u]);
            let candidate = tanh(gates[n] + reset * (recurrent[n] + bias[n]));
            state[i] = candidate + update * (state[i] - candidate);
        }
    }
}

/// The values of one row of the recurrence, for its gradient.
struct Row<'a> {
    gates: &'a [f32],
    /// The state's part, with its bias.
    recurrent: &'a [f32],
    /// The state before the row.
    before: &'a [f32],
}

vectorized! {
    /// Takes `slope`, the gradient of the state after a row; leaves in it the part that goes past the gates to the state
    /// before. Writes the gradients of the row's gates, and of the state's part.
    fn retreat(row: &Row<'_>, slope: &mut [f32], d_gates: &mut [f32], d_recurrent: &mut [f32]) -> () {
        let hidden = slope.len();
        let (gates, recurrent) = (&row.gates[..3 * hidden], &row.recurrent[..3 * hidden]);
        let (d_gates, d_recurrent) = (&mut d_gates[..3 * hidden], &mut d_recurrent[..3 * hidden]);
        let before = &row.before[..hidden];
        for i in 0..hidden {
            let (u, n) = (i + hidden, i + 2 * hidden);
            let reset = sigmoid(gates[i] + recurrent[i]);
            let update = sigmoid(gates[u] + recurrent[u]);
            let candidate = tanh(gates[n] + reset * recurrent[n]);
            let d_candidate = slope[i] * (1.0 - update) * (1.0 - candidate * candidate);
            let d_reset = d_candidate * recurrent[n] * reset * (1.0 - reset);
            let d_update = slope[i] * (before[i] - candidate) * update * (1.0 - update);
            d_gates[i] = d_reset;
            d_gates[u] = d_update;
            d_gates[n] = d_candidate;
            d_recurrent[i] = d_reset;
            d_recurrent[u] = d_update;
            d_recurrent[n] = d_candidate * reset;
            slope[i] *= update;
        }
    }
}

impl Gru {
    /// The row that is visited at `step`.
    fn row(&self, step: usize, time: usize) -> usize {
        if self.reverse { time - 1 - step } else { step }
    }

    /// The states before each row, `[batch, time, hidden]`.
    fn befores(&self, sizes: Sizes, states: &[f32], initial: &[f32]) -> Vec<f32> {
        let Sizes { batch, time, hidden } = sizes;
        let mut befores = Vec::with_capacity(states.len());
        for sample in 0..batch {
            let first = &initial[sample * hidden..(sample + 1) * hidden];
            let states = &states[sample * time * hidden..(sample + 1) * time * hidden];
            if self.reverse {
                befores.extend_from_slice(&states[hidden..]);
                befores.extend_from_slice(first);
            } else {
                befores.extend_from_slice(first);
                befores.extend_from_slice(&states[..(time - 1) * hidden]);
            }
        }
        befores
    }
}

impl CustomOp3 for Gru {
    fn name(&self) -> &'static str {
        "gru"
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
        let gates = values(self.name(), s1, l1)?;
        let bias = values(self.name(), s2, l2)?;
        let mut state = values(self.name(), s3, l3)?.to_vec();
        let Sizes { batch, time, hidden } = Sizes::of(l1.shape())?;
        let (weight, bias) = (l2.narrow(0, 0, hidden)?, &bias[hidden * 3 * hidden..]);
        let mut states = vec![0f32; batch * time * hidden];
        for step in 0..time {
            let recurrent = product(state.clone(), batch, s2, &weight)?;
            let row = self.row(step, time);
            for sample in 0..batch {
                let at = sample * time + row;
                let state = &mut state[sample * hidden..(sample + 1) * hidden];
                let recurrent = &recurrent[sample * 3 * hidden..];
                advance(&gates[at * 3 * hidden..], recurrent, bias, state);
                states[at * hidden..(at + 1) * hidden].copy_from_slice(state);
            }
        }
        Ok((CpuStorage::F32(states), Shape::from((batch, time, hidden))))
    }

    fn bwd(
        &self,
        gates: &Tensor,
        recurrent: &Tensor,
        initial: &Tensor,
        states: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let op = self.name();
        let sizes = Sizes::of(gates.shape())?;
        let Sizes { batch, time, hidden } = sizes;
        let device = gates.device();
        let befores = with_values(op, states, |states| {
            with_values(op, initial, |initial| self.befores(sizes, states, initial))
        })??;
        let befores = Tensor::from_vec(befores, (batch * time, hidden), device)?;
        let weight = recurrent.detach().narrow(0, 0, hidden)?;
        // All rows' recurrent parts at once; only their gradient has to go step by step.
        let parts = befores.matmul(&weight)?.broadcast_add(&recurrent.detach().narrow(0, hidden, 1)?)?;
        let grad = grad.contiguous()?;
        let (d_gates, d_parts, d_initial) = with_values(op, gates, |gates| {
            with_values(op, &parts, |parts| {
                with_values(op, &befores, |befores| {
                    with_values(op, &grad, |grad| {
                        self.backward(sizes, &weight, Series { gates, parts, befores, grad })
                    })
                })
            })
        })?????;
        let d_parts = Tensor::from_vec(d_parts, (batch * time, 3 * hidden), device)?;
        let d_weight = befores.t()?.matmul(&d_parts)?;
        let d_bias = d_parts.sum_keepdim(0)?;
        Ok((
            Some(Tensor::from_vec(d_gates, gates.shape(), device)?),
            Some(Tensor::cat(&[d_weight, d_bias], 0)?),
            Some(Tensor::from_vec(d_initial, initial.shape(), device)?),
        ))
    }
}

/// Values of all rows of all sequences.
struct Series<'a> {
    gates: &'a [f32],
    parts: &'a [f32],
    befores: &'a [f32],
    grad: &'a [f32],
}

impl Gru {
    /// Gradients of gates, recurrent parts and initial state.
    fn backward(
        &self,
        sizes: Sizes,
        weight: &Tensor,
        series: Series<'_>,
    ) -> Result<(Vec<f32>, Vec<f32>, Vec<f32>)> {
        let Sizes { batch, time, hidden } = sizes;
        let wide = 3 * hidden;
        let (storage, layout) = weight.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { bail!("gru: expected a tensor on the cpu") };
        let transposed = layout.transpose(0, 1)?;
        let mut d_gates = vec![0f32; series.gates.len()];
        let mut d_parts = vec![0f32; series.parts.len()];
        let mut slope = vec![0f32; batch * hidden];
        for step in (0..time).rev() {
            let row = self.row(step, time);
            let mut d_step = vec![0f32; batch * wide];
            for sample in 0..batch {
                let at = sample * time + row;
                let slope = &mut slope[sample * hidden..(sample + 1) * hidden];
                let narrow = at * hidden..(at + 1) * hidden;
                let range = at * wide..(at + 1) * wide;
                slope.iter_mut().zip(&series.grad[narrow.clone()]).for_each(|(s, g)| *s += g);
                let row = Row {
                    gates: &series.gates[range.clone()],
                    recurrent: &series.parts[range.clone()],
                    before: &series.befores[narrow],
                };
                let d_part = &mut d_step[sample * wide..(sample + 1) * wide];
                retreat(&row, slope, &mut d_gates[range.clone()], d_part);
                d_parts[range].copy_from_slice(d_part);
            }
            let through = product(d_step, batch, storage, &transposed)?;
            slope.iter_mut().zip(&through).for_each(|(s, t)| *s += t);
        }
        Ok((d_gates, d_parts, slope))
    }
}
