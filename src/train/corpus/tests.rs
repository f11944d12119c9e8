use super::*;

/// A folder of fortunes: forty texts and some that are not wanted.
fn fortunes_folder() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let words = ["One", "Two", "Three", "Four"];
    let text = |i: usize| {
        format!(
            "{} cats sat {} the mat {}.\n%\n",
            words[i % 4],
            ["on", "by"][i / 4 % 2],
            ["red", "old", "new", "wet", "big"][i / 8]
        )
    };
    std::fs::write(directory.path().join("cats"), (0..40).map(text).collect::<String>()).unwrap();
    std::fs::write(directory.path().join("cats.dat"), [0xff, 0x00]).unwrap();
    std::fs::write(directory.path().join("linux"), "This file is passed over.\n%\n").unwrap();
    std::fs::write(
        directory.path().join("bytes"),
        b"These are bytes \xff\xfe of no kind.\n%\nIt has 12 digits.\n",
    )
    .unwrap();
    directory
}

fn config(fortunes: &Path) -> CorpusConfig {
    CorpusConfig { fortunes_directory: fortunes.to_owned(), utterance_count: 50, ..CorpusConfig::default() }
}

#[test]
fn texts_are_mixed_distinct_and_repeatable() {
    let fortunes = fortunes_folder();
    let config = config(fortunes.path());
    let texts = choose_texts(&config).unwrap();
    assert_eq!(texts.len(), 50);
    assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 50);
    assert!(texts.iter().all(|text| is_plain_text(text)));
    assert_eq!(texts.iter().filter(|text| text.contains(" cats sat ")).count(), 35, "70 % are fortunes");
    assert!(!texts.iter().any(|text| text.contains("passed over") || text.contains("bytes")));
    assert_eq!(choose_texts(&config).unwrap(), texts);
    assert_ne!(choose_texts(&CorpusConfig { seed: 2, ..config.clone() }).unwrap(), texts);

    let excluded =
        CorpusConfig { excluded_texts: texts.iter().map(|text| text.to_uppercase()).collect(), ..config };
    let excluded = CorpusConfig { utterance_count: 16, ..excluded };
    assert!(matches!(choose_texts(&excluded), Err(CorpusError::TooFewTexts { expected: 11, got: 5, .. })));
    let excluded = CorpusConfig { utterance_count: 7, ..excluded };
    assert!(choose_texts(&excluded).unwrap().iter().all(|text| !texts.contains(text)));
}

#[test]
fn what_is_missing_or_wrong_is_said_with_advice() {
    let fortunes = fortunes_folder();
    let few = CorpusConfig { utterance_count: 100, ..config(fortunes.path()) };
    let error = choose_texts(&few).unwrap_err();
    assert!(matches!(error, CorpusError::TooFewTexts { expected: 70, got: 40, .. }), "{error}");
    let none = config(Path::new("/nonexistent"));
    let error = choose_texts(&none).unwrap_err();
    assert!(matches!(error, CorpusError::TooFewTexts { got: 0, .. }), "{error}");
    assert!(error.hint().unwrap().contains("apt install fortunes"));
    assert!(
        choose_texts(&CorpusConfig { generated_share: 1.0, ..none }).is_ok(),
        "templates need no fortunes"
    );

    for wrong in [
        CorpusConfig { utterance_count: 0, ..config(fortunes.path()) },
        CorpusConfig { utterance_count: 100_001, ..config(fortunes.path()) },
        CorpusConfig { generated_share: f64::NAN, ..config(fortunes.path()) },
        CorpusConfig { generated_share: 1.1, ..config(fortunes.path()) },
    ] {
        assert!(matches!(choose_texts(&wrong), Err(CorpusError::BadSetting { .. })), "{wrong:?}");
    }
    assert!(CorpusError::FestivalMissing.hint().unwrap().contains("apt install festival festvox-us-slt-hts"));
}

#[test]
fn texts_and_voices_cannot_carry_scheme() {
    let directory = tempfile::tempdir().unwrap();
    let texts = ["Fine.".to_owned(), "Not \") (exit) (\" fine.".to_owned()];
    let error = speak_texts(&texts, "cmu_us_slt_arctic_hts", directory.path(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, CorpusError::UnfitText { index: 1, .. }));
    assert!(matches!(festival::check("x) (exit"), Err(CorpusError::VoiceMissing { .. })));
}

/// Runs the real teacher, if this machine has it.
#[test]
fn the_teacher_speaks_and_a_stopped_run_goes_on() {
    let voice = "cmu_us_slt_arctic_hts";
    match festival::check(voice) {
        Err(error @ (CorpusError::FestivalMissing | CorpusError::VoiceMissing { .. })) => {
            let hint = error.hint().unwrap_or_default();
            return eprintln!("NOT RUN: the_teacher_speaks_and_a_stopped_run_goes_on: {error} ({hint})");
        }
        other => other.unwrap(),
    }
    assert!(matches!(festival::check("no_such_voice"), Err(CorpusError::VoiceMissing { .. })));

    let directory = tempfile::tempdir().unwrap();
    let mut texts: Vec<_> = ["Smith's well-known dog.", "Yes, it is!"].map(str::to_owned).into();
    let mut steps = Vec::new();
    let mut speak = |texts: &[String]| {
        steps.clear();
        speak_texts(texts, voice, directory.path(), &mut |done, total| steps.push((done, total))).unwrap()
    };
    assert_eq!(speak(&texts), CorpusSummary { utterance_count: 2, found_count: 0 });
    let labels = read_labels(&directory.path().join("00000.lab")).unwrap();
    assert_eq!(labels.text, texts[0]);
    let words: Vec<_> =
        labels.words.iter().map(|word| format!("{}{}", word.spoken, word.punctuation)).collect();
    assert_eq!(words, ["smith's", "well", "known", "dog."]);
    let recording = crate::signal::read_wav(&directory.path().join("00000.wav")).unwrap();
    assert_eq!(recording.sample_rate_hz, 32_000);
    let seconds = recording.samples.len() as f64 / 32_000.0;
    assert!((seconds - labels.segments.last().unwrap().end_s).abs() < 0.02, "{seconds} s");

    // One text changes, one is kept, one is new.
    texts[1] = "No, it is not!".to_owned();
    texts.push("Stop.".to_owned());
    assert_eq!(speak(&texts), CorpusSummary { utterance_count: 3, found_count: 1 });
    assert_eq!(speak(&texts), CorpusSummary { utterance_count: 3, found_count: 3 });
    assert_eq!(steps, [(3, 3)]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 6, "no work folder is left");
}
