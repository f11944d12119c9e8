//! The stages of an adaptation: what is open in each, what it learns from, and how long it may take.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};

use super::augment::{Augmentation, augmented};
use super::pace::{cool_down, hottest_celsius, rest, waited_for_cores};
use super::pairs::{Pair, Usage, utterances};
use super::plan::Plan;
use super::rehearse::rehearsal;
use super::report::StageReport;
use super::{AdaptConfig, AdaptError, Alignment, Event, Figures, Method, Observer};
use crate::acoustic::FastSpeech;
use crate::nn::Params;
use crate::signal::{F0Config, MelConfig};
use crate::train::acoustic::{AcousticOptions, AcousticTask, Example, statistics_of};
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
/// Altered copies of each recording that [`Method::Corpus`] learns from.
const COPIES: u64 = 2;

/// What the recordings are for.
pub(super) struct Sets<'a> {
    pub learnt: Vec<Utterance>,
    pub stopping: Vec<Utterance>,
    pub test: Vec<Utterance>,
    /// The recordings of `test`.
    pub measured: Vec<(&'a Pair, &'a Alignment)>,
}

impl<'a> Sets<'a> {
    pub(super) fn split(pairs: &'a [Pair], alignments: &'a [Alignment]) -> Self {
        let has_test = pairs.iter().any(|pair| pair.is_test);
        let own: Vec<_> = pairs.iter().zip(alignments).filter(|(pair, _)| !pair.is_test).collect();
        let share = own.len().div_ceil(HOLD_OUT_EVERY);
        let step = (own.len() / share.max(1)).max(3);
        let is_stopping = |i: usize| i % step == step / 3;
        let is_held_out = |i: usize| !has_test && i % step == 2 * step / 3;
        let part = |wanted: &dyn Fn(usize) -> bool| {
            let chosen = own.iter().enumerate().filter(|(i, _)| wanted(*i));
            chosen.map(|(_, &pair)| pair).collect::<Vec<_>>()
        };
        let mut measured = part(&is_held_out);
        measured.extend(pairs.iter().zip(alignments).filter(|(pair, _)| pair.is_test));
        Self {
            learnt: utterances(part(&|i| !is_stopping(i) && !is_held_out(i)).into_iter()),
            stopping: utterances(part(&is_stopping).into_iter()),
            test: utterances(measured.iter().copied()),
            measured,
        }
    }
}

/// A stage of the training: what is open, and how long.
pub(super) struct Stage {
    /// Its place in the plan.
    index: usize,
    pub name: &'static str,
    open: Vec<String>,
    run: RunConfig,
}

/// What a voice that can be adapted is made of.
pub(super) struct Native {
    pub features: FeatureConfig,
    acoustic: acoustic::Config,
    vocoder: vocoder::Config,
}

/// Looks whether a voice can be adapted: it must be whole, and of our own models.
pub(super) fn native(base: &Voice) -> Result<Native, AdaptError> {
    let reason = |reason: &str| AdaptError::Base { voice: base.meta().name.clone(), reason: reason.into() };
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
    Ok(Native { features, acoustic, vocoder })
}

/// One adaptation.
pub(super) struct Job<'a> {
    config: &'a AdaptConfig,
    base: &'a Voice,
    pub features: FeatureConfig,
    acoustic: acoustic::Config,
    vocoder: vocoder::Config,
    start: Instant,
}

impl<'a> Job<'a> {
    pub(super) fn new(config: &'a AdaptConfig, base: &'a Voice) -> Result<Self, AdaptError> {
        let Native { features, acoustic, vocoder } = native(base)?;
        Ok(Self { config, base, features, acoustic, vocoder, start: Instant::now() })
    }

    /// Whether so many recordings are enough; if not, the first of those left out says why.
    pub(super) fn enough(&self, pairs: &[Pair], usage: &Usage) -> Result<(), AdaptError> {
        let tests = pairs.iter().filter(|pair| pair.is_test).count();
        let got = pairs.len() - tests;
        if got >= MIN_PAIRS && (tests > 0 || self.config.test.is_none()) {
            return Ok(());
        }
        let (folder, least, got) = match &self.config.test {
            Some(test) if got >= MIN_PAIRS => (test.clone(), 1, tests),
            _ => (self.config.recordings.clone(), MIN_PAIRS, got),
        };
        let first = usage.left_out.first().map(ToString::to_string);
        Err(AdaptError::TooFew { folder, least, got, first })
    }

