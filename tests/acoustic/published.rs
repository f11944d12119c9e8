//! The published layout against PyTorch's outputs.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use fastglow::acoustic::{
    Controls, Dropout, Error, FastSpeech, Mel, PhoneControls, PublishedControls, PublishedOutput, Tokens,
};
use fastglow::import::{AcousticConfig, Checkpoint, TrainingStatistics, acoustic};
use fastglow::nn::Params;
use fastglow::phoneme::{PhonemeSeq, Pronouncer};
use fastglow::text::{Language, normalise};

use crate::checkpoints::{self, Sizes};
use crate::goldens;

fn imported(checkpoint: &Checkpoint, from: &AcousticConfig) -> FastSpeech {
    let model = acoustic(checkpoint, from).unwrap();
    let tensors = model.tensors.into_iter().collect();
    FastSpeech::new(&model.config, &Params::float(tensors, &Device::Cpu)).unwrap()
}

fn model(tensors: &HashMap<String, Tensor>) -> FastSpeech {
    imported(&checkpoints::open(tensors), &AcousticConfig::default())
}

fn close(name: &str, got: &Tensor, want: &Tensor) {
    assert_eq!(got.dims(), want.dims(), "{name}");
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let largest = |tensor: &Tensor| values(tensor).into_iter().map(f32::abs).max_by(f32::total_cmp).unwrap();
    // Unlike `f32::max` and the tensors' own, this order lets no NaN pass.
    let error = largest(&(got - want).unwrap()) / largest(want);
    assert!(error <= 1e-4, "{name}: {error:e} of the largest value");
}

fn ids(tensor: &Tensor, length: usize) -> Vec<u32> {
    tensor.to_vec1::<i64>().unwrap()[..length].iter().map(|&id| id as u32).collect()
}

#[test]
fn published_weights_give_the_published_output() {
    let (Some(weights), Some(outputs)) =
        (goldens::file("fastspeech2_ckpt.pth.tar"), goldens::file("fastspeech2_io.safetensors"))
    else {
        return;
    };
    let checkpoint = Checkpoint::open(&weights).unwrap();
    let model = imported(&checkpoint, &AcousticConfig::default());
    meets(&model, &candle_core::safetensors::load(outputs, &Device::Cpu).unwrap());
}

/// The committed model and outputs, made by `make_published_references.py`.
#[test]
fn small_weights_of_the_published_layout_give_pytorch_s_output() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/published_fastspeech2.safetensors");
    let model = imported(&Checkpoint::open(&path).unwrap(), &AcousticConfig::default());
    let outputs = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    assert_eq!((model.config().symbols, model.config().width, model.config().mels), (20, 8, 6));
    meets(&model, &outputs);
}

/// The committed models and outputs, made by `make_older_references.py`.
#[test]
fn small_weights_of_fastspeech_1_and_fastpitch_give_pytorch_s_output() {
    for (name, controls) in [
        ("fastspeech1", [("c1", 1.0, 1.0, 0), ("c2", 1.0, 1.7, 0)]),
        ("fastpitch", [("c1", 1.0, 1.0, 0), ("c2", 1.2, 1.3, 0)]),
        ("fastpitch_speakers", [("c1", 1.0, 1.0, 0), ("c2", 1.2, 1.3, 2)]),
    ] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/published_{name}.safetensors"));
        let model = imported(&Checkpoint::open(&path).unwrap(), &AcousticConfig::default());
        let want = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        for (case, pitch, duration, speaker) in controls {
            for i in 0..2 {
                let length = want[&format!("ids_single{i}")].dim(0).unwrap();
                let single = ids(&want[&format!("ids_single{i}")], length);
                let controls = PublishedControls { pitch, duration, speaker };
                let got = model.infer_ids(&[single], &controls).unwrap();
                compare(&format!("single{i}_{case}"), &got, &want);
            }
        }
    }
}

