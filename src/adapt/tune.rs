//! The adaptation from the first check to the report.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use candle_core::Tensor;

use super::boundaries;
use super::measure::compare;
use super::pairs::{FIRST_PASS, Pair, PairFit, Pass, SECOND_PASS, Usage, align_pairs, prepare};
use super::pictures::pictures;
use super::plan::gigaflops;
use super::recordings::{Remark, find_recordings};
use super::stages::{Job, Sets};
use super::{AdaptConfig, AdaptError, Alignment, Event, Observer, Plan, Report};
use crate::acoustic::FastSpeech;
use crate::engine::{Synthesizer, peak_rss_kb};
use crate::nn::Params;
use crate::train::task::Task;
use crate::voice::{Part, Voice};

/// Adapts a voice. What was done is kept in the work folder: the same call goes on from there.
///
/// # Errors
/// See [`AdaptError`]; the adapter is written whole at the end or not at all.
pub fn adapt(config: &AdaptConfig, observer: &mut Observer<'_>) -> Result<Report, AdaptError> {
    let start = Instant::now();
    let base = Voice::load(&config.base)?;
    let job = Job::new(config, &base)?;
    let (pairs, mut usage) = read(&job, config, observer)?;
    job.enough(&pairs, &usage)?;

    let synthesizer = Synthesizer::new(&base).map_err(|error| AdaptError::Speech(Box::new(error)))?;
    let model = synthesizer.acoustic();
    let (kept, alignments) = keep_fitting((model, FIRST_PASS), (pairs, &mut usage), observer)?;
    job.enough(&kept, &usage)?;
    let rate_hz = job.features.mel.sample_rate_hz;
    let speech = |pairs: &[Pair]| {
        let to_learn = pairs.iter().filter(|pair| !pair.is_test);
        to_learn.fold((0, 0.0), |(count, seconds), pair| (count + 1, seconds + pair.seconds))
    };
    let plan = Plan::new(config, speech(&kept), gigaflops()?)?;
    go_on(observer(Event::Planned(&plan)))?;
    let folder = config.work.join(&job.identity(&kept)[..12]);

    // The output layers first; they make the voice sound like the speaker, which makes the alignment better.
    let mut stages = Vec::new();
    let stage = job.heads(&plan);
    let sets = Sets::split(&kept, &alignments);
    let mut weights = job.float(Part::Acoustic)?;
    if config.takes_statistics {
        weights.retain(|name, _| !name.starts_with("statistics."));
    }
    let mut task = job.acoustic_task((&stage, &plan), (&sets, model), weights)?;
    stages.push(job.train(&mut task, &stage, (&folder, observer))?);

    drop(sets);
    let (kept, alignments) = keep_fitting((task.model(), SECOND_PASS), (kept, &mut usage), observer)?;
    job.enough(&kept, &usage)?;
    (usage.used, usage.seconds) = speech(&kept);
    let hop_seconds = job.features.mel.hop_samples as f64 / f64::from(rate_hz);
    boundaries::save(&config.work, (&kept, &alignments), hop_seconds)?;
    let sets = Sets::split(&kept, &alignments);
    let mut weights = job.float(Part::Acoustic)?;
    weights.extend(changed(task.params()));
    drop(task);
    let stage = job.deeper(&plan);
    let mut task = job.acoustic_task((&stage, &plan), (&sets, model), weights)?;
    stages.push(job.train(&mut task, &stage, (&folder, observer))?);
    let mut all = Part::Acoustic.weights(task.params());
    drop(task);

    let stage = job.vocoder_stage(&plan);
    let mut task = job.vocoder_task((&stage, &plan), &sets, job.float(Part::Vocoder)?)?;
    let vocoder_folder = match &config.vocoder_work {
        Some(shared) => shared.join(&job.vocoder_identity(&kept)[..12]),
        None => folder.clone(),
    };
    stages.push(job.train(&mut task, &stage, (&vocoder_folder, observer))?);
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
    install(&voice, config)?;
    let report = Report {
        name: config.name.clone(),
        base: base.meta().name.clone(),
        base_weights_sha256: base.weights_sha256().into(),
        compared: config.compared.clone(),
        method: config.method,
        plan,
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
    let pictures = match sets.measured.first() {
        Some(&shown) => pictures((&synthesizer, &adapted), shown, &job.features)?,
        None => Vec::new(),
    };
    report.save(&config.work, &pictures)?;
    // Only now: until the voice is there, a kill must find its checkpoints.
    std::fs::remove_dir_all(&folder).map_err(AdaptError::io(&folder))?;
    Ok(report)
}

/// The recordings that can be used, and what became of the others.
fn read(
    job: &Job<'_>,
    config: &AdaptConfig,
    observer: &mut Observer<'_>,
) -> Result<(Vec<Pair>, Usage), AdaptError> {
    let mut takes = find_recordings(&config.recordings)?;
    let test_from = takes.len();
    if let Some(test) = &config.test {
        takes.extend(find_recordings(test)?);
    }
    let limits = (&job.features, config.most_speech_seconds);
    prepare((&takes, test_from), limits, &mut |done, total, remark| {
        if let Some(remark) = remark {
            go_on(observer(Event::Remark(remark)))?;
        }
        go_on(observer(Event::Progress { stage: "check", done: done as u64, total: total as u64 }))
    })
}

/// Puts the voice in its place; the one that was there is kept beside it, for [`rollback`](crate::voice::rollback).
fn install(voice: &Voice, config: &AdaptConfig) -> Result<(), AdaptError> {
    if let Some(parent) = config.output.parent() {
        std::fs::create_dir_all(parent).map_err(AdaptError::io(parent))?;
    }
    crate::voice::keep_previous(&config.output)?;
    Ok(voice.save(&config.output)?)
}

/// Aligns the pairs by a model; those that do not fit their transcripts are reported and dropped.
fn keep_fitting(
    (model, pass): (&FastSpeech, Pass),
    (pairs, usage): (Vec<Pair>, &mut Usage),
    observer: &mut Observer<'_>,
) -> Result<(Vec<Pair>, Vec<Alignment>), AdaptError> {
    let aligned = align_pairs(model, (&pairs, pass), &mut |done, total| {
        go_on(observer(Event::Progress { stage: pass.name, done: done as u64, total: total as u64 }))
    })?;
    let (mut kept, mut alignments) = (Vec::new(), Vec::new());
    for (pair, result) in pairs.into_iter().zip(aligned) {
        match result {
            Ok((alignment, fit)) => {
                usage.fits.push(PairFit { file: pair.take.name(), stage: pass.name, fit });
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

/// Everything that training has made or measured, by name.
fn changed(params: &Params) -> HashMap<String, Tensor> {
    let vars = params.vars().into_iter().map(|(name, var)| (name, var.as_detached_tensor()));
    vars.chain(params.constants()).collect()
}
