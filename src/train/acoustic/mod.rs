//! Training of the native acoustic model: teacher-forced durations and prosody, L1 on mels and pitch, likelihoods of
//! durations and variances.

mod batch;
mod loss;

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};

use super::features::Utterance;
use super::task::{BatchLoss, Task};
use crate::acoustic::{Config, Dropout, Error, FastSpeech, Layout, Statistics, VARIANCES, token_variances};
use crate::nn::{Params, ops};
use crate::phoneme::Phone;

use batch::{Batch, Plan};
use loss::{Losses, losses};

/// What this task reads of an utterance.
#[derive(Debug, Clone)]
pub struct Example {
    /// The tokens.
    pub phones: Vec<Phone>,
    /// Frames of each token.
    pub durations_frames: Vec<u32>,
    /// Natural-log mels, `[frames × mels]`, row-major.
    pub mel: Vec<f32>,
    /// Natural logarithm of F0 in Hz, continuous through unvoiced frames.
    pub log_f0: Vec<f32>,
    /// Voicing of each frame, 0 to 1.
    pub voicing: Vec<f32>,
}

impl From<Utterance> for Example {
    /// Keeps the tracks and lets the waveforms go.
    fn from(utterance: Utterance) -> Self {
        Self {
            phones: utterance.timed.phones,
            durations_frames: utterance.timed.durations_frames,
            mel: utterance.mel,
            log_f0: utterance.log_f0,
            voicing: utterance.voicing,
        }
    }
}

/// How an [`AcousticTask`] trains.
#[derive(Debug, Clone)]
pub struct AcousticOptions {
    /// Decides the start of the parameters, the batches and the dropout.
    pub seed: u64,
    /// Most frames of a batch, padding included; at least one utterance is always taken.
    pub frames_per_batch: usize,
    /// Tensors to start from, by name; the statistics among them win over those of the training utterances.
    pub preset: HashMap<String, Tensor>,
    /// The branches that are trained, of a model that `preset` holds whole; all if `None`.
    pub open: Option<Vec<String>>,
    /// Where to compute.
    pub device: Device,
}

impl Default for AcousticOptions {
    fn default() -> Self {
        Self { seed: 0, frames_per_batch: 2000, preset: HashMap::new(), open: None, device: Device::Cpu }
    }
}

/// An utterance with what the model is taught about its tokens.
struct Prepared {
    example: Example,
    variances: Vec<[f32; VARIANCES]>,
}

impl Prepared {
    fn new(example: Example, mels: usize) -> Result<Self> {
        let tracks = (&example.log_f0[..], &example.voicing[..]);
        if example.phones.len() != example.durations_frames.len() || example.log_f0.is_empty() {
            candle_core::bail!(
                "utterance: {} phones, {} durations, {} frames",
                example.phones.len(),
                example.durations_frames.len(),
                example.log_f0.len()
            );
        }
        let variances = token_variances(&example.durations_frames, tracks, (&example.mel, mels))?;
        Ok(Self { variances, example })
    }

    fn frames(&self) -> usize {
        self.example.log_f0.len()
    }
}

/// The native acoustic model in training.
pub struct AcousticTask {
    model: FastSpeech,
    params: Params,
    train: Vec<Prepared>,
    validation: Vec<Prepared>,
    plan: Plan,
    options: AcousticOptions,
}

impl AcousticTask {
    /// # Errors
    /// The configuration is invalid or not native, there are no utterances to train or to validate on, an utterance's
    /// parts do not fit each other, or a preset tensor has another shape.
    pub fn new(
        config: &Config,
        (train, validation): (Vec<Example>, Vec<Example>),
        mut options: AcousticOptions,
    ) -> std::result::Result<Self, Error> {
        if config.layout != Layout::Native {
            return Err(Error::Layout { call: "training", needed: "native" });
        }
        config.validate()?;
        let prepare = |examples: Vec<Example>| {
            examples.into_iter().map(|e| Prepared::new(e, config.mels)).collect::<Result<Vec<_>>>()
        };
        let (train, validation) = (prepare(train)?, prepare(validation)?);
        if train.is_empty() || validation.is_empty() {
            return Err(Error::Compute(candle_core::Error::Msg(
                "training: expected utterances to train and to validate on".into(),
            )));
        }
        for (name, tensor) in statistics(&train, config.mels).preset()? {
            options.preset.entry(name).or_insert(tensor);
        }
        let params = match &options.open {
            None => Params::trainable(options.seed, options.preset.clone(), &options.device),
            Some(open) => Params::partly_trainable(options.preset.clone(), open, &options.device),
        };
        let model = FastSpeech::new(config, &params)?;
        let plan = Plan::new(options.seed, options.frames_per_batch);
        Ok(Self { model, params, train, validation, plan, options })
    }

