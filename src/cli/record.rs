//! `fastglow record`

mod booth;

use std::path::PathBuf;

use clap::Args;
use fastglow::adapt::{Recorder, built_in_prompts, read_prompts};
use fastglow::audio::Microphone;

use super::failure::Failure;
use booth::{Booth, Keys, Source};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder for the recordings; what was recorded there before is not asked again.
    folder: PathBuf,
    /// Sentences of your own, one a line, instead of the built-in English ones.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// The microphone, as `fastglow devices --microphones` lists it.
    #[arg(long, value_name = "NAME", conflicts_with = "input")]
    device: Option<String>,
    /// Take this WAV file for the next prompt instead of a microphone; again for more.
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let prompts = match &arguments.prompts {
        Some(path) => read_prompts(path)?,
        None => built_in_prompts(),
    };
    // Before the folder is made: without a microphone there is nothing to put into it.
    let source = if arguments.input.is_empty() {
        Source::Microphone(Microphone::find(arguments.device.as_deref())?)
    } else {
        Source::Files(arguments.input.clone().into())
    };
    let recorder = Recorder::open(&arguments.folder, prompts)?;
    let keys = Keys::read(std::io::stdin());
    let progress = Booth { recorder, source, keys }.run()?;
    eprintln!("\n{}", booth::advice(&progress));
    if progress.kept > 0 {
        eprintln!("The recordings are in {}.", arguments.folder.display());
    }
    if !matches!(progress.enough(), fastglow::adapt::Enough::TooFew(_)) {
        eprintln!("Next: fastglow adapt {} --name NAME", arguments.folder.display());
    }
    Ok(())
}
