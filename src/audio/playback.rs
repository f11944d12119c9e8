//! What the audio thread does: take samples from the ring, obey stop, pause and volume without a click, and hide it when
//! there are no samples.
//!
//! Runs on the device's thread. No allocation, no lock, no system call, no logging: `tests/realtime.rs` counts.

use super::ring::Reader;

/// Everything that begins or ends abruptly takes this time: start, stop, pause, and gaps.
const FADE_MS: u32 = 5;
/// The volume takes this time from silence to full.
const VOLUME_RAMP_MS: u32 = 20;

/// A volume on its way to where it was set.
#[derive(Debug, Clone)]
pub(super) struct VolumeRamp {
    now: f32,
    step: f32,
}

impl VolumeRamp {
    pub(super) fn new(sample_rate_hz: u32) -> Self {
        Self { now: 1.0, step: 1.0 / samples_of(VOLUME_RAMP_MS, sample_rate_hz) as f32 }
    }

    /// The factor of the next sample.
    pub(super) fn next(&mut self, target: f32) -> f32 {
        self.now += (target - self.now).clamp(-self.step, self.step);
        self.now
    }
}

fn samples_of(duration_ms: u32, rate_hz: u32) -> u32 {
    (duration_ms * rate_hz / 1000).max(1)
}

/// The audio thread's memory between two calls.
#[derive(Debug, Clone)]
pub struct Fader {
    /// Length of a fade.
    fade_samples: u32,
    /// How much of the ring's samples sounds, from 0 to `fade_samples`.
    level: u32,
    /// The last sample before a gap, and how much of it still sounds.
    held: f32,
    held_level: u32,
    /// The last sample that went out.
    last: f32,
    volume: VolumeRamp,
    is_playing: bool,
}

impl Fader {
    /// At rest, for a device of this rate.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self {
            fade_samples: samples_of(FADE_MS, sample_rate_hz),
            level: 0,
            held: 0.0,
            held_level: 0,
            last: 0.0,
            volume: VolumeRamp::new(sample_rate_hz),
            is_playing: false,
        }
    }

    /// Whether anything is heard, or would be if the samples were not silent.
    pub fn is_sounding(&self) -> bool {
        self.is_playing || self.held_level > 0
    }

    fn gain_of(&self, level: u32) -> f32 {
        level as f32 / self.fade_samples as f32
    }

    /// Applies gain and volume, each a step nearer to its end, to the next samples of the ring.
    fn shape(&mut self, samples: &mut [f32], is_rising: bool, volume: f32) {
        for sample in samples {
            self.level = if is_rising {
                (self.level + 1).min(self.fade_samples)
            } else {
                self.level.saturating_sub(1)
            };
            self.last = self.next_held() + *sample * self.gain_of(self.level) * self.volume.next(volume);
            *sample = self.last;
        }
    }

    /// There are no more samples: the last one dies away, the next ones swell up.
    fn let_go(&mut self) {
        if self.is_playing {
            (self.held, self.held_level, self.level) = (self.last, self.fade_samples, 0);
            self.is_playing = false;
        }
    }

    fn next_held(&mut self) -> f32 {
        self.held_level = self.held_level.saturating_sub(1);
        self.held * self.gain_of(self.held_level)
    }

    /// Plays up to `limit_samples` more, ever softer, and returns how many. Ends silent, or with `out`.
    fn fade_out(&mut self, reader: &mut Reader, limit_samples: usize, out: &mut [f32]) -> usize {
        if !self.is_playing {
            return 0;
        }
        let wanted = (self.level as usize).min(limit_samples).min(out.len());
        let count = reader.pop(&mut out[..wanted]);
        self.shape(&mut out[..count], false, reader.volume());
        if self.level == 0 {
            self.is_playing = false;
        } else if count < out.len() {
            self.let_go();
        }
        count
    }
}