    /// The model as it is now.
    pub fn model(&self) -> &FastSpeech {
        &self.model
    }

    fn batch(&self, members: &[&Prepared]) -> Result<Batch> {
        let statistics = self.model.statistics().map_err(compute)?;
        Batch::new(members, statistics, &self.options.device)
    }

    fn forward(&self, batch: &Batch, dropout: &Dropout) -> Result<Losses> {
        let output = self.model.teacher_forced(&batch.tokens, &batch.teacher, dropout).map_err(compute)?;
        losses(&output, batch)
    }

    /// Adds one batch's validation sums.
    fn measure(&self, batch: &Batch, sums: &mut Sums) -> Result<()> {
        let off = Dropout::off();
        let encoded = self.model.encode(&batch.tokens, &off)?;
        let output = self.model.teacher_forced(&batch.tokens, &batch.teacher, &off).map_err(compute)?;
        let losses = losses(&output, batch)?;
        let frames = batch.frame_count as f64;
        sums.frames += frames;
        sums.loss += frames * scalar(&losses.total)?;
        sums.mel_before += frames * scalar(&losses.mel_before)?;
        sums.mel_after += frames * scalar(&losses.mel_after)?;
        sums.mel_high += frames * scalar(&batch.high_band_error(&output.frames.mel_after)?)?;

        let statistics = self.model.statistics().map_err(compute)?;
        let probabilities = ops::softmax(&output.duration_logits)?.to_vec3::<f32>()?;
        let means = output.variance_means.to_vec3::<f32>()?;
        let mut spoken = batch.teacher.clone();
        for (i, variances) in spoken.variances.iter_mut().enumerate() {
            for (token, values) in variances.iter_mut().enumerate() {
                let row = &probabilities[i][token];
                let mean: f32 = row.iter().enumerate().map(|(d, p)| d as f32 * p).sum();
                sums.duration += f64::from((mean - batch.teacher.durations[i][token] as f32).abs());
                sums.tokens += 1.0;
                for (which, value) in values.iter_mut().enumerate() {
                    *value = statistics.variance_mean[which]
                        + statistics.variance_deviation[which] * means[i][token][which];
                }
            }
        }
        // Pitch and voicing as they would be spoken: from predicted prosody, at the teacher's durations.
        let spoken = self.model.decode(&encoded, &spoken, &off).map_err(compute)?;
        sums.mel_spoken += frames * scalar(&batch.mel_error(&spoken.mel_after)?)?;
        let (log_f0, logits) = (spoken.log_f0.to_vec2::<f32>()?, spoken.voicing_logits.to_vec2::<f32>()?);
        for (i, member) in batch.sources.iter().enumerate() {
            for (frame, (&wanted, &voicing)) in member.0.iter().zip(&member.1).enumerate() {
                let voiced = voicing > 0.5;
                sums.voicing_errors += f64::from(u8::from((logits[i][frame] > 0.0) != voiced));
                if voiced {
                    let got =
                        log_f0[i][frame] * statistics.variance_deviation[0] + statistics.variance_mean[0];
                    let octaves = f64::from(got - wanted) / std::f64::consts::LN_2;
                    sums.cents += (1200.0 * octaves).powi(2);
                    sums.hertz += f64::from(got.exp() - wanted.exp()).powi(2);
                    sums.voiced += 1.0;
                }
            }
        }
        Ok(())
    }
}

/// Sums over the held-out utterances.
#[derive(Default)]
struct Sums {
    frames: f64,
    loss: f64,
    mel_before: f64,
    mel_after: f64,
    mel_high: f64,
    mel_spoken: f64,
    voicing_errors: f64,
    voiced: f64,
    hertz: f64,
    cents: f64,
    tokens: f64,
    duration: f64,
}

