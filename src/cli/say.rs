//! `fastglow say`: a client of the daemon.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use fastglow::config::default_socket;
use serde_json::{Map, Value, json};

use super::failure::Failure;

const READ_BYTES: usize = 4096;
/// How long to wait when the daemon has enough text for now.
const RETRY: Duration = Duration::from_millis(50);
/// Longest line from the daemon.
const MAX_LINE_BYTES: u64 = 1 << 20;
const SYSTEM_SOCKET: &str = "/run/fastglow/fastglow.sock";

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("order").multiple(false))]
pub struct Arguments {
    /// The text. Without it, and without any of the orders, standard input is spoken as it arrives.
    #[arg(conflicts_with = "order")]
    text: Option<String>,

    /// The text is a whole document of SSML.
    #[arg(long, conflicts_with = "order", requires = "text")]
    ssml: bool,

    /// Interrupt what is being spoken.
    #[arg(long, conflicts_with = "order")]
    now: bool,

    /// Wait until it was heard; end with 1 if it was not.
    #[arg(long, conflicts_with = "order")]
    wait: bool,

    /// The greater, the sooner.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,

    /// The voice: a name from --voices.
    #[arg(long, value_name = "NAME")]
    voice: Option<String>,

    /// Speaking rate, 0.5 to 2.
    #[arg(long, value_name = "FACTOR")]
    rate: Option<f32>,

    /// Pitch shift in semitones, -12 to 12.
    #[arg(long, value_name = "SEMITONES", allow_negative_numbers = true)]
    pitch: Option<f32>,

    /// Volume change in decibels, -60 to 20.
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    volume: Option<f32>,

    /// Order: silence, and nothing of what waits.
    #[arg(long, group = "order")]
    stop: bool,

    /// Order: the next one.
    #[arg(long, group = "order")]
    skip: bool,

    /// Order: fade out and keep the place.
    #[arg(long, group = "order")]
    pause: bool,

    /// Order: go on.
    #[arg(long, group = "order")]
    resume: bool,

    /// Order: say on standard output how things are, as JSON.
    #[arg(long, group = "order")]
    status: bool,

    /// Order: list the daemon's voices on standard output, as JSON.
    #[arg(long, group = "order")]
    voices: bool,

    /// The daemon's socket. Default: $FASTGLOW_SOCKET, the user's, or the system's.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut daemon = Daemon::connect(&socket(arguments))?;
    match order(arguments) {
        Some(order) => {
            let answer = daemon.ask(order)?;
            let shown = [("status", arguments.status), ("voices", arguments.voices)];
            match shown.iter().find(|(_, is_wanted)| *is_wanted) {
                Some((key, _)) => super::print(&format!("{}\n", answer[*key])),
                None => Ok(()),
            }
        }
        None => {
            let job = match &arguments.text {
                Some(text) => daemon.ask(say(arguments, text, false))?["job"].clone(),
                None => speak_input(&mut daemon, arguments)?,
            };
            if arguments.wait { daemon.await_end(&job) } else { Ok(()) }
        }
    }
}

fn socket(arguments: &Arguments) -> PathBuf {
    let named = arguments.socket.clone().or_else(|| std::env::var_os("FASTGLOW_SOCKET").map(PathBuf::from));
    named.unwrap_or_else(|| {
        let own = default_socket();
        if own.exists() { own } else { SYSTEM_SOCKET.into() }
    })
}

fn order(arguments: &Arguments) -> Option<Value> {
    let orders = [
        (arguments.stop, json!({ "do": "stop", "all": true })),
        (arguments.skip, json!({ "do": "skip" })),
        (arguments.pause, json!({ "do": "pause" })),
        (arguments.resume, json!({ "do": "resume" })),
        (arguments.status, json!({ "do": "status" })),
        (arguments.voices, json!({ "do": "voices" })),
    ];
    orders.into_iter().find(|(is_given, _)| *is_given).map(|(_, order)| order)
}

fn say(arguments: &Arguments, text: &str, more: bool) -> Value {
    let mut request = Map::new();
    request.insert("do".into(), if arguments.now { "now" } else { "say" }.into());
    request.insert("text".into(), text.into());
    request.insert("more".into(), more.into());
    request.insert("priority".into(), arguments.priority.into());
    if arguments.ssml {
        request.insert("ssml".into(), true.into());
    }
    let settings =
        [("rate", arguments.rate), ("pitch_semitones", arguments.pitch), ("volume_db", arguments.volume)];
    for (key, value) in settings {
        if let Some(value) = value {
            request.insert(key.into(), value.into());
        }
    }
    if let Some(voice) = &arguments.voice {
        request.insert("voice".into(), voice.as_str().into());
    }
    request.into()
}

