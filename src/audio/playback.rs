//! What the audio thread does: take samples from the ring, and hide it when there are none.
//!
//! Runs on the device's thread. No allocation, no lock, no system call, no logging: `tests/realtime.rs` counts.

use super::ring::Reader;

/// How a gap is hidden: the last sample dies away, the next ones swell up, over this time.
const FADE_MS: u32 = 5;

/// The audio thread's memory between two calls.
#[derive(Debug, Clone)]
pub struct Fader {
    /// How much a gain moves per sample.
    step: f32,
    /// Gain of the samples from the ring.
    gain: f32,
    /// The last sample before the gap, and how much of it still sounds.
    held: f32,
    hold: f32,
    /// The last sample that went out.
    last: f32,
    is_playing: bool,
}

impl Fader {
    /// At rest, for a device of this rate.
    pub fn new(sample_rate_hz: u32) -> Self {
        let fade_samples = (sample_rate_hz * FADE_MS / 1000).max(1);
        let step = 1.0 / fade_samples as f32;
        Self { step, gain: 1.0, held: 0.0, hold: 0.0, last: 0.0, is_playing: false }
    }

    fn next(&mut self, sample: f32) -> f32 {
        self.gain = (self.gain + self.step).min(1.0);
        self.last = self.next_held() + sample * self.gain;
        self.last
    }

    fn next_held(&mut self) -> f32 {
        self.hold = (self.hold - self.step).max(0.0);
        self.held * self.hold
    }
}

/// Fills `out` (mono) from the ring and returns how many samples came from it. What is missing is faded silence, and
/// counts as an underrun (once, until samples come again) unless the writer rests.
pub fn fill(reader: &mut Reader, fader: &mut Fader, out: &mut [f32]) -> usize {
    let count = reader.pop(out);
    let (sounding, missing) = out.split_at_mut(count);
    for sample in sounding.iter_mut() {
        *sample = fader.next(*sample);
    }
    fader.is_playing |= count > 0;
    if fader.is_playing && !missing.is_empty() {
        if !reader.is_at_rest() {
            reader.report_underrun();
        }
        (fader.held, fader.hold, fader.gain) = (fader.last, 1.0, 0.0);
        fader.is_playing = false;
    }
    for sample in missing.iter_mut() {
        *sample = fader.next_held();
    }
    count
}

/// Samples that the audio thread handles at a time: its only buffer, and of fixed size.
const BLOCK_SAMPLES: usize = 256;

/// The device callback: fills interleaved frames of any sample type, every channel alike.
pub struct Playback {
    reader: Reader,
    fader: Fader,
    channels: usize,
    block: [f32; BLOCK_SAMPLES],
}

impl Playback {
    /// Plays from `reader` on a device of this rate and number of channels.
    pub fn new(reader: Reader, sample_rate_hz: u32, channels: u16) -> Self {
        let channels = usize::from(channels).max(1);
        Self { reader, fader: Fader::new(sample_rate_hz), channels, block: [0.0; BLOCK_SAMPLES] }
    }

