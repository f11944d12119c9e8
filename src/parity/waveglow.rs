//! WaveGlow: synthesis with given noise, the terms of the likelihood, the denoiser.

use std::sync::Arc;

use candle_core::Tensor;

use super::arrays::{Arrays, USUAL};
use crate::Result;
use crate::vocoder::{Context, Denoiser, Noise, PhraseInput, WaveGlow};

/// Frames of the empty mel from which the published denoiser learns the hum.
const EMPTY_FRAMES: usize = 88;
/// Names of the draws of noise beyond this are another file's.
const MAX_DRAWS: usize = 32;

pub fn is_set(arrays: &Arrays) -> bool {
    ["noise_0", "fwd_audio", "denoiser_bias_spec"].iter().any(|name| arrays.contains(name))
}

pub fn compare(model: &Arc<WaveGlow>, arrays: &mut Arrays) -> Result<()> {
    compare_synthesis(model, arrays)?;
    compare_likelihood(model, arrays)?;
    compare_denoiser(model, arrays)
}

/// `[batch, channels, time]` as `[batch, time, channels]`.
fn rows(tensor: &Tensor) -> candle_core::Result<Tensor> {
    tensor.transpose(1, 2)?.contiguous()
}

fn compare_synthesis(model: &Arc<WaveGlow>, arrays: &mut Arrays) -> Result<()> {
    let Some(mel) = arrays.get("mel")? else { return Ok(()) };
    let mel = rows(&mel)?;
    if let Some(want) = arrays.get("upsampled_mel")? {
        let samples = want.dim(2)?;
        arrays.compare("upsampled_mel", &upsampled(model, &mel, samples)?, USUAL)?;
    }
    let (Some(sigma), Some(noise)) = (arrays.values("sigma")?, noise(model, arrays)?) else { return Ok(()) };
    let scale = f64::from(sigma.first().copied().unwrap_or(1.0));
    let features = mel.flatten_all()?.to_vec1::<f32>()?;
    let input = PhraseInput { features: &features, excitation: None, context: Context::default() };
    let audio = model.infer(&input, &Noise::Given { latents: noise, scale })?;
    Ok(arrays.compare_values("audio", &audio, USUAL)?)
}

/// One draw at the start, and one for each time that channels come back.
fn noise(model: &WaveGlow, arrays: &mut Arrays) -> Result<Option<Vec<Tensor>>> {
    let config = model.config();
    let draws = 1 + (0..config.flows).filter(|&flow| config.leaves_before(flow)).count();
    let mut latents = Vec::new();
    for i in 0..draws.min(MAX_DRAWS) {
        let Some(latent) = arrays.get(&format!("noise_{i}"))? else { return Ok(None) };
        latents.push(rows(&latent)?);
    }
    Ok(Some(latents))
}

/// The first samples of the upsampled mel, `[1, bands, samples]`, taken out of what the flows are given: there, a vector's
/// channel is `band · group + phase`.
fn upsampled(model: &WaveGlow, mel: &Tensor, samples: usize) -> candle_core::Result<Tensor> {
    let config = model.config();
    let (group, bands) = (config.group_samples(), config.mel_bands);
    let vectors = model.condition(mel, None, Context::default())?.flows;
    let vectors = vectors.narrow(1, 0, samples.div_ceil(group).min(vectors.dim(1)?))?;
    let count = vectors.dim(1)?;
    let samples = samples.min(count * group);
    let by_band = vectors.contiguous()?.reshape((count, bands, group))?.permute((1, 0, 2))?.contiguous()?;
    by_band.reshape((1, bands, count * group))?.narrow(2, 0, samples)?.contiguous()
}

fn compare_likelihood(model: &WaveGlow, arrays: &mut Arrays) -> Result<()> {
    let (Some(audio), Some(mel)) = (arrays.get("fwd_audio")?, arrays.get("fwd_mel")?) else { return Ok(()) };
    let vectors = model.analyse(&audio)?;
    let mel = rows(&mel)?;
    // The mel may be longer than the audio; the published code cuts what becomes of it.
    let frames = vectors.dim(1)?.div_ceil(model.config().groups_per_frame());
    let after_frames = mel.dim(1)?.saturating_sub(frames);
    let conditioned = model.condition(&mel, None, Context { before_frames: 0, after_frames })?;
    let likelihood = model.likelihood(&vectors, &conditioned)?;
    arrays.compare("fwd_z", &rows(&likelihood.latent)?, USUAL)?;
    for (name, parts) in [("fwd_log_s", &likelihood.log_scales), ("fwd_log_det", &likelihood.log_dets)] {
        let parts: Vec<f32> = parts.iter().map(Tensor::to_scalar).collect::<candle_core::Result<_>>()?;
        let total = parts.iter().map(|&part| f64::from(part)).sum::<f64>() as f32;
        let each = if name == "fwd_log_s" { "fwd_log_s_sum" } else { name };
        arrays.compare_values(each, &parts, USUAL)?;
        arrays.compare_values(&format!("{name}_total"), &[total], USUAL)?;
    }
    // The published loss has no Gaussian constant.
    let constant = 0.5 * (2.0 * std::f32::consts::PI).ln();
    let loss = likelihood.nats_per_sample()?.to_scalar::<f32>()? - constant;
    Ok(arrays.compare_values("fwd_loss_sigma1", &[loss], USUAL)?)
}

fn compare_denoiser(model: &Arc<WaveGlow>, arrays: &mut Arrays) -> Result<()> {
    if let Some(want) = arrays.values("denoiser_bias_audio")? {
        let features = vec![0.0; EMPTY_FRAMES * model.config().feature_channels()];
        let input = PhraseInput { features: &features, excitation: None, context: Context::default() };
        let hum = model.infer(&input, &Noise::Seeded { seed: 0, scale: 0.0 })?;
        arrays.compare_values("denoiser_bias_audio", &hum[..want.len().min(hum.len())], USUAL)?;
    }
    let wanted = ["denoiser_bias_spec", "denoised_audio"];
    if !wanted.iter().any(|name| arrays.contains(name)) {
        return Ok(wanted.iter().try_for_each(|name| arrays.get(name).map(drop))?);
    }
    let denoiser = Denoiser::new(model)?;
    arrays.compare_values("denoiser_bias_spec", denoiser.bias(), USUAL)?;
    if let (Some(strength), Some(audio)) = (arrays.values("denoiser_strength")?, arrays.values("audio")?) {
        let denoised = denoiser.forward(&audio, strength.first().copied().unwrap_or(0.0))?;
        arrays.compare_values("denoised_audio", &denoised, USUAL)?;
    }
    Ok(())
}
