//! What an utterance cost.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Figures of an utterance, as `--stats json` prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// From the first text to the first samples; `None` if there were none.
    pub first_audio_ms: Option<f64>,
    /// Duration of the speech.
    pub audio_s: f64,
    /// Time spent computing it; waiting for the callback is not counted.
    pub synth_s: f64,
    /// The real-time factor: `synth_s / audio_s`; `None` without speech.
    pub rtf: Option<f64>,
    /// Phrases spoken.
    pub chunks: u64,
    /// The most memory that the process has used so far; `None` where the system does not tell.
    pub peak_rss_kb: Option<u64>,
    /// The voice's name.
    pub voice: String,
}

/// Collects the figures.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) started: Option<Instant>,
    first_audio: Option<Duration>,
    pub(super) computing: Duration,
    pub(super) samples: u64,
    pub(super) phrases: u64,
}

impl Meter {
    /// Text has come.
    pub(super) fn start(&mut self) -> Instant {
        let now = Instant::now();
        self.started.get_or_insert(now);
        now
    }

    /// Samples are ready to be handed out.
    pub(super) fn add_samples(&mut self, count: usize) {
        self.samples += count as u64;
        if let (None, Some(started), 1..) = (self.first_audio, self.started, count) {
            self.first_audio = Some(started.elapsed());
        }
    }

    pub(super) fn stats(&self, voice: &str, sample_rate_hz: u32) -> Stats {
        let audio_s = self.samples as f64 / f64::from(sample_rate_hz);
        let synth_s = self.computing.as_secs_f64();
        Stats {
            first_audio_ms: self.first_audio.map(|d| d.as_secs_f64() * 1e3),
            audio_s,
            synth_s,
            rtf: (audio_s > 0.0).then(|| synth_s / audio_s),
            chunks: self.phrases,
            peak_rss_kb: peak_rss_kb(),
            voice: voice.into(),
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
        assert_eq!(meter.stats("v", 100).rtf, None);
        meter.start();
        meter.add_samples(0);
        assert_eq!(meter.stats("v", 100).first_audio_ms, None);
        meter.add_samples(50);
        let first = meter.stats("v", 100).first_audio_ms;
        assert!(first.is_some());
        meter.add_samples(50);
        meter.computing = Duration::from_millis(250);
        let stats = meter.stats("v", 100);
        assert_eq!((stats.first_audio_ms, stats.audio_s, stats.rtf), (first, 1.0, Some(0.25)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_told() {
        let before = peak_rss_kb().unwrap();
        let block = vec![1u8; 32 << 20];
        assert!(peak_rss_kb().unwrap() >= before.max(block.len() as u64 >> 10));
    }
}
