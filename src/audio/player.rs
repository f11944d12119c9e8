//! A sink that plays through a ring: the same for a sound card and for one that is only imagined.

use std::sync::Arc;
use std::time::Duration;

use super::control::{Control, Progress, Steerable};
use super::feed::{Feed, Put};
use super::{AudioError, Played, Sink};

/// What empties the ring, as seen from the writing thread.
pub(super) trait Outlet: Send + Sync + 'static {
    /// Brings an outlet that lives on the callers' time up to now. A real device is always up to now.
    fn catch_up(&self) {}

    /// Waits for about `time` of sound to be taken from the ring, or until the feed's bell has rung since it had rung
    /// `seen` times.
    ///
    /// # Errors
    /// Nothing takes samples any more.
    fn wait(&self, feed: &Feed, seen: u64, time: Duration) -> Result<(), AudioError>;

    /// Waits for what was taken from the ring to be heard.
    fn wait_for_tail(&self);

    /// Nobody writes any more.
    fn close(&self) {}
}

/// The writing thread's end. Dropping it ends the outlet.
pub(super) struct Player<O: Outlet> {
    line: Arc<Line<O>>,
}

struct Line<O> {
    feed: Arc<Feed>,
    outlet: O,
}

impl<O: Outlet> Player<O> {
    pub(super) fn new(feed: Arc<Feed>, outlet: O) -> Self {
        Self { line: Arc::new(Line { feed, outlet }) }
    }

    /// Puts in all samples, waiting for room, unless a stop comes.
    fn put_all(&self, mut samples: &[f32]) -> Result<(), AudioError> {
        let Line { feed, outlet } = &*self.line;
        let stops = feed.stops();
        let mut is_announced = false;
        loop {
            // Before looking for room, so that no ring is missed.
            let seen = feed.bell.count();
            match feed.put(&mut samples, stops)? {
                Put::Done | Put::Stopped => break,
                Put::More => {}
                Put::Full(time) if is_announced => {
                    outlet.wait(feed, seen, time)?;
                    outlet.catch_up();
                }
                Put::Full(_) => {
                    feed.bell.ring();
                    is_announced = true;
                }
            }
        }
        feed.bell.ring();
        Ok(())
    }
}

impl<O: Outlet> Drop for Player<O> {
    fn drop(&mut self) {
        // Handles may keep the outlet itself alive for longer.
        self.line.outlet.close();
    }
}

impl<O: Outlet> Sink for Player<O> {
    fn write(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        self.line.outlet.catch_up();
        self.put_all(samples)
    }

    fn rest(&mut self) -> Result<(), AudioError> {
        self.line.outlet.catch_up();
        self.line.feed.rest()?;
        self.put_all(&[])
    }

    fn finish(mut self: Box<Self>) -> Result<Played, AudioError> {
        self.rest()?;
        let Line { feed, outlet } = &*self.line;
        loop {
            let seen = feed.bell.count();
            if feed.is_drained() {
                break;
            }
            outlet.wait(feed, seen, feed.time_to_drain())?;
            outlet.catch_up();
        }
        outlet.wait_for_tail();
        Ok(Played { underruns: feed.underruns() })
    }

    fn control(&self) -> Control {
        Control::new(self.line.clone())
    }
}

impl<O: Outlet> Steerable for Line<O> {
    fn stop(&self) {
        self.outlet.catch_up();
        self.feed.stop();
    }

    fn set_paused(&self, is_paused: bool) {
        self.outlet.catch_up();
        self.feed.set_paused(is_paused);
    }

    fn is_paused(&self) -> bool {
        self.feed.is_paused()
    }

    fn set_volume(&self, factor: f32) {
        self.outlet.catch_up();
        self.feed.set_volume(factor);
    }

    fn progress(&self) -> Progress {
        self.outlet.catch_up();
        self.feed.progress()
    }
}
