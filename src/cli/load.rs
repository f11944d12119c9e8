//! Voices, with their vocoders on what the user asked for.

use std::sync::Arc;

use fastglow::compute::Compute;
use fastglow::engine::Synthesizer;
use fastglow::voice::SearchPath;

use super::failure::Failure;

/// Loads a voice of this name, its vocoder on what was asked for; says with `--verbose` what `auto` took.
pub fn voice(name: &str, compute: Compute) -> Result<Synthesizer, Failure> {
    let device = compute.open()?;
    tracing::info!(asked = %compute, taken = %Compute::of(&device), "what the vocoder computes on");
    let source = SearchPath::from_environment().find(name)?;
    Ok(Synthesizer::load_on(&source, Arc::default(), &device)?)
}
