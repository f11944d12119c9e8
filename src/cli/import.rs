//! `fastglow import`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use fastglow::acoustic::{COMMON_SYMBOLS, Model, PUBLISHED_SYMBOLS};
use fastglow::import::{
    AcousticConfig, Checkpoint, Description, ImportError, Imported, Models, TrainingStatistics, acoustic,
    check_whole, compare_written, waveglow,
};
use fastglow::phoneme::SYMBOL_COUNT;
use fastglow::voice::Packing;

use super::failure::Failure;
use super::quantize;

/// Kinds of ignored tensors that are listed.
const LISTED_KINDS: usize = 6;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A checkpoint of FastSpeech 2 (ming024 and forks), FastSpeech 1 (xcmyz) or FastPitch (NVIDIA): .pth.tar, .pt
    /// or .safetensors.
    #[arg(long, value_name = "FILE", required_unless_present = "vocoder")]
    acoustic: Option<PathBuf>,

    /// The `stats.json` of the data that FastSpeech 2 was trained on: what its pitch and energy stand for.
    #[arg(long, value_name = "FILE", requires = "acoustic")]
    stats: Option<PathBuf>,

    /// Its attention heads, which no checkpoint tells. Default: as published, 2, and 1 of FastPitch.
    #[arg(long, value_name = "NUMBER", requires = "acoustic")]
    heads: Option<usize>,

    /// Keep this speaker alone, of several; otherwise `speak --speaker` chooses.
    #[arg(long, value_name = "NUMBER", requires = "acoustic")]
    speaker: Option<usize>,

    /// A checkpoint of WaveGlow (NVIDIA's, every published layout): .pt or .safetensors.
    #[arg(long, value_name = "FILE")]
    vocoder: Option<PathBuf>,

    /// How much of the vocoder's own hum speaking takes out unless told otherwise, 0 to 2; 0.01 to 0.1 is usual.
    #[arg(long, value_name = "STRENGTH", default_value_t = 0.0, requires = "vocoder")]
    denoise: f32,

    /// What the voice is to be called. Default: as the output file.
    #[arg(long)]
    name: Option<String>,

    /// BCP 47 tag of the language it speaks.
    #[arg(long, default_value = "en-US")]
    language: String,

    /// The licence of the weights, as their publisher states it.
    #[arg(long, default_value = "as its publisher states; not stated at import")]
    licence: String,

    /// Store the weights smaller. Default: f32, as they are.
    #[arg(long, value_name = "FORMAT")]
    quantize: Option<quantize::Format>,

    /// The voice to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut report = String::new();
    let mut models = Models::default();
    if let Some(path) = &arguments.acoustic {
        let statistics = arguments.stats.as_deref().map(TrainingStatistics::read).transpose()?;
        let config = AcousticConfig { heads: arguments.heads, speaker: arguments.speaker, statistics };
        let model = acoustic(&open(path)?, &config)?;
        report += &format!("acoustic  {}: {}\n", path.display(), acoustic_line(&model));
        report += &ignored_lines(&model.ignored);
        models.acoustic = Some(model);
    }
    if let Some(path) = &arguments.vocoder {
        let mut model = waveglow(&open(path)?)?;
        model.config.denoise = arguments.denoise;
        model.config.validate().map_err(ImportError::from)?;
        report += &format!("vocoder   {}: {}\n", path.display(), vocoder_line(&model));
        report += &ignored_lines(&model.ignored);
        models.vocoder = Some(model);
    }
    let packing = arguments.quantize.map_or(Packing::Float, quantize::Format::packing);
    let voice = models.into_voice(description(arguments), packing)?;
    for line in quantize::exceptions(&voice, packing) {
        report += &format!("          {line}\n");
    }
    check_whole(&voice)?;
    voice.save(&arguments.output)?;
    let count = compare_written(&voice, &arguments.output)?;
    let bytes = std::fs::metadata(&arguments.output)
        .map_err(|source| Failure::File { path: arguments.output.clone(), source })?
        .len();
    let megabytes = bytes as f64 / 1e6;
    report += &format!(
        "voice     {}: {megabytes:.1} MB, read back: {count} tensors equal\n",
        arguments.output.display()
    );
    super::print(&report)
}

