//! `fastglow quantize`

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use fastglow::engine::peak_rss_kb;
use fastglow::import::compare_written;
use fastglow::parity::{Difference, Models};
use fastglow::voice::{Packing, Reason, SearchPath, Source, Voice, precision_of};
use serde::{Deserialize, Serialize};

use super::environment;
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["output", "report", "measure"])))]
pub struct Arguments {
    /// The voice: a name, or a .gguf file. Best one that holds floats.
    voice: String,

    /// How to store the weights. With --report alone: all of them, one after another.
    #[arg(long, value_name = "FORMAT", required_unless_present_any = ["report", "measure"])]
    format: Option<Format>,

    /// The voice to write.
    #[arg(short, long, value_name = "FILE", requires = "format")]
    output: Option<PathBuf>,

    /// Compare with the voice in f32: size, memory, speed, mels, spectra, flows. As a table, or as JSON.
    #[arg(long, value_name = "AS", num_args = 0..=1, default_missing_value = "table")]
    report: Option<ReportStyle>,

    /// Run the voice once, in a process of its own, and say what that took.
    #[arg(long, hide = true)]
    measure: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportStyle {
    Table,
    Json,
}

/// What a run of a voice takes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cost {
    /// Most memory of a process that loads it and speaks a sentence.
    peak_rss_kb: Option<u64>,
    /// Time of computing over time of sound.
    real_time_factor: f64,
}

/// One format of the report.
#[derive(Debug, Serialize)]
struct Row {
    format: String,
    file_bytes: u64,
    /// Over the file of floats.
    size_ratio: f64,
    #[serde(flatten)]
    cost: Cost,
    #[serde(flatten)]
    difference: Difference,
    /// Matrices that do not have the precision of the format, by its rule.
    exceptions: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    environment::prepare(None);
    let voice = Voice::load(&SearchPath::from_environment().find(&arguments.voice)?)?;
    if arguments.measure {
        return print_json(&measure(&voice)?);
    }
    if let (Some(format), Some(output)) = (arguments.format, &arguments.output) {
        let packed = voice.repacked(format.packing())?;
        packed.save(output)?;
        let count = compare_written(&packed, output)?;
        let text = format!(
            "{}: {:.1} MB, {count} tensors, read back\n{}",
            output.display(),
            size_bytes(output)? as f64 / 1e6,
            exceptions(&voice, format.packing()).iter().map(|line| format!("  {line}\n")).collect::<String>()
        );
        match arguments.report {
            // Standard output is the report's alone.
            Some(ReportStyle::Json) => eprint!("{text}"),
            _ => super::print(&text)?,
        }
    }
    let Some(style) = arguments.report else { return Ok(()) };
    let rows = report(&voice, arguments.format)?;
    match style {
        ReportStyle::Json => print_json(&rows),
        ReportStyle::Table => super::print(&table(&rows)),
    }
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Io { what: "figures", source: std::io::Error::other(error) })?;
    super::print(&(json + "\n"))
}

fn size_bytes(path: &Path) -> Result<u64, Failure> {
    let failed = |source| Failure::File { path: path.into(), source };
    Ok(std::fs::metadata(path).map_err(failed)?.len())
}

fn measure(voice: &Voice) -> Result<Cost, Failure> {
    let models = Models::new(voice)?;
    // The first run fills caches and pools.
    models.run()?;
    let start = Instant::now();
    let sound_s = models.run()?;
    Ok(Cost { real_time_factor: start.elapsed().as_secs_f64() / sound_s, peak_rss_kb: peak_rss_kb() })
}

/// The voice in floats, and in one format or all of them.
fn report(voice: &Voice, format: Option<Format>) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir().map_err(|source| Failure::Io { what: "temporary folder", source })?;
    let path = folder.path().join("voice.gguf");
    let floats = Models::new(&voice.repacked(Packing::Float)?)?;
    let formats: Vec<Format> = Format::value_variants()
        .iter()
        .copied()
        .filter(|&other| other == Format::F32 || format.is_none_or(|format| format == other))
        .collect();
    let mut rows: Vec<Row> = Vec::new();
    for format in formats {
        let packed = voice.repacked(format.packing())?;
        packed.save(&path)?;
        let file_bytes = size_bytes(&path)?;
        let loaded = Voice::load(&Source::File(path.clone()))?;
        rows.push(Row {
            format: format.name(),
            file_bytes,
            size_ratio: file_bytes as f64 / rows.first().map_or(file_bytes, |first| first.file_bytes) as f64,
            cost: measure_apart(&path)?,
            difference: floats.difference(&Models::new(&loaded)?)?,
            exceptions: exceptions(voice, format.packing()),
        });
    }
    Ok(rows)
}

