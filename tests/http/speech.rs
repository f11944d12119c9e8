//! What is asked for properly.

use fastglow::engine::SpeakConfig;
use serde_json::{Value, json};

use super::{Answer, Server, expected, long_text};

const TEXT: &str = "The lamp is on. It is 7:30, and all is well.";

#[tokio::test]
async fn wav_and_pcm_are_what_the_synthesizer_speaks() {
    let server = Server::start().await;
    let samples = expected(TEXT, SpeakConfig::default());
    let wav = server.speech(&json!({ "model": "tts-1", "input": TEXT, "voice": "tiny" })).await;
    assert_eq!((wav.status, wav.header("content-type")), (200, Some("audio/wav")), "{}", wav.head);
    assert_eq!(wav.header("transfer-encoding"), Some("chunked"), "it is sent while it is made");
    assert_eq!((&wav.body[..4], &wav.body[4..8]), (&b"RIFF"[..], &[0xff; 4][..]), "an open length");
    assert!(wav.body[44..] == samples);

    let pcm = json!({ "input": TEXT, "voice": { "id": "tiny" }, "response_format": "pcm" });
    let pcm = server.speech(&pcm).await;
    assert!(pcm.header("content-type").unwrap().starts_with("audio/pcm;rate=22050;"));
    assert!(pcm.body == samples);

    let whole = server.speech(&json!({ "input": TEXT, "stream": false })).await;
    let length = samples.len() as u32;
    assert_eq!(whole.header("content-length"), Some((length + 44).to_string().as_str()));
    assert_eq!(whole.body[40..44], length.to_le_bytes());
    assert!(whole.body[44..] == samples);
}

#[tokio::test]
async fn speed_and_rate_are_the_clients() {
    let server = Server::start().await;
    let fast = json!({ "input": TEXT, "response_format": "pcm", "speed": 2.0 });
    let config = SpeakConfig { rate: 2.0, ..SpeakConfig::default() };
    assert!(server.speech(&fast).await.body == expected(TEXT, config));

    let mut request = json!({ "input": TEXT, "response_format": "pcm", "sample_rate_hz": 24_000 });
    let answer = server.speech(&request).await;
    assert!(answer.header("content-type").unwrap().starts_with("audio/pcm;rate=24000;"));
    let samples = expected(TEXT, SpeakConfig::default()).len() / 2;
    assert_eq!(answer.body.len() / 2, (samples * 24_000).div_ceil(22_050));
    request["stream"] = json!(false);
    assert!(server.speech(&request).await.body == answer.body);
}

