//! The layout that products work on.

/// Inputs of a block.
pub(super) const BLOCK: usize = 32;
/// Outputs of a tile.
pub(super) const LANES: usize = 8;
/// Inputs that lie together for each output.
pub(super) const GROUP: usize = 4;
/// Groups of a block.
pub(super) const GROUPS: usize = BLOCK / GROUP;

/// One block of each of [`LANES`] outputs.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Tile {
    /// Group by group: [`GROUP`] weights of the first output, of the second, and so on. 128 stands for 0.
    pub quants: [[u8; LANES * GROUP]; GROUPS],
    pub scales: [f32; LANES],
}

impl Tile {
    pub const ZERO: Self = Self { quants: [[128; LANES * GROUP]; GROUPS], scales: [0.0; LANES] };

    /// Puts a block in the place of one output.
    pub fn set(&mut self, lane: usize, scale: f32, quants: &[u8; BLOCK]) {
        self.scales[lane] = scale;
        for (group, quants) in self.quants.iter_mut().zip(quants.chunks_exact(GROUP)) {
            for (to, from) in group[lane * GROUP..].iter_mut().zip(quants) {
                *to = from ^ 128;
            }
        }
    }
}

/// A block of a product's inputs.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct InputBlock<Q> {
    pub quants: [[Q; GROUP]; GROUPS],
    pub scale: f32,
    /// What the weights' offset of 128 adds to the sum of each output, negated.
    pub correction: i32,
}

/// A product on its way: rows of blocks times panels of tiles.
pub(super) struct Job<'a, Q> {
    pub tiles: &'a [Tile],
    pub inputs: &'a [InputBlock<Q>],
    /// Blocks of a row, and tiles of a panel; at least 1.
    pub blocks: usize,
    /// Values of a row of `ys`.
    pub outputs: usize,
    pub ys: &'a mut [f32],
}

impl<'a, Q> Job<'a, Q> {
    #[inline(always)]
    pub fn panels(&self) -> usize {
        self.tiles.len() / self.blocks
    }

    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.inputs.len() / self.blocks
    }

    #[inline(always)]
    pub fn panel(&self, panel: usize) -> &'a [Tile] {
        &self.tiles[panel * self.blocks..][..self.blocks]
    }

    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [InputBlock<Q>] {
        &self.inputs[row * self.blocks..][..self.blocks]
    }

    #[inline(always)]
    pub fn store(&mut self, row: usize, panel: usize, sums: [f32; LANES]) {
        let count = LANES.min(self.outputs - panel * LANES);
        let target = &mut self.ys[row * self.outputs + panel * LANES..][..count];
        match <&mut [f32; LANES]>::try_from(&mut *target) {
            Ok(whole) => *whole = sums,
            Err(_) => target.copy_from_slice(&sums[..count]),
        }
    }
}

/// Calls `tile::<PANELS, ROWS>(job, panel, row)` for the whole product; what is left at its edges goes one by one. A
/// macro, because a function with instructions of its own is only inlined into its like.
macro_rules! each_tile {
    ($tile:ident, $panels:literal x $rows:literal, $job:expr $(, $token:expr)?) => {
        each_tile!(@panels $tile, $panels, $rows, 0, $job $(, $token)?);
        let done = $job.panels() / $panels * $panels;
        each_tile!(@panels $tile, 1, $rows, done, $job $(, $token)?);
    };
    (@panels $tile:ident, $panels:literal, $rows:literal, $first:expr, $job:expr $(, $token:expr)?) => {
        let mut panel = $first;
        while $job.panels() - panel >= $panels {
            let mut row = 0;
            while $job.rows() - row >= $rows {
                $tile::<$panels, $rows>($job, panel, row $(, $token)?);
                row += $rows;
            }
            while row < $job.rows() {
                $tile::<$panels, 1>($job, panel, row $(, $token)?);
                row += 1;
            }
            panel += $panels;
        }
    };
}
pub(super) use each_tile;
