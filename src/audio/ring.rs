//! The ring between the thread that computes samples and the one that plays them.
//!
//! One writer, one reader, each owned by one thread. All memory is allocated here, once; afterwards neither side
//! allocates, locks or waits. A full ring takes fewer samples than offered, an empty one gives fewer than asked for.
//!
//! Samples are counted from the first one ever put in, and orders are given as such counts:
//!
//! - [`Writer::rest_after`] marks the sample after which silence is *intended*, so that the pause between two sentences is
//!   not mistaken for a writer that came too late;
//! - [`Writer::flush`] marks the sample before which everything is void, so that speech ends at once.
//!
//! [`Dial`] is what a third thread may turn: pause and volume.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use super::reference::Tap;

// Every number here has one writing side. Marks only grow, so a reader that sees a newer one than it should have acts on
// an order that was really given; nothing needs two of them to be read at the same moment.
#[derive(Debug)]
struct Shared {
    /// The sample count at which the reader may run dry, and the mark before that one.
    rest_at_samples: AtomicU64,
    former_rest_at_samples: AtomicU64,
    /// Samples before this count are not to be played.
    flush_before_samples: AtomicU64,
    /// Samples taken out so far, played or not.
    read_samples: AtomicU64,
    /// The count after the last sample that was played.
    played_samples: AtomicU64,
    /// How often the reader ran dry where it should not have.
    underruns: AtomicU64,
    is_paused: AtomicBool,
    /// The bits of an `f32`, a linear factor.
    volume: AtomicU32,
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
    prefill_samples: usize,
    tap: Option<Box<Tap>>,
}

/// Pause and volume, for any thread.
#[derive(Debug, Clone)]
pub struct Dial {
    shared: Arc<Shared>,
}

/// A ring that holds `capacity_samples` (at least 1).
pub fn ring(capacity_samples: usize) -> (Writer, Reader) {
    let (producer, consumer) = HeapRb::new(capacity_samples.max(1)).split();
    let shared = Arc::new(Shared {
        rest_at_samples: AtomicU64::new(0),
        former_rest_at_samples: AtomicU64::new(0),
        flush_before_samples: AtomicU64::new(0),
        read_samples: AtomicU64::new(0),
        played_samples: AtomicU64::new(0),
        underruns: AtomicU64::new(0),
        is_paused: AtomicBool::new(false),
        volume: AtomicU32::new(1f32.to_bits()),
    });
    (
        Writer { inner: producer, shared: shared.clone(), written_samples: 0 },
        Reader { inner: consumer, shared, read_samples: 0, prefill_samples: 0, tap: None },
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
        // The reader may still be on its way to the mark before; it must find one of the two whenever it looks.
        let former = self.shared.rest_at_samples.load(Ordering::Relaxed);
        self.shared.former_rest_at_samples.store(former, Ordering::Release);
        self.shared.rest_at_samples.store(self.written_samples + coming_samples as u64, Ordering::Release);
    }

    /// Makes everything that was put in so far void, and rests. The reader fades out and drops it.
    pub fn flush(&self) {
        self.rest_after(0);
        self.shared.flush_before_samples.store(self.written_samples, Ordering::Release);
    }

    /// Samples put in so far.
    pub fn written_samples(&self) -> u64 {
        self.written_samples
    }

    /// Samples the reader has taken so far, played or dropped.
    pub fn read_samples(&self) -> u64 {
        self.shared.read_samples.load(Ordering::Acquire)
    }

    /// Samples that are still to be played: void ones are not, whether or not the reader has dropped them yet.
    pub fn unplayed_samples(&self) -> u64 {
        let mark = self.shared.flush_before_samples.load(Ordering::Acquire);
        self.written_samples - self.read_samples().max(mark)
    }

    /// Whether the reader has yet to drop void samples.
    pub fn has_void_samples(&self) -> bool {
        self.shared.flush_before_samples.load(Ordering::Acquire) > self.read_samples()
    }

    /// The count after the last sample that was played. A flush leaves it where playing stopped.
    pub fn played_samples(&self) -> u64 {
        self.shared.played_samples.load(Ordering::Acquire)
    }

    /// How often the reader ran dry between rests.
    pub fn underruns(&self) -> u64 {
        self.shared.underruns.load(Ordering::Relaxed)
    }

    /// How many samples there is room for; at least, as the reader makes more.
    pub fn vacant_samples(&self) -> usize {
        self.inner.vacant_len()
    }

    /// How many samples it holds at most.
    pub fn capacity_samples(&self) -> usize {
        self.inner.capacity().get()
    }

    /// Whether the reader is gone.
    pub fn is_abandoned(&self) -> bool {
        !self.inner.read_is_held()
    }

    /// A handle to pause and volume.
    pub fn dial(&self) -> Dial {
        Dial { shared: self.shared.clone() }
    }
}

impl Dial {
    /// Whether the reader is to keep silent and keep its place.
    pub fn set_paused(&self, is_paused: bool) {
        self.shared.is_paused.store(is_paused, Ordering::Release);
    }

    /// As last set.
    pub fn is_paused(&self) -> bool {
        self.shared.is_paused.load(Ordering::Acquire)
    }

    /// The linear factor that the reader moves to; 1 changes nothing.
    pub fn set_volume(&self, factor: f32) {
        self.shared.volume.store(factor.to_bits(), Ordering::Relaxed);
    }

    /// As last set.
    pub fn volume(&self) -> f32 {
        f32::from_bits(self.shared.volume.load(Ordering::Relaxed))
    }
}

