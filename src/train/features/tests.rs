use super::*;
use crate::train::corpus::{LabelWord, Segment, SegmentPlace};

const RATE_HZ: usize = 22_050;

/// 0.9 s: silence, a hum at 150 Hz spoken as "ma", silence.
fn hum() -> Vec<f32> {
    let at = |n: usize| {
        let angle = std::f64::consts::TAU * 150.0 * n as f64 / RATE_HZ as f64;
        let sum: f64 = (1..=8).map(|k| (angle * f64::from(k)).sin() / f64::from(k)).sum();
        if (RATE_HZ * 3 / 10..RATE_HZ * 7 / 10).contains(&n) { 0.2 * sum as f32 } else { 0.0 }
    };
    (0..RATE_HZ * 9 / 10).map(at).collect()
}

fn hum_labels() -> Labels {
    let place = Some(SegmentPlace { stressed: true, word: 0 });
    let segment = |(phone, end_s, place): (&str, f64, _)| Segment { phone: phone.to_owned(), end_s, place };
    Labels {
        text: "Ma!".to_owned(),
        words: vec![LabelWord { spoken: "ma".to_owned(), punctuation: "!".to_owned() }],
        segments: [("pau", 0.3, None), ("m", 0.5, place), ("aa", 0.7, place), ("pau", 0.9, None)]
            .map(segment)
            .into(),
    }
}

fn hum_utterance(index: usize) -> Utterance {
    FeatureExtractor::new(&FeatureConfig::default()).unwrap().utterance(index, hum(), &hum_labels()).unwrap()
}

fn header() -> FeatureHeader {
    FeatureHeader { sample_rate_hz: 22_050, hop_samples: 256, band_count: 80, gain: 0.5 }
}

fn load_features(directory: &Path, split: Split) -> Result<Vec<Utterance>, FeatureError> {
    FeatureReader::open(&directory.join(split.file_name()))?.collect()
}

fn write_file(path: &Path) {
    let mut writer = FeatureWriter::create(path, header()).unwrap();
    writer.push(&hum_utterance(3)).unwrap();
    writer.push(&hum_utterance(4)).unwrap();
    writer.finish().unwrap();
}

#[test]
fn an_utterance_holds_what_was_heard() {
    let utterance = hum_utterance(0);
    let frames = utterance.frame_count();
    assert_eq!(frames, 77);
    assert_eq!(utterance.timed.durations_frames.iter().sum::<u32>(), 77);
    let names: Vec<_> = utterance.timed.phones.iter().map(|phone| phone.symbol.to_string()).collect();
    assert_eq!(names, ["^", "M", "AA1", "!"]);
    for t in 0..frames {
        let seconds = t as f64 * 256.0 / RATE_HZ as f64;
        if (0.33..0.67).contains(&seconds) {
            assert_eq!(utterance.voicing[t], 1.0, "frame {t}");
            assert!(
                (utterance.log_f0[t] - 150f32.ln()).abs() < 2e-3,
                "frame {t}: {}",
                utterance.log_f0[t].exp()
            );
        } else if !(0.27..0.73).contains(&seconds) {
            assert_eq!(utterance.voicing[t], 0.0, "frame {t}");
            assert!(utterance.excitation[t * 256..(t + 1) * 256].iter().all(|&e| e == 0.0));
        }
    }
    // The pulse train carries the hum: their correlation is high, which it is only in phase.
    let part = RATE_HZ * 35 / 100..RATE_HZ * 65 / 100;
    let (x, e) = (&utterance.samples[part.clone()], &utterance.excitation[part]);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    // Shape the pulses as the hum: only the first harmonic is compared, by projection on sine and cosine of 150 Hz.
    let wave = |f: fn(f64) -> f64| -> Vec<f32> {
        (0..x.len()).map(|n| f(std::f64::consts::TAU * 150.0 * n as f64 / RATE_HZ as f64) as f32).collect()
    };
    let (sine, cosine) = (wave(f64::sin), wave(f64::cos));
    let phase = |signal: &[f32]| dot(signal, &sine).atan2(dot(signal, &cosine));
    let apart = (phase(x) - phase(e)).rem_euclid(std::f32::consts::TAU);
    assert!(apart.min(std::f32::consts::TAU - apart) < 0.05, "{apart} rad");
}

#[test]
fn dither_depends_on_the_utterance_only() {
    assert_eq!(hum_utterance(5), hum_utterance(5));
    let (a, b) = (hum_utterance(5).samples, hum_utterance(6).samples);
    assert_ne!(a, b);
    // In the silence only dither is heard; its level is what was asked for.
    let rms = (a[..5000].iter().map(|s| s * s).sum::<f32>() / 5000.0).sqrt();
    assert!((0.9e-4..1.1e-4).contains(&rms), "{rms}");
}

