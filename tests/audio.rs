//! The ring and the device callback under real threads: a writer that also flushes, a hand on pause and volume, and a
//! reader, each at its own random pace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fastglow::audio::playback::{Fader, fill};
use fastglow::audio::ring::{Reader, Writer, ring};

/// 5 samples of fade, 20 of volume ramp.
const RATE_HZ: u32 = 1000;
const STEP: f32 = 1.0 / 5.0;
const VOLUME_STEP: f32 = 1.0 / 20.0;
const FLUSHES: u64 = 400;

/// A small generator: a run can be repeated from its seed, as far as threads can.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Writes runs of samples, all of the same value, and flushes in the middle of some; the value tells the run.
fn write_runs(writer: &mut Writer, mut dice: Dice, value_of: impl Fn(u64) -> f32) {
    for run in 1..=FLUSHES {
        let samples = vec![value_of(run); 1 + dice.below(300) as usize];
        let mut left = samples.as_slice();
        let is_rested = dice.below(2) == 0;
        while !left.is_empty() {
            let size = left.len().min(1 + dice.below(64) as usize);
            if is_rested && size == left.len() {
                writer.rest_after(left.len());
            }
            left = &left[writer.push(&left[..size])..];
            if dice.below(16) == 0 {
                break;
            }
            thread::yield_now();
        }
        if !is_rested || !left.is_empty() || dice.below(2) == 0 {
            writer.flush();
        }
    }
    writer.rest_after(0);
}

/// Fills buffers of random length until the writer has ended and nothing is left. Each flush seen must be obeyed in one
/// callback that is longer than the fade.
fn play(reader: &mut Reader, mut dice: Dice, has_ended: &AtomicBool) -> Vec<f32> {
    let mut fader = Fader::new(RATE_HZ);
    let mut heard = Vec::new();
    loop {
        let is_last = has_ended.load(Ordering::Acquire);
        let mut out = vec![f32::NAN; 6 + dice.below(100) as usize];
        let void = reader.void_samples();
        let before = reader.read_samples();
        fill(reader, &mut fader, &mut out);
        assert!(reader.read_samples() >= before + void as u64, "a flush was not obeyed at once");
        heard.extend(out);
        if is_last && reader.is_at_rest() && !fader.is_sounding() {
            return heard;
        }
        if dice.below(4) == 0 {
            thread::yield_now();
        }
    }
}

fn run(seed: u64, value_of: fn(u64) -> f32, is_touched: bool) -> (Writer, Vec<f32>) {
    let (mut writer, reader) = ring(128);
    let mut reader = reader.with_prefill(16);
    let dial = writer.dial();
    let has_ended = AtomicBool::new(false);
    let mut heard = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| heard = play(&mut reader, Dice(seed ^ 1), &has_ended));
        let hand = scope.spawn(|| {
            let mut dice = Dice(seed ^ 2);
            while is_touched && !has_ended.load(Ordering::Acquire) {
                dial.set_paused(dice.below(2) == 0);
                dial.set_volume(dice.below(101) as f32 / 100.0);
                for _ in 0..dice.below(20) {
                    thread::yield_now();
                }
            }
            dial.set_paused(false);
        });
        write_runs(&mut writer, Dice(seed), value_of);
        has_ended.store(true, Ordering::Release);
        hand.join().unwrap();
    });
    (writer, heard)
}

#[test]
fn whatever_the_interleaving_nothing_clicks() {
    let mut played_samples = 0;
    for seed in 0..20 {
        let (writer, heard) = run(seed, |_| 1.0, true);
        assert!(heard.iter().all(|s| (0.0..=1.0 + 1e-5).contains(s)), "seed {seed}: out of range");
        let largest = heard.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        // A pause may come while the end of a gap is still dying away: then two fades fall together.
        assert!(largest <= 2.0 * STEP + VOLUME_STEP + 1e-5, "seed {seed}: a step of {largest}");
        assert_eq!(writer.read_samples(), writer.written_samples(), "seed {seed}");
        assert_eq!(writer.unplayed_samples(), 0, "seed {seed}");
        // On a busy machine a reader may wake up behind the last flush.
        played_samples += writer.played_samples();
    }
    assert!(played_samples > 0, "nothing was played: nothing was tested");
}

#[test]
fn whatever_the_interleaving_nothing_void_is_heard_after_what_replaced_it() {
    let mut runs_heard = 0;
    for seed in 100..120 {
        // So far from 0 that no fade of one run reaches the value of another.
        const BASE: f32 = 10_000.0;
        let (writer, heard) = run(seed, |run| BASE + run as f32, false);
        let mut latest = 0.0;
        // Away from fades, a sample is its run's own.
        for window in heard.windows(3).filter(|w| w[0] == w[1] && w[1] == w[2] && w[1] > BASE) {
            assert!(window[0] >= latest, "seed {seed}: run {} after run {latest}", window[0]);
            assert_eq!(window[0].fract(), 0.0, "seed {seed}: not a sample of any run");
            runs_heard += u32::from(window[0] > latest);
            latest = window[0];
        }
        assert_eq!(writer.read_samples(), writer.written_samples(), "seed {seed}");
    }
    assert!(runs_heard > 100, "only {runs_heard} runs were heard: nothing was tested");
}
