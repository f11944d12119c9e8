//! The native layout: invariances, limits, controls.

use std::collections::HashMap;

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Tensor};
use fastglow::acoustic::{
    Config, Controls, Dropout, DurationChoice, Error, FastSpeech, Mel, Padding, Statistics, Teacher, Tokens,
};
use fastglow::nn::{Params, Stored};
use fastglow::phoneme::PhonemeSeq;
use fastglow::train::acoustic::{AcousticOptions, AcousticTask};
use fastglow::train::adam::{Adam, AdamConfig};
use fastglow::train::task::Task;

use super::{Draws, example, phrase, tiny};

fn preset(config: &Config) -> HashMap<String, Tensor> {
    let statistics = Statistics {
        mel_mean: (0..config.mels).map(|band| -6.0 + 0.1 * band as f32).collect(),
        mel_deviation: vec![1.5; config.mels],
        variance_mean: [5.1, 0.0, -5.5],
        variance_deviation: [0.2, 1.0, 1.2],
    };
    statistics.preset().unwrap()
}

fn model(config: &Config) -> FastSpeech {
    FastSpeech::new(config, &Params::trainable(4, preset(config), &Device::Cpu)).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn the_default_model_keeps_its_budget_and_quantises() {
    let config = Config::default();
    let fresh = Params::trainable(4, preset(&config), &Device::Cpu);
    let float = FastSpeech::new(&config, &fresh).unwrap();
    let mut tensors: HashMap<String, Tensor> =
        fresh.vars().into_iter().map(|(name, var)| (name, var.as_tensor().clone())).collect();
    tensors.extend(fresh.constants());
    let count: usize = tensors.values().map(Tensor::elem_count).sum();
    assert!(count <= 4_400_000, "{count} parameters");

    let pack = |tensor: &Tensor| {
        let whole_blocks = tensor.rank() == 2 && tensor.dim(1).unwrap().is_multiple_of(32);
        let dtype = if whole_blocks { GgmlDType::Q8_0 } else { GgmlDType::F32 };
        Stored::pack(tensor, dtype).unwrap()
    };
    let packed: HashMap<_, _> = tensors.iter().map(|(name, t)| (name.clone(), pack(t))).collect();
    let bytes: usize = packed.values().map(|t| t.data().unwrap().len()).sum();
    // Nine tenths and more of it must be in blocks: 8.5 bits a weight.
    assert!((bytes as f64) < 1.2 * count as f64, "{bytes} bytes for {count} parameters");
    let stored = Params::stored(packed, &Device::Cpu);
    let small = FastSpeech::new(&config, &stored).unwrap();
    assert!(stored.unused().is_empty(), "{:?}", stored.unused());

    let phrase = phrase(10, &mut Draws(1));
    let tokens = Tokens::from_phones(&[&phrase.phones], &Device::Cpu).unwrap();
    let encode = |model: &FastSpeech| model.encode(&tokens, &Dropout::off()).unwrap().output;
    let (want, got) = (encode(&float), encode(&small));
    let relative = (&got - &want).unwrap().sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()
        / want.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(relative.sqrt() < 0.05, "{}", relative.sqrt());
    assert_eq!(small.speak(&phrase, &Controls::default()).unwrap().frames.dim(1).unwrap(), 80);
}

#[test]
fn masked_keys_have_exactly_no_weight() {
    let config = tiny();
    let model = model(&config);
    let mut draws = Draws(1);
    let phrases = [phrase(9, &mut draws), phrase(5, &mut draws)];
    let tokens = Tokens::from_phones(&[&phrases[0].phones, &phrases[1].phones], &Device::Cpu).unwrap();
    let encoded = model.encode(&tokens, &Dropout::off()).unwrap();
    let padding = Padding::new([9, 5].into(), 9, &Device::Cpu).unwrap();
    let weights = model.encoder()[0].attention().weights(&encoded.output, &padding).unwrap();
    assert_eq!(weights.dims(), [2, config.heads, 9, 9]);
    for head in weights.get(1).unwrap().to_vec3::<f32>().unwrap() {
        for row in head {
            assert!(row[5..].iter().all(|&w| w == 0.0), "{row:?}");
            assert!((row[..5].iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!(row[..5].iter().all(|&w| w > 0.0));
        }
    }
}

#[test]
fn padding_never_changes_a_result() {
    let config = tiny();
    let model = model(&config);
    let mut draws = Draws(2);
    let examples = [7, 13, 3].map(|count| example(count, config.mels, &mut draws));
    let teacher = Teacher {
        durations: examples.iter().map(|e| e.durations_frames.clone()).collect(),
        variances: examples.iter().map(|e| vec![[5.0, 0.7, -5.0]; e.phones.len()]).collect(),
    };
    let phones: Vec<_> = examples.iter().map(|e| &e.phones[..]).collect();
    let tokens = Tokens::from_phones(&phones, &Device::Cpu).unwrap();
    let batch = model.teacher_forced(&tokens, &teacher, &Dropout::off()).unwrap();
    for (i, example) in examples.iter().enumerate() {
        let tokens = Tokens::from_phones(&[&example.phones], &Device::Cpu).unwrap();
        let alone = Teacher {
            durations: vec![teacher.durations[i].clone()],
            variances: vec![teacher.variances[i].clone()],
        };
        let single = model.teacher_forced(&tokens, &alone, &Dropout::off()).unwrap();
        let pairs = [
            ("durations", &batch.duration_logits, &single.duration_logits),
            ("variance means", &batch.variance_means, &single.variance_means),
            ("log variances", &batch.log_variances, &single.log_variances),
            ("mel before", &batch.frames.mel_before, &single.frames.mel_before),
            ("mel after", &batch.frames.mel_after, &single.frames.mel_after),
            ("log f0", &batch.frames.log_f0, &single.frames.log_f0),
            ("voicing", &batch.frames.voicing_logits, &single.frames.voicing_logits),
        ];
        for (name, batch, single) in pairs {
            let rows = batch.get(i).unwrap().narrow(0, 0, single.dim(1).unwrap()).unwrap();
            let error = largest_difference(&rows, &single.get(0).unwrap());
            assert!(error < 1e-5, "{name} of sequence {i}: {error:e}");
        }
    }
}

#[test]
fn each_part_of_the_post_net_can_be_left_out() {
    let full = tiny();
    let mut draws = Draws(3);
    let phrase = phrase(8, &mut draws);
    let whole = model(&full).speak(&phrase, &Controls::default()).unwrap();
    for part in 0..full.post_net.len() {
        let mut config = full.clone();
        config.post_net.remove(part);
        let without = model(&config).speak(&phrase, &Controls::default()).unwrap();
        assert_eq!(without.durations_frames, whole.durations_frames);
        let difference = largest_difference(&without.frames, &whole.frames);
        assert!(difference > 1e-4, "part {part} does nothing: {difference:e}");
    }
    let none = Config { post_net: vec![], ..full.clone() };
    model(&none).speak(&phrase, &Controls::default()).unwrap();
    let twice = Config { post_net: vec![full.post_net[1]; 2], ..full };
    let params = Params::trainable(4, preset(&twice), &Device::Cpu);
    assert!(FastSpeech::new(&twice, &params).is_err());
}

fn tracks(mel: &Mel) -> (Vec<Vec<f32>>, Vec<f32>, Vec<f32>) {
    (mel.frames.to_vec2().unwrap(), mel.log_f0.clone(), mel.voicing.clone())
}

#[test]
fn speech_has_its_durations_and_is_the_same_each_time() {
    let config = tiny();
    let model = model(&config);
    let phrase = phrase(24, &mut Draws(4));
    let lively = Controls { expressiveness: 1.0, seed: 11, ..Controls::default() };
    for controls in [Controls::default(), lively] {
        let mel = model.speak(&phrase, &controls).unwrap();
        let total: u32 = mel.durations_frames.iter().sum();
        assert_eq!(mel.durations_frames.len(), phrase.phones.len());
        assert_eq!(mel.frames.dims(), [total as usize, config.mels]);
        assert_eq!((mel.frame_count(), mel.voicing.len()), (total as usize, total as usize));
        assert!(mel.voicing.iter().all(|v| (0.0..=1.0).contains(v)));
        assert_eq!(tracks(&mel), tracks(&model.speak(&phrase, &controls).unwrap()));
    }
    let speak = |controls: Controls| tracks(&model.speak(&phrase, &controls).unwrap());
    assert_ne!(speak(lively), speak(Controls::default()));
    assert_ne!(speak(lively), speak(Controls { seed: 12, ..lively }));
    // Without expression there is nothing to draw.
    assert_eq!(speak(Controls { seed: 12, ..Controls::default() }), speak(Controls::default()));
}

#[test]
fn rate_scales_the_length_and_no_phone_is_lost() {
    let model = model(&tiny());
    let phrase = phrase(40, &mut Draws(5));
    let length = |rate: f32| {
        let mel = model.speak(&phrase, &Controls { rate, ..Controls::default() }).unwrap();
        for (phone, frames) in phrase.phones.iter().zip(&mel.durations_frames) {
            assert!(*frames > 0 || phone.symbol.pause().is_some(), "{} at rate {rate}", phone.symbol);
        }
        mel.frame_count() as f32
    };
    let plain = length(1.0);
    for rate in [0.25, 0.5, 0.8, 1.3, 2.0] {
        assert!(
            (length(rate) * rate - plain).abs() <= 0.5 * rate + 0.5,
            "rate {rate}: {} for {plain}",
            length(rate)
        );
    }
    for durations in [DurationChoice::Mode, DurationChoice::Sampled] {
        model.speak(&phrase, &Controls { durations, ..Controls::default() }).unwrap();
    }
}

#[test]
fn the_pitch_control_shifts_by_semitones() {
    let config = tiny();
    let mut start = preset(&config);
    // Without the frame-level correction of an untrained head, the track is the tokens' own.
    start.insert(
        "source_head.weight".into(),
        Tensor::zeros((2, config.width), candle_core::DType::F32, &Device::Cpu).unwrap(),
    );
    let model = FastSpeech::new(&config, &Params::trainable(4, start, &Device::Cpu)).unwrap();
    let phrase = phrase(12, &mut Draws(6));
    let speak = |pitch_semitones: f32| {
        model.speak(&phrase, &Controls { pitch_semitones, ..Controls::default() }).unwrap().log_f0
    };
    let plain = speak(0.0);
    for semitones in [-12.0f32, 3.5, 12.0] {
        let shift = semitones * 2f32.ln() / 12.0;
        for (shifted, plain) in speak(semitones).iter().zip(&plain) {
            assert!((shifted - plain - shift).abs() < 1e-4, "{semitones}: {shifted} {plain}");
        }
    }
}

#[test]
fn calls_out_of_range_are_refused() {
    let model = model(&tiny());
    let mut draws = Draws(7);
    let plain = Controls::default();
    let empty = PhonemeSeq::default();
    assert!(matches!(model.speak(&empty, &plain), Err(Error::Phones { got: 0, .. })));
    let long = phrase(1001, &mut draws);
    assert!(matches!(model.speak(&long, &plain), Err(Error::Phones { got: 1001, .. })));
    let slow = Controls { rate: 0.25, ..plain };
    assert!(matches!(model.speak(&phrase(1000, &mut draws), &slow), Err(Error::Frames { most: 10_000, .. })));
    let short = phrase(4, &mut draws);
    for (controls, name) in [
        (Controls { rate: 0.0, ..plain }, "rate"),
        (Controls { rate: f32::NAN, ..plain }, "rate"),
        (Controls { pitch_semitones: 100.0, ..plain }, "pitch_semitones"),
        (Controls { volume_db: f32::INFINITY, ..plain }, "volume_db"),
        (Controls { expressiveness: -1.0, ..plain }, "expressiveness"),
    ] {
        let error = model.speak(&short, &controls).unwrap_err();
        assert!(matches!(error, Error::Control { what, .. } if what == name), "{error}");
        assert!(error.hint().is_some());
    }
    assert!(matches!(model.infer_ids(&[vec![1]], &Default::default()), Err(Error::Layout { .. })));
}

#[test]
fn training_learns_and_the_controls_act_on_what_was_learned() {
    let config = Config { dropout: 0.05, ..tiny() };
    let mut draws = Draws(8);
    let train = (0..24).map(|_| example(6 + draws.below(8) as usize, config.mels, &mut Draws(draws.next())));
    let train: Vec<_> = train.collect();
    let held_out = (0..4).map(|_| example(9, config.mels, &mut draws)).collect();
    let options = AcousticOptions { seed: 1, frames_per_batch: 250, ..AcousticOptions::default() };
    let mut task = AcousticTask::new(&config, (train, held_out), options).unwrap();
    let mut adam = Adam::new(task.params().vars(), AdamConfig::default()).unwrap();
    let before: HashMap<_, _> = task.validate().unwrap().into_iter().collect();
    for step in 0..150 {
        let loss = task.loss(step).unwrap();
        assert!(adam.step(&loss.total.backward().unwrap(), 5e-3).unwrap().applied);
    }
    let after: HashMap<_, _> = task.validate().unwrap().into_iter().collect();
    for (figure, share) in
        [("loss", 0.7), ("mel_l1_after", 0.6), ("duration_mae_frames", 0.5), ("voicing_error_percent", 0.6)]
    {
        assert!(
            after[figure] < share * before[figure],
            "{figure}: {} from {}",
            after[figure],
            before[figure]
        );
    }
    let phrase = phrase(12, &mut draws);
    let level = |volume_db: f32| {
        let mel = task.model().speak(&phrase, &Controls { volume_db, ..Controls::default() }).unwrap();
        mel.frames.mean_all().unwrap().to_scalar::<f32>().unwrap()
    };
    let (quiet, plain, loud) = (level(-4.0), level(0.0), level(4.0));
    // Four decibels are 0.46 in natural logarithms.
    assert!(loud - plain > 0.2 && plain - quiet > 0.2, "{quiet} {plain} {loud}");
}