#[test]
fn fastspeech_1_and_fastpitch_speak_our_phrases() {
    let phrase = Pronouncer::new().pronounce(&normalise("Well, the door is open.")).unwrap();
    for (name, has_pitch) in [("fastspeech1", false), ("fastpitch", true)] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/published_{name}.safetensors"));
        let model = imported(&Checkpoint::open(&path).unwrap(), &AcousticConfig::default());
        model.check_speakable(Language::English).unwrap();
        #[cfg(feature = "mandarin")]
        assert!(model.check_speakable(Language::Mandarin).is_err());
        let mel = model.speak(&phrase, &Controls::default()).unwrap();
        let frames = mel.frames.dim(0).unwrap();
        assert_eq!(mel.durations_frames.len(), phrase.phones.len());
        assert_eq!(mel.durations_frames.iter().sum::<u32>() as usize, frames);
        assert_eq!((mel.log_f0.len(), mel.voicing.len()), (frames, frames));
        // As timed as it was, it is the same.
        let again = model.speak_timed(&phrase, &Controls::default(), &mel.durations_frames).unwrap();
        assert_eq!(again.durations_frames, mel.durations_frames);
        let higher = model.speak(&phrase, &Controls { pitch_semitones: 4.0, ..Controls::default() });
        match higher {
            Ok(higher) => assert!(has_pitch && higher.log_f0[frames / 2] > mel.log_f0[frames / 2]),
            Err(error) => assert!(!has_pitch && matches!(error, Error::Layout { .. }), "{error}"),
        }
    }
}

