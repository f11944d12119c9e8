//! How threads that wait for each other are woken, without a wake-up being lost and without polling.
//!
//! Read [`Bell::count`], look whether there is something to do, and if not, [`Bell::wait`] for a ring since that count.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts its rings. Never touched by the audio thread.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

/// A lock whose data stay valid between any two statements: a panic elsewhere is no reason to fail here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bell {
    /// Rings so far.
    pub(super) fn count(&self) -> u64 {
        *lock(&self.rings)
    }

    /// Wakes everyone who waits.
    pub(super) fn ring(&self) {
        *lock(&self.rings) += 1;
        self.rung.notify_all();
    }

    /// Waits until it has rung since it had rung `seen` times, or the time is over; `None` waits for ever.
    pub(super) fn wait(&self, seen: u64, limit: Option<Duration>) {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut rings = lock(&self.rings);
        while *rings == seen {
            rings = match deadline {
                None => self.rung.wait(rings).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.rung.wait_timeout(rings, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let bell = Bell::default();
        let seen = bell.count();
        bell.ring();
        bell.wait(seen, None);
        assert_eq!(bell.count(), seen + 1);
    }

    #[test]
    fn wakes_another_thread_and_gives_up_in_time() {
        let bell = Arc::new(Bell::default());
        let seen = bell.count();
        let sleeper = thread::spawn({
            let bell = bell.clone();
            move || bell.wait(seen, None)
        });
        bell.ring();
        sleeper.join().unwrap();
        bell.wait(bell.count(), Some(Duration::from_millis(1)));
    }
}
