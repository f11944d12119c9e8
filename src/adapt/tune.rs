//! The adaptation from the first check to the report.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::time::Instant;

use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};

use super::measure::compare;
use super::pairs::{
    Fit, MAX_FIT_AFTER, MAX_FIT_BEFORE, Pair, PairFit, Usage, align_pairs, prepare, utterances,
};
use super::recordings::{Remark, find_recordings};
use super::report::StageReport;
use super::{AdaptConfig, AdaptError, Alignment, Event, Figures, Observer, Report};
use crate::engine::{Synthesizer, peak_rss_kb};
use crate::nn::Params;
use crate::signal::{F0Config, MelConfig};
use crate::train::acoustic::{AcousticOptions, AcousticTask, Example};
use crate::train::adam::AdamConfig;
use crate::train::features::{FeatureConfig, Utterance};
use crate::train::run::{self, Ending, RunConfig, read_log, train};
use crate::train::task::Task;
use crate::train::vocoder::{Material, VocoderTask, VocoderTraining};
use crate::voice::{Meta, Part, Voice};
use crate::{acoustic, vocoder};

/// Fewest recordings: some to learn from, one to decide when to stop, one to measure on.
pub(super) const MIN_PAIRS: usize = 5;
/// One recording in so many decides when to stop, and another is measured on.
const HOLD_OUT_EVERY: usize = 10;
/// Frames of a piece for the vocoder, at most.
const PIECE_FRAMES: usize = 64;

/// Adapts a voice. What was done is kept in the work folder: the same call goes on from there.
///
/// # Errors
/// See [`AdaptError`]; the adapter is written whole at the end or not at all.
pub fn adapt(config: &AdaptConfig, observer: &mut Observer<'_>) -> Result<Report, AdaptError> {
    let start = Instant::now();
    let base = Voice::load(&config.base)?;
    let job = Job::new(config, &base)?;
    let takes = find_recordings(&config.recordings)?;
    let (pairs, mut usage) = prepare(config, &job.features, takes, &mut |done, total, remark| {
        if let Some(remark) = remark {
            go_on(observer(Event::Remark(remark)))?;
        }
        go_on(observer(Event::Progress { stage: "check", done: done as u64, total: total as u64 }))
    })?;
    let first = usage.left_out.first().map(ToString::to_string);
    job.enough(pairs.len(), first)?;

    let synthesizer = Synthesizer::new(&base).map_err(|error| AdaptError::Speech(Box::new(error)))?;
    let (kept, alignments) =
        keep_fitting((synthesizer.acoustic(), MAX_FIT_BEFORE, "align"), (pairs, &mut usage), observer)?;
    job.enough(kept.len(), usage.left_out.first().map(ToString::to_string))?;
    let folder = config.work.join(&job.identity(&kept)[..12]);

    // The output layers first; they make the voice sound like the speaker, which makes the alignment better.
    let mut stages = Vec::new();
    let mut stage = job.stage("heads", (&[], 300, 1e-3));
    let sets = Sets::split(&kept, &alignments);
    let base_acoustic = job.float(Part::Acoustic)?;
    let without_statistics: HashMap<String, Tensor> =
        base_acoustic.iter().filter(|(name, _)| !name.starts_with("statistics.")).map(clone_pair).collect();
    let mut task = job.acoustic_task(&stage, &sets, without_statistics)?;
    stages.push(job.train(&mut task, &mut stage, (&folder, observer))?);

    drop(sets);
    let (kept, alignments) =
        keep_fitting((task.model(), MAX_FIT_AFTER, "align again"), (kept, &mut usage), observer)?;
    job.enough(kept.len(), usage.left_out.first().map(ToString::to_string))?;
    usage.used = kept.len();
    usage.seconds = kept.iter().map(|pair| pair.tracks.samples.len()).sum::<usize>() as f64
        / f64::from(job.features.mel.sample_rate_hz);
    let sets = Sets::split(&kept, &alignments);
    let mut weights = job.float(Part::Acoustic)?;
    weights.extend(changed(task.params()));
    drop(task);
    let mut stage = job.stage("deeper", (&job.deeper(), 600, 5e-4));
    let mut task = job.acoustic_task(&stage, &sets, weights)?;
    stages.push(job.train(&mut task, &mut stage, (&folder, observer))?);
    let mut all = Part::Acoustic.weights(task.params());
    drop(task);

    let mut stage = job.vocoder_stage();
    let mut task = job.vocoder_task(&stage, &sets, job.float(Part::Vocoder)?)?;
    stages.push(job.train(&mut task, &mut stage, (&folder, observer))?);
    all.extend(Part::Vocoder.weights(task.params()));
    drop(task);

    let voice = job.pack(&base, &all)?;
    let mut before = compare(&synthesizer, &job.features, &sets.measured)?;
    let adapted = Synthesizer::new(&voice).map_err(|error| AdaptError::Speech(Box::new(error)))?;
    let mut after = compare(&adapted, &job.features, &sets.measured)?;
    job.judge(&base, &sets, &mut before)?;
    job.judge(&voice, &sets, &mut after)?;

    let weights_changed = all.values().map(Tensor::elem_count).sum();
    let voice = if config.is_merged { voice.merged() } else { voice };
    if let Some(parent) = config.output.parent() {
        std::fs::create_dir_all(parent).map_err(AdaptError::io(parent))?;
    }
    voice.save(&config.output)?;
    let report = Report {
        name: config.name.clone(),
        base: base.meta().name.clone(),
        base_weights_sha256: base.weights_sha256().into(),
        recordings: usage,
        split: [sets.learnt.len(), sets.stopping.len(), sets.test.len()],
        before,
        after,
        stages,
        tensors_changed: all.len(),
        weights_changed,
        file_bytes: std::fs::metadata(&config.output).map_err(AdaptError::io(&config.output))?.len(),
        seconds: start.elapsed().as_secs_f64(),
        peak_rss_kb: peak_rss_kb(),
    };
    report.save(&config.work)?;
    // Only now: until the voice is there, a kill must find its checkpoints.
    std::fs::remove_dir_all(&folder).map_err(AdaptError::io(&folder))?;
    Ok(report)
}

