//! `fastglow bench idle`: what an engine that has nothing to say costs.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use clap::Args;
use fastglow::engine::{Engine, EngineConfig, Pacing, SpeakConfig, Synthesizer, peak_rss_kb};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};
use serde::Serialize;

use super::process::cpu_time;
use super::{Failure, paced_sink, print_json};

#[derive(Debug, Args)]
pub struct Arguments {
    /// How long to listen to the silence.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// The voice.
    #[arg(long, default_value = DEFAULT_VOICE)]
    voice: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Figures {
    seconds: f64,
    /// Of one core; `None` where the system does not count processor time.
    cpu_percent: Option<f64>,
    peak_rss_kb: Option<u64>,
}

/// Speaks a sentence through the paced sink, so that everything has been started, and then says nothing.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let synthesizer = Synthesizer::load(&SearchPath::from_environment().find(&arguments.voice)?)?;
    let engine = Engine::start(&synthesizer, Some(paced_sink(&synthesizer)), EngineConfig::default())?;
    let listener = Box::new(|_, _: fastglow::engine::Event<'_>| ControlFlow::Continue(()));
    let job = engine.begin(SpeakConfig::default(), Pacing::Live, listener)?;
    job.push("This is the last word.").map_err(fastglow::Error::from)?;
    job.wait()?;
    let (start, cpu_before) = (Instant::now(), cpu_time());
    std::thread::sleep(Duration::from_secs(arguments.seconds));
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_time().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let figures = Figures {
        seconds,
        cpu_percent: cpu.map(|cpu| cpu.as_secs_f64() / seconds * 100.0),
        peak_rss_kb: peak_rss_kb(),
    };
    if arguments.json {
        return print_json(&figures);
    }
    let percent = figures.cpu_percent.map(|percent| format!("{percent:.2} %"));
    println!("processor of an open engine that is silent: {}", super::or_unknown(percent));
    Ok(())
}