/// Fills `out` (mono) from the ring and returns how many samples came from it. What is missing is faded silence, and
/// counts as an underrun (once, until samples come again) unless the writer rests.
///
/// A flush or a pause is obeyed at once: the samples that were next play on while they fade, then nothing.
pub fn fill(reader: &mut Reader, fader: &mut Fader, out: &mut [f32]) -> usize {
    if !fader.is_sounding() {
        // Nobody hears a step now.
        fader.volume.now = reader.volume();
    }
    let mut count = 0;
    let void = reader.void_samples();
    if void > 0 {
        count = fader.fade_out(reader, void, out);
        if fader.is_playing && count < void {
            // `out` is shorter than the fade, which goes on in the next call.
            return count;
        }
        fader.let_go();
        reader.drop_void();
    }
    let rest = &mut out[count..];
    let taken = if reader.is_paused() {
        fader.fade_out(reader, usize::MAX, rest)
    } else if fader.is_playing || reader.may_begin() {
        play(reader, fader, rest)
    } else {
        0
    };
    for sample in &mut rest[taken..] {
        *sample = fader.next_held();
    }
    count + taken
}

fn play(reader: &mut Reader, fader: &mut Fader, out: &mut [f32]) -> usize {
    let count = reader.pop(out);
    fader.shape(&mut out[..count], true, reader.volume());
    fader.is_playing |= count > 0;
    if fader.is_playing && count < out.len() {
        if !reader.is_at_rest() {
            reader.report_underrun();
        }
        fader.let_go();
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
    pub fn new(mut reader: Reader, sample_rate_hz: u32, channels: u16) -> Self {
        if let Some(tap) = reader.tap() {
            tap.set_sample_rate_hz(sample_rate_hz);
        }
        let channels = usize::from(channels).max(1);
        Self { reader, fader: Fader::new(sample_rate_hz), channels, block: [0.0; BLOCK_SAMPLES] }
    }

    /// Fills a device buffer of whole frames.
    pub fn run<T: Copy>(&mut self, out: &mut [T], from_sample: impl Fn(f32) -> T) {
        for frames in out.chunks_mut(BLOCK_SAMPLES * self.channels) {
            let block = &mut self.block[..frames.len() / self.channels];
            fill(&mut self.reader, &mut self.fader, block);
            if let Some(tap) = self.reader.tap() {
                tap.push(block);
            }
            for (frame, &sample) in frames.chunks_exact_mut(self.channels).zip(block.iter()) {
                frame.fill(from_sample(sample));
            }
        }
    }

    /// Whether another period would be silence and change nothing.
    pub fn is_dormant(&self) -> bool {
        let may_play = !self.reader.is_paused() && self.reader.may_begin();
        !self.fader.is_sounding() && self.reader.void_samples() == 0 && !may_play
    }

    /// Gives the reader back, with all that it still holds.
    pub fn into_reader(self) -> Reader {
        self.reader
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring::{Writer, ring};
    use super::*;

    /// 5 samples of fade, 20 of volume ramp.
    const RATE_HZ: u32 = 1000;
    /// The most that a gain moves per sample.
    const STEP: f32 = 0.2;

    struct Rig {
        writer: Writer,
        reader: Reader,
        fader: Fader,
        heard: Vec<f32>,
    }

    impl Rig {
        fn new(samples: &[f32]) -> Self {
            let (mut writer, reader) = ring(256);
            writer.push(samples);
            Self { writer, reader, fader: Fader::new(RATE_HZ), heard: Vec::new() }
        }

        /// A ring with samples of 1 to come, past the fade-in.
        fn in_mid_speech(samples: usize) -> Self {
            let mut rig = Self::new(&vec![1.0; samples + 10]);
            rig.fill(10);
            rig
        }

        fn fill(&mut self, count: usize) -> Vec<f32> {
            let mut out = vec![9.0; count];
            fill(&mut self.reader, &mut self.fader, &mut out);
            self.heard.extend(&out);
            out
        }

        fn largest_step(&self) -> f32 {
            self.heard.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
        }
    }

    fn assert_close(got: &[f32], expected: &[f32]) {
        assert_eq!(got.len(), expected.len());
        assert!(
            got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5),
            "{got:?}, expected {expected:?}"
        );
    }

    #[test]
    fn empty_is_silence_and_no_underrun_before_the_first_sample() {
        let mut rig = Rig::new(&[]);
        assert_eq!(rig.fill(4), [0.0; 4]);
        assert_eq!(rig.fill(0), [0.0; 0]);
        assert_eq!(rig.writer.underruns(), 0);
    }

    #[test]
    fn the_start_fades_in_and_then_samples_pass_unchanged() {
        let mut rig = Rig::new(&[0.5; 7]);
        assert_close(&rig.fill(5), &[0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(rig.fill(2), [0.5; 2], "exact");
        assert_eq!((rig.writer.underruns(), rig.writer.played_samples()), (0, 7));
    }

    #[test]
    fn partial_fades_out_and_counts_once() {
        let mut rig = Rig::in_mid_speech(2);
        assert_close(&rig.fill(9), &[1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0]);
        assert_eq!(rig.fill(9), [0.0; 9]);
        assert_eq!(rig.writer.underruns(), 1, "one gap is one underrun");
        rig.writer.push(&[1.0; 6]);
        assert_close(&rig.fill(6), &[0.2, 0.4, 0.6, 0.8, 1.0, 1.0]);
        rig.fill(9);
        assert_eq!(rig.writer.underruns(), 2, "a second gap is a second underrun");
    }

    #[test]
    fn running_dry_between_two_calls_does_not_click() {
        let mut rig = Rig::in_mid_speech(0);
        assert_close(&rig.fill(2), &[0.8, 0.6]);
        assert_eq!(rig.writer.underruns(), 1);
    }

    #[test]
    fn no_step_is_larger_than_the_signal_s_own_when_samples_return_in_mid_fade() {
        let mut rig = Rig::in_mid_speech(4);
        rig.fill(6);
        rig.writer.push(&[1.0; 6]);
        rig.fill(6);
        assert!(rig.largest_step() <= STEP + 1e-6, "{:?}", rig.heard);
    }

    #[test]
    fn a_rest_is_not_an_underrun() {
        let mut rig = Rig::new(&[0.5]);
        rig.writer.rest_after(1);
        rig.writer.push(&[0.0]);
        rig.fill(8);
        assert_eq!(rig.writer.underruns(), 0);
        rig.writer.push(&[0.5]);
        rig.fill(8);
        assert_eq!(rig.writer.underruns(), 1, "after the rest, being late counts again");
    }

    #[test]
    fn a_flush_plays_only_the_fade_and_keeps_the_place_where_playing_stopped() {
        let mut rig = Rig::in_mid_speech(100);
        rig.writer.flush();
        assert_close(&rig.fill(8), &[0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!((rig.writer.read_samples(), rig.writer.played_samples()), (110, 15));
        assert_eq!(rig.fill(8), [0.0; 8]);
        assert_eq!(rig.writer.underruns(), 0, "a stop is no underrun");
    }

    #[test]
    fn a_flush_in_short_callbacks_fades_over_several_of_them() {
        let mut rig = Rig::in_mid_speech(100);
        rig.writer.flush();
        let heard: Vec<f32> = (0..4).flat_map(|_| rig.fill(2)).collect();
        assert_close(&heard, &[0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!((rig.writer.read_samples(), rig.writer.played_samples()), (110, 15));
    }

    #[test]
    fn a_flush_with_less_left_than_the_fade_holds_the_last_sample() {
        let mut rig = Rig::in_mid_speech(2);
        rig.writer.flush();
        rig.fill(12);
        assert!(rig.largest_step() <= STEP + 1e-6, "{:?}", rig.heard);
        assert_eq!((rig.heard.last(), rig.writer.underruns()), (Some(&0.0), 0));
    }

    #[test]
    fn a_flush_of_an_empty_ring_only_ends_the_sound() {
        let mut rig = Rig::in_mid_speech(0);
        rig.writer.flush();
        assert_close(&rig.fill(6), &[0.8, 0.6, 0.4, 0.2, 0.0, 0.0]);
        assert_eq!((rig.writer.underruns(), rig.writer.played_samples()), (0, 10));
        let mut silent = Rig::new(&[]);
        silent.writer.flush();
        assert_eq!(silent.fill(3), [0.0; 3]);
    }

    #[test]
    fn samples_after_a_flush_start_afresh_in_the_same_callback() {
        let mut rig = Rig::in_mid_speech(100);
        rig.writer.flush();
        rig.writer.push(&[-1.0; 8]);
        rig.fill(13);
        assert_close(&rig.heard[10..15], &[0.8, 0.6, 0.4, 0.2, 0.0]);
        assert_close(&rig.heard[15..], &[-0.2, -0.4, -0.6, -0.8, -1.0, -1.0, -1.0, -1.0]);
        assert_eq!(rig.writer.played_samples(), 118);
    }

    #[test]
    fn a_flush_before_the_start_drops_everything_unheard() {
        let mut rig = Rig::new(&[1.0; 50]);
        rig.writer.flush();
        assert_eq!(rig.fill(5), [0.0; 5]);
        assert_eq!((rig.writer.read_samples(), rig.writer.played_samples()), (50, 0));
    }

    #[test]
    fn a_pause_keeps_the_place_across_callbacks_and_nothing_clicks() {
        let ramp: Vec<f32> = (0..60).map(|i| i as f32 / 60.0).collect();
        let mut rig = Rig::new(&ramp);
        rig.fill(20);
        let dial = rig.writer.dial();
        dial.set_paused(true);
        for _ in 0..4 {
            rig.fill(3);
        }
        assert_eq!(rig.writer.played_samples(), 25, "the fade, and no more");
        assert_eq!(rig.fill(7), [0.0; 7]);
        dial.set_paused(false);
        let resumed = rig.fill(10);
        assert_close(&resumed[4..], &ramp[29..35]);
        assert_eq!(rig.writer.played_samples(), 35);
        assert!(rig.largest_step() <= STEP + 1e-6);
        assert_eq!(rig.writer.underruns(), 0);
    }

    #[test]
    fn a_flush_while_paused_is_silent_and_what_follows_waits_for_the_resume() {
        let mut rig = Rig::in_mid_speech(50);
        let dial = rig.writer.dial();
        dial.set_paused(true);
        rig.fill(10);
        rig.writer.flush();
        rig.writer.push(&[0.5; 9]);
        assert_eq!(rig.fill(4), [0.0; 4]);
        dial.set_paused(false);
        assert_close(&rig.fill(6), &[0.1, 0.2, 0.3, 0.4, 0.5, 0.5]);
    }

    #[test]
    fn a_pause_in_a_gap_is_silent_and_counts_nothing_more() {
        let mut rig = Rig::in_mid_speech(0);
        rig.writer.dial().set_paused(true);
        assert_close(&rig.fill(6), &[0.8, 0.6, 0.4, 0.2, 0.0, 0.0]);
        assert_eq!(rig.writer.underruns(), 0);
    }

    #[test]
    fn the_volume_ramps_without_a_step_and_arrives() {
        let mut rig = Rig::in_mid_speech(100);
        let dial = rig.writer.dial();
        for (volume, expected) in [(0.25, 0.25), (1.0, 1.0), (0.0, 0.0)] {
            dial.set_volume(volume);
            assert_close(&rig.fill(22)[20..], &[expected; 2]);
        }
        // The fade-in is steeper; the volume moves 20 times in 20 ms.
        let ramp = &rig.heard[10..];
        let largest = ramp.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(largest <= 0.05 + 1e-6, "{largest}");
    }

    #[test]
    fn a_volume_set_in_silence_holds_from_the_first_sample() {
        let mut rig = Rig::new(&[]);
        rig.writer.dial().set_volume(0.5);
        rig.fill(1);
        rig.writer.push(&[1.0; 6]);
        assert_close(&rig.fill(6), &[0.1, 0.2, 0.3, 0.4, 0.5, 0.5]);
    }

    #[test]
    fn nothing_sounds_before_the_prefill_not_even_after_a_gap() {
        let mut rig = Rig::new(&[1.0; 3]);
        rig.reader = rig.reader.with_prefill(4);
        assert_eq!(rig.fill(3), [0.0; 3]);
        rig.writer.push(&[1.0; 7]);
        rig.fill(20);
        assert_eq!((rig.writer.played_samples(), rig.writer.underruns()), (10, 1));
        rig.writer.push(&[1.0; 3]);
        assert_eq!(rig.fill(2), [0.0; 2]);
        rig.writer.rest_after(0);
        assert_close(&rig.fill(2), &[0.2, 0.4]);
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
        assert_eq!(heard.len(), 2000);
        assert!(heard.chunks(2).zip(&samples).skip(5).all(|(frame, &s)| frame == [s, s]));
        assert!(heard.chunks(2).all(|frame| frame[0] == frame[1]));
    }
}
