//! `fastglow bench`: the figures of the README, for this machine.

mod front;
mod idle;
mod latency;
mod process;
mod products;
mod published;
mod replay;
mod seams;
mod voice;

use std::path::Path;

use clap::{Args, Subcommand};
use fastglow::audio::{self, SinkConfig, Target};
use fastglow::engine::{OpenSink, Synthesizer};

use super::failure::Failure;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replay replies token by token, as a language model would send them, and measure from the first token to speech.
    Latency(latency::Arguments),
    /// What reading costs, from text to phones.
    Front(front::Arguments),
    /// What an open engine costs that has nothing to say.
    Idle(idle::Arguments),
    /// How pitch and level go on over the cuts of hurried chunks, beside the same places spoken in one piece.
    Seams(seams::Arguments),
    /// What a voice costs: each stage, real-time factor, first sound, memory; beside the bare products of its vocoder.
    Voice(voice::Arguments),
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let threads = match &arguments.command {
        Command::Voice(arguments) => arguments.threads,
        _ => None,
    };
    super::environment::prepare_to_speak(threads);
    match &arguments.command {
        Command::Latency(arguments) => latency::run(arguments),
        Command::Front(arguments) => front::run(arguments),
        Command::Idle(arguments) => idle::run(arguments),
        Command::Seams(arguments) => seams::run(arguments),
        Command::Voice(arguments) => voice::run(arguments),
    }
}

/// Replies of robots and kiosks, one a line.
const REPLIES: &str = include_str!("../../../benches/replies.txt");

/// The replies of a file, or the built-in ones.
fn replies(path: Option<&Path>) -> Result<Vec<String>, Failure> {
    let text = match path {
        None => REPLIES.to_owned(),
        Some(path) => {
            std::fs::read_to_string(path).map_err(|source| Failure::File { path: path.into(), source })?
        }
    };
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

/// Heard by nobody, in real time.
fn paced_sink(synthesizer: &Synthesizer) -> OpenSink {
    let config = SinkConfig::new(synthesizer.sample_rate_hz(), Target::Stdout);
    Box::new(move || audio::open("null", &config))
}

fn megabytes(kb: Option<u64>) -> String {
    or_unknown(kb.map(|kb| format!("{:.1} MB", kb as f64 / 1024.0)))
}

fn or_unknown(text: Option<String>) -> String {
    text.unwrap_or_else(|| "not told by this system".into())
}

/// Prints figures as one JSON object.
fn print_json(figures: &impl serde::Serialize) -> Result<(), Failure> {
    let source = |error| Failure::Io { what: "figures", source: std::io::Error::other(error) };
    println!("{}", serde_json::to_string(figures).map_err(source)?);
    Ok(())
}

/// Mean, median, 95th percentile and largest of some measurements.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
struct Spread {
    mean: f64,
    p50: f64,
    p95: f64,
    max: f64,
}

impl Spread {
    /// Of at least one value.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let count = values.len();
        // The smallest value that at least this share of all does not exceed.
        let at =
            |share: f64| values.get(((share * count as f64).ceil() as usize).clamp(1, count) - 1).copied();
        let mean = values.iter().sum::<f64>() / count as f64;
        (count > 0).then_some(())?;
        Some(Self { mean, p50: at(0.5)?, p95: at(0.95)?, max: at(1.0)? })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mean, p50, p95, max } = self;
        write!(f, "mean {mean:.1}, median {p50:.1}, 95 % {p95:.1}, most {max:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_values_themselves() {
        let spread = Spread::of((1..=100).rev().map(f64::from).collect()).unwrap();
        assert_eq!(spread, Spread { mean: 50.5, p50: 50.0, p95: 95.0, max: 100.0 });
        assert_eq!(Spread::of(vec![3.0]), Some(Spread { mean: 3.0, p50: 3.0, p95: 3.0, max: 3.0 }));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
