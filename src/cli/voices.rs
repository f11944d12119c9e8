//! `fastglow voices`

use clap::{Args, Subcommand};
use fastglow::engine::{Synthesizer, acoustic_model, vocoder_model};
use fastglow::voice::{DEFAULT_VOICE, Found, Part, SearchPath, Voice};
use fastglow::{acoustic, vocoder};
use serde_json::{Value, json};

use super::failure::{Failure, warn};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The voices there are, and where.
    List {
        /// As a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// What a voice says about itself.
    Show {
        /// A name, or a .gguf file.
        #[arg(default_value = DEFAULT_VOICE)]
        voice: String,
        /// As a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Check a voice: file, sums, weights, and that its models can be built.
    Verify {
        /// A name, or a .gguf file.
        #[arg(default_value = DEFAULT_VOICE)]
        voice: String,
    },
    /// Exchange an adapted voice with the one of its name that it replaced.
    Rollback {
        /// Its name.
        voice: String,
    },
    /// Write a voice's weights as a safetensors file of 32-bit floats.
    Export {
        /// A name, or a .gguf file.
        voice: String,
        /// The file to write.
        #[arg(short, long, value_name = "FILE")]
        output: std::path::PathBuf,
    },
    /// Delete a voice from the folder in which `fastglow adapt` puts voices, with what is left of its making.
    Remove {
        /// Its name.
        voice: String,
    },
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = SearchPath::from_environment();
    let text = match &arguments.command {
        Command::List { json } => list(&path, *json),
        Command::Show { voice, json } => show(&Voice::load(&path.find(voice)?)?, *json)?,
        Command::Rollback { voice } => {
            let file = path.place(voice)?;
            fastglow::voice::rollback(&file)?;
            format!("{}: the earlier voice is back; the same command takes it away again\n", file.display())
        }
        Command::Remove { voice } => remove(&path, voice)?,
        Command::Export { voice, output } => {
            let voice = Voice::load(&path.find(voice)?)?;
            voice.export_safetensors(output)?;
            format!("{}: {} tensors\n", output.display(), voice.tensors().count())
        }
        Command::Verify { voice } => {
            let voice = Voice::load(&path.find(voice)?)?;
            voice.verify()?;
            build(&voice)?;
            format!("{}: sound ({} tensors)\n", voice.origin(), voice.tensors().count())
        }
    };
    super::print(&text)
}

/// That its models can be built: both together, or the one there is.
fn build(voice: &Voice) -> fastglow::Result<()> {
    match (voice.has(Part::Acoustic), voice.has(Part::Vocoder)) {
        (true, false) => acoustic_model(voice).map(drop),
        (false, true) => vocoder_model(voice).map(drop),
        _ => Synthesizer::new(voice).map(drop),
    }
}

fn remove(path: &SearchPath, name: &str) -> Result<String, Failure> {
    let file = path.place(name)?;
    let failed = |at: &std::path::Path| {
        let path = at.to_path_buf();
        move |source| Failure::File { path, source }
    };
    std::fs::remove_file(&file).map_err(failed(&file))?;
    fastglow::voice::forget_previous(&file)?;
    let work = file.with_extension("adapt");
    match std::fs::remove_dir_all(&work) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(&work)(error)),
        _ => Ok(format!("{}: removed\n", file.display())),
    }
}

/// A damaged voice is listed with a warning: it is there, and it will not speak.
fn list(path: &SearchPath, as_json: bool) -> String {
    let found = path.list();
    let mut entries = Vec::new();
    let mut text = String::new();
    for Found { name, source } in &found {
        match Voice::load(source) {
            Err(error) => warn(error),
            Ok(voice) => {
                let meta = voice.meta();
                let (language, rate_hz) = (&meta.language, meta.sample_rate_hz);
                let base = voice.base().map(|base| base.name.clone());
                let adapts = base.as_ref().map_or(String::new(), |base| format!("  adapts {base}"));
                text.push_str(&format!("{name:<20} {language:<8} {rate_hz:>6} Hz  {source}{adapts}\n"));
                entries.push(json!({
                    "name": name,
                    "language": language,
                    "sample_rate_hz": rate_hz,
                    "licence": meta.licence,
                    "source": source.to_string(),
                    "base": base,
                    "default": name == DEFAULT_VOICE,
                }));
            }
        }
    }
    if found.is_empty() {
        let folders: Vec<_> = path.folders().iter().map(|f| f.display().to_string()).collect();
        warn(format_args!("no voice in {}", folders.join(", ")));
    }
    if as_json { format!("{:#}\n", Value::Array(entries)) } else { text }
}

fn show(voice: &Voice, as_json: bool) -> Result<String, Failure> {
    let meta = voice.meta();
    // An imported voice may have one model alone.
    let costs = [
        voice
            .has(Part::Acoustic)
            .then(|| voice.config::<acoustic::Config>(Part::Acoustic))
            .transpose()?
            .map(|config| config.macs_per_second()),
        voice
            .has(Part::Vocoder)
            .then(|| voice.config::<vocoder::Config>(Part::Vocoder))
            .transpose()?
            .map(|config| config.macs_per_second()),
    ];
    let counts = [Part::Acoustic, Part::Vocoder].map(|part| voice.weight_count(part));
    if as_json {
        let object = json!({
            "meta": meta,
            "source": voice.origin(),
            "weights_sha256": voice.weights_sha256(),
            "base": voice.base(),
            "tensors_changed": voice.changed().collect::<Vec<_>>(),
            "acoustic_weights": counts[0],
            "vocoder_weights": counts[1],
            "acoustic_macs_per_second": costs[0],
            "vocoder_macs_per_second": costs[1],
            "tensors": voice.tensors().map(|(name, dims, dtype)| {
                json!({ "name": name, "shape": dims, "precision": format!("{dtype:?}") })
            }).collect::<Vec<_>>(),
        });
        return Ok(format!("{object:#}\n"));
    }
    let model = |count: usize, cost: Option<f64>| match cost {
        Some(cost) => {
            format!("{:.2} M weights, {:.2} GMAC per second of speech", count as f64 / 1e6, cost / 1e9)
        }
        None => "none".into(),
    };
    let mut rows = vec![
        ("name", meta.name.clone()),
        ("file", voice.origin().to_string()),
        ("language", meta.language.clone()),
        ("licence", meta.licence.clone()),
        ("provenance", meta.provenance.clone()),
        ("sample rate", format!("{} Hz", meta.sample_rate_hz)),
        ("acoustic model", model(counts[0], costs[0])),
        ("vocoder", model(counts[1], costs[1])),
        ("weights", voice.weights_sha256().to_string()),
    ];
    if let Some(base) = voice.base() {
        let changed = voice.changed().count();
        rows.push(("adapts", format!("{} ({}), in {changed} tensors", base.name, base.weights_sha256)));
    }
    if let Some(figures) = meta.training.as_object() {
        rows.extend(figures.iter().map(|(name, value)| (name.as_str(), value.to_string())));
    }
    Ok(rows.iter().map(|(name, value)| format!("{name:<16} {value}\n")).collect())
}
