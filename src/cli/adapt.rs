//! `fastglow adapt`

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use fastglow::adapt::study::{self, Outcome, Speaker};
use fastglow::adapt::{self, AdaptConfig, Event};
use fastglow::voice::{DEFAULT_VOICE, SearchPath, Source};
use indicatif::ProgressBar;
use serde_json::json;

use super::failure::{Failure, note, warn};
use super::train::{bar, show, summary};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder of recordings: `metadata.csv` as in LJSpeech, or a .txt beside each .wav.
    recordings: PathBuf,
    /// The name of the new voice.
    #[arg(long)]
    name: String,
    /// The voice to start from: a name, a .gguf file, or `auto`: the installed one that is nearest to the speaker.
    #[arg(long, default_value = DEFAULT_VOICE)]
    voice: String,
    /// The voice file; by default NAME.gguf in the first folder where voices live.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a whole voice, which needs no base, instead of a small adapter.
    #[arg(long)]
    merge: bool,
    /// Measure on the recordings of this folder; else a few of the others are held out.
    #[arg(long, value_name = "FOLDER")]
    test: Option<PathBuf>,
    /// What to teach it with: the recordings, altered copies of them as well, or the norms of all layers too.
    #[arg(long, value_enum, default_value_t = Method::Feature)]
    method: Method,
    /// Learn from so many minutes of speech at most.
    #[arg(long, default_value_t = 10.0, value_parser = super::train::scale)]
    minutes: f64,
    /// Aim to be done in so many minutes, with fewer steps if need be.
    #[arg(long, value_parser = super::train::scale)]
    budget_minutes: Option<f64>,
    /// Take at most about so many MB of memory, with smaller batches if need be.
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    max_memory: u64,
    /// Pause while the machine is hotter than this.
    #[arg(long, value_name = "CELSIUS", default_value_t = 85.0)]
    max_temperature: f32,
    /// How much to stand back behind other programs: 0 not at all, 19 as far as possible.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=19))]
    nice: u8,
    /// Keep the base voice's means and deviations of mel, pitch and energy.
    #[arg(long)]
    keep_statistics: bool,
    /// Do all steps, even when they no longer help.
    #[arg(long)]
    no_early_stop: bool,
    /// Decoder blocks to open, counted from the last.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=16))]
    depth: u8,
    /// Multiplies all numbers of steps.
    #[arg(long, default_value_t = 1.0, value_parser = super::train::scale)]
    scale: f64,
    /// Decides batches and dropout.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// See [`fastglow::adapt::Method`].
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    Feature,
    Corpus,
    Transfer,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    super::environment::stand_back(arguments.nice);
    super::environment::prepare(None);
    let path = SearchPath::from_environment();
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => path.place(&arguments.name)?,
    };
    let (base, compared) = match arguments.voice.as_str() {
        "auto" => {
            let takes = adapt::find_recordings(&arguments.recordings)?;
            let choice = adapt::choose_base(&takes, path.list())?;
            choice.candidates.iter().for_each(|candidate| note(format_args!("{candidate}")));
            (choice.source, choice.candidates)
        }
        name => (path.find(name)?, Vec::new()),
    };
    let config = AdaptConfig {
        compared,
        test: arguments.test.clone(),
        method: match arguments.method {
            Method::Feature => adapt::Method::Feature,
            Method::Corpus => adapt::Method::Corpus,
            Method::Transfer => adapt::Method::Transfer,
        },
        seed: arguments.seed,
        depth: usize::from(arguments.depth),
        stops_early: !arguments.no_early_stop,
        takes_statistics: !arguments.keep_statistics,
        scale: arguments.scale,
        most_speech_seconds: 60.0 * arguments.minutes,
        most_time: arguments.budget_minutes.map(|minutes| Duration::from_secs_f64(60.0 * minutes)),
        most_memory_mb: arguments.max_memory,
        most_celsius: arguments.max_temperature,
        is_merged: arguments.merge,
        ..AdaptConfig::new((arguments.recordings.clone(), arguments.name.clone()), (base, output))
    };
    let mut bars: HashMap<&'static str, ProgressBar> = HashMap::new();
    let report = adapt::adapt(&config, &mut |event| {
        match event {
            Event::Remark(remark) => warn(format_args!("left out: {remark}")),
            Event::Planned(plan) => {
                plan.warning().into_iter().for_each(|warning| warn(format_args!("{warning}")));
                note(format_args!(
                    "{} recordings, {:.0} s of speech: {} steps, about {:.0} minutes and {} MB",
                    plan.recordings,
                    plan.speech_seconds,
                    plan.steps.iter().sum::<u64>(),
                    (plan.seconds / 60.0).ceil(),
                    plan.memory_mb,
                ));
            }
            Event::Progress { stage, done, total } => {
                let bar = bars.entry(stage).or_insert_with(|| bar(stage));
                show(bar, done as usize, total as usize);
                if done == total {
                    bar.finish();
                }
            }
            Event::Line { stage, line } => {
                bars.entry(stage)
                    .or_insert_with(|| bar(stage))
                    .println(format!("{stage}: {}", summary(line)));
            }
        }
        ControlFlow::Continue(())
    })?;
    if arguments.json {
        return super::print(&format!("{:#}\n", json!(report)));
    }
    let [distortion, pitch] = report.gains().map(|gain| 100.0 * gain);
    super::print(&format!(
        "{}: {} of {} recordings, {:.0} s of speech, {:.0} s of work\n\
         held out: distortion {:.2} to {:.2} dB ({distortion:+.0} %), F0 error {:.1} to {:.1} Hz ({pitch:+.0} %)\n\
         {} ({} bytes); report: {}\n",
        report.name,
        report.recordings.used,
        report.recordings.found,
        report.recordings.seconds,
        report.seconds,
        report.before.mcd_db,
        report.after.mcd_db,
        report.before.f0_rmse_hz,
        report.after.f0_rmse_hz,
        config.output.display(),
        report.file_bytes,
        config.work.join("report.html").display(),
    ))
}

/// `fastglow train adaptation`
pub fn compare(work: &Path, speakers: &[PathBuf], (base, scale): (&Source, f64)) -> Result<(), Failure> {
    let speakers: Vec<_> = speakers.iter().cloned().map(Speaker::new).collect();
    let mut bars: HashMap<&'static str, ProgressBar> = HashMap::new();
    let outcomes = study::study((&speakers, base), (work, scale), &mut |name| note(name), &mut |event| {
        if let Event::Progress { stage, done, total } = event {
            show(bars.entry(stage).or_insert_with(|| bar(stage)), done as usize, total as usize);
        }
        ControlFlow::Continue(())
    })?;
    let table = study::markdown(&outcomes);
    let all: Vec<_> = outcomes.iter().map(Outcome::summary).collect();
    for (name, text) in [("adaptation.md", table.clone()), ("adaptation.json", format!("{:#}\n", json!(all)))]
    {
        let path = work.join(name);
        std::fs::write(&path, text).map_err(|source| Failure::File { path, source })?;
    }
    study::plot_minutes(&outcomes, &work.join("adaptation.png"))?;
    super::print(&table)
}
