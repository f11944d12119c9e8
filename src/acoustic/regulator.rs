//! The length regulator: tokens become frames, and frames' tracks become values of tokens.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, bail};

use super::VARIANCES;
use super::config::FRAME_FEATURES;

/// Which token each frame of a batch repeats, and where in it the frame stands.
#[derive(Debug, Clone)]
pub struct Regulated {
    /// Row of the token in `[batch × tokens]`, `[batch × frames]`, u32; row 0 for padding.
    rows: Tensor,
    /// Place of each frame in its token, `[batch, frames, 4]`; zeros for padding.
    pub(super) features: Tensor,
    /// Frames of each sequence.
    pub lengths: Arc<[usize]>,
    /// Frames of the longest.
    pub frames: usize,
}

impl Regulated {
    /// Lays out `durations` (frames of each token; one list a sequence, no longer than `tokens`).
    ///
    /// # Errors
    /// There are no frames, or more durations than tokens.
    pub fn new(durations: &[Vec<u32>], tokens: usize, device: &Device) -> Result<Self> {
        let lengths: Arc<[usize]> =
            durations.iter().map(|d| d.iter().map(|&frames| frames as usize).sum()).collect();
        let frames = lengths.iter().copied().max().unwrap_or(0);
        if frames == 0 || durations.iter().any(|d| d.len() > tokens) {
            bail!("length regulator: expected frames for at most {tokens} tokens, got {frames} frames");
        }
        let mut rows = Vec::with_capacity(durations.len() * frames);
        let mut features = Vec::with_capacity(durations.len() * frames * FRAME_FEATURES);
        for (sequence, durations) in durations.iter().enumerate() {
            for (token, &duration) in durations.iter().enumerate() {
                rows.extend((0..duration).map(|_| (sequence * tokens + token) as u32));
                features.extend((0..duration).flat_map(|frame| place(frame, duration)));
            }
            rows.resize((sequence + 1) * frames, 0);
            features.resize((sequence + 1) * frames * FRAME_FEATURES, 0.0);
        }
        Ok(Self {
            rows: Tensor::from_vec(rows, durations.len() * frames, device)?,
            features: Tensor::from_vec(features, (durations.len(), frames, FRAME_FEATURES), device)?,
            lengths,
            frames,
        })
    }

    /// `xs [batch, tokens, channels]` to `[batch, frames, channels]`; padding repeats the first token.
    ///
    /// # Errors
    /// Shapes differ.
    pub fn repeat(&self, xs: &Tensor) -> Result<Tensor> {
        let (batch, tokens, channels) = xs.dims3()?;
        let rows = xs.contiguous()?.reshape((batch * tokens, channels))?;
        rows.index_select(&self.rows, 0)?.reshape((batch, self.frames, channels))
    }
}

/// Where frame `frame` of `duration` stands: relative place, log-duration, distance from either end.
fn place(frame: u32, duration: u32) -> [f32; FRAME_FEATURES] {
    let (frame, duration) = (frame as f32, duration as f32);
    [
        (frame + 0.5) / duration - 0.5,
        (duration + 1.0).ln() - 2.0,
        (frame * 0.1).min(1.0),
        ((duration - 1.0 - frame) * 0.1).min(1.0),
    ]
}

/// A smooth track through the values of the tokens: straight lines between the tokens' centres, level before the first
/// and after the last. One value a frame; tokens without frames are passed over.
pub fn contour(durations: &[u32], values: &[f32]) -> Vec<f32> {
    let mut knots: Vec<(f32, f32)> = Vec::with_capacity(values.len());
    let mut start = 0u32;
    for (&duration, &value) in durations.iter().zip(values) {
        if duration > 0 {
            knots.push((start as f32 + 0.5 * (duration as f32 - 1.0), value));
        }
        start += duration;
    }
    let mut next = 0;
    (0..start)
        .map(|frame| {
            let frame = frame as f32;
            while next < knots.len() && knots[next].0 <= frame {
                next += 1;
            }
            match (next.checked_sub(1).map(|i| knots[i]), knots.get(next)) {
                (Some((x0, y0)), Some(&(x1, y1))) => y0 + (y1 - y0) * (frame - x0) / (x1 - x0),
                (Some((_, y)), None) | (None, Some(&(_, y))) => y,
                (None, None) => 0.0,
            }
        })
        .collect()
}

