//! Checkpoints appear whole or not at all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Device, Tensor};
use fastglow::train::TrainError;
use fastglow::train::checkpoint::{Progress, load, save};

use super::{acoustic_task, run, run_config};

/// A state of a million numbers, all of them the step.
fn state(step: u64) -> (HashMap<String, Tensor>, Progress) {
    let tensor = Tensor::full(step as f32, (1000, 1000), &Device::Cpu).unwrap();
    ([("weight:a".to_owned(), tensor)].into(), Progress { step, ..Progress::default() })
}

#[test]
fn a_reader_sees_one_state_or_the_next_and_never_a_mixture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let write = |step| {
        let (tensors, progress) = state(step);
        save(&path, tensors, &progress).unwrap();
    };
    write(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = Vec::new();
            while !done.load(Ordering::Acquire) {
                let (tensors, progress) = load(&path).unwrap();
                let values = tensors["weight:a"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert_eq!(values.len(), 1_000_000);
                assert!(values.iter().all(|&value| value == progress.step as f32));
                seen.push(progress.step);
            }
            seen
        });
        (1..=15).for_each(write);
        done.store(true, Ordering::Release);
        let seen = reader.join().unwrap();
        assert!(seen.is_sorted() && !seen.is_empty(), "{seen:?}");
    });
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn what_was_saved_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut progress = Progress {
        step: 7,
        best: Some(-1.5),
        stale_validations: 2,
        seconds: 3.25,
        config: "[1]".into(),
        ..Progress::default()
    };
    progress.sums.add([("loss", 0.1), ("nll", f32::MIN_POSITIVE)]);
    let values = Tensor::from_vec(vec![1f32, -0.0, f32::MAX, 1e-42], 4, &Device::Cpu).unwrap();
    save(&path, [("weight:a".to_owned(), values.clone())].into(), &progress).unwrap();
    let (tensors, read) = load(&path).unwrap();
    assert_eq!(read, progress);
    assert_eq!(tensors.len(), 1);
    let bits = |t: &Tensor| t.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(&tensors["weight:a"]), bits(&values));
}

#[test]
fn a_failed_write_leaves_the_old_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let (tensors, progress) = state(1);
    save(&path, tensors, &progress).unwrap();
    let before = std::fs::read(&path).unwrap();
    let nowhere = folder.path().join("absent").join("last.safetensors");
    let error = save(&nowhere, state(2).0, &progress).unwrap_err();
    assert!(matches!(error, TrainError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("absent") && error.hint().unwrap().contains("writable"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_checkpoint_is_refused_by_name_and_never_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = run_config(5);
    run(&mut acoustic_task(3, 0.0), &config, folder.path()).unwrap();
    let path = folder.path().join("last.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 5, 200, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = run(&mut acoustic_task(3, 0.0), &config, folder.path()).unwrap_err();
        assert!(matches!(error, TrainError::Damaged { .. }), "{length} bytes: {error:?}");
        assert!(error.to_string().contains("last.safetensors") && error.hint().is_some(), "{error}");
        assert_eq!(std::fs::read(&path).unwrap().len(), length, "it is left for the user to see");
    }
}
