//! A place in the queue for the audio thread: real-time scheduling, where the system grants it.

/// Asks for first-in-first-out real-time scheduling of the current thread; whether it was granted. One system call, no
/// allocation. A thread that never waits must not ask: it would keep its core from everyone else.
#[cfg(unix)]
pub(super) fn make_current_thread_realtime(priority: u8) -> bool {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };
    let Ok(value) = ThreadPriorityValue::try_from(priority) else { return false };
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy).is_ok()
}

/// Elsewhere the sound system sees to it.
#[cfg(not(unix))]
pub(super) fn make_current_thread_realtime(_priority: u8) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use thread_priority::{RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    use super::*;

    #[test]
    fn what_it_says_was_granted_was_granted() {
        let (is_granted, policy) = std::thread::spawn(|| {
            let is_granted = make_current_thread_realtime(1);
            (is_granted, thread_schedule_policy().unwrap())
        })
        .join()
        .unwrap();
        let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
        assert_eq!(policy == fifo, is_granted);
        assert!(!make_current_thread_realtime(255), "there is no such priority");
    }
}