/// Log-F0, voicing and energy of each token: means over its frames of `log_f0` (over the voiced ones, if any), of
/// `voicing`, and of `log_mel` (`[frames × mels]`, row-major) over frames and bands. A token without frames repeats the
/// values of the one before it.
///
/// # Errors
/// The durations do not add up to the frames of every track.
pub fn token_variances(
    durations: &[u32],
    (log_f0, voicing): (&[f32], &[f32]),
    (log_mel, mels): (&[f32], usize),
) -> Result<Vec<[f32; VARIANCES]>> {
    let total: usize = durations.iter().map(|&d| d as usize).sum();
    if log_f0.len() != total || voicing.len() != total || log_mel.len() != total * mels || mels == 0 {
        bail!(
            "token variances: durations of {total} frames, but {} of log-F0, {} of voicing, {} mel values",
            log_f0.len(),
            voicing.len(),
            log_mel.len()
        );
    }
    let mut values = Vec::with_capacity(durations.len());
    let mut start = 0;
    let mut last = [log_f0.first().copied().unwrap_or(0.0), 0.0, 0.0];
    for &duration in durations {
        let frames = start..start + duration as usize;
        start = frames.end;
        if !frames.is_empty() {
            let count = frames.len() as f32;
            let share = voicing[frames.clone()].iter().sum::<f32>() / count;
            let weight = |frame: usize| if voicing[frame] > 0.5 { 1.0 } else { 0.0 };
            let voiced: f32 = frames.clone().map(weight).sum();
            let pitch = if voiced > 0.0 {
                frames.clone().map(|f| weight(f) * log_f0[f]).sum::<f32>() / voiced
            } else {
                log_f0[frames.clone()].iter().sum::<f32>() / count
            };
            let energy =
                log_mel[frames.start * mels..frames.end * mels].iter().sum::<f32>() / (count * mels as f32);
            last = [pitch, share, energy];
        }
        values.push(last);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_repeat_their_tokens() {
        let xs = Tensor::arange(0f32, 12.0, &Device::Cpu).unwrap().reshape((2, 3, 2)).unwrap();
        let regulated = Regulated::new(&[vec![2, 0, 1], vec![0, 4]], 3, &Device::Cpu).unwrap();
        assert_eq!(*regulated.lengths, [3, 4]);
        let ys: Vec<Vec<Vec<f32>>> = regulated.repeat(&xs).unwrap().to_vec3().unwrap();
        let first: Vec<f32> = ys[0].iter().map(|row| row[0]).collect();
        let second: Vec<f32> = ys[1].iter().map(|row| row[0]).collect();
        assert_eq!(first[..3], [0.0, 0.0, 4.0]);
        assert_eq!(second, [8.0; 4]);
        assert!(Regulated::new(&[vec![0, 0]], 3, &Device::Cpu).is_err());
        assert!(Regulated::new(&[vec![1; 4]], 3, &Device::Cpu).is_err());
    }

    #[test]
    fn a_contour_passes_through_the_centres() {
        assert_eq!(contour(&[1, 0, 1, 3], &[1.0, 50.0, 2.0, 4.0]), [1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(contour(&[2], &[7.0]), [7.0, 7.0]);
        assert!(contour(&[0], &[7.0]).is_empty());
    }

    #[test]
    fn token_values_are_means_of_their_frames() {
        let mel = [1.0, 3.0, 5.0, 7.0, 0.0, 0.0];
        let got = token_variances(&[2, 0, 1], (&[5.0, 6.0, 4.0], &[0.0, 1.0, 0.0]), (&mel, 2)).unwrap();
        assert_eq!(got, [[6.0, 0.5, 4.0], [6.0, 0.5, 4.0], [4.0, 0.0, 0.0]]);
        assert!(token_variances(&[2, 2], (&[5.0, 6.0, 4.0], &[0.0, 1.0, 0.0]), (&mel, 2)).is_err());
    }
}
