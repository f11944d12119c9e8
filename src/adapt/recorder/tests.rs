//! Takes that are kept, refused, made anew and found again.

use super::*;

const RATE_HZ: u32 = 16_000;

/// Speech of a kind: bursts of a tone with quiet before, between and after them.
fn speech(seconds: f32, volume: f32) -> Recording {
    let count = (seconds * RATE_HZ as f32) as usize;
    let sample = |i: usize| {
        let t = i as f32 / RATE_HZ as f32;
        let is_margin = t < 0.3 || t > seconds - 0.3;
        let burst = if is_margin { 0.0 } else { (std::f32::consts::PI * (4.0 * t).fract()).sin() };
        let hiss = ((i * 7919) % 1000) as f32 / 1000.0 - 0.5;
        volume * burst * (900.0 * t).sin() + 1e-3 * hiss
    };
    Recording { samples: (0..count).map(sample).collect(), sample_rate_hz: RATE_HZ, channel_count: 1 }
}

fn prompts(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("Sentence {} is here.", "abcdefghij".as_bytes()[i] as char)).collect()
}

fn kept(verdict: Option<Verdict>) -> f64 {
    match verdict {
        Some(Verdict::Kept { seconds, .. }) => seconds,
        other => panic!("{other:?}"),
    }
}

fn waves(folder: &Path) -> Vec<PathBuf> {
    find_recordings(folder).unwrap().into_iter().map(|take| take.path).collect()
}

#[test]
fn sound_takes_are_what_adaptation_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("not/there/yet");
    let mut recorder = Recorder::open(&folder, prompts(3)).unwrap();
    let mut total = 0.0;
    for number in 1..=3 {
        assert_eq!((recorder.number(), recorder.prompt()), (number, Some(prompts(3)[number - 1].as_str())));
        total += kept(recorder.take(speech(2.0 + number as f32 / 10.0, 0.5)).unwrap());
    }
    assert_eq!(recorder.prompt(), None);
    assert_eq!(recorder.take(speech(2.0, 0.5)).unwrap(), None);
    let progress = recorder.progress();
    assert_eq!((progress.kept, progress.prompts), (3, 3));
    assert!((progress.seconds - total).abs() < 1e-9 && total > 4.0, "{total} s");

    let takes = find_recordings(&folder).unwrap();
    assert_eq!(takes.iter().filter_map(|take| take.text.clone()).collect::<Vec<_>>(), prompts(3));
    let checks: Vec<Check> = check_recordings(&takes).map(Result::unwrap).collect();
    assert!((checks.iter().map(seconds_of).sum::<f64>() - total).abs() < 1e-9, "judged as the file is");
    let spec = hound::WavReader::open(&takes[0].path).unwrap().spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, RATE_HZ, 16));
    assert_eq!(folder.read_dir().unwrap().count(), 6, "no other file is left");
}

#[test]
fn a_refused_take_leaves_no_file_and_the_prompt_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::open(folder.path(), prompts(2)).unwrap();
    let refused = |recording| Verdict::Refused(check_sound(&prompts(1)[0], &recording).unwrap_err());
    for bad in [speech(0.3, 0.5), speech(2.0, 0.0005), speech(2.0, 9.0)] {
        let clipped =
            Recording { samples: bad.samples.iter().map(|s| s.clamp(-1.0, 1.0)).collect(), ..bad.clone() };
        let verdict = recorder.take(bad).unwrap().unwrap();
        let (Verdict::Refused(got), Verdict::Refused(expected)) = (&verdict, refused(clipped)) else {
            panic!("{verdict:?}")
        };
        assert_eq!(std::mem::discriminant(got), std::mem::discriminant(&expected), "{got}");
        assert_eq!(recorder.number(), 1);
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn another_recorder_goes_on_where_one_ended() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut first = Recorder::open(folder, prompts(4)).unwrap();
    kept(first.take(speech(2.0, 0.5)).unwrap());
    first.skip();
    kept(first.take(speech(2.0, 0.5)).unwrap());
    let before = first.progress();
    drop(first);

    // A take that was damaged since is asked again, into the same file.
    let damaged = waves(folder)[1].clone();
    std::fs::write(&damaged, b"RIFF").unwrap();
    let mut second = Recorder::open(folder, prompts(4)).unwrap();
    assert_eq!(second.progress().kept, before.kept - 1);
    let mut asked = Vec::new();
    while let Some(prompt) = second.prompt() {
        asked.push(prompt.to_owned());
        kept(second.take(speech(2.0, 0.5)).unwrap());
    }
    assert_eq!(asked, prompts(4)[1..]);
    assert_eq!(waves(folder).len(), 4);
    assert!(check_recordings(&find_recordings(folder).unwrap()).all(|check| check.is_ok()));

    // Other prompts take other names, and leave what is there.
    let mut other = Recorder::open(folder, vec!["Something else.".into()]).unwrap();
    kept(other.take(speech(2.0, 0.5)).unwrap());
    assert_eq!(waves(folder).len(), 5);
}

#[test]
fn skipped_prompts_stay_open_and_earlier_ones_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::open(folder.path(), prompts(4)).unwrap();
    assert!(!recorder.redo());
    recorder.back();
    assert_eq!(recorder.number(), 1, "there is none before the first");
    kept(recorder.take(speech(2.0, 0.5)).unwrap());
    recorder.skip();
    recorder.skip();
    assert_eq!(recorder.number(), 4);
    assert!(recorder.redo());
    assert_eq!(recorder.number(), 1);

    // A worse take does not replace it, a better one does, and the next open prompt follows.
    assert!(matches!(recorder.take(speech(2.0, 0.0005)).unwrap(), Some(Verdict::Refused(_))));
    assert_eq!(recorder.progress().kept, 1);
    let seconds = kept(recorder.take(speech(3.0, 0.5)).unwrap());
    assert_eq!((recorder.progress().kept, recorder.progress().seconds), (1, seconds));
    assert_eq!((waves(folder.path()).len(), recorder.number()), (1, 4));

    recorder.back();
    assert_eq!(recorder.number(), 3, "skipped, but asked for");
    kept(recorder.take(speech(2.0, 0.5)).unwrap());
    recorder.skip();
    assert_eq!(recorder.prompt(), None);
    assert_eq!(Recorder::open(folder.path(), prompts(4)).unwrap().number(), 2);
}

#[test]
fn a_list_that_hides_takes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("metadata.csv"), "a|A.\n").unwrap();
    let error = Recorder::open(folder.path(), prompts(1)).map(|_| ()).unwrap_err();
    assert!(matches!(error, AdaptError::Listed { .. }) && error.hint().is_some());
}

#[test]
fn three_minutes_are_good_and_five_sentences_the_least() {
    let enough = |kept, seconds| Progress { kept, prompts: 100, seconds }.enough();
    assert_eq!(enough(0, 0.0), Enough::TooFew(5));
    assert_eq!(enough(4, 500.0), Enough::TooFew(1));
    assert_eq!(enough(5, 20.0), Enough::Least(160.0));
    assert_eq!(enough(60, 180.0), Enough::Good);
}
