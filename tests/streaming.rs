//! The engine: text in while sound comes out, on threads, in bounded queues, stopped at any instant.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use fastglow::audio::{self, SinkConfig, Target};
use fastglow::engine::*;
use fastglow::text::Pace;
use fastglow::{Error, engine};

use super::tiny_voice;

const TEXT: &str = "One two three. Is this four? Yes, it is, and five makes a longer line of words!";
/// Far beyond what anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn synthesizer() -> Synthesizer {
    Synthesizer::new(&tiny_voice::voice()).unwrap()
}

/// What a listener was told.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Begin,
    Words(Vec<String>),
    Samples(Vec<f32>),
    End { is_cancelled: bool },
    Other,
}

fn told(event: &Event<'_>) -> Told {
    match event {
        Event::Begin => Told::Begin,
        Event::Phrase(phrase) => Told::Words(phrase.phones.words.iter().map(|w| w.spoken.clone()).collect()),
        Event::Samples(samples) => Told::Samples(samples.to_vec()),
        Event::End(report) => Told::End { is_cancelled: report.is_cancelled },
        _ => Told::Other,
    }
}

fn listener(sender: Sender<(JobId, Told)>) -> JobListener {
    Box::new(move |id, event| {
        let _ = sender.send((id, told(&event)));
        ControlFlow::Continue(())
    })
}

fn engine(sink: Option<OpenSink>) -> Engine {
    Engine::start(&synthesizer(), sink, EngineConfig::default()).unwrap()
}

/// A sink that plays in real time to nobody.
fn paced() -> Option<OpenSink> {
    let config = SinkConfig::new(22_050, Target::Stdout);
    Some(Box::new(move || audio::open("null", &config)))
}

fn samples(events: &Receiver<(JobId, Told)>) -> Vec<f32> {
    events.try_iter().flat_map(|(_, told)| if let Told::Samples(s) = told { s } else { Vec::new() }).collect()
}

fn words(events: &Receiver<(JobId, Told)>) -> Vec<String> {
    events.try_iter().flat_map(|(_, told)| if let Told::Words(w) = told { w } else { Vec::new() }).collect()
}

#[test]
fn an_unhurried_job_is_the_utterance_however_its_text_came() {
    let expected = synthesizer().speak(TEXT, SpeakConfig::default()).unwrap();
    let engine = engine(None);
    for step in [1, 5, 1000] {
        let (sender, events) = channel();
        let job = engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender)).unwrap();
        for piece in TEXT.as_bytes().chunks(step) {
            job.push(piece).unwrap();
        }
        let report = job.wait().unwrap();
        assert!(!report.is_cancelled);
        assert_eq!(report.stats.chunks, 3);
        assert_eq!(samples(&events), expected, "{step} bytes at a time");
    }
}

#[test]
fn hurried_chunks_say_every_word_once_and_cut_alike_whatever_the_split() {
    let synthesizer = synthesizer();
    let render = |step: usize| {
        let mut utterance = synthesizer.utterance_at(SpeakConfig::default(), Pace::URGENT).unwrap();
        let (mut phrases, mut heard) = (Vec::new(), Vec::new());
        let mut listener = |event: Event<'_>| {
            match told(&event) {
                Told::Words(words) => phrases.push(words),
                Told::Samples(samples) => heard.extend(samples),
                _ => {}
            }
            ControlFlow::Continue(())
        };
        for piece in TEXT.as_bytes().chunks(step) {
            utterance.push(piece, &mut listener).unwrap();
        }
        utterance.finish(&mut listener).unwrap();
        (phrases, heard)
    };
    let (phrases, heard) = render(TEXT.len());
    assert!(phrases.len() > 3, "cut within sentences: {phrases:?}");
    let spoken = fastglow::text::normalise(TEXT);
    assert_eq!(phrases.concat(), spoken.words().collect::<Vec<_>>());
    for step in 1..20 {
        assert_eq!(render(step), (phrases.clone(), heard.clone()), "{step} bytes at a time");
    }
}

#[test]
fn a_live_job_speaks_before_its_sentence_is_known() {
    let engine = engine(None);
    let (sender, events) = channel();
    let mut job = engine.begin(SpeakConfig::default(), Pacing::Live, listener(sender)).unwrap();
    job.push("The first words of a sentence that goes ").unwrap();
    let mut spoken: Vec<String> = Vec::new();
    while spoken.is_empty() {
        match events.recv_timeout(PATIENCE).unwrap().1 {
            Told::Words(words) => spoken.extend(words),
            Told::End { .. } => panic!("the text has not ended"),
            _ => {}
        }
    }
    assert_eq!(spoken[..2], ["the", "first"]);
    job.push("on and on.").unwrap();
    job.finish();
    let report = job.wait().unwrap();
    spoken.extend(words(&events));
    assert_eq!(spoken.join(" "), "the first words of a sentence that goes on and on");
    assert!(report.first_chunk_ms.unwrap() <= report.stats.first_audio_ms.unwrap());
}

