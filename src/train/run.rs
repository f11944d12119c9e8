//! The training loop: schedule, validation, early stopping, checkpoints, log.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::TrainError;
use super::adam::{Adam, AdamConfig};
use super::checkpoint::{self, Files, Progress};
use super::task::Task;
use crate::atomic_file;

/// Settings of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// Steps in all.
    pub steps: u64,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up before a cosine leads down to a twentieth.
    pub warmup_steps: u64,
    /// Steps between checkpoints: what a kill can cost.
    pub checkpoint_every: u64,
    /// Steps between validations.
    pub validate_every: u64,
    /// Validations without improvement after which the run ends; 0 never ends early.
    pub patience: u32,
    /// The optimizer.
    pub adam: AdamConfig,
    /// The model's configuration as JSON, to recognise its checkpoints.
    pub model: String,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            steps: 10_000,
            learning_rate: 1e-3,
            warmup_steps: 200,
            checkpoint_every: 200,
            validate_every: 200,
            patience: 20,
            adam: AdamConfig::default(),
            model: String::new(),
        }
    }
}

impl RunConfig {
    fn learning_rate_at(&self, step: u64) -> f32 {
        let warm = ((step + 1) as f64 / self.warmup_steps.max(1) as f64).min(1.0);
        let done = step as f64 / self.steps.max(1) as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
        (self.learning_rate * warm * (0.05 + 0.95 * cosine)) as f32
    }
}

/// What a line of the log tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Means over the training steps since the last such line.
    Train,
    /// The held-out utterances, under the averaged weights.
    Validation,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Steps done.
    pub step: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// What it tells of.
    pub kind: LineKind,
    /// Named figures.
    pub figures: serde_json::Map<String, serde_json::Value>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps were done.
    Complete,
    /// Validation stopped improving.
    EarlyStop,
    /// The observer asked for it.
    Stopped,
}

/// What an observer says to each line and step.
pub type Observer<'a> = dyn FnMut(Event<'_>) -> std::ops::ControlFlow<()> + 'a;

/// What happens in a run.
pub enum Event<'a> {
    /// A step was done; the run has `steps` in all.
    Step {
        /// Steps done.
        step: u64,
        /// Steps in all.
        steps: u64,
    },
    /// A line was logged.
    Line(&'a LogLine),
}

