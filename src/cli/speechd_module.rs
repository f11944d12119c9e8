//! `fastglow speechd-module`

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use clap::Args;
use fastglow::daemon::speechd::{self, Limits};

use super::environment;
use super::failure::Failure;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The module's configuration file. Without it, or where it is missing, everything is at its default.
    config: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    environment::prepare_to_speak(None);
    let config = match &arguments.config {
        None => String::new(),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => text,
            // speech-dispatcher names one for every module that it finds, whether or not it is there.
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Failure::File { path: path.clone(), source }),
        },
    };
    let source = |source| Failure::Io { what: "standard input or output", source };
    speechd::run(&config, io::stdin().lock(), io::stdout(), Limits::default()).map_err(source)
}
