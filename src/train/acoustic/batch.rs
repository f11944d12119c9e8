//! Batches of utterances of like length, and their order.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::Prepared;
use crate::acoustic::{CounterNoise, Statistics, Teacher, Tokens};
use crate::nn::ops;

/// The first mel band whose centre is above 3 kHz, of 80 Slaney bands from 0 to 8 kHz, as a share of the bands.
const HIGH_BANDS: f64 = 55.0 / 80.0;

/// A padded batch with its targets, normalised.
pub(super) struct Batch {
    pub(super) tokens: Tokens,
    pub(super) teacher: Teacher,
    /// Frames of each utterance.
    pub(super) lengths: Arc<[usize]>,
    /// Their sum.
    pub(super) frame_count: usize,
    /// `[batch, frames, mels]`.
    pub(super) mel: Tensor,
    /// `[batch, frames]`.
    pub(super) log_f0: Tensor,
    /// `[batch, frames]`.
    pub(super) voicing: Tensor,
    /// 1 for real frames, `[batch, frames]`.
    pub(super) frame_mask: Tensor,
    /// 1 for tokens that have frames, `[batch, tokens]`.
    pub(super) token_mask: Tensor,
    /// 1 for real tokens, `[batch, tokens]`.
    pub(super) real_tokens: Tensor,
    /// Frames of each token, `[batch, tokens]`.
    pub(super) durations: Tensor,
    /// Normalised log-F0, voicing, energy of the tokens, `[batch, tokens, 3]`.
    pub(super) variances: Tensor,
    /// Log-F0 and voicing of each utterance as they came.
    pub(super) sources: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Batch {
    pub(super) fn new(members: &[&Prepared], statistics: &Statistics, device: &Device) -> Result<Self> {
        let phones: Vec<_> = members.iter().map(|m| &m.example.phones[..]).collect();
        let tokens = Tokens::from_phones(&phones, device)?;
        let (batch, count) = tokens.dims()?;
        let lengths: Arc<[usize]> = members.iter().map(|m| m.frames()).collect();
        let frames = lengths.iter().copied().max().unwrap_or(0);
        let mels = statistics.mel_mean.len();
        let grid = |width: usize, fill: &dyn Fn(&Prepared, &mut [f32])| {
            let mut values = vec![0f32; batch * width];
            for (row, member) in values.chunks_exact_mut(width).zip(members) {
                fill(member, row);
            }
            values
        };
        let tensor = |width: usize, fill: &dyn Fn(&Prepared, &mut [f32])| {
            Tensor::from_vec(grid(width, fill), (batch, width), device)
        };
        let mel = tensor(frames * mels, &|member, row| {
            for (out, frame) in row.chunks_exact_mut(mels).zip(member.example.mel.chunks_exact(mels)) {
                let bands = statistics.mel_mean.iter().zip(&statistics.mel_deviation);
                for ((y, x), (mean, deviation)) in out.iter_mut().zip(frame).zip(bands) {
                    *y = (x - mean) / deviation;
                }
            }
        })?;
        let log_f0 = tensor(frames, &|member, row| {
            let normal = |x: &f32| (x - statistics.variance_mean[0]) / statistics.variance_deviation[0];
            row.iter_mut().zip(&member.example.log_f0).for_each(|(y, x)| *y = normal(x));
        })?;
        let variances = tensor(count * 3, &|member, row| {
            for (out, values) in row.chunks_exact_mut(3).zip(&member.variances) {
                for (which, y) in out.iter_mut().enumerate() {
                    *y = (values[which] - statistics.variance_mean[which])
                        / statistics.variance_deviation[which];
                }
            }
        })?;
        let durations = |keep: fn(u32) -> f32| {
            tensor(count, &move |member, row| {
                row.iter_mut().zip(&member.example.durations_frames).for_each(|(y, &d)| *y = keep(d));
            })
        };
        Ok(Self {
            mel: mel.reshape((batch, frames, mels))?,
            log_f0,
            voicing: tensor(frames, &|member, row| {
                row[..member.frames()].copy_from_slice(&member.example.voicing);
            })?,
            frame_mask: tensor(frames, &|member, row| row[..member.frames()].fill(1.0))?,
            token_mask: durations(|d| f32::from(u8::from(d > 0)))?,
            real_tokens: durations(|_| 1.0)?,
            durations: durations(|d| d as f32)?,
            variances: variances.reshape((batch, count, 3))?,
            teacher: Teacher {
                durations: members.iter().map(|m| m.example.durations_frames.clone()).collect(),
                variances: members.iter().map(|m| m.variances.clone()).collect(),
            },
            sources: members.iter().map(|m| (m.example.log_f0.clone(), m.example.voicing.clone())).collect(),
            frame_count: lengths.iter().sum(),
            lengths,
            tokens,
        })
    }

    /// The error of a mel, zero in the padding: `[batch, frames, mels]`.
    pub(super) fn mel_difference(&self, mel: &Tensor) -> Result<Tensor> {
        ops::keep_rows(&(mel - &self.mel)?, &self.lengths)
    }

    /// The mean absolute error of a mel, normalised.
    pub(super) fn mel_error(&self, mel: &Tensor) -> Result<Tensor> {
        let count = (self.frame_count * self.mel.dim(2)?) as f64;
        self.mel_difference(mel)?.abs()?.sum_all()? / count
    }

    /// The same above 3 kHz alone.
    pub(super) fn high_band_error(&self, mel: &Tensor) -> Result<Tensor> {
        let mels = self.mel.dim(2)?;
        let first = (mels as f64 * HIGH_BANDS).round() as usize;
        let difference = self.mel_difference(mel)?.narrow(2, first, mels - first)?;
        difference.abs()?.sum_all()? / (self.frame_count * (mels - first)) as f64
    }
}

/// Which utterances make the batch of a step. Each epoch sees every utterance once, in batches of like length whose
/// membership and order depend on seed and epoch.
pub(super) struct Plan {
    seed: u64,
    frames_per_batch: usize,
    /// The epoch in `batches`, and the step at which it begins.
    epoch: u64,
    first_step: u64,
    batches: Vec<Vec<usize>>,
}

impl Plan {
    pub(super) fn new(seed: u64, frames_per_batch: usize) -> Self {
        Self { seed, frames_per_batch, epoch: 0, first_step: 0, batches: Vec::new() }
    }

