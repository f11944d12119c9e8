//! Speaks a text while it is still being written, as a language model writes it:
//!
//! ```sh
//! cargo run --release --example pipe_tokens -- "The kitchen is on your left. Mind the step." 20
//! ```
//!
//! The number is tokens per second. The sound goes nowhere, in real time; `audio::SINKS` lists other places.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use fastglow::audio::{self, SinkConfig, Target};
use fastglow::engine::{Engine, EngineConfig, Event, Pacing, SpeakConfig, Synthesizer};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let text =
        arguments.next().unwrap_or_else(|| "Welcome back. Your table is ready, please follow me.".into());
    let tokens_per_second: f64 = arguments.next().map_or(Ok(20.0), |number| number.parse())?;

    let voice = SearchPath::from_environment().find(DEFAULT_VOICE)?;
    let synthesizer = Synthesizer::load(&voice)?;
    let config = SinkConfig::new(synthesizer.sample_rate_hz(), Target::Stdout);
    let open = move || audio::open("null", &config);
    let engine = Engine::start(&synthesizer, Some(Box::new(open)), EngineConfig::default())?;

    let start = Instant::now();
    let mut has_sounded = false;
    let listener = move |_, event: Event<'_>| {
        let now_ms = start.elapsed().as_millis();
        match event {
            Event::Word(word) => println!("{now_ms:>6} ms   made   {}", word.spoken),
            Event::Samples(_) if !std::mem::replace(&mut has_sounded, true) => {
                println!("{now_ms:>6} ms   first sound");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let mut job = engine.begin(SpeakConfig::default(), Pacing::Live, Box::new(listener))?;
    for token in text.split_inclusive(' ') {
        println!("{:>6} ms   text   {token}", start.elapsed().as_millis());
        job.push(token)?;
        std::thread::sleep(Duration::from_secs_f64(1.0 / tokens_per_second));
    }
    job.finish();
    let report = job.wait()?;
    println!("{:.2} s of speech, {} underruns", report.stats.audio_s, report.underruns);
    Ok(engine.close().map(drop)?)
}
