//! How many cores the computation may take.
//!
//! Candle's thread pools read `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS` once, at their first use, and offer no other
//! way in. A program cannot set its own environment safely once it has threads, and not at all without `unsafe`, so the
//! program starts itself anew with the variables set: the same process, before anything was read or computed. Variables
//! that the user has set are left alone.

/// The pools of candle's matrix products: float, quantised.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"];

/// Leaves one core to the rest of the machine, above all to the audio thread. Returns in the process whose pools are
/// limited.
pub fn leave_one_core() {
    if VARIABLES.iter().any(|name| std::env::var_os(name).is_none()) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        restart(cores.saturating_sub(1).max(1));
    }
}

#[cfg(unix)]
fn restart(threads: usize) {
    use std::os::unix::process::CommandExt;
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = std::process::Command::new(program);
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments);
    for name in VARIABLES.into_iter().filter(|name| std::env::var_os(name).is_none()) {
        command.env(name, threads.to_string());
    }
    // Only a failure returns: then the pools take what they take, and the speech is the same.
    let error = command.exec();
    tracing::debug!(%error, "thread pools are not limited");
}

#[cfg(not(unix))]
fn restart(_threads: usize) {}
