//! Cards that come, go and differ, without a sound card.

use std::thread;
use std::time::{Duration, Instant};

use cpal::{ErrorKind, SampleFormat};

use super::test_host::{Bench, Model};
use super::{Cards, list};
use crate::audio::keeper::{Patience, open_card};
use crate::audio::{AudioError, Control, Sink, SinkConfig, Target};

/// A sample is a millisecond.
const VOICE_HZ: u32 = 1000;
/// No test waits so long unless something is broken.
const LIMIT: Duration = Duration::from_secs(20);

fn config() -> SinkConfig {
    SinkConfig {
        ring_ms: 1000,
        prefill_ms: 20,
        period_ms: 10,
        idle_ms: 1,
        // The thread that turns the card is the test's own.
        realtime_priority: None,
        ..SinkConfig::new(VOICE_HZ, Target::Stdout)
    }
}

fn patience() -> Patience {
    Patience {
        look: Duration::from_millis(1),
        stall: Duration::from_secs(3600),
        first_retry: Duration::from_millis(1),
        longest_retry: Duration::from_millis(4),
        well: Duration::ZERO,
    }
}

fn try_open(bench: &Bench, config: &SinkConfig) -> Result<Box<dyn Sink>, AudioError> {
    let host = bench.clone();
    open_card(Cards::of(config, move || Ok(host.host())), config, patience())
}

fn open(model: Model) -> (Bench, Box<dyn Sink>, Control) {
    let bench = Bench::default();
    bench.plug("one", model);
    let sink = try_open(&bench, &config()).unwrap();
    let control = sink.control();
    (bench, sink, control)
}

/// Waits for another thread; fails loudly if that never comes about.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "waited for {what}");
        thread::sleep(Duration::from_micros(100));
    }
}

/// Turns the card until it has been asked for `frames` while it ran; the first channel.
fn hear(bench: &Bench, frames: usize) -> Vec<f32> {
    let mut heard = Vec::new();
    until("the card to run", || {
        if let Some(period) = bench.turn((frames - heard.len()).min(10)) {
            heard.extend(period.iter().map(|frame| frame[0]));
        }
        heard.len() == frames
    });
    heard
}

/// Turns the card until all has been played.
fn hear_all(bench: &Bench, control: &Control) -> Vec<f32> {
    let mut heard = Vec::new();
    until("the end", || {
        heard.extend(bench.turn(10).into_iter().flatten().map(|frame| frame[0]));
        control.is_idle()
    });
    heard
}

fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|i| 0.2 + 0.5 * i as f32 / count as f32).collect()
}

#[test]
fn every_format_and_channel_carries_the_same_sound() {
    let formats = [
        (SampleFormat::F32, 1e-6),
        (SampleFormat::F64, 1e-6),
        (SampleFormat::I32, 1e-6),
        (SampleFormat::I24, 1e-6),
        (SampleFormat::I16, 1e-4),
        (SampleFormat::U16, 1e-4),
        (SampleFormat::U8, 1e-2),
    ];
    for (format, tolerance) in formats {
        for channels in [1, 2, 6] {
            let (bench, mut sink, _) = open(Model { format, channels, ..Model::default() });
            let samples = ramp(100);
            sink.write(&samples).unwrap();
            until("the card to run", || bench.is_running());
            let frames = bench.turn(100).unwrap();
            assert!(frames.iter().all(|frame| frame.len() == usize::from(channels)));
            assert!(frames.iter().all(|frame| frame.iter().all(|s| *s == frame[0])), "{format}");
            // Past the fade-in.
            let worst = frames
                .iter()
                .zip(&samples)
                .skip(5)
                .map(|(f, s)| (f[0] - s).abs())
                .max_by(f32::total_cmp)
                .unwrap();
            assert!(worst <= tolerance, "{format}: {worst}");
        }
    }
}

