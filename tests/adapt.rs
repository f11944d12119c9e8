//! Adaptation: recordings that are refused, adapters and their base, and the whole way with a tiny voice.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use fastglow::adapt::{
    AdaptConfig, AdaptError, Event, adapt, check_recordings, choose_base, find_recordings,
};
use fastglow::engine::{SpeakConfig, Synthesizer};
use fastglow::voice::{Found, Meta, Packing, SearchPath, Source, Voice, VoiceError};
use hound::{SampleFormat, WavSpec};

use crate::tiny_voice;

const TEXT: &str = "The door is open.";

/// A buzz whose pitch and colour move, in bursts with quiet between them.
pub fn buzz(rate_hz: u32, seconds: f32, seed: usize) -> Vec<f32> {
    let count = (rate_hz as f32 * seconds) as usize;
    let mut phase = 0.0f32;
    (0..count)
        .map(|i| {
            let t = i as f32 / rate_hz as f32;
            let f0_hz = 120.0 + 15.0 * (3.0 * t + seed as f32).sin();
            phase = (phase + f0_hz / rate_hz as f32).fract();
            let burst = (std::f32::consts::PI * (t * 4.0).fract()).sin();
            let margin = if t < 0.2 || t > seconds - 0.2 { 0.0 } else { 1.0 };
            let tilt = 0.5 + 0.4 * (9.0 * t).sin();
            let sound: f32 =
                (1..20).map(|k| (std::f32::consts::TAU * phase * k as f32).sin() * tilt.powi(k)).sum();
            let hiss = ((i * 7919 + seed * 104_729) % 1000) as f32 / 1000.0 - 0.5;
            0.15 * margin * burst * sound + 2e-4 * hiss
        })
        .collect()
}

pub fn write(path: &Path, (rate_hz, channels, bits): (u32, u16, u16), samples: &[f32]) {
    let sample_format = if bits == 32 { SampleFormat::Float } else { SampleFormat::Int };
    let spec = WavSpec { channels, sample_rate: rate_hz, bits_per_sample: bits, sample_format };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        for _ in 0..channels {
            if bits == 32 {
                writer.write_sample(sample).unwrap();
            } else {
                let full = (1i64 << (bits - 1)) as f32 - 1.0;
                writer.write_sample((sample.clamp(-1.0, 1.0) * full) as i32).unwrap();
            }
        }
    }
    writer.finalize().unwrap();
}

/// A take of `TEXT`, and its transcript.
fn take(folder: &Path, name: &str, format: (u32, u16, u16), samples: &[f32]) {
    write(&folder.join(format!("{name}.wav")), format, samples);
    std::fs::write(folder.join(format!("{name}.txt")), TEXT).unwrap();
}

