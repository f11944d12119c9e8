//! From text to samples with a tiny voice: repeatable, windowed without a trace, bounded, honest about what it made.

use std::ops::ControlFlow;

use fastglow::Error;
use fastglow::acoustic;
use fastglow::engine::{Event, SpeakConfig, Synthesizer};
use fastglow::vocoder;
use fastglow::voice::{Fault, ModelConfigs, Packing, Voice, VoiceError};

use super::tiny_voice;

const TEXT: &str = "One two three. Is this four? Yes, it is!";

fn synthesizer() -> Synthesizer {
    Synthesizer::new(&tiny_voice::voice()).unwrap()
}

fn speak(config: SpeakConfig) -> Vec<f32> {
    synthesizer().speak(TEXT, config).unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap()
}

#[test]
fn the_same_request_gives_the_same_bits_and_another_seed_does_not() {
    let first = speak(SpeakConfig { seed: 5, ..SpeakConfig::default() });
    assert!(first.iter().any(|s| s.abs() > 1e-3), "it sounds");
    assert!(first.iter().all(|s| s.abs() <= 1.0));
    let bits = |samples: &[f32]| samples.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&first), bits(&speak(SpeakConfig { seed: 5, ..SpeakConfig::default() })));
    assert_ne!(first, speak(SpeakConfig { seed: 6, ..SpeakConfig::default() }));
}

#[test]
fn a_second_utterance_equals_the_first() {
    let synthesizer = synthesizer();
    let first = synthesizer.speak(TEXT, SpeakConfig::default()).unwrap();
    assert_eq!(first, synthesizer.speak(TEXT, SpeakConfig::default()).unwrap());
}

#[test]
fn windows_leave_no_trace() {
    let whole = speak(SpeakConfig {
        first_window_frames: 1024,
        longest_window_frames: 1024,
        ..SpeakConfig::default()
    });
    for (first, longest) in [(1, 1), (1, 3), (8, 64), (5, 5)] {
        let config = SpeakConfig {
            first_window_frames: first,
            longest_window_frames: longest,
            ..SpeakConfig::default()
        };
        let worst = largest_difference(&whole, &speak(config));
        assert!(worst < 1e-4, "{first} to {longest}: {worst}");
    }
}

#[test]
fn volume_scales_and_never_clips() {
    let plain = speak(SpeakConfig::default());
    let quiet = speak(SpeakConfig { volume_db: -20.0, ..SpeakConfig::default() });
    let scaled: Vec<f32> = plain.iter().map(|s| s * 0.1).collect();
    // Where the plain speech met the limit, the quiet one did not.
    let below_the_limit = plain.iter().zip(scaled.iter().zip(&quiet)).filter(|(p, _)| p.abs() < 0.8);
    let worst = below_the_limit.map(|(_, (a, b))| (a - b).abs()).max_by(f32::total_cmp).unwrap();
    assert!(worst < 1e-6, "{worst}");
    let loud = speak(SpeakConfig { volume_db: 20.0, ..SpeakConfig::default() });
    assert!(loud.iter().all(|s| s.abs() <= 1.0));
}

#[test]
fn a_faster_rate_is_shorter() {
    let plain = speak(SpeakConfig::default()).len() as f64;
    let fast = speak(SpeakConfig { rate: 2.0, ..SpeakConfig::default() }).len() as f64;
    assert!((0.4..0.6).contains(&(fast / plain)), "{}", fast / plain);
}

