//! Sound on its way in: the audio thread's part, and the reader's.
//!
//! As on the way out, all memory is allocated once, when the two ends are made. A full ring takes no more: what does not
//! fit is lost and counted, because an audio thread must not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

/// Frames that are mixed at a time, on the audio thread's stack.
const BLOCK_FRAMES: usize = 256;

/// The end that the audio thread fills.
pub struct Intake {
    ring: HeapProd<f32>,
    lost_samples: Arc<AtomicU64>,
    channels: usize,
}

/// The end from which samples are taken.
pub struct Tape {
    ring: HeapCons<f32>,
    lost_samples: Arc<AtomicU64>,
}

/// Both ends of a ring of `capacity_samples` for a device of `channels` (at least one).
pub fn capture_ring(capacity_samples: usize, channels: u16) -> (Intake, Tape) {
    let (writing, reading) = HeapRb::new(capacity_samples.max(1)).split();
    let lost_samples = Arc::new(AtomicU64::new(0));
    let intake =
        Intake { ring: writing, lost_samples: lost_samples.clone(), channels: usize::from(channels.max(1)) };
    (intake, Tape { ring: reading, lost_samples })
}

/// The mean of each frame's channels, one sample a frame, until either slice ends. Real-time safe.
pub fn mix_down<T: Copy>(interleaved: &[T], channels: usize, to_f32: impl Fn(T) -> f32, mono: &mut [f32]) {
    let share = 1.0 / channels as f32;
    for (frame, out) in interleaved.chunks_exact(channels).zip(mono) {
        *out = frame.iter().map(|&sample| to_f32(sample)).sum::<f32>() * share;
    }
}

impl Intake {
    /// The device's callback: takes all frames, or counts what did not fit. Never allocates, locks or waits.
    pub fn run<T: Copy>(&mut self, interleaved: &[T], to_f32: impl Fn(T) -> f32) {
        let mut block = [0.0; BLOCK_FRAMES];
        for part in interleaved.chunks(BLOCK_FRAMES * self.channels) {
            let mono = &mut block[..part.len() / self.channels];
            mix_down(part, self.channels, &to_f32, mono);
            let lost = mono.len() - self.ring.push_slice(mono);
            if lost > 0 {
                self.lost_samples.fetch_add(lost as u64, Ordering::Relaxed);
            }
        }
    }
}

impl Tape {
    /// Appends all that has come since the last call; how many samples that are.
    pub fn read(&mut self, samples: &mut Vec<f32>) -> usize {
        // What comes meanwhile is for the next call: this one ends.
        let count = self.ring.occupied_len();
        samples.extend(self.ring.pop_iter().take(count));
        count
    }

    /// Samples that found the ring full, since it was made.
    pub fn lost_samples(&self) -> u64 {
        self.lost_samples.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_their_mean_in_order() {
        for channels in [1u16, 2, 6] {
            let (mut intake, mut tape) = capture_ring(4096, channels);
            let frames = 3 * BLOCK_FRAMES + 7;
            // Channels differ, their mean is the frame's number.
            let wide = usize::from(channels);
            let middle = (wide as f32 - 1.0) / 2.0;
            let interleaved: Vec<f32> =
                (0..frames * wide).map(|i| (i / wide) as f32 + (i % wide) as f32 - middle).collect();
            intake.run(&interleaved, |sample| sample);
            let mut heard = Vec::new();
            assert_eq!(tape.read(&mut heard), frames);
            assert!(
                heard.iter().enumerate().all(|(i, s)| (s - i as f32).abs() < 1e-3),
                "{channels} channels"
            );
            assert_eq!((tape.read(&mut heard), tape.lost_samples()), (0, 0));
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_what_was_there_stays() {
        let (mut intake, mut tape) = capture_ring(300, 1);
        intake.run(&[0.5f32; 1000], |sample| sample);
        assert_eq!(tape.lost_samples(), 700);
        let mut heard = Vec::new();
        assert_eq!(tape.read(&mut heard), 300);
        intake.run(&[0.25f32; 10], |sample| sample);
        tape.read(&mut heard);
        assert_eq!((heard.len(), heard[299], heard[300], tape.lost_samples()), (310, 0.5, 0.25, 700));
    }
}
