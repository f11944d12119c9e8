//! What an adaptation will take: steps, time and memory, before it begins.

use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use serde::Serialize;

use super::{AdaptConfig, AdaptError};

/// A stage's steps on a few minutes of speech, its highest learning rate, and what a step takes on a core of
/// [`REFERENCE_GFLOPS`].
const STAGES: [(u64, f64, f64); 3] = [(300, 1e-3, 0.11), (400, 5e-4, 0.21), (600, 5e-4, 0.55)];
/// What the machine on which the steps were timed does in [`gigaflops`].
const REFERENCE_GFLOPS: f64 = 60.0;
/// Checks, alignments, measurements and the report, against the time of all steps.
const OVERHEAD: f64 = 1.25;
/// Frames of a batch of the acoustic model, and pieces of a batch of the vocoder; halved until they fit.
const BATCH: (usize, usize) = (2000, 12);
/// The smallest batches that still teach something.
const LEAST_BATCH: (usize, usize) = (500, 3);
/// Memory without a batch and without speech.
const BASE_MB: f64 = 200.0;
/// Memory of a second of speech: its samples, source and frames.
const SECOND_MB: f64 = 0.6;
/// Memory of a frame of an acoustic batch, and of a vocoder's piece.
const BATCH_MB: (f64, f64) = (0.13, 36.0);

/// With less speech than this the voice is warned of.
const SCANT_SECONDS: f64 = 60.0;

/// What an adaptation will do and take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Recordings to learn from.
    pub recordings: usize,
    /// Their length.
    pub speech_seconds: f64,
    /// Steps of the stages: heads, deeper, vocoder.
    pub steps: [u64; 3],
    /// Most frames of a batch of the acoustic model.
    pub frames_per_batch: usize,
    /// Pieces of a batch of the vocoder.
    pub pieces_per_batch: usize,
    /// Estimate of the time from here to the end.
    pub seconds: f64,
    /// Estimate of the most memory.
    pub memory_mb: u64,
}

impl Plan {
    /// Fits the work into the budget of `config`: smaller batches for less memory, fewer steps for less time.
    pub(super) fn new(
        config: &AdaptConfig,
        (recordings, speech_seconds): (usize, f64),
        speed_gflops: f64,
    ) -> Result<Self, AdaptError> {
        let memory_mb = |(frames, pieces): (usize, usize)| {
            let batch = (BATCH_MB.0 * frames as f64).max(BATCH_MB.1 * pieces as f64);
            (BASE_MB + SECOND_MB * speech_seconds + batch).ceil() as u64
        };
        let mut batch = BATCH;
        while memory_mb(batch) > config.most_memory_mb && batch > LEAST_BATCH {
            batch = (batch.0 / 2, batch.1 / 2);
        }
        let (needed_mb, allowed_mb) = (memory_mb(batch), config.most_memory_mb);
        if needed_mb > allowed_mb {
            return Err(AdaptError::Memory { needed_mb, allowed_mb });
        }
        let shrink = batch.0 as f64 / BATCH.0 as f64;
        let seconds = |scale: f64| {
            let of_stage = |(steps, _, seconds): (u64, f64, f64)| steps as f64 * seconds * shrink;
            let reference: f64 = STAGES.into_iter().map(of_stage).sum();
            OVERHEAD * scale * reference * REFERENCE_GFLOPS / speed_gflops.max(0.01)
        };
        let allowed = config.most_time.map_or(f64::INFINITY, |time| time.as_secs_f64());
        let scale = config.scale * (allowed / seconds(config.scale)).min(1.0);
        let scaled = |(steps, _, _): (u64, f64, f64)| ((steps as f64 * scale) as u64).max(2);
        Ok(Self {
            recordings,
            speech_seconds,
            steps: STAGES.map(scaled),
            frames_per_batch: batch.0,
            pieces_per_batch: batch.1,
            seconds: seconds(scale),
            memory_mb: needed_mb,
        })
    }

    /// What to expect of the voice, if there is too little to learn from.
    pub fn warning(&self) -> Option<String> {
        let Self { recordings, speech_seconds, .. } = self;
        (*speech_seconds < SCANT_SECONDS).then(|| {
            format!(
                "only {speech_seconds:.0} s of speech in {recordings} recordings: the voice will be rough; \
                 three minutes, about 50 sentences, make a good one"
            )
        })
    }

