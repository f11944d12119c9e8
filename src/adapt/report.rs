//! What an adaptation did, for people and for programs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::pairs::Usage;
use super::pictures::Picture;
use super::{AdaptError, Candidate, Figures, Method, Plan};
use crate::atomic_file;
use crate::train::run::{LineKind, LogLine};

/// A stage of the training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageReport {
    /// Its name.
    pub name: &'static str,
    /// Branches that were trained.
    pub open: Vec<String>,
    /// Parameters that were trained.
    pub parameters: usize,
    /// Steps done.
    pub steps: u64,
    /// How it ended: all steps, or early because the validation no longer improved.
    pub ended_early: bool,
    /// Held-out figures over the steps.
    pub log: Vec<LogLine>,
}

/// What an adaptation did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The new voice.
    pub name: String,
    /// The voice that it started from.
    pub base: String,
    /// SHA-256 of that one's weights.
    pub base_weights_sha256: String,
    /// The voices that were compared to find that one, if it was looked for.
    pub compared: Vec<Candidate>,
    /// What it was taught with.
    pub method: Method,
    /// What was planned.
    pub plan: Plan,
    /// Recordings found, used and left out.
    pub recordings: Usage,
    /// Recordings that were learnt from, that decided when to stop, and that were measured on.
    pub split: [usize; 3],
    /// The base voice on the recordings that were measured on.
    pub before: Figures,
    /// The adapted one on the same.
    pub after: Figures,
    /// The stages.
    pub stages: Vec<StageReport>,
    /// Tensors changed.
    pub tensors_changed: usize,
    /// Weights changed.
    pub weights_changed: usize,
    /// Size of the file.
    pub file_bytes: u64,
    /// Wall-clock time of this run.
    pub seconds: f64,
    /// Most memory used, if the system tells.
    pub peak_rss_kb: Option<u64>,
}

impl Report {
    /// Change of the distortion and of the F0 error, as shares: −0.3 is 30 % less.
    pub fn gains(&self) -> [f64; 2] {
        let gain = |before: f64, after: f64| if before > 0.0 { after / before - 1.0 } else { 0.0 };
        [gain(self.before.mcd_db, self.after.mcd_db), gain(self.before.f0_rmse_hz, self.after.f0_rmse_hz)]
    }

    /// Writes `report.json` and `report.html` into `folder`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(&self, folder: &Path, pictures: &[Picture]) -> Result<(), AdaptError> {
        std::fs::create_dir_all(folder).map_err(AdaptError::io(folder))?;
        let json = format!("{:#}\n", serde_json::json!(self));
        for (name, text) in [("report.json", json), ("report.html", self.html(pictures))] {
            let path = folder.join(name);
            atomic_file::write(&path, |file| file.write_all(text.as_bytes()))
                .map_err(AdaptError::io(&path))?;
        }
        Ok(())
    }

    /// A page that needs nothing but itself.
    pub fn html(&self, pictures: &[Picture]) -> String {
        let row = |name: &str, before: f64, after: f64| {
            format!("<tr><td>{name}</td><td>{before:.3}</td><td>{after:.3}</td></tr>\n")
        };
        let (before, after) = (&self.before, &self.after);
        let figures: String = [
            ("Mel-cepstral distortion, dB", before.mcd_db, after.mcd_db),
            ("F0 error (RMSE), Hz", before.f0_rmse_hz, after.f0_rmse_hz),
            ("F0 error (RMSE), cents", before.f0_rmse_cents, after.f0_rmse_cents),
            ("Speaker distance, dB", before.speaker_distance_db, after.speaker_distance_db),
            ("Duration error, frames", before.duration_mae_frames, after.duration_mae_frames),
            ("Acoustic loss", before.acoustic_loss, after.acoustic_loss),
            ("Vocoder NLL, nats per sample", before.nll, after.nll),
        ]
        .into_iter()
        .map(|(name, before, after)| row(name, before, after))
        .collect();
        let left_out: String = (self.recordings.left_out.iter())
            .map(|remark| format!("<li>{}</li>\n", escaped(&remark.to_string())))
            .collect();
        let pictures: String = (pictures.iter())
            .map(|Picture { caption, url }| {
                format!("<h2>{}</h2><img src=\"{url}\" alt=\"\">\n", escaped(caption))
            })
            .collect();
        let compared = self.compared.iter().map(ToString::to_string);
        let remarks: Vec<_> = self.plan.warning().into_iter().chain(compared).collect();
        let remarks = escaped(&remarks.join("; "));
        let curves: String = self.stages.iter().map(curve).collect();
        let memory = self.peak_rss_kb.map_or("unknown".to_owned(), |kb| format!("{} MB", kb / 1024));
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{name}</title>\n\
             <style>body{{font:16px sans-serif;max-width:46em;margin:2em auto}}td,th{{padding:.2em 1em;text-align:right}}\
             td:first-child{{text-align:left}}</style>\n<h1>Voice {name}</h1>\n\
             <p>Adapted from {base} with {used} of {found} recordings ({seconds:.0} s of speech; {train} learnt from, \
             {validation} to decide when to stop, {test} measured on) in {minutes:.1} minutes, {memory} of memory. \
             {weights} weights changed, {bytes} bytes.</p>\n<p>{remarks}</p>\n\
             <table><tr><th></th><th>before</th><th>after</th></tr>\n{figures}</table>\n{pictures}{curves}\n\
             <h2>Left out</h2><ul>{left_out}</ul></html>\n",
            name = escaped(&self.name),
            base = escaped(&self.base),
            used = self.recordings.used,
            found = self.recordings.found,
            seconds = self.recordings.seconds,
            train = self.split[0],
            validation = self.split[1],
            test = self.split[2],
            minutes = self.seconds / 60.0,
            weights = self.weights_changed,
            bytes = self.file_bytes,
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The first figure of each validation as a line over the steps.
fn curve(stage: &StageReport) -> String {
    const SIZE: (f64, f64) = (640.0, 160.0);
    let mut series: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for line in stage.log.iter().filter(|line| line.kind == LineKind::Validation) {
        for name in ["loss", "nll"] {
            if let Some(value) = line.figures.get(name).and_then(serde_json::Value::as_f64) {
                series.entry(name).or_default().push((line.step as f64, value));
            }
        }
    }
    let mut text = String::new();
    for (name, points) in series {
        let bounds = points.iter().fold([f64::MAX, f64::MIN], |[low, high], p| [low.min(p.1), high.max(p.1)]);
        let last = points.last().map_or(1.0, |point| point.0).max(1.0);
        let span = (bounds[1] - bounds[0]).max(1e-9);
        let line: String = points
            .iter()
            .map(|(step, value)| {
                format!("{:.1},{:.1} ", SIZE.0 * step / last, SIZE.1 * (bounds[1] - value) / span)
            })
            .collect();
        text.push_str(&format!(
            "<h2>{}: held-out {name}</h2><p>{:.4} to {:.4}, {} steps</p>\
             <svg width=\"{}\" height=\"{}\" style=\"border:1px solid #999;overflow:visible\">\
             <polyline fill=\"none\" stroke=\"#0072b2\" stroke-width=\"2\" points=\"{line}\"/></svg>\n",
            stage.name, bounds[0], bounds[1], stage.steps, SIZE.0, SIZE.1,
        ));
    }
    text
}
