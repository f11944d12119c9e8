//! Microphones that differ, come and go, without a sound card.

use cpal::{ErrorKind, SampleFormat};

use super::microphone::{Microphone, list};
use super::test_host::{Bench, Model};
use crate::audio::AudioError;

fn plugged(model: Model) -> Bench {
    let bench = Bench::default();
    bench.plug("one", model);
    bench
}

#[test]
fn every_format_and_channel_gives_the_same_sound() {
    let formats = [
        (SampleFormat::F32, 1e-6),
        (SampleFormat::F64, 1e-6),
        (SampleFormat::I32, 1e-6),
        (SampleFormat::I24, 1e-6),
        (SampleFormat::I16, 1e-4),
        (SampleFormat::U16, 1e-4),
        (SampleFormat::U8, 1e-2),
    ];
    let spoken: Vec<f32> = (0..600).map(|i| (i as f32 / 600.0 - 0.5) * 1.6).collect();
    for (format, tolerance) in formats {
        for channels in [1, 2, 6] {
            let bench = plugged(Model { rate_hz: 16_000, format, channels, ..Model::default() });
            let microphone = Microphone::on(&bench.host(), None).unwrap();
            assert_eq!(microphone.rate_hz(), 16_000);
            let mut capture = microphone.start().unwrap();
            let mut heard = Vec::new();
            for part in spoken.chunks(250) {
                bench.speak(part);
                assert_eq!(capture.read(&mut heard).unwrap(), part.len());
            }
            let worst = heard.iter().zip(&spoken).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap();
            assert!(worst <= tolerance && heard.len() == spoken.len(), "{format} × {channels}: {worst}");
            assert_eq!(capture.losses(), 0);
        }
    }
}

#[test]
fn a_take_holds_the_microphone_only_while_it_lasts() {
    let bench = plugged(Model::default());
    let microphone = Microphone::on(&bench.host(), Some("one")).unwrap();
    assert!(!bench.is_listening());
    for _ in 0..2 {
        let capture = microphone.start().unwrap();
        assert!(bench.is_listening());
        drop(capture);
        assert!(!bench.is_listening());
    }
}

#[test]
fn lost_sound_is_counted_and_a_lost_microphone_is_told() {
    let bench = plugged(Model::default());
    let mut capture = Microphone::on(&bench.host(), None).unwrap().start().unwrap();
    // Three seconds fit.
    bench.speak(&vec![0.1; 3500]);
    assert_eq!(capture.losses(), 500);
    bench.fail_input(ErrorKind::Xrun);
    assert_eq!(capture.losses(), 501);
    let mut heard = Vec::new();
    assert_eq!(capture.read(&mut heard).unwrap(), 3000);
    bench.fail_input(ErrorKind::DeviceNotAvailable);
    let error = capture.read(&mut heard).unwrap_err();
    assert_eq!(error.to_string(), "microphone: cannot go on: it is no longer there");
}

#[test]
fn no_microphone_is_an_error_with_a_hint() {
    let bench = Bench::default();
    let error = Microphone::on(&bench.host(), None).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "microphone: cannot find: the system names no default input");
    assert!(error.hint().unwrap().contains("arecord -l"));
    assert!(list(&bench.host()).unwrap().is_empty());

    bench.plug("busy", Model { is_busy: true, ..Model::default() });
    assert_eq!(list(&bench.host()).unwrap()[0].name, "busy");
    let microphone = Microphone::on(&bench.host(), Some("The busy card")).unwrap();
    assert!(matches!(microphone.start(), Err(AudioError::Microphone { operation: "open a stream", .. })));
    let unknown = Microphone::on(&bench.host(), Some("other")).map(|_| ()).unwrap_err();
    assert!(matches!(unknown, AudioError::UnknownDevice { .. }));
}
