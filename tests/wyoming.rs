//! The Wyoming server, by its own codec over real sockets, and with the reference client.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use fastglow::audio::to_pcm16;
use fastglow::daemon::wyoming::{self, Decoder, Frame, Limits, Listener};
use fastglow::daemon::{Settings, Shared, Voices};
use fastglow::engine::{SpeakConfig, Synthesizer};
use fastglow::voice::{SearchPath, Source};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{goldens, tiny_voice};

const TEXT: &str = "The first sentence. And then, after a while, the second one!";

fn shared(voices: Arc<Voices>) -> Arc<Shared> {
    Arc::new(Shared::new(voices, None, Arc::default(), Settings::default()))
}

struct Server {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

/// The tiny voice, which is the default one, alone in its folder.
fn voices() -> (Arc<Voices>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(tiny_voice::file(), folder.path().join("tiny.gguf")).unwrap();
    (Arc::new(Voices::new(SearchPath::new(vec![folder.path().into()]), "tiny", 2)), folder)
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (voices, folder) = voices();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let task = tokio::spawn(wyoming::run(Listener::Tcp(listener), shared(voices), limits, shutdown));
        Self { address, stop, task, _folder: folder }
    }

    async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    async fn shut_down(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

struct Client<S> {
    stream: S,
    decoder: Decoder,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S) -> Self {
        Self { stream, decoder: Decoder::new(16 << 20) }
    }

    async fn send(&mut self, kind: &str, data: Value) {
        self.stream.write_all(&Frame::new(kind, data).encode()).await.unwrap();
    }

    /// The next frame; `None` when the connection is closed.
    async fn next(&mut self) -> Option<Frame> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            match self.stream.read(&mut bytes).await {
                // A connection closed with bytes unread is reset.
                Ok(0) | Err(_) => return None,
                Ok(read) => self.decoder.push(&bytes[..read]),
            }
        }
    }

    async fn kind(&mut self) -> Option<String> {
        self.next().await.map(|frame| frame.kind)
    }

    async fn error_code(&mut self) -> String {
        let frame = self.next().await.unwrap();
        assert_eq!(frame.kind, "error");
        assert!(!frame.data["text"].as_str().unwrap().is_empty());
        frame.data["code"].as_str().unwrap().to_owned()
    }

    /// The sound up to `audio-stop`.
    async fn sound(&mut self) -> Vec<u8> {
        assert_eq!(self.kind().await.as_deref(), Some("audio-start"));
        let mut sound = Vec::new();
        loop {
            let frame = self.next().await.unwrap();
            match frame.kind.as_str() {
                "audio-chunk" => {
                    assert_eq!(frame.data["timestamp"], sound.len() as u64 / 2 * 1000 / 22_050);
                    sound.extend(frame.payload);
                }
                "audio-stop" => return sound,
                other => panic!("{other}: {:?}", frame.data),
            }
        }
    }
}

fn expected(text: &str) -> Vec<u8> {
    let synthesizer = Synthesizer::load(&Source::File(tiny_voice::file())).unwrap();
    let samples = synthesizer.speak(text, SpeakConfig::default()).unwrap();
    samples.iter().flat_map(|&sample| to_pcm16(sample).to_le_bytes()).collect()
}

#[tokio::test]
async fn a_text_is_spoken_as_the_synthesizer_speaks_it_twice_over_one_connection() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.connect().await;
    for voice in [json!({}), json!({ "voice": { "language": "en_GB" } })] {
        let mut data = json!({ "text": TEXT });
        data.as_object_mut().unwrap().extend(voice.as_object().unwrap().clone());
        client.send("synthesize", data).await;
        assert!(client.sound().await == expected(TEXT));
    }
    client.send("synthesize", json!({ "text": "<speak>A &amp; b</speak>", "text_format": "ssml" })).await;
    assert!(client.sound().await == expected("A & b"));
    // Nothing to say is no sound, and no error.
    client.send("synthesize", json!({ "text": "..." })).await;
    assert!(client.sound().await.is_empty());
    server.shut_down().await;
}

