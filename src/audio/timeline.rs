//! Which of the voice's samples a place in the ring belongs to.
//!
//! The ring counts samples at the device's rate; the engine's word marks count the voice's. What a stop cut off was never
//! in the ring, so the two counts also shift against each other.

use std::collections::VecDeque;

/// From here on, ring and voice advance at a fixed ratio.
#[derive(Debug, Clone, Copy)]
struct Segment {
    ring_start: u64,
    voice_start: u64,
    ring_hz: u32,
}

/// Kept by the thread that writes; no audio thread reads it.
#[derive(Debug)]
pub(super) struct Timeline {
    voice_hz: u32,
    written_samples: u64,
    /// In order; never empty but for the moment inside [`Timeline::begin`].
    segments: VecDeque<Segment>,
    last: Segment,
}

impl Timeline {
    /// At the start of both counts.
    pub(super) fn new(voice_hz: u32, ring_hz: u32) -> Self {
        let last = Segment { ring_start: 0, voice_start: 0, ring_hz };
        Self { voice_hz, written_samples: 0, segments: VecDeque::new(), last }
    }

    /// The voice's samples so far.
    pub(super) fn written_samples(&self) -> u64 {
        self.written_samples
    }

    /// Counts samples that go towards the ring.
    pub(super) fn add(&mut self, voice_samples: usize) {
        self.written_samples += voice_samples as u64;
    }

    /// Counts samples that do not: the ring's next sample comes after them.
    pub(super) fn skip(&mut self, voice_samples: usize) {
        self.written_samples += voice_samples as u64;
        self.last.voice_start = self.written_samples;
    }

    /// The ring's sample `ring_start` will be the voice's `voice_start`. Places before `played` are not asked for again.
    pub(super) fn begin(&mut self, ring_start: u64, voice_start: u64, ring_hz: u32) {
        if self.last.ring_start < ring_start {
            self.segments.push_back(self.last);
        }
        self.last = Segment { ring_start, voice_start, ring_hz };
    }

    /// Forgets what nobody will ask for any more: all before the segment in which `ring_position` was reached.
    pub(super) fn forget_before(&mut self, ring_position: u64) {
        while self.start_after_first() < ring_position && self.segments.pop_front().is_some() {}
    }

    fn start_after_first(&self) -> u64 {
        match (self.segments.len(), self.segments.get(1)) {
            (0, _) => u64::MAX,
            (_, Some(second)) => second.ring_start,
            (_, None) => self.last.ring_start,
        }
    }

    /// How many of the voice's samples have sounded when the ring's sample before `ring_position` has.
    pub(super) fn sounded(&self, ring_position: u64) -> u64 {
        self.find(|segment| segment.ring_start < ring_position, ring_position)
    }

    /// Which of the voice's samples comes next when the ring is at `ring_position`.
    pub(super) fn next(&self, ring_position: u64) -> u64 {
        self.find(|segment| segment.ring_start <= ring_position, ring_position)
    }

    /// In the last segment that qualifies.
    fn find(&self, qualifies: impl Fn(&Segment) -> bool, ring_position: u64) -> u64 {
        let mut limit = self.written_samples;
        let mut found = self.segments.front().unwrap_or(&self.last);
        for segment in std::iter::once(&self.last).chain(self.segments.iter().rev()) {
            found = segment;
            if qualifies(segment) {
                break;
            }
            limit = segment.voice_start;
        }
        let advanced = u128::from(ring_position.saturating_sub(found.ring_start));
        let voice = advanced * u128::from(self.voice_hz) / u128::from(found.ring_hz.max(1));
        // The converter rounds lengths up.
        (found.voice_start + voice as u64).min(limit.max(found.voice_start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_holds_and_the_end_is_the_end() {
        let mut timeline = Timeline::new(22_050, 48_000);
        timeline.add(22_050);
        assert_eq!(
            (timeline.sounded(0), timeline.sounded(24_000), timeline.sounded(48_000)),
            (0, 11_025, 22_050)
        );
        assert_eq!(timeline.sounded(48_001), 22_050, "rounded up, but no more was written");
    }

    #[test]
    fn after_a_cut_the_place_stays_until_something_new_sounds() {
        let mut timeline = Timeline::new(100, 200);
        timeline.add(50);
        // Stopped with 80 of 100 ring samples written; 20 voice samples more were refused.
        timeline.begin(80, 50, 200);
        timeline.skip(20);
        assert_eq!(timeline.sounded(60), 30);
        assert_eq!((timeline.sounded(80), timeline.next(80)), (40, 70));
        timeline.add(10);
        assert_eq!(timeline.sounded(90), 75);
        timeline.forget_before(60);
        assert_eq!(timeline.sounded(60), 30);
        timeline.forget_before(90);
        assert_eq!((timeline.segments.len(), timeline.sounded(100)), (0, 80));
    }

    #[test]
    fn a_cut_never_reports_more_than_what_was_cut_off() {
        let mut timeline = Timeline::new(1000, 333);
        timeline.add(10);
        timeline.begin(4, 10, 333);
        timeline.add(10);
        assert_eq!(timeline.sounded(4), 10, "4 ring samples would be 12");
        assert_eq!(timeline.sounded(5), 13);
    }

    #[test]
    fn cuts_without_samples_leave_one_segment() {
        let mut timeline = Timeline::new(100, 100);
        timeline.add(5);
        for _ in 0..1000 {
            timeline.begin(5, 5, 100);
        }
        assert_eq!(timeline.segments.len(), 1);
        // A device of another rate takes over in the middle.
        timeline.begin(5, 3, 50);
        assert_eq!((timeline.next(5), timeline.next(6)), (3, 5));
    }
}
