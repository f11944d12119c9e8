//! Products with matrices of 8-bit blocks (GGML's Q8_0), laid out for the vector instructions of the processor at hand.
//!
//! A weight is an integer of 8 bits times the scale of its block of 32 inputs. The inputs of a product are brought into
//! the same form, row by row; then the sum within a block is of integers and exact, and what is rounded, the sum over
//! blocks, is taken in one order whatever the instructions, the rows in the call and the threads. So every processor
//! gives the same bits, and a row's result does not depend on its neighbours.
//!
//! Tiles of 8 outputs × 32 inputs hold the integers in groups of four inputs of each output, as the dot products of
//! x86 and ARM want them; with the scales, 9 bits per weight.

#[cfg(target_arch = "aarch64")]
mod arm;
mod inputs;
mod portable;
#[cfg(test)]
mod tests;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

use candle_core::{Result, bail};
use half::f16;
use rayon::prelude::*;

use tile::{BLOCK, Job, LANES, Tile};

/// Bytes of a stored block: a scale of 16 bits, then its integers.
const STORED_BYTES: usize = 2 + BLOCK;
/// Multiplications that are worth a thread: some 0.1 ms, several times what it costs to wake one.
const MULTIPLICATIONS_PER_THREAD: usize = 8 << 20;

/// Rows that are brought into blocks together: few enough for the cache next to the processor's own.
const ROWS_AT_ONCE: usize = 64;

/// A matrix `[outputs, inputs]` of 8-bit blocks.
pub struct Matrix8 {
    outputs: usize,
    inputs: usize,
    /// Panels of 8 outputs; in each, its tiles in the order of the inputs.
    tiles: Vec<Tile>,
}

impl Matrix8 {
    /// Takes the blocks of a matrix `[outputs, inputs]` as GGUF stores them, row by row.
    ///
    /// # Errors
    /// The inputs are not whole blocks of 32, or there are not as many bytes as the blocks need.
    pub fn from_q8_0(stored: &[u8], outputs: usize, inputs: usize) -> Result<Self> {
        let per_row = inputs / BLOCK;
        let bytes = outputs.checked_mul(per_row).and_then(|count| count.checked_mul(STORED_BYTES));
        if !inputs.is_multiple_of(BLOCK) || bytes != Some(stored.len()) {
            bail!(
                "8-bit matrix: expected blocks of 32 for {outputs} × {inputs} weights, got {} bytes",
                stored.len()
            );
        }
        let mut tiles = vec![Tile::ZERO; outputs.div_ceil(LANES) * per_row];
        let (stored, _) = stored.as_chunks::<STORED_BYTES>();
        for (at, [low, high, quants @ ..]) in stored.iter().enumerate() {
            let (output, block) = (at / per_row, at % per_row);
            let scale = f16::from_le_bytes([*low, *high]).to_f32();
            tiles[output / LANES * per_row + block].set(output % LANES, scale, quants);
        }
        Ok(Self { outputs, inputs, tiles })
    }

    /// Whether equal shares of the outputs are whole tiles.
    pub fn divides(&self, count: usize) -> bool {
        count > 0 && self.outputs.is_multiple_of(count) && (self.outputs / count).is_multiple_of(LANES)
    }

    /// The matrices that give an equal share of the outputs each, in order.
    ///
    /// # Errors
    /// The shares are not whole tiles.
    pub fn split_outputs(&self, count: usize) -> Result<Vec<Self>> {
        let share = self.outputs / count.max(1);
        if !self.divides(count) {
            bail!("8-bit matrix: {} outputs do not divide into {count} parts of whole tiles", self.outputs);
        }
        let tiles = self.tiles.chunks_exact((share / LANES * (self.inputs / BLOCK)).max(1));
        Ok(tiles.map(|tiles| Self { outputs: share, inputs: self.inputs, tiles: tiles.into() }).collect())
    }

    /// One matrix of the inputs of several, in order: its product is the sum of theirs.
    ///
    /// # Errors
    /// The outputs differ.
    pub fn side_by_side(parts: &[&Self]) -> Result<Self> {
        let outputs = parts.first().map_or(0, |part| part.outputs);
        if parts.iter().any(|part| part.outputs != outputs) {
            bail!("8-bit matrix: expected equal outputs side by side");
        }
        let inputs = parts.iter().map(|part| part.inputs).sum::<usize>();
        let mut tiles = Vec::with_capacity(outputs.div_ceil(LANES) * (inputs / BLOCK));
        for panel in 0..outputs.div_ceil(LANES) {
            for part in parts {
                let per_row = part.inputs / BLOCK;
                tiles.extend_from_slice(&part.tiles[panel * per_row..][..per_row]);
            }
        }
        Ok(Self { outputs, inputs, tiles })
    }

