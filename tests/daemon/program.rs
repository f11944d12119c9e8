//! The program itself: `serve` with its signals, `say`, and the installer.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{HANG, LONG, Line};
use crate::tiny_voice;

/// The program as a daemon.
struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
}

impl Daemon {
    fn start(extra: &str) -> Self {
        Self::start_with(extra, &[])
    }

    fn start_with(extra: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let voices = tiny_voice::file().parent().unwrap().to_path_buf();
        let config = format!(
            "[voices]\ndefault = \"tiny\"\nfolders = [{voices:?}]\n[loudspeaker]\nsink = \"null\"\n\
             [socket]\npath = \"s\"\n{extra}"
        );
        std::fs::write(folder.path().join("a.toml"), config).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_fastglow"))
            .args(["serve", "--config"])
            .arg(folder.path().join("a.toml"))
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let daemon = Self { child, folder };
        let started = std::time::Instant::now();
        while UnixStream::connect(daemon.socket()).is_err() {
            assert!(started.elapsed() < HANG, "it does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn say(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastglow"));
        command.arg("say").args(arguments).arg("--socket").arg(self.socket());
        command
    }

    /// How it ended, and what it has written.
    fn wait(&mut self) -> (Option<i32>, String) {
        let mut journal = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut journal).unwrap();
        let code = self.child.wait().unwrap().code();
        assert!(!journal.contains("panicked"), "{journal}");
        (code, journal)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_input(mut command: Command, input: &str) -> std::process::Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_terminated_daemon_tells_its_clients_and_leaves_nothing_behind() {
    let mut daemon = Daemon::start("");
    let mut line = Line::connect(&daemon.socket());
    let job = line.ask(json!({ "do": "say", "text": LONG }))["job"].clone();
    while line.read().unwrap()["event"] != "word" {}
    daemon.signal("-TERM");
    let last = line.last(&job);
    assert_eq!((&last["event"], &last["reason"]), (&json!("cancelled"), &json!("shutting_down")));
    assert_eq!(line.read(), None);
    let (code, journal) = daemon.wait();
    // Whoever runs the tests as root is told.
    let others: Vec<&str> = journal.lines().filter(|line| !line.contains("runs as root")).collect();
    assert_eq!((code, others), (Some(0), vec![]), "quiet by default");
    assert!(!daemon.socket().exists(), "the socket is removed");
}

#[test]
fn the_service_manager_is_told_how_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(HANG)).unwrap();
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let mut daemon = Daemon::start_with("", &variables);
    let next = || {
        let mut bytes = [0; 256];
        let count = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..count]).trim().to_owned()
    };
    assert_eq!(next(), "READY=1");
    assert_eq!((next(), next()), ("WATCHDOG=1".into(), "WATCHDOG=1".into()));
    daemon.signal("-TERM");
    while next() != "STOPPING=1" {}
    assert_eq!(daemon.wait().0, Some(0));
}

#[test]
fn a_killed_daemon_starts_again() {
    let daemon = Daemon::start("");
    daemon.signal("-KILL");
    let folder = daemon.folder.path().to_path_buf();
    assert!(folder.join("s").exists(), "the dead one's socket");
    let mut again = Command::new(env!("CARGO_BIN_EXE_fastglow"));
    let child = again.args(["serve", "--config"]).arg(folder.join("a.toml")).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let started = std::time::Instant::now();
    while !daemon.say(&["--status"]).output().unwrap().status.success() {
        assert!(started.elapsed() < HANG);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn say_is_a_client() {
    let daemon = Daemon::start("");
    let heard = with_input(daemon.say(&["--wait"]), "Hello from a pipe.");
    assert_eq!((heard.status.code(), heard.stderr.as_slice()), (Some(0), &b""[..]));
    let status = daemon.say(&["--status"]).output().unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["tally"]["spoken"], &status["speaking"]), (&json!(1), &Value::Null));
    assert!(daemon.say(&["--now", "--priority", "2", LONG]).status().unwrap().success());
    assert!(daemon.say(&["--stop"]).status().unwrap().success());
    let failed = daemon.say(&["--wait", "--voice", "nobody", "Hello."]).output().unwrap();
    let text = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{text}");
    assert!(text.starts_with("error: not heard to its end:") && text.contains("nobody"), "{text}");
}

#[test]
fn without_a_daemon_say_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_fastglow"))
        .args(["say", "--socket", "/nonexistent/s", "Hello."])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.starts_with("error: no daemon listens at /nonexistent/s:"), "{text}");
    assert!(text.contains("hint: start one with `fastglow serve`"), "{text}");
}