#[tokio::test]
async fn ssml_is_spoken_as_it_asks_or_refused_with_its_place() {
    let server = Server::start().await;
    let speech = |input: &str| {
        let request = json!({ "input": input, "response_format": "pcm", "ssml": true });
        let server = &server;
        async move { server.speech(&request).await }
    };
    let plain = speech("<speak>One two.</speak>").await;
    assert!(plain.body == expected("One two.", SpeakConfig::default()));
    let broken = speech("<speak>One <break time='2s'/> two.</speak>").await;
    let two_seconds = 2 * 2 * 22_050;
    assert!((two_seconds * 9 / 10..two_seconds * 11 / 10).contains(&(broken.body.len() - plain.body.len())));
    let refused = speech("<speak>One < two.</speak>").await;
    assert_eq!(refused.status, 400);
    let error = refused.json()["error"].clone();
    assert_eq!((&error["code"], &error["param"]), (&json!("invalid_ssml"), &json!("input")));
    assert!(error["message"].as_str().unwrap().contains("line 1, column 12"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("&lt;"));
}

#[tokio::test]
async fn events_carry_the_same_bytes() {
    let server = Server::start().await;
    let answer =
        server.speech(&json!({ "input": TEXT, "response_format": "pcm", "stream_format": "sse" })).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    let text = String::from_utf8(answer.body).unwrap();
    let mut events: Vec<Value> = text
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    let done = events.pop().unwrap();
    assert_eq!(done["type"], "speech.audio.done");
    let of = |key: &str| done["usage"][key].as_u64().unwrap();
    let samples = expected(TEXT, SpeakConfig::default());
    assert_eq!(of("output_tokens") * 64, samples.len() as u64 / 2, "frames of 64 samples");
    assert!(of("input_tokens") > 20 && of("total_tokens") == of("input_tokens") + of("output_tokens"));
    let mut bytes = Vec::new();
    for event in events {
        assert_eq!(event["type"], "speech.audio.delta");
        use base64::Engine as _;
        let audio = event["audio"].as_str().unwrap();
        bytes.extend(base64::engine::general_purpose::STANDARD.decode(audio).unwrap());
    }
    assert!(bytes == samples);
}

#[tokio::test]
async fn what_there_is_can_be_listed() {
    let server = Server::start().await;
    let voices = server.get("/v1/audio/voices").await.json();
    let tiny = voices["voices"].as_array().unwrap().iter().find(|voice| voice["id"] == "tiny").unwrap();
    assert_eq!(*tiny, json!({ "id": "tiny", "name": "tiny", "is_default": true, "is_loaded": false }));
    let models = server.get("/v1/models").await.json();
    assert_eq!(models["data"][0]["id"], "fastglow");
    assert_eq!(server.get("/health").await.json()["status"], "ok");
}

#[tokio::test]
async fn figures_count_what_was_spoken() {
    let server = Server::start().await;
    server.speech(&json!({ "input": TEXT, "response_format": "pcm" })).await;
    let samples = expected(TEXT, SpeakConfig::default()).len() / 2;
    assert_eq!(server.figure("characters_total").await, TEXT.len() as f64);
    assert_eq!(server.figure("utterances_total").await, 1.0);
    assert_eq!(server.figure("first_audio_seconds_count").await, 1.0);
    assert_eq!(server.figure("real_time_factor_count").await, 1.0);
    assert_eq!(server.figure("cancelled_total").await, 0.0);
    server.wait_until_figure("speaking", 0.0).await;
    let audio_s = server.figure("audio_seconds_total").await;
    assert!((audio_s - samples as f64 / 22_050.0).abs() < 1e-5, "{audio_s}");
}

#[tokio::test]
async fn each_bad_request_is_told_what_is_wrong() {
    let server = Server::start().await;
    let long = "a".repeat(4097);
    let json = |body: Value| body.to_string();
    let cases = [
        (
            json(json!({ "input": "Hi.", "voice": "nobody" })),
            "404 voice_not_found: voice: there is no `nobody`",
        ),
        (
            json(json!({ "input": "Hi.", "voice": "../tiny" })),
            "404 voice_not_found: voice: there is no `../tiny`",
        ),
        (json(json!({ "input": "" })), "400 nothing_to_say: input: text: expected words, got nothing"),
        (json(json!({ "input": " \n" })), "400 nothing_to_say: input: text: expected words, got "),
        (json(json!({ "input": "🪑" })), "400 nothing_to_say: input: text: expected words, got only emoji"),
        (
            json(json!({ "input": long })),
            "400 text_too_long: input: expected at most 4096 characters, got 4097",
        ),
        (
            json(json!({ "input": 5 })),
            "400 invalid_json: body: expected a JSON object of a speech request, got: invalid type: integer `5`, expected a string",
        ),
        (
            json(json!({ "input": "Hi.", "speed": "fast" })),
            "400 invalid_json: body: expected a JSON object of a speech request, got: invalid type: string \"fast\"",
        ),
        (
            json(json!({ "input": "Hi.", "voice": [1] })),
            "400 invalid_json: body: expected a JSON object of a speech request, got: voice: expected a name",
        ),
        (
            json(json!({ "voice": "tiny" })),
            "400 invalid_json: body: expected a JSON object of a speech request, got: missing field `input`",
        ),
        ("{".into(), "400 invalid_json: body: expected a JSON object of a speech request, got: EOF"),
        (String::new(), "400 invalid_json: body: expected a JSON object of a speech request, got: EOF"),
        ("\"\\ud800\"".into(), "400 invalid_json: "),
        (json(json!({ "input": "Hi.", "speed": 4.0 })), "400 invalid_value: speed: expected 0.5 to 2, got 4"),
        (
            json(json!({ "input": "Hi.", "sample_rate_hz": 1 })),
            "400 invalid_value: sample_rate_hz: expected 8000 to 48000, got 1",
        ),
        (
            json(json!({ "input": "Hi.", "response_format": "mp3" })),
            "400 unsupported_format: response_format: expected one of `wav`, `pcm`, `flac`, got `mp3`",
        ),
        (
            json(json!({ "input": "Hi.", "stream_format": "sse", "stream": false })),
            "400 invalid_value: stream: ",
        ),
    ];
    for (body, message) in cases {
        let answer = server.request("POST /v1/audio/speech HTTP/1.1", body.as_bytes()).await;
        assert!(answer.error().starts_with(message), "{body}: {}", answer.error());
    }
    let hint = server.speech(&json!({ "input": "Hi.", "voice": "nobody" })).await.json();
    assert!(hint["error"]["hint"].as_str().unwrap().contains("tiny"), "{hint}");
    assert!(
        server.get("/v1/nothing").await.error().starts_with("404 not_found: there is no `/v1/nothing` here")
    );
    assert!(server.get("/v1/audio/speech").await.error().starts_with("405 method_not_allowed: "));
    let upgrade = server.get("/v1/audio/stream").await;
    assert!((400..500).contains(&upgrade.status), "no WebSocket: {upgrade:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_clients_at_once_are_all_served() {
    let server = Server::start().await;
    let samples = expected(TEXT, SpeakConfig::default());
    let request = json!({ "input": TEXT, "response_format": "pcm" });
    let answers = (0..16).map(|_| server.speech(&request));
    for answer in futures_util::future::join_all(answers).await {
        assert!(answer.status == 200 && answer.body == samples);
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels() {
    let server = Server::start().await;
    drop(server.begun().await);
    server.wait_until_figure("cancelled_total", 1.0).await;
    server.wait_until_figure("speaking", 0.0).await;
    assert!(server.figure("characters_total").await <= long_text().len() as f64);
}

#[tokio::test]
async fn one_too_many_is_told_so() {
    let limits = fastglow::daemon::http::HttpLimits { utterances: 1, connections: 2, ..Default::default() };
    let server = Server::with(limits, None).await;
    let first = server.begun().await;
    let busy = server.speech(&json!({ "input": "Hi." })).await;
    assert!(busy.error().starts_with("503 overloaded: as much is being spoken"), "{}", busy.error());
    assert_eq!(busy.header("retry-after"), Some("1"));

    let second = server.connect().await;
    // The second connection is taken once it is answered on; until then the third might be the second.
    let mut third = Answer::parse(&server.raw(b"").await);
    while third.status != 503 {
        third = Answer::parse(&server.raw(b"").await);
    }
    assert!(third.error().starts_with("503 overloaded: too many connections"));
    drop((first, second));
    server.wait_until_room().await;
    assert_eq!(server.figure("speaking").await, 0.0);
}

impl Server {
    /// Waits until connections and utterances are over.
    async fn wait_until_room(&self) {
        loop {
            let answer =
                self.raw(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
            if !answer.is_empty() && Answer::parse(&answer).status == 200 {
                return self.wait_until_figure("speaking", 0.0).await;
            }
        }
    }
}

#[tokio::test]
async fn the_shutdown_ends_answers_that_go_on() {
    let server = Server::start().await;
    let client = server.begun().await;
    let address = server.address;
    server.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens");
    drop(client);
}