/// Trains `task` in `folder`, going on from its checkpoint if there is one. At the end the variables hold the averaged
/// weights of the best validation.
///
/// # Errors
/// A file cannot be read or written, a checkpoint is of another configuration, or training diverges.
pub fn train(
    task: &mut dyn Task,
    config: &RunConfig,
    folder: &Path,
    observer: &mut Observer<'_>,
) -> Result<Ending, TrainError> {
    std::fs::create_dir_all(folder).map_err(|e| TrainError::io(folder, e))?;
    let files = Files::new(folder);
    let mut adam = Adam::new(task.params().vars(), config.adam)?;
    let mut progress = Progress { config: config.model.clone(), ..Progress::default() };
    if files.last.exists() {
        let (state, saved) = checkpoint::load(&files.last)?;
        if saved.config != config.model {
            return Err(TrainError::OtherConfig { path: files.last });
        }
        adam.restore(&state, saved.step)?;
        progress = saved;
    }
    let mut log = Log::open(&files.log, progress.step)?;
    let mut ending = Ending::Complete;
    let mut clock = Instant::now();
    let mut bad_in_a_row = 0u32;
    let exhausted =
        |progress: &Progress| config.patience > 0 && progress.stale_validations >= config.patience;
    while progress.step < config.steps {
        if exhausted(&progress) {
            ending = Ending::EarlyStop;
            break;
        }
        let loss = task.loss(progress.step)?;
        let gradients = loss.total.backward()?;
        let report = adam.step(&gradients, config.learning_rate_at(progress.step))?;
        bad_in_a_row = if report.applied { 0 } else { bad_in_a_row + 1 };
        if bad_in_a_row >= 20 {
            return Err(TrainError::Diverged { step: progress.step, count: bad_in_a_row });
        }
        progress.step += 1;
        progress.sums.add(loss.parts.into_iter().chain([("gradient_norm", report.gradient_norm)]));
        let mut stop = observer(Event::Step { step: progress.step, steps: config.steps }).is_break();
        if progress.step.is_multiple_of(config.validate_every) || progress.step == config.steps {
            progress.seconds += std::mem::replace(&mut clock, Instant::now()).elapsed().as_secs_f64();
            let means = std::mem::take(&mut progress.sums).means();
            stop |= observer(Event::Line(&log.write(LineKind::Train, &progress, means)?)).is_break();
            let trained = adam.swap_in_average()?;
            let figures = task.validate()?;
            let criterion = figures.first().map_or(f32::INFINITY, |f| f.1);
            stop |= observer(Event::Line(&log.write(LineKind::Validation, &progress, figures)?)).is_break();
            if progress.best.is_none_or(|best| criterion < best) {
                progress.best = Some(criterion);
                progress.stale_validations = 0;
                let weights = task.params().vars().into_iter().map(|(k, v)| (k, v.as_detached_tensor()));
                let weights = weights.chain(task.params().constants()).collect();
                checkpoint::save(&files.best, weights, &progress)?;
            } else {
                progress.stale_validations += 1;
            }
            adam.put_back(&trained)?;
        }
        if progress.step.is_multiple_of(config.checkpoint_every)
            || progress.step == config.steps
            || stop
            || exhausted(&progress)
        {
            progress.seconds += std::mem::replace(&mut clock, Instant::now()).elapsed().as_secs_f64();
            // After a power cut the log must not lack what the checkpoint takes for written.
            log.file.sync_data().map_err(|e| TrainError::io(&files.log, e))?;
            checkpoint::save(&files.last, adam.state()?, &progress)?;
        }
        if stop {
            ending = Ending::Stopped;
            break;
        }
    }
    if files.best.exists() {
        let (best, _) = checkpoint::load(&files.best)?;
        for (name, var) in task.params().vars() {
            if let Some(tensor) = best.get(&name) {
                var.set(&tensor.to_device(var.device())?)?;
            }
        }
    }
    Ok(ending)
}

/// The log of the run in `folder`; lines that a kill has cut short are left out.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn read_log(folder: &Path) -> Result<Vec<LogLine>, TrainError> {
    let path = Files::new(folder).log;
    let bytes = std::fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
    Ok(log_lines(&bytes).collect())
}

fn log_lines(bytes: &[u8]) -> impl Iterator<Item = LogLine> {
    bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// One write a line, so that a kill seldom cuts one.
fn put(file: &mut impl Write, line: &LogLine) -> std::io::Result<()> {
    let mut json = serde_json::to_vec(line)?;
    json.push(b'\n');
    file.write_all(&json)
}

/// The log file: one JSON object a line.
struct Log {
    path: std::path::PathBuf,
    file: std::fs::File,
}

impl Log {
    /// Opens the log and drops lines later than `step`, which belong to work that a kill has undone, and what is no line.
    fn open(path: &Path, step: u64) -> Result<Self, TrainError> {
        if path.exists() {
            let bytes = std::fs::read(path).map_err(|e| TrainError::io(path, e))?;
            atomic_file::write(path, |file| {
                log_lines(&bytes).filter(|line| line.step <= step).try_for_each(|line| put(file, &line))
            })
            .map_err(|e| TrainError::io(path, e))?;
        }
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|e| TrainError::io(path, e))?;
        Ok(Self { path: path.into(), file })
    }

    fn write(
        &mut self,
        kind: LineKind,
        progress: &Progress,
        figures: Vec<(impl Into<String>, f32)>,
    ) -> Result<LogLine, TrainError> {
        let figures = figures.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let line = LogLine { step: progress.step, seconds: progress.seconds.round(), kind, figures };
        put(&mut self.file, &line).map_err(|e| TrainError::io(&self.path, e))?;
        Ok(line)
    }
}