#[test]
fn a_source_that_stalls_in_mid_word_loses_and_repeats_nothing() {
    let engine = engine(None);
    let (sender, events) = channel();
    let mut job = engine.begin(SpeakConfig::default(), Pacing::Live, listener(sender)).unwrap();
    job.push("Please mind the wet st").unwrap();
    let mut spoken: Vec<String> = Vec::new();
    while spoken.len() < 4 {
        if let Told::Words(words) = events.recv_timeout(PATIENCE).unwrap().1 {
            spoken.extend(words);
        }
    }
    assert_eq!(spoken, ["please", "mind", "the", "wet"]);
    job.push("ep, thank you.").unwrap();
    job.finish();
    job.wait().unwrap();
    spoken.extend(words(&events));
    assert_eq!(spoken.join(" "), "please mind the wet step thank you");
}

#[test]
fn jobs_are_spoken_in_turn_and_begin_and_end_once() {
    let engine = engine(None);
    let (sender, events) = channel();
    let jobs: Vec<Job> = (0..3)
        .map(|_| {
            let mut job =
                engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender.clone())).unwrap();
            job.push("Yes.").unwrap();
            job.finish();
            job
        })
        .collect();
    let ids: Vec<JobId> = jobs.iter().map(Job::id).collect();
    assert_eq!(ids, [1, 2, 3]);
    for job in jobs {
        job.wait().unwrap();
    }
    let marks: Vec<(JobId, bool)> = events
        .try_iter()
        .filter_map(|(id, told)| match told {
            Told::Begin => Some((id, true)),
            Told::End { is_cancelled: false } => Some((id, false)),
            _ => None,
        })
        .collect();
    assert_eq!(marks, [(1, true), (1, false), (2, true), (2, false), (3, true), (3, false)]);
}

#[test]
fn a_full_queue_is_an_error_and_nothing_is_lost() {
    let config = EngineConfig { queued_jobs: 1, queued_pieces: 1 };
    let engine = Engine::start(&synthesizer(), None, config).unwrap();
    let begin = || {
        let ignore = Box::new(|_, _: Event<'_>| ControlFlow::Continue(()));
        engine.begin(SpeakConfig::default(), Pacing::Unhurried, ignore)
    };
    let mut jobs = vec![begin().unwrap()];
    // One is being spoken, one waits; at the latest the third is one too many.
    let refused = loop {
        match begin() {
            Ok(job) => jobs.push(job),
            Err(error) => break error,
        }
    };
    assert!(jobs.len() <= 3);
    assert!(matches!(refused, Error::Job(JobError::Full)), "{refused}");
    for job in jobs {
        job.push("One.").unwrap();
        assert_eq!(job.wait().unwrap().stats.chunks, 1);
    }
    assert!(begin().is_ok());
}

#[test]
fn a_consumer_that_stops_reading_holds_the_text_back() {
    let engine = engine(None);
    let (wake, asleep) = channel::<()>();
    let mut is_first = true;
    let sleepy = Box::new(move |_, event: Event<'_>| {
        if matches!(event, Event::Samples(_)) && std::mem::replace(&mut is_first, false) {
            let _ = asleep.recv();
        }
        ControlFlow::Continue(())
    });
    let mut job = engine.begin(SpeakConfig::default(), Pacing::Unhurried, sleepy).unwrap();
    let text = job.take_text().unwrap();
    let line = "These are the words of one line, and there are many more. ".repeat(10);
    let mut taken = 0;
    while text.try_push(line.as_bytes()) == Ok(()) {
        taken += line.len();
        std::thread::sleep(Duration::from_millis(2));
        assert!(taken < 1 << 20, "text is taken without end");
    }
    assert_eq!(text.try_push(b"x"), Err(JobError::Full));
    wake.send(()).unwrap();
    text.push(" The end.").unwrap();
    drop(text);
    let report = job.wait().unwrap();
    assert!(!report.is_cancelled);
}

#[test]
fn a_cancelled_job_ends_and_the_next_one_sounds_as_ever() {
    let engine = engine(None);
    let (sender, events) = channel();
    let job = engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender)).unwrap();
    job.push(TEXT.repeat(50).as_bytes()).unwrap_or_default();
    loop {
        if let Told::Samples(_) = events.recv_timeout(PATIENCE).unwrap().1 {
            break;
        }
    }
    job.cancel();
    assert_eq!(job.push("more"), Err(JobError::Ended));
    let report = job.wait().unwrap();
    assert!(report.is_cancelled);
    assert!(report.stats.chunks < 150, "it did not go on to the end");

    let (sender, events) = channel();
    let next = engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender)).unwrap();
    next.push(TEXT).unwrap();
    next.wait().unwrap();
    assert_eq!(samples(&events), synthesizer().speak(TEXT, SpeakConfig::default()).unwrap());
}

