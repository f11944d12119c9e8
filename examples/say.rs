//! Says its arguments through the loudspeaker:
//!
//! ```sh
//! cargo run --release --example say -- The kettle has boiled.
//! ```

use std::ops::ControlFlow;

use fastglow::audio::{self, SinkConfig, Target};
use fastglow::engine::{Event, SpeakConfig, Synthesizer};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};

fn main() -> fastglow::Result<()> {
    let mut text = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        text = "Hello. Give me something to say.".into();
    }
    let voice = SearchPath::from_environment().find(DEFAULT_VOICE)?;
    let synthesizer = Synthesizer::load(&voice)?;
    let config = SinkConfig::new(synthesizer.sample_rate_hz(), Target::Stdout);
    let mut sink = audio::open("device", &config)?;

    // Samples come window by window, the first after some hundredths of a second.
    let mut utterance = synthesizer.utterance(SpeakConfig::default())?;
    let mut failed = None;
    let mut play = |event: Event<'_>| match event {
        Event::Samples(samples) => match sink.write(samples) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        },
        Event::Phrase(_) => ControlFlow::Continue(()),
    };
    utterance.speak(&text, &mut play)?;
    utterance.finish(&mut play)?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    sink.finish()?;
    Ok(())
}
