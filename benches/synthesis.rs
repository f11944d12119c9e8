//! What speaking costs with the bundled voice: each stage, the whole, and the time to the first samples.
//!
//! ```sh
//! RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 taskset -c 0 cargo bench --bench synthesis
//! ```
//!
//! Throughput is in samples of speech; 22,050 of them divided by the samples per second shown is the real-time factor.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastglow::acoustic::{Controls, FastSpeech};
use fastglow::engine::{Event, SpeakConfig, Synthesizer};
use fastglow::phoneme::{PhonemeSeq, Pronouncer};
use fastglow::signal::{Excitation, ExcitationConfig, SourceFrame};
use fastglow::text::normalise;
use fastglow::vocoder::{Inversion, Noise, PhraseInput, Stream, WaveGlow};
use fastglow::voice::{DEFAULT_VOICE, Part, SearchPath, Voice};

const SENTENCE: &str = "The lift is on its way to the third floor, please wait behind the yellow line.";
const FIVE_WORDS: &str = "The door is now open.";
/// Frames of the vocoder's windows here.
const WINDOW_FRAMES: usize = 64;

fn voice() -> Voice {
    let source = SearchPath::from_environment().find(DEFAULT_VOICE).expect("the bundled voice is there");
    Voice::load(&source).expect("the bundled voice is sound")
}

fn phones(text: &str) -> PhonemeSeq {
    Pronouncer::new().pronounce(&normalise(text)).expect("the sentence has words")
}

fn stages(criterion: &mut Criterion) {
    let voice = voice();
    let params = voice.params();
    let acoustic_config = voice.config(Part::Acoustic).expect("a configuration");
    let acoustic = FastSpeech::new(&acoustic_config, &params.pp("acoustic")).expect("a model");
    let vocoder_config = voice.config(Part::Vocoder).expect("a configuration");
    let mut vocoder = WaveGlow::new(&vocoder_config, &params.pp("vocoder")).expect("a model");
    vocoder.prepare_synthesis(Inversion::Lu).expect("invertible");
    let vocoder = Arc::new(vocoder);

    let sequence = phones(SENTENCE);
    let mel = acoustic.speak(&sequence, &Controls::default()).expect("speech");
    let source = |(&log_f0, &voicing)| SourceFrame { log_f0, voicing };
    let frames: Vec<_> = mel.log_f0.iter().zip(&mel.voicing).map(source).collect();
    let excitation = Excitation::new(ExcitationConfig::default()).forward(&frames);
    let mut features = Vec::new();
    for (row, frame) in mel.frames.to_vec2::<f32>().expect("frames").iter().zip(&frames) {
        features.extend_from_slice(row);
        features.extend([frame.log_f0, frame.voicing]);
    }

    let mut group = criterion.benchmark_group("stage");
    group.throughput(Throughput::Elements(excitation.len() as u64));
    group.bench_function("text to phones", |b| b.iter(|| phones(black_box(SENTENCE))));
    group.bench_function("phones to mel", |b| b.iter(|| acoustic.speak(&sequence, &Controls::default())));
    group.bench_function("excitation", |b| {
        b.iter(|| Excitation::new(ExcitationConfig::default()).forward(black_box(&frames)))
    });
    group.bench_function("mel to samples", |b| {
        b.iter(|| {
            let noise = Noise::Seeded { seed: 1, scale: 0.8 };
            let mut stream = Stream::new(vocoder.clone(), noise).expect("a stream");
            let input = PhraseInput { features: &features, excitation: Some(&excitation) };
            stream.push(&input).expect("a phrase");
            while stream.pending_frames() > 0 {
                black_box(stream.step(WINDOW_FRAMES).expect("samples"));
            }
        })
    });
    group.finish();
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
                Event::Phrase(_) => ControlFlow::Continue(()),
            };
            utterance.speak(FIVE_WORDS, stop_at_samples).expect("speech")
        })
    });
}

criterion_group!(benches, stages, whole);
criterion_main!(benches);
