//! From the voice's sample rate to the device's, on the thread that computes the samples.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

use super::AudioError;

/// Filter length: flat to 0.9 of the voice's band at 3 ms of delay, which is cut from the start.
const TAPS: usize = 128;
/// How many input samples are converted at a time.
const BLOCK_SAMPLES: usize = 256;

/// A streaming converter of one channel. Input and output start together: the filter's delay is removed.
pub struct RateConverter {
    from_hz: u32,
    to_hz: u32,
    /// `None` if the rates are equal.
    filter: Option<Box<Async<f32>>>,
    pending: Vec<f32>,
    block: Vec<f32>,
    taken_samples: u64,
    given_samples: u64,
    to_skip_samples: usize,
}

impl RateConverter {
    /// A converter between two rates.
    ///
    /// # Errors
    /// A rate is 0, or the ratio is beyond what the filter can do.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, AudioError> {
        let filter = if from_hz == to_hz && from_hz > 0 {
            None
        } else {
            let mut parameters = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2);
            parameters.interpolation = SincInterpolationType::Quadratic;
            let filter = Async::new_sinc(
                f64::from(to_hz) / f64::from(from_hz),
                /* largest change of the ratio */ 1.0,
                &parameters,
                BLOCK_SAMPLES,
                /* channels */ 1,
                FixedAsync::Input,
            );
            let failed = |reason: String| AudioError::Resample { from_hz, to_hz, reason };
            Some(Box::new(filter.map_err(|e| failed(e.to_string()))?))
        };
        let block = vec![0.0; filter.as_ref().map_or(0, |f| f.output_frames_max())];
        let to_skip_samples = filter.as_ref().map_or(0, |f| f.output_delay());
        Ok(Self {
            from_hz,
            to_hz,
            filter,
            pending: Vec::new(),
            block,
            taken_samples: 0,
            given_samples: 0,
            to_skip_samples,
        })
    }

    /// Converts the next samples and appends what is ready to `out`.
    ///
    /// # Errors
    /// The filter refused; a bug.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.taken_samples += samples.len() as u64;
        if self.filter.is_none() {
            out.extend_from_slice(samples);
            return Ok(());
        }
        self.pending.extend_from_slice(samples);
        let whole = self.pending.len() - self.pending.len() % BLOCK_SAMPLES;
        let pending = std::mem::take(&mut self.pending);
        for block in pending[..whole].chunks_exact(BLOCK_SAMPLES) {
            self.convert(block, out)?;
        }
        self.pending.extend_from_slice(&pending[whole..]);
        Ok(())
    }

    /// Appends all that is still inside, so that the output is as long as the input was; then starts afresh. Over many
    /// flushes the lengths' rounding does not add up.
    ///
    /// # Errors
    /// The filter refused; a bug.
    pub fn flush(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        if self.filter.is_some() {
            let total = (self.taken_samples * u64::from(self.to_hz)).div_ceil(u64::from(self.from_hz));
            let start = out.len();
            let wanted = (total - self.given_samples.min(total)) as usize;
            let mut rest = std::mem::take(&mut self.pending);
            rest.resize(BLOCK_SAMPLES, 0.0);
            self.convert(&rest, out)?;
            let silence = vec![0.0; BLOCK_SAMPLES];
            while out.len() - start < wanted {
                self.convert(&silence, out)?;
            }
            out.truncate(start + wanted);
            self.given_samples = total;
        }
        self.restart();
        Ok(())
    }

    /// Forgets all that is still inside.
    pub fn discard(&mut self) {
        (self.taken_samples, self.given_samples) = (0, 0);
        self.pending.clear();
        self.restart();
    }

    fn restart(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.reset();
            self.to_skip_samples = filter.output_delay();
        }
    }

    fn convert(&mut self, input: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        let (from_hz, to_hz) = (self.from_hz, self.to_hz);
        let failed = |reason: String| AudioError::Resample { from_hz, to_hz, reason };
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let capacity = self.block.len();
        let input = InterleavedSlice::new(input, 1, input.len()).map_err(|e| failed(e.to_string()))?;
        let mut output =
            InterleavedSlice::new_mut(&mut self.block, 1, capacity).map_err(|e| failed(e.to_string()))?;
        let (_, written) = filter
            .process_into_buffer(&input, &mut output, Some(&Indexing::new()))
            .map_err(|e| failed(e.to_string()))?;
        let skipped = self.to_skip_samples.min(written);
        self.to_skip_samples -= skipped;
        out.extend_from_slice(&self.block[skipped..written]);
        self.given_samples += (written - skipped) as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate_hz: u32, frequency_hz: f32, count: usize) -> Vec<f32> {
        let step = std::f32::consts::TAU * frequency_hz / rate_hz as f32;
        (0..count).map(|i| (step * i as f32).sin()).collect()
    }

    fn convert(converter: &mut RateConverter, samples: &[f32], step: usize) -> Vec<f32> {
        let mut out = Vec::new();
        samples.chunks(step).for_each(|chunk| converter.push(chunk, &mut out).unwrap());
        converter.flush(&mut out).unwrap();
        out
    }

    #[test]
    fn a_tone_keeps_its_level_shape_place_and_length() {
        const TONE_HZ: f32 = 1000.0;
        for (from_hz, to_hz) in [(22_050, 48_000), (22_050, 44_100), (22_050, 16_000), (24_000, 22_050)] {
            let mut converter = RateConverter::new(from_hz, to_hz).unwrap();
            let got = convert(&mut converter, &sine(from_hz, TONE_HZ, 5000), 700);
            assert_eq!(got.len(), (5000 * to_hz as usize).div_ceil(from_hz as usize));
            // The filter's delay is cut in whole samples: the tone may sit up to one beside its place, no more.
            // The ends meet silence and are left out.
            let step = std::f32::consts::TAU * TONE_HZ / to_hz as f32;
            let worst_at = |delay: f32| {
                let expected = |i: usize| (step * (i as f32 - delay)).sin();
                (200..got.len() - 200).map(|i| (got[i] - expected(i)).abs()).fold(0.0, f32::max)
            };
            let best = (-100..=100).map(|d| worst_at(d as f32 / 100.0)).fold(f32::MAX, f32::min);
            assert!(best < 3e-3, "{from_hz} to {to_hz}: {best}");
        }
    }

    #[test]
    fn any_split_gives_the_same_and_so_does_the_second_time() {
        // 20 ms: a whole number of samples at both rates.
        let input = sine(22_050, 440.0, 441 * 7);
        let mut converter = RateConverter::new(22_050, 48_000).unwrap();
        let whole = convert(&mut converter, &input, input.len());
        for step in [1, 255, 256, 257, 1000] {
            assert_eq!(convert(&mut converter, &input, step), whole, "{step}");
        }
    }

    #[test]
    fn many_short_inputs_are_together_as_long_as_one() {
        let mut converter = RateConverter::new(22_050, 48_000).unwrap();
        let total: usize = (0..500).map(|_| convert(&mut converter, &[0.1; 101], 101).len()).sum();
        assert_eq!(total, (500 * 101 * 48_000usize).div_ceil(22_050));
    }

    #[test]
    fn what_is_discarded_leaves_no_trace() {
        let input = sine(22_050, 440.0, 1000);
        let whole = convert(&mut RateConverter::new(22_050, 48_000).unwrap(), &input, 1000);
        let mut converter = RateConverter::new(22_050, 48_000).unwrap();
        converter.push(&[1.0; 777], &mut Vec::new()).unwrap();
        converter.discard();
        assert_eq!(convert(&mut converter, &input, 1000), whole);
    }

    #[test]
    fn equal_rates_pass_through() {
        let input = sine(22_050, 440.0, 100);
        assert_eq!(convert(&mut RateConverter::new(22_050, 22_050).unwrap(), &input, 7), input);
    }

    #[test]
    fn nothing_gives_nothing_and_a_rate_of_zero_is_refused() {
        assert!(convert(&mut RateConverter::new(22_050, 48_000).unwrap(), &[], 1).is_empty());
        assert!(RateConverter::new(0, 48_000).is_err());
        assert!(RateConverter::new(22_050, 0).is_err());
        assert!(RateConverter::new(0, 0).is_err());
    }
}