#[test]
fn phrases_add_up_to_the_samples_and_the_figures_are_true() {
    let synthesizer = synthesizer();
    let mut utterance = synthesizer.utterance(SpeakConfig::default()).unwrap();
    let (mut samples, mut expected, mut firsts, mut omitted) = (0u64, 0u64, Vec::new(), Vec::new());
    let mut words = Vec::new();
    let mut listener = |event: Event<'_>| {
        match event {
            Event::Samples(window) => samples += window.len() as u64,
            Event::Phrase(phrase) => {
                assert_eq!(phrase.phones.phones.len(), phrase.mel.durations_frames.len());
                let frames: u32 = phrase.mel.durations_frames.iter().sum();
                assert_eq!(frames as usize, phrase.mel.frame_count());
                let hop = synthesizer.hop_samples() as u64;
                firsts.push((phrase.first_frame * hop, expected));
                expected += u64::from(frames) * hop;
            }
            Event::Unspoken(omission) => omitted.push((omission.text.to_string(), omission.source)),
            Event::Word(word) => words.push(word),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let text = format!("{TEXT} \u{1fa91}");
    utterance.push(&text, &mut listener).unwrap();
    utterance.finish(&mut listener).unwrap();
    assert_eq!(omitted, [("\u{1fa91}".to_string(), TEXT.len() as u64 + 1..text.len() as u64)]);
    assert_eq!(samples, expected);
    assert_eq!(firsts.len(), 3, "three sentences");
    assert!(firsts.iter().all(|(told, counted)| told == counted), "{firsts:?}");
    let stats = utterance.stats();
    assert_eq!((stats.chunks, stats.voice.as_str()), (3, "tiny"));
    assert!((stats.audio_s - samples as f64 / 22_050.0).abs() < 1e-9);
    assert!(stats.first_audio_ms.unwrap() > 0.0 && stats.synth_s > 0.0);
    assert!((stats.rtf.unwrap() - stats.synth_s / stats.audio_s).abs() < 1e-12);

    let spoken: Vec<&str> = words.iter().map(|word| word.spoken.as_str()).collect();
    assert_eq!(spoken, ["one", "two", "three", "is", "this", "four", "yes", "it", "is"]);
    for (index, word) in words.iter().enumerate() {
        assert_eq!(word.index, index as u64);
        let source = &text[word.source.start as usize..word.source.end as usize];
        assert_eq!(source.to_lowercase(), word.spoken);
        assert!(word.samples.start < word.samples.end && word.samples.end <= samples);
    }
    assert!(words.windows(2).all(|pair| pair[0].samples.end <= pair[1].samples.start));
}

#[test]
fn a_text_in_pieces_is_the_text() {
    let synthesizer = synthesizer();
    let whole = speak(SpeakConfig::default());
    for step in [1, 2, 7] {
        let mut utterance = synthesizer.utterance(SpeakConfig::default()).unwrap();
        let mut samples = Vec::new();
        let mut listener = |event: Event<'_>| {
            if let Event::Samples(window) = event {
                samples.extend_from_slice(window);
            }
            ControlFlow::Continue(())
        };
        for piece in TEXT.as_bytes().chunks(step) {
            utterance.push(piece, &mut listener).unwrap();
        }
        utterance.finish(&mut listener).unwrap();
        assert_eq!(samples, whole, "{step} bytes at a time");
    }
}

