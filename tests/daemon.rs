//! The daemon: the loudspeaker that several programs share, its socket, and the program with its signals.

mod program;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fastglow::audio::{SinkConfig, reference};
use fastglow::daemon::{
    CancelReason, Lexicon, Limits, LoudspeakerConfig, Say, Scope, Settings, Shared, Speaker, SpeakerError,
    SpeakerEvent, Told, Voices, reference as reference_socket, socket,
};
use fastglow::engine::SpeakConfig;
use fastglow::voice::SearchPath;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use super::tiny_voice;

/// After this a test has hung.
const HANG: Duration = Duration::from_secs(120);
const LONG: &str =
    "One two three four five six seven eight nine ten. And then again from one to ten, and once more.";

fn voices() -> Arc<Voices> {
    let folder = tiny_voice::file().parent().unwrap().to_path_buf();
    Arc::new(Voices::new(SearchPath::new(vec![folder]), "tiny", 2))
}

fn silent() -> LoudspeakerConfig {
    LoudspeakerConfig { sink_name: "null".into(), lead_in_ms: 30, ..LoudspeakerConfig::default() }
}

fn speaker(limits: Limits) -> Speaker {
    Speaker::start(voices(), silent(), limits, Arc::default()).unwrap()
}

fn next(events: &mut Receiver<Told>) -> Told {
    events.blocking_recv().expect("the client keeps its mailbox")
}

/// All up to the last event of a job.
fn until_last(events: &mut Receiver<Told>, job: u64) -> Vec<SpeakerEvent> {
    let mut told = Vec::new();
    loop {
        let Told { job: of, event, .. } = next(events);
        if of == job {
            let is_last = event.is_last();
            told.push(event);
            if is_last {
                return told;
            }
        }
    }
}

fn await_word(events: &mut Receiver<Told>) -> u64 {
    loop {
        if let Told { job, event: SpeakerEvent::Word(_), .. } = next(events) {
            return job;
        }
    }
}

#[test]
fn an_utterance_begins_says_its_words_in_order_and_ends() {
    let speaker = speaker(Limits::default());
    let (client, mut events) = speaker.client();
    let text = "Hello there, you two.";
    let told = until_last(&mut events, client.say(Say::new(text)).unwrap());
    assert_eq!(told.first(), Some(&SpeakerEvent::Begin { sample_rate_hz: 22_050 }));
    let words: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            SpeakerEvent::Word(mark) => Some(mark),
            _ => None,
        })
        .collect();
    let spoken: Vec<_> =
        words.iter().map(|w| text[w.source.start as usize..w.source.end as usize].to_lowercase()).collect();
    assert_eq!(spoken, ["hello", "there", "you", "two"]);
    assert!(words.windows(2).all(|pair| pair[0].samples.end <= pair[1].samples.start));
    let Some(SpeakerEvent::End(end)) = told.last() else { panic!("{told:?}") };
    let last_ms = words.last().unwrap().samples.end * 1000 / 22_050;
    assert!(end.audio_ms >= last_ms && end.first_audio_ms.is_some(), "{end:?}");
    let tally = speaker.status().tally;
    assert_eq!((tally.accepted, tally.spoken, tally.cancelled), (1, 1, 0));
}

#[test]
fn phones_are_told_to_who_asks_between_the_words_they_belong_to() {
    let speaker = speaker(Limits::default());
    let (client, mut events) = speaker.client();
    let job = client.say(Say { tells_phones: true, ..Say::new("Hello there.") }).unwrap();
    let told = until_last(&mut events, job);
    let (mut word, mut phones, mut sample) = (None, Vec::new(), 0);
    for event in &told {
        match event {
            SpeakerEvent::Word(mark) => word = Some(mark.index),
            SpeakerEvent::Phone(mark) => {
                assert!(mark.word.is_none() || mark.word == word, "{mark:?} in {word:?}");
                assert!(mark.samples.start >= sample);
                sample = mark.samples.end;
                phones.push(mark.symbol.to_string());
            }
            _ => {}
        }
    }
    assert_eq!(phones.join(" "), "^ HH AH0 L OW1 DH EH1 R .");
    let job = client.say(Say::new("Hello there.")).unwrap();
    let told = until_last(&mut events, job);
    assert!(!told.iter().any(|event| matches!(event, SpeakerEvent::Phone(_))), "{told:?}");
}

