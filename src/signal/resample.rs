//! Resampling of whole recordings. Live output has its own streaming resampler in `audio`.

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler};

use super::SignalError;

/// Rates outside this range are refused; a rate is otherwise arbitrary.
pub(super) const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;
/// The filter is about this long, and passes more than 95 % of the lower rate's band.
const MIN_CHUNK_SAMPLES: usize = 1024;

/// Converts a recording from one sample rate to another, without delay: sample 0 stays at time 0.
///
/// Gives ⌈samples · to / from⌉ samples. Linear phase, band limited to the lower rate.
///
/// # Errors
/// [`SignalError::Resample`] for rates outside 8000 to 192,000 Hz.
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>, SignalError> {
    let fail = |reason: String| SignalError::Resample { from_hz, to_hz, reason };
    if !RATES_HZ.contains(&from_hz) || !RATES_HZ.contains(&to_hz) {
        return Err(fail(format!("expected rates from {} to {} Hz", RATES_HZ.start(), RATES_HZ.end())));
    }
    if from_hz == to_hz || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let (from, to) = (from_hz as usize, to_hz as usize);
    // An even number of the smallest exact blocks: the filter's delay, half a block, is then a whole number of samples,
    // and can be taken away without a shift.
    let block = from / greatest_common_divisor(from, to);
    let chunk = block * MIN_CHUNK_SAMPLES.div_ceil(block).next_multiple_of(2);
    let mut resampler = Fft::<f32>::new_custom(
        from,
        to,
        chunk,
        /* sub-chunks */ 1,
        /* channels */ 1,
        rubato::WindowFunction::BlackmanHarris2,
        FixedSync::Input,
    )
    .map_err(|error| fail(error.to_string()))?;
    let input =
        InterleavedOwned::new_from(samples.to_vec(), 1, samples.len()).map_err(|e| fail(e.to_string()))?;
    let output =
        resampler.process_all(&input, samples.len(), None).map_err(|error| fail(error.to_string()))?;
    Ok(output.take_data())
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum of sines well inside both bands, with a soft start and end.
    fn tone(rate_hz: u32, seconds: f64) -> Vec<f32> {
        let count = (f64::from(rate_hz) * seconds).ceil() as usize;
        let at = |i: usize| {
            let t = i as f64 / f64::from(rate_hz);
            let fade = (std::f64::consts::PI * t / seconds).sin().powi(2);
            let sines = [220.0, 1234.5, 5000.0].map(|hz| (std::f64::consts::TAU * hz * t).sin());
            (fade * 0.3 * sines.iter().sum::<f64>()) as f32
        };
        (0..count).map(at).collect()
    }

    #[test]
    fn tones_keep_their_shape_and_time() {
        for from_hz in [16_000, 22_050, 32_000, 44_056, 44_100, 48_000, 96_000] {
            let got = resample(&tone(from_hz, 0.5), from_hz, 22_050).unwrap();
            let want = tone(22_050, 0.5);
            assert_eq!(got.len(), want.len(), "{from_hz}");
            let worst = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap();
            assert!(worst < 1e-4, "{from_hz} Hz: {worst}");
        }
    }

    #[test]
    fn what_does_not_fit_the_band_is_removed() {
        let sine: Vec<f32> = (0..32_000)
            .map(|i| (std::f64::consts::TAU * 13_000.0 / 32_000.0 * f64::from(i)).sin() as f32)
            .collect();
        let got = resample(&sine, 32_000, 22_050).unwrap();
        let rms = (got[1000..21_000].iter().map(|v| v * v).sum::<f32>() / 20_000.0).sqrt();
        assert!(rms < 1e-4, "{rms}");
    }

    #[test]
    fn odd_rates_work_and_absurd_ones_are_refused() {
        assert_eq!(resample(&vec![0.0; 44_101], 44_101, 22_050).unwrap().len(), 22_050);
        assert!(resample(&[], 48_000, 22_050).unwrap().is_empty());
        assert!(matches!(resample(&[0.0], 0, 22_050), Err(SignalError::Resample { .. })));
        assert!(matches!(resample(&[0.0], 22_050, 1_000_000), Err(SignalError::Resample { .. })));
    }
}
