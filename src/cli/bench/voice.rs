//! `fastglow bench voice`: what a voice costs on this machine, stage by stage, beside the bare products of its vocoder.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use fastglow::acoustic::{Controls, Mel};
use fastglow::compute::Compute;
use fastglow::engine::{SpeakConfig, Synthesizer, peak_rss_kb};
use fastglow::phoneme::{PhonemeSeq, Pronouncer};
use fastglow::signal::{Excitation, ExcitationConfig, SourceFrame};
use fastglow::text::normalise;
use fastglow::vocoder::{Config, Context, Noise, PhraseInput, Stream, WaveGlow};
use fastglow::voice::DEFAULT_VOICE;
use serde::Serialize;

use super::products::{LayerTime, bare_products};
use super::published::{self, Format};
use super::{Failure, print_json};
use crate::cli::load;

/// About five seconds of speech.
const SENTENCE: &str = "The lift is on its way to the third floor, please wait behind the yellow line.";

#[derive(Debug, Args)]
pub struct Arguments {
    /// The voice.
    #[arg(default_value = DEFAULT_VOICE)]
    voice: String,
    /// Instead of a voice: a vocoder of the published WaveGlow's size, 88 million weights by seed.
    #[arg(long, conflicts_with = "voice")]
    published_waveglow: bool,
    /// How that stores its weights.
    #[arg(long, value_name = "NAME", default_value = "f32", requires = "published_waveglow")]
    format: Format,
    /// Frames that it speaks.
    #[arg(long, value_name = "NUMBER", default_value_t = 172, requires = "published_waveglow", value_parser = clap::value_parser!(u32).range(1..=8192))]
    frames: u32,
    /// How often each stage is run; the median counts.
    #[arg(long, value_name = "NUMBER", default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Frames of the vocoder's windows; 0 for all at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=8192))]
    window_frames: u32,
    /// Frames on each side of a window that are computed and thrown away, of vocoders that see what comes. Default: all
    /// that they see, so that windows change nothing.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=1024))]
    context_frames: Option<u32>,
    /// Threads that compute. Default: one less than there are cores.
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<usize>,
    /// What the vocoder computes on: auto, cpu, cuda:0 or metal:0.
    #[arg(long, value_name = "NAME", default_value_t = Compute::Auto)]
    compute: Compute,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Times are in milliseconds per second of speech, but for the first sound.
#[derive(Debug, Serialize)]
struct Figures {
    voice: String,
    compute: String,
    threads: usize,
    audio_s: f64,
    real_time_factor: f64,
    /// From a sentence to the first window of its sound.
    first_audio_ms: f64,
    /// Multiply-accumulates per second of speech, in billions.
    vocoder_gmacs: f64,
    acoustic_gmacs: Option<f64>,
    peak_rss_kb: Option<u64>,
    stages: Vec<Stage>,
    /// What the vocoder's products alone take, all at once.
    bare_products_ms: f64,
    bare_products: Vec<LayerTime>,
}

#[derive(Debug, Serialize)]
struct Stage {
    stage: &'static str,
    ms: f64,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let subject = if arguments.published_waveglow {
        Subject::published(arguments)?
    } else {
        Subject::voice(arguments)?
    };
    let figures = measure(arguments, &subject)?;
    if arguments.json { print_json(&figures) } else { super::super::print(&table(&figures)) }
}

/// What is measured: a vocoder, what it is to say, and the stages before it.
struct Subject {
    name: String,
    vocoder: Arc<WaveGlow>,
    format: Format,
    features: Vec<f32>,
    excitation: Option<Vec<f32>>,
    before: Vec<(&'static str, Duration)>,
    acoustic_macs_per_second: Option<f64>,
}

impl Subject {
    fn published(arguments: &Arguments) -> Result<Self, Failure> {
        let config = Config::published();
        let frames = arguments.frames as usize;
        let loudness = |i: usize| -5.0 + 2.0 * (i as f32 * 0.37).sin();
        Ok(Self {
            name: format!("published WaveGlow, random weights, {}", arguments.format),
            vocoder: published::waveglow(&config, arguments.format, &arguments.compute.open()?)?,
            format: arguments.format,
            features: (0..frames * config.mel_bands).map(loudness).collect(),
            excitation: None,
            before: Vec::new(),
            acoustic_macs_per_second: None,
        })
    }

    fn voice(arguments: &Arguments) -> Result<Self, Failure> {
        let synthesizer = load::voice(&arguments.voice, None, Arc::default(), arguments.compute)?;
        let pronouncer = Pronouncer::new();
        let phones = || pronouncer.pronounce(&normalise(black_box(SENTENCE))).map_err(fastglow::Error::from);
        let (text_to_phones, sequence) = median(arguments.runs, phones)?;
        let (phones_to_mel, mel) = median(arguments.runs, || speak(&synthesizer, &sequence))?;
        let (excitation_time, excitation) = median(arguments.runs, || Ok(excite(&synthesizer, &mel)))?;
        Ok(Self {
            name: synthesizer.meta().name.clone(),
            vocoder: synthesizer.vocoder().clone(),
            format: Format::Q8_0,
            features: features(&synthesizer, &mel)?,
            excitation,
            before: vec![
                ("text to phones", text_to_phones),
                ("phones to mel", phones_to_mel),
                ("excitation", excitation_time),
            ],
            acoustic_macs_per_second: Some(synthesizer.acoustic().config().macs_per_second()),
        })
    }

