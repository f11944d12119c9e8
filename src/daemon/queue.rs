//! Who speaks next: priorities, interruptions, and turns between clients.
//!
//! No threads, no clock: [`Speaker`](super::Speaker) owns one.

use std::collections::{BTreeMap, BTreeSet};

/// The number of an utterance, from 1, in the order in which they were accepted.
pub type JobNumber = u64;

/// The number of a client of the loudspeaker.
pub type ClientNumber = u64;

/// Where an utterance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub job: JobNumber,
    /// Whose.
    pub client: ClientNumber,
    /// The greater, the sooner.
    pub priority: i32,
    /// Whether it goes before all others of its priority. Of two, the later one is first.
    pub is_urgent: bool,
}

/// What waits for its turn.
pub struct Queue<T> {
    waiting: Vec<(Place, T)>,
    /// When each client was last served, counted in turns.
    last_turns: BTreeMap<ClientNumber, u64>,
    turns: u64,
    /// Clients that will send nothing more.
    gone: BTreeSet<ClientNumber>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: Vec::new(), last_turns: BTreeMap::new(), turns: 0, gone: BTreeSet::new() }
    }
}

impl<T> Queue<T> {
    /// Puts an utterance where it belongs.
    pub fn push(&mut self, place: Place, item: T) {
        self.waiting.push((place, item));
    }

    /// Takes the one whose turn it is, of those that are ready: the highest priority; within it what is urgent, the
    /// latest first; then the client that has waited longest for a turn; of its own, the oldest.
    pub fn take_next(&mut self, is_ready: impl Fn(&T) -> bool) -> Option<(Place, T)> {
        let rank = |place: &Place| {
            let served = self.last_turns.get(&place.client).copied().unwrap_or(0);
            // The greatest is next.
            let urgency = if place.is_urgent { place.job } else { 0 };
            (place.priority, urgency, u64::MAX - served, u64::MAX - place.job)
        };
        let ready = self.waiting.iter().enumerate().filter(|(_, (_, item))| is_ready(item));
        let (index, _) = ready.max_by_key(|(_, (place, _))| rank(place))?;
        let (place, item) = self.waiting.remove(index);
        self.turns += 1;
        self.last_turns.insert(place.client, self.turns);
        self.forget_gone();
        Some((place, item))
    }

    /// A waiting utterance.
    pub fn get_mut(&mut self, job: JobNumber) -> Option<(Place, &mut T)> {
        self.waiting.iter_mut().find(|(place, _)| place.job == job).map(|(place, item)| (*place, item))
    }

    /// All that wait.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, &T)> {
        self.waiting.iter().map(|(place, item)| (place, item))
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Place, &mut T)> {
        self.waiting.iter_mut().map(|(place, item)| (*place, item))
    }

    /// Takes out all that `is_meant`, in the order in which they came.
    pub fn remove(&mut self, mut is_meant: impl FnMut(&Place, &T) -> bool) -> Vec<(Place, T)> {
        let removed = self.waiting.extract_if(.., |(place, item)| is_meant(place, item)).collect();
        self.forget_gone();
        removed
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many of a client's wait.
    pub fn len_of(&self, client: ClientNumber) -> usize {
        self.waiting.iter().filter(|(place, _)| place.client == client).count()
    }

    /// The client is gone. What it has left behind is still served.
    pub fn forget(&mut self, client: ClientNumber) {
        self.gone.insert(client);
        self.forget_gone();
    }

    fn forget_gone(&mut self) {
        let Self { waiting, last_turns, gone, .. } = self;
        gone.retain(|client| {
            let is_waiting = waiting.iter().any(|(place, _)| place.client == *client);
            if !is_waiting {
                last_turns.remove(client);
            }
            is_waiting
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(job: JobNumber, client: ClientNumber, priority: i32) -> Place {
        Place { job, client, priority, is_urgent: false }
    }

    fn order(queue: &mut Queue<()>) -> Vec<JobNumber> {
        std::iter::from_fn(|| queue.take_next(|()| true)).map(|(place, ())| place.job).collect()
    }

    #[test]
    fn clients_of_one_priority_take_turns_whoever_sent_more() {
        let mut queue = Queue::default();
        for (job, client) in [(1, 10), (2, 10), (3, 10), (4, 20), (5, 30), (6, 20)] {
            queue.push(place(job, client, 0), ());
        }
        assert_eq!(order(&mut queue), [1, 4, 5, 2, 6, 3]);
    }

    #[test]
    fn priority_comes_before_turns_and_the_latest_urgent_one_before_its_priority() {
        let mut queue = Queue::default();
        for (job, priority, is_urgent) in
            [(1, 0, false), (2, 5, false), (3, 0, true), (4, -1, true), (5, 0, true), (6, 5, false)]
        {
            queue.push(Place { is_urgent, ..place(job, 1, priority) }, ());
        }
        assert_eq!(order(&mut queue), [2, 6, 5, 3, 1, 4]);
    }

    #[test]
    fn what_is_not_ready_holds_up_nobody() {
        let mut queue = Queue::default();
        queue.push(place(1, 1, 9), false);
        queue.push(place(2, 2, 0), true);
        assert_eq!(queue.take_next(|ready| *ready).map(|(place, _)| place.job), Some(2));
        assert!(queue.take_next(|ready| *ready).is_none());
        *queue.get_mut(1).unwrap().1 = true;
        assert_eq!(queue.take_next(|ready| *ready).map(|(place, _)| place.job), Some(1));
    }

    #[test]
    fn the_memory_of_turns_goes_with_the_client() {
        let mut queue = Queue::default();
        for client in 0..100 {
            queue.push(place(client + 1, client, 0), ());
            if client % 2 == 0 {
                queue.take_next(|()| true).unwrap();
            }
            queue.forget(client);
        }
        assert_eq!(order(&mut queue).len(), 50);
        assert!(queue.last_turns.is_empty() && queue.gone.is_empty());
    }

    proptest! {
        /// Between two utterances of one client, no waiting client of the same priority is passed over.
        #[test]
        fn nobody_starves(clients in proptest::collection::vec(0u64..5, 1..60)) {
            let mut queue = Queue::default();
            for (job, client) in (1..).zip(&clients) {
                queue.push(place(job, *client, 0), ());
            }
            let mut last = BTreeMap::new();
            while let Some((served, ())) = queue.take_next(|()| true) {
                for (waiting, ()) in queue.iter() {
                    let theirs = last.get(&waiting.client).copied().unwrap_or(0);
                    let ours = last.get(&served.client).copied().unwrap_or(0);
                    prop_assert!(waiting.client == served.client || ours <= theirs);
                }
                last.insert(served.client, last.values().max().copied().unwrap_or(0) + 1);
            }
        }
    }
}
