//! A gated layer of floats. Its convolution saves half of the multiplications ([`winograd`]).

use candle_core::{Result, Tensor, bail};

use super::{Chunk, Layer, Part, Sequence};
use crate::nn::ops::{sigmoid, tanh, vectorized};
use crate::nn::panels::{self, Panels, Rows};
use crate::nn::{Linear, Weight, winograd};

pub(super) use crate::nn::panels::LANES;

/// Both halves of a gate for one panel of channels, side by side.
const PAIR: usize = 2 * LANES;
/// Rows of a chunk, if the dilation does not ask for more: enough to read weights for, few enough for the cache.
const CHUNK_ROWS: usize = 256;
/// Of a chunk with a large dilation; convolutions that reach further are not split into tiles.
const MOST_CHUNK_ROWS: usize = 1024;

/// One layer.
pub(super) struct FloatLayer {
    channels: usize,
    conditioning: usize,
    dilation: usize,
    taps: Taps,
    /// Of the conditioning: to both halves of the gate.
    condition: Panels,
    /// Of convolution and conditioning together.
    gate_bias: Vec<f32>,
    /// To residual and skip; to the skip alone in the last layer.
    res_skip: Panels,
    res_skip_bias: Vec<f32>,
}

/// The convolution's weights.
enum Taps {
    /// A matrix for each tap.
    Plain(Vec<Panels>),
    /// A matrix for each product of a tile of four outputs.
    Tiled(Vec<Panels>),
}

/// What a thread needs besides.
#[derive(Default)]
pub(super) struct Scratch {
    /// `[6, tiles, channels]`
    points: Vec<f32>,
    /// `[6, tiles, 32]`
    products: Vec<f32>,
    /// `[rows, 32]`
    gates: Vec<f32>,
    /// `[rows, channels]`
    acts: Vec<f32>,
    /// `[rows, 16]`
    out: Vec<f32>,
    /// The first row of each tile.
    tiles: Vec<usize>,
}

/// The values of a layer's weight and bias.
fn values(linear: &Linear) -> Result<(Vec<f32>, Vec<f32>)> {
    let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    match (linear.weight(), linear.bias()) {
        (Weight::Float(weight), Some(bias)) => Ok((flat(weight)?, flat(bias)?)),
        _ => bail!("gated layers: expected floats and a bias"),
    }
}

fn pack(weight: &[f32], outputs: usize) -> Panels {
    let inputs = weight.len() / outputs;
    Panels::new(Rows { values: weight, stride: inputs }, outputs, inputs)
}

impl FloatLayer {
    pub fn pack(part: Part<'_>) -> Result<Self> {
        let (kernel, dilation) = (part.conv.config().kernel, part.conv.config().dilation);
        let (taps, conv_bias) = values(part.conv.linear())?;
        let (condition, condition_bias) = values(part.condition)?;
        let (res_skip, res_skip_bias) = values(part.res_skip)?;
        let outputs = conv_bias.len();
        let channels = outputs / 2;
        let width = kernel * channels;
        let is_tiled = kernel == 3 && winograd::OUTPUTS * dilation <= MOST_CHUNK_ROWS;
        let taps = if is_tiled {
            let mut points = vec![vec![0f32; outputs * channels]; winograd::POINTS];
            for at in 0..outputs * channels {
                let tap = |tap: usize| taps[at / channels * width + tap * channels + at % channels];
                let products = winograd::taps([tap(0), tap(1), tap(2)]);
                points.iter_mut().zip(products).for_each(|(point, weight)| point[at] = weight);
            }
            Taps::Tiled(points.iter().map(|point| pack(point, outputs)).collect())
        } else {
            let tap = |i: usize| Rows { values: &taps[i * channels..], stride: width };
            Taps::Plain((0..kernel).map(|i| Panels::new(tap(i), outputs, channels)).collect())
        };
        Ok(Self {
            channels,
            conditioning: condition.len() / outputs,
            dilation,
            taps,
            condition: pack(&condition, outputs),
            gate_bias: conv_bias.iter().zip(&condition_bias).map(|(a, b)| a + b).collect(),
            res_skip: pack(&res_skip, res_skip_bias.len()),
            res_skip_bias,
        })
    }

