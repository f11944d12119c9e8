//! The WebSocket: text in pieces, marks and sound back.

use fastglow::daemon::http::HttpLimits;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Scramble, Server, long_text};

struct Client(WebSocketStream<TcpStream>);

/// What came until the end of an utterance.
#[derive(Default)]
struct Heard {
    events: Vec<Value>,
    bytes: usize,
    /// For every word, how much sound had come before it.
    bytes_before_word: Vec<usize>,
}

impl Heard {
    fn of(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["type"] == kind).collect()
    }

    fn end(&self) -> &Value {
        self.events.last().unwrap()
    }
}

impl Client {
    async fn connect(server: &Server) -> Self {
        let url = format!("ws://{}/v1/audio/stream", server.address);
        Self(client_async(url, server.connect().await).await.unwrap().0)
    }

    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next event, leaving sound out.
    async fn event(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.next().await.expect("the connection is open").unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    async fn hear(&mut self) -> Heard {
        let mut heard = Heard::default();
        loop {
            match self.0.next().await.expect("the connection is open").unwrap() {
                Message::Binary(bytes) => heard.bytes += bytes.len(),
                Message::Text(text) => {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    if event["type"] == "word" {
                        heard.bytes_before_word.push(heard.bytes);
                    }
                    heard.events.push(event);
                    if heard.end()["type"] == "end" {
                        return heard;
                    }
                }
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_document_in_pieces_is_spoken_when_it_is_whole() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.send(json!({ "text": "<speak>One <ma", "ssml": true })).await;
    client.send(json!({ "text": "rk name='here'/>two. <voice name='x'>Three</voice>.</speak>" })).await;
    client.send(json!({ "finish": true })).await;
    let heard = client.hear().await;
    let words = heard.of("word");
    let mark = heard.of("mark")[0];
    assert_eq!((&mark["name"], &mark["start_s"]), (&json!("here"), &words[1]["start_s"]));
    assert_eq!((words.len(), &words[1]["source"]), (3, &json!([30, 33])), "its place in the document");
    assert_eq!(heard.of("unspoken")[0]["source"], json!([35, 51]));

    client.send(json!({ "text": "<speak>One", "ssml": true, "finish": true })).await;
    let heard = client.hear().await;
    let error = &heard.of("error")[0]["error"];
    assert_eq!(error["code"], "invalid_ssml");
    assert_eq!(heard.end()["is_cancelled"], true);
}

#[tokio::test]
async fn text_in_pieces_becomes_marks_and_sound() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    let text = "Hello, it is 21 degrees. 🪑 Good night.";
    for utterance in 0..2 {
        for piece in ["Hello, it i", "s 21 deg", "rees. 🪑 Good ni", "ght."] {
            client.send(json!({ "text": piece })).await;
        }
        client.send(json!({ "finish": true })).await;
        let heard = client.hear().await;
        assert_eq!(
            heard.events[0],
            json!({ "type": "begin", "utterance": utterance, "sample_rate_hz": 22_050 })
        );
        let words = heard.of("word");
        let spoken: Vec<_> = words.iter().map(|word| word["text"].as_str().unwrap()).collect();
        assert_eq!(spoken, ["hello", "it", "is", "twenty", "one", "degrees", "good", "night"]);
        let source = |event: &Value| {
            let [from, to] = [0, 1].map(|end| event["source"][end].as_u64().unwrap() as usize);
            text[from..to].to_owned()
        };
        assert_eq!(source(words[3]), "21");
        assert_eq!(source(words[7]), "night");
        let unspoken = heard.of("unspoken");
        assert_eq!((unspoken.len(), source(unspoken[0]).as_str()), (1, "🪑"));
        let mut last_s = 0.0;
        for (word, before) in words.iter().zip(&heard.bytes_before_word) {
            let (start_s, end_s) = (word["start_s"].as_f64().unwrap(), word["end_s"].as_f64().unwrap());
            assert!(last_s <= start_s && start_s < end_s, "{word}");
            assert!(*before as f64 / 2.0 <= start_s * 22_050.0 + 0.5, "{word} comes before its sound");
            last_s = end_s;
        }
        let phones = heard.of("phone");
        assert!(phones.iter().all(|phone| (phone["viseme"] == "sil") == phone["word"].is_null()));
        assert!(phones.len() > spoken.len() && phones.iter().any(|phone| phone["word"].is_null()));
        let audio_s = heard.end()["stats"]["audio_s"].as_f64().unwrap();
        assert_eq!((audio_s * 22_050.0).round() as usize * 2, heard.bytes);
        assert_eq!(heard.end()["is_cancelled"], false);
    }
}

#[tokio::test]
async fn settings_belong_to_an_utterance() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client
        .send(json!({ "text": "One two.", "finish": true, "voice": "tiny", "sample_rate_hz": 48_000 }))
        .await;
    let heard = client.hear().await;
    assert_eq!(heard.events[0]["sample_rate_hz"], 48_000);
    let samples = heard.end()["stats"]["audio_s"].as_f64().unwrap() * 48_000.0;
    assert!((heard.bytes as f64 / 2.0 - samples).abs() <= 1.0);
    client.send(json!({ "text": "One ", "speed": 1.5 })).await;
    client.send(json!({ "text": "two.", "speed": 1.0 })).await;
    client.send(json!({ "finish": true })).await;
    let heard = client.hear().await;
    let error = &heard.of("error")[0]["error"]["message"];
    assert_eq!(*error, "message: expected settings before the text, got them in its midst");
    assert_eq!(heard.of("word").len(), 1, "that piece was not taken");
}

#[tokio::test]
async fn what_is_wrong_is_told_and_the_connection_goes_on() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    for (message, code) in [
        (json!({ "text": 5 }), "invalid_json"),
        (json!({ "txt": "Hello." }), "invalid_json"),
        (json!([]), "invalid_json"),
        (json!({ "text": "Hi.", "sample_rate_hz": 1 }), "invalid_value"),
    ] {
        client.send(message.clone()).await;
        let event = client.event().await;
        assert_eq!((&event["type"], &event["error"]["code"]), (&json!("error"), &json!(code)), "{message}");
    }
    client.0.send(Message::binary(vec![0; 10])).await.unwrap();
    assert_eq!(client.event().await["error"]["code"], "invalid_message");
    for (settings, code) in [("voice", "voice_not_found"), ("speed", "invalid_value")] {
        let value = if settings == "voice" { json!("nobody") } else { json!(9.0) };
        client.send(json!({ "text": "Hello ", settings: value })).await;
        // Text of an utterance that has failed begins no other one.
        let heard = client.hear().await;
        assert_eq!(heard.of("error")[0]["error"]["code"], code);
        assert_eq!(heard.end()["is_cancelled"], true);
        client.send(json!({ "text": "again.", "finish": true })).await;
    }
    client.send(json!({ "text": "Hello.", "finish": true })).await;
    let heard = client.hear().await;
    assert_eq!((heard.of("word").len(), &heard.end()["is_cancelled"]), (1, &json!(false)));
}

#[tokio::test]
async fn an_utterance_can_be_cancelled_and_the_next_begins() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.send(json!({ "text": long_text() })).await;
    assert_eq!(client.event().await["type"], "begin");
    client.send(json!({ "finish": true })).await;
    client.send(json!({ "text": "Too early." })).await;
    client.send(json!({ "cancel": true })).await;
    client.send(json!({ "text": "Hello.", "finish": true })).await;
    let first = client.hear().await;
    assert_eq!(first.of("error")[0]["error"]["message"], "message: the utterance before has not ended");
    assert_eq!((&first.end()["utterance"], &first.end()["is_cancelled"]), (&json!(0), &json!(true)));
    let second = client.hear().await;
    assert_eq!((second.of("word").len(), &second.end()["utterance"]), (1, &json!(1)));
    server.wait_until_figure("cancelled_total", 1.0).await;
}

