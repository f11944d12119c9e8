//! Speech over HTTP, through real sockets, with the tiny voice.

mod abuse;
mod page;
mod parts;
mod socket;
mod speech;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fastglow::daemon::http::{self, HttpDeps, HttpError, HttpLimits, Token};
use fastglow::daemon::{Lexicon, Limits, LoudspeakerConfig, Metrics, Settings, Shared, Speaker, Voices};
use fastglow::engine::{SpeakConfig, Synthesizer};
use fastglow::voice::{SearchPath, Source};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::tiny_voice;

/// More sound than all socket buffers hold: whoever does not read it keeps it from ending.
fn long_text() -> String {
    "And so it goes on and on and on. ".repeat(120)
}

fn shared(voices: Voices) -> Arc<Shared> {
    Arc::new(Shared::new(Arc::new(voices), None, Arc::default(), Settings::default()))
}

struct Server {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<Result<(), HttpError>>,
}

impl Server {
    async fn start() -> Self {
        Self::with(HttpLimits::default(), None).await
    }

    async fn with(limits: HttpLimits, token: Option<Token>) -> Self {
        let file = tiny_voice::file();
        let search = SearchPath::new(vec![file.parent().unwrap().to_path_buf()]);
        Self::speaking(Voices::new(search, "tiny", 2), limits, token).await
    }

    async fn speaking(voices: Voices, limits: HttpLimits, token: Option<Token>) -> Self {
        Self::sharing(shared(voices), limits, token).await
    }

    /// With a silent loudspeaker, and a file for the lexicon.
    async fn with_loudspeaker(words: Option<PathBuf>) -> Self {
        let search = SearchPath::new(vec![tiny_voice::file().parent().unwrap().to_path_buf()]);
        let voices = Arc::new(Voices::new(search, "tiny", 2).with_lexicon(Lexicon::new(words)));
        let loudspeaker = LoudspeakerConfig { sink_name: "null".into(), ..LoudspeakerConfig::default() };
        let metrics = Arc::<Metrics>::default();
        let limits = Limits::default();
        let speaker = Speaker::start(voices.clone(), loudspeaker, limits, metrics.clone()).unwrap();
        let shared = Shared::new(voices, Some(speaker), metrics, Settings::default());
        Self::sharing(Arc::new(shared), HttpLimits::default(), None).await
    }

    async fn sharing(shared: Arc<Shared>, limits: HttpLimits, token: Option<Token>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let deps = HttpDeps { shared, limits, token };
        let (shutdown, is_over) = oneshot::channel();
        let task = tokio::spawn(http::run(listener, deps, async { drop(is_over.await) }));
        Self { address, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads until the server closes.
    async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        // The server may close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    }

    async fn request(&self, head: &str, body: &[u8]) -> Answer {
        let mut bytes = format!(
            "{head}\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Answer::parse(&self.raw(&bytes).await)
    }

    async fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path} HTTP/1.1"), b"").await
    }

    async fn speech(&self, body: &Value) -> Answer {
        self.request("POST /v1/audio/speech HTTP/1.1", body.to_string().as_bytes()).await
    }

    /// A connection on which a long answer has begun, of which nothing more is read.
    async fn begun(&self) -> TcpStream {
        let body = serde_json::json!({ "input": long_text(), "response_format": "pcm", "speed": 0.5, "sample_rate_hz": 48_000 });
        let body = body.to_string();
        let mut stream = self.connect().await;
        let length = body.len();
        let head =
            format!("POST /v1/audio/speech HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut status = [0; 15];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        stream
    }

    async fn figure(&self, name: &str) -> f64 {
        let text = String::from_utf8(self.get("/metrics").await.body).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("fastglow_{name} ")));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
    }

    /// Waits for something that must come, however long the machine takes.
    async fn wait_until_figure(&self, name: &str, value: f64) {
        while self.figure(name).await != value {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn stop(self) {
        self.shutdown.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Self { status, head, body: bytes[end + 4..].to_vec() };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunk(&answer.body);
        }
        answer
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// `status code: message`, and that there is a shape that OpenAI's clients read.
    fn error(&self) -> String {
        let error = &self.json()["error"];
        let text = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("{key} in {error}")).to_owned();
        assert!(["invalid_request_error", "server_error"].contains(&text("type").as_str()));
        assert!(error.as_object().unwrap().contains_key("param"));
        format!("{} {}: {}", self.status, text("code"), text("message"))
    }
}

/// Panics if the last chunk is missing: the answer was broken off.
fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").expect("a chunk's length");
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        let chunk = &bytes[end + 2..];
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..length]);
        bytes = &chunk[length + 2..];
    }
}

/// What the tiny voice says, as 16-bit bytes.
fn expected(text: &str, config: SpeakConfig) -> Vec<u8> {
    let synthesizer = Synthesizer::load(&Source::File(tiny_voice::file())).unwrap();
    let samples = synthesizer.speak(text, config).unwrap();
    samples.iter().flat_map(|sample| fastglow::audio::to_pcm16(*sample).to_le_bytes()).collect()
}

/// Numbers without a pattern, always the same.
struct Scramble(u64);

impl Scramble {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
