//! `fastglow bench latency`: from the first token of a reply to its first sound.
//!
//! A reply's tokens come at a steady pace, as from a language model; the engine speaks while they come. Measured is the
//! time from the first token to the first samples handed out, as the
//! [Picovoice benchmark](https://github.com/Picovoice/text-to-speech-benchmark) does.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use fastglow::engine::{Engine, EngineConfig, Event, Pacing, Report, SpeakConfig, Synthesizer, peak_rss_kb};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};
use indicatif::ProgressBar;
use serde::Serialize;

use super::process::cpu_time;
use super::replay::{replay, tokens};
use super::{Failure, Spread, megabytes, or_unknown, paced_sink, print_json, replies};

/// Speech of unpunctuated text of such lengths is compared in memory.
const SHORT_CHARS: usize = 100;
const LONG_CHARS: usize = 8000;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A file of replies, one a line, instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    replies: Option<PathBuf>,
    /// How fast the tokens come.
    #[arg(long, value_name = "RATE", default_value_t = 62.0, value_parser = tokens_per_second)]
    tokens_per_second: f64,
    /// Only so many of the replies.
    #[arg(long, value_name = "NUMBER")]
    count: Option<usize>,
    /// Play them in real time through the paced sink, which counts underruns as a sound card would.
    #[arg(long)]
    paced: bool,
    /// The voice.
    #[arg(long, default_value = DEFAULT_VOICE)]
    voice: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn tokens_per_second(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1.0..=10_000.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 1 to 10000".into()),
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Figures {
    replies: usize,
    tokens_per_second: f64,
    first_token_to_speech_ms: Spread,
    /// The part of it spent waiting until the first words were certain.
    waiting_for_text_ms: Spread,
    /// The part of it spent computing.
    computing_ms: Spread,
    audio_s: f64,
    /// Processor seconds of all threads per second of speech.
    core_hour_ratio: Option<f64>,
    /// Wall-clock seconds of computing per second of speech.
    real_time_factor: f64,
    underruns: u64,
    peak_rss_kb_100_characters: Option<u64>,
    peak_rss_kb_8000_characters: Option<u64>,
    voice: String,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut replies = replies(arguments.replies.as_deref())?;
    replies.truncate(arguments.count.unwrap_or(usize::MAX));
    let synthesizer = Synthesizer::load(&SearchPath::from_environment().find(&arguments.voice)?)?;
    let sink = arguments.paced.then(|| paced_sink(&synthesizer));
    let engine = Engine::start(&synthesizer, sink, EngineConfig::default())?;
    let rss_of_short = rss_after(&synthesizer, SHORT_CHARS)?;
    let rss_of_long = rss_after(&synthesizer, LONG_CHARS)?;
    let bar = ProgressBar::new(replies.len() as u64);
    let mut runs = Vec::with_capacity(replies.len());
    for reply in &replies {
        runs.extend(speak(&engine, &tokens(reply), arguments)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let Some(figures) = summarise(&runs, arguments) else {
        return Err(Failure::Usage {
            message: "bench latency: no reply was spoken".into(),
            hint: "give a file of English sentences, one a line".into(),
        });
    };
    print(
        &Figures {
            peak_rss_kb_100_characters: rss_of_short,
            peak_rss_kb_8000_characters: rss_of_long,
            ..figures
        },
        arguments.json,
    )
}

/// One reply.
struct Run {
    report: Report,
    first_speech_ms: f64,
    cpu: Option<Duration>,
    gaps: u64,
}

/// When samples came, and whether somebody who plays them from the first on would ever have waited.
#[derive(Default)]
struct Ear {
    first: Option<Instant>,
    samples: u64,
    gaps: u64,
}

impl Ear {
    fn hear(&mut self, samples: usize, sample_rate_hz: u32) {
        let first = *self.first.get_or_insert_with(Instant::now);
        let played = first.elapsed().as_secs_f64() * f64::from(sample_rate_hz);
        self.gaps += u64::from(self.samples > 0 && played > self.samples as f64);
        self.samples += samples as u64;
    }
}

/// `None` if nothing of it could be spoken.
fn speak(engine: &Engine, tokens: &[&str], arguments: &Arguments) -> Result<Option<Run>, Failure> {
    let ear = Arc::new(Mutex::new(Ear::default()));
    let hearing = ear.clone();
    let sample_rate_hz = engine.sample_rate_hz();
    let listener = Box::new(move |_, event: Event<'_>| {
        if let Event::Samples(samples) = event {
            hearing.lock().unwrap_or_else(PoisonError::into_inner).hear(samples.len(), sample_rate_hz);
        }
        ControlFlow::Continue(())
    });
    let cpu_before = cpu_time();
    let mut job = engine.begin(SpeakConfig::default(), Pacing::Live, listener)?;
    let Some(text) = job.take_text() else { return Ok(None) };
    let start = replay(text, tokens, arguments.tokens_per_second).map_err(fastglow::Error::from)?;
    let report = job.wait()?;
    let cpu = cpu_time().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let ear = ear.lock().unwrap_or_else(PoisonError::into_inner);
    let gaps = if arguments.paced { report.underruns } else { ear.gaps };
    let Some(first) = ear.first else { return Ok(None) };
    let first_speech_ms = first.saturating_duration_since(start).as_secs_f64() * 1e3;
    Ok(Some(Run { report, first_speech_ms, cpu, gaps }))
}

fn summarise(runs: &[Run], arguments: &Arguments) -> Option<Figures> {
    let spread = |value: &dyn Fn(&Run) -> f64| Spread::of(runs.iter().map(value).collect());
    let waiting = |run: &Run| run.report.first_chunk_ms.unwrap_or_default();
    let audio_s: f64 = runs.iter().map(|run| run.report.stats.audio_s).sum();
    let computing_s: f64 = runs.iter().map(|run| run.report.stats.synth_s).sum();
    let cpu_s = runs.iter().map(|run| run.cpu.map(|cpu| cpu.as_secs_f64())).sum::<Option<f64>>();
    Some(Figures {
        replies: runs.len(),
        tokens_per_second: arguments.tokens_per_second,
        first_token_to_speech_ms: spread(&|run| run.first_speech_ms)?,
        waiting_for_text_ms: spread(&waiting)?,
        computing_ms: spread(&|run| run.first_speech_ms - waiting(run))?,
        audio_s,
        core_hour_ratio: cpu_s.map(|cpu_s| cpu_s / audio_s),
        real_time_factor: computing_s / audio_s,
        underruns: runs.iter().map(|run| run.gaps).sum(),
        peak_rss_kb_100_characters: None,
        peak_rss_kb_8000_characters: None,
        voice: runs.first()?.report.stats.voice.clone(),
    })
}

/// The most memory used so far, after an unpunctuated text of this length.
fn rss_after(synthesizer: &Synthesizer, characters: usize) -> Result<Option<u64>, Failure> {
    let text: String = "please wait behind the yellow line until the doors are open "
        .chars()
        .cycle()
        .take(characters)
        .collect();
    let mut utterance = synthesizer.utterance(SpeakConfig::default())?;
    let mut ignore = |_: Event<'_>| ControlFlow::Continue(());
    utterance.push(&text, &mut ignore)?;
    utterance.finish(&mut ignore)?;
    Ok(peak_rss_kb())
}

fn print(figures: &Figures, is_json: bool) -> Result<(), Failure> {
    if is_json {
        return print_json(figures);
    }
    let Figures { replies, tokens_per_second, audio_s, voice, .. } = figures;
    println!(
        "{replies} replies at {tokens_per_second} tokens a second, {audio_s:.0} s of speech, voice {voice}"
    );
    println!("first token to speech, ms   {}", figures.first_token_to_speech_ms);
    println!("  waiting for text, ms      {}", figures.waiting_for_text_ms);
    println!("  computing, ms             {}", figures.computing_ms);
    println!(
        "core-hour ratio             {}",
        or_unknown(figures.core_hour_ratio.map(|r| format!("{r:.4}")))
    );
    println!("real-time factor            {:.4}", figures.real_time_factor);
    println!("underruns                   {}", figures.underruns);
    println!("peak memory, 100 letters    {}", megabytes(figures.peak_rss_kb_100_characters));
    println!("peak memory, 8,000 letters  {}", megabytes(figures.peak_rss_kb_8000_characters));
    Ok(())
}
