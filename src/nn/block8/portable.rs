//! Products without special instructions: correct everywhere, and what the others are tested against.

use super::tile::{GROUP, GROUPS, Job, LANES, each_tile};

pub(super) fn multiply(job: &mut Job<'_, i16>) {
    each_tile!(tile, 1 x 1, job);
}

#[inline(always)]
fn tile<const PANELS: usize, const ROWS: usize>(job: &mut Job<'_, i16>, panel: usize, row: usize) {
    let mut sums = [0f32; LANES];
    for (tile, input) in job.panel(panel).iter().zip(job.row(row)) {
        // One sum for each weight of a group: this order of loops is the one that compilers turn into vectors.
        let mut parts = [0i32; LANES * GROUP];
        for group in 0..GROUPS {
            let (weights, inputs) = (&tile.quants[group], &input.quants[group]);
            for i in 0..LANES * GROUP {
                parts[i] += i32::from(i16::from(weights[i])) * i32::from(inputs[i % GROUP]);
            }
        }
        for lane in 0..LANES {
            let [a, b, c, d] = std::array::from_fn(|i| parts[lane * GROUP + i]);
            let sum = (a + b) + (c + d) + input.correction;
            sums[lane] += sum as f32 * tile.scales[lane] * input.scale;
        }
    }
    job.store(row, panel, sums);
}