/// Aligns the pairs by a model; those that do not fit their transcripts are reported and dropped.
fn keep_fitting(
    (model, max_fit, stage): (&acoustic::FastSpeech, Fit, &'static str),
    (pairs, usage): (Vec<Pair>, &mut Usage),
    observer: &mut Observer<'_>,
) -> Result<(Vec<Pair>, Vec<Alignment>), AdaptError> {
    let aligned = align_pairs(model, (&pairs, max_fit), &mut |done, total| {
        go_on(observer(Event::Progress { stage, done: done as u64, total: total as u64 }))
    })?;
    let (mut kept, mut alignments) = (Vec::new(), Vec::new());
    for (pair, result) in pairs.into_iter().zip(aligned) {
        match result {
            Ok((alignment, fit)) => {
                usage.fits.push(PairFit { file: pair.take.name(), stage, fit });
                kept.push(pair);
                alignments.push(alignment);
            }
            Err(problem) => {
                let remark = Remark::new(&pair.take, &problem);
                go_on(observer(Event::Remark(&remark)))?;
                usage.left_out.push(remark);
            }
        }
    }
    Ok((kept, alignments))
}

fn go_on(flow: ControlFlow<()>) -> Result<(), AdaptError> {
    if flow.is_break() { Err(AdaptError::Stopped) } else { Ok(()) }
}

fn clone_pair((name, tensor): (&String, &Tensor)) -> (String, Tensor) {
    (name.clone(), tensor.clone())
}

/// Everything that training has made or measured, by name.
fn changed(params: &Params) -> HashMap<String, Tensor> {
    let vars = params.vars().into_iter().map(|(name, var)| (name, var.as_detached_tensor()));
    vars.chain(params.constants()).collect()
}

/// What the recordings are for.
struct Sets<'a> {
    learnt: Vec<Utterance>,
    stopping: Vec<Utterance>,
    test: Vec<Utterance>,
    measured: Vec<&'a Pair>,
}

impl<'a> Sets<'a> {
    fn split(pairs: &'a [Pair], alignments: &[Alignment]) -> Self {
        let share = pairs.len().div_ceil(HOLD_OUT_EVERY);
        let step = (pairs.len() / share).max(3);
        let part = |wanted: fn(usize, usize) -> bool| {
            utterances(
                pairs
                    .iter()
                    .zip(alignments)
                    .enumerate()
                    .filter(|(i, _)| wanted(i % step, step))
                    .map(|(_, pair)| pair),
            )
        };
        let is_measured = |i: usize, step: usize| i == 2 * step / 3;
        Self {
            learnt: part(|i, step| i != step / 3 && i != 2 * step / 3),
            stopping: part(|i, step| i == step / 3),
            test: part(is_measured),
            measured: (pairs.iter().enumerate())
                .filter(|(i, _)| is_measured(i % step, step))
                .map(|(_, pair)| pair)
                .collect(),
        }
    }
}