    /// As [`Matrix8::product`], on this thread alone, into `ys [rows, outputs]`, for as many rows as that has.
    pub(crate) fn product_into(&self, xs: &[f32], ys: &mut [f32]) {
        self.multiply(Instructions::detected(), xs, ys);
    }

    /// Rows of the matrix: columns of a product.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns of the matrix.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// `xs [rows, inputs]` times the transposed matrix, `[rows, outputs]`. A row with a value that is not finite gives no
    /// finite values.
    ///
    /// # Errors
    /// `xs` is not whole rows.
    pub fn product(&self, xs: &[f32]) -> Result<Vec<f32>> {
        self.product_by(Instructions::detected(), xs)
    }

    fn product_by(&self, instructions: Instructions, xs: &[f32]) -> Result<Vec<f32>> {
        let rows = xs.len() / self.inputs.max(1);
        if rows * self.inputs != xs.len() {
            bail!("8-bit product: expected rows of {} values, got {}", self.inputs, xs.len());
        }
        let mut ys = vec![0f32; rows * self.outputs];
        if ys.is_empty() {
            return Ok(ys);
        }
        let threads = (rows * self.inputs * self.outputs).div_ceil(MULTIPLICATIONS_PER_THREAD);
        match threads.min(rayon::current_num_threads()) {
            0 | 1 => self.multiply(instructions, xs, &mut ys),
            threads => {
                let rows = rows.div_ceil(threads);
                let parts = ys.par_chunks_mut(rows * self.outputs).zip(xs.par_chunks(rows * self.inputs));
                parts.for_each(|(ys, xs)| self.multiply(instructions, xs, ys));
            }
        }
        Ok(ys)
    }

    fn multiply(&self, instructions: Instructions, xs: &[f32], ys: &mut [f32]) {
        let parts = xs.chunks(ROWS_AT_ONCE * self.inputs).zip(ys.chunks_mut(ROWS_AT_ONCE * self.outputs));
        parts.for_each(|(xs, ys)| self.multiply_part(instructions, xs, ys));
    }

    fn multiply_part(&self, instructions: Instructions, xs: &[f32], ys: &mut [f32]) {
        match instructions {
            Instructions::Portable => portable::multiply(&mut self.job(&inputs::words(xs), ys)),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(avx2) => avx2.multiply(&mut self.job(&inputs::words(xs), ys)),
            #[cfg(target_arch = "x86_64")]
            Instructions::Vnni(vnni) => vnni.multiply(&mut self.job(&inputs::bytes(xs), ys)),
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon(neon) => neon.multiply(&mut self.job(&inputs::words(xs), ys)),
            #[cfg(target_arch = "aarch64")]
            Instructions::Dots(dots) => dots.multiply(&mut self.job(&inputs::bytes(xs), ys)),
        }
    }

    fn job<'a, Q>(&'a self, inputs: &'a [tile::InputBlock<Q>], ys: &'a mut [f32]) -> Job<'a, Q> {
        Job { tiles: &self.tiles, inputs, blocks: self.inputs / BLOCK, outputs: self.outputs, ys }
    }
}

/// What multiplies.
#[derive(Debug, Clone, Copy)]
enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Vnni(x86::Vnni),
    #[cfg(target_arch = "aarch64")]
    Neon(arm::Neon),
    #[cfg(target_arch = "aarch64")]
    Dots(arm::Dots),
}

impl Instructions {
    /// All that this processor has, the fastest first.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(x86::Vnni::detect().map(Self::Vnni));
            all.extend(x86::Avx2::detect().map(Self::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        {
            all.extend(arm::Dots::detect().map(Self::Dots));
            all.extend(arm::Neon::detect().map(Self::Neon));
        }
        all.push(Self::Portable);
        all
    }

    fn detected() -> Self {
        static DETECTED: OnceLock<Instructions> = OnceLock::new();
        *DETECTED.get_or_init(|| Self::all().first().copied().unwrap_or(Self::Portable))
    }
}
