//! Cepstra of log-mel frames: the shape of the spectrum without its harmonics.

/// Coefficients of a frame: the level, and 12 that tell one sound from another.
pub const CEPSTRA: usize = 13;

/// Cepstra of `log_mel [frames, bands]`, row-major `[frames, CEPSTRA]`: `c_k = 2/bands Σ ln m_b cos(π k (b + ½) / bands)`, so
/// that `ln m` is `c_0 / 2 + Σ c_k cos`.
pub fn cepstra(log_mel: &[f32], bands: usize) -> Vec<f32> {
    let cosine = |k: usize, band: usize| {
        (std::f64::consts::PI * k as f64 * (band as f64 + 0.5) / bands as f64).cos() * 2.0 / bands as f64
    };
    let table: Vec<Vec<f32>> =
        (0..CEPSTRA).map(|k| (0..bands).map(|band| cosine(k, band) as f32).collect()).collect();
    let product = |frame: &[f32], row: &[f32]| frame.iter().zip(row).map(|(x, c)| x * c).sum::<f32>();
    log_mel.chunks_exact(bands).flat_map(|frame| table.iter().map(|row| product(frame, row))).collect()
}

/// Means and deviations of every coefficient.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    mean: [f32; CEPSTRA],
    deviation: [f32; CEPSTRA],
}

impl Moments {
    /// Over all frames of all sequences.
    pub(super) fn of<'a>(sequences: impl Iterator<Item = &'a [f32]>) -> Self {
        let (mut count, mut sums, mut squares) = (0.0f64, [0f64; CEPSTRA], [0f64; CEPSTRA]);
        for frame in sequences.flat_map(|sequence| sequence.chunks_exact(CEPSTRA)) {
            count += 1.0;
            for (k, &x) in frame.iter().enumerate() {
                sums[k] += f64::from(x);
                squares[k] += f64::from(x) * f64::from(x);
            }
        }
        let mean = sums.map(|sum| sum / count.max(1.0));
        let deviation = |k: usize| (squares[k] / count.max(1.0) - mean[k] * mean[k]).max(1e-6).sqrt() as f32;
        Self { mean: mean.map(|mean| mean as f32), deviation: std::array::from_fn(deviation) }
    }

    /// Brings every coefficient to mean 0 and deviation 1 and appends its slope: `[frames, 2 · CEPSTRA]`.
    pub(super) fn features(&self, cepstra: &[f32]) -> Vec<f32> {
        let normal: Vec<[f32; CEPSTRA]> = cepstra
            .chunks_exact(CEPSTRA)
            .map(|frame| std::array::from_fn(|k| (frame[k] - self.mean[k]) / self.deviation[k]))
            .collect();
        let mut features = Vec::with_capacity(2 * cepstra.len());
        for t in 0..normal.len() {
            let (before, after) = (normal[t.saturating_sub(2)], normal[(t + 2).min(normal.len() - 1)]);
            features.extend(normal[t]);
            features.extend((0..CEPSTRA).map(|k| 0.7 * (after[k] - before[k])));
        }
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_in_the_spectrum_is_one_coefficient() {
        let bands = 40;
        for k in 1..CEPSTRA {
            let wave = |band: usize| (std::f32::consts::PI * k as f32 * (band as f32 + 0.5) / 40.0).cos();
            let frame: Vec<f32> = (0..bands).map(|band| 3.0 * wave(band)).collect();
            for (i, c) in cepstra(&frame, bands).into_iter().enumerate() {
                let expected = if i == k { 3.0 } else { 0.0 };
                assert!((c - expected).abs() < 1e-4, "{k}: {i}: {c}");
            }
        }
    }

    #[test]
    fn features_are_normal_and_still_at_rest() {
        let cepstra: Vec<f32> = (0..CEPSTRA * 50).map(|i| ((i * i) % 17) as f32 - 3.0).collect();
        let features = Moments::of([&cepstra[..]].into_iter()).features(&cepstra);
        for k in 0..CEPSTRA {
            let column: Vec<f32> = features.chunks_exact(2 * CEPSTRA).map(|frame| frame[k]).collect();
            let mean = column.iter().sum::<f32>() / 50.0;
            let power = column.iter().map(|x| x * x).sum::<f32>() / 50.0;
            assert!(mean.abs() < 1e-4 && (power - 1.0).abs() < 1e-3, "{k}: {mean} {power}");
        }
        let still = Moments::of([&cepstra[..]].into_iter()).features(&[2.0; CEPSTRA * 6]);
        assert!(still.chunks_exact(2 * CEPSTRA).all(|frame| frame[CEPSTRA..].iter().all(|&x| x == 0.0)));
    }
}