    /// The highest learning rate of a stage.
    pub(super) fn learning_rate(stage: usize) -> f64 {
        STAGES[stage].1
    }

    /// The share of the time that is over when a stage must be.
    pub(super) fn share_until(stage: usize) -> f64 {
        let cost = |(steps, _, seconds): (u64, f64, f64)| steps as f64 * seconds;
        let until: f64 = STAGES[..=stage].iter().copied().map(cost).sum();
        until / STAGES.into_iter().map(cost).sum::<f64>() / OVERHEAD
    }
}

/// Speed of this machine in products of matrices, as training does them, in 10⁹ operations per second: the best of a few.
pub(super) fn gigaflops() -> candle_core::Result<f64> {
    const SIZE: usize = 384;
    let matrix = Tensor::rand(-1f32, 1f32, (SIZE, SIZE), &Device::Cpu)?;
    let mut best = Duration::MAX;
    for _ in 0..12 {
        let start = Instant::now();
        matrix.matmul(&matrix)?;
        best = best.min(start.elapsed());
    }
    Ok(2.0 * (SIZE as f64).powi(3) / best.as_secs_f64() / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::Source;

    fn config() -> AdaptConfig {
        AdaptConfig::new(("recordings".into(), "alice".into()), (Source::Bundled, "alice.gguf".into()))
    }

    fn plan(config: &AdaptConfig, gflops: f64) -> Result<Plan, AdaptError> {
        Plan::new(config, (48, 180.0), gflops)
    }

    #[test]
    fn less_memory_is_smaller_batches_until_there_is_none() {
        let roomy = plan(&config(), REFERENCE_GFLOPS).unwrap();
        assert_eq!((roomy.frames_per_batch, roomy.pieces_per_batch), BATCH);
        let most_memory_mb = roomy.memory_mb - 50;
        let tight = plan(&AdaptConfig { most_memory_mb, ..config() }, REFERENCE_GFLOPS).unwrap();
        assert!(tight.frames_per_batch < roomy.frames_per_batch && tight.memory_mb <= most_memory_mb);
        let error = plan(&AdaptConfig { most_memory_mb: 150, ..config() }, REFERENCE_GFLOPS).unwrap_err();
        assert!(matches!(error, AdaptError::Memory { allowed_mb: 150, .. }) && error.hint().is_some());
    }

    #[test]
    fn little_speech_is_warned_of() {
        let warning = |recording| Plan::new(&config(), recording, REFERENCE_GFLOPS).unwrap().warning();
        let warned = warning((5, 20.4)).unwrap();
        assert!(warned.starts_with("only 20 s of speech in 5 recordings"), "{warned}");
        assert_eq!(warning((48, 180.0)), None);
    }

    #[test]
    fn less_time_is_fewer_steps() {
        let free = plan(&config(), REFERENCE_GFLOPS).unwrap();
        let slow = plan(&config(), REFERENCE_GFLOPS / 4.0).unwrap();
        assert!((slow.seconds / free.seconds - 4.0).abs() < 1e-6 && slow.steps == free.steps);
        let most_time = Some(Duration::from_secs_f64(free.seconds / 2.0));
        let short = plan(&AdaptConfig { most_time, ..config() }, REFERENCE_GFLOPS).unwrap();
        assert!((short.seconds / free.seconds - 0.5).abs() < 1e-6);
        assert!(short.steps.iter().zip(free.steps).all(|(short, free)| short * 2 == free));
        let ample = AdaptConfig { most_time: Some(Duration::from_secs(100_000)), ..config() };
        assert_eq!(plan(&ample, REFERENCE_GFLOPS).unwrap(), free);
    }

    #[test]
    fn stages_share_the_time() {
        let shares: Vec<f64> = (0..3).map(Plan::share_until).collect();
        assert!(shares[0] > 0.0 && shares[0] < shares[1] && shares[1] < shares[2] && shares[2] < 1.0);
        assert!(gigaflops().unwrap() > 0.0);
    }
}