#[tokio::test]
async fn a_stream_is_spoken_once_and_its_pieces_are_joined() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send("synthesize-start", json!({ "voice": { "name": "tiny" } })).await;
        for piece in ["Hel", "", "lo", "."] {
            client.send("synthesize-chunk", json!({ "text": piece })).await;
        }
        client.send("synthesize", json!({ "text": "Hello." })).await;
        client.send("synthesize-stop", json!({})).await;
        assert!(client.sound().await == expected("Hello."));
        assert_eq!(client.kind().await.as_deref(), Some("synthesize-stopped"));
    }
    client.send("synthesize-start", json!({ "text_format": "ssml" })).await;
    client.send("synthesize-chunk", json!({ "text": "<spe" })).await;
    client.send("synthesize-chunk", json!({ "text": "ak>Hello.</speak>" })).await;
    client.send("synthesize-stop", json!({})).await;
    assert!(client.sound().await == expected("Hello."));
    server.shut_down().await;
}

#[tokio::test]
async fn sound_comes_before_the_text_has_ended() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.connect().await;
    client.send("synthesize-start", json!({})).await;
    client.send("synthesize-chunk", json!({ "text": "The first words of a long text. And then " })).await;
    assert_eq!(client.kind().await.as_deref(), Some("audio-start"));
    assert_eq!(client.kind().await.as_deref(), Some("audio-chunk"));
    // Other questions are answered meanwhile.
    client.send("ping", json!({ "text": "x" })).await;
    let pong = loop {
        let frame = client.next().await.unwrap();
        if frame.kind == "pong" {
            break frame;
        }
    };
    assert_eq!(pong.data["text"], "x");
    client.send("synthesize-stop", json!({})).await;
    while client.kind().await.unwrap() != "synthesize-stopped" {}
    server.shut_down().await;
}

#[tokio::test]
async fn voices_are_listed_the_default_one_first() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.connect().await;
    // Fields in the header itself, and an event that is no synthesizer's.
    let detect = b"{\"type\":\"detect\",\"data\":{\"names\":[]}}\n{\"type\":\"describe\"}\n";
    client.stream.write_all(detect).await.unwrap();
    let info = client.next().await.unwrap();
    assert_eq!(info.kind, "info");
    let program = &info.data["tts"][0];
    assert_eq!(program["supports_synthesize_streaming"], true);
    assert_eq!(program["voices"][0]["name"], "tiny");
    assert_eq!(program["voices"][0]["languages"], json!(["en-US"]));
    server.shut_down().await;
}

#[tokio::test]
async fn what_is_wrong_is_told_and_ends_the_connection_where_it_must() {
    let server = Server::start(Limits { text_bytes: 100, frame_bytes: 2000, ..Limits::default() }).await;
    let long = "long ".repeat(30);
    for (frames, code) in [
        (vec![("synthesize", json!({ "text": "a", "voice": { "name": "../x" } }))], "voice-not-found"),
        (vec![("synthesize-start", json!({ "voice": { "language": "tlh" } }))], "language-not-supported"),
        (vec![("synthesize", json!({ "text": long.clone() }))], "text-too-long"),
        (vec![("synthesize-chunk", json!({ "text": "a" }))], "out-of-place"),
        (vec![("synthesize", json!({ "text": long.repeat(20) }))], "bad-frame"),
    ] {
        let mut client = server.connect().await;
        for (kind, data) in frames {
            client.send(kind, data).await;
        }
        assert_eq!(client.error_code().await, code);
        assert_eq!(client.kind().await, None, "{code}");
    }
    let mut client = server.connect().await;
    client.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(client.error_code().await, "bad-frame");
    // A stream that grows too long.
    let mut client = server.connect().await;
    client.send("synthesize-start", json!({})).await;
    assert_eq!(client.kind().await.as_deref(), Some("audio-start"));
    for _ in 0..10 {
        client.send("synthesize-chunk", json!({ "text": "a long text " })).await;
    }
    while let Some(frame) = client.next().await {
        assert!(frame.kind == "audio-chunk" || frame.data["code"] == "text-too-long", "{frame:?}");
    }
    // What is only incomplete leaves the connection as it is.
    let mut client = server.connect().await;
    client.send("synthesize", json!({})).await;
    assert_eq!(client.error_code().await, "bad-request");
    client.send("synthesize", json!({ "text": "Yes." })).await;
    assert!(!client.sound().await.is_empty());
    server.shut_down().await;
}