    /// Terms of the conditioning alone.
    fn condition_rows<'a>(&self, sequence: Sequence<'a>, first: usize) -> Rows<'a> {
        Rows { values: &sequence.conditioning[first * self.conditioning..], stride: self.conditioning }
    }

    /// The bias of one panel of both halves of the gate.
    fn pair_bias(&self, panel: usize) -> [f32; PAIR] {
        let mut bias = [0f32; PAIR];
        let (content, gate) = bias.split_at_mut(LANES);
        content.copy_from_slice(&self.gate_bias[panel * LANES..][..LANES]);
        gate.copy_from_slice(&self.gate_bias[self.channels + panel * LANES..][..LANES]);
        bias
    }

    fn plain_gates(
        &self,
        taps: &[Panels],
        sequence: Sequence<'_>,
        (first, rows): (usize, usize),
        scratch: &mut Scratch,
    ) {
        let Scratch { gates, acts, .. } = scratch;
        let half = self.channels / LANES;
        let top = sequence.border + first - taps.len() / 2 * self.dilation;
        let shifted = |tap: usize| Rows {
            values: &sequence.xs[(top + tap * self.dilation) * self.channels..],
            stride: self.channels,
        };
        let mut terms: Vec<_> = taps.iter().enumerate().map(|(i, tap)| (tap, shifted(i))).collect();
        terms.push((&self.condition, self.condition_rows(sequence, first)));
        gates.resize(rows * PAIR, 0.0);
        for panel in 0..half {
            panels::multiply(&terms, panel, gates, PAIR, rows);
            panels::multiply(&terms, half + panel, &mut gates[LANES..], PAIR, rows);
            gate_rows(gates, &self.pair_bias(panel), &mut acts[panel * LANES..], self.channels);
        }
    }

    fn tiled_gates(
        &self,
        points: &[Panels],
        sequence: Sequence<'_>,
        (first, rows): (usize, usize),
        scratch: &mut Scratch,
    ) {
        let Scratch { points: inputs, products, gates, acts, tiles, .. } = scratch;
        let (channels, dilation) = (self.channels, self.dilation);
        tiles.clear();
        let block = winograd::OUTPUTS * dilation;
        tiles.extend((0..rows).filter(|row| row % block < dilation));
        let pitch = tiles.len() * channels;
        inputs.resize(winograd::POINTS * pitch, 0.0);
        let top = sequence.border + first - dilation;
        for (i, tile) in tiles.iter().enumerate() {
            let step = dilation * channels;
            winograd::inputs(
                sequence.xs,
                (top + tile) * channels,
                step,
                &mut inputs[i * channels..],
                pitch,
                channels,
            );
        }
        gates.resize(rows * PAIR, 0.0);
        products.resize(winograd::POINTS * tiles.len() * PAIR, 0.0);
        let half = channels / LANES;
        let condition = [(&self.condition, self.condition_rows(sequence, first))];
        for panel in 0..half {
            for (halves, to) in [(panel, 0), (half + panel, LANES)] {
                panels::multiply(&condition, halves, &mut gates[to..], PAIR, rows);
                for (point, products) in products.chunks_exact_mut(tiles.len() * PAIR).enumerate() {
                    let rows = Rows { values: &inputs[point * pitch..], stride: channels };
                    panels::multiply(
                        &[(&points[point], rows)],
                        halves,
                        &mut products[to..],
                        PAIR,
                        tiles.len(),
                    );
                }
            }
            add_tiles(products, tiles, dilation, gates);
            gate_rows(gates, &self.pair_bias(panel), &mut acts[panel * LANES..], channels);
        }
    }
}

impl Layer for FloatLayer {
    type Scratch = Scratch;

    fn reach(&self) -> usize {
        match &self.taps {
            Taps::Plain(taps) => taps.len() / 2 * self.dilation,
            // A tile that begins at the last row.
            Taps::Tiled(_) => (winograd::POINTS - 1) * self.dilation,
        }
    }

    fn chunk_rows(&self) -> usize {
        match &self.taps {
            Taps::Plain(_) => CHUNK_ROWS,
            // Whole tiles.
            Taps::Tiled(_) => CHUNK_ROWS.next_multiple_of(winograd::OUTPUTS * self.dilation),
        }
    }

