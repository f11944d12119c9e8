//! What is really played, for whoever must tell it from what a microphone hears.
//!
//! The audio thread copies each block, after fades and volume, into a second ring; who reads that may be late, then the
//! newest samples are lost and counted. While the device is idle or paused nothing is played, and nothing comes.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ringbuf::traits::{Consumer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use super::bell::lock;

/// A second ear for a sink. Put into [`SinkConfig`](super::SinkConfig), of one sink at a time: of two, only the first has it.
#[derive(Clone)]
pub struct Reference {
    shared: Arc<Shared>,
}

struct Shared {
    /// Of the device; 0 before anything was played.
    sample_rate_hz: AtomicU32,
    lost_samples: AtomicU64,
    /// None while a sink has it.
    end: Mutex<Option<HeapProd<f32>>>,
}

/// The end that the samples are read from.
pub struct ReferenceReader {
    inner: HeapCons<f32>,
    shared: Arc<Shared>,
}

/// The end that the audio thread has.
pub(super) struct Tap {
    end: Option<HeapProd<f32>>,
    shared: Arc<Shared>,
}

/// A ring for so many samples (at least 1).
pub fn reference(capacity_samples: usize) -> (Reference, ReferenceReader) {
    let (end, inner) = HeapRb::new(capacity_samples.max(1)).split();
    let shared = Arc::new(Shared {
        sample_rate_hz: AtomicU32::new(0),
        lost_samples: AtomicU64::new(0),
        end: Mutex::new(Some(end)),
    });
    (Reference { shared: shared.clone() }, ReferenceReader { inner, shared })
}

impl Reference {
    pub(super) fn lend(&self) -> Option<Tap> {
        let end = lock(&self.shared.end).take()?;
        Some(Tap { end: Some(end), shared: self.shared.clone() })
    }
}

impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference").finish_non_exhaustive()
    }
}

impl Tap {
    pub fn set_sample_rate_hz(&self, sample_rate_hz: u32) {
        self.shared.sample_rate_hz.store(sample_rate_hz, Ordering::Release);
    }

    /// On the audio thread: copies, never waits.
    pub fn push(&mut self, samples: &[f32]) {
        let taken = self.end.as_mut().map_or(0, |end| end.push_slice(samples));
        if taken < samples.len() {
            self.shared.lost_samples.fetch_add((samples.len() - taken) as u64, Ordering::Relaxed);
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        *lock(&self.shared.end) = self.end.take();
    }
}

impl ReferenceReader {
    /// Appends what was played since this was last asked.
    pub fn read(&mut self, samples: &mut Vec<f32>) {
        samples.extend(self.inner.pop_iter());
    }

    /// Of the samples, which is the device's own; `None` before anything was played.
    pub fn sample_rate_hz(&self) -> Option<u32> {
        Some(self.shared.sample_rate_hz.load(Ordering::Acquire)).filter(|&rate_hz| rate_hz > 0)
    }

    /// Samples that were played but found no room.
    pub fn lost_samples(&self) -> u64 {
        self.shared.lost_samples.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audio::null::open_with_clock;
    use crate::audio::{Clock, SinkConfig, Target};

    #[test]
    fn it_hears_what_is_played_and_nothing_that_was_stopped() {
        let (reference, mut ear) = reference(10_000);
        let clock = Clock::simulated();
        let base = SinkConfig {
            ring_ms: 100,
            prefill_ms: 0,
            period_ms: 10,
            ..SinkConfig::new(1000, Target::Stdout)
        };
        let config = SinkConfig { reference: Some(reference), ..base };
        let mut sink = open_with_clock(&config, clock.clone()).unwrap();
        let control = sink.control();
        sink.write(&[0.5; 60]).unwrap();
        assert_eq!(control.played_samples(), 10, "the first period, and so the first 10 ms");
        clock.advance(Duration::from_millis(25));
        control.stop();
        clock.advance(Duration::from_millis(100));
        let played = control.played_samples() as usize;
        let mut heard = Vec::new();
        ear.read(&mut heard);
        assert_eq!((ear.sample_rate_hz(), ear.lost_samples()), (Some(1000), 0));
        // In full, then the 5 ms of the fade, then the rest of its period.
        assert!(heard.len() >= played && (30..=45).contains(&played), "{played} of {}", heard.len());
        assert!(heard[5..played - 5].iter().all(|&sample| sample == 0.5));
        assert!(heard[played..].iter().all(|&sample| sample == 0.0));
        drop(sink);
        drop(control);
        let mut next = open_with_clock(&config, clock.clone()).unwrap();
        next.write(&[0.25; 20]).unwrap();
        next.rest().unwrap();
        clock.advance(Duration::from_millis(50));
        assert_eq!(next.control().played_samples(), 20);
        heard.clear();
        ear.read(&mut heard);
        assert!(heard.contains(&0.25), "the next sink has it");
    }

    #[test]
    fn a_late_reader_loses_samples_and_is_told() {
        let (reference, mut ear) = reference(8);
        let mut tap = reference.lend().unwrap();
        assert!(reference.lend().is_none(), "one sink at a time");
        tap.push(&[1.0; 10]);
        let mut heard = Vec::new();
        ear.read(&mut heard);
        assert_eq!((heard.len(), ear.lost_samples()), (8, 2));
    }
}