#[tokio::test]
async fn clients_that_leave_stall_or_are_too_many_make_room() {
    let limits = Limits { connections: 1, stalled: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client.send("synthesize", json!({ "text": TEXT.repeat(100) })).await;
    assert_eq!(client.kind().await.as_deref(), Some("audio-start"));
    assert_eq!(server.connect().await.error_code().await, "too-many-connections");
    drop(client);
    // Its place is free once its speech is cancelled.
    let mut client = loop {
        let mut client = server.connect().await;
        client.send("ping", json!({})).await;
        if client.kind().await.as_deref() == Some("pong") {
            break client;
        }
    };
    client.stream.write_all(b"{\"type\":\"synthesize\",\"data_length\":9}\n{\"te").await.unwrap();
    assert_eq!(client.kind().await, None);
    server.shut_down().await;
}

#[tokio::test]
async fn shutting_down_ends_speech_in_the_middle() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.connect().await;
    client.send("synthesize", json!({ "text": TEXT.repeat(100) })).await;
    assert_eq!(client.kind().await.as_deref(), Some("audio-start"));
    server.shut_down().await;
    while let Some(frame) = client.next().await {
        assert_eq!(frame.kind, "audio-chunk");
    }
}

#[tokio::test]
async fn random_bytes_leave_the_server_serving() {
    let server = Server::start(Limits::default()).await;
    // xorshift
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..100 {
        let mut client = server.connect().await;
        let mut bytes: Vec<u8> = (0..random() % 300).map(|_| random() as u8).collect();
        if round % 2 == 0 {
            let mut frame = Frame::new("synthesize-start", json!({ "voice": { "name": "tiny" } })).encode();
            frame.extend(Frame::new("synthesize-chunk", json!({ "text": "Yes. " })).encode());
            frame.extend(&bytes);
            bytes = frame;
        }
        // It may be closed before all is written.
        let _ = client.stream.write_all(&bytes).await;
        let _ = client.stream.shutdown().await;
        while client.next().await.is_some() {}
    }
    let mut client = server.connect().await;
    client.send("ping", json!({})).await;
    assert_eq!(client.kind().await.as_deref(), Some("pong"));
    server.shut_down().await;
}

/// What the reference client prints; `None` where it is not installed.
async fn reference_client(uri: &str, arguments: &[&str]) -> Option<Value> {
    let python = || Command::new(std::env::var("FASTGLOW_PYTHON").unwrap_or_else(|_| "python3".into()));
    if !python().args(["-c", "import wyoming.tts"]).output().is_ok_and(|output| output.status.success()) {
        goldens::not_run(
            "no Python with the package `wyoming`; `pip install wyoming`, or set FASTGLOW_PYTHON",
        );
        return None;
    }
    let mut client = python();
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wyoming_client.py")).arg(uri).args(arguments);
    // The server runs on this thread.
    let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[tokio::test]
async fn the_reference_client_hears_it_over_tcp() {
    let server = Server::start(Limits::default()).await;
    let uri = format!("tcp://{}", server.address);
    let Some(came) = reference_client(&uri, &["describe"]).await else { return };
    assert_eq!(came["pong"], "there?");
    assert_eq!(came["streams"], true);
    assert_eq!(came["voices"]["tiny"], json!(["en-US"]));
    let came = reference_client(&uri, &["whole", TEXT]).await.unwrap();
    assert_eq!(came["events"], json!(["audio-start", "audio-chunk", "audio-stop"]));
    assert_eq!(came["formats"], json!([[22_050, 2, 1]]));
    assert!(came["audio"] == hex(&expected(TEXT)));
    server.shut_down().await;
}

#[tokio::test]
async fn the_reference_client_hears_a_stream_over_a_unix_socket() {
    let (voices, folder) = voices();
    let path = folder.path().join("wyoming.sock");
    let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
    let server =
        tokio::spawn(wyoming::run(listener, shared(voices), Limits::default(), std::future::pending()));
    let mut client = Client::new(UnixStream::connect(&path).await.unwrap());
    client.send("ping", json!({})).await;
    assert_eq!(client.kind().await.as_deref(), Some("pong"));
    let uri = format!("unix://{}", path.display());
    let Some(came) = reference_client(&uri, &["stream", "Hel", "lo", "."]).await else { return };
    assert_eq!(came["events"], json!(["audio-start", "audio-chunk", "audio-stop", "synthesize-stopped"]));
    assert!(came["audio"] == hex(&expected("Hello.")));
    server.abort();
}
