//! Says its arguments through the loudspeaker:
//!
//! ```sh
//! cargo run --release --example say -- The kettle has boiled.
//! ```

use std::ops::ControlFlow;

use fastglow::audio::{self, SinkConfig, Target};
use fastglow::engine::{Engine, EngineConfig, Event, Pacing, SpeakConfig, Synthesizer};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};

fn main() -> fastglow::Result<()> {
    let mut text = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        text = "Hello. Give me something to say.".into();
    }
    let voice = SearchPath::from_environment().find(DEFAULT_VOICE)?;
    let synthesizer = Synthesizer::load(&voice)?;
    let config = SinkConfig::new(synthesizer.sample_rate_hz(), Target::Stdout);
    let open = move || audio::open("device", &config);
    let engine = Engine::start(&synthesizer, Some(Box::new(open)), EngineConfig::default())?;

    // Told while the words are made, a little before they are heard.
    let show = |_, event: Event<'_>| {
        if let Event::Word(word) = event {
            println!("{:>8} {}", word.samples.start, word.spoken);
        }
        ControlFlow::Continue(())
    };
    let job = engine.begin(SpeakConfig::default(), Pacing::Unhurried, Box::new(show))?;
    job.push(&text)?;
    job.wait()?;
    engine.close()?;
    Ok(())
}