impl Task for AcousticTask {
    fn params(&self) -> &Params {
        &self.params
    }

    fn loss(&mut self, step: u64) -> Result<BatchLoss> {
        let members: Vec<&Prepared> = {
            let lengths: Vec<usize> = self.train.iter().map(Prepared::frames).collect();
            self.plan.batch(step, &lengths).iter().map(|&i| &self.train[i]).collect()
        };
        let dropout = Dropout::new(self.model.config().dropout, self.options.seed ^ (step << 1 | 1));
        let losses = self.forward(&self.batch(&members)?, &dropout)?;
        let parts = losses.parts()?;
        Ok(BatchLoss { total: losses.total, parts })
    }

    fn validate(&mut self) -> Result<Vec<(&'static str, f32)>> {
        let lengths: Vec<usize> = self.validation.iter().map(Prepared::frames).collect();
        let mut sums = Sums::default();
        for members in Plan::pack(&lengths, self.options.frames_per_batch) {
            let members: Vec<&Prepared> = members.iter().map(|&i| &self.validation[i]).collect();
            self.measure(&self.batch(&members)?, &mut sums)?;
        }
        let voiced = sums.voiced.max(1.0);
        let figures = [
            ("loss", sums.loss / sums.frames),
            ("mel_l1_before", sums.mel_before / sums.frames),
            ("mel_l1_after", sums.mel_after / sums.frames),
            ("mel_l1_above_3_khz", sums.mel_high / sums.frames),
            ("mel_l1_predicted_prosody", sums.mel_spoken / sums.frames),
            ("f0_rmse_hz", (sums.hertz / voiced).sqrt()),
            ("f0_rmse_cents", (sums.cents / voiced).sqrt()),
            ("voicing_error_percent", 100.0 * sums.voicing_errors / sums.frames),
            ("duration_mae_frames", sums.duration / sums.tokens),
        ];
        Ok(figures.map(|(name, value)| (name, value as f32)).to_vec())
    }
}

fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(f64::from(tensor.to_scalar::<f32>()?))
}

fn compute(error: Error) -> candle_core::Error {
    match error {
        Error::Compute(error) => error,
        other => candle_core::Error::wrap(other),
    }
}

/// Means and deviations over these examples, whose mels have `mels` bands.
///
/// # Errors
/// An example's parts do not fit each other.
pub fn statistics_of(examples: &[Example], mels: usize) -> Result<Statistics> {
    let prepared: Result<Vec<_>> = examples.iter().map(|e| Prepared::new(e.clone(), mels)).collect();
    Ok(statistics(&prepared?, mels))
}

/// Means and deviations over the training utterances.
fn statistics(examples: &[Prepared], mels: usize) -> Statistics {
    let mut bands = vec![Moments::default(); mels];
    let mut tokens = [Moments::default(); VARIANCES];
    for prepared in examples {
        for row in prepared.example.mel.chunks_exact(mels) {
            bands.iter_mut().zip(row).for_each(|(m, &x)| m.add(x));
        }
        for (values, &duration) in prepared.variances.iter().zip(&prepared.example.durations_frames) {
            let voiced = values[1] > 0.0;
            for (which, moments) in tokens.iter_mut().enumerate() {
                // The pitch of a token without a voiced frame is only a line between its neighbours.
                if duration > 0 && (which != 0 || voiced) {
                    moments.add(values[which]);
                }
            }
        }
    }
    // Voicing is a share already.
    tokens[1] = Moments { count: 1.0, sum: 0.0, squares: 1.0 };
    Statistics {
        mel_mean: bands.iter().map(|m| m.mean() as f32).collect(),
        mel_deviation: bands.iter().map(Moments::deviation).collect(),
        variance_mean: tokens.map(|m| m.mean() as f32),
        variance_deviation: tokens.map(|m| m.deviation()),
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f32) {
        self.count += 1.0;
        self.sum += f64::from(x);
        self.squares += f64::from(x) * f64::from(x);
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }

    /// Never so small that dividing by it is unsafe.
    fn deviation(&self) -> f32 {
        let variance = self.squares / self.count.max(1.0) - self.mean() * self.mean();
        variance.max(1e-4).sqrt() as f32
    }
}
