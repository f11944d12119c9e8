//! The command line: what the user asks for, in terms of the library.
//!
//! Standard output carries sound or listings only; everything else goes to standard error.

#[cfg(feature = "train")]
mod adapt;
mod bench;
#[cfg(feature = "daemon")]
mod check;
#[cfg(feature = "device")]
mod devices;
mod environment;
mod failure;
mod import;
mod input;
mod interrupt;
#[cfg(all(feature = "daemon", unix))]
mod journal;
mod lexicon;
mod load;
mod parity;
mod phonemes;
mod picture;
mod quantize;
#[cfg(all(feature = "train", feature = "device"))]
mod record;
#[cfg(all(feature = "daemon", unix))]
mod say;
#[cfg(all(feature = "daemon", unix))]
mod serve;
mod speak;
#[cfg(feature = "daemon")]
mod speechd_module;
#[cfg(feature = "train")]
mod train;
mod voices;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

const AFTER_HELP: &str = "\
Examples:
  fastglow speak \"The door is open.\"              through the loudspeaker
  fastglow speak -o hello.wav \"Hello, world.\"     into a file
  some-program | fastglow speak                   as the text arrives, a few words at a time
  fastglow speak -o - --raw \"Hi.\" | aplay -f S16_LE -r 22050
  fastglow serve --config fastglow.toml           the daemon
  echo hi | fastglow say                          through the daemon

Exit codes:
  0  done (also when the reader of a pipe has seen enough)
  1  failure: a file or the computation
  2  usage: an argument is wrong
  3  voice: missing or damaged
  4  audio device: none, busy or lost
  5  nothing to say: the text has no word
  6  configuration: wrong or unreadable
130  interrupted";

/// Speech for robots and kiosks: text in, sound out, on this machine alone.
#[derive(Debug, Parser)]
#[command(name = "fastglow", version, after_help = AFTER_HELP)]
struct Arguments {
    /// Report on standard error what is done and how long it takes.
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Speak a text.
    Speak(speak::Arguments),
    /// Show how a text is read: each step from text to phones.
    Phonemes(phonemes::Arguments),
    /// Measure this machine: from the first token to speech, and what each stage costs.
    Bench(bench::Arguments),
    /// List, show and verify voices.
    Voices(voices::Arguments),
    /// Make a voice of published FastSpeech 2 and WaveGlow checkpoints.
    Import(import::Arguments),
    /// Store a voice in fewer bits, and tell what that does to it.
    Quantize(quantize::Arguments),
    /// Hold a voice against what the original code computed.
    Parity(parity::Arguments),
    /// List the sound cards.
    #[cfg(feature = "device")]
    Devices(devices::Arguments),
    /// Be the daemon: several programs speak through one loudspeaker.
    #[cfg(all(feature = "daemon", unix))]
    Serve(serve::Arguments),
    /// Let the daemon speak a text, or give it an order.
    #[cfg(all(feature = "daemon", unix))]
    Say(say::Arguments),
    /// Check a configuration of the daemon.
    #[cfg(feature = "daemon")]
    Check(check::Arguments),
    /// Be an output module of speech-dispatcher, which starts it.
    #[cfg(feature = "daemon")]
    SpeechdModule(speechd_module::Arguments),
    /// Record somebody reading sentences aloud, for `adapt`.
    #[cfg(all(feature = "train", feature = "device"))]
    Record(record::Arguments),
    /// Make the voice speak like somebody, from recordings of them.
    #[cfg(feature = "train")]
    Adapt(adapt::Arguments),
    /// Make a voice: corpus, features, training, the voice file, its evaluation.
    #[cfg(feature = "train")]
    Train(train::Arguments),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.command {
        // It has a journal, with a level of its own.
        #[cfg(all(feature = "daemon", unix))]
        Command::Serve(_) if !arguments.verbose => {}
        _ => report_events(arguments.verbose),
    }
    let result = match &arguments.command {
        Command::Speak(arguments) => speak::run(arguments),
        Command::Phonemes(arguments) => phonemes::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Voices(arguments) => voices::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Quantize(arguments) => quantize::run(arguments),
        Command::Parity(arguments) => parity::run(arguments),
        #[cfg(feature = "device")]
        Command::Devices(arguments) => devices::run(arguments),
        #[cfg(all(feature = "daemon", unix))]
        Command::Serve(from) => serve::run(from, arguments.verbose),
        #[cfg(all(feature = "daemon", unix))]
        Command::Say(arguments) => say::run(arguments),
        #[cfg(feature = "daemon")]
        Command::Check(arguments) => check::run(arguments),
        #[cfg(feature = "daemon")]
        Command::SpeechdModule(arguments) => speechd_module::run(arguments),
        #[cfg(all(feature = "train", feature = "device"))]
        Command::Record(arguments) => record::run(arguments),
        #[cfg(feature = "train")]
        Command::Adapt(arguments) => adapt::run(arguments),
        #[cfg(feature = "train")]
        Command::Train(arguments) => train::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Writes a listing or figures to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let written = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    written.map_err(|source| Failure::Io { what: "standard output", source })
}

/// What the library warns of; if `verbose`, also what it does and how long that takes.
fn report_events(verbose: bool) {
    use tracing::Level;
    use tracing_subscriber::fmt::format::FmtSpan;
    let events =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    if verbose {
        events.with_max_level(Level::DEBUG).with_span_events(FmtSpan::CLOSE).init();
    } else {
        events.with_max_level(Level::WARN).without_time().with_target(false).init();
    }
}
