//! The writing end of a ring, for every thread but the audio thread: rate conversion, stop, and the count of what was
//! heard.
//!
//! Nothing here waits. Each call locks for the time of one block, so that [`Feed::stop`] is never held up.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::AudioError;
use super::bell::{Bell, lock};
use super::control::Progress;
use super::convert::RateConverter;
use super::ring::{Dial, Reader, Writer, ring};
use super::timeline::Timeline;

/// How many of the voice's samples are converted under one lock.
const BLOCK_SAMPLES: usize = 1024;

/// The two rates and the ring between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FeedConfig {
    pub(super) voice_hz: u32,
    pub(super) device_hz: u32,
    pub(super) ring_ms: u32,
    pub(super) prefill_ms: u32,
}

pub(super) fn samples_of(duration_ms: u32, rate_hz: u32) -> u32 {
    (u64::from(duration_ms) * u64::from(rate_hz) / 1000).min(u64::from(u32::MAX)) as u32
}

pub(super) struct Feed {
    state: Mutex<State>,
    dial: Dial,
    voice_hz: u32,
    /// Rung whenever someone who waits may have something to do.
    pub(super) bell: Bell,
}

struct State {
    writer: Writer,
    device_hz: u32,
    converter: RateConverter,
    /// Converted samples for which the ring had no room, from `pushed` on.
    converted: Vec<f32>,
    pushed: usize,
    timeline: Timeline,
    stops: u64,
    is_resting: bool,
    /// Gaps that the ring does not know of.
    more_underruns: u64,
    loss: Option<Loss>,
}

/// There is no device to play on.
#[derive(Debug, Clone)]
// Only a device is lost and found.
#[cfg_attr(not(feature = "device"), allow(dead_code))]
pub(super) struct Loss {
    pub(super) since: Instant,
    pub(super) reason: String,
}

/// How an attempt to put samples in went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// All are in the ring, or soon will be.
    Done,
    /// There is more: try again.
    More,
    /// The ring is full; try again when it has so much room.
    Full(Duration),
    /// A stop has come; the samples are gone.
    Stopped,
}

// Some of this is only asked by a device.
#[cfg_attr(not(feature = "device"), allow(dead_code))]
impl Feed {
    /// A ring, and its reading end.
    ///
    /// # Errors
    /// The rates cannot be joined.
    pub(super) fn new(config: FeedConfig) -> Result<(Self, Reader), AudioError> {
        let FeedConfig { voice_hz, device_hz, ring_ms, prefill_ms } = config;
        let converter = RateConverter::new(voice_hz, device_hz)?;
        let (writer, reader) = ring(samples_of(ring_ms, device_hz) as usize);
        // A ring smaller than its prefill would never start.
        let reader = reader.with_prefill(samples_of(prefill_ms.min(ring_ms / 2), device_hz) as usize);
        let dial = writer.dial();
        let state = State {
            writer,
            device_hz,
            converter,
            converted: Vec::new(),
            pushed: 0,
            timeline: Timeline::new(voice_hz, device_hz),
            stops: 0,
            is_resting: true,
            more_underruns: 0,
            loss: None,
        };
        Ok((Self { state: Mutex::new(state), dial, voice_hz, bell: Bell::default() }, reader))
    }

    /// Stops so far: what a write hands to [`Feed::put`], so that it ends with the stop that comes while it waits.
    pub(super) fn stops(&self) -> u64 {
        lock(&self.state).stops
    }

    /// Puts in a block of `samples` and takes it off their front. To be repeated until it is done.
    ///
    /// # Errors
    /// The converter fails; a bug.
    pub(super) fn put(&self, samples: &mut &[f32], stops: u64) -> Result<Put, AudioError> {
        let mut state = lock(&self.state);
        if state.stops != stops {
            state.timeline.skip(samples.len());
            *samples = &[];
            return Ok(Put::Stopped);
        }
        if !state.push() {
            return Ok(Put::Full(state.time_for_room()));
        }
        if samples.is_empty() {
            return Ok(Put::Done);
        }
        let (block, rest) = samples.split_at(samples.len().min(BLOCK_SAMPLES));
        *samples = rest;
        let State { converter, converted, timeline, .. } = &mut *state;
        converter.push(block, converted)?;
        timeline.add(block.len());
        state.is_resting = false;
        let is_all = state.push() && samples.is_empty();
        Ok(if is_all { Put::Done } else { Put::More })
    }

    /// Says that nothing follows for now. What is still to be put in, [`Feed::put`] puts in.
    ///
    /// # Errors
    /// The converter fails; a bug.
    pub(super) fn rest(&self) -> Result<(), AudioError> {
        let mut state = lock(&self.state);
        let State { converter, converted, .. } = &mut *state;
        converter.flush(converted)?;
        state.writer.rest_after(state.converted.len() - state.pushed);
        state.is_resting = true;
        Ok(())
    }

    /// Makes everything that was written void and wakes a writer that waits.
    pub(super) fn stop(&self) {
        let mut state = lock(&self.state);
        state.writer.flush();
        state.converter.discard();
        state.converted.clear();
        state.pushed = 0;
        state.stops += 1;
        state.is_resting = true;
        let (ring_start, ring_hz) = (state.writer.written_samples(), state.device_hz);
        let voice_start = state.timeline.written_samples();
        let played = state.writer.played_samples();
        state.timeline.begin(ring_start, voice_start, ring_hz);
        state.timeline.forget_before(played);
        drop(state);
        self.bell.ring();
    }

