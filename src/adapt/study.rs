//! The study of adaptation: one thing is changed at a time, on every speaker, and measured on the same held-out sentences.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{AdaptConfig, AdaptError, Method, Observer, adapt};
use crate::atomic_file;
use crate::plot::{Curve, CurvePlot, loss_curve};
use crate::voice::Source;

/// Amounts of speech in the study.
const MINUTES: [f64; 3] = [1.0, 3.0, 10.0];
/// The amount in all other rows.
const USUAL_MINUTES: f64 = 3.0;

/// A speaker: a folder with the recordings to learn from in `train` and those to measure on in `test`.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
}

impl Speaker {
    /// The speaker of this folder.
    pub fn new(folder: PathBuf) -> Self {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, folder }
    }
}

/// A row of the study.
struct Variant {
    /// Its name in files.
    name: &'static str,
    /// What it is, for people.
    title: &'static str,
    change: fn(&mut AdaptConfig),
}

const VARIANTS: [Variant; 10] = [
    Variant { name: "usual", title: "as usual: recordings alone, 3 minutes", change: |_| {} },
    Variant { name: "1-minute", title: "1 minute", change: |c| c.most_speech_seconds = 60.0 * MINUTES[0] },
    Variant {
        name: "10-minutes",
        title: "10 minutes",
        change: |c| c.most_speech_seconds = 60.0 * MINUTES[2],
    },
    Variant {
        name: "corpus",
        title: "corpus: with altered copies and rehearsal",
        change: |c| c.method = Method::Corpus,
    },
    Variant {
        name: "transfer",
        title: "transfer: norms of all layers open",
        change: |c| c.method = Method::Transfer,
    },
    Variant { name: "no-early-stop", title: "no early stopping", change: |c| c.stops_early = false },
    Variant {
        name: "base-statistics",
        title: "the base voice's statistics kept",
        change: |c| c.takes_statistics = false,
    },
    Variant { name: "depth-0", title: "no decoder block open", change: |c| c.depth = 0 },
    Variant { name: "depth-2", title: "2 decoder blocks open instead of 5", change: |c| c.depth = 2 },
    Variant {
        name: "closed-conditioner",
        title: "vocoder: output layers alone",
        change: |c| c.opens_conditioner = false,
    },
];

/// What was found for a variant and a speaker.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The speaker's name.
    pub speaker: String,
    /// The variant's name.
    pub variant: &'static str,
    /// The variant in words.
    pub title: &'static str,
    /// Its [`Report`](super::Report).
    pub report: Value,
}

impl Outcome {
    /// The figures without logs and file names.
    pub fn summary(&self) -> Value {
        const KEPT: [&str; 9] = [
            "plan",
            "split",
            "before",
            "after",
            "tensors_changed",
            "weights_changed",
            "file_bytes",
            "seconds",
            "peak_rss_kb",
        ];
        let mut summary = serde_json::json!({ "speaker": self.speaker, "variant": self.variant });
        for key in KEPT {
            summary[key] = self.report[key].clone();
        }
        summary
    }

    /// Time of training alone, of all stages.
    fn training_seconds(&self) -> f64 {
        let stages = self.report["stages"].as_array().into_iter().flatten();
        let last = stages.filter_map(|stage| stage["log"].as_array()?.last()?["seconds"].as_f64());
        last.sum()
    }

    fn figure(&self, path: &str) -> f64 {
        self.report.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }
}

