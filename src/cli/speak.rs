//! `fastglow speak`

use std::io::{self, IsTerminal, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};
use fastglow::audio::{self, SINKS, SinkConfig, Target};
use fastglow::compute::Compute;
use fastglow::engine::{
    Engine, EngineConfig, Event, MarkFormat, Marks, OpenSink, Pacing, Report, SpeakConfig, Synthesizer,
};
use fastglow::markup::{MAX_DOCUMENT_BYTES, Script};
use fastglow::text::{TextError, UnspokenKind, normalise_in};
use fastglow::voice::DEFAULT_VOICE;

use super::environment;
use super::failure::{Failure, warn};
use super::input::TextInput;
use super::interrupt::Interrupt;
use super::lexicon;
use super::load;
use super::picture::Picture;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The text. Without it, standard input is spoken as it arrives.
    text: Option<String>,

    /// Write a WAV file instead of playing; `-` writes to standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// With --output: 16-bit little-endian samples without a header.
    #[arg(long, requires = "output")]
    raw: bool,

    /// Where the sound goes: device, wav, raw or null (silent, in real time). Default: device, or wav with --output.
    #[arg(long, value_name = "NAME", conflicts_with = "raw")]
    sink: Option<String>,

    /// The sound card: a name from `fastglow devices`. Default: the system's.
    #[arg(long, value_name = "NAME", conflicts_with = "output")]
    device: Option<String>,

    /// The voice: a name from `fastglow voices list`, or a .gguf file.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_VOICE)]
    voice: String,

    /// Take the vocoder of another voice: a name, or a .gguf file.
    #[arg(long, value_name = "NAME")]
    vocoder: Option<String>,

    /// Who speaks, of a voice with several speakers, counted from 0.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    speaker: u32,
    /// What the vocoder computes on: auto, cpu, cuda:0 or metal:0. `auto` takes a card if this build can use one.
    #[arg(long, value_name = "NAME", default_value_t = Compute::Auto)]
    compute: Compute,

    /// Another seed says the same thing a little differently; the same one, exactly alike.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,

    /// Speaking rate, 0.5 to 2: 2 is twice as fast.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, allow_negative_numbers = true, value_parser = within::<50, 200, 100>)]
    rate: f32,

    /// Pitch shift in semitones, -12 to 12.
    #[arg(long, value_name = "SEMITONES", default_value_t = 0.0, allow_negative_numbers = true, value_parser = within::<-12, 12, 1>)]
    pitch: f32,

    /// Volume change in decibels, -60 to 20; limited softly at full scale.
    #[arg(long, value_name = "DB", default_value_t = 0.0, allow_negative_numbers = true, value_parser = within::<-60, 20, 1>)]
    volume: f32,

    /// Liveliness, 0 to 2: how much pitch and loudness vary with the seed.
    #[arg(long, value_name = "FACTOR", default_value_t = 0.0, allow_negative_numbers = true, value_parser = within::<0, 2, 1>)]
    expressiveness: f32,

    /// Takes out so much of a published vocoder's own hum, 0 to 2; 0.01 to 0.1 is usual. Default: as the voice says.
    #[arg(long, value_name = "STRENGTH", allow_negative_numbers = true, value_parser = within::<0, 2, 1>)]
    denoise: Option<f32>,

    /// Print figures on standard error at the end.
    #[arg(long, value_name = "FORMAT")]
    stats: Option<StatsFormat>,

    /// Pronunciations that go before the lexicon: lines of a word, a tab, ARPAbet or /IPA/; or a .toml file.
    #[arg(long, value_name = "FILE")]
    lexicon: Option<PathBuf>,

    /// The text is SSML: it is read as a whole, and errors are told with line and column.
    #[arg(long)]
    ssml: bool,

    /// Write when each word, phone and viseme sounds: a .json, .srt, .vtt or .TextGrid file.
    #[arg(long, value_name = "FILE")]
    marks: Option<PathBuf>,

    /// Draw waveform, spectrogram with pitch, and phones into a PNG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StatsFormat {
    /// One JSON object.
    Json,
}