#[test]
fn every_bad_recording_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = buzz(22_050, 1.6, 1);
    let plain = (22_050, 1, 16);
    take(folder, "clipped", plain, &good.iter().map(|x| x * 40.0).collect::<Vec<_>>());
    take(folder, "eight", (8000, 1, 16), &buzz(8000, 1.6, 1));
    take(folder, "fast", plain, &good);
    std::fs::write(folder.join("fast.txt"), "a very long sentence ".repeat(20)).unwrap();
    take(folder, "float", (44_100, 1, 32), &buzz(44_100, 1.6, 1));
    take(folder, "good", plain, &good);
    take(folder, "long", plain, &buzz(22_050, 17.0, 1));
    let noisy = |(i, x): (usize, &f32)| x * 0.2 + 0.1 * (((i * 7919) % 1000) as f32 / 1000.0 - 0.5);
    take(folder, "noisy", plain, &good.iter().enumerate().map(noisy).collect::<Vec<_>>());
    take(folder, "short", plain, &good[..6000]);
    take(folder, "silent", plain, &vec![0.0; 22_050]);
    take(folder, "six", (22_050, 6, 16), &good);
    take(folder, "stereo24", (48_000, 2, 24), &buzz(48_000, 1.6, 1));
    take(folder, "truncated", plain, &good);
    let bytes = std::fs::read(folder.join("truncated.wav")).unwrap();
    std::fs::write(folder.join("truncated.wav"), &bytes[..bytes.len() - 1001]).unwrap();
    take(folder, "untold", plain, &good);
    std::fs::remove_file(folder.join("untold.txt")).unwrap();
    take(folder, "wordless", plain, &good);
    std::fs::write(folder.join("wordless.txt"), "...").unwrap();
    std::fs::write(folder.join("zero.wav"), b"").unwrap();
    std::fs::write(folder.join("zero.txt"), TEXT).unwrap();

    let expected = [
        ("clipped.wav", Some("lower the microphone's level")),
        ("eight.wav", Some("record at 22050 Hz")),
        ("fast.wav", Some("check that the transcript is this recording's")),
        ("float.wav", None),
        ("good.wav", None),
        ("long.wav", Some("cut it into sentences")),
        ("noisy.wav", Some("record in a quiet room")),
        ("short.wav", Some("record at least")),
        ("silent.wav", Some("check the microphone")),
        ("six.wav", Some("record in mono or stereo")),
        ("stereo24.wav", None),
        ("truncated.wav", Some("export it again")),
        ("untold.wav", Some("untold.txt")),
        ("wordless.wav", Some("write what is said")),
        ("zero.wav", Some("export it again")),
    ];
    let takes = find_recordings(folder).unwrap();
    assert_eq!(takes.len(), expected.len());
    for ((take, check), (name, problem)) in takes.iter().zip(check_recordings(&takes)).zip(expected) {
        assert_eq!(take.name(), name);
        match (problem, check) {
            (None, Ok(check)) => {
                let seconds = check.samples.len() as f64 / f64::from(check.sample_rate_hz);
                assert!((1.0..1.6).contains(&seconds), "{name}: {seconds} s after trimming");
            }
            (Some(part), Err(problem)) => assert!(problem.to_string().contains(part), "{name}: {problem}"),
            (expected, got) => panic!("{name}: expected {expected:?}, got {:?}", got.map(|_| "no problem")),
        }
    }
}

#[test]
fn folders_without_recordings_or_with_a_wrong_list_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = find_recordings(folder.path()).unwrap_err();
    assert!(matches!(error, AdaptError::NoRecordings { .. }) && error.hint().is_some(), "{error}");
    std::fs::create_dir(folder.path().join("wavs")).unwrap();
    write(&folder.path().join("wavs/a.wav"), (22_050, 1, 16), &[0.0; 100]);
    let list = folder.path().join("metadata.csv");
    std::fs::write(&list, "a|Mr. Fox|Mister Fox\nb|no such file\n").unwrap();
    let takes = find_recordings(folder.path()).unwrap();
    assert_eq!(takes[1].text.as_deref(), Some("Mister Fox"));
    assert_eq!(takes[1].path, folder.path().join("wavs/a.wav"));
    assert!(check_recordings(&takes[..1]).next().unwrap().is_err(), "b.wav is not there");
    std::fs::write(&list, "a|one\nnothing\n").unwrap();
    assert!(matches!(find_recordings(folder.path()), Err(AdaptError::Metadata { line: 2, .. })));
}

/// The tiny voice in a folder of its own, and an adapter of it that changes one tensor.
pub fn adapter(folder: &Path) -> (Voice, PathBuf) {
    let base_path = folder.join("tiny.gguf");
    tiny_voice::voice().save(&base_path).unwrap();
    let base = Voice::load(&Source::File(base_path)).unwrap();
    let bias = Tensor::full(0.25f32, tiny_voice::acoustic_config().mels, &Device::Cpu).unwrap();
    let changed = BTreeMap::from([("acoustic.mel_head.bias".to_owned(), bias)]);
    let meta = Meta { name: "alice".into(), ..base.meta().clone() };
    let path = folder.join("alice.gguf");
    Voice::adapted(&base, meta, &changed).unwrap().save(&path).unwrap();
    (base, path)
}

