//! Adaptation: minutes of somebody's speech make the voice speak like them, on this machine alone.
//!
//! ```text
//!  recordings ─▶ checks ─▶ alignment with the base voice's own frames ─▶ output layers ─▶ alignment anew ─▶ deeper layers
//!                                                        vocoder: prior and ends of its flows ─▶ adapter ─▶ report
//! ```
//!
//! What stays frozen is not in the adapter: the base voice's own bytes speak.

mod align;
mod cepstrum;
mod error;
mod measure;
mod pairs;
mod prompts;
mod recorder;
mod recordings;
mod report;
mod tune;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::train::run::LogLine;
use crate::voice::Source;

pub use align::{Aligner, Alignment};
pub use cepstrum::{CEPSTRA, cepstra};
pub use error::AdaptError;
pub use measure::{Figures, distortion};
pub use pairs::{Fit, LeftOut};
pub use prompts::{built_in_prompts, read_prompts};
pub use recorder::{Enough, Progress, Recorder, Verdict};
pub use recordings::{Check, Problem, Remark, Take, check_recordings, check_sound, find_recordings};
pub use report::Report;
pub use tune::adapt;

/// How a voice is adapted.
#[derive(Debug, Clone)]
pub struct AdaptConfig {
    /// The folder of recordings: `metadata.csv` as in LJSpeech, or a `.txt` beside each `.wav`.
    pub recordings: PathBuf,
    /// The name of the new voice.
    pub name: String,
    /// The voice to start from.
    pub base: Source,
    /// Where the adapter goes.
    pub output: PathBuf,
    /// Where checkpoints and reports go.
    pub work: PathBuf,
    /// Decides batches, dropout and latents.
    pub seed: u64,
    /// Decoder blocks that the second stage opens, counted from the last.
    pub depth: usize,
    /// Multiplies all numbers of steps.
    pub scale: f64,
    /// Whether to write a whole voice instead of an adapter.
    pub is_merged: bool,
}

/// What happens during [`adapt`].
pub enum Event<'a> {
    /// Something is wrong with a recording.
    Remark(&'a Remark),
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