#[test]
fn a_card_of_another_rate_is_resampled_and_counted_in_the_voice_s_samples() {
    let (bench, mut sink, control) = open(Model { rate_hz: 2500, ..Model::default() });
    let tone: Vec<f32> = (0..400).map(|i| (i as f32 * 0.3).sin()).collect();
    sink.write(&tone).unwrap();
    sink.rest().unwrap();
    let heard = hear(&bench, 500);
    let progress = control.progress();
    assert_eq!((progress.played_samples, progress.buffered_samples), (200, Some(200)));
    let expected = |i: usize| (i as f32 / 2.5 * 0.3).sin();
    let worst = (50..450).map(|i| (heard[i] - expected(i)).abs()).max_by(f32::total_cmp).unwrap();
    // The filter's delay is cut in whole samples: up to one beside its place.
    assert!(worst < 0.12 + 0.01, "{worst}");
    hear_all(&bench, &control);
    assert_eq!((control.played_samples(), control.underruns()), (400, 0));
}

#[test]
fn the_period_asked_for_is_the_configured_one() {
    let (bench, _sink, _) = open(Model::default());
    assert_eq!(bench.buffer_size(), cpal::BufferSize::Fixed(10));
}

#[test]
fn a_card_unplugged_in_mid_speech_goes_on_where_it_was_when_it_is_back() {
    let (bench, mut sink, control) = open(Model::default());
    let samples = ramp(300);
    sink.write(&samples).unwrap();
    sink.rest().unwrap();
    let before = hear(&bench, 100);
    bench.unplug("one");
    bench.fail(ErrorKind::DeviceNotAvailable);
    until("the stream to be closed", || !bench.is_open());
    assert_eq!(control.buffered_ms(), Some(200), "all that was not handed out is still there");
    assert!(control.is_lost());
    bench.plug("one", Model::default());
    let after = hear_all(&bench, &control);
    until("the news", || !control.is_lost());
    assert_eq!(control.played_samples(), 300);
    assert_eq!(before[5..], samples[5..100]);
    // It fades in.
    assert_eq!(after[5..200], samples[105..]);
    assert_eq!(control.underruns(), 0);
    assert_eq!(sink.finish().unwrap().underruns, 0);
}

#[test]
fn another_card_with_another_rate_takes_over() {
    let (bench, mut sink, control) = open(Model::default());
    sink.write(&vec![0.5; 400]).unwrap();
    hear(&bench, 100);
    bench.unplug("one");
    bench.plug("two", Model { rate_hz: 2000, channels: 2, format: SampleFormat::I16, ..Model::default() });
    bench.fail(ErrorKind::DeviceNotAvailable);
    until("the other card", || bench.opened() == ["one", "two"]);
    let heard = hear(&bench, 200);
    assert_eq!(control.played_samples(), 200);
    assert!(heard[40..].iter().all(|s| (s - 0.5).abs() < 0.01), "{heard:?}");
    sink.write(&vec![0.5; 100]).unwrap();
    sink.rest().unwrap();
    let heard = hear_all(&bench, &control);
    assert_eq!(control.played_samples(), 500);
    let sounding = heard.iter().filter(|s| s.abs() > 0.25).count();
    assert!((590..=610).contains(&sounding), "300 ms are 600 frames: {sounding}");
    assert_eq!(control.underruns(), 0);
}

#[test]
fn a_card_that_refuses_is_tried_again() {
    let (bench, mut sink, control) = open(Model::default());
    sink.write(&[0.5; 100]).unwrap();
    sink.rest().unwrap();
    hear(&bench, 20);
    bench.plug("one", Model { is_busy: true, ..Model::default() });
    bench.fail(ErrorKind::StreamInvalidated);
    until("the stream to be closed", || !bench.is_open());
    thread::sleep(Duration::from_millis(20));
    assert_eq!((bench.is_open(), control.buffered_ms()), (false, Some(80)));
    bench.plug("one", Model::default());
    hear_all(&bench, &control);
    assert_eq!(control.played_samples(), 100);
}