    pub(super) fn set_paused(&self, is_paused: bool) {
        self.dial.set_paused(is_paused);
        self.bell.ring();
    }

    pub(super) fn is_paused(&self) -> bool {
        self.dial.is_paused()
    }

    pub(super) fn set_volume(&self, factor: f32) {
        self.dial.set_volume(factor);
    }

    /// Where writing and playing are.
    pub(super) fn progress(&self) -> Progress {
        let state = lock(&self.state);
        let written_samples = state.timeline.written_samples();
        let next = state.writer.written_samples() - state.writer.unplayed_samples();
        Progress {
            sample_rate_hz: self.voice_hz,
            written_samples,
            played_samples: state.timeline.sounded(state.writer.played_samples()),
            buffered_samples: Some(written_samples - state.timeline.next(next)),
            underruns: state.underruns(),
            is_idle: state.is_resting && state.is_drained(),
            is_lost: state.loss.is_some(),
        }
    }

    /// Whether every sample has been taken.
    pub(super) fn is_drained(&self) -> bool {
        lock(&self.state).is_drained()
    }

    /// The time until every sample in the ring has been taken.
    pub(super) fn time_to_drain(&self) -> Duration {
        let state = lock(&self.state);
        let unplayed = state.writer.unplayed_samples() + (state.converted.len() - state.pushed) as u64;
        state.duration_of(unplayed)
    }

    pub(super) fn underruns(&self) -> u64 {
        lock(&self.state).underruns()
    }

    /// Whether the audio thread has anything to do.
    pub(super) fn has_demand(&self) -> bool {
        let state = lock(&self.state);
        let may_play = !self.dial.is_paused() && !state.is_drained();
        may_play || state.writer.has_void_samples()
    }

    /// Puts into the ring what is converted already, as far as there is room.
    pub(super) fn top_up(&self) {
        lock(&self.state).push();
    }

    /// Gaps that were heard although the ring was not empty.
    pub(super) fn add_underruns(&self, count: u64) {
        lock(&self.state).more_underruns += count;
    }

    /// There is no device, or there is one again.
    pub(super) fn set_loss(&self, reason: Option<String>) {
        let mut state = lock(&self.state);
        let had_loss = state.loss.is_some();
        state.loss = reason.map(|reason| Loss {
            since: state.loss.as_ref().map_or_else(Instant::now, |loss| loss.since),
            reason,
        });
        let has_loss = state.loss.is_some();
        drop(state);
        if had_loss != has_loss {
            // A writer that waits must wait for something else now.
            self.bell.ring();
        }
    }

    pub(super) fn loss(&self) -> Option<Loss> {
        lock(&self.state).loss.clone()
    }

    /// Another device takes over, at its own rate: what the ring still holds is converted. No audio thread has the reader
    /// now.
    ///
    /// # Errors
    /// The rates cannot be joined; then nothing has changed.
    pub(super) fn change_rate(&self, reader: &mut Reader, device_hz: u32) -> Result<(), AudioError> {
        let mut state = lock(&self.state);
        if state.device_hz == device_hz {
            return Ok(());
        }
        let mut between = RateConverter::new(state.device_hz, device_hz)?;
        let converter = RateConverter::new(self.voice_hz, device_hz)?;
        let next = state.writer.written_samples() - state.writer.unplayed_samples();
        let voice_start = state.timeline.next(next);
        let mut left = reader.drain();
        left.extend_from_slice(&state.converted[state.pushed..]);
        state.converter.flush(&mut left)?;
        let mut converted = Vec::new();
        between.push(&left, &mut converted)?;
        between.flush(&mut converted)?;
        let ring_start = state.writer.written_samples();
        state.timeline.begin(ring_start, voice_start, device_hz);
        (state.converter, state.converted, state.pushed, state.device_hz) =
            (converter, converted, 0, device_hz);
        if state.is_resting {
            state.writer.rest_after(state.converted.len());
        }
        state.push();
        Ok(())
    }
}

impl State {
    /// Moves converted samples into the ring; `false` if some are left.
    fn push(&mut self) -> bool {
        self.pushed += self.writer.push(&self.converted[self.pushed..]);
        let is_all = self.pushed == self.converted.len();
        if is_all {
            self.converted.clear();
            self.pushed = 0;
        }
        is_all
    }

    /// How long the reader takes to make room: for what is left, but never so long that the ring runs low.
    fn time_for_room(&self) -> Duration {
        let left = self.converted.len() - self.pushed;
        self.duration_of(left.min(self.writer.capacity_samples() / 4).max(1) as u64)
    }

    fn duration_of(&self, ring_samples: u64) -> Duration {
        Duration::from_secs_f64(ring_samples as f64 / f64::from(self.device_hz))
    }

    fn underruns(&self) -> u64 {
        self.writer.underruns() + self.more_underruns
    }

    fn is_drained(&self) -> bool {
        self.pushed == self.converted.len() && self.writer.unplayed_samples() == 0
    }
}
