//! `fastglow train`

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fastglow::engine::Synthesizer;
use fastglow::plot::{Curve, CurvePlot, loss_curve};
use fastglow::train::TrainError;
use fastglow::train::corpus::{CorpusConfig, make_corpus};
use fastglow::train::dictionary::{make_letter_to_sound, make_lexicon};
use fastglow::train::evaluate::speak_evaluation;
use fastglow::train::features::{FeatureConfig, extract_corpus};
use fastglow::train::recipe::{self, Stage};
use fastglow::train::run::{Event, LineKind, LogLine, RunConfig, read_log};
use fastglow::train::study::{STUDY_DIR, StudyConfig, run_study};
use fastglow::voice::{DEFAULT_VOICE, MelSettings, Meta, Packing, SearchPath};
use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Have festival speak the training texts. Goes on where it was interrupted.
    Corpus {
        /// The work folder.
        work: PathBuf,
        /// How many texts.
        #[arg(long, default_value_t = 4000)]
        utterances: usize,
        /// A file of texts, one a line, that must not be learnt from.
        #[arg(long, value_name = "FILE")]
        exclude: Option<PathBuf>,
    },
    /// Extract mel, F0, voicing, excitation and timed phones from the corpus.
    Features {
        /// The work folder.
        work: PathBuf,
    },
    /// Train. Goes on where it was interrupted.
    Run {
        /// The work folder.
        work: PathBuf,
        /// Only this stage: acoustic, vocoder-prior, vocoder-flows or vocoder-distance.
        #[arg(long)]
        stage: Option<String>,
        /// Multiplies all numbers of steps.
        #[arg(long, default_value_t = 1.0, value_parser = scale)]
        scale: f64,
        /// Steps between checkpoints: what a kill or a power cut can cost.
        #[arg(long, default_value_t = RunConfig::default().checkpoint_every, value_name = "STEPS",
              value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        checkpoint_every: u64,
    },
    /// Put the best weights into one voice file.
    Pack {
        /// The work folder.
        work: PathBuf,
        /// The voice file.
        #[arg(short, long)]
        output: PathBuf,
        /// Keep 32-bit floats.
        #[arg(long)]
        float: bool,
    },
    /// Draw the loss curves of all stages.
    Plot {
        /// The work folder.
        work: PathBuf,
        /// The PNG file.
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Compare parts by short trainings: the vocoder's prior and conditioning, the acoustic model's post-net. Needs the
    /// features and the acoustic stage; goes on where it was interrupted; writes `study/study.json` and `study/study.md`.
    Study {
        /// The work folder.
        work: PathBuf,
        /// Multiplies all numbers of steps.
        #[arg(long, default_value_t = 1.0, value_parser = scale)]
        scale: f64,
        /// Decides starts, batches and dropout.
        #[arg(long, default_value_t = StudyConfig::default().seed)]
        seed: u64,
    },
    /// Compare ways of adapting a voice: minutes of speech, methods, what is open. Each SPEAKER is a folder with recordings in
    /// `train` and `test`. Goes on where it was interrupted; writes `adaptation.md`, `.json` and `.png`.
    Adaptation {
        /// The work folder.
        work: PathBuf,
        /// The speakers.
        #[arg(required = true)]
        speakers: Vec<PathBuf>,
        /// The voice to start from: a name, or a .gguf file.
        #[arg(long, default_value = DEFAULT_VOICE)]
        voice: String,
        /// Multiplies all numbers of steps.
        #[arg(long, default_value_t = 1.0, value_parser = scale)]
        scale: f64,
    },
    /// Compile a pronunciation dictionary to the lexicon that is part of the program.
    Lexicon {
        /// The dictionary, in CMUdict's text format.
        dictionary: PathBuf,
        /// The lexicon file, such as `english.lex`.
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Train the letter-to-sound model that is part of the program, and measure it on the 5 % of words held out.
    Letters {
        /// The dictionary, in CMUdict's text format.
        dictionary: PathBuf,
        /// The model file, such as `english.lts`.
        #[arg(short, long)]
        output: PathBuf,
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Speak texts by the teacher, by the vocoder from the teacher's mel, and by the voice, to compare.
    Evaluate {
        /// A file of texts, one a line.
        texts: PathBuf,
        /// The voice: a name, or a .gguf file.
        #[arg(long, default_value = DEFAULT_VOICE)]
        voice: String,
        /// The folder for the WAV files.
        #[arg(short, long)]
        output: PathBuf,
    },
}

pub(super) fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1e-4..=100.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0.0001 to 100".into()),
    }
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Corpus { work, utterances, exclude } => {
            let excluded_texts = exclude.as_deref().map(lines).transpose()?.unwrap_or_default();
            let directory = work.join(recipe::CORPUS_DIR);
            let config = CorpusConfig {
                directory,
                utterance_count: *utterances,
                excluded_texts,
                ..CorpusConfig::default()
            };
            let bar = bar("speaking");
            make_corpus(&config, &mut |done, total| show(&bar, done, total)).map_err(TrainError::from)?;
            bar.finish();
        }
        Command::Features { work } => {
            let bar = bar("features");
            let (corpus, features) = (work.join(recipe::CORPUS_DIR), work.join(recipe::FEATURES_DIR));
            let mut progress = |done, total| show(&bar, done, total);
            extract_corpus(&corpus, &features, &FeatureConfig::default(), &mut progress)
                .map_err(TrainError::from)?;
            bar.finish();
        }
        Command::Run { work, stage, scale, checkpoint_every } => {
            super::environment::prepare(None);
            let mut stages = recipe::stages(*scale);
            stages.iter_mut().for_each(|stage| stage.run.checkpoint_every = *checkpoint_every);
            train(work, &stages, stage.as_deref())?;
        }
        Command::Pack { work, output, float } => {
            let packing = if *float { Packing::Float } else { Packing::Small };
            recipe::assemble(work, meta(output), packing)?.save(output)?;
        }
        Command::Plot { work, output } => plot(work, output)?,
        Command::Study { work, scale, seed } => {
            super::environment::prepare(None);
            study(work, &StudyConfig { seed: *seed, ..StudyConfig::default() }.scaled(*scale))?;
        }
        Command::Adaptation { work, speakers, voice, scale } => {
            super::environment::prepare(None);
            super::adapt::compare(work, speakers, (&SearchPath::from_environment().find(voice)?, *scale))?;
        }
        Command::Lexicon { dictionary, output } => {
            let bytes = make_lexicon(dictionary, output)?;
            super::print(&format!("{}: {bytes} bytes\n", output.display()))?;
        }
        Command::Letters { dictionary, output, json } => letters(dictionary, output, *json)?,
        Command::Evaluate { texts, voice, output } => {
            let texts = lines(texts)?;
            let voice = Synthesizer::load(&SearchPath::from_environment().find(voice)?)?;
            let bar = bar("speaking");
            speak_evaluation(&texts, &voice, output, &mut |done, total| show(&bar, done, total))?;
            bar.finish();
        }
    }
    Ok(())
}