#[tokio::test]
async fn a_text_without_end_is_ended() {
    let limits = HttpLimits { streamed_text_chars: 100, ..HttpLimits::default() };
    let server = Server::with(limits, None).await;
    let mut client = Client::connect(&server).await;
    for _ in 0..3 {
        client.send(json!({ "text": "Forty characters and not a single more. " })).await;
    }
    let heard = client.hear().await;
    assert_eq!(heard.of("error")[0]["error"]["message"], "text: expected at most 100 characters, got 120");
    assert_eq!(heard.end()["is_cancelled"], true);
}

#[tokio::test]
async fn a_client_that_is_gone_or_silent_is_dropped() {
    let limits = HttpLimits { stall_ms: 300, ..HttpLimits::default() };
    let server = Server::with(limits, None).await;
    let mut gone = Client::connect(&server).await;
    gone.send(json!({ "text": "Hello ", })).await;
    assert_eq!(gone.event().await["type"], "begin");
    drop(gone);
    server.wait_until_figure("cancelled_total", 1.0).await;
    let mut silent = Client::connect(&server).await;
    silent.send(json!({ "text": "Hello ", })).await;
    // Reads nothing, so answers no ping.
    server.wait_until_figure("cancelled_total", 2.0).await;
    // One that answers them may think as long as it likes.
    let mut thinking = Client::connect(&server).await;
    thinking.send(json!({ "text": "Hello " })).await;
    let mut pings = 0;
    while pings < 6 {
        pings += u32::from(matches!(thinking.0.next().await, Some(Ok(Message::Ping(_)))));
    }
    thinking.send(json!({ "text": "there.", "finish": true })).await;
    assert_eq!(thinking.hear().await.end()["is_cancelled"], false);
}

#[tokio::test]
async fn noise_is_survived() {
    let server = Server::start().await;
    let mut scramble = Scramble(2);
    let pieces = [
        "{",
        "}",
        "\"text\":",
        "\"Hi. \"",
        ",",
        "\"finish\":",
        "true",
        "\"cancel\":",
        "\"speed\":",
        "1e9",
        "[",
    ];
    for _ in 0..20 {
        let mut client = Client::connect(&server).await;
        for _ in 0..20 {
            let count = scramble.below(9);
            let text: String = (0..count).map(|_| pieces[scramble.below(pieces.len())]).collect();
            client.0.send(Message::text(text)).await.unwrap();
        }
        // What is no frame at all.
        let noise: Vec<u8> = (0..200).map(|_| scramble.below(256) as u8).collect();
        let _ = tokio::io::AsyncWriteExt::write_all(client.0.get_mut(), &noise).await;
    }
    server.wait_until_figure("speaking", 0.0).await;
    server.stop().await;
}