#[test]
fn the_listener_can_stop_it() {
    let synthesizer = synthesizer();
    let mut utterance = synthesizer.utterance(SpeakConfig::default()).unwrap();
    let mut windows = 0;
    let mut listener = |event: Event<'_>| match event {
        Event::Samples(_) => {
            windows += 1;
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    utterance.push(TEXT, &mut listener).unwrap();
    assert!(utterance.is_stopped());
    utterance.push(TEXT, &mut listener).unwrap();
    utterance.finish(&mut listener).unwrap();
    assert_eq!(windows, 1);
}

#[test]
fn a_text_without_words_is_told_and_the_utterance_goes_on() {
    let synthesizer = synthesizer();
    for text in ["", ".", " \n", "\u{1fa91}", "\u{4f60}\u{597d}", "\0\u{7}"] {
        let result = synthesizer.speak(text, SpeakConfig::default());
        assert!(matches!(result, Err(Error::Text(_))), "{text:?}");
        let mut utterance = synthesizer.utterance(SpeakConfig::default()).unwrap();
        let (mut samples, mut omissions) = (0, 0);
        let mut listener = |event: Event<'_>| {
            match event {
                Event::Samples(window) => samples += window.len(),
                Event::Unspoken(_) => omissions += 1,
                _ => {}
            }
            ControlFlow::Continue(())
        };
        utterance.push(text, &mut listener).unwrap();
        utterance.push("\n\nNow then.", &mut listener).unwrap();
        utterance.finish(&mut listener).unwrap();
        assert!(samples > 0, "{text:?}");
        assert_eq!(omissions > 0, text.chars().any(|c| !c.is_whitespace() && c != '.'), "{text:?}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let synthesizer = synthesizer();
    for (config, name) in [
        (SpeakConfig { rate: 0.1, ..SpeakConfig::default() }, "rate"),
        (SpeakConfig { rate: f32::NAN, ..SpeakConfig::default() }, "rate"),
        (SpeakConfig { pitch_semitones: 13.0, ..SpeakConfig::default() }, "pitch_semitones"),
        (SpeakConfig { volume_db: f32::INFINITY, ..SpeakConfig::default() }, "volume_db"),
        (SpeakConfig { first_window_frames: 0, ..SpeakConfig::default() }, "first_window_frames"),
    ] {
        let error = synthesizer.utterance(config).err().unwrap().to_string();
        assert!(error.starts_with(name), "{error}");
    }
}

fn refusal(configs: ModelConfigs) -> VoiceError {
    let voice = Voice::new(tiny_voice::meta(), configs, &tiny_voice::weights(), Packing::Small).unwrap();
    match Synthesizer::new(&voice) {
        Err(Error::Voice(error)) => error,
        Err(other) => panic!("expected a voice error, got {other:?}"),
        Ok(_) => panic!("a voice that does not fit was accepted"),
    }
}

#[test]
fn a_voice_whose_tensors_do_not_fit_is_refused_with_their_name() {
    let wide = acoustic::Config { encoder_filter: 48, ..tiny_voice::acoustic_config() };
    let configs =
        ModelConfigs { acoustic: Some(serde_json::to_value(wide).unwrap()), ..tiny_voice::configs() };
    let error = refusal(configs);
    assert!(matches!(error, VoiceError::Model { part: "acoustic", .. }), "{error}");
    assert!(error.to_string().contains("48"), "{error}");

    let deep = vocoder::Config { flows: 3, ..tiny_voice::vocoder_config() };
    let configs =
        ModelConfigs { vocoder: Some(serde_json::to_value(deep).unwrap()), ..tiny_voice::configs() };
    let error = refusal(configs);
    assert!(error.to_string().contains("vocoder.convinv.2.weight"), "{error}");
}

#[test]
fn a_voice_with_tensors_to_spare_or_two_minds_is_refused() {
    let shallow = vocoder::Config { flows: 1, ..tiny_voice::vocoder_config() };
    let configs =
        ModelConfigs { vocoder: Some(serde_json::to_value(shallow).unwrap()), ..tiny_voice::configs() };
    assert!(matches!(refusal(configs), VoiceError::Damaged { fault: Fault::UnusedTensors { .. }, .. }));
    let other_rate = vocoder::Config { sample_rate_hz: 16_000, ..tiny_voice::vocoder_config() };
    let configs =
        ModelConfigs { vocoder: Some(serde_json::to_value(other_rate).unwrap()), ..tiny_voice::configs() };
    assert!(refusal(configs).to_string().contains("16000"));
}

#[test]
fn absurd_sizes_in_a_configuration_are_refused() {
    for (part, key, value) in [
        ("acoustic", "width", 1u64 << 40),
        ("acoustic", "encoder_blocks", 1 << 40),
        ("acoustic", "heads", 0),
        ("vocoder", "flows", 1 << 40),
        ("vocoder", "hop_samples", 1 << 40),
        ("vocoder", "hop_samples", 0),
        ("vocoder", "mel_bands", 0),
    ] {
        let mut configs = tiny_voice::configs();
        let config = if part == "acoustic" { &mut configs.acoustic } else { &mut configs.vocoder };
        config.as_mut().unwrap()[key] = value.into();
        let error = refusal(configs).to_string();
        assert!(error.contains("tiny"), "{part} {key} {value}: {error}");
    }
    let mut configs = tiny_voice::configs();
    configs.vocoder.as_mut().unwrap()["no_such_key"] = 1.into();
    assert!(refusal(configs).to_string().contains("no_such_key"));
}
