//! `fastglow speak`

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fastglow::Error;
use fastglow::audio::{self, AudioError, SINKS, Sink, SinkConfig, Target};
use fastglow::engine::{Event, SpeakConfig, Synthesizer, Utterance};
use fastglow::text::{TextError, Unspoken, normalise};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};

use super::environment;
use super::failure::{Failure, warn};
use super::input::{Piece, TextInput};
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

    /// Print figures on standard error at the end.
    #[arg(long, value_name = "FORMAT")]
    stats: Option<StatsFormat>,

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
    if let Some(text) = &arguments.text {
        // Before anything is loaded or opened.
        normalise(text).speakable()?;
    }
    environment::prepare();
    let synthesizer = Synthesizer::load(&SearchPath::from_environment().find(&arguments.voice)?)?;
    let mut speaker = Speaker::open(arguments, &synthesizer)?;
    match &arguments.text {
        Some(text) => speaker.speak(&Piece { text: text.clone(), is_repaired: false })?,
        None => {
            let mut input = TextInput::new(io::stdin());
            let read = |source| Failure::Io { what: "standard input", source };
            while let Some(piece) = input.next_piece().map_err(read)? {
                speaker.speak(&piece)?;
                speaker.sink.rest()?;
            }
        }
    }
    speaker.finish(arguments)
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

/// Everything between the text and the ear.
struct Speaker<'a> {
    utterance: Utterance<'a>,
    sink: Box<dyn Sink>,
    picture: Option<Picture>,
    /// Why the last piece was not spoken.
    nothing_to_say: Option<TextError>,
}

impl<'a> Speaker<'a> {
    fn open(arguments: &Arguments, synthesizer: &'a Synthesizer) -> Result<Self, Failure> {
        let config = SpeakConfig {
            seed: arguments.seed,
            rate: arguments.rate,
            pitch_semitones: arguments.pitch,
            volume_db: arguments.volume,
            expressiveness: arguments.expressiveness,
            ..SpeakConfig::default()
        };
        let utterance = synthesizer.utterance(config)?;
        let (name, target) = output(arguments);
        let config = SinkConfig {
            device: arguments.device.clone(),
            ..SinkConfig::new(synthesizer.sample_rate_hz(), target)
        };
        let sink = audio::open(name, &config)?;
        let picture = arguments.plot.as_ref().map(|_| {
            Picture::new(&synthesizer.meta().name, synthesizer.sample_rate_hz(), synthesizer.hop_samples())
        });
        Ok(Self { utterance, sink, picture, nothing_to_say: None })
    }

    /// Speaks a piece. One without words is reported and does not end the program.
    fn speak(&mut self, piece: &Piece) -> Result<(), Failure> {
        if piece.is_repaired {
            warn("the text is not valid UTF-8; the bad bytes are left out");
        }
        let Self { utterance, sink, picture, .. } = self;
        let mut failed: Option<AudioError> = None;
        let result = utterance
            .speak(&piece.text, &mut |event| play(&event, sink.as_mut(), picture.as_mut(), &mut failed));
        match (result, failed) {
            (_, Some(error)) => Err(error.into()),
            (Ok(spoken), None) => {
                report_unspoken(&piece.text, &spoken.unspoken);
                Ok(())
            }
            (Err(Error::Text(error)), None) => {
                warn(format_args!("{error}: {}", excerpt(&piece.text)));
                self.nothing_to_say = Some(error);
                Ok(())
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    fn finish(mut self, arguments: &Arguments) -> Result<(), Failure> {
        let mut failed = None;
        let Self { utterance, sink, picture, .. } = &mut self;
        utterance.finish(&mut |event| play(&event, sink.as_mut(), picture.as_mut(), &mut failed))?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let stats = self.utterance.stats();
        if stats.chunks == 0 {
            // The sink is dropped: no empty file is left.
            let found = "nothing".into();
            return Err(self.nothing_to_say.unwrap_or(TextError::NothingToSay { found }).into());
        }
        let played = self.sink.finish()?;
        if played.underruns > 0 {
            warn(format_args!("the sound had {} gaps: this machine was too busy", played.underruns));
        }
        if let (Some(picture), Some(path)) = (self.picture, &arguments.plot) {
            picture.save(path)?;
        }
        if let Some(StatsFormat::Json) = arguments.stats {
            let source = |error| Failure::Io { what: "figures", source: io::Error::other(error) };
            eprintln!("{}", serde_json::to_string(&stats).map_err(source)?);
        }
        Ok(())
    }
}

fn play(
    event: &Event<'_>,
    sink: &mut dyn Sink,
    picture: Option<&mut Picture>,
    failed: &mut Option<AudioError>,
) -> ControlFlow<()> {
    if let Some(picture) = picture {
        picture.add(event);
    }
    if let Event::Samples(samples) = event
        && let Err(error) = sink.write(samples)
    {
        *failed = Some(error);
        return ControlFlow::Break(());
    }
    ControlFlow::Continue(())
}

/// Says which parts of the text were left out: each kind once.
fn report_unspoken(text: &str, unspoken: &[Unspoken]) {
    let mut kinds = Vec::new();
    for part in unspoken {
        if !kinds.contains(&part.kind) {
            kinds.push(part.kind);
            let shown = text.get(part.source.clone()).map(excerpt).unwrap_or_default();
            warn(format_args!("not spoken: {}: {shown}", part.kind.name()));
        }
    }
}

/// The beginning of a text, fit for one line of a terminal.
fn excerpt(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    let mut shown: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