#[test]
fn something_urgent_interrupts_and_the_last_word_is_told() {
    let speaker = speaker(Limits::default());
    let (client, mut events) = speaker.client();
    let long = client.say(Say::new(LONG)).unwrap();
    let waiting = client.say(Say::new("Later.")).unwrap();
    assert_eq!(await_word(&mut events), long);
    let (other, mut others) = speaker.client();
    let urgent = other.say(Say { is_urgent: true, ..Say::new("Stop.") }).unwrap();
    let Some(SpeakerEvent::Cancelled { reason, last_word }) = until_last(&mut events, long).pop() else {
        panic!("not cancelled")
    };
    assert_eq!(reason, CancelReason::Interrupted);
    assert!(last_word.is_some_and(|word| !word.spoken.is_empty()));
    assert!(matches!(until_last(&mut others, urgent).pop(), Some(SpeakerEvent::End(_))));
    assert!(
        matches!(until_last(&mut events, waiting).pop(), Some(SpeakerEvent::End(_))),
        "the queue goes on"
    );
}

#[test]
fn what_is_more_important_is_not_interrupted() {
    let speaker = speaker(Limits::default());
    let (client, mut events) = speaker.client();
    let alarm = client.say(Say { priority: 5, ..Say::new("Fire in the kitchen.") }).unwrap();
    assert_eq!(await_word(&mut events), alarm);
    let (other, _) = speaker.client();
    other.say(Say { is_urgent: true, ..Say::new("Hi.") }).unwrap();
    assert!(matches!(until_last(&mut events, alarm).pop(), Some(SpeakerEvent::End(_))));
}

#[test]
fn text_comes_in_pieces_and_a_client_that_leaves_takes_it_along() {
    let speaker = speaker(Limits::default());
    let (client, mut events) = speaker.client();
    let job = client.say(Say { is_whole: false, ..Say::new("Hello ") }).unwrap();
    client.append(job, "there.").unwrap();
    client.finish(job).unwrap();
    client.finish(job).unwrap();
    let after = client.append(job, "x").unwrap_err();
    assert!(matches!(after, SpeakerError::Finished | SpeakerError::UnknownJob { .. }), "{after:?}");
    let told = until_last(&mut events, job);
    assert_eq!(told.iter().filter(|event| matches!(event, SpeakerEvent::Word(_))).count(), 2);
    let open = client.say(Say { is_whole: false, ..Say::new("And so ") }).unwrap();
    let whole = client.say(Say::new("Bye.")).unwrap();
    let tied = client.say(Say { ends_with_client: true, ..Say::new("Bye bye.") }).unwrap();
    drop(client);
    let mut lasts = BTreeMap::new();
    while lasts.len() < 3 {
        let Told { job, event, .. } = next(&mut events);
        if event.is_last() {
            lasts.insert(job, event);
        }
    }
    let gone = |event: &SpeakerEvent| {
        matches!(event, SpeakerEvent::Cancelled { reason: CancelReason::ClientGone, .. })
    };
    assert!(gone(&lasts[&open]) && gone(&lasts[&tied]), "{lasts:?}");
    assert!(matches!(lasts[&whole], SpeakerEvent::End(_)));
    assert!(events.blocking_recv().is_none(), "nothing after the last");
}