#[test]
fn files_give_back_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(Split::Train.file_name());
    write_file(&path);
    let reader = FeatureReader::open(&path).unwrap();
    assert_eq!(*reader.header(), header());
    let read = load_features(directory.path(), Split::Train).unwrap();
    assert_eq!(read.len(), 2);
    for (mut got, mut want) in read.into_iter().zip([hum_utterance(3), hum_utterance(4)]) {
        for (got, want) in got.excitation.iter().zip(&want.excitation) {
            assert!((got - want).abs() <= 0.5 / 1024.0 + 1e-6);
        }
        (got.excitation, want.excitation) = (Vec::new(), Vec::new());
        assert_eq!(got, want, "all but the excitation is exact");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn every_truncation_and_every_flipped_byte_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(Split::Train.file_name());
    write_file(&path);
    let whole = std::fs::read(&path).unwrap();
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        load_features(directory.path(), Split::Train)
    };
    assert!(load(&whole).is_ok());
    let places: Vec<_> = (0..300)
        .step_by(3)
        .chain((300..whole.len()).step_by(4001))
        .chain(whole.len() - 40..whole.len())
        .collect();
    for &i in &places {
        assert!(load(&whole[..i]).is_err(), "cut at {i}");
        let mut damaged = whole.clone();
        damaged[i] ^= 0x55;
        assert!(load(&damaged).is_err(), "byte {i}");
    }
}

#[test]
fn an_abandoned_or_inconsistent_file_does_not_appear() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.features");
    let mut writer = FeatureWriter::create(&path, header()).unwrap();
    let mut broken = hum_utterance(0);
    broken.energy.pop();
    assert!(matches!(writer.push(&broken), Err(FeatureError::File { .. })));
    let mut broken = hum_utterance(0);
    broken.mel[7] = f32::NAN;
    assert!(matches!(writer.push(&broken), Err(FeatureError::File { .. })));
    drop(writer);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

fn write_corpus(directory: &Path, indices: &[usize]) {
    let utterances = directory.join(corpus::UTTERANCES_DIR);
    std::fs::create_dir_all(&utterances).unwrap();
    let lab = "x\tMa!\nw\t_1\tMa\nt\t_1\tMa\t!\np\tpau\t0.3\t-\t-\np\tm\t0.5\t1\t0\np\taa\t0.7\t1\t0\np\tpau\t0.9\t-\t-\n";
    for &index in indices {
        let stem = utterances.join(corpus::stem(index));
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE_HZ as u32,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(stem.with_extension("wav"), spec).unwrap();
        hum().iter().for_each(|s| writer.write_sample((s * 32_767.0) as i16).unwrap());
        writer.finalize().unwrap();
        std::fs::write(stem.with_extension("lab"), lab).unwrap();
    }
}

#[test]
fn a_corpus_becomes_two_files_at_one_level() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("corpus"), directory.path().join("features"));
    write_corpus(&from, &[0, 48, 49, 50]);
    let mut steps = Vec::new();
    let config = FeatureConfig::default();
    let summary = extract_corpus(&from, &to, &config, &mut |done, total| steps.push((done, total))).unwrap();
    assert_eq!((summary.train_count, summary.held_out_count, summary.too_long_count), (3, 1, 0));
    assert_eq!(steps, (1..=8).map(|done| (done, 8)).collect::<Vec<_>>());
    let train = load_features(&to, Split::Train).unwrap();
    assert_eq!(train.iter().map(|u| u.index).collect::<Vec<_>>(), [0, 48, 50]);
    assert_eq!(load_features(&to, Split::HeldOut).unwrap()[0].index, 49);
    let samples = &train[0].samples;
    let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
    assert!((10.0 * power.log10() + 23.0).abs() < 0.1, "{} dBFS", 10.0 * power.log10());

    let short = FeatureConfig { max_seconds: 0.5, ..config };
    assert_eq!(extract_corpus(&from, &to, &short, &mut |_, _| {}).unwrap().too_long_count, 4);
}

#[test]
fn a_bad_utterance_is_named_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("corpus"), directory.path().join("features"));
    let config = FeatureConfig::default();
    assert!(matches!(extract_corpus(&from, &to, &config, &mut |_, _| {}), Err(FeatureError::Io { .. })));
    write_corpus(&from, &[]);
    assert!(matches!(extract_corpus(&from, &to, &config, &mut |_, _| {}), Err(FeatureError::Empty { .. })));
    write_corpus(&from, &[0, 7]);
    let lab = from.join(corpus::UTTERANCES_DIR).join("00007.lab");
    std::fs::write(&lab, std::fs::read_to_string(&lab).unwrap().replace("0.9\t-", "1.9\t-")).unwrap();
    let error = extract_corpus(&from, &to, &config, &mut |_, _| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "features: utterance 7: features: labels end at 1.900 s, the sound at 0.894 s"
    );
    assert!(error.hint().unwrap().contains("make the corpus again"));
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0);
}
