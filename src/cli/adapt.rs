//! `fastglow adapt`

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use fastglow::adapt::{AdaptConfig, Event, adapt, work_folder};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};
use indicatif::ProgressBar;
use serde_json::json;

use super::failure::{Failure, warn};
use super::train::{bar, show, summary};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder of recordings: `metadata.csv` as in LJSpeech, or a .txt beside each .wav.
    recordings: PathBuf,
    /// The name of the new voice.
    #[arg(long)]
    name: String,
    /// The voice to start from: a name, or a .gguf file.
    #[arg(long, default_value = DEFAULT_VOICE)]
    voice: String,
    /// The voice file; by default NAME.gguf in the first folder where voices live.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a whole voice, which needs no base, instead of a small adapter.
    #[arg(long)]
    merge: bool,
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

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    super::environment::prepare(None);
    let path = SearchPath::from_environment();
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => path.place(&arguments.name)?,
    };
    let config = AdaptConfig {
        recordings: arguments.recordings.clone(),
        name: arguments.name.clone(),
        base: path.find(&arguments.voice)?,
        work: work_folder(&output),
        output,
        seed: arguments.seed,
        depth: usize::from(arguments.depth),
        scale: arguments.scale,
        is_merged: arguments.merge,
    };
    let mut bars: HashMap<&'static str, ProgressBar> = HashMap::new();
    let report = adapt(&config, &mut |event| {
        match event {
            Event::Remark(remark) => warn(format_args!("left out: {remark}")),
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