#[test]
fn a_card_that_stays_away_ends_the_write_that_waits_for_it() {
    let bench = Bench::default();
    bench.plug("one", Model::default());
    let mut sink = try_open(&bench, &SinkConfig { reconnect_ms: 30, ..config() }).unwrap();
    sink.write(&[0.5; 500]).unwrap();
    hear(&bench, 10);
    bench.unplug("one");
    bench.fail(ErrorKind::DeviceNotAvailable);
    let error = sink.write(&[0.5; 5000]).unwrap_err();
    assert!(matches!(error, AudioError::Lost { .. }), "{error}");
    // It is still looked for.
    let control = sink.control();
    bench.plug("one", Model::default());
    until("room", || {
        control.stop();
        sink.write(&[0.5; 50]).is_ok()
    });
    sink.rest().unwrap();
    hear_all(&bench, &control);
    assert_eq!(control.played_samples(), control.progress().written_samples);
}

#[test]
fn a_stop_frees_a_write_while_the_card_is_away() {
    let (bench, mut sink, control) = open(Model::default());
    bench.unplug("one");
    bench.fail(ErrorKind::DeviceNotAvailable);
    let writer = thread::spawn(move || {
        sink.write(&[0.5; 5000]).unwrap();
        sink
    });
    until("a full ring", || control.buffered_samples() >= Some(1000));
    control.stop();
    let sink = writer.join().unwrap();
    assert_eq!((control.progress().written_samples, control.played_samples()), (5000, 0));
    // Nothing is left to wait for, though nothing could be played.
    sink.finish().unwrap();
}

#[test]
fn a_stop_is_heard_within_a_period_and_the_fade() {
    let (bench, mut sink, control) = open(Model::default());
    sink.write(&[1.0; 800]).unwrap();
    hear(&bench, 50);
    control.stop();
    let heard = hear(&bench, 10);
    assert!(heard[0] < 1.0 && heard[4] == 0.0 && heard[5..].iter().all(|s| *s == 0.0), "{heard:?}");
    assert_eq!(control.played_samples(), 55);
    sink.write(&[1.0; 30]).unwrap();
    sink.rest().unwrap();
    hear_all(&bench, &control);
    assert_eq!(control.played_samples(), 830);
}

#[test]
fn an_idle_card_is_paused_and_plays_again_when_written_to() {
    let (bench, mut sink, control) = open(Model::default());
    assert!(!bench.is_running(), "nothing to play yet");
    for round in 1..=3 {
        sink.write(&[0.5; 30]).unwrap();
        sink.rest().unwrap();
        hear_all(&bench, &control);
        until("the pause", || !bench.is_running());
        assert_eq!(bench.pauses(), round);
    }
    assert_eq!(bench.opened().len(), 1);
    assert_eq!((control.played_samples(), control.underruns()), (90, 0));
}

#[test]
fn a_card_that_cannot_pause_is_closed_when_idle_and_opened_again() {
    let (bench, mut sink, control) = open(Model { can_pause: false, ..Model::default() });
    for round in 1..=3 {
        sink.write(&[0.5; 30]).unwrap();
        sink.rest().unwrap();
        hear_all(&bench, &control);
        until("the end of the stream", || !bench.is_open());
        assert_eq!(bench.opened().len(), round);
    }
    assert_eq!(control.played_samples(), 90);
}

#[test]
fn a_paused_sink_lets_its_card_rest_and_a_resume_wakes_it() {
    let (bench, mut sink, control) = open(Model::default());
    sink.write(&[0.5; 100]).unwrap();
    sink.rest().unwrap();
    hear(&bench, 20);
    control.pause();
    hear(&bench, 10);
    until("the pause", || !bench.is_running());
    assert_eq!(control.played_samples(), 25);
    control.resume();
    hear_all(&bench, &control);
    assert_eq!(control.played_samples(), 100);
}

#[test]
fn a_card_unplugged_while_idle_is_missed_only_when_it_is_needed() {
    let (bench, mut sink, control) = open(Model::default());
    bench.unplug("one");
    thread::sleep(Duration::from_millis(5));
    assert!(bench.is_open(), "nobody has looked");
    bench.plug("two", Model::default());
    sink.write(&[0.5; 30]).unwrap();
    sink.rest().unwrap();
    hear_all(&bench, &control);
    assert_eq!((bench.opened().last().unwrap().as_str(), control.played_samples()), ("two", 30));
}