    /// Fills a device buffer of whole frames.
    pub fn run<T: Copy>(&mut self, out: &mut [T], from_sample: impl Fn(f32) -> T) {
        for frames in out.chunks_mut(BLOCK_SAMPLES * self.channels) {
            let block = &mut self.block[..frames.len() / self.channels];
            fill(&mut self.reader, &mut self.fader, block);
            for (frame, &sample) in frames.chunks_exact_mut(self.channels).zip(block.iter()) {
                frame.fill(from_sample(sample));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring::{Writer, ring};
    use super::*;

    /// 5 samples of fade.
    const RATE_HZ: u32 = 1000;

    fn playing(samples: &[f32]) -> (Writer, Reader, Fader) {
        let (mut writer, reader) = ring(64);
        writer.push(samples);
        (writer, reader, Fader::new(RATE_HZ))
    }

    #[test]
    fn empty_is_silence_and_no_underrun_before_the_first_sample() {
        let (writer, mut reader, mut fader) = playing(&[]);
        let mut out = [9.0; 4];
        assert_eq!(fill(&mut reader, &mut fader, &mut out), 0);
        assert_eq!((out, writer.underruns()), ([0.0; 4], 0));
        assert_eq!(fill(&mut reader, &mut fader, &mut []), 0);
    }

    #[test]
    fn exact_and_excess_pass_through_unchanged() {
        let (writer, mut reader, mut fader) = playing(&[0.1, 0.2, 0.3, 0.4, 0.5]);
        let mut out = [9.0; 3];
        assert_eq!(fill(&mut reader, &mut fader, &mut out), 3);
        assert_eq!(out, [0.1, 0.2, 0.3]);
        assert_eq!(fill(&mut reader, &mut fader, &mut out[..2]), 2);
        assert_eq!(out[..2], [0.4, 0.5]);
        assert_eq!(writer.underruns(), 0);
    }

    #[test]
    fn partial_fades_out_and_counts_once() {
        let (mut writer, mut reader, mut fader) = playing(&[1.0, 1.0]);
        let mut out = [9.0; 9];
        assert_eq!(fill(&mut reader, &mut fader, &mut out), 2);
        let expected = [1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0];
        assert!(out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{out:?}");
        assert_eq!(fill(&mut reader, &mut fader, &mut out), 0);
        assert_eq!((out, writer.underruns()), ([0.0; 9], 1), "one gap is one underrun");

        writer.push(&[1.0; 6]);
        assert_eq!(fill(&mut reader, &mut fader, &mut out[..6]), 6);
        let expected = [0.2, 0.4, 0.6, 0.8, 1.0, 1.0];
        assert!(out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{out:?}");
        fill(&mut reader, &mut fader, &mut out);
        assert_eq!(writer.underruns(), 2, "a second gap is a second underrun");
    }

    #[test]
    fn running_dry_between_two_calls_does_not_click() {
        let (writer, mut reader, mut fader) = playing(&[1.0, 1.0]);
        let mut out = [9.0; 2];
        fill(&mut reader, &mut fader, &mut out);
        fill(&mut reader, &mut fader, &mut out);
        assert!((out[0] - 0.8).abs() < 1e-6 && (out[1] - 0.6).abs() < 1e-6, "{out:?}");
        assert_eq!(writer.underruns(), 1);
    }

    #[test]
    fn no_step_is_larger_than_the_signal_s_own_when_samples_return_in_mid_fade() {
        let (mut writer, mut reader, mut fader) = playing(&[1.0; 4]);
        let mut out = [0.0; 6];
        fill(&mut reader, &mut fader, &mut out);
        let mut heard = out.to_vec();
        writer.push(&[1.0; 6]);
        fill(&mut reader, &mut fader, &mut out);
        heard.extend(out);
        assert!(heard.windows(2).all(|w| (w[1] - w[0]).abs() <= 0.2 + 1e-6), "{heard:?}");
    }

    #[test]
    fn a_callback_of_any_size_spreads_the_samples_over_the_channels() {
        let (mut writer, reader) = ring(1000);
        let samples: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        writer.push(&samples);
        let mut playback = Playback::new(reader, RATE_HZ, 2);
        let mut heard = Vec::new();
        for frame_count in [1, 255, 300, 444] {
            let mut out = vec![-1.0; frame_count * 2];
            playback.run(&mut out, |sample| sample);
            heard.extend(out);
        }
        assert!(heard.chunks(2).zip(&samples).all(|(frame, &s)| frame == [s, s]));
        assert_eq!(heard.len(), 2000);
    }

    #[test]
    fn a_rest_is_not_an_underrun() {
        let (mut writer, mut reader, mut fader) = playing(&[0.5]);
        writer.rest_after(1);
        writer.push(&[0.0]);
        let mut out = [9.0; 8];
        fill(&mut reader, &mut fader, &mut out);
        assert_eq!(writer.underruns(), 0);
        writer.push(&[0.5]);
        fill(&mut reader, &mut fader, &mut out);
        assert_eq!(writer.underruns(), 1, "after the rest, being late counts again");
    }
}
