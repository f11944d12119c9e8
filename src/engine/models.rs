//! The models of a voice file.

use candle_core::Device;

use crate::acoustic::FastSpeech;
use crate::nn::Params;
use crate::vocoder::{Inversion, WaveGlow};
use crate::voice::{Fault, Part, Voice, VoiceError};
use crate::{Error, Result};

/// The acoustic model of a voice, whether or not it has a vocoder.
///
/// # Errors
/// There is none, or its tensors do not fit it.
pub fn acoustic_model(voice: &Voice) -> Result<FastSpeech> {
    let params = voice.params();
    let model = acoustic(voice, &params)?;
    check_used(voice, &params, Part::Acoustic.name())?;
    Ok(model)
}

/// The vocoder of a voice, whether or not it has an acoustic model; ready for synthesis.
///
/// # Errors
/// There is none, or its tensors do not fit it.
pub fn vocoder_model(voice: &Voice) -> Result<WaveGlow> {
    let params = voice.params();
    let model = vocoder(voice, &params, &Device::Cpu)?;
    check_used(voice, &params, Part::Vocoder.name())?;
    Ok(model)
}

/// Whether the tensors of a voice are those of its models; without the memory that a vocoder ready for synthesis takes.
///
/// # Errors
/// A tensor is missing, misshapen, or one too many.
pub fn check_models(voice: &Voice) -> Result<()> {
    if voice.has(Part::Acoustic) {
        acoustic_model(voice)?;
    }
    if voice.has(Part::Vocoder) {
        let params = voice.params();
        loaded_vocoder(voice, &params, &Device::Cpu)?;
        check_used(voice, &params, Part::Vocoder.name())?;
    }
    Ok(())
}

pub(super) fn acoustic(voice: &Voice, params: &Params) -> Result<FastSpeech> {
    let config = voice.config(Part::Acoustic)?;
    FastSpeech::new(&config, &params.pp(Part::Acoustic.name()))
        .map_err(|error| misfit(voice, Part::Acoustic, error))
}

pub(super) fn vocoder(voice: &Voice, params: &Params, device: &Device) -> Result<WaveGlow> {
    let mut model = loaded_vocoder(voice, params, device)?;
    model.prepare_synthesis(Inversion::Lu).map_err(|error| misfit(voice, Part::Vocoder, error))?;
    Ok(model)
}

fn loaded_vocoder(voice: &Voice, params: &Params, device: &Device) -> Result<WaveGlow> {
    let config = voice.config(Part::Vocoder)?;
    WaveGlow::new(&config, &params.pp(Part::Vocoder.name()).on(device))
        .map_err(|error| misfit(voice, Part::Vocoder, error))
}

/// A tensor that starts with `prefix` and that no model has asked for is a damaged file's.
pub(super) fn check_used(voice: &Voice, params: &Params, prefix: &str) -> Result<()> {
    let unused: Vec<_> = params.unused().into_iter().filter(|name| name.starts_with(prefix)).collect();
    match unused.first() {
        None => Ok(()),
        Some(first) => {
            let fault = Fault::UnusedTensors { count: unused.len(), first: first.clone() };
            Err(damaged(voice, fault))
        }
    }
}

pub(super) fn damaged(voice: &Voice, fault: Fault) -> Error {
    VoiceError::Damaged { origin: voice.origin().into(), fault }.into()
}

pub(super) fn misfit(
    voice: &Voice,
    part: Part,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    VoiceError::Model { origin: voice.origin().into(), part: part.name(), source: Box::new(source) }.into()
}
