//! The ring between the thread that computes samples and the one that plays them.
//!
//! One writer, one reader, each owned by one thread. All memory is allocated here, once; afterwards neither side
//! allocates, locks or waits. A full ring takes fewer samples than offered, an empty one gives fewer than asked for.
//!
//! The ring also knows when it is *supposed* to run dry: [`Writer::rest_after`] marks the sample after which silence is
//! intended, so that the pause between two sentences is not mistaken for a writer that came too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

#[derive(Debug, Default)]
struct Shared {
    /// The sample count at which the reader may run dry.
    rest_at_samples: AtomicU64,
    /// Samples taken out so far.
    read_samples: AtomicU64,
    /// How often the reader ran dry where it should not have.
    underruns: AtomicU64,
}

/// The side that puts samples in.
pub struct Writer {
    inner: HeapProd<f32>,
    shared: Arc<Shared>,
    written_samples: u64,
}

/// The side that takes them out: owned by the audio thread.
pub struct Reader {
    inner: HeapCons<f32>,
    shared: Arc<Shared>,
    read_samples: u64,
}

/// A ring that holds `capacity_samples` (at least 1).
pub fn ring(capacity_samples: usize) -> (Writer, Reader) {
    let (producer, consumer) = HeapRb::new(capacity_samples.max(1)).split();
    let shared = Arc::new(Shared::default());
    (
        Writer { inner: producer, shared: shared.clone(), written_samples: 0 },
        Reader { inner: consumer, shared, read_samples: 0 },
    )
}

impl Writer {
    /// Puts in as many of the samples as there is room for and returns how many. Never waits.
    pub fn push(&mut self, samples: &[f32]) -> usize {
        let count = self.inner.push_slice(samples);
        self.written_samples += count as u64;
        count
    }

    /// Says that after `coming_samples` more nothing follows for now: running dry there is silence, not an underrun. Said
    /// before those samples are put in, so that a quick reader does not get ahead of it.
    pub fn rest_after(&self, coming_samples: usize) {
        self.shared.rest_at_samples.store(self.written_samples + coming_samples as u64, Ordering::Release);
    }

    /// Samples put in so far.
    pub fn written_samples(&self) -> u64 {
        self.written_samples
    }

    /// Samples the reader has taken so far.
    pub fn read_samples(&self) -> u64 {
        self.shared.read_samples.load(Ordering::Acquire)
    }

    /// How often the reader ran dry between rests.
    pub fn underruns(&self) -> u64 {
        self.shared.underruns.load(Ordering::Relaxed)
    }

    /// Whether the reader is gone.
    pub fn is_abandoned(&self) -> bool {
        !self.inner.read_is_held()
    }
}

impl Reader {
    /// Fills the front of `out` with what there is and returns how many samples that was. Never waits.
    pub fn pop(&mut self, out: &mut [f32]) -> usize {
        let count = self.inner.pop_slice(out);
        self.read_samples += count as u64;
        self.shared.read_samples.store(self.read_samples, Ordering::Release);
        count
    }

    /// Whether the writer has said that nothing follows the samples read so far.
    pub fn is_at_rest(&self) -> bool {
        self.shared.rest_at_samples.load(Ordering::Acquire) == self.read_samples
    }

    /// Counts an underrun.
    pub fn report_underrun(&self) {
        self.shared.underruns.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_fits_and_gives_what_there_is() {
        let (mut writer, mut reader) = ring(4);
        let mut out = [9.0; 6];
        assert_eq!(reader.pop(&mut out), 0);
        assert_eq!(writer.push(&[1.0, 2.0, 3.0, 4.0, 5.0]), 4);
        assert_eq!(reader.pop(&mut out[..3]), 3);
        assert_eq!(writer.push(&[5.0, 6.0]), 2);
        assert_eq!(reader.pop(&mut out), 3);
        assert_eq!(&out[..3], [4.0, 5.0, 6.0]);
        assert_eq!((writer.written_samples(), writer.read_samples()), (6, 6));
    }

    #[test]
    fn rests_where_the_writer_rested() {
        let (mut writer, mut reader) = ring(8);
        assert!(reader.is_at_rest(), "before the first sample there is silence");
        writer.push(&[1.0, 2.0]);
        let mut out = [0.0; 2];
        reader.pop(&mut out[..1]);
        assert!(!reader.is_at_rest());
        writer.rest_after(0);
        assert!(!reader.is_at_rest(), "one sample is still to come");
        reader.pop(&mut out[..1]);
        assert!(reader.is_at_rest());
        writer.push(&[3.0]);
        reader.pop(&mut out[..1]);
        assert!(!reader.is_at_rest(), "more was said after the rest");
    }

    #[test]
    fn each_side_sees_the_other_leave() {
        let (writer, reader) = ring(1);
        assert!(!writer.is_abandoned());
        drop(reader);
        assert!(writer.is_abandoned());
    }
}
