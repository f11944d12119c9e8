//! Products by the instructions of x86: dot products of bytes where they exist (VNNI), else products of words (AVX2).

use std::arch::x86_64::*;

use pulp::NullaryFnOnce;
use pulp::x86::V3;

use super::tile::{GROUPS, Job, LANES, each_tile};

/// Products of words, which every processor since 2015 has but the smallest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(V3);

impl Avx2 {
    pub fn detect() -> Option<Self> {
        V3::try_new().map(Self)
    }

    pub fn multiply(self, job: &mut Job<'_, i16>) {
        struct Whole<'a, 'b>(V3, &'a mut Job<'b, i16>);
        impl NullaryFnOnce for Whole<'_, '_> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                let Self(simd, job) = self;
                each_tile!(avx2_tile, 1 x 4, job, simd);
            }
        }
        self.0.vectorize(Whole(self.0, job));
    }
}

#[inline(always)]
fn avx2_tile<const PANELS: usize, const ROWS: usize>(
    job: &mut Job<'_, i16>,
    panel: usize,
    row: usize,
    simd: V3,
) {
    let V3 { avx, avx2, .. } = simd;
    let zero = avx._mm256_setzero_si256();
    let inputs: [_; ROWS] = std::array::from_fn(|r| job.row(row + r));
    let mut sums = [avx._mm256_setzero_ps(); ROWS];
    for (block, tile) in job.panel(panel).iter().enumerate() {
        // Two halves of each output's sum: outputs 0, 1, 4, 5 and 2, 3, 6, 7, which the horizontal sum puts in order.
        let (mut low, mut high) = ([zero; ROWS], [zero; ROWS]);
        for group in 0..GROUPS {
            let weights: __m256i = pulp::cast(tile.quants[group]);
            let low_weights = avx2._mm256_unpacklo_epi8(weights, zero);
            let high_weights = avx2._mm256_unpackhi_epi8(weights, zero);
            for r in 0..ROWS {
                let input = avx._mm256_set1_epi64x(pulp::cast(inputs[r][block].quants[group]));
                low[r] = avx2._mm256_add_epi32(low[r], avx2._mm256_madd_epi16(low_weights, input));
                high[r] = avx2._mm256_add_epi32(high[r], avx2._mm256_madd_epi16(high_weights, input));
            }
        }
        let scales: __m256 = pulp::cast(tile.scales);
        for (r, total) in sums.iter_mut().enumerate() {
            let input = &inputs[r][block];
            let sum = avx2._mm256_hadd_epi32(low[r], high[r]);
            let sum = avx2._mm256_add_epi32(sum, avx._mm256_set1_epi32(input.correction));
            let sum = avx._mm256_mul_ps(avx._mm256_cvtepi32_ps(sum), scales);
            let sum = avx._mm256_mul_ps(sum, avx._mm256_set1_ps(input.scale));
            *total = avx._mm256_add_ps(*total, sum);
        }
    }
    for (r, total) in sums.into_iter().enumerate() {
        job.store(row + r, panel, pulp::cast(total));
    }
}

/// Dot products of bytes: servers and desktops have them with AVX-512, small computers with AVX-VNNI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vnni(Encoding);

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Avx512,
    Avx,
}

impl Vnni {
    pub fn detect() -> Option<Self> {
        if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl") {
            Some(Self(Encoding::Avx512))
        } else if is_x86_feature_detected!("avxvnni") {
            Some(Self(Encoding::Avx))
        } else {
            None
        }
    }

    pub fn multiply(self, job: &mut Job<'_, i8>) {
        // SAFETY: the functions need nothing but their instructions, and a value of this type exists only where
        // `detect` has found them.
        #[allow(unsafe_code)]
        unsafe {
            match self.0 {
                Encoding::Avx512 => avx512_vnni::multiply(job),
                Encoding::Avx => avx_vnni::multiply(job),
            }
        }
    }
}

macro_rules! vnni {
    ($name:ident, $features:literal, $dot:ident) => {
        mod $name {
            use super::*;

            #[target_feature(enable = $features)]
            pub fn multiply(job: &mut Job<'_, i8>) {
                each_tile!(tile, 2 x 4, job);
            }

            // Loops and no closures: what is compiled without the instructions is not inlined.
            #[target_feature(enable = $features)]
            #[inline]
            fn tile<const PANELS: usize, const ROWS: usize>(
                job: &mut Job<'_, i8>,
                panel: usize,
                row: usize,
            ) {
                let (mut tiles, mut inputs) = ([job.panel(panel); PANELS], [job.row(row); ROWS]);
                for p in 1..PANELS {
                    tiles[p] = job.panel(panel + p);
                }
                for r in 1..ROWS {
                    inputs[r] = job.row(row + r);
                }
                let mut sums = [[_mm256_setzero_ps(); PANELS]; ROWS];
                for block in 0..job.blocks {
                    let mut dots = [[_mm256_setzero_si256(); PANELS]; ROWS];
                    for r in 0..ROWS {
                        dots[r] = [_mm256_set1_epi32(inputs[r][block].correction); PANELS];
                    }
                    for group in 0..GROUPS {
                        // Loaded once for all rows: loads are what this loop waits for.
                        let mut weights = [_mm256_setzero_si256(); PANELS];
                        for p in 0..PANELS {
                            weights[p] = pulp::cast(tiles[p][block].quants[group]);
                        }
                        for r in 0..ROWS {
                            let input = _mm256_set1_epi32(pulp::cast(inputs[r][block].quants[group]));
                            for p in 0..PANELS {
                                dots[r][p] = $dot(dots[r][p], weights[p], input);
                            }
                        }
                    }
                    let mut scales = [_mm256_setzero_ps(); PANELS];
                    for p in 0..PANELS {
                        scales[p] = pulp::cast(tiles[p][block].scales);
                    }
                    for r in 0..ROWS {
                        let scale = _mm256_set1_ps(inputs[r][block].scale);
                        for p in 0..PANELS {
                            let sum = _mm256_mul_ps(_mm256_cvtepi32_ps(dots[r][p]), scales[p]);
                            sums[r][p] = _mm256_add_ps(sums[r][p], _mm256_mul_ps(sum, scale));
                        }
                    }
                }
                for r in 0..ROWS {
                    for p in 0..PANELS {
                        job.store(row + r, panel + p, pulp::cast::<__m256, [f32; LANES]>(sums[r][p]));
                    }
                }
            }
        }
    };
}

vnni!(avx512_vnni, "avx2,avx512vnni,avx512vl", _mm256_dpbusd_epi32);
vnni!(avx_vnni, "avx2,avxvnni", _mm256_dpbusd_avx_epi32);