#[test]
fn the_listener_and_a_dropped_handle_cancel_too() {
    let engine = engine(None);
    let enough = Box::new(|_, event: Event<'_>| {
        if matches!(event, Event::Samples(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let job = engine.begin(SpeakConfig::default(), Pacing::Unhurried, enough).unwrap();
    job.push(TEXT).unwrap();
    assert!(job.wait().unwrap().is_cancelled);

    let (sender, events) = channel();
    drop(engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender)).unwrap());
    loop {
        if let Told::End { is_cancelled } = events.recv_timeout(PATIENCE).unwrap().1 {
            assert!(is_cancelled);
            break;
        }
    }
}

#[test]
fn a_dropped_engine_leaves_no_thread_behind() {
    let engine = engine(paced());
    let (sender, events) = channel();
    let job = engine.begin(SpeakConfig::default(), Pacing::Live, listener(sender)).unwrap();
    job.push(TEXT).unwrap();
    drop(engine);
    // The listener lives on the engine's thread: when its sender is gone, so is the thread.
    loop {
        match events.recv_timeout(PATIENCE) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("the thread is still there"),
        }
    }
    assert_eq!(job.push("more"), Err(JobError::Ended));
}

#[test]
fn a_job_is_over_when_it_has_been_heard() {
    let engine = engine(paced());
    let (sender, events) = channel();
    let job = engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender)).unwrap();
    job.push("Yes. No.").unwrap();
    let report = job.wait().unwrap();
    let made = samples(&events).len() as u64;
    let control = engine.control().unwrap();
    assert_eq!(control.buffered_samples(), Some(0));
    assert_eq!(control.played_samples(), made);
    assert_eq!(report.underruns, 0);
    assert_eq!(report.last_word.unwrap().spoken, "no");
    engine.close().unwrap();
}

#[test]
fn stopping_tells_the_last_word_that_was_heard() {
    let engine = engine(paced());
    let (sender, events) = channel();
    let job = engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender)).unwrap();
    job.push(TEXT).unwrap();
    loop {
        let control = engine.control().unwrap();
        if control.played_samples() > 2000 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    engine.stop();
    let report = job.wait().unwrap();
    assert!(report.is_cancelled);
    let heard = engine.control().unwrap().played_samples();
    let last = report.last_word.unwrap();
    assert!(last.samples.start < heard, "{last:?} after {heard}");
    assert!((heard as usize) < samples(&events).len(), "it did not play to the end");

    // The next job is not touched by the stop.
    let (sender, events) = channel();
    let next = engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender)).unwrap();
    next.push("Yes.").unwrap();
    assert!(!next.wait().unwrap().is_cancelled);
    assert!(!samples(&events).is_empty());
}

#[test]
fn a_sink_that_cannot_be_opened_is_an_error() {
    let config = SinkConfig::new(22_050, Target::File("/no/such/folder/a.wav".into()));
    let open: OpenSink = Box::new(move || audio::open("wav", &config));
    let result = Engine::start(&synthesizer(), Some(open), EngineConfig::default());
    assert!(matches!(result.err(), Some(Error::Audio(_))));
}

#[test]
fn a_full_disk_fails_the_job_and_not_the_engine() {
    let config = SinkConfig::new(22_050, Target::File("/dev/full".into()));
    let open: OpenSink = Box::new(move || audio::open("raw", &config));
    let engine = Engine::start(&synthesizer(), Some(open), EngineConfig::default()).unwrap();
    for _ in 0..2 {
        let ignore = Box::new(|_, _: Event<'_>| ControlFlow::Continue(()));
        let job = engine.begin(SpeakConfig::default(), engine::Pacing::Unhurried, ignore).unwrap();
        job.push(TEXT).unwrap_or_default();
        let error = job.wait().unwrap_err();
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }
}

#[test]
fn rate_changes_what_comes_next() {
    let engine = engine(None);
    let mut lengths = Vec::new();
    for rate in [1.0, 2.0] {
        let (sender, events) = channel();
        let job = engine.begin(SpeakConfig::default(), Pacing::Unhurried, listener(sender)).unwrap();
        job.set_rate(rate);
        job.push(TEXT).unwrap();
        job.wait().unwrap();
        lengths.push(samples(&events).len() as f64);
    }
    assert!((0.4..0.6).contains(&(lengths[1] / lengths[0])), "{lengths:?}");
}