#[test]
fn an_adapter_speaks_with_its_base_and_with_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (base, path) = adapter(folder.path());
    let whole = std::fs::metadata(folder.path().join("tiny.gguf")).unwrap().len();
    assert!(std::fs::metadata(&path).unwrap().len() < whole / 4);
    let alice = Voice::load(&Source::File(path.clone())).unwrap();
    alice.verify().unwrap();
    assert_eq!(alice.changed().collect::<Vec<_>>(), ["acoustic.mel_head.bias"]);
    for (name, _, _) in base.tensors() {
        let same = base.tensor_bytes(name).unwrap() == alice.tensor_bytes(name).unwrap();
        assert_eq!(same, name != "acoustic.mel_head.bias", "{name}");
    }
    assert!(matches!(
        Voice::adapted(&alice, base.meta().clone(), &BTreeMap::new()),
        Err(VoiceError::NotWhole { .. })
    ));

    // Merged, it needs no base and says the same.
    let merged_path = folder.path().join("merged.gguf");
    alice.clone().merged().save(&merged_path).unwrap();
    let speak = |voice: &Voice| Synthesizer::new(voice).unwrap().speak(TEXT, SpeakConfig::default()).unwrap();
    let spoken = speak(&alice);
    assert_ne!(spoken, speak(&base));

    // Another voice of the base's name.
    let mut weights = tiny_voice::weights();
    let bias = weights.get_mut("acoustic.source_head.bias").unwrap();
    *bias = (&*bias + 0.5).unwrap();
    let other = Voice::new(tiny_voice::meta(), tiny_voice::configs(), &weights, Packing::Small).unwrap();
    other.save(&folder.path().join("tiny.gguf")).unwrap();
    let error = Voice::load(&Source::File(path.clone())).unwrap_err();
    assert!(matches!(&error, VoiceError::Base { name, got: Some(_), .. } if name == "tiny"), "{error}");
    assert!(error.hint().unwrap().contains("tiny"));
    std::fs::remove_file(folder.path().join("tiny.gguf")).unwrap();
    assert!(matches!(Voice::load(&Source::File(path)), Err(VoiceError::Base { got: None, .. })));
    assert_eq!(speak(&Voice::load(&Source::File(merged_path)).unwrap()), spoken);
}

fn config(recordings: &Path, voices: &Path) -> AdaptConfig {
    AdaptConfig {
        seed: 3,
        depth: 1,
        scale: 0.02,
        ..AdaptConfig::new(
            (recordings.into(), "alice".into()),
            (Source::File(voices.join("tiny.gguf")), voices.join("alice.gguf")),
        )
    }
}