#[test]
fn phones_of_a_published_model_differ_as_they_are_told() {
    let phrase = Pronouncer::new().pronounce(&normalise("Well, the door is open.")).unwrap();
    let controls = Controls::default();
    let second = checkpoints::open(&checkpoints::fastspeech2(Sizes { symbols: 361, ..Sizes::default() }));
    let of_file = |name: &str| {
        let path = format!("{}/tests/data/published_{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        Checkpoint::open(Path::new(&path)).unwrap()
    };
    for (name, checkpoint) in [
        ("fastspeech1", of_file("fastspeech1")),
        ("fastspeech2", second),
        ("fastpitch", of_file("fastpitch")),
    ] {
        let model = imported(&checkpoint, &AcousticConfig::default());
        let as_ever = PhoneControls { rate: 1.0, pitch_semitones: 0.0 };
        let mut each = vec![as_ever; phrase.phones.len()];
        let plain = model.speak(&phrase, &controls).unwrap();
        let same = model.speak_varied(&phrase, &controls, &each).unwrap();
        assert_eq!(same.durations_frames, plain.durations_frames, "{name}");
        assert_eq!(same.log_f0, plain.log_f0, "{name}");

        // The last word, at half the rate.
        let last = phrase.words.len() as u32 - 1;
        let is_last = |at: usize| phrase.phones[at].word == Some(last);
        for at in (0..each.len()).filter(|&at| is_last(at)) {
            each[at].rate = 0.5;
        }
        let slow = model.speak_varied(&phrase, &controls, &each).unwrap();
        let frames = |mel: &Mel, chosen: bool| {
            let of = |&at: &usize| is_last(at) == chosen;
            (0..each.len()).filter(of).map(|at| mel.durations_frames[at]).sum::<u32>()
        };
        assert_eq!(frames(&slow, false), frames(&plain, false), "{name}");
        assert!(frames(&slow, true) > frames(&plain, true), "{name}");

        each.iter_mut().for_each(|phone| *phone = as_ever);
        let higher = each.len() - 2;
        each[higher].pitch_semitones = 4.0;
        // Without statistics FastSpeech 2 and FastPitch cannot tell semitones; FastSpeech 1 has no pitch at all.
        match model.speak_varied(&phrase, &controls, &each) {
            Err(Error::Layout { call: "pitch", .. }) => assert_eq!(name, "fastspeech1"),
            Err(Error::Statistics { what: "pitch" }) => assert_eq!(name, "fastspeech2"),
            Ok(higher) => {
                assert_eq!(name, "fastpitch");
                assert_eq!(higher.durations_frames, plain.durations_frames);
                let end = plain.frame_count() - 1 - plain.durations_frames[each.len() - 1] as usize;
                assert!(higher.log_f0[end] > plain.log_f0[end] && higher.log_f0[0] == plain.log_f0[0]);
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn one_speaker_of_fastpitch_s_is_kept() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/published_fastpitch_speakers.safetensors");
    let checkpoint = Checkpoint::open(&path).unwrap();
    let said = |from: &AcousticConfig, speaker| {
        let controls = PublishedControls { speaker, ..PublishedControls::default() };
        imported(&checkpoint, from).infer_ids(&[vec![3, 4, 5]], &controls)
    };
    let of = |speaker| AcousticConfig { speaker: Some(speaker), ..AcousticConfig::default() };
    let values = |mel: &Tensor| mel.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let among_all = said(&AcousticConfig::default(), 1).unwrap().mel_after;
    assert_eq!(values(&said(&of(1), 0).unwrap().mel_after), values(&among_all));
    assert_ne!(values(&said(&of(0), 0).unwrap().mel_after), values(&among_all));
    assert!(matches!(said(&of(1), 1), Err(Error::Speaker { speakers: 1, got: 1 })));
    assert!(acoustic(&checkpoint, &of(3)).is_err());
}

#[test]
fn fastspeech_1_reads_one_sentence_at_a_time() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/published_fastspeech1.safetensors");
    let model = imported(&Checkpoint::open(&path).unwrap(), &AcousticConfig::default());
    let batch = model.infer_ids(&[vec![3, 4], vec![5]], &PublishedControls::default());
    assert!(matches!(batch, Err(Error::Layout { .. })));
    let statistics = TrainingStatistics { pitch: [-1.0, 1.0, 200.0, 40.0], energy: [-1.0, 1.0, 30.0, 20.0] };
    let with = AcousticConfig { statistics: Some(statistics), ..AcousticConfig::default() };
    let error = acoustic(&Checkpoint::open(&path).unwrap(), &with).unwrap_err();
    assert!(error.to_string().contains("neither statistics"), "{error}");
}

/// Every output of the whole batch and of each sentence alone, under three settings of the controls.
fn meets(model: &FastSpeech, want: &HashMap<String, Tensor>) {
    let lengths = want["src_lens"].to_vec1::<i64>().unwrap();
    let batch: Vec<Vec<u32>> = lengths
        .iter()
        .enumerate()
        .map(|(i, &length)| ids(&want["ids_batch"].get(i).unwrap(), length as usize))
        .collect();

    let tokens = Tokens::from_ids(&batch, &Device::Cpu).unwrap();
    let encoded = model.encode(&tokens, &Dropout::off()).unwrap();
    close("encoder", &encoded.output, &want["encoder_output_batch"]);

    for (case, pitch, duration) in [("c1", 1.0, 1.0), ("c2", 1.2, 1.1), ("c3", 0.8, 1.7)] {
        let controls = PublishedControls { pitch, duration, speaker: 0 };
        let whole = model.infer_ids(&batch, &controls).unwrap();
        compare(&format!("batch_{case}"), &whole, want);
        for i in 0..batch.len() {
            let length = want[&format!("ids_single{i}")].dim(0).unwrap();
            let single = ids(&want[&format!("ids_single{i}")], length);
            compare(&format!("single{i}_{case}"), &model.infer_ids(&[single], &controls).unwrap(), want);
        }
    }
}

fn compare(case: &str, got: &PublishedOutput, want: &HashMap<String, Tensor>) {
    let golden = |name: &str| {
        let tensor = &want[&format!("{case}_{name}")];
        // Single sentences are stored without their batch dimension.
        if case.starts_with("single") && name != "mel_lens" {
            tensor.unsqueeze(0).unwrap()
        } else {
            tensor.clone()
        }
    };
    let frames: Vec<i64> = got.lengths_frames.iter().map(|&n| n as i64).collect();
    assert_eq!(frames, golden("mel_lens").to_vec1::<i64>().unwrap(), "{case}");
    let wanted = golden("duration_rounded").to_vec2::<f32>().unwrap();
    for (got, want) in got.durations_rounded.iter().flatten().zip(wanted.iter().flatten()) {
        assert!((got - want).abs() <= 1e-6 * want.abs().max(1.0), "{case}: duration {got} {want}");
    }
    assert_eq!(got.durations_rounded.len(), wanted.len(), "{case}");
    for (name, value) in [("pitch", &got.pitch), ("energy", &got.energy)] {
        match value {
            Some(value) => close(&format!("{case} {name}"), value, &golden(name)),
            None => assert!(!want.contains_key(&format!("{case}_{name}")), "{case} {name}"),
        }
    }
    close(&format!("{case} log durations"), &got.log_durations, &golden("log_duration"));
    close(&format!("{case} mel before"), &got.mel_before, &golden("mel_before"));
    close(&format!("{case} mel after"), &got.mel_after, &golden("mel_after"));
}

#[test]
fn a_checkpoint_s_sizes_are_read_from_its_weights() {
    let model = model(&checkpoints::fastspeech2(Sizes::default()));
    let config = model.config();
    assert_eq!((config.symbols, config.width, config.mels, config.variance_bins), (20, 8, 6, 16));
    assert_eq!((config.encoder_kernel, config.encoder_filter, config.decoder_blocks), (3, 12, 2));
    let output = model.infer_ids(&[vec![3, 4, 5], vec![7]], &PublishedControls::default()).unwrap();
    let longest = *output.lengths_frames.iter().max().unwrap();
    assert_eq!(output.mel_after.dims(), [2, longest, 6]);
    assert!(output.mel_after.sum_all().unwrap().to_scalar::<f32>().unwrap().is_finite());
}

#[test]
fn the_duration_control_scales_and_cuts() {
    let model = model(&checkpoints::fastspeech2(Sizes::default()));
    let ids = [vec![3, 4, 5, 6, 7, 8]];
    let speak = |duration| {
        model.infer_ids(&ids, &PublishedControls { duration, ..PublishedControls::default() }).unwrap()
    };
    let plain = speak(1.0);
    let scaled = speak(1.7);
    for (one, more) in plain.durations_rounded[0].iter().zip(&scaled.durations_rounded[0]) {
        assert!((one * 1.7 - more).abs() < 1e-5, "{one} {more}");
    }
    let cut: f32 = scaled.durations_rounded[0].iter().map(|frames| frames.floor()).sum();
    assert_eq!(scaled.lengths_frames, [cut as usize]);
}

#[test]
fn damaged_checkpoints_are_refused_by_name() {
    let refuse = |change: &dyn Fn(&mut HashMap<String, Tensor>), what: &str| {
        let mut tensors = checkpoints::fastspeech2(Sizes::default());
        change(&mut tensors);
        let checkpoint = checkpoints::open(&tensors);
        let message = match acoustic(&checkpoint, &AcousticConfig::default()) {
            Err(error) => error.to_string(),
            Ok(model) => {
                let tensors = model.tensors.into_iter().collect();
                FastSpeech::new(&model.config, &Params::float(tensors, &Device::Cpu))
                    .err()
                    .unwrap()
                    .to_string()
            }
        };
        assert!(message.contains(what), "{message}");
    };
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    refuse(&|t| drop(t.remove("mel_linear.bias")), "mel_head.bias");
    refuse(&|t| drop(t.remove("mel_linear.weight")), "expected one FastSpeech 2 in the checkpoint, got 0");
    refuse(&|t| drop(t.remove("postnet.convolutions.1.1.running_mean")), "convolutions.1.1.running_mean");
    refuse(&|t| drop(t.insert("encoder.surprise.weight".into(), zeros(&[2]))), "surprise");
    refuse(&|t| drop(t.insert("decoder.position_enc".into(), zeros(&[1, 9, 8]))), "sinusoids");
    refuse(&|t| drop(t.insert("mel_linear.weight".into(), zeros(&[6, 9]))), "mel_head.weight");
    refuse(&|t| drop(t.insert("length_regulator.x".into(), zeros(&[6]))), "length_regulator.x");
    let three = AcousticConfig { heads: Some(3), ..AcousticConfig::default() };
    let checkpoint = checkpoints::open(&checkpoints::fastspeech2(Sizes::default()));
    assert!(acoustic(&checkpoint, &three).unwrap_err().to_string().contains("heads"));
}

#[test]
fn one_of_several_speakers_is_kept_or_chosen() {
    let sizes = Sizes { speakers: 3, ..Sizes::default() };
    let checkpoint = checkpoints::open(&checkpoints::fastspeech2(sizes));
    let all = imported(&checkpoint, &AcousticConfig::default());
    assert_eq!(all.config().speakers, 3);
    let mel = |model: &FastSpeech, speaker| {
        let controls = PublishedControls { speaker, ..PublishedControls::default() };
        let output = model.infer_ids(&[vec![3, 4, 5]], &controls).unwrap();
        output.mel_after.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_ne!(mel(&all, 0), mel(&all, 2));
    let one = imported(&checkpoint, &AcousticConfig { speaker: Some(2), ..AcousticConfig::default() });
    assert_eq!(one.config().speakers, 1);
    assert_eq!(mel(&one, 0), mel(&all, 2));
    let beyond = PublishedControls { speaker: 3, ..PublishedControls::default() };
    assert!(matches!(all.infer_ids(&[vec![3]], &beyond), Err(Error::Speaker { speakers: 3, got: 3 })));
    let beyond = AcousticConfig { speaker: Some(3), ..AcousticConfig::default() };
    assert!(acoustic(&checkpoint, &beyond).unwrap_err().to_string().contains("0 to 2"));
}

#[test]
fn statistics_must_be_those_of_the_bins() {
    let checkpoint = checkpoints::open(&checkpoints::fastspeech2(Sizes::default()));
    // As `fastspeech2` lays its bins.
    let sound = TrainingStatistics { pitch: [-0.35, 0.35, 200.0, 40.0], energy: [-0.35, 0.35, 35.0, 25.0] };
    let with = |statistics| AcousticConfig { statistics: Some(statistics), ..AcousticConfig::default() };
    let model = imported(&checkpoint, &with(sound));
    assert_eq!(model.config().statistics.unwrap().pitch_hz, [200.0, 40.0]);
    let other = TrainingStatistics { pitch: [-2.9, 11.4, 207.6, 46.8], ..sound };
    let error = acoustic(&checkpoint, &with(other)).unwrap_err();
    assert!(error.to_string().contains("bins from -0.35 to 0.35"), "{error}");
    assert!(error.hint().unwrap().contains("stats.json"));
}

/// Phones, controls and pauses of ours, spoken by a model of the published table.
#[test]
fn a_published_model_speaks_our_phrases() {
    let checkpoint = checkpoints::open(&checkpoints::fastspeech2(Sizes { symbols: 361, ..Sizes::default() }));
    let statistics =
        Some(TrainingStatistics { pitch: [-0.35, 0.35, 200.0, 40.0], energy: [-0.35, 0.35, 35.0, 25.0] });
    let model = imported(&checkpoint, &AcousticConfig { statistics, ..AcousticConfig::default() });
    let phrase = Pronouncer::new().pronounce(&normalise("Well, go on.")).unwrap();
    let mel = model.speak(&phrase, &Controls::default()).unwrap();
    assert_eq!(mel.durations_frames.len(), phrase.phones.len());
    assert_eq!(mel.durations_frames.iter().sum::<u32>() as usize, mel.frame_count());
    assert_eq!(mel.frames.dims(), [mel.frame_count(), 6]);
    assert_eq!(mel.voicing.len(), mel.frame_count());
    let (first, last) = (mel.durations_frames[0], mel.durations_frames[phrase.phones.len() - 1]);
    assert_eq!((first, last), (0, 15), "no silence before the words, and a fixed one behind the sentence");
    assert!(mel.log_f0.iter().all(|log| (100.0..400.0).contains(&log.exp())), "{:?}", mel.log_f0);

    // The ids that the published front end would have given.
    let ids: Vec<u32> = phrase.phones[1..phrase.phones.len() - 1]
        .iter()
        .map(|p| fastglow::acoustic::published_id(p.symbol))
        .collect();
    let plain = model.infer_ids(&[ids], &PublishedControls::default()).unwrap();
    let spoken = mel.frames.narrow(0, 0, plain.lengths_frames[0]).unwrap();
    assert_eq!(
        spoken.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
        plain.mel_after.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    );

    let higher = model.speak(&phrase, &Controls { pitch_semitones: 5.0, ..Controls::default() }).unwrap();
    let ratio = (higher.log_f0[0] - mel.log_f0[0]) * 12.0 / std::f32::consts::LN_2;
    assert!((ratio - 5.0).abs() < 0.01, "{ratio} semitones");
    let slow = model.speak(&phrase, &Controls { rate: 0.5, ..Controls::default() }).unwrap();
    assert!(slow.frame_count() > mel.frame_count() * 3 / 2);
    let given = model.speak_timed(&phrase, &Controls::default(), &slow.durations_frames).unwrap();
    assert_eq!(given.durations_frames[1..], slow.durations_frames[1..]);
    let lively = Controls { expressiveness: 1.0, ..Controls::default() };
    assert!(matches!(model.speak(&phrase, &lively), Err(Error::Layout { call: "expressiveness", .. })));
    let second = Controls { speaker: 1, ..Controls::default() };
    assert!(matches!(model.speak(&phrase, &second), Err(Error::Speaker { speakers: 1, got: 1 })));
}

#[test]
fn a_published_model_without_statistics_shifts_no_pitch() {
    let model = model(&checkpoints::fastspeech2(Sizes { symbols: 361, ..Sizes::default() }));
    let phrase = Pronouncer::new().pronounce(&normalise("Go on.")).unwrap();
    model.speak(&phrase, &Controls::default()).unwrap();
    let higher = Controls { pitch_semitones: 2.0, ..Controls::default() };
    assert!(matches!(model.speak(&phrase, &higher), Err(Error::Statistics { what: "pitch" })));
}

#[test]
fn a_published_model_refuses_what_it_cannot_say() {
    let model = model(&checkpoints::fastspeech2(Sizes::default()));
    let plain = PublishedControls::default();
    assert!(matches!(model.infer_ids(&[vec![20]], &plain), Err(Error::Symbol { got: 20, .. })));
    assert!(matches!(model.infer_ids(&[], &plain), Err(Error::Phones { got: 0, .. })));
    assert!(matches!(model.infer_ids(&[vec![1; 1001]], &plain), Err(Error::Phones { got: 1001, .. })));
    assert!(matches!(model.infer_ids(&[vec![1; 900], vec![1; 900]], &plain), Err(Error::Frames { .. })));
    let nan = PublishedControls { pitch: f32::NAN, ..plain };
    assert!(matches!(model.infer_ids(&[vec![1]], &nan), Err(Error::Control { what: "pitch", .. })));
    let nobody = model.speak(&PhonemeSeq::default(), &Controls::default());
    assert!(matches!(nobody, Err(Error::Phones { got: 0, .. })));
    let phrase = Pronouncer::new().pronounce(&normalise("Go.")).unwrap();
    let other_table = model.speak(&phrase, &Controls::default());
    assert!(matches!(other_table, Err(Error::SymbolTable { expected: 361, got: 20 })));
}