    fn stream(&self, arguments: &Arguments) -> fastglow::Result<Stream> {
        let noise = Noise::Seeded { seed: 1, scale: 0.6 };
        let per_frame = self.vocoder.config().groups_per_frame();
        let mut stream = match arguments.context_frames {
            None => Stream::new(self.vocoder.clone(), noise)?,
            Some(frames) => Stream::with_context(self.vocoder.clone(), noise, frames as usize * per_frame)?,
        };
        stream.push(&PhraseInput {
            features: &self.features,
            excitation: self.excitation.as_deref(),
            context: Context::default(),
        })?;
        Ok(stream)
    }

    /// Gives the number of samples.
    fn vocode(&self, arguments: &Arguments) -> fastglow::Result<usize> {
        let mut stream = self.stream(arguments)?;
        let window_frames = match arguments.window_frames {
            0 => stream.pending_frames(),
            frames => frames as usize,
        };
        let mut samples = 0;
        while stream.pending_frames() > 0 {
            samples += black_box(stream.step(window_frames)?).len();
        }
        Ok(samples + stream.flush()?.len())
    }
}

fn measure(arguments: &Arguments, subject: &Subject) -> Result<Figures, Failure> {
    let config = subject.vocoder.config();
    let first_frames = SpeakConfig::default().first_window_frames;
    let (first_window, _) = median(arguments.runs, || Ok(subject.stream(arguments)?.step(first_frames)?))?;
    let (mel_to_samples, samples) = median(arguments.runs, || subject.vocode(arguments))?;
    let audio_s = samples as f64 / f64::from(config.sample_rate_hz);
    let per_second_ms = |time: Duration| time.as_secs_f64() * 1e3 / audio_s;
    let before: Duration = subject.before.iter().map(|(_, time)| *time).sum();
    let timed = subject.before.iter().copied().chain([("mel to samples", mel_to_samples)]);
    let bare_products = bare_products(&subject.vocoder, subject.format, audio_s, arguments.runs)?;
    Ok(Figures {
        voice: subject.name.clone(),
        compute: Compute::of(subject.vocoder.device()).to_string(),
        threads: rayon_threads(),
        audio_s,
        real_time_factor: per_second_ms(before + mel_to_samples) / 1e3,
        first_audio_ms: (before + first_window).as_secs_f64() * 1e3,
        vocoder_gmacs: config.macs_per_second() / 1e9,
        acoustic_gmacs: subject.acoustic_macs_per_second.map(|macs| macs / 1e9),
        peak_rss_kb: peak_rss_kb(),
        stages: timed.map(|(stage, time)| Stage { stage, ms: per_second_ms(time) }).collect(),
        bare_products_ms: bare_products.iter().map(|layer| layer.ms).sum(),
        bare_products,
    })
}

/// As `environment` has set it.
fn rayon_threads() -> usize {
    std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The median time of so many runs, and what the last one made.
pub fn median<T>(
    runs: u32,
    mut work: impl FnMut() -> fastglow::Result<T>,
) -> fastglow::Result<(Duration, T)> {
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

fn table(figures: &Figures) -> String {
    let Figures { voice, compute, threads, audio_s, .. } = figures;
    let mut text = format!(
        "{voice}; on {compute}, {threads} threads; medians over {audio_s:.1} s of speech, ms per second of it\n"
    );
    let mut line = |name: &str, figure: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<28}{figure:>12}");
    };
    for Stage { stage, ms } in &figures.stages {
        line(stage, format!("{ms:.3}"));
    }
    line("bare products of the vocoder", format!("{:.3}", figures.bare_products_ms));
    for LayerTime { layer, ms, gmacs_per_second } in &figures.bare_products {
        line(&format!("  {layer}, {gmacs_per_second:.0} GMAC/s"), format!("{ms:.3}"));
    }
    line("real-time factor", format!("{:.4}", figures.real_time_factor));
    line("first sound, ms", format!("{:.1}", figures.first_audio_ms));
    line("vocoder, GMAC/s of speech", format!("{:.2}", figures.vocoder_gmacs));
    if let Some(gmacs) = figures.acoustic_gmacs {
        line("acoustic, GMAC/s of speech", format!("{gmacs:.2}"));
    }
    let memory = figures.peak_rss_kb.map(|kb| format!("{:.0}", kb as f64 / 1024.0));
    line("peak memory, MB", super::or_unknown(memory));
    text
}