/// Sends standard input as it comes, and returns the utterance's number.
fn speak_input(daemon: &mut Daemon, arguments: &Arguments) -> Result<Value, Failure> {
    let mut input = io::stdin().lock();
    let mut job = Value::Null;
    let mut pending = Vec::new();
    let mut bytes = [0; READ_BYTES];
    loop {
        let count = match input.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result.map_err(|source| Failure::Io { what: "standard input", source })?,
        };
        pending.extend_from_slice(&bytes[..count]);
        let text = take_text(&mut pending, count == 0);
        if job.is_null() {
            job = daemon.ask(say(arguments, &text, true))?["job"].clone();
        } else if !text.is_empty() {
            daemon.append(&job, &text)?;
        }
        if count == 0 {
            daemon.ask(json!({ "do": "finish", "job": job }))?;
            return Ok(job);
        }
    }
}

/// Takes whole characters; at the end, everything. What is not UTF-8 becomes U+FFFD.
fn take_text(pending: &mut Vec<u8>, is_end: bool) -> String {
    let cut = match std::str::from_utf8(pending) {
        // A character that is not whole yet.
        Err(error) if !is_end && error.error_len().is_none() => error.valid_up_to(),
        _ => pending.len(),
    };
    let text = String::from_utf8_lossy(&pending[..cut]).into_owned();
    pending.drain(..cut);
    text
}

/// A connection to the daemon.
struct Daemon {
    from: BufReader<UnixStream>,
    to: UnixStream,
    events: VecDeque<Value>,
}

impl Daemon {
    fn connect(path: &Path) -> Result<Self, Failure> {
        let failed = |source: io::Error| Failure::NoDaemon { path: path.into(), source };
        let to = UnixStream::connect(path).map_err(failed)?;
        let from = BufReader::new(to.try_clone().map_err(failed)?);
        let mut daemon = Self { from, to, events: VecDeque::new() };
        let greeting = daemon.read()?;
        if greeting["protocol"] == json!(1) {
            return Ok(daemon);
        }
        // Too many clients, or no loudspeaker.
        Err(refused(&greeting))
    }

    fn read(&mut self) -> Result<Value, Failure> {
        let failed = |source| Failure::Io { what: "the daemon's socket", source };
        let mut line = Vec::new();
        let mut limited = (&mut self.from).take(MAX_LINE_BYTES);
        if limited.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, "it was closed by the daemon")));
        }
        serde_json::from_slice(&line).map_err(|error| failed(error.into()))
    }

    /// Sends a request and returns its answer. Events in between are kept.
    fn request(&mut self, request: &Value) -> Result<Value, Failure> {
        let failed = |source| Failure::Io { what: "the daemon's socket", source };
        self.to.write_all(format!("{request}\n").as_bytes()).map_err(failed)?;
        loop {
            let line = self.read()?;
            if line.get("event").is_none() {
                return Ok(line);
            }
            // All but the last event of each utterance is of no interest here.
            if matches!(line["event"].as_str(), Some("end" | "cancelled")) {
                self.events.push_back(line);
            }
        }
    }

    fn ask(&mut self, request: Value) -> Result<Value, Failure> {
        let answer = self.request(&request)?;
        if answer["ok"] == json!(true) { Ok(answer) } else { Err(refused(&answer)) }
    }

    fn append(&mut self, job: &Value, text: &str) -> Result<(), Failure> {
        let request = json!({ "do": "append", "job": job, "text": text });
        loop {
            let answer = self.request(&request)?;
            match answer["code"].as_str() {
                None => return Ok(()),
                Some("text_too_long") => std::thread::sleep(RETRY),
                // It was cancelled: nobody wants the rest. The last event says so.
                Some("unknown_job") => return Ok(()),
                Some(_) => return Err(refused(&answer)),
            }
        }
    }

    fn await_end(&mut self, job: &Value) -> Result<(), Failure> {
        loop {
            let event = match self.events.pop_front() {
                Some(event) => event,
                None => self.read()?,
            };
            if event["job"] != *job {
                continue;
            }
            match event["event"].as_str() {
                Some("end") => return Ok(()),
                Some("cancelled") => {
                    let reason = event["error"].as_str().or(event["reason"].as_str()).unwrap_or("unknown");
                    let message = format!("not heard to its end: {reason}");
                    return Err(Failure::Refused { message, hint: event["hint"].as_str().map(Into::into) });
                }
                _ => {}
            }
        }
    }
}

fn refused(answer: &Value) -> Failure {
    let message = answer["error"].as_str().unwrap_or("the daemon does not speak this program's protocol");
    Failure::Refused { message: message.into(), hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_not_cut() {
        let mut pending = "aé".as_bytes()[..2].to_vec();
        assert_eq!((take_text(&mut pending, false).as_str(), pending.len()), ("a", 1));
        pending.extend(&"é".as_bytes()[1..]);
        assert_eq!(take_text(&mut pending, false), "é");
        pending.extend([0xff, 0xc3]);
        assert_eq!(take_text(&mut pending, false), "\u{fffd}\u{fffd}");
    }
}