#[test]
fn a_card_that_takes_nothing_is_opened_anew() {
    let bench = Bench::default();
    bench.plug("one", Model::default());
    let host = bench.clone();
    let patience = Patience { stall: Duration::from_millis(20), ..patience() };
    let mut sink = open_card(Cards::of(&config(), move || Ok(host.host())), &config(), patience).unwrap();
    sink.write(&[0.5; 100]).unwrap();
    // The test does not turn it.
    until("another stream", || bench.opened().len() > 1);
    let control = sink.control();
    sink.rest().unwrap();
    hear_all(&bench, &control);
    assert_eq!(control.played_samples(), 100);
}

#[test]
fn the_card_s_own_gaps_are_counted_and_end_nothing() {
    let (bench, mut sink, control) = open(Model::default());
    sink.write(&[0.5; 100]).unwrap();
    sink.rest().unwrap();
    hear(&bench, 20);
    bench.fail(ErrorKind::Xrun);
    bench.fail(ErrorKind::RealtimeDenied);
    until("the count", || control.underruns() == 1);
    hear_all(&bench, &control);
    assert_eq!((control.played_samples(), bench.opened().len()), (100, 1));
}

#[test]
fn finish_waits_for_the_last_sample_and_then_lets_go_of_the_card() {
    let (bench, mut sink, control) = open(Model::default());
    sink.write(&[0.5; 100]).unwrap();
    let finisher = thread::spawn(move || sink.finish().unwrap());
    until("the end", || {
        bench.turn(10);
        finisher.is_finished()
    });
    assert_eq!(control.played_samples(), 100);
    assert!(!bench.is_open());
}

#[test]
fn dropping_the_sink_ends_the_sound_though_a_handle_is_left() {
    let (bench, mut sink, control) = open(Model::default());
    sink.write(&[0.5; 100]).unwrap();
    hear(&bench, 20);
    drop(sink);
    assert!(!bench.is_open());
    control.pause();
    control.stop();
    assert_eq!(control.played_samples(), 20);
}

#[test]
fn cards_are_chosen_by_name_or_description() {
    let bench = Bench::default();
    bench.plug("one", Model::default());
    bench.plug("two", Model::default());
    for (name, expected) in
        [(None, "one"), (Some("two"), "two"), (Some("The two card"), "two"), (Some("custom:two"), "two")]
    {
        try_open(&bench, &SinkConfig { device: name.map(Into::into), ..config() }).unwrap();
        assert_eq!(bench.opened().last().unwrap(), expected, "{name:?}");
    }
    let error = try_open(&bench, &SinkConfig { device: Some("three".into()), ..config() }).err().unwrap();
    assert!(matches!(&error, AudioError::UnknownDevice { name } if name == "three"), "{error}");
    assert!(error.hint().unwrap().contains("fastglow devices"));
}

#[test]
fn no_card_and_a_busy_card_are_different_errors() {
    let bench = Bench::default();
    let error = try_open(&bench, &config()).err().unwrap();
    assert!(matches!(error, AudioError::NoDevice { .. }), "{error}");
    bench.plug("one", Model { is_busy: true, ..Model::default() });
    let error = try_open(&bench, &config()).err().unwrap();
    assert!(matches!(error, AudioError::Device { .. }), "{error}");
}

#[test]
fn the_list_names_all_outputs_and_the_default() {
    let bench = Bench::default();
    assert_eq!(list(&bench.host()).unwrap(), []);
    bench.plug("one", Model::default());
    bench.plug("null", Model::default());
    bench.plug("two", Model::default());
    let cards = list(&bench.host()).unwrap();
    let shown: Vec<_> =
        cards.iter().map(|c| (c.name.as_str(), c.description.as_str(), c.is_default)).collect();
    assert_eq!(shown, [("one", "The one card", true), ("two", "The two card", false)]);
}
