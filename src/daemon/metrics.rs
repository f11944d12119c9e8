//! Figures of the daemon, counted by whoever does the work, read by Prometheus.
//!
//! Atomics only: no count ever waits for another.

use std::fmt::{self, Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{Report, peak_rss_kb};

/// Upper bounds of the waits until the first sound: finest around what a listener takes for an instant answer.
const FIRST_AUDIO_BOUNDS_MS: [f64; 12] =
    [10.0, 20.0, 30.0, 40.0, 60.0, 80.0, 100.0, 150.0, 250.0, 500.0, 1000.0, 2500.0];
/// Upper bounds of real-time factors: above 1, a listener hears gaps.
const RTF_BOUNDS: [f64; 10] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0];
/// Sums are kept as whole millionths.
const FRACTION: f64 = 1e6;

/// A sum of positive numbers that may have fractions.
#[derive(Debug, Default)]
struct Sum(AtomicU64);

impl Sum {
    fn add(&self, value: f64) {
        // `as` maps NaN and what is negative to 0.
        self.0.fetch_add((value * FRACTION).round() as u64, Ordering::Relaxed);
    }

    fn get(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / FRACTION
    }
}

/// How often a value fell below each of some bounds.
#[derive(Debug)]
struct Histogram<const N: usize> {
    bounds: [f64; N],
    /// Values up to the bound and above the one before.
    counts: [AtomicU64; N],
    beyond: AtomicU64,
    sum: Sum,
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: [f64; N]) -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::new(0));
        Self { bounds, counts, beyond: AtomicU64::new(0), sum: Sum::default() }
    }

    fn add(&self, value: f64) {
        let place = self.bounds.iter().position(|bound| value <= *bound);
        place.map_or(&self.beyond, |i| &self.counts[i]).fetch_add(1, Ordering::Relaxed);
        self.sum.add(value);
    }

    /// `unit`: how many of the histogram's own are one of Prometheus's.
    fn write(&self, out: &mut String, name: &str, help: &str, unit: f64) -> fmt::Result {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram")?;
        let mut total = 0;
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            total += count.load(Ordering::Relaxed);
            writeln!(out, "{name}_bucket{{le=\"{}\"}} {total}", bound / unit)?;
        }
        total += self.beyond.load(Ordering::Relaxed);
        writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {total}")?;
        writeln!(out, "{name}_sum {}\n{name}_count {total}", self.sum.get() / unit)
    }
}

/// The daemon's figures since it started.
#[derive(Debug)]
pub struct Metrics {
    first_audio_ms: Histogram<{ FIRST_AUDIO_BOUNDS_MS.len() }>,
    rtf: Histogram<{ RTF_BOUNDS.len() }>,
    utterances: AtomicU64,
    cancelled: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    underruns: AtomicU64,
    characters: AtomicU64,
    audio_s: Sum,
    queue_length: AtomicU64,
    speaking: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            first_audio_ms: Histogram::new(FIRST_AUDIO_BOUNDS_MS),
            rtf: Histogram::new(RTF_BOUNDS),
            utterances: AtomicU64::default(),
            cancelled: AtomicU64::default(),
            failed: AtomicU64::default(),
            refused: AtomicU64::default(),
            underruns: AtomicU64::default(),
            characters: AtomicU64::default(),
            audio_s: Sum::default(),
            queue_length: AtomicU64::default(),
            speaking: AtomicU64::default(),
        }
    }
}

impl Metrics {
    /// The first samples of an utterance came so long after its first text.
    pub fn first_audio(&self, ms: f64) {
        self.first_audio_ms.add(ms);
    }

    /// An utterance took so many seconds of computing per second of sound.
    pub fn real_time_factor(&self, rtf: f64) {
        self.rtf.add(rtf);
    }

    /// The loudspeaker ran dry so many times more.
    pub fn underruns(&self, count: u64) {
        self.underruns.fetch_add(count, Ordering::Relaxed);
    }

