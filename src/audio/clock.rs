//! Time for sinks without a device: the machine's, or one that a test turns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::bell::Bell;

/// A clock. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    System,
    Simulated(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's.
    pub fn system() -> Self {
        Self { kind: Kind::System }
    }

    /// One that stands still until [`Clock::advance`], and jumps ahead when someone waits: hours pass in no time, and
    /// always alike.
    pub fn simulated() -> Self {
        Self { kind: Kind::Simulated(Arc::default()) }
    }

    /// Lets time pass, as if something were computed: for a simulated clock only.
    pub fn advance(&self, duration: Duration) {
        if let Kind::Simulated(now_ns) = &self.kind {
            now_ns.fetch_add(nanoseconds(duration), Ordering::AcqRel);
        }
    }

    /// Time since some fixed moment.
    pub fn now(&self) -> Duration {
        match &self.kind {
            Kind::System => {
                static START: OnceLock<Instant> = OnceLock::new();
                START.get_or_init(Instant::now).elapsed()
            }
            Kind::Simulated(now_ns) => Duration::from_nanos(now_ns.load(Ordering::Acquire)),
        }
    }

    /// Waits until `then`, or until the bell has rung since it had rung `seen` times.
    pub(super) fn wait_until(&self, then: Duration, bell: &Bell, seen: u64) {
        match &self.kind {
            Kind::System => bell.wait(seen, Some(then.saturating_sub(self.now()))),
            Kind::Simulated(now_ns) => {
                now_ns.fetch_max(nanoseconds(then), Ordering::AcqRel);
            }
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().min(u128::from(u64::MAX)) as u64
}
