//! What the daemon writes to standard error, from where service managers take it.

use std::io::{self, IsTerminal};

use tracing::Level;

/// Events from `level` on, a line each. The journal has its own clock.
pub fn write(level: Level) {
    let lines = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(level);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        lines.with_ansi(false).without_time().init();
    } else {
        lines.with_ansi(io::stderr().is_terminal()).init();
    }
}