    fn advance(&self, sequence: Sequence<'_>, chunk: Chunk<'_>, scratch: &mut Scratch) {
        let rows = chunk.next.len() / self.channels;
        scratch.acts.resize(rows * self.channels, 0.0);
        match &self.taps {
            Taps::Plain(taps) => self.plain_gates(taps, sequence, (chunk.first, rows), scratch),
            Taps::Tiled(points) => self.tiled_gates(points, sequence, (chunk.first, rows), scratch),
        }
        let channels = self.channels;
        let acts = Rows { values: &scratch.acts, stride: channels };
        let xs = &sequence.xs[(sequence.border + chunk.first) * channels..][..rows * channels];
        scratch.out.resize(rows * LANES, 0.0);
        // The last layer has no residual.
        let residual_panels = self.res_skip.count() - channels / LANES;
        for panel in 0..self.res_skip.count() {
            panels::multiply(&[(&self.res_skip, acts)], panel, &mut scratch.out, LANES, rows);
            let bias = &self.res_skip_bias[panel * LANES..][..LANES];
            if panel < residual_panels {
                add_residual(
                    &scratch.out,
                    bias,
                    &xs[panel * LANES..],
                    &mut chunk.next[panel * LANES..],
                    channels,
                );
            } else {
                let at = (panel - residual_panels) * LANES;
                add_skip(&scratch.out, bias, &mut chunk.skip[at..], channels);
            }
        }
    }
}

vectorized! {
    /// Adds the outputs of all tiles to their rows of both halves of the gate.
    fn add_tiles(products: &[f32], tiles: &[usize], dilation: usize, gates: &mut [f32]) -> () {
        let point = products.len() / winograd::POINTS;
        let (gates, _) = gates.as_chunks_mut::<PAIR>();
        for (i, &tile) in tiles.iter().enumerate() {
            let mut points = [[0f32; PAIR]; winograd::POINTS];
            for (p, to) in points.iter_mut().enumerate() {
                to.copy_from_slice(&products[p * point + i * PAIR..][..PAIR]);
            }
            let mut outputs = [[0f32; PAIR]; winograd::OUTPUTS];
            for lane in 0..PAIR {
                let m = [
                    points[0][lane], points[1][lane], points[2][lane],
                    points[3][lane], points[4][lane], points[5][lane],
                ];
                let y = winograd::outputs(m);
                for j in 0..winograd::OUTPUTS {
                    outputs[j][lane] = y[j];
                }
            }
            for (j, outputs) in outputs.iter().enumerate() {
                // What reaches over the end belongs to nobody.
                if let Some(gates) = gates.get_mut(tile + j * dilation) {
                    for lane in 0..PAIR {
                        gates[lane] += outputs[lane];
                    }
                }
            }
        }
    }

    /// `tanh · sigmoid` of every row, 16 channels of `acts`.
    fn gate_rows(gates: &[f32], bias: &[f32; PAIR], acts: &mut [f32], channels: usize) -> () {
        let (gates, _) = gates.as_chunks::<PAIR>();
        for (row, gates) in gates.iter().enumerate() {
            let acts = &mut acts[row * channels..][..LANES];
            for lane in 0..LANES {
                let (content, gate) = (gates[lane] + bias[lane], gates[LANES + lane] + bias[LANES + lane]);
                acts[lane] = tanh(content) * sigmoid(gate);
            }
        }
    }

    /// `to = xs + out + bias`, 16 channels of every row.
    fn add_residual(out: &[f32], bias: &[f32], xs: &[f32], to: &mut [f32], channels: usize) -> () {
        for (row, out) in out.chunks_exact(LANES).enumerate() {
            let (xs, to) = (&xs[row * channels..][..LANES], &mut to[row * channels..][..LANES]);
            for lane in 0..LANES {
                to[lane] = xs[lane] + out[lane] + bias[lane];
            }
        }
    }

    /// `to += out + bias`, 16 channels of every row.
    fn add_skip(out: &[f32], bias: &[f32], to: &mut [f32], channels: usize) -> () {
        for (row, out) in out.chunks_exact(LANES).enumerate() {
            let to = &mut to[row * channels..][..LANES];
            for lane in 0..LANES {
                to[lane] += out[lane] + bias[lane];
            }
        }
    }
}
