//! What the acoustic model is trained for.

use std::sync::Arc;

use candle_core::{D, Device, Result, Tensor};

use super::batch::Batch;
use crate::acoustic::TeacherForced;
use crate::nn::ops;

/// Weights of the parts, chosen so that none drowns the others: mels are in deviations, log-F0 too.
const DELTA: f64 = 0.5;
const LOG_F0: f64 = 0.5;
const VOICING: f64 = 0.5;
const DURATION: f64 = 0.2;
const DURATION_MEAN: f64 = 0.03;
const VARIANCE: f64 = 0.2;

/// The loss and its parts, each a scalar.
pub(super) struct Losses {
    pub(super) total: Tensor,
    pub(super) mel_before: Tensor,
    pub(super) mel_after: Tensor,
    delta: Tensor,
    log_f0: Tensor,
    voicing: Tensor,
    duration: Tensor,
    duration_mean: Tensor,
    variance: Tensor,
}

impl Losses {
    /// Named values for the log.
    pub(super) fn parts(&self) -> Result<Vec<(&'static str, f32)>> {
        let parts = [
            ("mel_before", &self.mel_before),
            ("mel_after", &self.mel_after),
            ("mel_delta", &self.delta),
            ("log_f0", &self.log_f0),
            ("voicing", &self.voicing),
            ("duration", &self.duration),
            ("duration_mean", &self.duration_mean),
            ("variance", &self.variance),
        ];
        parts.into_iter().map(|(name, value)| Ok((name, value.to_scalar::<f32>()?))).collect()
    }
}

/// The losses of a batch.
pub(super) fn losses(output: &TeacherForced, batch: &Batch) -> Result<Losses> {
    let frames = &output.frames;
    let mel_before = batch.mel_error(&frames.mel_before)?;
    let mel_after = batch.mel_error(&frames.mel_after)?;
    let delta = delta_error(&frames.mel_after, batch)?;
    let voiced = (&batch.voicing * &batch.frame_mask)?;
    let log_f0 = weighted_mean(&(&frames.log_f0 - &batch.log_f0)?.abs()?, &voiced)?;
    let voicing =
        weighted_mean(&binary_cross_entropy(&frames.voicing_logits, &batch.voicing)?, &batch.frame_mask)?;
    let (duration, duration_mean) = duration_losses(&output.duration_logits, batch)?;
    let variance = variance_loss(output, batch)?;
    let total = [
        (&mel_before, 1.0),
        (&mel_after, 1.0),
        (&delta, DELTA),
        (&log_f0, LOG_F0),
        (&voicing, VOICING),
        (&duration, DURATION),
        (&duration_mean, DURATION_MEAN),
        (&variance, VARIANCE),
    ]
    .into_iter()
    .try_fold(Tensor::new(0f32, &Device::Cpu)?.to_device(batch.mel.device())?, |sum, (part, weight)| {
        sum + (part * weight)?
    })?;
    Ok(Losses { total, mel_before, mel_after, delta, log_f0, voicing, duration, duration_mean, variance })
}

/// `Σ xs · weights / Σ weights`; 0 when there is no weight.
fn weighted_mean(xs: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let total = f64::from(weights.sum_all()?.to_scalar::<f32>()?);
    (xs * weights)?.sum_all()? / total.max(1e-6)
}

/// The mean absolute error of the mel's change from frame to frame: a mel that is smooth in time pays here.
fn delta_error(mel: &Tensor, batch: &Batch) -> Result<Tensor> {
    let difference = batch.mel_difference(mel)?;
    let (_, frames, mels) = difference.dims3()?;
    if frames < 2 {
        return difference.sum_all()? * 0.0;
    }
    let change = (difference.narrow(1, 1, frames - 1)? - difference.narrow(1, 0, frames - 1)?)?;
    let lengths: Arc<[usize]> = batch.lengths.iter().map(|rows| rows.saturating_sub(1)).collect();
    let count = (lengths.iter().sum::<usize>() * mels).max(1);
    ops::keep_rows(&change, &lengths)?.abs()?.sum_all()? / count as f64
}

/// Of logits and targets in 0 to 1, element by element, without overflow: `max(x, 0) − x y + ln(1 + e^−|x|)`.
fn binary_cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    (logits.relu()? - (logits * targets)?)? + tail
}

/// The cross-entropy of the durations, and the mean error of their means in frames. Zero durations count: a pause that
/// does not happen is what the model has to say about it.
fn duration_losses(logits: &Tensor, batch: &Batch) -> Result<(Tensor, Tensor)> {
    let (rows, tokens, bins) = logits.dims3()?;
    let top = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&top)?;
    let normalizer = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let mut chosen = vec![0f32; rows * tokens * bins];
    for (i, durations) in batch.teacher.durations.iter().enumerate() {
        for (token, &duration) in durations.iter().enumerate() {
            chosen[(i * tokens + token) * bins + (duration as usize).min(bins - 1)] = 1.0;
        }
    }
    let chosen = Tensor::from_vec(chosen, (rows, tokens, bins), logits.device())?;
    let log_likelihood = (shifted.broadcast_sub(&normalizer)? * chosen)?.sum(D::Minus1)?;
    let entropy = weighted_mean(&log_likelihood.neg()?, &batch.real_tokens)?;

    let values = Tensor::arange(0f32, bins as f32, logits.device())?;
    let means = ops::softmax(logits)?.broadcast_mul(&values)?.sum(D::Minus1)?;
    let wanted = batch.durations.clamp(0f32, (bins - 1) as f32)?;
    let error = weighted_mean(&(means - wanted)?.abs()?, &batch.real_tokens)?;
    Ok((entropy, error))
}

/// The negative log-likelihood of the tokens' log-F0, voicing and energy, a Gaussian each, without its constant.
/// Tokens without frames have none of them.
fn variance_loss(output: &TeacherForced, batch: &Batch) -> Result<Tensor> {
    let error = (&output.variance_means - &batch.variances)?.sqr()?;
    let likelihood = ((error * output.log_variances.neg()?.exp()?)? + &output.log_variances)? * 0.5;
    weighted_mean(&likelihood?.mean(D::Minus1)?, &batch.token_mask)
}
