//! A run that would overfit stops, and keeps the weights from before.

use fastglow::train::run::{Ending, LineKind, RunConfig};
use fastglow::train::task::Task;

use super::{Remains, acoustic_task, run, run_config, timeless_log};

const STEPS: u64 = 2000;

/// Two utterances, soon learnt by heart.
fn overfit(patience: u32) -> RunConfig {
    RunConfig { learning_rate: 5e-4, validate_every: 10, checkpoint_every: 25, patience, ..run_config(STEPS) }
}

#[test]
fn overfitting_ends_the_run_and_the_best_weights_are_restored() {
    let folder = tempfile::tempdir().unwrap();
    let mut task = acoustic_task(2, 0.0);
    assert_eq!(run(&mut task, &overfit(4), folder.path()).unwrap(), Ending::EarlyStop);
    let log = timeless_log(folder.path());
    let loss = |line: &fastglow::train::run::LogLine| line.figures["loss"].as_f64().unwrap();
    let held_out: Vec<_> = log
        .iter()
        .filter(|line| line.kind == LineKind::Validation)
        .map(|line| (line.step, loss(line)))
        .collect();
    let best = held_out.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    let last = *held_out.last().unwrap();
    assert!(best.0 > 20, "it learnt something first: {held_out:?}");
    assert_eq!(last.0, best.0 + 4 * 10, "it waited as long as it was told: {held_out:?}");
    assert!(last.0 < STEPS / 2 && last.1 > best.1, "{held_out:?}");
    // Meanwhile the training speech was learnt ever better: this is overfitting.
    let trained: Vec<f64> = log
        .iter()
        .filter(|line| line.kind == LineKind::Train)
        .map(|line| line.figures["mel_after"].as_f64().unwrap())
        .collect();
    assert!(trained.last().unwrap() < &trained[best.0 as usize / 10 - 1], "{trained:?}");

    let restored = f64::from(task.validate().unwrap()[0].1);
    assert!((restored - best.1).abs() < 1e-6, "{restored} restored, {} best", best.1);

    // Asked again, it still stops, at the same weights.
    let mut again = acoustic_task(2, 0.0);
    assert_eq!(run(&mut again, &overfit(4), folder.path()).unwrap(), Ending::EarlyStop);
    Remains::of(&again, folder.path()).assert_same(&Remains::of(&task, folder.path()), "asked again");
    assert_eq!(timeless_log(folder.path()), log);
}

#[test]
fn without_patience_it_never_ends_early() {
    let folder = tempfile::tempdir().unwrap();
    let config = RunConfig { steps: 150, ..overfit(0) };
    assert_eq!(run(&mut acoustic_task(2, 0.0), &config, folder.path()).unwrap(), Ending::Complete);
    assert_eq!(timeless_log(folder.path()).last().unwrap().step, 150);
}
