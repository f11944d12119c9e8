//! What an utterance cost.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::compute::Compute;

/// Figures of an utterance, as `--stats json` prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// From the first text to the first samples; `None` if there were none.
    pub first_audio_ms: Option<f64>,
    /// Duration of the speech.
    pub audio_s: f64,
    /// Time in which it was being computed, on one thread or on several at once; waiting is not counted.
    pub synth_s: f64,
    /// The real-time factor: `synth_s / audio_s`; `None` without speech.
    pub rtf: Option<f64>,
    /// Phrases spoken.
    pub chunks: u64,
    /// The most memory that the process has used so far; `None` where the system does not tell.
    pub peak_rss_kb: Option<u64>,
    /// The voice's name.
    pub voice: String,
    /// What its vocoder computed on: `cpu`, `cuda:0`.
    pub compute: String,
}

/// Measures how long at least one thread was at work.
#[derive(Debug, Default)]
pub(super) struct BusyClock(Mutex<Busy>);

#[derive(Debug, Default)]
struct Busy {
    workers: u32,
    since: Option<Instant>,
    total: Duration,
}

impl BusyClock {
    fn state(&self) -> MutexGuard<'_, Busy> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts while `work` is done.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        {
            let mut busy = self.state();
            busy.workers += 1;
            busy.since.get_or_insert_with(Instant::now);
        }
        let made = work();
        let mut busy = self.state();
        busy.workers -= 1;
        if busy.workers == 0
            && let Some(since) = busy.since.take()
        {
            busy.total += since.elapsed();
        }
        made
    }

    pub fn total(&self) -> Duration {
        let busy = self.state();
        busy.total + busy.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Collects the figures.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub started: Option<Instant>,
    first_audio: Option<Duration>,
    pub samples: u64,
    pub phrases: u64,
}

impl Meter {
    /// Text has come.
    pub fn start(&mut self) {
        self.started.get_or_insert_with(Instant::now);
    }

    /// Samples are ready to be handed out.
    pub fn add_samples(&mut self, count: usize) {
        self.samples += count as u64;
        if let (None, Some(started), 1..) = (self.first_audio, self.started, count) {
            self.first_audio = Some(started.elapsed());
        }
    }

    pub fn stats(&self, computing: Duration, voice: &str, compute: Compute, sample_rate_hz: u32) -> Stats {
        let audio_s = self.samples as f64 / f64::from(sample_rate_hz);
        let synth_s = computing.as_secs_f64();
        Stats {
            first_audio_ms: self.first_audio.map(|d| d.as_secs_f64() * 1e3),
            audio_s,
            synth_s,
            rtf: (audio_s > 0.0).then(|| synth_s / audio_s),
            chunks: self.phrases,
            peak_rss_kb: peak_rss_kb(),
            voice: voice.into(),
            compute: compute.to_string(),
        }
    }
}

/// The most memory that this process has had resident, if the system tells.
pub fn peak_rss_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_audio_is_the_first_and_silence_has_no_factor() {
        let mut meter = Meter::default();
        let computing = Duration::from_millis(250);
        assert_eq!(meter.stats(computing, "v", Compute::Cpu, 100).rtf, None);
        meter.start();
        meter.add_samples(0);
        assert_eq!(meter.stats(computing, "v", Compute::Cpu, 100).first_audio_ms, None);
        meter.add_samples(50);
        let first = meter.stats(computing, "v", Compute::Cpu, 100).first_audio_ms;
        assert!(first.is_some());
        meter.add_samples(50);
        let stats = meter.stats(computing, "v", Compute::Cpu, 100);
        assert_eq!((stats.first_audio_ms, stats.audio_s, stats.rtf), (first, 1.0, Some(0.25)));
    }

    #[test]
    fn two_at_work_are_busy_once() {
        let clock = BusyClock::default();
        let start = Instant::now();
        let inner = clock.during(|| {
            clock.during(|| std::thread::sleep(Duration::from_millis(20)));
            // Not over: the outer work goes on.
            clock.total()
        });
        let whole = start.elapsed();
        assert!(inner >= Duration::from_millis(20) && clock.total() >= inner && clock.total() <= whole);
        let total = clock.total();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(clock.total(), total, "nobody works");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_told() {
        let before = peak_rss_kb().unwrap();
        let block = vec![1u8; 32 << 20];
        assert!(peak_rss_kb().unwrap() >= before.max(block.len() as u64 >> 10));
    }
}
