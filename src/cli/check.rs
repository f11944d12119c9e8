//! `fastglow check`

use std::path::PathBuf;

use clap::Args;
use fastglow::config::ConfigFile;

use super::failure::{Failure, tell};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration of the daemon.
    file: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    ConfigFile::read(&arguments.file)?.resolve()?;
    tell(format_args!("{}: no error", arguments.file.display()));
    Ok(())
}