/// Parses a number from `LOW / UNIT` to `HIGH / UNIT`.
fn within<const LOW: i32, const HIGH: i32, const UNIT: i32>(text: &str) -> Result<f32, String> {
    let (low, high) = (LOW as f32 / UNIT as f32, HIGH as f32 / UNIT as f32);
    match text.parse::<f32>() {
        Ok(value) if (low..=high).contains(&value) => Ok(value),
        _ => Err(format!("expected a number from {low} to {high}")),
    }
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    check_output(arguments)?;
    mark_format(arguments)?;
    let words = lexicon::read(arguments.lexicon.as_deref())?;
    // It may start the program anew: what was read of standard input before would be lost.
    environment::prepare_to_speak(None);
    let script = arguments.ssml.then(|| script(arguments)).transpose()?;
    let (given, directions) = match script {
        Some(script) => (Some(script.text), Arc::new(script.directions)),
        None => (arguments.text.clone(), Arc::default()),
    };
    let mut input = match &given {
        Some(text) => TextInput::given(text),
        None => TextInput::read(io::stdin()),
    };
    let synthesizer = load::voice(&arguments.voice, arguments.vocoder.as_deref(), words, arguments.compute)?;
    if let Some(text) = &given {
        // Before anything is opened.
        normalise_in(synthesizer.language(), text).speakable()?;
    }
    if arguments.denoise.is_some_and(|strength| strength > 0.0) {
        synthesizer.prepare_denoiser()?;
    }
    let interrupt = Interrupt::listen()?;
    let engine =
        Engine::start(&synthesizer, Some(open_sink(arguments, &synthesizer)), EngineConfig::default())?;
    let watcher = Arc::new(Mutex::new(Watcher::new(arguments, &synthesizer)));
    let is_file = matches!(output(arguments), (_, Target::File(_)));
    let pacing = if is_file || input.is_whole() { Pacing::Unhurried } else { Pacing::Live };
    let listener = {
        let watcher = watcher.clone();
        Box::new(move |_, event: Event<'_>| {
            watcher.lock().unwrap_or_else(PoisonError::into_inner).watch(&event);
            ControlFlow::Continue(())
        })
    };
    let mut job = engine.begin(SpeakConfig { directions, ..speak_config(arguments) }, pacing, listener)?;
    interrupt.stops(engine.stopper());
    let input = job.take_text().map(|text| input.feed(text));
    let report = job.wait()?;
    if report.is_cancelled {
        // Files are not completed: the engine is dropped, not closed.
        return Err(Failure::Interrupted);
    }
    if let Some(input) = input {
        input.result()?;
    }
    // The engine may still hold the listener: the picture is taken out, not the watcher.
    let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
    let (picture, marks) = (watcher.picture.take(), watcher.marks.take());
    drop(watcher);
    finish(arguments, engine, picture, &report)?;
    if let (Some(path), Some(format), Some(marks)) = (&arguments.marks, mark_format(arguments)?, marks) {
        let shown = marks.show(format, synthesizer.sample_rate_hz());
        std::fs::write(path, shown).map_err(|source| Failure::File { path: path.clone(), source })?;
    }
    Ok(())
}

/// The document, from the command line or standard input.
fn script(arguments: &Arguments) -> Result<Script, Failure> {
    let mut document = String::new();
    match &arguments.text {
        Some(text) => document.push_str(text),
        None => {
            let failed = |source| Failure::Io { what: "standard input", source };
            // One more byte than may be read, so that too much is told.
            let most_bytes = MAX_DOCUMENT_BYTES as u64 + 1;
            io::stdin().take(most_bytes).read_to_string(&mut document).map_err(failed)?;
        }
    }
    Ok(Script::read(&document)?)
}

fn speak_config(arguments: &Arguments) -> SpeakConfig {
    SpeakConfig {
        seed: arguments.seed,
        rate: arguments.rate,
        pitch_semitones: arguments.pitch,
        volume_db: arguments.volume,
        expressiveness: arguments.expressiveness,
        speaker: arguments.speaker,
        denoise: arguments.denoise,
        ..SpeakConfig::default()
    }
}

