//! An output module of [speech-dispatcher](https://freebsoft.org/speechd), the speech server of Linux desktops: screen
//! readers and `spd-say` speak through it.
//!
//! speech-dispatcher starts the module and talks to it in lines on standard input and output (its manual, "Output
//! Modules"). The sound goes back on standard output, and speech-dispatcher plays it, which it can since 0.11.
//!
//! The module makes its speech itself instead of asking `fastglow serve`: speech-dispatcher runs in each user's session,
//! where the daemon's socket may not be reachable, and a screen reader must speak also when no daemon runs.
//!
//! ```text
//!  stdin ──▶ Module (commands) ──▶ Speaker ──▶ Engine's threads
//!  stdout ◀── Output: replies ◀───────┴── sound, marks
//! ```
//!
//! Replies, sound and marks are each written under one lock, whole. While speech-dispatcher does not read, nothing more is
//! made.

mod config;
mod lines;
mod module;
mod output;
mod settings;
mod speaker;
mod spelling;
mod track;

pub use config::{ModuleConfig, ModuleConfigError};
pub use module::{Limits, run};
