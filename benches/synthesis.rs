//! What speaking costs with the bundled voice: the whole, and the time to the first samples. `fastglow bench stages` tells
//! what each stage costs.
//!
//! ```sh
//! RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 taskset -c 0 cargo bench --bench synthesis
//! ```
//!
//! Throughput is in samples of speech; 22,050 of them divided by the samples per second shown is the real-time factor.

use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastglow::engine::{Event, SpeakConfig, Synthesizer};
use fastglow::voice::{DEFAULT_VOICE, SearchPath, Voice};

const SENTENCE: &str = "The lift is on its way to the third floor, please wait behind the yellow line.";
const FIVE_WORDS: &str = "The door is now open.";

fn voice() -> Voice {
    let source = SearchPath::from_environment().find(DEFAULT_VOICE).expect("the bundled voice is there");
    Voice::load(&source).expect("the bundled voice is sound")
}

fn whole(criterion: &mut Criterion) {
    let synthesizer = Synthesizer::new(&voice()).expect("a sound voice");
    let samples = synthesizer.speak(SENTENCE, SpeakConfig::default()).expect("speech").len();
    let mut group = criterion.benchmark_group("whole");
    group.throughput(Throughput::Elements(samples as u64));
    group.bench_function("a sentence", |b| b.iter(|| synthesizer.speak(SENTENCE, SpeakConfig::default())));
    group.finish();
    criterion.bench_function("first samples of five words", |b| {
        b.iter(|| {
            let mut utterance = synthesizer.utterance(SpeakConfig::default()).expect("an utterance");
            let stop_at_samples = &mut |event: Event<'_>| match event {
                Event::Samples(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            };
            utterance.push(FIVE_WORDS, stop_at_samples).expect("speech");
            utterance.finish(stop_at_samples).expect("speech")
        })
    });
}

criterion_group!(benches, whole);
criterion_main!(benches);