/// A stage of the training: what is open, and how long.
struct Stage {
    name: &'static str,
    open: Vec<String>,
    run: RunConfig,
}

struct Job<'a> {
    config: &'a AdaptConfig,
    base: &'a Voice,
    features: FeatureConfig,
    acoustic: acoustic::Config,
    vocoder: vocoder::Config,
}

impl<'a> Job<'a> {
    fn new(config: &'a AdaptConfig, base: &'a Voice) -> Result<Self, AdaptError> {
        let reason =
            |reason: &str| AdaptError::Base { voice: base.meta().name.clone(), reason: reason.into() };
        if base.base().is_some() {
            return Err(reason("it is itself adapted"));
        }
        let acoustic: acoustic::Config = base.config(Part::Acoustic)?;
        let vocoder: vocoder::Config = base.config(Part::Vocoder)?;
        if acoustic.layout != acoustic::Layout::Native || vocoder.prior == vocoder::Prior::Standard {
            return Err(reason("only native voices can be adapted"));
        }
        let mel = &base.meta().mel;
        let sample_rate_hz = base.meta().sample_rate_hz;
        let mel = MelConfig {
            sample_rate_hz,
            fft_samples: mel.window_samples,
            hop_samples: mel.hop_samples,
            band_count: mel.bands,
            low_hz: f64::from(mel.low_hz),
            high_hz: f64::from(mel.high_hz),
            magnitude_floor: mel.floor,
        };
        let f0 = F0Config { sample_rate_hz, hop_samples: mel.hop_samples, ..F0Config::default() };
        let features = FeatureConfig { mel, f0, ..FeatureConfig::default() };
        Ok(Self { config, base, features, acoustic, vocoder })
    }

    fn enough(&self, got: usize, first: Option<String>) -> Result<(), AdaptError> {
        if got >= MIN_PAIRS {
            return Ok(());
        }
        let folder = self.config.recordings.clone();
        Err(AdaptError::TooFew { folder, least: MIN_PAIRS, got, first })
    }