/// Adapts `base` to every speaker in every variant, with all numbers of steps times `scale`, and keeps each report in
/// `folder` as `SPEAKER-VARIANT.json`: what is there is not done again. `watch` is told which is being done.
///
/// # Errors
/// See [`AdaptError`].
pub fn study(
    (speakers, base): (&[Speaker], &Source),
    (folder, scale): (&Path, f64),
    watch: &mut dyn FnMut(&str),
    observer: &mut Observer<'_>,
) -> Result<Vec<Outcome>, AdaptError> {
    std::fs::create_dir_all(folder).map_err(AdaptError::io(folder))?;
    let mut outcomes = Vec::new();
    for variant in &VARIANTS {
        for speaker in speakers {
            let name = format!("{}-{}", speaker.name, variant.name);
            watch(&name);
            let file = folder.join(format!("{name}.json"));
            if !file.exists() {
                let voice = folder.join(format!("{name}.gguf"));
                let mut config =
                    AdaptConfig::new((speaker.folder.join("train"), name.clone()), (base.clone(), voice));
                config.test = Some(speaker.folder.join("test"));
                config.most_speech_seconds = 60.0 * USUAL_MINUTES;
                config.scale = scale;
                config.vocoder_work = Some(folder.join("vocoders"));
                (variant.change)(&mut config);
                let report = adapt(&config, observer)?;
                let json = serde_json::json!(report).to_string();
                atomic_file::write(&file, |out| out.write_all(json.as_bytes()))
                    .map_err(AdaptError::io(&file))?;
            }
            let text = std::fs::read_to_string(&file).map_err(AdaptError::io(&file))?;
            let report = serde_json::from_str(&text).map_err(|error| {
                AdaptError::io(&file)(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
            })?;
            let (variant, title) = (variant.name, variant.title);
            outcomes.push(Outcome { speaker: speaker.name.clone(), variant, title, report });
        }
    }
    Ok(outcomes)
}

/// A table for each speaker.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut speakers: Vec<&str> = outcomes.iter().map(|outcome| outcome.speaker.as_str()).collect();
    speakers.dedup();
    speakers.sort_unstable();
    speakers.dedup();
    let mut text = String::new();
    for speaker in speakers {
        let own: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.speaker == speaker).collect();
        let Some(first) = own.first() else { continue };
        text.push_str(&format!(
            "### {speaker}\n\n\
             | variant | distortion, dB | F0 error, Hz | duration error, frames | acoustic loss | NLL | speaker distance, dB | weights | file, MB | training, s | memory, MB |\n\
             |---|---|---|---|---|---|---|---|---|---|---|\n\
             | before | {} | 0.00 | 0 | | |\n",
            figures(first, "before"),
        ));
        for outcome in own {
            text.push_str(&format!(
                "| {} | {} | {:.2} M | {:.2} | {:.0} | {:.0} |\n",
                outcome.title,
                figures(outcome, "after"),
                outcome.figure("/weights_changed") / 1e6,
                outcome.figure("/file_bytes") / 1e6,
                outcome.training_seconds(),
                outcome.figure("/peak_rss_kb") / 1024.0,
            ));
        }
        text.push('\n');
    }
    text.replace("| -", "| −")
}

fn figures(outcome: &Outcome, when: &str) -> String {
    let columns = [
        ("mcd_db", 2),
        ("f0_rmse_hz", 1),
        ("duration_mae_frames", 2),
        ("acoustic_loss", 2),
        ("nll", 3),
        ("speaker_distance_db", 2),
    ];
    columns
        .map(|(name, digits)| format!("{:.digits$}", outcome.figure(&format!("/{when}/{name}"))))
        .join(" | ")
}

/// Draws the distortion over the minutes of speech, a curve for each speaker.
///
/// # Errors
/// The file cannot be written.
pub fn plot_minutes(outcomes: &[Outcome], path: &Path) -> Result<(), AdaptError> {
    let mut curves: Vec<Curve> = Vec::new();
    for (minutes, variant) in MINUTES.into_iter().zip(["1-minute", "usual", "10-minutes"]) {
        for outcome in outcomes.iter().filter(|outcome| outcome.variant == variant) {
            let point = (minutes, outcome.figure("/after/mcd_db"));
            match curves.iter_mut().find(|curve| curve.name == outcome.speaker) {
                Some(curve) => curve.points.push(point),
                None => {
                    let before = (0.0, outcome.figure("/before/mcd_db"));
                    curves.push(Curve { name: outcome.speaker.clone(), points: vec![before, point] });
                }
            }
        }
    }
    let plot = CurvePlot {
        title: "Distance from the speaker, on sentences that were not learnt from".into(),
        x_label: "minutes of recordings".into(),
        y_label: "mel-cepstral distortion (dB)".into(),
        is_log: false,
    };
    Ok(loss_curve(&plot, &curves, path)?)
}