fn train(work: &Path, stages: &[Stage], only: Option<&str>) -> Result<(), Failure> {
    let chosen: Vec<&Stage> = stages.iter().filter(|s| only.is_none_or(|name| name == s.name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = stages.iter().map(|s| s.name).collect();
        return Err(Failure::Usage {
            message: format!("stage: `{}` is not one", only.unwrap_or_default()),
            hint: format!("the stages are {}", names.join(", ")),
        });
    }
    for stage in chosen {
        let bar = bar(stage.name);
        recipe::run_stage(stage, work, &mut |event| {
            watch(stage.name, &bar, event);
            ControlFlow::Continue(())
        })?;
        bar.finish();
    }
    Ok(())
}

fn study(work: &Path, config: &StudyConfig) -> Result<(), Failure> {
    let mut current = (String::new(), ProgressBar::hidden());
    let study = run_study(work, config, &mut |name, event| {
        if current.0 != name {
            current.1.finish();
            current = (name.to_owned(), bar(name));
        }
        watch(name, &current.1, event);
    })?;
    current.1.finish();
    let folder = work.join(STUDY_DIR);
    study.save(&folder)?;
    super::print(&study.markdown())
}

fn letters(dictionary: &Path, output: &Path, json: bool) -> Result<(), Failure> {
    let report = make_letter_to_sound(dictionary, output)?;
    let text = if json {
        serde_json::json!(report).to_string()
    } else {
        format!(
            "{} held-out words: {:.2} % of words wrong ({:.2} % with stress), {:.2} % of phones ({:.2} %); \
             put together from listed words where that goes: {:.2} % of words, {:.2} % of phones",
            report.words,
            100.0 * report.word_error,
            100.0 * report.word_error_with_stress,
            100.0 * report.phone_error,
            100.0 * report.phone_error_with_stress,
            100.0 * report.derived_word_error,
            100.0 * report.derived_phone_error
        )
    };
    super::print(&(text + "\n"))
}

/// Shows what happens in a run.
fn watch(name: &str, bar: &ProgressBar, event: Event<'_>) {
    match event {
        Event::Step { step, steps } => show(bar, step as usize, steps as usize),
        Event::Line(line) => bar.println(format!("{name}: {}", summary(line))),
    }
}

pub(super) fn summary(line: &LogLine) -> String {
    let figures = line.figures.iter().map(|(name, value)| match value.as_f64() {
        Some(value) => format!("{name} {value:.4}"),
        None => format!("{name} {value}"),
    });
    let kind = match line.kind {
        LineKind::Train => "train",
        LineKind::Validation => "validation",
    };
    format!("step {} {kind} {}", line.step, figures.collect::<Vec<_>>().join(", "))
}

/// The losses of each stage that has a log, over its steps.
fn plot(work: &Path, output: &Path) -> Result<(), Failure> {
    let mut curves = Vec::new();
    for stage in recipe::stages(1.0) {
        let Ok(lines) = read_log(&work.join(stage.name)) else { continue };
        let figure = if stage.name == "acoustic" { "loss" } else { "nll" };
        let validations = lines.iter().filter(|line| line.kind == LineKind::Validation);
        let points =
            validations.filter_map(|line| Some((line.step as f64, line.figures.get(figure)?.as_f64()?)));
        let points = points.collect();
        curves.push(Curve { name: format!("{}: {figure}", stage.name), points });
    }
    let plot = CurvePlot {
        title: "Held-out loss".into(),
        x_label: "steps".into(),
        y_label: "acoustic loss; vocoder nats per sample".into(),
        is_log: false,
    };
    Ok(loss_curve(&plot, &curves, output)?)
}

fn meta(output: &Path) -> Meta {
    let name =
        output.file_stem().map_or_else(|| DEFAULT_VOICE.into(), |stem| stem.to_string_lossy().into_owned());
    Meta {
        name,
        language: "en-US".into(),
        licence: "MIT OR Apache-2.0; teacher: BSD-like (CMU)".into(),
        provenance: "trained by `fastglow train` on speech of Debian's festival with festvox-us-slt-hts (CMU ARCTIC slt)".into(),
        training: serde_json::Value::Null,
        sample_rate_hz: 22_050,
        mel: MelSettings::default(),
    }
}

fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::File { path: path.into(), source })?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect())
}

pub(super) fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>18} {wide_bar} {pos}/{len} {elapsed} + {eta}");
    let bar = ProgressBar::new(0).with_prefix(name.to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

pub(super) fn show(bar: &ProgressBar, done: usize, total: usize) {
    bar.set_length(total as u64);
    bar.set_position(done as u64);
}
