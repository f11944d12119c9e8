//! How far a voice is from another one of the same models, such as the same voice in fewer bits.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::acoustic::{Controls, FastSpeech, Mel};
use crate::engine::{acoustic_model, vocoder_model};
use crate::phoneme::{PhonemeSeq, Pronouncer};
use crate::signal::{Excitation, ExcitationConfig, MelConfig, MelSpectrogram, SourceFrame, Stft};
use crate::text::normalise;
use crate::vocoder::{Conditioned, Context, Noise, PhraseInput, WaveGlow};
use crate::voice::{MelSettings, Part, Voice};
use crate::{Result, vocoder};

/// What both voices say.
const SENTENCE: &str = "The door is open now, and the lift is on its way to the third floor.";
/// What lies further below the loudest bin than this counts as so far below: nobody hears how quiet it is.
const RANGE_DB: f32 = 80.0;
/// Frames of the sound that a vocoder alone is given: a gliding tone with a hiss.
const TONE_FRAMES: usize = 86;

/// The models of a voice that are there, and what they are to say.
pub struct Models {
    acoustic: Option<FastSpeech>,
    vocoder: Option<Arc<WaveGlow>>,
    phrase: PhonemeSeq,
    mel: MelSettings,
}

/// How far apart two voices are. `None` where a voice has not the model for it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Difference {
    /// Mean difference of the log-mels, in nats, with the first voice's durations.
    pub mel_l1: Option<f64>,
    /// Root mean square difference of the pitch over the voiced frames.
    pub pitch_error_cents: Option<f64>,
    /// Root mean square difference of the spectra, over the bins and then the mean over the frames, of the whole way from
    /// phones to samples with the first voice's durations and pitch. With a pitch of its own, however close, a voice drifts
    /// out of phase, and a spectrum of harmonics and noise compares nothing else.
    pub log_spectral_distance_db: Option<f64>,
    /// Signal to error of the first voice's sound, encoded by its flows and decoded by the second's.
    pub flow_snr_db: Option<f64>,
}

impl Models {
    /// Builds the models of a voice.
    ///
    /// # Errors
    /// Its tensors do not fit its models.
    pub fn new(voice: &Voice) -> Result<Self> {
        let acoustic = voice.has(Part::Acoustic).then(|| acoustic_model(voice)).transpose()?;
        let vocoder = voice.has(Part::Vocoder).then(|| vocoder_model(voice)).transpose()?.map(Arc::new);
        let phrase = Pronouncer::new().pronounce(&normalise(SENTENCE))?;
        Ok(Self { acoustic, vocoder, phrase, mel: voice.meta().mel.clone() })
    }

    /// Says the sentence, or without an acoustic model makes the tone: seconds of sound, by frames where there is no vocoder.
    ///
    /// # Errors
    /// The acoustic model cannot speak our phones, or a computation failed.
    pub fn run(&self) -> Result<f64> {
        let mel = self.speak(None)?;
        let hop_s = self.mel.hop_samples as f64 / 22_050.0;
        match &self.vocoder {
            None => Ok(mel.frame_count() as f64 * hop_s),
            Some(vocoder) => {
                let rate_hz = f64::from(vocoder.config().sample_rate_hz);
                Ok(render(vocoder, &mel)?.len() as f64 / rate_hz)
            }
        }
    }

    /// How far `other` is from this.
    ///
    /// # Errors
    /// As [`Models::run`].
    pub fn difference(&self, other: &Models) -> Result<Difference> {
        let mel = self.speak(None)?;
        let other_mel = other.speak(Some(&mel.durations_frames))?;
        let mel_l1 = self.acoustic.as_ref().map(|_| l1(&mel, &other_mel)).transpose()?;
        let pitch_error_cents = self.acoustic.as_ref().map(|_| pitch_error_cents(&mel, &other_mel));
        let other_mel = Mel { log_f0: mel.log_f0.clone(), voicing: mel.voicing.clone(), ..other_mel };
        let (Some(vocoder), Some(other_vocoder)) = (&self.vocoder, &other.vocoder) else {
            return Ok(Difference {
                mel_l1,
                pitch_error_cents,
                log_spectral_distance_db: None,
                flow_snr_db: None,
            });
        };
        let samples = render(vocoder, &mel)?;
        let other_samples = render(other_vocoder, &other_mel)?;
        Ok(Difference {
            mel_l1,
            pitch_error_cents,
            log_spectral_distance_db: Some(log_spectral_distance_db(&samples, &other_samples)?),
            flow_snr_db: Some(flow_snr_db([vocoder, other_vocoder], &samples, &mel)?),
        })
    }