#[test]
fn a_tiny_voice_is_adapted_whole_and_again_after_a_stop() {
    let (recordings, voices) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for i in 0..6 {
        take(recordings.path(), &format!("{i}"), (22_050, 1, 16), &buzz(22_050, 1.5, i));
    }
    take(recordings.path(), "silent", (22_050, 1, 16), &vec![0.0; 22_050]);
    // As if half of the transcript were missing.
    take(recordings.path(), "long", (22_050, 1, 16), &buzz(22_050, 3.0, 6));
    tiny_voice::voice().save(&voices.path().join("tiny.gguf")).unwrap();
    let config = config(recordings.path(), voices.path());

    let stopped = adapt(&config, &mut |event| match event {
        Event::Progress { stage: "deeper", done: 2, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(stopped, Err(AdaptError::Stopped)), "{:?}", stopped.map(|report| report.seconds));
    assert!(!config.output.exists());

    let mut first_deep_step = None;
    let report = adapt(&config, &mut |event| {
        if let Event::Progress { stage: "deeper", done, .. } = event {
            first_deep_step.get_or_insert(done);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(first_deep_step, Some(3), "it goes on where it was stopped");
    assert_eq!((report.recordings.found, report.recordings.used), (8, 6));
    let left_out: Vec<_> = report.recordings.left_out.iter().map(ToString::to_string).collect();
    assert!(left_out[0].starts_with("silent.wav: silent"), "{left_out:?}");
    assert!(left_out[1].starts_with("long.wav: says 1."), "{left_out:?}");
    assert_eq!(report.split, [4, 1, 1]);
    assert!(report.after.acoustic_loss < report.before.acoustic_loss, "{:?}", report.after);

    let base = Voice::load(&config.base).unwrap();
    let alice = Voice::load(&Source::File(config.output.clone())).unwrap();
    alice.verify().unwrap();
    let open: Vec<String> = (report.stages.iter())
        .flat_map(|stage| {
            let part = if stage.name == "vocoder" { "vocoder" } else { "acoustic" };
            stage.open.iter().map(move |branch| format!("{part}.{branch}."))
        })
        .chain(["acoustic.statistics.".to_owned()])
        .collect();
    for (name, _, _) in base.tensors() {
        let is_open = open.iter().any(|branch| name.starts_with(branch.as_str()));
        assert_eq!(alice.changed().any(|changed| changed == name), is_open, "{name}");
        if !is_open {
            assert_eq!(base.tensor_bytes(name).unwrap(), alice.tensor_bytes(name).unwrap(), "{name}");
        }
    }
    let json = std::fs::read_to_string(config.work.join("report.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["after"]["mcd_db"].is_number());
    assert!(std::fs::read_to_string(config.work.join("report.html")).unwrap().contains("polyline"));
    // Every phone of the text, between its neighbours and inside the recording.
    let table = std::fs::read_to_string(config.work.join("alignment.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let first: Vec<_> = rows.filter(|row| row[0] == "0.wav" && !row[2].is_empty()).collect();
    assert_eq!(first.iter().map(|row| row[1]).collect::<String>(), "DHAH0DAO1RIH1ZOW1PAH0N");
    let seconds = |text: &str| text.parse::<f64>().unwrap();
    assert!(first.windows(2).all(|pair| seconds(pair[0][4]) <= seconds(pair[1][3])), "{table}");
    assert!(seconds(first[0][3]) > 0.0 && seconds(first[10][4]) < 1.5, "{table}");
    let left: Vec<_> = std::fs::read_dir(&config.work).unwrap().collect();
    assert_eq!(left.len(), 3, "checkpoints are cleared away");
}

#[test]
fn the_nearest_voice_is_chosen_and_adapted_ones_are_passed_over() {
    let (recordings, voices) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for i in 0..3 {
        take(recordings.path(), &format!("{i}"), (22_050, 1, 16), &buzz(22_050, 1.5, i));
    }
    let takes = find_recordings(recordings.path()).unwrap();
    for (name, f0_hz) in [("high", 260.0f32), ("near", 125.0)] {
        let mut weights = tiny_voice::weights();
        let mean = weights.get_mut("acoustic.statistics.variance_mean").unwrap();
        let mut values = mean.to_vec1::<f32>().unwrap();
        values[0] = f0_hz.ln();
        *mean = Tensor::new(values, &Device::Cpu).unwrap();
        let meta = Meta { name: name.into(), ..tiny_voice::meta() };
        let voice = Voice::new(meta, tiny_voice::configs(), &weights, Packing::Small).unwrap();
        voice.save(&voices.path().join(format!("{name}.gguf"))).unwrap();
    }
    let installed = || SearchPath::new(vec![voices.path().into()]).list();
    adapter(voices.path());
    std::fs::remove_file(voices.path().join("tiny.gguf")).unwrap();
    let ours = |found: &Found| matches!(found.source, Source::File(_));
    let choice = choose_base(&takes, installed().into_iter().filter(ours).collect()).unwrap();
    let compared: Vec<_> = choice.candidates.iter().map(|c| (c.voice.as_str(), c.is_chosen)).collect();
    assert_eq!(compared, [("near", true), ("high", false)]);
    assert!(choice.candidates[0].distance < choice.candidates[1].distance);
    assert!(matches!(choice.source, Source::File(path) if path.ends_with("near.gguf")));

    // With adapted voices alone, the reason is theirs.
    for name in ["high", "near"] {
        std::fs::remove_file(voices.path().join(format!("{name}.gguf"))).unwrap();
    }
    let error = choose_base(&takes, installed().into_iter().filter(ours).collect()).unwrap_err();
    assert!(error.to_string().contains("tiny"), "{error}");
}

#[test]
fn too_few_recordings_name_the_first_problem() {
    let (recordings, voices) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for i in 0..5 {
        take(recordings.path(), &format!("{i}"), (8000, 1, 16), &buzz(8000, 1.5, i));
    }
    tiny_voice::voice().save(&voices.path().join("tiny.gguf")).unwrap();
    let config = config(recordings.path(), voices.path());
    let error = adapt(&config, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(
        error.to_string().contains("at least 5") && error.to_string().contains("0.wav: 8000 Hz"),
        "{error}"
    );
    assert!(!config.work.exists() && !config.output.exists());
}
