//! Products by the instructions of ARM: dot products of bytes where they exist, which is on the cores since the
//! Cortex-A75, else products of words, which every 64-bit core has.

use std::arch::aarch64::*;
use std::arch::asm;

use pulp::NullaryFnOnce;
use pulp::aarch64::Neon as Simd;

use super::tile::{BLOCK, GROUPS, Job, LANES, each_tile};

/// Products of words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon(Simd);

impl Neon {
    pub fn detect() -> Option<Self> {
        Simd::try_new().map(Self)
    }

    pub fn multiply(self, job: &mut Job<'_, i16>) {
        struct Whole<'a, 'b>(Simd, &'a mut Job<'b, i16>);
        impl NullaryFnOnce for Whole<'_, '_> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                let Self(simd, job) = self;
                each_tile!(neon_tile, 1 x 2, job, simd);
            }
        }
        self.0.vectorize(Whole(self.0, job));
    }
}

#[inline(always)]
fn neon_tile<const PANELS: usize, const ROWS: usize>(
    job: &mut Job<'_, i16>,
    panel: usize,
    row: usize,
    simd: Simd,
) {
    let neon = simd.neon;
    let mut sums = [[neon.vdupq_n_f32(0.0); 2]; ROWS];
    for (block, tile) in job.panel(panel).iter().enumerate() {
        // One sum for each weight of a group.
        let mut parts = [[neon.vdupq_n_s32(0); LANES]; ROWS];
        for group in 0..GROUPS {
            let bytes: [uint8x8_t; LANES / 2] = pulp::cast(tile.quants[group]);
            for (pair, bytes) in bytes.into_iter().enumerate() {
                let weights = neon.vreinterpretq_s16_u16(neon.vmovl_u8(bytes));
                let (first, second) = (neon.vget_low_s16(weights), neon.vget_high_s16(weights));
                for r in 0..ROWS {
                    let input: int16x4_t = pulp::cast(job.row(row + r)[block].quants[group]);
                    let parts = &mut parts[r];
                    parts[2 * pair] = neon.vmlal_s16(parts[2 * pair], first, input);
                    parts[2 * pair + 1] = neon.vmlal_s16(parts[2 * pair + 1], second, input);
                }
            }
        }
        let scales: [float32x4_t; 2] = pulp::cast(tile.scales);
        for r in 0..ROWS {
            let input = &job.row(row + r)[block];
            for half in 0..2 {
                let [a, b, c, d] = std::array::from_fn(|i| parts[r][4 * half + i]);
                let sum = neon.vpaddq_s32(neon.vpaddq_s32(a, b), neon.vpaddq_s32(c, d));
                let sum = neon.vaddq_s32(sum, neon.vdupq_n_s32(input.correction));
                let sum = neon.vmulq_f32(neon.vcvtq_f32_s32(sum), scales[half]);
                let sum = neon.vmulq_f32(sum, neon.vdupq_n_f32(input.scale));
                sums[r][half] = neon.vaddq_f32(sums[r][half], sum);
            }
        }
    }
    for r in 0..ROWS {
        job.store(row + r, panel, pulp::cast(sums[r]));
    }
}

/// Dot products of bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dots(());

impl Dots {
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self(()))
    }

    pub fn multiply(self, job: &mut Job<'_, i8>) {
        // SAFETY: the function needs nothing but its instructions, and a value of this type exists only where `detect`
        // has found them.
        #[allow(unsafe_code)]
        unsafe {
            multiply_dots(job)
        }
    }
}

#[target_feature(enable = "neon,dotprod")]
fn multiply_dots(job: &mut Job<'_, i8>) {
    each_tile!(dots_tile, 1 x 4, job);
}

/// Adds the dot products of four outputs' weights with group `GROUP` of the inputs.
#[target_feature(enable = "neon,dotprod")]
#[inline]
fn dot<const GROUP: i32>(mut sums: int32x4_t, weights: int8x16_t, inputs: int8x16_t) -> int32x4_t {
    // SAFETY: one instruction on registers, which the function's features include. The standard library has it
    // (`vdotq_laneq_s32`), but not yet in stable Rust.
    #[allow(unsafe_code)]
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {weights:v}.16b, {inputs:v}.4b[{group}]",
            sums = inout(vreg) sums,
            weights = in(vreg) weights,
            inputs = in(vreg) inputs,
            group = const GROUP,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

#[target_feature(enable = "neon,dotprod")]
#[inline]
fn dots_tile<const PANELS: usize, const ROWS: usize>(job: &mut Job<'_, i8>, panel: usize, row: usize) {
    let mut sums = [[vdupq_n_f32(0.0); 2]; ROWS];
    for (block, tile) in job.panel(panel).iter().enumerate() {
        let mut dots = [[vdupq_n_s32(0); 2]; ROWS];
        // The instruction takes both sides signed, so that there is no offset to correct.
        macro_rules! add_groups {
            ($first:literal: $($group:literal)*) => {$(
                let weights: [uint8x16_t; 2] = pulp::cast(tile.quants[$first + $group]);
                for half in 0..2 {
                    let weights = vreinterpretq_s8_u8(veorq_u8(weights[half], vdupq_n_u8(128)));
                    for r in 0..ROWS {
                        let inputs: [int8x16_t; BLOCK / 16] = pulp::cast(job.row(row + r)[block].quants);
                        dots[r][half] = dot::<$group>(dots[r][half], weights, inputs[$first / 4]);
                    }
                }
            )*};
        }
        add_groups!(0: 0 1 2 3);
        add_groups!(4: 0 1 2 3);
        let scales: [float32x4_t; 2] = pulp::cast(tile.scales);
        for r in 0..ROWS {
            let scale = vdupq_n_f32(job.row(row + r)[block].scale);
            for half in 0..2 {
                let sum = vmulq_f32(vcvtq_f32_s32(dots[r][half]), scales[half]);
                sums[r][half] = vaddq_f32(sums[r][half], vmulq_f32(sum, scale));
            }
        }
    }
    for r in 0..ROWS {
        job.store(row + r, panel, pulp::cast::<[float32x4_t; 2], [f32; LANES]>(sums[r]));
    }
}