    fn speak(&self, durations_frames: Option<&[u32]>) -> Result<Mel> {
        let Some(acoustic) = &self.acoustic else { return tone(&self.mel) };
        let controls = Controls::default();
        Ok(match durations_frames {
            Some(durations) => acoustic.speak_timed(&self.phrase, &controls, durations)?,
            None => acoustic.speak(&self.phrase, &controls)?,
        })
    }
}

/// Something that sounds, for a vocoder without an acoustic model: from 100 to 250 Hz, with a hiss.
fn tone(settings: &MelSettings) -> Result<Mel> {
    let config = ExcitationConfig { hop_samples: settings.hop_samples, ..ExcitationConfig::default() };
    let log_f0 = |frame: usize| (100.0 + 150.0 * frame as f32 / TONE_FRAMES as f32).ln();
    let sources: Vec<SourceFrame> =
        (0..TONE_FRAMES).map(|frame| SourceFrame { log_f0: log_f0(frame), voicing: 1.0 }).collect();
    let mut random = crate::random::SplitMix::new(1);
    let mut hiss = || (random.bits() >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
    let samples: Vec<f32> =
        Excitation::new(config).forward(&sources).iter().map(|pulse| 0.1 * pulse + 0.02 * hiss()).collect();
    let analysis = MelConfig {
        fft_samples: settings.window_samples,
        hop_samples: settings.hop_samples,
        band_count: settings.bands,
        ..MelConfig::default()
    };
    let mut frames = MelSpectrogram::new(analysis)
        .and_then(|analysis| analysis.forward(&samples))
        .map_err(candle_core::Error::wrap)?;
    frames.truncate(TONE_FRAMES);
    Ok(Mel {
        frames: Tensor::from_vec(frames.log_mel, (TONE_FRAMES, settings.bands), &Device::Cpu)?,
        log_f0: (0..TONE_FRAMES).map(log_f0).collect(),
        voicing: vec![1.0; TONE_FRAMES],
        durations_frames: vec![TONE_FRAMES as u32],
    })
}

fn l1(one: &Mel, other: &Mel) -> candle_core::Result<f64> {
    (&one.frames - &other.frames)?.abs()?.mean_all()?.to_scalar::<f32>().map(f64::from)
}

fn pitch_error_cents(one: &Mel, other: &Mel) -> f64 {
    let cents = |log: f32| 1200.0 * f64::from(log) / std::f64::consts::LN_2;
    let squares: Vec<f64> = (one.log_f0.iter().zip(&other.log_f0).zip(&one.voicing))
        .filter(|(_, voicing)| **voicing > 0.5)
        .map(|((one, other), _)| cents(one - other).powi(2))
        .collect();
    (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt()
}

/// What a vocoder is told of a phrase: features, and the excitation if it hears one.
fn input_of(config: &vocoder::Config, mel: &Mel) -> candle_core::Result<(Vec<f32>, Option<Vec<f32>>)> {
    let has_pitch = config.feature_channels() > config.mel_bands;
    let mut features = Vec::with_capacity(mel.frame_count() * config.feature_channels());
    for ((row, log_f0), voicing) in mel.frames.to_vec2::<f32>()?.iter().zip(&mel.log_f0).zip(&mel.voicing) {
        features.extend_from_slice(row);
        if has_pitch {
            features.extend([log_f0, voicing]);
        }
    }
    let (sample_rate_hz, hop_samples) = (config.sample_rate_hz, config.hop_samples);
    let source = |(&log_f0, &voicing)| SourceFrame { log_f0, voicing };
    let excitation = config.has_excitation().then(|| {
        let frames: Vec<_> = mel.log_f0.iter().zip(&mel.voicing).map(source).collect();
        Excitation::new(ExcitationConfig { sample_rate_hz, hop_samples }).forward(&frames)
    });
    Ok((features, excitation))
}

fn render(vocoder: &Arc<WaveGlow>, mel: &Mel) -> candle_core::Result<Vec<f32>> {
    let config = vocoder.config();
    let (features, excitation) = input_of(config, mel)?;
    let input =
        PhraseInput { features: &features, excitation: excitation.as_deref(), context: Context::default() };
    vocoder.infer(&input, &Noise::Seeded { seed: 0, scale: config.noise_scale })
}

fn log_spectral_distance_db(one: &[f32], other: &[f32]) -> candle_core::Result<f64> {
    let stft = Stft::new(1024, 256).map_err(candle_core::Error::wrap)?;
    let magnitudes = |samples: &[f32]| -> candle_core::Result<Vec<f32>> {
        Ok(stft.forward(samples).map_err(candle_core::Error::wrap)?.magnitudes())
    };
    let (one, other) = (magnitudes(one)?, magnitudes(other)?);
    let floor = one.iter().fold(f32::MIN_POSITIVE, |top, &m| top.max(m)) * 10f32.powf(-RANGE_DB / 20.0);
    let decibels = |magnitude: f32| f64::from(20.0 * magnitude.max(floor).log10());
    let bins = stft.bin_count();
    let frames: Vec<f64> = one
        .chunks_exact(bins)
        .zip(other.chunks_exact(bins))
        .map(|(one, other)| {
            let squares = one.iter().zip(other).map(|(&a, &b)| (decibels(a) - decibels(b)).powi(2));
            (squares.sum::<f64>() / bins as f64).sqrt()
        })
        .collect();
    Ok(frames.iter().sum::<f64>() / frames.len().max(1) as f64)
}

fn flow_snr_db(models: [&Arc<WaveGlow>; 2], samples: &[f32], mel: &Mel) -> candle_core::Result<f64> {
    let [one, other] = models;
    let config = one.config();
    // A lapped transform sees a hop before the first vector.
    let mut padded = vec![0.0; one.latency_samples()];
    padded.extend(samples.iter().map(|sample| sample / config.sample_rms as f32));
    let vectors = one.analyse(&Tensor::from_vec(padded.clone(), (1, padded.len()), &Device::Cpu)?)?;
    let conditioned = |model: &WaveGlow| -> candle_core::Result<Conditioned> {
        let (features, excitation) = input_of(config, mel)?;
        let rows = features.len() / config.feature_channels();
        let features = Tensor::from_vec(features, (1, rows, config.feature_channels()), &Device::Cpu)?;
        let excitation = excitation
            .map(|excitation| {
                let joined = [vec![0.0; config.hop_samples], excitation].concat();
                let length = joined.len();
                Tensor::from_vec(joined, (1, length), &Device::Cpu)
            })
            .transpose()?;
        model.condition(&features, excitation.as_ref(), Context::default())
    };
    let latent = one.likelihood(&vectors, &conditioned(one)?)?.latent;
    // What left first is drawn last.
    let early = (0..config.flows).filter(|&flow| config.leaves_before(flow)).count() * config.early_size;
    let mut latents = vec![latent.narrow(2, early, latent.dim(2)? - early)?.contiguous()?];
    for start in (0..early).step_by(config.early_size.max(1)).rev() {
        latents.push(latent.narrow(2, start, config.early_size)?.contiguous()?);
    }
    let decoded = other.sample(&conditioned(other)?, &Noise::Given { latents, scale: 1.0 }, 0, None)?;
    let power = |tensor: &Tensor| tensor.sqr()?.sum_all()?.to_scalar::<f32>().map(f64::from);
    Ok(10.0 * (power(&vectors)? / power(&(&vectors - decoded)?)?.max(f64::MIN_POSITIVE)).log10())
}