fn open(path: &Path) -> Result<Checkpoint, ImportError> {
    Checkpoint::open(path).map_err(|source| ImportError::File { path: path.into(), source })
}

fn description(arguments: &Arguments) -> Description {
    let stem = arguments.output.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let file_name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let files: Vec<_> =
        [&arguments.acoustic, &arguments.vocoder].into_iter().flatten().filter_map(file_name).collect();
    Description {
        name: arguments.name.clone().or(stem).unwrap_or_else(|| "imported".into()),
        language: arguments.language.clone(),
        licence: arguments.licence.clone(),
        provenance: format!("imported from {}", files.join(" and ")),
    }
}

fn place(prefix: &str) -> String {
    if prefix.is_empty() { "at the top".into() } else { format!("at `{prefix}`") }
}

fn weights<C>(model: &Imported<C>) -> f64 {
    model.tensors.values().map(|tensor| tensor.elem_count()).sum::<usize>() as f64 / 1e6
}

fn acoustic_line(model: &Imported<fastglow::acoustic::Config>) -> String {
    let config = &model.config;
    let name = match config.model {
        Model::FastSpeech2 => "FastSpeech 2",
        Model::FastSpeech1 => "FastSpeech 1",
        Model::FastPitch => "FastPitch",
    };
    let symbols = match config.symbols {
        _ if config.model == Model::FastSpeech1 => "read by letters".into(),
        COMMON_SYMBOLS if config.model == Model::FastPitch => {
            "our phones by name, pauses as marks, spaces between words".into()
        }
        other if config.model == Model::FastPitch => format!(
            "{other} symbols, not the published {COMMON_SYMBOLS}: it runs, but cannot speak our phones"
        ),
        PUBLISHED_SYMBOLS => format!(
            "the published symbols: our {} phones by name, pauses as @sp",
            SYMBOL_COUNT - 1 - fastglow::phoneme::Pause::ALL.len()
        ),
        other => format!(
            "{other} symbols, not the published {PUBLISHED_SYMBOLS}: it runs, but cannot speak our phones"
        ),
    };
    let statistics = match config.statistics {
        Some(statistics) => format!("pitch around {:.0} Hz", statistics.pitch_hz[0]),
        None => "no statistics: pitch cannot be shifted".into(),
    };
    format!(
        "{name} {}: {:.1} M weights, width {}, {} + {} blocks, {} heads (given), {} mel bands\n          \
         {symbols}; {}; {statistics}",
        place(&model.prefix),
        weights(model),
        config.width,
        config.encoder_blocks,
        config.decoder_blocks,
        config.heads,
        config.mels,
        match config.speakers {
            0 | 1 => "one speaker".into(),
            count => format!("{count} speakers"),
        }
    )
}

fn vocoder_line(model: &Imported<fastglow::vocoder::Config>) -> String {
    let config = &model.config;
    format!(
        "WaveGlow {}: {:.1} M weights, {} mel bands, {} flows of {} layers, {} channels\n          \
         a frame is {} samples, taken to be of {} Hz",
        place(&model.prefix),
        weights(model),
        config.mel_bands,
        config.flows,
        config.wavenet.layers,
        config.wavenet.channels,
        config.hop_samples,
        config.sample_rate_hz,
    )
}

/// What was left over, by kind: names with numbers in them count as one.
fn ignored_lines(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        let part = |part: &str| if part.parse::<u64>().is_ok() { "*".to_owned() } else { part.to_owned() };
        *kinds.entry(name.split('.').map(part).collect::<Vec<_>>().join(".")).or_default() += 1;
    }
    let mut text = format!("          ignored {} tensors:", names.len());
    for (kind, count) in kinds.iter().take(LISTED_KINDS) {
        text += &format!(" {kind} ({count})");
    }
    if kinds.len() > LISTED_KINDS {
        text += &format!(" and {} more kinds", kinds.len() - LISTED_KINDS);
    }
    text + "\n"
}
