//! Speaks a text into a WAV file:
//!
//! ```sh
//! cargo run --release --example to_wav -- hello.wav "Hello, world."
//! ```

use std::path::PathBuf;

use fastglow::audio::{self, SinkConfig, Target};
use fastglow::engine::{SpeakConfig, Synthesizer};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};

fn main() -> fastglow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().unwrap_or_else(|| "hello.wav".into()));
    let text = arguments.next().unwrap_or_else(|| "Hello, world.".into());

    let voice = SearchPath::from_environment().find(DEFAULT_VOICE)?;
    let synthesizer = Synthesizer::load(&voice)?;
    let samples = synthesizer.speak(&text, SpeakConfig { seed: 1, ..SpeakConfig::default() })?;

    let config = SinkConfig::new(synthesizer.sample_rate_hz(), Target::File(path.clone()));
    let mut sink = audio::open("wav", &config)?;
    sink.write(&samples)?;
    sink.finish()?;
    let seconds = samples.len() as f64 / f64::from(synthesizer.sample_rate_hz());
    println!("{}: {seconds:.2} s", path.display());
    Ok(())
}