#[test]
fn a_hang_up_reads_the_configuration_again_and_a_broken_one_changes_nothing() {
    let mut daemon = Daemon::start("[limits]\ntext_bytes = 64\n[journal]\nlevel = \"info\"\n");
    let file = daemon.folder.path().join("a.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut journal = BufReader::new(daemon.child.stderr.take().unwrap());
    let mut journal_says = |what: &str| {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert!(journal.read_line(&mut line).unwrap() > 0, "`{what}` is not written");
        }
    };
    let mut line = Line::connect(&daemon.socket());
    let hundred = "x".repeat(100);
    let code = |line: &mut Line| line.ask(json!({ "do": "say", "text": hundred }))["code"].clone();
    assert_eq!(code(&mut line), "text_too_long");
    std::fs::write(&file, text.replace("text_bytes", "text_byte")).unwrap();
    daemon.signal("-HUP");
    journal_says("unknown field `text_byte`");
    assert_eq!(code(&mut line), "text_too_long");
    std::fs::write(&file, text.replace("text_bytes = 64", "text_bytes = 640")).unwrap();
    daemon.signal("-HUP");
    journal_says("reloaded");
    assert_eq!(code(&mut line), Value::Null);
    daemon.signal("-TERM");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// Connects to an address that a daemon is about to listen on: its sockets open one after the other.
fn connect(address: &str) -> std::net::TcpStream {
    let started = std::time::Instant::now();
    loop {
        match std::net::TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(error) => assert!(started.elapsed() < HANG, "{address}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One request over HTTP, and the body of its answer.
fn http(address: &str, request: &str, body: &str) -> String {
    let mut stream = connect(address);
    stream.set_read_timeout(Some(HANG)).unwrap();
    let length = body.len();
    let head =
        format!("{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}");
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A port that was free a moment ago.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn everything_is_served_and_ends_together() {
    let (web, wyoming) = (free_address(), free_address());
    let mut daemon = Daemon::start(&format!(
        "[http]\naddress = \"{web}\"\n[wyoming]\naddress = \"{wyoming}\"\npath = \"w\"\n[reference]\npath = \"r\"\n"
    ));
    let folder = daemon.folder.path().to_path_buf();
    assert!(http(&web, "GET /health", "").contains(r#""status":"ok""#));
    assert!(http(&web, "GET /", "").contains("<title>fastglow</title>"));
    assert!(http(&web, "POST /v1/audio/speech", r#"{"input":"Yes."}"#).contains("RIFF"));
    let describe = |stream: &mut dyn ReadWrite| {
        stream.write_all(b"{\"type\":\"describe\"}\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert!(line.contains("\"info\""), "{line}");
    };
    describe(&mut connect(&wyoming));
    describe(&mut UnixStream::connect(folder.join("w")).unwrap());
    let mut ear = BufReader::new(UnixStream::connect(folder.join("r")).unwrap());
    // One request's work is another's figure.
    assert!(daemon.say(&["--wait", "Hello."]).status().unwrap().success());
    let mut line = String::new();
    ear.read_line(&mut line).unwrap();
    assert!(line.contains("s16le"), "{line}");
    let figures = http(&web, "GET /metrics", "");
    assert!(figures.contains("\nfastglow_utterances_total 2\n"), "{figures}");
    assert!(figures.contains("\nfastglow_first_audio_seconds_count 2\n"), "{figures}");
    daemon.signal("-TERM");
    assert_eq!(daemon.wait().0, Some(0));
    for socket in ["s", "w", "r"] {
        assert!(!folder.join(socket).exists(), "{socket} is removed");
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

#[test]
fn the_installer_installs_and_undoes() {
    let root = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/install.sh");
    let install = |arguments: &[&str]| {
        let output =
            Command::new("sh").arg(&script).arg("--root").arg(root.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let there = |name: &str| root.path().join(name).exists();
    let program = env!("CARGO_BIN_EXE_fastglow");
    install(&[program]);
    install(&[program]);
    for name in ["usr/bin/fastglow", "etc/fastglow/fastglow.toml", "etc/systemd/system/fastglow.service"] {
        assert!(there(name), "{name}");
    }
    install(&["--undo"]);
    assert!(
        !there("usr/bin/fastglow") && !there("etc/fastglow") && !there("etc/systemd/system/fastglow.socket")
    );
    // What the user has changed is the user's.
    install(&[program]);
    let config = root.path().join("etc/fastglow/fastglow.toml");
    std::fs::write(&config, "[limits]\nconnections = 8\n").unwrap();
    install(&[program]);
    install(&["--undo"]);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "[limits]\nconnections = 8\n");
    std::fs::write(&config, "[limits]\nconnection = 8\n").unwrap();
    let refused =
        Command::new("sh").arg(&script).arg("--root").arg(root.path()).arg(program).output().unwrap();
    assert!(
        !refused.status.success() && !there("usr/bin/fastglow"),
        "a broken configuration is not installed over"
    );
}