/// Measures in a process of its own, so that nothing else is in its memory.
fn measure_apart(path: &Path) -> Result<Cost, Failure> {
    let failed = |source| Failure::Io { what: "measuring", source };
    let program = std::env::current_exe().map_err(failed)?;
    let output = std::process::Command::new(program)
        .args(["quantize", "--measure"])
        .arg(path)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(failed)?;
    serde_json::from_slice(&output.stdout).map_err(|error| failed(std::io::Error::other(error)))
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<7} {:>9} {:>7} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}\n",
        "format", "file", "of f32", "memory", "real-time", "mel L1", "pitch", "LSD", "flow SNR"
    );
    let number = |value: Option<f64>, digits: usize, unit: &str| match value {
        Some(value) if value.is_finite() => format!("{value:.digits$}{unit}"),
        Some(_) => "exact".into(),
        None => "-".into(),
    };
    for Row { format, file_bytes, size_ratio, cost, difference, .. } in rows {
        text += &format!(
            "{format:<7} {:>6.1} MB {:>6.1}% {:>9} {:>10.4} {:>9} {:>9} {:>9} {:>9}\n",
            *file_bytes as f64 / 1e6,
            100.0 * size_ratio,
            number(cost.peak_rss_kb.map(|kb| kb as f64 / 1e3), 0, " MB"),
            cost.real_time_factor,
            number(difference.mel_l1, 4, ""),
            number(difference.pitch_error_cents, 2, " ct"),
            number(difference.log_spectral_distance_db, 2, " dB"),
            number(difference.flow_snr_db, 1, " dB"),
        );
    }
    // Of all formats at once they would bury the table; the JSON has them.
    for row in rows.iter().filter(|_| rows.len() == 2) {
        for line in &row.exceptions {
            text += &format!("{}: {line}\n", row.format);
        }
    }
    text
}

/// A way to store weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Format {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 8 bits.
    #[value(name = "q8_0")]
    Q8_0,
    /// 6 bits.
    #[value(name = "q6k")]
    Q6K,
    /// 4 bits.
    #[value(name = "q4k")]
    Q4K,
    /// 4 bits where a transformer has most of its weights, 8 elsewhere.
    Mixed,
}

impl Format {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub fn packing(self) -> Packing {
        match self {
            Format::F32 => Packing::Float,
            Format::F16 => Packing::F16,
            Format::Q8_0 => Packing::Q8_0,
            Format::Q6K => Packing::Q6K,
            Format::Q4K => Packing::Q4K,
            Format::Mixed => Packing::Mixed,
        }
    }
}

/// The matrices that do not have the precision that was asked for, by the rule that decided. Layers of one kind are one
/// line.
pub fn exceptions(voice: &Voice, packing: Packing) -> Vec<String> {
    let bands = voice.meta().mel.bands;
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for (name, dims, _) in voice.tensors() {
        let (dtype, Reason::Row { width, block }) = precision_of(name, dims, (packing, bands)) else {
            continue;
        };
        let parts = name.split('.').map(|part| if part.parse::<u64>().is_ok() { "*" } else { part });
        let kind = parts.collect::<Vec<_>>().join(".");
        let line = format!("{kind} keeps {dtype:?}: its rows of {width} are no whole blocks of {block}");
        match kinds.iter_mut().find(|(other, _)| *other == line) {
            Some((_, count)) => *count += 1,
            None => kinds.push((line, 1)),
        }
    }
    let counted = |(line, count)| if count > 1 { format!("{line} ({count} tensors)") } else { line };
    kinds.into_iter().map(counted).collect()
}