#[test]
fn limits_hold_and_what_was_refused_was_not_done() {
    let limits = Limits { queued_jobs: 3, queued_jobs_per_client: 2, text_bytes: 64, ..Limits::default() };
    let speaker = speaker(limits);
    speaker.pause();
    let (one, mut events) = speaker.client();
    let (two, _two) = speaker.client();
    let say = || Say::new("Yes.");
    let first = one.say(say()).unwrap();
    one.say(say()).unwrap();
    assert_eq!(one.say(say()), Err(SpeakerError::ClientQueueFull { most: 2 }));
    two.say(say()).unwrap();
    assert_eq!(two.say(say()), Err(SpeakerError::QueueFull { most: 3 }));
    assert_eq!(two.append(first, "x"), Err(SpeakerError::UnknownJob { job: first }), "another client's");
    assert_eq!(two.stop(Some(first)), 0, "a client stops only its own");
    assert_eq!(speaker.stop(Scope::Job(first)), 1);
    let too_long = Err(SpeakerError::TextTooLong { most_bytes: 64, got_bytes: 65 });
    assert_eq!(one.say(Say::new("x".repeat(65))), too_long);
    let mut wild = say();
    wild.speech.rate = 9.0;
    assert!(matches!(one.say(wild), Err(SpeakerError::Speech(_))));
    let missing = one.say(Say { voice: Some("nobody".into()), ..say() }).unwrap();
    assert_eq!(speaker.status().tally.accepted, 4);
    speaker.resume();
    let Some(SpeakerEvent::Cancelled { reason, .. }) = until_last(&mut events, missing).pop() else {
        panic!("spoken by nobody")
    };
    assert!(
        matches!(reason, CancelReason::Failed { ref message, .. } if message.contains("nobody")),
        "{reason:?}"
    );
}

#[test]
fn a_pause_keeps_the_place_a_skip_goes_on_and_the_end_cancels() {
    let speaker = speaker(Limits::default());
    let (client, mut events) = speaker.client();
    let long = client.say(Say::new(LONG)).unwrap();
    let next_job = client.say(Say::new(LONG)).unwrap();
    let waiting = client.say(Say::new(LONG)).unwrap();
    assert_eq!(await_word(&mut events), long);
    speaker.pause();
    assert!(speaker.status().is_paused);
    assert_eq!(speaker.status().speaking, Some(long));
    assert_eq!(speaker.skip(), Some(long));
    let skipped = until_last(&mut events, long).pop();
    assert!(matches!(skipped, Some(SpeakerEvent::Cancelled { reason: CancelReason::Skipped, .. })));
    speaker.resume();
    assert_eq!(await_word(&mut events), next_job);
    speaker.close();
    let tally = speaker.status().tally;
    assert_eq!((tally.accepted, tally.spoken, tally.cancelled), (3, 0, 3));
    let mut lasts = BTreeMap::new();
    while lasts.len() < 2 {
        let Told { job, event, .. } = next(&mut events);
        if let SpeakerEvent::Cancelled { reason, .. } = event {
            lasts.insert(job, reason);
        }
    }
    let reason = CancelReason::ShuttingDown;
    assert_eq!(lasts, BTreeMap::from([(next_job, reason.clone()), (waiting, reason)]));
    assert_eq!(client.say(Say::new("No.")), Err(SpeakerError::ShuttingDown));
}

/// A daemon within the test.
struct Served {
    path: PathBuf,
    shared: Arc<Shared>,
    end: Option<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
    _folder: tempfile::TempDir,
}

fn serve(limits: Limits) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let speaker = speaker(limits.clone());
    let settings = Settings { limits, ..Settings::default() };
    let shared = Arc::new(Shared::new(voices(), Some(speaker), Arc::default(), settings));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(async { socket::bind(&path) }).unwrap();
    let (end, ended) = oneshot::channel();
    runtime.spawn(socket::run(listener, shared.clone(), ended));
    Served { path, shared, end: Some(end), runtime: Some(runtime), _folder: folder }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.end.take().unwrap().send(());
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(5));
    }
}

fn is_last(line: &Value, job: &Value) -> bool {
    line["job"] == *job && matches!(line["event"].as_str(), Some("end" | "cancelled"))
}

/// A client of the socket.
struct Line {
    from: BufReader<UnixStream>,
    to: UnixStream,
    events: Vec<Value>,
}

impl Line {
    fn connect(path: &Path) -> Self {
        let to = UnixStream::connect(path).unwrap();
        to.set_read_timeout(Some(HANG)).unwrap();
        let mut line = Self { from: BufReader::new(to.try_clone().unwrap()), to, events: Vec::new() };
        assert_eq!(line.read().unwrap()["protocol"], 1);
        line
    }

