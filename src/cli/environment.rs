//! What candle and the C library read from the environment, and no other way: how many threads to take,
//! how to keep memory together.
//!
//! A program cannot change its own environment without `unsafe`, so it starts itself anew with the variables set: the
//! same process, before anything was read or computed. Variables that the user has set are left alone.

/// Takes so many threads, or leaves one core to the rest of the machine, above all to the audio thread. Returns in a process in which this holds.
pub fn prepare(threads: Option<usize>) {
    set(wanted(threads));
}

/// As [`prepare`], for a process that speaks: glibc's pools of memory for each thread, of which each keeps what it once
/// had, would take a fifth more, and twice as much after months of loading voices anew. One pool is hardly slower here.
pub fn prepare_to_speak(threads: Option<usize>) {
    let mut variables = wanted(threads);
    variables.push(("MALLOC_ARENA_MAX", "1".into()));
    set(variables);
}

/// Stands back behind other programs, by so much of Unix's niceness; threads made from now on do too.
#[cfg(unix)]
pub fn stand_back(niceness: u8) {
    use rustix::process::{getpriority_process, setpriority_process};
    let is_nicer = getpriority_process(None).is_ok_and(|own| own >= i32::from(niceness));
    if !is_nicer && let Err(error) = setpriority_process(None, i32::from(niceness)) {
        tracing::debug!(%error, "as eager as before");
    }
}

/// Elsewhere it is as eager as any program.
#[cfg(not(unix))]
pub fn stand_back(_niceness: u8) {}

fn set(mut variables: Vec<(&'static str, String)>) {
    variables.retain(|(name, _)| std::env::var_os(name).is_none());
    if !variables.is_empty() {
        restart(&variables);
    }
}

fn wanted(threads: Option<usize>) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.unwrap_or(cores.saturating_sub(1)).max(1).to_string();
    vec![("RAYON_NUM_THREADS", threads.clone()), ("CANDLE_NUM_THREADS", threads)]
}

#[cfg(unix)]
fn restart(variables: &[(&str, String)]) {
    use std::os::unix::process::CommandExt;
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = std::process::Command::new(program);
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
    // Only a failure returns: then the pools take what they take, and the speech is the same.
    let error = command.exec();
    tracing::debug!(%error, "thread pools are not limited");
}

#[cfg(not(unix))]
fn restart(_variables: &[(&str, String)]) {}