    /// An utterance was ended before its end.
    pub fn cancelled(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    /// An utterance ended because the models or the sink failed.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused because too much was going on.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// So many characters of text were taken.
    pub fn characters(&self, count: u64) {
        self.characters.fetch_add(count, Ordering::Relaxed);
    }

    /// So much more sound was made.
    pub fn audio_seconds(&self, audio_s: f64) {
        self.audio_s.add(audio_s);
    }

    /// So many utterances wait for the loudspeaker now.
    pub fn queue_length(&self, count: u64) {
        self.queue_length.store(count, Ordering::Relaxed);
    }

    /// All figures in Prometheus's text format.
    pub fn to_prometheus(&self) -> String {
        let mut out = String::with_capacity(4096);
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.first_audio_ms.write(
            out,
            "fastglow_first_audio_seconds",
            "From the first text of an utterance to its first samples.",
            /* ms in a second */ 1e3,
        )?;
        let help = "Seconds of computing per second of sound, by utterance.";
        self.rtf.write(out, "fastglow_real_time_factor", help, 1.0)?;
        let counters = [
            ("utterances", "Utterances begun.", of(&self.utterances)),
            ("cancelled", "Utterances ended before their end.", of(&self.cancelled)),
            ("failed", "Utterances that the models or the output failed.", of(&self.failed)),
            ("refused", "Requests refused because too much was going on.", of(&self.refused)),
            ("underruns", "Times the loudspeaker ran dry in mid speech.", of(&self.underruns)),
            ("characters", "Characters of text taken.", of(&self.characters)),
        ];
        for (name, help, value) in counters {
            single(out, &format!("{name}_total"), "counter", help, value)?;
        }
        single(out, "audio_seconds_total", "counter", "Seconds of sound made.", self.audio_s.get())?;
        let help = "Utterances that wait for the loudspeaker.";
        single(out, "queue_length", "gauge", help, of(&self.queue_length))?;
        single(out, "speaking", "gauge", "Utterances being made.", of(&self.speaking))?;
        if let Some(bytes) = resident_bytes() {
            single(out, "resident_memory_bytes", "gauge", "Memory in use.", bytes)?;
        }
        if let Some(kb) = peak_rss_kb() {
            single(out, "peak_resident_memory_bytes", "gauge", "The most memory used so far.", kb << 10)?;
        }
        Ok(())
    }
}

fn single(out: &mut String, name: &str, kind: &str, help: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "# HELP fastglow_{name} {help}\n# TYPE fastglow_{name} {kind}\nfastglow_{name} {value}")
}

/// What of this process is in memory, if the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kb: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kb << 10)
}

/// Counts one utterance from its beginning. Dropped before [`UtteranceMeter::end`], it was cancelled.
#[derive(Debug)]
pub struct UtteranceMeter {
    metrics: Arc<Metrics>,
    sample_rate_hz: u32,
    samples: u64,
    has_ended: bool,
}

impl UtteranceMeter {
    /// An utterance begins.
    pub fn begin(metrics: Arc<Metrics>, sample_rate_hz: u32) -> Self {
        metrics.utterances.fetch_add(1, Ordering::Relaxed);
        metrics.speaking.fetch_add(1, Ordering::Relaxed);
        Self { metrics, sample_rate_hz: sample_rate_hz.max(1), samples: 0, has_ended: false }
    }

    /// Some more of its samples were made.
    pub fn samples(&mut self, count: usize) {
        self.samples += count as u64;
    }

    /// It has ended, and this is its report.
    pub fn end(&mut self, report: &crate::Result<Report>) {
        self.has_ended = true;
        if let Ok(report) = report {
            self.metrics.underruns(report.underruns);
        }
        match report {
            Ok(report) if report.is_cancelled => self.metrics.cancelled(),
            Ok(report) => {
                report.stats.first_audio_ms.into_iter().for_each(|ms| self.metrics.first_audio(ms));
                report.stats.rtf.into_iter().for_each(|rtf| self.metrics.real_time_factor(rtf));
            }
            Err(_) => self.metrics.failed(),
        }
    }
}

