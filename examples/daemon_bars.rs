//! What the daemon promises, measured on the running program:
//!
//! ```sh
//! cargo run --release --example daemon_bars -- target/release/fastglow
//! ```
//!
//! First byte over HTTP on an idle daemon; sixteen HTTP clients beside one that speaks through the (silent, real-time)
//! loudspeaker; the end in mid speech; a restart after a kill in mid speech.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const SHORT: &str = "The door is now open.";
const LONG: &str =
    "One two three four five six seven eight nine ten. And then again from one to ten, and once more. ";
const CLIENTS: usize = 16;
const BUSY: Duration = Duration::from_secs(30);

fn main() {
    let program = PathBuf::from(std::env::args().nth(1).expect("the path of the program"));
    let daemon = Daemon::start(&program);
    let mut first_ms: Vec<f64> = (0..220).map(|_| daemon.first_byte().as_secs_f64() * 1e3).collect();
    // The first ones wake everything up.
    let mut first_ms = first_ms.split_off(20);
    first_ms.sort_by(f64::total_cmp);
    let at = |part: f64| first_ms[((first_ms.len() - 1) as f64 * part).round() as usize];
    println!("{}", json!({ "first_byte_ms": { "median": at(0.5), "p95": at(0.95), "most": at(1.0) } }));
    println!("{}", daemon.many_clients());
    drop(daemon);

    let mut end_ms: Vec<f64> =
        (0..20).map(|_| Daemon::start(&program).terminate().as_secs_f64() * 1e3).collect();
    end_ms.sort_by(f64::total_cmp);
    println!("{}", json!({ "sigterm_in_mid_speech_ms": { "median": end_ms[10], "most": end_ms[19] } }));

    let mut daemon = Daemon::start(&program);
    for _ in 0..5 {
        daemon.begin_to_speak();
        daemon.child.kill().expect("to kill it");
        daemon.child.wait().expect("its end");
        daemon.child = daemon.spawn(&program);
        daemon.await_socket();
    }
    daemon.begin_to_speak();
    println!("{}", json!({ "killed_and_restarted": 5 }));
}

struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
}

impl Daemon {
    fn start(program: &PathBuf) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("a port").to_string();
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "[loudspeaker]\nsink = \"null\"\n[socket]\npath = \"s\"\n[http]\naddress = \"{address}\"\n"
        );
        std::fs::write(folder.path().join("a.toml"), config).expect("a file");
        let child = Self::spawn_in(program, &folder);
        let daemon = Self { child, folder, address };
        daemon.await_socket();
        daemon
    }

    fn spawn_in(program: &PathBuf, folder: &tempfile::TempDir) -> Child {
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(folder.path().join("a.toml")).stdin(Stdio::null());
        command.spawn().expect("the daemon")
    }

    fn spawn(&self, program: &PathBuf) -> Child {
        Self::spawn_in(program, &self.folder)
    }

    fn await_socket(&self) {
        let begun = Instant::now();
        // The last listener that it opens.
        while UnixStream::connect(self.folder.path().join("s")).is_err()
            || TcpStream::connect(&self.address).is_err()
        {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn request(&self, head: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("the daemon");
        stream.set_nodelay(true).expect("a socket");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes()).expect("a listening daemon");
        stream
    }

    /// From the beginning of the connection to the first bytes of sound.
    fn first_byte(&self) -> Duration {
        let begun = Instant::now();
        let body = json!({ "input": SHORT, "response_format": "pcm" });
        let mut from = BufReader::new(self.request("POST /v1/audio/speech", &body));
        let mut line = String::new();
        from.read_line(&mut line).expect("an answer");
        assert!(line.contains(" 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            from.read_line(&mut line).expect("a head");
        }
        // The chunk's length, then its bytes.
        from.read_line(&mut line).expect("a chunk");
        from.read_exact(&mut [0; 2]).expect("a sample");
        let time = begun.elapsed();
        from.read_to_end(&mut Vec::new()).expect("the rest");
        time
    }

    fn figure(&self, name: &str) -> f64 {
        let mut text = String::new();
        self.request("GET /metrics", &Value::Null).read_to_string(&mut text).expect("figures");
        let found = text.lines().find_map(|line| line.strip_prefix(&format!("fastglow_{name} ")));
        found.and_then(|value| value.parse().ok()).expect("a figure")
    }

    fn many_clients(&self) -> Value {
        let mut line = self.begin_to_speak();
        let begun = Instant::now();
        let bytes: usize = std::thread::scope(|scope| {
            let client = || {
                let mut bytes = 0;
                while begun.elapsed() < BUSY {
                    let body = json!({ "input": LONG.repeat(20), "response_format": "pcm" });
                    let mut answer = Vec::new();
                    self.request("POST /v1/audio/speech", &body).read_to_end(&mut answer).expect("sound");
                    assert!(
                        answer.starts_with(b"HTTP/1.1 200"),
                        "{}",
                        String::from_utf8_lossy(&answer[..64])
                    );
                    bytes += answer.len();
                }
                bytes
            };
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().expect("a client")).sum()
        });
        let wall_s = begun.elapsed().as_secs_f64();
        line.ask(&json!({ "do": "stop", "all": true }));
        // What was cut off is counted when it has ended.
        let status = loop {
            let status = line.ask(&json!({ "do": "status" }))["status"].clone();
            if status["speaking"].is_null() {
                break status;
            }
        };
        // 16 bits, mono; heads and lengths of chunks are less than a hundredth.
        let audio_s = bytes as f64 / 2.0 / 22_050.0;
        json!({
            "clients": CLIENTS, "wall_s": wall_s, "http_audio_s": audio_s,
            "aggregate_real_time_factor": wall_s / audio_s,
            "loudspeaker": status["tally"],
            "underruns": self.figure("underruns_total"),
        })
    }

    /// A client that has the loudspeaker speaking for minutes.
    fn begin_to_speak(&self) -> Line {
        let to = UnixStream::connect(self.folder.path().join("s")).expect("the daemon");
        let from = BufReader::new(to.try_clone().expect("a socket"));
        let mut line = Line { from, to };
        line.read();
        for _ in 0..8 {
            assert_eq!(line.ask(&json!({ "do": "say", "text": LONG.repeat(10) }))["ok"], true);
        }
        while line.read()["event"] != "word" {}
        line
    }

    /// Asks it to end in mid speech; how long it took.
    fn terminate(mut self) -> Duration {
        let line = self.begin_to_speak();
        let begun = Instant::now();
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        let status = self.child.wait().expect("its end");
        let time = begun.elapsed();
        assert_eq!(status.code(), Some(0));
        drop(line);
        time
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Line {
    from: BufReader<UnixStream>,
    to: UnixStream,
}

impl Line {
    fn read(&mut self) -> Value {
        let mut text = String::new();
        self.from.read_line(&mut text).expect("an answer");
        serde_json::from_str(&text).expect("JSON")
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
}