    /// What decides the result, as a name for its checkpoints.
    pub(super) fn identity(&self, pairs: &[Pair]) -> String {
        let AdaptConfig { depth, method, takes_statistics, .. } = self.config;
        self.sum(format!("{:?}", (depth, method, takes_statistics)), pairs)
    }

    /// The same of the vocoder alone.
    pub(super) fn vocoder_identity(&self, pairs: &[Pair]) -> String {
        self.sum(String::new(), pairs)
    }

    fn sum(&self, choices: String, pairs: &[Pair]) -> String {
        let AdaptConfig { seed, scale, opens_conditioner, stops_early, .. } = self.config;
        let mut hash = Sha256::new();
        hash.update(self.base.weights_sha256());
        hash.update(format!("{:?} {choices}", (seed, scale, opens_conditioner, stops_early)));
        for pair in pairs {
            hash.update(pair.text.as_bytes());
            pair.tracks.samples.iter().for_each(|sample| hash.update(sample.to_le_bytes()));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn float(&self, part: Part) -> Result<HashMap<String, Tensor>, AdaptError> {
        Ok(self.base.float_weights(part)?.into_iter().collect())
    }

    /// The output layers alone.
    pub(super) fn heads(&self, plan: &Plan) -> Stage {
        self.stage((0, "heads"), heads().chain(self.norms()).collect(), plan)
    }

    /// The output layers and those in front of them.
    pub(super) fn deeper(&self, plan: &Plan) -> Stage {
        let blocks = self.acoustic.decoder_blocks;
        let decoder = blocks.saturating_sub(self.config.depth)..blocks;
        let predictors = ["duration_predictor", "variance_predictor"].into_iter().map(str::to_owned);
        let open = heads().chain(decoder.map(|block| format!("decoder.{block}"))).chain(predictors);
        self.stage((1, "deeper"), open.chain(self.norms()).collect(), plan)
    }

    /// The prior's network and the ends of the flows.
    pub(super) fn vocoder_stage(&self, plan: &Plan) -> Stage {
        let prior = if self.config.opens_conditioner { "conditioner" } else { "conditioner.output" };
        let ends = (0..self.vocoder.flows).map(|flow| format!("wn.{flow}.end"));
        self.stage((2, "vocoder"), std::iter::once(prior.to_owned()).chain(ends).collect(), plan)
    }

    /// The norms of all blocks, if the method opens them.
    fn norms(&self) -> impl Iterator<Item = String> + use<> {
        let blocks = |name: &'static str, count: usize, norms: &'static [&'static str]| {
            (0..count).flat_map(move |block| norms.iter().map(move |norm| format!("{name}.{block}.{norm}")))
        };
        let encoder = blocks("encoder", self.acoustic.encoder_blocks, &["attention_norm", "feed_norm"]);
        let all = encoder.chain(blocks("decoder", self.acoustic.decoder_blocks, &["norm"]));
        let count = if self.config.method == Method::Transfer { usize::MAX } else { 0 };
        all.take(count)
    }

    fn stage(&self, (index, name): (usize, &'static str), open: Vec<String>, plan: &Plan) -> Stage {
        let run = RunConfig {
            steps: plan.steps[index],
            learning_rate: Plan::learning_rate(index),
            warmup_steps: 20,
            checkpoint_every: 50,
            // Often enough to notice when it no longer improves, also in a short run.
            validate_every: (plan.steps[index] / 12).clamp(1, 50),
            patience: if self.config.stops_early { 4 } else { 0 },
            adam: AdamConfig { clip_norm: 1.0, average_decay: 0.98, ..AdamConfig::default() },
            model: format!("{name} {open:?}"),
        };
        Stage { index, name, open, run }
    }

    /// What the acoustic model learns from: the recordings, and what the method adds to them.
    fn lessons(&self, sets: &Sets<'_>, base: &FastSpeech) -> Result<Vec<Example>, AdaptError> {
        let own: Vec<Example> = sets.learnt.iter().cloned().map(Example::from).collect();
        if self.config.method != Method::Corpus {
            return Ok(own);
        }
        let bands = self.acoustic.mels;
        let speaker = statistics_of(&own, bands)?;
        let how = Augmentation::default();
        let copies = own.iter().zip(0u64..).flat_map(|(example, index)| {
            (0..COPIES).map(move |copy| {
                augmented(example, bands, (&how, self.config.seed ^ (COPIES * index + copy + 1)))
            })
        });
        let mut all: Vec<Example> = copies.collect();
        all.extend(rehearsal(base, &speaker)?);
        all.extend(own);
        Ok(all)
    }

    pub(super) fn acoustic_task(
        &self,
        (stage, plan): (&Stage, &Plan),
        (sets, base): (&Sets<'_>, &FastSpeech),
        preset: HashMap<String, Tensor>,
    ) -> Result<AcousticTask, AdaptError> {
        let stopping = sets.stopping.iter().cloned().map(Example::from).collect();
        let options = AcousticOptions {
            seed: self.config.seed,
            frames_per_batch: plan.frames_per_batch,
            preset,
            open: Some(stage.open.clone()),
            ..AcousticOptions::default()
        };
        Ok(AcousticTask::new(&self.acoustic, (self.lessons(sets, base)?, stopping), options)?)
    }

    pub(super) fn vocoder_task(
        &self,
        (stage, plan): (&Stage, &Plan),
        sets: &Sets<'_>,
        preset: HashMap<String, Tensor>,
    ) -> Result<VocoderTask, AdaptError> {
        self.vocoder_on((&sets.learnt, &sets.stopping), plan.pieces_per_batch, (preset, &stage.open))
    }

    fn vocoder_on(
        &self,
        (learnt, held_out): (&[Utterance], &[Utterance]),
        batch: usize,
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
            // By likelihood alone its own samples become hoarse.
            distance_weight: 1.0,
            batch,
            distance_batch: batch.div_ceil(2),
            piece_frames: PIECE_FRAMES.min(shortest.max(1)),
        };
        let params = Params::partly_trainable(preset, open, &Device::Cpu);
        Ok(VocoderTask::new(&self.vocoder, params, (material(learnt), material(held_out)), training)?)
    }

    /// Trains a stage until it is done, no longer improves, or has used up its share of the time.
    pub(super) fn train(
        &self,
        task: &mut dyn Task,
        stage: &Stage,
        (folder, observer): (&Path, &mut Observer<'_>),
    ) -> Result<StageReport, AdaptError> {
        let folder = folder.join(stage.name);
        let name = stage.name;
        let deadline =
            self.config.most_time.map(|time| self.start + time.mul_f64(Plan::share_until(stage.index)));
        let mut is_out_of_time = false;
        let mut step_start = (Instant::now(), waited_for_cores());
        let ending = train(task, &stage.run, &folder, &mut |event| match event {
            run::Event::Step { step, steps } => {
                let (wall, waited) = (step_start.0.elapsed(), waited_for_cores());
                if let (Some(before), Some(now)) = (step_start.1, waited) {
                    std::thread::sleep(rest(wall, now.saturating_sub(before)));
                }
                cool_down(self.config.most_celsius, hottest_celsius, std::thread::sleep);
                step_start = (Instant::now(), waited_for_cores());
                is_out_of_time = deadline.is_some_and(|deadline| Instant::now() > deadline);
                let flow = observer(Event::Progress { stage: name, done: step, total: steps });
                if is_out_of_time { std::ops::ControlFlow::Break(()) } else { flow }
            }
            run::Event::Line(line) => observer(Event::Line { stage: name, line }),
        })?;
        if ending == Ending::Stopped && !is_out_of_time {
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

    pub(super) fn pack(&self, base: &Voice, weights: &BTreeMap<String, Tensor>) -> Result<Voice, AdaptError> {
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
    pub(super) fn judge(
        &self,
        voice: &Voice,
        sets: &Sets<'_>,
        figures: &mut Figures,
    ) -> Result<(), AdaptError> {
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
        let measured = self.vocoder_on((&sets.test, &sets.test), 1, (weights, &[]))?.validate()?;
        figures.nll = figure(&measured, "nll");
        Ok(())
    }
}

/// The acoustic model's output layers.
fn heads() -> impl Iterator<Item = String> {
    ["mel_head", "source_head", "post_net", "duration_predictor.output", "variance_predictor.output"]
        .into_iter()
        .map(str::to_owned)
}
