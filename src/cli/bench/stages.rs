//! `fastglow bench stages`: what each stage costs per second of speech.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;
use fastglow::acoustic::{Controls, Mel};
use fastglow::engine::Synthesizer;
use fastglow::phoneme::{PhonemeSeq, Pronouncer};
use fastglow::signal::{Excitation, ExcitationConfig, SourceFrame};
use fastglow::text::normalise;
use fastglow::vocoder::{Context, Noise, PhraseInput, Stream};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};
use serde::Serialize;

use super::{Failure, print_json};

/// About five seconds of speech.
const SENTENCE: &str = "The lift is on its way to the third floor, please wait behind the yellow line.";

#[derive(Debug, Args)]
pub struct Arguments {
    /// How often each stage is run; the median counts.
    #[arg(long, value_name = "NUMBER", default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Frames of the vocoder's windows.
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    window_frames: u32,
    /// The voice.
    #[arg(long, default_value = DEFAULT_VOICE)]
    voice: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Milliseconds per second of speech.
#[derive(Debug, Serialize)]
struct Figures {
    text_to_phones_ms: f64,
    phones_to_mel_ms: f64,
    excitation_ms: f64,
    mel_to_samples_ms: f64,
    real_time_factor: f64,
    voice: String,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let synthesizer = Synthesizer::load(&SearchPath::from_environment().find(&arguments.voice)?)?;
    let pronouncer = Pronouncer::new();
    let phones = || pronouncer.pronounce(&normalise(black_box(SENTENCE))).map_err(fastglow::Error::from);
    let (text_to_phones, sequence) = median(arguments.runs, phones)?;
    let mel = || speak(&synthesizer, &sequence);
    let (phones_to_mel, mel) = median(arguments.runs, mel)?;
    let (excitation_time, excitation) = median(arguments.runs, || Ok(excite(&synthesizer, &mel)))?;
    let features = features(&synthesizer, &mel)?;
    let windows = || vocode(&synthesizer, &features, excitation.as_deref(), arguments.window_frames as usize);
    let (mel_to_samples, samples) = median(arguments.runs, windows)?;
    let speech_s = samples as f64 / f64::from(synthesizer.sample_rate_hz());
    let per_second_ms = |time: Duration| time.as_secs_f64() * 1e3 / speech_s;
    let whole = text_to_phones + phones_to_mel + excitation_time + mel_to_samples;
    let figures = Figures {
        text_to_phones_ms: per_second_ms(text_to_phones),
        phones_to_mel_ms: per_second_ms(phones_to_mel),
        excitation_ms: per_second_ms(excitation_time),
        mel_to_samples_ms: per_second_ms(mel_to_samples),
        real_time_factor: per_second_ms(whole) / 1e3,
        voice: synthesizer.meta().name.clone(),
    };
    print(&figures, arguments.json)
}

/// The median time of so many runs, and what the last one made.
fn median<T>(runs: u32, mut work: impl FnMut() -> fastglow::Result<T>) -> fastglow::Result<(Duration, T)> {
    let mut times = Vec::with_capacity(runs as usize);
    // The first run also warms the caches; it does not count.
    let mut made = work()?;
    for _ in 0..runs {
        let clock = Instant::now();
        made = work()?;
        times.push(clock.elapsed());
    }
    times.sort();
    Ok((times[times.len() / 2], made))
}

fn speak(synthesizer: &Synthesizer, sequence: &PhonemeSeq) -> fastglow::Result<Mel> {
    Ok(synthesizer.acoustic().speak(sequence, &Controls::default())?)
}

fn excite(synthesizer: &Synthesizer, mel: &Mel) -> Option<Vec<f32>> {
    let config = synthesizer.vocoder().config();
    let (sample_rate_hz, hop_samples) = (config.sample_rate_hz, config.hop_samples);
    let source = |(&log_f0, &voicing)| SourceFrame { log_f0, voicing };
    config.has_excitation().then(|| {
        let frames: Vec<_> = mel.log_f0.iter().zip(&mel.voicing).map(source).collect();
        Excitation::new(ExcitationConfig { sample_rate_hz, hop_samples }).forward(&frames)
    })
}

fn features(synthesizer: &Synthesizer, mel: &Mel) -> fastglow::Result<Vec<f32>> {
    let config = synthesizer.vocoder().config();
    let has_pitch = config.feature_channels() > config.mel_bands;
    let mut features = Vec::new();
    for ((row, log_f0), voicing) in mel.frames.to_vec2::<f32>()?.iter().zip(&mel.log_f0).zip(&mel.voicing) {
        features.extend_from_slice(row);
        if has_pitch {
            features.extend([log_f0, voicing]);
        }
    }
    Ok(features)
}

/// Gives the number of samples.
fn vocode(
    synthesizer: &Synthesizer,
    features: &[f32],
    excitation: Option<&[f32]>,
    window_frames: usize,
) -> fastglow::Result<usize> {
    let mut stream = Stream::new(synthesizer.vocoder().clone(), Noise::Seeded { seed: 1, scale: 0.9 })?;
    stream.push(&PhraseInput { features, excitation, context: Context::default() })?;
    let mut samples = 0;
    while stream.pending_frames() > 0 {
        samples += black_box(stream.step(window_frames)?).len();
    }
    Ok(samples + stream.flush()?.len())
}

fn print(figures: &Figures, is_json: bool) -> Result<(), Failure> {
    if is_json {
        return print_json(figures);
    }
    println!("ms per second of speech, medians, voice {}", figures.voice);
    println!("text to phones    {:8.3}", figures.text_to_phones_ms);
    println!("phones to mel     {:8.3}", figures.phones_to_mel_ms);
    println!("excitation        {:8.3}", figures.excitation_ms);
    println!("mel to samples    {:8.3}", figures.mel_to_samples_ms);
    println!("real-time factor  {:8.4}", figures.real_time_factor);
    Ok(())
}
