//! Strangers, slow clients and noise.

use fastglow::daemon::Voices;
use fastglow::daemon::http::{self, HttpDeps, HttpError, HttpLimits, Token};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Answer, Scramble, Server, shared};

const TOKEN: &str = "0123456789abcdef-token";

fn token() -> Token {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), TOKEN).unwrap();
    Token::read(file.path()).unwrap()
}

#[tokio::test]
async fn an_address_for_others_needs_a_token() {
    let deps = |token| HttpDeps { shared: shared(Voices::default()), limits: HttpLimits::default(), token };
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = http::run(listener, deps(None), async {}).await.unwrap_err();
    assert!(matches!(error, HttpError::TokenRequired { .. }) && error.hint().is_some(), "{error}");
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    http::run(listener, deps(Some(token())), async {}).await.unwrap();
}

#[tokio::test]
async fn who_does_not_know_the_token_gets_nothing() {
    let server = Server::with(HttpLimits::default(), Some(token())).await;
    for path in ["/v1/audio/voices", "/v1/models", "/metrics", "/v1/audio/stream", "/no/such/path"] {
        for line in ["", "\r\nauthorization: Bearer wrong-wrong-wrong-wrong", "\r\nauthorization: Basic Og=="]
        {
            let answer = server.request(&format!("GET {path} HTTP/1.1{line}"), b"").await;
            assert!(answer.error().starts_with("401 invalid_token: "), "{path} {line}: {}", answer.error());
            assert_eq!(answer.header("www-authenticate"), Some("bearer"));
        }
        let known = format!("GET {path} HTTP/1.1\r\nauthorization: Bearer {TOKEN}");
        assert_ne!(server.request(&known, b"").await.status, 401, "{path}");
    }
    assert_eq!(server.speech(&json!({ "input": "Hi." })).await.status, 401);
    assert_eq!((server.get("/health").await.status, server.get("/").await.status), (200, 200));
}

#[tokio::test]
async fn a_page_of_elsewhere_cannot_make_a_browser_speak() {
    let server = Server::start().await;
    let body = json!({ "input": "Buy!" }).to_string();
    let foreign = "POST /v1/audio/speech HTTP/1.1\r\norigin: https://evil.example";
    let answer = server.request(foreign, body.as_bytes()).await;
    assert!(answer.error().starts_with("403 forbidden: origin: "), "{}", answer.error());
    let rebound = "GET /v1/audio/voices HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let answer = Answer::parse(&server.raw(rebound.as_bytes()).await);
    assert!(answer.error().starts_with("403 forbidden: host: "), "{}", answer.error());
    let own = format!("GET /v1/audio/voices HTTP/1.1\r\norigin: http://{}", server.address);
    assert_eq!(server.request(&own, b"").await.status, 200);
}

#[tokio::test]
async fn a_body_too_large_is_not_read() {
    let server = Server::start().await;
    let told = "POST /v1/audio/speech HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n{";
    let answer = Answer::parse(&server.raw(told.as_bytes()).await);
    assert_eq!(answer.error(), "413 body_too_large: body: expected at most 65536 bytes");

    let mut stream = server.connect().await;
    let head = "POST /v1/audio/speech HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
    for _ in 0..17 {
        stream.write_all(&chunk).await.unwrap();
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(Answer::parse(&answer).status, 413);
}

#[tokio::test]
async fn slow_clients_are_dropped() {
    let limits = HttpLimits { head_ms: 50, body_ms: 50, stall_ms: 200, ..HttpLimits::default() };
    let server = Server::with(limits, None).await;
    // Nothing, half a head, half a body, nothing of the answer read.
    assert_eq!(server.raw(b"").await, b"");
    assert_eq!(server.raw(b"POST /v1/audio/speech HTTP/1.1\r\nhost: local").await, b"");
    let half = "POST /v1/audio/speech HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{\"inp";
    let answer = Answer::parse(&server.raw(half.as_bytes()).await);
    assert_eq!(answer.error(), "408 body_incomplete: body: expected all of it within 50 ms");
    let client = server.begun().await;
    server.wait_until_figure("cancelled_total", 1.0).await;
    drop(client);
}

#[tokio::test]
async fn noise_is_survived() {
    let server = Server::with(HttpLimits { head_ms: 30, body_ms: 30, ..HttpLimits::default() }, None).await;
    let mut scramble = Scramble(1);
    let starts =
        ["", "GET ", "POST /v1/audio/speech HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: ", "PRI * HTTP/2.0\r\n"];
    for _ in 0..100 {
        let mut bytes = starts[scramble.below(starts.len())].as_bytes().to_vec();
        let length = scramble.below(2000);
        bytes.extend((0..length).map(|_| scramble.below(256) as u8));
        server.raw(&bytes).await;
    }
    // As JSON: half right, half wrong.
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"input\"",
        "\"voice\"",
        "\"speed\"",
        "1e999",
        "-0",
        "null",
        "\"a\"",
        "\\u",
    ];
    for _ in 0..200 {
        let count = scramble.below(12);
        let body: String = (0..count).map(|_| pieces[scramble.below(pieces.len())]).collect();
        let answer = server.request("POST /v1/audio/speech HTTP/1.1", body.as_bytes()).await;
        assert!([200, 400, 404].contains(&answer.status), "{body}: {answer:?}");
    }
    assert_eq!(server.get("/health").await.status, 200);
    // A panic of a connection's task would be silent: all of them must have given their place back.
    server.stop().await;
}