    fn read(&mut self) -> Option<Value> {
        let mut text = String::new();
        match self.from.read_line(&mut text) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&text).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("the daemon hangs: {error}"),
        }
    }

    fn ask(&mut self, request: Value) -> Value {
        self.to.write_all(format!("{request}\n").as_bytes()).unwrap();
        loop {
            let line = self.read().expect("an answer");
            if line.get("event").is_none() {
                return line;
            }
            self.events.push(line);
        }
    }

    fn has_last(&self, job: &Value) -> bool {
        self.events.iter().any(|line| is_last(line, job))
    }

    fn last(&mut self, job: &Value) -> Value {
        loop {
            if let Some(line) = self.events.iter().find(|line| is_last(line, job)) {
                return line.clone();
            }
            let line = self.read().expect("a last event");
            self.events.push(line);
        }
    }
}

#[test]
fn the_socket_speaks_its_protocol() {
    let served = serve(Limits::default());
    let mut line = Line::connect(&served.path);
    let answer = line.ask(json!({ "id": "a", "do": "say", "text": "Hello ", "more": true, "rate": 1.5 }));
    assert_eq!((&answer["ok"], &answer["id"]), (&json!(true), &json!("a")));
    let job = answer["job"].clone();
    assert_eq!(line.ask(json!({ "do": "append", "job": job, "text": "there 🪑." }))["ok"], true);
    assert_eq!(line.ask(json!({ "do": "finish", "job": job }))["ok"], true);
    let end = line.last(&job);
    assert!(end["event"] == "end" && end["underruns"].is_u64(), "{end}");
    let of_kind = |kind: &str| line.events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    assert_eq!(of_kind("begin")[0]["sample_rate_hz"], 22_050);
    assert_eq!(of_kind("word")[1]["text"], json!([6, 11]));
    assert_eq!(of_kind("unspoken")[0]["kind"], "emoji");

    let document = "<speak>One <mark name='m'/>two.</speak>";
    let marked =
        line.ask(json!({ "do": "say", "ssml": true, "phones": true, "text": document }))["job"].clone();
    line.last(&marked);
    let of_job = |kind: &str| line.events.iter().find(|e| e["event"] == kind && e["job"] == marked).unwrap();
    assert_eq!((&of_job("mark")["name"], &of_job("word")["text"]), (&json!("m"), &json!([7, 10])));
    let is_first = |e: &&Value| e["event"] == "phone" && e["job"] == marked && e["word"] == 0;
    let first = line.events.iter().find(is_first).unwrap();
    assert_eq!((&first["symbol"], &first["viseme"]), (&json!("W"), &json!("U")));
    let refused = line.ask(json!({ "do": "say", "ssml": true, "text": "<speak>" }));
    assert_eq!(refused["code"], "bad_ssml");

    let refused = line.ask(json!({ "id": 2, "do": "append", "job": job, "text": "x" }));
    assert_eq!(
        (&refused["ok"], &refused["code"], &refused["id"]),
        (&json!(false), &json!("unknown_job"), &json!(2))
    );
    assert_eq!(line.ask(json!({ "do": "say", "rate": 7 }))["code"], "out_of_range");
    assert_eq!(line.ask(json!({ "do": "sing" }))["code"], "bad_request");
    let voices = line.ask(json!({ "do": "voices" }))["voices"].clone();
    assert!(
        voices.as_array().unwrap().iter().any(|voice| voice["name"] == "tiny" && voice["is_default"] == true)
    );

    let long = line.ask(json!({ "do": "say", "text": LONG.repeat(20) }))["job"].clone();
    // One that waits is not interrupted.
    while !line.events.iter().any(|event| event["job"] == long && event["event"] == "begin") {
        let event = line.read().unwrap();
        line.events.push(event);
    }
    let now = line.ask(json!({ "do": "now", "text": "Now." }))["job"].clone();
    let cancelled = line.last(&long);
    assert_eq!((&cancelled["event"], &cancelled["reason"]), (&json!("cancelled"), &json!("interrupted")));
    assert_eq!(line.last(&now)["event"], "end");
    assert_eq!(line.ask(json!({ "do": "pause" }))["ok"], true);
    line.ask(json!({ "do": "say", "text": LONG }));
    let status = line.ask(json!({ "do": "status" }))["status"].clone();
    assert_eq!((&status["is_paused"], &status["queued_jobs"]), (&json!(true), &json!(1)));
    assert_eq!(line.ask(json!({ "do": "stop", "all": true }))["stopped"], 1);
    assert_eq!(line.ask(json!({ "do": "status" }))["status"]["is_paused"], false);
}

