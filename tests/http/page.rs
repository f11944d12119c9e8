//! The page, in a real browser where there is one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fastglow::daemon::Voices;
use fastglow::daemon::http::HttpLimits;
use fastglow::voice::{DEFAULT_VOICE, SearchPath};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Answer, Server};
use crate::goldens;

const BROWSERS: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const TEXT: &str = "Hello there. It is 7:30.";
/// Runs in the page: notes each word while it is marked, as it is seen.
const WATCH: &str = "window.seen = []; new MutationObserver(() => {
    const now = document.querySelector('.word.now')?.textContent;
    if (now && seen.at(-1) !== now) seen.push(now);
}).observe(document.getElementById('spoken'), { subtree: true, attributes: true })";

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let server = Server::start().await;
    let page = server.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let text = String::from_utf8(page.body).unwrap();
    for outside in ["https://", "//cdn", "@import", "<script src", "<link rel=\"stylesheet\""] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(text.len() < 32 << 10, "{} bytes", text.len());
}

/// A browser that ends with the test.
struct Browser {
    process: Child,
    page: WebSocketStream<TcpStream>,
    commands: u64,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Browser {
    async fn open(program: &Path, profile: &Path) -> Self {
        let mut process = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--autoplay-policy=no-user-gesture-required", "--window-size=800,900"])
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = profile.join("DevToolsActivePort");
        let port: u16 = loop {
            let port = std::fs::read_to_string(&told).unwrap_or_default();
            if let Some(port) = port.lines().next().and_then(|line| line.parse().ok()) {
                break port;
            }
            assert!(process.try_wait().unwrap().is_none(), "the browser ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"GET /json/list HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut bytes = Vec::new();
        let pages = loop {
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).await.unwrap();
            bytes.extend_from_slice(&piece[..count]);
            let body =
                String::from_utf8_lossy(&bytes).split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
            if let Some(Ok(pages)) = body.map(|body| serde_json::from_str::<Value>(&body)) {
                break pages;
            }
            assert!(count > 0, "{:?}", Answer::parse(&bytes));
        };
        let page = pages.as_array().unwrap().iter().find(|page| page["type"] == "page").unwrap();
        let url = page["webSocketDebuggerUrl"].as_str().unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        Self { process, page: client_async(url, stream).await.unwrap().0, commands: 0 }
    }

    async fn command(&mut self, method: &str, params: Value) -> Value {
        self.commands += 1;
        let command = json!({ "id": self.commands, "method": method, "params": params });
        self.page.send(Message::text(command.to_string())).await.unwrap();
        loop {
            let Message::Text(text) = self.page.next().await.unwrap().unwrap() else { continue };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.commands {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    async fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.command("Runtime.evaluate", params).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    async fn wait_for(&mut self, expression: &str) {
        while self.evaluate(expression).await != true {
            let error = self.evaluate("document.getElementById('error')?.textContent ?? ''").await;
            assert_eq!(error, "", "while waiting for {expression}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn picture(&mut self, path: &Path) {
        let picture = self.command("Page.captureScreenshot", json!({ "format": "png" })).await;
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap());
        std::fs::write(path, bytes.unwrap()).unwrap();
    }
}

/// The page of this server in a browser, if there is one here.
async fn page_of(server: &Server, profile: &Path) -> Option<Browser> {
    let Some(program) = BROWSERS.iter().map(Path::new).find(|path| path.exists()) else {
        goldens::not_run("no browser; `apt-get install chromium`");
        return None;
    };
    let mut browser = Browser::open(program, profile).await;
    browser.command("Page.navigate", json!({ "url": format!("http://{}/", server.address) })).await;
    browser.wait_for("document.getElementById('state')?.textContent === 'ready'").await;
    Some(browser)
}

#[tokio::test]
async fn words_move_in_a_real_browser() {
    let search = SearchPath::from_environment();
    let server = Server::speaking(Voices::new(search, DEFAULT_VOICE, 2), HttpLimits::default(), None).await;
    let profile = tempfile::tempdir().unwrap();
    let Some(mut browser) = page_of(&server, profile.path()).await else { return };
    assert_eq!(
        browser.evaluate("document.getElementById('loudspeaker').hidden").await,
        true,
        "there is none"
    );
    assert_eq!(browser.evaluate("document.getElementById('voice').value").await, DEFAULT_VOICE);
    browser.evaluate(WATCH).await;
    let set = format!("document.getElementById('text').value = {}", json!(TEXT));
    browser.evaluate(&set).await;
    browser.evaluate("document.getElementById('speak').click()").await;
    browser.wait_for("seen.length >= 4").await;
    let pictures = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    browser.picture(&pictures.join("page-light.png")).await;
    browser.wait_for("document.body.dataset.speech === 'over'").await;
    assert_eq!(browser.evaluate("seen").await, json!(["Hello", "there", "It", "is", "7:30"]));
    assert_eq!(browser.evaluate("document.getElementById('spoken').textContent").await, TEXT);
    assert!(
        browser
            .evaluate("document.getElementById('speedup').textContent")
            .await
            .as_str()
            .unwrap()
            .contains('×')
    );
    browser.wait_for("document.getElementById('m-utterances_total').textContent === '1'").await;

    // Stopped, it is cancelled.
    browser.evaluate("document.getElementById('speak').click()").await;
    browser.wait_for("document.querySelectorAll('.word.now').length === 1").await;
    let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    browser.command("Emulation.setEmulatedMedia", dark).await;
    browser.picture(&pictures.join("page-dark.png")).await;
    browser.evaluate("document.getElementById('stop').click()").await;
    assert_eq!(browser.evaluate("document.body.dataset.speech").await, "stopped");
}

#[tokio::test]
async fn the_loudspeaker_and_the_lexicon_in_a_real_browser() {
    let folder = tempfile::tempdir().unwrap();
    let words = folder.path().join("words.tsv");
    let server = Server::with_loudspeaker(Some(words.clone())).await;
    let Some(mut browser) = page_of(&server, &folder.path().join("profile")).await else { return };
    let state = "document.getElementById('loudspeaker-state').textContent";
    browser.wait_for(&format!("{state} === 'silent, 0 waiting, 0 ms ahead'")).await;
    browser.evaluate("document.getElementById('pause').click()").await;
    browser.wait_for(&format!("{state}.startsWith('paused')")).await;
    browser.evaluate("document.getElementById('aloud').click()").await;
    browser.wait_for(&format!("{state}.includes('1 waiting')")).await;
    browser.wait_for("document.getElementById('m-queue_length').textContent === '1'").await;
    browser.evaluate("document.getElementById('pause').click()").await;
    browser.wait_for(&format!("{state}.startsWith('speaking number 1')")).await;
    browser.evaluate("document.getElementById('silence').click()").await;
    browser.wait_for(&format!("{state}.startsWith('silent, 0 waiting')")).await;

    let put = "for (const [id, value] of [['word', 'robot'], ['phones', '']])
        document.getElementById(id).value = value;
        document.getElementById('word').onchange()";
    browser.evaluate(put).await;
    browser.wait_for("document.getElementById('phones').value === 'R OW1 B AA2 T'").await;
    browser.evaluate("document.getElementById('phones').value = 'R OW1 B ER0 T'").await;
    browser.evaluate("document.getElementById('keep').click()").await;
    browser.wait_for("document.getElementById('words').textContent === 'robotR OW1 B ER0 TForget'").await;
    assert!(std::fs::read_to_string(&words).unwrap().ends_with("robot\tR OW1 B ER0 T\n"));
    browser.picture(&PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page-lexicon.png")).await;
    browser.evaluate("document.querySelector('#words button').click()").await;
    browser.wait_for("document.getElementById('words').textContent === ''").await;
    assert!(!std::fs::read_to_string(&words).unwrap().contains("robot"));
}
