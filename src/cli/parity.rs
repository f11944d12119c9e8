//! `fastglow parity`

use std::path::PathBuf;

use clap::Args;
use fastglow::import::{Checkpoint, ImportError};
use fastglow::parity;
use fastglow::voice::{SearchPath, Voice};

use super::failure::Failure;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The voice: a name from `fastglow voices list`, or a .gguf file. The mel front end alone needs none.
    #[arg(long, value_name = "NAME")]
    voice: Option<String>,

    /// Inputs and outputs of the original code, as safetensors.
    arrays: PathBuf,
}

/// Prints the largest error of every array as a JSON object; fails when one is beyond its tolerance.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.arrays;
    let arrays = Checkpoint::open(path).map_err(|source| ImportError::File { path: path.clone(), source })?;
    let find = |name: &String| Voice::load(&SearchPath::from_environment().find(name)?);
    let voice = arguments.voice.as_ref().map(find).transpose()?;
    let report = parity::compare(voice.as_ref(), &arrays)?;
    let json = serde_json::to_string_pretty(&report)
        .map_err(|error| Failure::Io { what: "figures", source: std::io::Error::other(error) })?;
    super::print(&(json + "\n"))?;
    if report.is_within {
        return Ok(());
    }
    let beyond = report.compared.iter().filter(|comparison| !comparison.is_within).count();
    Err(Failure::Parity { beyond, of: report.compared.len() })
}