#[test]
fn nonsense_and_vanished_clients_harm_nobody() {
    let limits = Limits { request_bytes: 1024, client_stall_ms: 200, connections: 4, ..Limits::default() };
    let served = serve(limits);
    let mut seed = 1u64;
    for round in 0..200 {
        let mut stream = UnixStream::connect(&served.path).unwrap();
        let bytes: Vec<u8> = (0..round * 7).map(|_| random(&mut seed) as u8).collect();
        // It may be turned away before it has sent everything.
        let _ = stream.write_all(&bytes);
        if round % 3 == 0 {
            let _ = stream.write_all(b"\n{\"do\":\"say\",\"text\":\"Half of a req");
        }
    }
    // A line without an end, and one that is too long: both are told, and dropped.
    for (bytes, code) in [(&b"{\"do\":"[..], "too_slow"), (&[b'x'; 5000][..], "request_too_long")] {
        // The ones before are being dropped; until then there may be no seat.
        let mut line = loop {
            let to = UnixStream::connect(&served.path).unwrap();
            to.set_read_timeout(Some(HANG)).unwrap();
            let mut line = Line { from: BufReader::new(to.try_clone().unwrap()), to, events: Vec::new() };
            if line.read().is_some() {
                break line;
            }
        };
        line.to.write_all(bytes).unwrap();
        assert_eq!(line.read().unwrap()["code"], code);
        assert_eq!(line.read(), None);
    }
    let mut line = Line::connect(&served.path);
    let job = line.ask(json!({ "do": "say", "text": "Still here." }))["job"].clone();
    assert_eq!(line.last(&job)["event"], "end");
}

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Many clients do everything at once, and some vanish: each accepted utterance ends exactly once.
#[test]
fn every_accepted_utterance_ends_exactly_once() {
    let served = serve(Limits { queued_jobs: 8, queued_jobs_per_client: 3, ..Limits::default() });
    let clients: Vec<_> = (1..=4u64)
        .map(|number| {
            let path = served.path.clone();
            std::thread::spawn(move || {
                let mut seed = number * 7919;
                let mut line = Line::connect(&path);
                let mut jobs: Vec<Value> = Vec::new();
                for _ in 0..60 {
                    let job = jobs.last().cloned().unwrap_or(json!(0));
                    let request = match random(&mut seed) % 12 {
                        0..4 => json!({ "do": "say", "text": "Yes.", "priority": random(&mut seed) % 3 }),
                        4 => json!({ "do": "say", "text": LONG, "more": true }),
                        5 => json!({ "do": "now", "text": "Now.", "rate": 2 }),
                        6 => json!({ "do": "append", "job": job, "text": " and so on" }),
                        7 => json!({ "do": "finish", "job": job }),
                        8 => json!({ "do": "skip" }),
                        9 => json!({ "do": "pause" }),
                        10 => json!({ "do": "stop", "all": random(&mut seed).is_multiple_of(2) }),
                        _ => json!({ "do": "resume" }),
                    };
                    let answer = line.ask(request.clone());
                    if request["do"] == "say" || request["do"] == "now" {
                        if answer["ok"] == true {
                            jobs.push(answer["job"].clone());
                        } else {
                            assert_eq!(answer["code"], "queue_full");
                        }
                    }
                    std::thread::sleep(Duration::from_millis(random(&mut seed) % 30));
                }
                if number == 4 {
                    // Killed, with whatever it has open.
                    return;
                }
                for job in &jobs {
                    line.ask(json!({ "do": "finish", "job": job }));
                }
                for job in &jobs {
                    while !line.has_last(job) {
                        // Another one may have paused it.
                        line.ask(json!({ "do": "resume" }));
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
                for job in &jobs {
                    let lasts = line.events.iter().filter(|line| is_last(line, job));
                    assert_eq!(lasts.count(), 1, "utterance {job}");
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    // Now that nobody stops anything.
    let mut line = Line::connect(&served.path);
    line.ask(json!({ "do": "resume" }));
    let job = line.ask(json!({ "do": "say", "text": "Yes." }))["job"].clone();
    assert_eq!(line.last(&job)["event"], "end");
    let speaker = served.shared.speaker.clone().unwrap();
    speaker.close();
    let tally = speaker.status().tally;
    assert!(tally.accepted > 20 && tally.spoken > 0 && tally.cancelled > 0, "{tally:?}");
    assert_eq!(tally.accepted, tally.spoken + tally.cancelled, "{tally:?}");
    assert_eq!((tally.failed, speaker.status().queued_jobs), (0, 0), "{tally:?}");
}

#[test]
fn the_reference_is_what_was_played() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let (ear, reader) = reference(100_000);
    let sink = SinkConfig { reference: Some(ear), ..SinkConfig::default() };
    let config = LoudspeakerConfig { sink, ..silent() };
    let speaker = Speaker::start(voices(), config, Limits::default(), Arc::default()).unwrap();
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(async { socket::bind(&path) }).unwrap();
    let (_end, ended) = oneshot::channel::<()>();
    runtime.spawn(reference_socket::run(listener, reader, 2, ended));
    let mut from = BufReader::new(UnixStream::connect(&path).unwrap());
    let (client, _) = speaker.client();
    client.say(Say::new(LONG)).unwrap();
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    let header: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&header["encoding"], &header["sample_rate_hz"]), (&json!("s16le"), &json!(22_050)));
    let mut samples = vec![0; 22_050];
    from.read_exact(&mut samples).unwrap();
    assert!(samples.chunks(2).any(|s| i16::from_le_bytes([s[0], s[1]]).unsigned_abs() > 100), "not silent");
}

#[cfg(feature = "train")]
#[test]
fn a_voice_that_is_adapted_beside_the_daemon_is_there_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (_, alice) = crate::adapt::adapter(folder.path());
    let first = std::fs::read(&alice).unwrap();
    std::fs::remove_file(&alice).unwrap();
    let voices = Voices::new(SearchPath::new(vec![folder.path().into()]), "tiny", 2);
    let said = |name| voices.get(name).unwrap().speak("The robot.", SpeakConfig::default()).unwrap();
    let usual = said(None);
    assert!(voices.get(Some("alice")).is_err());
    std::fs::write(&alice, first).unwrap();
    assert_ne!(said(Some("alice")), usual, "no restart, no order to reload");
    assert_eq!(said(None), usual);
}

#[test]
fn a_voice_and_a_lexicon_that_are_replaced_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (voice, words) = (folder.path().join("tiny.gguf"), folder.path().join("words.tsv"));
    std::fs::copy(tiny_voice::file(), &voice).unwrap();
    let voices = Voices::new(SearchPath::new(vec![folder.path().into()]), "tiny", 2)
        .with_lexicon(Lexicon::new(Some(words.clone())));
    let before = voices.get(None).unwrap();
    assert!(voices.reload_replaced().0.is_empty(), "nothing was replaced");
    assert!(voices.get(None).unwrap().is_same(&before));
    // As a copy over it would, with another time.
    let replace = |bytes: &[u8]| {
        std::fs::write(&voice, bytes).unwrap();
        let later = std::time::SystemTime::now() + Duration::from_secs(60 + bytes.len() as u64);
        std::fs::File::options().write(true).open(&voice).unwrap().set_modified(later).unwrap();
    };
    let whole = std::fs::read(tiny_voice::file()).unwrap();
    replace(&whole[..whole.len() / 2]);
    let (new, failed) = voices.reload_replaced();
    assert_eq!((new.len(), failed.len(), failed[0].0.as_str()), (0, 1, "tiny"));
    assert!(voices.get(None).unwrap().is_same(&before), "the old one speaks on");
    assert!(voices.reload_replaced().1.is_empty(), "told once");
    replace(&whole);
    assert_eq!(voices.reload_replaced().0, ["tiny"]);
    let now = voices.get(None).unwrap();
    assert!(!now.is_same(&before));
    let said = || now.speak("The robot.", SpeakConfig::default()).unwrap();
    let usual = said();
    std::fs::write(&words, "robot\tR AO1 B\n").unwrap();
    assert!(voices.lexicon().refresh().unwrap());
    assert!(said() != usual);
}