    /// The members of the batch of `step`, for utterances of these lengths in frames.
    pub(super) fn batch(&mut self, step: u64, lengths: &[usize]) -> &[usize] {
        if self.batches.is_empty() || step < self.first_step {
            (self.epoch, self.first_step) = (0, 0);
            self.batches = self.shuffled(0, lengths);
        }
        while step >= self.first_step + self.batches.len() as u64 {
            self.first_step += self.batches.len() as u64;
            self.epoch += 1;
            self.batches = self.shuffled(self.epoch, lengths);
        }
        &self.batches[(step - self.first_step) as usize]
    }

    fn shuffled(&self, epoch: u64, lengths: &[usize]) -> Vec<Vec<usize>> {
        let noise = CounterNoise::new(self.seed ^ epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // A little noise on the lengths changes who meets whom, at the price of a little padding.
        let jittered: Vec<usize> = lengths
            .iter()
            .enumerate()
            .map(|(i, &frames)| (frames as f32 * (0.95 + 0.1 * noise.unit(i as u64)) * 16.0) as usize)
            .collect();
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&i| (jittered[i], i));
        let mut batches = fill(&order, lengths, self.frames_per_batch);
        for last in (1..batches.len()).rev() {
            let other = noise.bits((lengths.len() + last) as u64) % (last as u64 + 1);
            batches.swap(last, other as usize);
        }
        batches
    }

    /// Batches of all utterances by length.
    pub(super) fn pack(lengths: &[usize], frames_per_batch: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&i| (lengths[i], i));
        fill(&order, lengths, frames_per_batch)
    }
}

/// Cuts `order` into batches whose padded size stays within `frames_per_batch`.
fn fill(order: &[usize], lengths: &[usize], frames_per_batch: usize) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut longest = 0;
    for &i in order {
        longest = longest.max(lengths[i]);
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * longest <= frames_per_batch => batch.push(i),
            _ => {
                longest = lengths[i];
                batches.push(vec![i]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_sees_every_utterance_once_within_the_budget() {
        let lengths: Vec<usize> = (0..97).map(|i| 50 + (i * 37) % 400).collect();
        let mut plan = Plan::new(5, 1000);
        let mut step = 0;
        for _epoch in 0..2 {
            let mut seen = vec![0; lengths.len()];
            while seen.iter().sum::<usize>() < lengths.len() {
                let batch = plan.batch(step, &lengths).to_vec();
                let longest = batch.iter().map(|&i| lengths[i]).max().unwrap();
                assert!(longest * batch.len() <= 1000);
                batch.iter().for_each(|&i| seen[i] += 1);
                step += 1;
            }
            assert!(seen.iter().all(|&n| n == 1), "{seen:?}");
        }
    }

    #[test]
    fn a_step_has_its_batch_however_it_is_reached() {
        let lengths: Vec<usize> = (0..40).map(|i| 50 + (i * 37) % 300).collect();
        let mut forward = Plan::new(5, 1000);
        let batches: Vec<Vec<usize>> = (0..60).map(|step| forward.batch(step, &lengths).to_vec()).collect();
        for step in [59, 3, 31, 0] {
            assert_eq!(Plan::new(5, 1000).batch(step, &lengths), batches[step as usize]);
            assert_eq!(forward.batch(step, &lengths), batches[step as usize]);
        }
        let mut other = Plan::new(6, 1000);
        assert!((0..60).any(|step| other.batch(step, &lengths) != batches[step as usize]));
    }
}