/// The sink's name, and where it writes if it does.
fn output(arguments: &Arguments) -> (&str, Target) {
    let name = match (&arguments.sink, &arguments.output) {
        (Some(name), _) => name,
        (None, None) => "device",
        (None, Some(_)) if arguments.raw => "raw",
        (None, Some(_)) => "wav",
    };
    let target = match &arguments.output {
        Some(path) if path.as_os_str() != "-" => Target::File(path.clone()),
        _ => Target::Stdout,
    };
    (name, target)
}

fn check_output(arguments: &Arguments) -> Result<(), Failure> {
    let (name, target) = output(arguments);
    let writes = SINKS.iter().any(|kind| kind.name == name && kind.writes_target);
    if writes && target == Target::Stdout && io::stdout().is_terminal() {
        return Err(Failure::Usage {
            message: "sound on standard output: expected a pipe or a file, got a terminal".into(),
            hint: "`fastglow speak -o - … | aplay`, or name a file: `-o speech.wav`".into(),
        });
    }
    Ok(())
}

/// The format of `--marks`, if it is given.
fn mark_format(arguments: &Arguments) -> Result<Option<MarkFormat>, Failure> {
    let Some(path) = &arguments.marks else { return Ok(None) };
    let format = path.extension().and_then(|ending| MarkFormat::of_ending(&ending.to_string_lossy()));
    format.map(Some).ok_or_else(|| Failure::Usage {
        message: format!(
            "--marks: expected a name that ends in .json, .srt, .vtt or .TextGrid, got {}",
            path.display()
        ),
        hint: "`fastglow speak --marks words.json …`".into(),
    })
}

fn open_sink(arguments: &Arguments, synthesizer: &Synthesizer) -> OpenSink {
    let (name, target) = output(arguments);
    let name = name.to_owned();
    let config = SinkConfig {
        device: arguments.device.clone(),
        ..SinkConfig::new(synthesizer.sample_rate_hz(), target)
    };
    Box::new(move || audio::open(&name, &config))
}

/// What is drawn and said while it speaks.
struct Watcher {
    picture: Option<Picture>,
    marks: Option<Marks>,
    /// Kinds of things that were not spoken and have been reported.
    reported: Vec<UnspokenKind>,
}

impl Watcher {
    fn new(arguments: &Arguments, synthesizer: &Synthesizer) -> Self {
        let picture = arguments.plot.as_ref().map(|_| {
            Picture::new(&synthesizer.meta().name, synthesizer.sample_rate_hz(), synthesizer.hop_samples())
        });
        Self { picture, marks: arguments.marks.as_ref().map(|_| Marks::default()), reported: Vec::new() }
    }

    fn watch(&mut self, event: &Event<'_>) {
        if let Some(picture) = &mut self.picture {
            picture.add(event);
        }
        if let Some(marks) = &mut self.marks {
            marks.add(event);
        }
        if let Event::Unspoken(omission) = event
            // Each wish that is not granted is another one.
            && (omission.kind == UnspokenKind::Markup || !self.reported.contains(&omission.kind))
        {
            self.reported.push(omission.kind);
            if omission.text.contains(char::REPLACEMENT_CHARACTER) {
                warn("the text is not valid UTF-8; the bad bytes are left out");
            } else {
                warn(format_args!("not spoken: {}: {}", omission.kind.name(), excerpt(omission.text)));
            }
        }
    }
}

fn finish(
    arguments: &Arguments,
    engine: Engine,
    picture: Option<Picture>,
    report: &Report,
) -> Result<(), Failure> {
    if report.stats.chunks == 0 {
        // The sink is dropped: no empty file is left.
        return Err(TextError::NothingToSay { found: "nothing that sounds".into() }.into());
    }
    engine.close()?;
    if report.underruns > 0 {
        warn(format_args!("the sound had {} gaps: this machine was too busy", report.underruns));
    }
    if let (Some(picture), Some(path)) = (picture, &arguments.plot) {
        picture.save(path)?;
    }
    if let Some(StatsFormat::Json) = arguments.stats {
        let source = |error| Failure::Io { what: "figures", source: io::Error::other(error) };
        eprintln!("{}", serde_json::to_string(&report.stats).map_err(source)?);
    }
    Ok(())
}

/// The beginning of a text, fit for one line of a terminal.
fn excerpt(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    let visible = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    let mut shown: String = text.chars().take(SHOWN_CHARS).map(visible).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
