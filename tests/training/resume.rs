//! A run that was killed anywhere ends as if it had not been.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use fastglow::nn::Params;
use fastglow::train::TrainError;
use fastglow::train::run::{Ending, Event, RunConfig, read_log, train};
use fastglow::train::task::{BatchLoss, Task};

use super::{Remains, acoustic_task, run, run_config, vocoder_task};

/// A task that dies at a step, without a word: like a kill, this leaves no time for a checkpoint.
struct Dying<T> {
    task: T,
    at_step: u64,
}

impl<T: Task> Task for Dying<T> {
    fn params(&self) -> &Params {
        self.task.params()
    }

    fn loss(&mut self, step: u64) -> candle_core::Result<BatchLoss> {
        if step == self.at_step {
            candle_core::bail!("killed");
        }
        self.task.loss(step)
    }

    fn validate(&mut self) -> candle_core::Result<Vec<(&'static str, f32)>> {
        self.task.validate()
    }
}

/// A line that the kill fell into, and bytes that a disk may leave behind it. Lines up to `step` were safe: they were on
/// the disk before the checkpoint of that step.
fn garble_log(folder: &Path, step: u64) {
    let path = folder.join("log.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    if read_log(folder).unwrap().last().is_some_and(|line| line.step > step) {
        bytes.truncate(bytes.len() - 30);
    }
    bytes.extend(b"{\"step\":4,\"seconds\":\xff\xfe\0\0");
    std::fs::write(&path, bytes).unwrap();
}

/// Kills a run at `at_step`, damages what may be damaged, and goes on; gives the first step that was done again.
fn kill_and_resume<T: Task>(make: impl Fn() -> T, config: &RunConfig, (folder, at_step): (&Path, u64)) -> T {
    let error = run(&mut Dying { task: make(), at_step }, config, folder).unwrap_err();
    assert!(matches!(error, TrainError::Compute(_)), "{error}");
    let safe = at_step / config.checkpoint_every * config.checkpoint_every;
    garble_log(folder, safe);
    // Half a checkpoint that never got its name.
    let mut half = std::fs::File::create(folder.join(".fastglow-a1b2c3.part")).unwrap();
    half.write_all(&[7; 1000]).unwrap();

    let mut task = make();
    let mut first = None;
    let ending = train(&mut task, config, folder, &mut |event| {
        if let Event::Step { step, .. } = event {
            first.get_or_insert(step);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(ending.unwrap(), Ending::Complete);
    assert_eq!(first, Some(safe + 1), "at most one interval is done again");
    task
}

fn compare<T: Task>(make: impl Fn() -> T, steps: u64, kills: impl Iterator<Item = u64>) {
    let config = run_config(steps);
    let straight = tempfile::tempdir().unwrap();
    let mut task = make();
    assert_eq!(run(&mut task, &config, straight.path()).unwrap(), Ending::Complete);
    let wanted = Remains::of(&task, straight.path());
    assert!(wanted.log.len() >= 2 * (steps / config.validate_every) as usize);
    for at_step in kills {
        let folder = tempfile::tempdir().unwrap();
        let task = kill_and_resume(&make, &config, (folder.path(), at_step));
        Remains::of(&task, folder.path()).assert_same(&wanted, &format!("killed at step {at_step}"));
    }
}

#[test]
fn the_acoustic_model_killed_at_any_step_ends_the_same() {
    compare(|| acoustic_task(5, 0.1), 14, 0..14);
}

#[test]
fn the_vocoder_killed_between_checkpoints_ends_the_same() {
    compare(vocoder_task, 7, [4, 6].into_iter());
}

#[test]
fn a_run_that_was_asked_to_stop_ends_the_same_and_loses_nothing() {
    let config = run_config(11);
    let (straight, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut task = acoustic_task(5, 0.1);
    run(&mut task, &config, straight.path()).unwrap();
    let wanted = Remains::of(&task, straight.path());
    let mut last = 0;
    for stop_after in [1, 6, 7] {
        let ending = train(&mut acoustic_task(5, 0.1), &config, folder.path(), &mut |event| match event {
            Event::Step { step, .. } => {
                assert!(step > last, "step {step} is done again");
                last = step;
                if step == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Event::Line(_) => ControlFlow::Continue(()),
        });
        assert_eq!((ending.unwrap(), last), (Ending::Stopped, stop_after));
    }
    let mut task = acoustic_task(5, 0.1);
    assert_eq!(run(&mut task, &config, folder.path()).unwrap(), Ending::Complete);
    Remains::of(&task, folder.path()).assert_same(&wanted, "stopped three times");
}

#[test]
fn another_configuration_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = run_config(5);
    run(&mut acoustic_task(3, 0.0), &config, folder.path()).unwrap();
    let before = std::fs::read(folder.path().join("last.safetensors")).unwrap();
    let other = RunConfig { model: "[\"tiny\",2]".into(), ..config };
    let error = run(&mut acoustic_task(3, 0.0), &other, folder.path()).unwrap_err();
    assert!(matches!(error, TrainError::OtherConfig { .. }), "{error:?}");
    let (message, hint) = (error.to_string(), error.hint().unwrap());
    assert!(message.contains("last.safetensors") && message.contains("another configuration"), "{message}");
    assert!(hint.contains("same settings") && hint.contains("empty work folder"), "{hint}");
    assert_eq!(before, std::fs::read(folder.path().join("last.safetensors")).unwrap());
}
