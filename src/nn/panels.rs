//! Products with matrices of floats, laid out for them once: for weights that never change.
//!
//! Panels of 16 outputs hold, input by input, one weight of each output. A tile of a few rows keeps its sums in registers
//! over all inputs, so that weights are read in order and results are written once; and sums of several products, as the
//! taps of a convolution are, need no intermediate. Sums are taken in one order, whatever the rows in the call and the
//! threads.

use pulp::{Simd, WithSimd};

use super::ops::arch;

/// Outputs of a panel.
pub const LANES: usize = 16;

/// A matrix `[outputs, inputs]`, packed.
pub struct Panels {
    panels: usize,
    inputs: usize,
    values: Vec<f32>,
}

/// Rows that a matrix multiplies: row `r` is the values from `r × stride` on.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// All rows.
    pub values: &'a [f32],
    /// Values from the start of a row to that of the next.
    pub stride: usize,
}

/// A matrix and what it multiplies.
pub type Term<'a> = (&'a Panels, Rows<'a>);

impl Panels {
    /// Packs `weight [outputs, inputs]`, of which row `o` starts at `o × stride`; what is missing of the last panel is
    /// zeros.
    pub fn new(weight: Rows<'_>, outputs: usize, inputs: usize) -> Self {
        let panels = outputs.div_ceil(LANES);
        let mut values = vec![0f32; panels * inputs * LANES];
        for output in 0..outputs {
            let row = &weight.values[output * weight.stride..][..inputs];
            let panel = &mut values[output / LANES * inputs * LANES..];
            for (lanes, value) in panel.chunks_exact_mut(LANES).zip(row) {
                lanes[output % LANES] = *value;
            }
        }
        Self { panels, inputs, values }
    }

    /// Number of panels.
    pub fn count(&self) -> usize {
        self.panels
    }

    fn panel(&self, panel: usize) -> &[f32] {
        &self.values[panel * self.inputs * LANES..][..self.inputs * LANES]
    }
}

/// The sum of `terms` for one panel of outputs: `ys [rows, 16]`, of which row `r` starts at `r × stride`.
pub fn multiply(terms: &[Term<'_>], panel: usize, ys: &mut [f32], stride: usize, rows: usize) {
    arch().dispatch(Whole { terms, panel, ys, stride, rows });
}

struct Whole<'a> {
    terms: &'a [Term<'a>],
    panel: usize,
    ys: &'a mut [f32],
    stride: usize,
    rows: usize,
}

impl WithSimd for Whole<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Sums, one vector of each weight and one value fit the registers with room to spare: two rows more, and
        // compilers keep sums in memory, which halves the speed.
        match LANES / S::F32_LANES {
            1 => self.tiles::<S, 1, 8>(simd),
            2 => self.tiles::<S, 2, 4>(simd),
            4 => self.tiles::<S, 4, 4>(simd),
            _ => self.tiles::<S, LANES, 1>(simd),
        }
    }
}

impl Whole<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const VECTORS: usize, const ROWS: usize>(mut self, simd: S) {
        let mut row = 0;
        while row + ROWS <= self.rows {
            self.tile::<S, VECTORS, ROWS>(simd, row);
            row += ROWS;
        }
        while row < self.rows {
            self.tile::<S, VECTORS, 1>(simd, row);
            row += 1;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const VECTORS: usize, const ROWS: usize>(&mut self, simd: S, row: usize) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (matrix, rows) in self.terms {
            let inputs = matrix.inputs;
            let mut xs = [&rows.values[..0]; ROWS];
            for (r, x) in xs.iter_mut().enumerate() {
                *x = &rows.values[(row + r) * rows.stride..][..inputs];
            }
            let (weights, _) = S::as_simd_f32s(matrix.panel(self.panel));
            let (weights, _) = weights.as_chunks::<VECTORS>();
            let weights = &weights[..inputs];
            for input in 0..inputs {
                let weights = weights[input];
                for r in 0..ROWS {
                    let x = simd.splat_f32s(xs[r][input]);
                    for v in 0..VECTORS {
                        sums[r][v] = simd.mul_add_e_f32s(x, weights[v], sums[r][v]);
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let (ys, _) = S::as_mut_simd_f32s(&mut self.ys[(row + r) * self.stride..][..LANES]);
            for (y, sum) in ys.iter_mut().zip(sums) {
                *y = *sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn sums_of_products_are_those_of_plain_loops() {
        let (outputs, rows) = (37, 23);
        let shapes = [(5, 5), (8, 11)];
        let weights = shapes.map(|(inputs, _)| values(outputs * inputs, inputs));
        let xs = shapes.map(|(_, stride)| values(rows * stride, stride));
        let packed: Vec<_> = (0..2)
            .map(|i| Panels::new(Rows { values: &weights[i], stride: shapes[i].0 }, outputs, shapes[i].0))
            .collect();
        let terms: Vec<Term<'_>> =
            (0..2).map(|i| (&packed[i], Rows { values: &xs[i], stride: shapes[i].1 })).collect();
        assert_eq!(packed[0].count(), 3);
        for panel in 0..3 {
            let mut ys = vec![9.0; rows * 20];
            multiply(&terms, panel, &mut ys, 20, rows);
            for (row, y) in ys.chunks_exact(20).enumerate() {
                for (lane, &got) in y[..LANES].iter().enumerate() {
                    let output = panel * LANES + lane;
                    let mut sum = 0.0;
                    for (i, (inputs, stride)) in shapes.into_iter().enumerate() {
                        for k in 0..inputs {
                            let weight = if output < outputs { weights[i][output * inputs + k] } else { 0.0 };
                            sum += weight * xs[i][row * stride + k];
                        }
                    }
                    assert!((got - sum).abs() < 1e-5, "panel {panel}, row {row}, lane {lane}");
                }
                assert!(y[LANES..].iter().all(|&y| y == 9.0));
            }
        }
    }
}
