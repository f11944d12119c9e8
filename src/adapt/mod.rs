//! Adaptation: minutes of somebody's speech make the voice speak like them, on this machine alone.
//!
//! ```text
//!  recordings ─▶ checks ─▶ alignment with the base voice's own frames ─▶ output layers ─▶ alignment anew ─▶ deeper layers
//!                                                        vocoder: prior and ends of its flows ─▶ adapter ─▶ report
//! ```
//!
//! What stays frozen is not in the adapter: the base voice's own bytes speak.

mod align;
mod augment;
mod boundaries;
mod cepstrum;
mod choose;
mod error;
mod measure;
mod pace;
mod pairs;
mod pictures;
mod plan;
mod prompts;
mod recorder;
mod recordings;
mod rehearse;
mod report;
mod stages;
pub mod study;
mod tune;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::train::run::LogLine;
use crate::voice::Source;

pub use align::{Aligner, Alignment};
pub use augment::{Augmentation, augmented};
pub use cepstrum::{CEPSTRA, cepstra};
pub use choose::{Candidate, Choice, choose_base};
pub use error::AdaptError;
pub use measure::{Figures, distortion};
pub use pairs::{Fit, LeftOut};
pub use pictures::Picture;
pub use plan::Plan;
pub use prompts::{built_in_prompts, read_prompts};
pub use recorder::{Enough, Progress, Recorder, Verdict};
pub use recordings::{Check, Problem, Remark, Take, check_recordings, check_sound, find_recordings};
pub use report::Report;
pub use tune::adapt;

/// What the acoustic model is taught with, and how much of it is open. The vocoder's part is the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The recordings alone.
    #[default]
    Feature,
    /// Also altered copies of them, and what the base voice itself says.
    Corpus,
    /// The recordings alone, and the norms of all layers are open too.
    Transfer,
}

/// How a voice is adapted.
#[derive(Debug, Clone)]
pub struct AdaptConfig {
    /// The folder of recordings: `metadata.csv` as in LJSpeech, or a `.txt` beside each `.wav`.
    pub recordings: PathBuf,
    /// Recordings to measure on; if `None`, a few of the others are held out.
    pub test: Option<PathBuf>,
    /// The name of the new voice.
    pub name: String,
    /// The voice to start from.
    pub base: Source,
    /// How `base` was chosen, if [`choose_base`] did; for the report.
    pub compared: Vec<Candidate>,
    /// Where the adapter goes.
    pub output: PathBuf,
    /// Where checkpoints and reports go.
    pub work: PathBuf,
    /// Where the trained vocoder is kept for other adaptations from the same recordings; it does not depend on what is done
    /// to the acoustic model. `None` keeps it in `work` until the voice is written.
    pub vocoder_work: Option<PathBuf>,
    /// What it is taught with.
    pub method: Method,
    /// Decides batches, dropout and latents.
    pub seed: u64,
    /// Decoder blocks that the second stage opens, counted from the last.
    pub depth: usize,
    /// Whether the vocoder's conditioning network is open, or its output layers alone.
    pub opens_conditioner: bool,
    /// Whether a stage ends when its validation no longer improves.
    pub stops_early: bool,
    /// Whether the means and deviations of mel, pitch and energy become the speaker's.
    pub takes_statistics: bool,
    /// Multiplies all numbers of steps.
    pub scale: f64,
    /// Learns from so many seconds of speech at most, the first ones.
    pub most_speech_seconds: f64,
    /// Aims to be done in this time: with fewer steps, if need be.
    pub most_time: Option<Duration>,
    /// Takes at most about so much memory: with smaller batches, if need be.
    pub most_memory_mb: u64,
    /// Pauses while the machine is hotter than this.
    pub most_celsius: f32,
    /// Whether to write a whole voice instead of an adapter.
    pub is_merged: bool,
}

impl AdaptConfig {
    /// The usual settings: `(recordings, name)`, `(base, output)`.
    pub fn new((recordings, name): (PathBuf, String), (base, output): (Source, PathBuf)) -> Self {
        Self {
            recordings,
            test: None,
            name,
            base,
            compared: Vec::new(),
            work: work_folder(&output),
            output,
            vocoder_work: None,
            method: Method::default(),
            seed: 0,
            depth: 5,
            opens_conditioner: true,
            stops_early: true,
            takes_statistics: true,
            scale: 1.0,
            most_speech_seconds: 600.0,
            most_time: None,
            most_memory_mb: 1024,
            most_celsius: 85.0,
            is_merged: false,
        }
    }
}

/// What happens during [`adapt`].
pub enum Event<'a> {
    /// Something is wrong with a recording.
    Remark(&'a Remark),
    /// What will be done; training begins.
    Planned(&'a Plan),
    /// Some of a stage is done.
    Progress {
        /// What is being done.
        stage: &'static str,
        /// How much of it.
        done: u64,
        /// Of how much.
        total: u64,
    },
    /// A line of a training log.
    Line {
        /// Of which stage.
        stage: &'static str,
        /// The line.
        line: &'a LogLine,
    },
}

/// Hears of [`Event`]s; breaking stops the adaptation, which can be taken up again.
pub type Observer<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// The work folder that belongs to an adapter's file.
pub fn work_folder(output: &Path) -> PathBuf {
    output.with_extension("adapt")
}
