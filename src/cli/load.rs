//! Voices, with their vocoders on what the user asked for.

use std::sync::Arc;

use fastglow::compute::Compute;
use fastglow::engine::Synthesizer;
use fastglow::phoneme::UserWords;
use fastglow::voice::{SearchPath, Voice};

use super::failure::Failure;

/// Loads a voice of this name, with the vocoder of another one if that is named and with words of the user's own, on
/// what was asked for; says with `--verbose` what `auto` took.
pub fn voice(
    name: &str,
    vocoder: Option<&str>,
    words: Arc<UserWords>,
    compute: Compute,
) -> Result<Synthesizer, Failure> {
    let device = compute.open()?;
    tracing::info!(asked = %compute, taken = %Compute::of(&device), "what the vocoder computes on");
    let path = SearchPath::from_environment();
    let mut voice = Voice::load(&path.find(name)?)?;
    if let Some(vocoder) = vocoder {
        voice = voice.with_vocoder(Voice::load(&path.find(vocoder)?)?)?;
    }
    Ok(Synthesizer::new_on(&voice, words, &device)?)
}
