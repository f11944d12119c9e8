//! Months of a daemon in minutes: many clients on the real socket, interrupted, killed, paused; voices replaced under them; the
//! sound card unplugged and plugged in again. Every accepted utterance must end with exactly one last event.
//!
//! ```sh
//! MALLOC_ARENA_MAX=1 cargo run --release --example soak -- 5000 600    # utterances, seconds; memory as `fastglow serve` has it
//! ```
//!
//! The card is an imagined one that plays sixteen times as fast as a real one, through the same code.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use fastglow::audio::{SinkConfig, open_on};
use fastglow::daemon::{
    Limits, LoudspeakerConfig, Metrics, OpenLoudspeaker, Settings, Shared, Speaker, Voices, socket,
};
use fastglow::voice::SearchPath;
use serde_json::{Value, json};
use test_host::{Bench, Model};

#[allow(dead_code)]
#[path = "../src/audio/device/test_host.rs"]
mod test_host;

const CARD: &str = "card";
const RATE_HZ: u32 = 22_050;
const TIMES_REAL: u32 = 16;
const CLIENTS: u64 = 8;
const TEXTS: [&str; 6] = [
    "Yes.",
    "No.",
    "Ready.",
    "Mind the gap.",
    "Floor 12.",
    "One two three four five six seven eight nine ten, and once more from one to ten.",
];

fn main() {
    let number =
        |at: usize, usual| std::env::args().nth(at).map_or(usual, |text| text.parse().expect("a number"));
    let (utterances, seconds) = (number(1, 5000), number(2, 600));
    let folder = tempfile::tempdir().expect("a folder");
    let voice = folder.path().join("voice.gguf");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("voices/en-us-slt.gguf");
    std::fs::copy(shipped, &voice).expect("the voice");
    let voices = Arc::new(Voices::new(SearchPath::new(vec![folder.path().into()]), "voice", 2));

    let card = Bench::default();
    plug(&card);
    let on_card = card.clone();
    let open: OpenLoudspeaker = Box::new(move |config| {
        let card = on_card.clone();
        open_on(move || card.host(), config)
    });
    let sink = SinkConfig { idle_ms: 500, realtime_priority: None, ..SinkConfig::default() };
    let config = LoudspeakerConfig { sink, lead_in_ms: 20, ..LoudspeakerConfig::default() };
    let limits = Limits { connections: 64, queued_jobs: 32, queued_jobs_per_client: 6, ..Limits::default() };
    let metrics = Arc::<Metrics>::default();
    let deps = (limits.clone(), metrics.clone());
    let speaker = Speaker::start_with(open, voices.clone(), config, deps).expect("a loudspeaker");
    let settings = Settings { limits, ..Settings::default() };
    let shared = Arc::new(Shared::new(voices.clone(), Some(speaker.clone()), metrics, settings));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let path = folder.path().join("s");
    let listener = runtime.block_on(async { socket::bind(&path) }).expect("a socket");
    runtime.spawn(socket::run(listener, shared, std::future::pending::<()>()));

    let run = Arc::new(Run { is_over: AtomicBool::new(false), ..Run::default() });
    let playing = std::thread::spawn({
        let (card, run) = (card.clone(), run.clone());
        move || turn(&card, &run)
    });
    let begun = Instant::now();
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|seed| {
            let client = Soaker { path: path.clone(), run: run.clone(), seed: seed * 7919 };
            let share = utterances / CLIENTS + u64::from(seed <= utterances % CLIENTS);
            std::thread::spawn(move || client.work(share, Duration::from_secs(seconds)))
        })
        .collect();

    let (mut rss, mut stalled, mut unplugged, mut reloads) = (Vec::new(), Duration::ZERO, 0u64, 0u64);
    let mut second = 0u64;
    while clients.iter().any(|client| !client.is_finished()) {
        std::thread::sleep(Duration::from_secs(1));
        second += 1;
        stalled = stalled.max(speaker.stalled_for());
        if second.is_multiple_of(7) {
            // Replaced by itself, with another time: loaded anew.
            let file = std::fs::File::options().write(true).open(&voice).expect("the voice");
            file.set_modified(SystemTime::now()).expect("a time");
            let (new, failed) = voices.reload_replaced();
            assert!(failed.is_empty(), "{failed:?}");
            reloads += new.len() as u64;
        }
        if second.is_multiple_of(11) {
            card.unplug(CARD);
            if card.is_open() {
                card.fail(cpal::ErrorKind::DeviceNotAvailable);
            }
            std::thread::sleep(Duration::from_millis(300));
            plug(&card);
            unplugged += 1;
        }
        if second.is_multiple_of(5) {
            rss.push((begun.elapsed().as_secs_f64(), rss_kb()));
        }
        if second.is_multiple_of(60) {
            eprintln!("{second} s: {:?}, {} kB", speaker.status().tally, rss_kb());
        }
    }
    for client in clients {
        client.join().expect("a client");
    }
    speaker.resume();
    while speaker.status().speaking.is_some() || speaker.status().queued_jobs > 0 {
        std::thread::sleep(Duration::from_millis(10));
        assert!(speaker.stalled_for() < Duration::from_secs(60), "stuck");
    }
    let wall_s = begun.elapsed().as_secs_f64();
    speaker.close();
    run.is_over.store(true, Ordering::Relaxed);
    playing.join().expect("the card");
    let tally = speaker.status().tally;
    // The first half warms up: every voice, path and buffer has been used once.
    let settled = &rss[rss.len() / 2..];
    let figures = json!({
        "wall_s": wall_s,
        "accepted": tally.accepted, "spoken": tally.spoken, "cancelled": tally.cancelled,
        "failed": tally.failed, "audio_s": tally.audio_ms as f64 / 1e3, "underruns": tally.underruns,
        "refused": run.refused.load(Ordering::Relaxed), "clients_killed": run.killed.load(Ordering::Relaxed),
        "events_checked": run.checked.load(Ordering::Relaxed),
        "voice_reloads": reloads, "unplugged": unplugged, "longest_stall_s": stalled.as_secs_f64(),
        "rss_first_kb": settled.first().map(|point| point.1), "rss_last_kb": settled.last().map(|point| point.1),
        "rss_slope_kb_per_minute": slope(settled) * 60.0,
    });
    println!("{figures}");
    assert_eq!(tally.accepted, tally.spoken + tally.cancelled, "each one has ended, once");
    assert!(tally.accepted >= utterances);
}