    /// What decides the result, as a name for its checkpoints.
    fn identity(&self, pairs: &[Pair]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.base.weights_sha256());
        hash.update(format!("{} {} {}", self.config.seed, self.config.depth, self.config.scale));
        for pair in pairs {
            hash.update(pair.text.as_bytes());
            pair.tracks.samples.iter().for_each(|sample| hash.update(sample.to_le_bytes()));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn float(&self, part: Part) -> Result<HashMap<String, Tensor>, AdaptError> {
        Ok(self.base.float_weights(part)?.into_iter().collect())
    }

    fn stage(&self, name: &'static str, (more, steps, rate): (&[String], u64, f64)) -> Stage {
        let heads =
            ["mel_head", "source_head", "post_net", "duration_predictor.output", "variance_predictor.output"];
        let open = heads.into_iter().map(str::to_owned).chain(more.iter().cloned()).collect();
        Stage { name, open, run: self.run(steps, rate) }
    }

    fn run(&self, steps: u64, learning_rate: f64) -> RunConfig {
        RunConfig {
            steps: ((steps as f64 * self.config.scale) as u64).max(2),
            learning_rate,
            warmup_steps: 20,
            checkpoint_every: 50,
            validate_every: 50,
            patience: 4,
            adam: AdamConfig { clip_norm: 1.0, average_decay: 0.98, ..AdamConfig::default() },
            model: String::new(),
        }
    }

    /// The layers in front of the output layers.
    fn deeper(&self) -> Vec<String> {
        let blocks = self.acoustic.decoder_blocks;
        let decoder = blocks.saturating_sub(self.config.depth)..blocks;
        let predictors = ["duration_predictor", "variance_predictor"].into_iter().map(str::to_owned);
        decoder.map(|block| format!("decoder.{block}")).chain(predictors).collect()
    }

    fn vocoder_stage(&self) -> Stage {
        let ends = (0..self.vocoder.flows).map(|flow| format!("wn.{flow}.end"));
        let open = std::iter::once("conditioner.output".to_owned()).chain(ends).collect();
        Stage { name: "vocoder", open, run: self.run(200, 5e-4) }
    }

    fn acoustic_task(
        &self,
        stage: &Stage,
        sets: &Sets<'_>,
        preset: HashMap<String, Tensor>,
    ) -> Result<AcousticTask, AdaptError> {
        let examples = |set: &[Utterance]| set.iter().cloned().map(Example::from).collect::<Vec<_>>();
        let options = AcousticOptions {
            seed: self.config.seed,
            preset,
            open: Some(stage.open.clone()),
            ..AcousticOptions::default()
        };
        Ok(AcousticTask::new(&self.acoustic, (examples(&sets.learnt), examples(&sets.stopping)), options)?)
    }

    fn vocoder_task(
        &self,
        stage: &Stage,
        sets: &Sets<'_>,
        preset: HashMap<String, Tensor>,
    ) -> Result<VocoderTask, AdaptError> {
        self.vocoder_on((&sets.learnt, &sets.stopping), (preset, &stage.open))
    }

    fn vocoder_on(
        &self,
        (learnt, held_out): (&[Utterance], &[Utterance]),
        (preset, open): (HashMap<String, Tensor>, &[String]),
    ) -> Result<VocoderTask, AdaptError> {
        let material = |set: &[Utterance]| {
            let mut material = Material::default();
            set.iter().for_each(|utterance| material.push(utterance, self.vocoder.mel_bands));
            material
        };
        let frames = |set: &[Utterance]| set.iter().map(Utterance::frame_count).sum::<usize>();
        let shortest = frames(learnt).min(frames(held_out)).saturating_sub(16);
        let training = VocoderTraining {
            seed: self.config.seed,
            piece_frames: PIECE_FRAMES.min(shortest.max(1)),
            ..VocoderTraining::default()
        };
        let params = Params::partly_trainable(preset, open, &Device::Cpu);
        Ok(VocoderTask::new(&self.vocoder, params, (material(learnt), material(held_out)), training)?)
    }

    fn train(
        &self,
        task: &mut dyn Task,
        stage: &mut Stage,
        (folder, observer): (&std::path::Path, &mut Observer<'_>),
    ) -> Result<StageReport, AdaptError> {
        let folder = folder.join(stage.name);
        stage.run.model = format!("{} {:?}", stage.name, stage.open);
        let name = stage.name;
        let ending = train(task, &stage.run, &folder, &mut |event| match event {
            run::Event::Step { step, steps } => {
                observer(Event::Progress { stage: name, done: step, total: steps })
            }
            run::Event::Line(line) => observer(Event::Line { stage: name, line }),
        })?;
        if ending == Ending::Stopped {
            return Err(AdaptError::Stopped);
        }
        let log = read_log(&folder)?;
        Ok(StageReport {
            name,
            open: stage.open.clone(),
            parameters: task.params().vars().values().map(|var| var.elem_count()).sum(),
            steps: log.last().map_or(0, |line| line.step),
            ended_early: ending == Ending::EarlyStop,
            log,
        })
    }

    fn pack(&self, base: &Voice, weights: &BTreeMap<String, Tensor>) -> Result<Voice, AdaptError> {
        let meta = Meta {
            name: self.config.name.clone(),
            licence: "as the recordings".into(),
            provenance: format!("adapted by `fastglow adapt` from {}", base.meta().name),
            training: serde_json::json!({ "base": base.meta().name, "seed": self.config.seed }),
            ..base.meta().clone()
        };
        Ok(Voice::adapted(base, meta, weights)?)
    }

    /// The models' own losses on the recordings that are measured on.
    fn judge(&self, voice: &Voice, sets: &Sets<'_>, figures: &mut Figures) -> Result<(), AdaptError> {
        let float = |part| -> Result<HashMap<String, Tensor>, AdaptError> {
            Ok(voice.float_weights(part)?.into_iter().collect())
        };
        let examples = || sets.test.iter().cloned().map(Example::from).collect::<Vec<_>>();
        let options = AcousticOptions {
            preset: float(Part::Acoustic)?,
            open: Some(Vec::new()),
            ..AcousticOptions::default()
        };
        let measured = AcousticTask::new(&self.acoustic, (examples(), examples()), options)?.validate()?;
        let figure = |list: &[(&'static str, f32)], wanted: &str| {
            list.iter().find(|(name, _)| *name == wanted).map_or(f64::NAN, |(_, value)| f64::from(*value))
        };
        figures.acoustic_loss = figure(&measured, "loss");
        figures.duration_mae_frames = figure(&measured, "duration_mae_frames");
        let weights = float(Part::Vocoder)?;
        let measured = self.vocoder_on((&sets.test, &sets.test), (weights, &[]))?.validate()?;
        figures.nll = figure(&measured, "nll");
        Ok(())
    }
}