impl Reader {
    /// Lets playing begin only when there are so many samples, or the whole of a shorter utterance.
    pub fn with_prefill(mut self, prefill_samples: usize) -> Self {
        self.prefill_samples = prefill_samples.min(self.inner.capacity().get());
        self
    }

    /// Lets `tap` hear what is played.
    pub(super) fn with_tap(mut self, tap: Option<Tap>) -> Self {
        self.tap = tap.map(Box::new);
        self
    }

    /// What hears what is played.
    pub(super) fn tap(&mut self) -> Option<&mut Tap> {
        self.tap.as_deref_mut()
    }

    /// Fills the front of `out` with what there is and returns how many samples that was; they count as played. Never
    /// waits.
    pub fn pop(&mut self, out: &mut [f32]) -> usize {
        let count = self.inner.pop_slice(out);
        self.advance(count);
        if count > 0 {
            self.shared.played_samples.store(self.read_samples, Ordering::Release);
        }
        count
    }

    fn advance(&mut self, count: usize) {
        self.read_samples += count as u64;
        self.shared.read_samples.store(self.read_samples, Ordering::Release);
    }

    /// Samples taken so far, played or dropped.
    pub fn read_samples(&self) -> u64 {
        self.read_samples
    }

    /// How many of the next samples are void.
    pub fn void_samples(&self) -> usize {
        let mark = self.shared.flush_before_samples.load(Ordering::Acquire);
        mark.saturating_sub(self.read_samples) as usize
    }

    /// Drops the void samples, unplayed.
    pub fn drop_void(&mut self) {
        let count = self.inner.skip(self.void_samples());
        self.advance(count);
    }

    /// Takes everything out, unplayed, for a ring at rest between two devices. Allocates: not for the audio thread.
    pub fn drain(&mut self) -> Vec<f32> {
        self.drop_void();
        let samples: Vec<f32> = self.inner.pop_iter().collect();
        self.advance(samples.len());
        samples
    }

    /// Whether the writer has said that nothing follows the samples read so far.
    pub fn is_at_rest(&self) -> bool {
        let latest = self.shared.rest_at_samples.load(Ordering::Acquire);
        let former = self.shared.former_rest_at_samples.load(Ordering::Acquire);
        self.read_samples == latest || self.read_samples == former
    }

    /// Whether there is enough to begin with: the prefill, or an utterance that ends before it.
    pub fn may_begin(&self) -> bool {
        let count = self.inner.occupied_len();
        let is_whole = || self.shared.rest_at_samples.load(Ordering::Acquire) > self.read_samples;
        count > 0 && (count >= self.prefill_samples || is_whole())
    }

    /// Whether to keep silent.
    pub fn is_paused(&self) -> bool {
        self.shared.is_paused.load(Ordering::Acquire)
    }

    /// The linear factor to move to.
    pub fn volume(&self) -> f32 {
        f32::from_bits(self.shared.volume.load(Ordering::Relaxed))
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
        assert_eq!(writer.vacant_samples(), 0);
        assert_eq!(reader.pop(&mut out[..3]), 3);
        assert_eq!(writer.push(&[5.0, 6.0]), 2);
        assert_eq!(reader.pop(&mut out), 3);
        assert_eq!(&out[..3], [4.0, 5.0, 6.0]);
        assert_eq!((writer.written_samples(), writer.read_samples(), writer.played_samples()), (6, 6, 6));
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
        writer.rest_after(3);
        reader.pop(&mut out[..1]);
        assert!(reader.is_at_rest(), "the end of the first sentence, though the second's is known by now");
        writer.push(&[3.0, 4.0, 5.0]);
        reader.pop(&mut out[..1]);
        assert!(!reader.is_at_rest(), "more was said after the rest");
        reader.pop(&mut out);
        assert!(reader.is_at_rest());
    }

    #[test]
    fn a_flush_voids_what_was_written_and_nothing_else() {
        let (mut writer, mut reader) = ring(8);
        writer.push(&[1.0, 2.0, 3.0]);
        let mut out = [0.0; 8];
        reader.pop(&mut out[..1]);
        writer.flush();
        writer.push(&[4.0]);
        assert_eq!(reader.void_samples(), 2);
        reader.drop_void();
        assert_eq!((writer.read_samples(), writer.played_samples()), (3, 1), "dropped is not played");
        assert!(reader.is_at_rest());
        assert_eq!((reader.void_samples(), reader.pop(&mut out), out[0]), (0, 1, 4.0));
        writer.flush();
        assert_eq!(reader.void_samples(), 0, "an empty ring has nothing to void");
        assert_eq!(writer.played_samples(), 4);
    }

    #[test]
    fn begins_with_the_prefill_or_with_all_there_will_be() {
        let (mut writer, reader) = ring(8);
        let mut reader = reader.with_prefill(3);
        assert!(!reader.may_begin());
        writer.push(&[1.0, 2.0]);
        assert!(!reader.may_begin());
        writer.rest_after(0);
        assert!(reader.may_begin(), "two samples are all");
        assert_eq!(reader.drain(), [1.0, 2.0]);
        writer.push(&[1.0, 2.0]);
        assert!(!reader.may_begin(), "the old rest says nothing about the new samples");
        writer.push(&[3.0]);
        assert!(reader.may_begin());
    }

    #[test]
    fn each_side_sees_the_other_leave() {
        let (writer, reader) = ring(1);
        assert!(!writer.is_abandoned());
        drop(reader);
        assert!(writer.is_abandoned());
    }
}