#[derive(Default)]
struct Run {
    is_over: AtomicBool,
    refused: AtomicU64,
    killed: AtomicU64,
    checked: AtomicU64,
}

fn plug(card: &Bench) {
    card.plug(CARD, Model { rate_hz: RATE_HZ, ..Model::default() });
}

/// What the card's clock does.
fn turn(card: &Bench, run: &Run) {
    const PERIOD: Duration = Duration::from_millis(10);
    let frames = RATE_HZ as usize / 100 * TIMES_REAL as usize;
    let mut due = Instant::now();
    while !run.is_over.load(Ordering::Relaxed) {
        card.turn(frames);
        due += PERIOD;
        match due.checked_duration_since(Instant::now()) {
            Some(time) => std::thread::sleep(time),
            None => due = Instant::now(),
        }
    }
}

fn rss_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Of the line through these points that is nearest to them.
fn slope(points: &[(f64, u64)]) -> f64 {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1 as f64).sum::<f64>() / count;
    let both: f64 = points.iter().map(|point| (point.0 - mean_x) * (point.1 as f64 - mean_y)).sum();
    both / points.iter().map(|point| (point.0 - mean_x).powi(2)).sum::<f64>()
}

/// A client that does as it likes.
struct Soaker {
    path: PathBuf,
    run: Arc<Run>,
    seed: u64,
}

impl Soaker {
    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below
    }

    /// Has so many utterances accepted, spread over this time.
    fn work(mut self, utterances: u64, time: Duration) {
        let begun = Instant::now();
        let mut line = Line::connect(&self.path);
        let mut accepted = 0;
        while accepted < utterances {
            let due = begun + time.mul_f64(accepted as f64 / utterances as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let text = TEXTS[self.random(TEXTS.len() as u64) as usize];
            let urgent = ["say", "now"][usize::from(self.random(4) == 0)];
            let more = self.random(8) == 0;
            let request = json!({ "do": urgent, "text": text, "more": more, "priority": self.random(3) });
            let answer = line.ask(&request);
            if answer["ok"] == false {
                self.run.refused.fetch_add(1, Ordering::Relaxed);
                assert_eq!(answer["code"], "queue_full", "{answer}");
                std::thread::sleep(Duration::from_millis(self.random(50)));
                continue;
            }
            accepted += 1;
            let job = answer["job"].clone();
            line.jobs.push(job.clone());
            if more {
                line.ask(&json!({ "do": "append", "job": job, "text": " And so." }));
                line.ask(&json!({ "do": "finish", "job": job }));
            }
            match self.random(30) {
                0 => drop(line.ask(&json!({ "do": "stop" }))),
                1 => drop(line.ask(&json!({ "do": "skip" }))),
                2 => {
                    line.ask(&json!({ "do": "pause" }));
                    std::thread::sleep(Duration::from_millis(self.random(100)));
                    line.ask(&json!({ "do": "resume" }));
                }
                3 => {
                    // In the midst of a request.
                    let _ = line.to.write_all(b"{\"do\":\"say\",\"te");
                    self.run.killed.fetch_add(1, Ordering::Relaxed);
                    line = Line::connect(&self.path);
                }
                4 => {
                    self.run.checked.fetch_add(line.all_ended(), Ordering::Relaxed);
                    line = Line::connect(&self.path);
                }
                _ => {}
            }
        }
        self.run.checked.fetch_add(line.all_ended(), Ordering::Relaxed);
    }
}

struct Line {
    from: BufReader<UnixStream>,
    to: UnixStream,
    jobs: Vec<Value>,
    lasts: Vec<Value>,
}

impl Line {
    fn connect(path: &Path) -> Self {
        let to = UnixStream::connect(path).expect("the daemon");
        to.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
        let from = BufReader::new(to.try_clone().expect("a socket"));
        let mut line = Self { from, to, jobs: Vec::new(), lasts: Vec::new() };
        assert_eq!(line.read()["protocol"], 1);
        line
    }

    fn read(&mut self) -> Value {
        let mut text = String::new();
        self.from.read_line(&mut text).expect("an answer in time");
        let line: Value = serde_json::from_str(&text).expect("JSON");
        if matches!(line["event"].as_str(), Some("end" | "cancelled")) {
            self.lasts.push(line["job"].clone());
        }
        line
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.to.write_all(format!("{request}\n").as_bytes()).expect("a listening daemon");
        loop {
            let line = self.read();
            if line.get("event").is_none() {
                return line;
            }
        }
    }

    /// Waits until each of its utterances has ended; each does once.
    fn all_ended(mut self) -> u64 {
        while self.lasts.len() < self.jobs.len() {
            self.read();
        }
        self.lasts.sort_by_key(Value::as_u64);
        self.jobs.sort_by_key(Value::as_u64);
        assert_eq!(self.lasts, self.jobs);
        self.jobs.len() as u64
    }
}
