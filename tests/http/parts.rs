//! The other parts of the daemon over HTTP: the lexicon, the loudspeaker, FLAC.

use fastglow::engine::SpeakConfig;
use serde_json::{Value, json};

use super::{Answer, Server, expected};

async fn send(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
    server.request(&format!("{method} {path} HTTP/1.1"), body.to_string().as_bytes()).await
}

#[tokio::test]
async fn a_word_of_the_lexicon_changes_what_is_spoken_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.tsv");
    let server = Server::with_loudspeaker(Some(path.clone())).await;
    let say = json!({ "input": "The robot.", "response_format": "pcm" });
    let before = server.speech(&say).await.body;
    assert!(before == expected("The robot.", SpeakConfig::default()));
    let word = server.get("/v1/lexicon/robot").await.json();
    assert_eq!(word, json!({ "word": "robot", "phones": "R OW1 B AA2 T", "origin": "lexicon" }));
    let put = send(&server, "PUT", "/v1/lexicon/robot", &json!({ "phones": "R AO1 B" })).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert!(server.speech(&say).await.body != before);
    let list = server.get("/v1/lexicon").await.json();
    assert_eq!(list, json!({ "is_editable": true, "words": [{ "word": "robot", "phones": "R AO1 B" }] }));
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("\nrobot\tR AO1 B\n"));
    let removed = send(&server, "DELETE", "/v1/lexicon/robot", &Value::Null).await;
    assert_eq!(removed.json(), json!({ "was_there": true }));
    assert!(server.speech(&say).await.body == before);

    for (path, phones, wrong) in [
        ("/v1/lexicon/Robot", "R", "400 invalid_value: lexicon: word: expected 1 to 64 lower-case letters"),
        ("/v1/lexicon/%2e%2e%2fetc", "R", "400 invalid_value: lexicon: word: expected"),
        ("/v1/lexicon/robot", "R OW", "400 invalid_value: lexicon: phones: expected ARPAbet"),
    ] {
        let error = send(&server, "PUT", path, &json!({ "phones": phones })).await.error();
        assert!(error.starts_with(wrong), "{error}");
    }
    let error = send(&server, "PUT", "/v1/lexicon/robot", &json!({ "phone": "R" })).await.error();
    assert!(error.starts_with("400 invalid_json:"), "{error}");
}

#[tokio::test]
async fn without_its_file_the_lexicon_stays_as_it_is() {
    let server = Server::start().await;
    let error = send(&server, "PUT", "/v1/lexicon/robot", &json!({ "phones": "R" })).await.error();
    assert!(error.starts_with("409 no_lexicon:"), "{error}");
    assert_eq!(server.get("/v1/lexicon").await.json(), json!({ "is_editable": false, "words": [] }));
}

#[tokio::test]
async fn the_loudspeaker_takes_orders() {
    let server = Server::with_loudspeaker(None).await;
    let order = async |request: Value| send(&server, "POST", "/v1/loudspeaker", &request).await;
    assert_eq!(order(json!({ "do": "pause" })).await.json(), json!({}));
    let job = order(json!({ "do": "say", "text": "Yes." })).await.json()["job"].clone();
    assert!(job.is_u64());
    let status = order(json!({ "do": "status" })).await.json()["status"].clone();
    assert_eq!((&status["queued_jobs"], &status["is_paused"]), (&json!(1), &json!(true)));
    assert_eq!(server.figure("queue_length").await, 1.0);
    order(json!({ "do": "resume" })).await;
    server.wait_until_figure("first_audio_seconds_count", 1.0).await;
    assert_eq!((server.figure("queue_length").await, server.figure("characters_total").await), (0.0, 4.0));
    let wrong = order(json!({ "do": "say", "text": "Yes.", "rate": 9 })).await.error();
    assert!(wrong.starts_with("400 out_of_range:"), "{wrong}");
    assert!(order(json!({ "do": "sing" })).await.error().starts_with("400 bad_request:"));
    let none = Server::start().await;
    let error = send(&none, "POST", "/v1/loudspeaker", &json!({ "do": "status" })).await.error();
    assert!(error.starts_with("503 no_loudspeaker:"), "{error}");
}

#[tokio::test]
async fn flac_holds_the_same_samples() {
    let server = Server::start().await;
    let samples = expected("The lamp is on.", SpeakConfig::default());
    for stream in [true, false] {
        let request = json!({ "input": "The lamp is on.", "response_format": "flac", "stream": stream });
        let answer = server.speech(&request).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("audio/flac")));
        assert!(answer.body.len() < samples.len());
        let mut reader = claxon::FlacReader::new(&answer.body[..]).unwrap();
        let count = (samples.len() / 2) as u64;
        assert_eq!(reader.streaminfo().samples, Some(count).filter(|_| !stream));
        let heard: Vec<u8> =
            reader.samples().flat_map(|sample| (sample.unwrap() as i16).to_le_bytes()).collect();
        assert!(heard == samples);
    }
}