impl Drop for UtteranceMeter {
    fn drop(&mut self) {
        self.metrics.audio_seconds(self.samples as f64 / f64::from(self.sample_rate_hz));
        self.metrics.speaking.fetch_sub(1, Ordering::Relaxed);
        if !self.has_ended {
            self.metrics.cancelled();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> f64 {
        let prefix = format!("{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
    }

    #[test]
    fn a_histogram_counts_up_to_each_bound() {
        let metrics = Metrics::default();
        for ms in [10.0, 10.5, 41.0, 9000.0] {
            metrics.first_audio(ms);
        }
        let text = metrics.to_prometheus();
        let bucket = |le: &str| value(&text, &format!("fastglow_first_audio_seconds_bucket{{le=\"{le}\"}}"));
        let buckets = ["0.01", "0.02", "0.04", "0.06", "2.5", "+Inf"].map(bucket);
        assert_eq!(buckets, [1.0, 2.0, 2.0, 3.0, 3.0, 4.0]);
        assert_eq!(value(&text, "fastglow_first_audio_seconds_count"), 4.0);
        assert!((value(&text, "fastglow_first_audio_seconds_sum") - 9.0615).abs() < 1e-9);
    }

    #[test]
    fn every_figure_has_a_help_and_a_type_and_a_number() {
        let metrics = Metrics::default();
        metrics.underruns(3);
        metrics.refused();
        metrics.characters(12);
        metrics.audio_seconds(0.25);
        metrics.audio_seconds(0.5);
        metrics.queue_length(7);
        metrics.queue_length(2);
        metrics.real_time_factor(f64::NAN);
        let text = metrics.to_prometheus();
        assert_eq!(value(&text, "fastglow_underruns_total"), 3.0);
        assert_eq!(value(&text, "fastglow_refused_total"), 1.0);
        assert_eq!(value(&text, "fastglow_characters_total"), 12.0);
        assert_eq!(value(&text, "fastglow_audio_seconds_total"), 0.75);
        assert_eq!(value(&text, "fastglow_queue_length"), 2.0);
        assert_eq!(value(&text, "fastglow_real_time_factor_sum"), 0.0, "what is no number adds nothing");
        if cfg!(target_os = "linux") {
            assert!(value(&text, "fastglow_resident_memory_bytes") > 1e6);
        }
        let (mut helps, mut types) = (0, 0);
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["#", "HELP", name, _, ..] if name.starts_with("fastglow_") => helps += 1,
                ["#", "TYPE", _, "counter" | "gauge" | "histogram"] => types += 1,
                [name, number] => {
                    assert!(name.starts_with("fastglow_"), "{line}");
                    assert!(number.parse::<f64>().unwrap().is_finite(), "{line}");
                }
                _ => panic!("{line}"),
            }
        }
        assert!(helps == types && helps > 10);
    }

    #[test]
    fn an_utterance_that_is_dropped_was_cancelled() {
        let metrics = Arc::new(Metrics::default());
        let mut meter = UtteranceMeter::begin(metrics.clone(), 100);
        meter.samples(50);
        assert_eq!(value(&metrics.to_prometheus(), "fastglow_speaking"), 1.0);
        drop(meter);
        let mut failing = UtteranceMeter::begin(metrics.clone(), 100);
        failing.end(&Err(crate::engine::JobError::Ended.into()));
        drop(failing);
        let text = metrics.to_prometheus();
        let counts = ["utterances_total", "cancelled_total", "failed_total", "speaking"];
        let counts = counts.map(|name| value(&text, &format!("fastglow_{name}")));
        assert_eq!(counts, [2.0, 1.0, 1.0, 0.0]);
        assert_eq!(value(&text, "fastglow_audio_seconds_total"), 0.5);
    }
}
