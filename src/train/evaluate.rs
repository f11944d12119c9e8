//! Sound for judging a voice: the teacher's own, the vocoder's from the teacher's mel, and the whole voice's from text.

use std::path::Path;
use std::sync::Arc;

use super::TrainError;
use super::corpus::{CorpusConfig, speak_texts, stem};
use crate::engine::{SpeakConfig, Synthesizer};
use crate::signal::{
    Excitation, ExcitationConfig, F0Config, F0Tracker, MelConfig, MelSpectrogram, SourceFrame,
    continuous_log_f0, read_wav, resample,
};
use crate::vocoder::{Context, Noise, PhraseInput, WaveGlow};

/// Folders of WAV files within the output folder.
pub const FOLDERS: [&str; 3] = ["teacher", "copy", "speech"];

/// Speaks each of `texts` in three ways into `folder`: `teacher/`, `copy/` and `speech/`, numbered alike.
///
/// # Errors
/// Festival is missing, the voice fails, or a file cannot be written.
pub fn speak_evaluation(
    texts: &[String],
    voice: &Synthesizer,
    folder: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), TrainError> {
    let [teacher, copy, speech] = FOLDERS.map(|name| folder.join(name));
    for folder in [&copy, &speech] {
        std::fs::create_dir_all(folder).map_err(|e| TrainError::io(folder, e))?;
    }
    speak_texts(texts, &CorpusConfig::default().teacher_voice, &teacher, &mut |_, _| {})?;
    let config = SpeakConfig::default();
    let noise = Noise::Seeded { seed: config.seed, scale: config.noise_scale };
    let analysis = Analysis::new()?;
    for (index, text) in texts.iter().enumerate() {
        let name = format!("{}.wav", stem(index));
        let recording = read_wav(&teacher.join(&name))?;
        let samples =
            analysis.resynthesise(&recording.samples, recording.sample_rate_hz, (voice.vocoder(), &noise))?;
        write_wav(&copy.join(&name), &samples, voice.sample_rate_hz())?;
        let samples = voice.speak(text, config.clone()).map_err(|e| TrainError::Speech(Box::new(e)))?;
        write_wav(&speech.join(&name), &samples, voice.sample_rate_hz())?;
        progress(index + 1, texts.len());
    }
    Ok(())
}

/// What copy-synthesis takes from a recording.
struct Analysis {
    mel: MelSpectrogram,
    f0: F0Tracker,
}

impl Analysis {
    fn new() -> Result<Self, TrainError> {
        Ok(Self { mel: MelSpectrogram::new(MelConfig::default())?, f0: F0Tracker::new(F0Config::default())? })
    }

    /// The vocoder's rendering of a recording, from its mel, F0 and voicing.
    fn resynthesise(
        &self,
        samples: &[f32],
        rate_hz: u32,
        (vocoder, noise): (&Arc<WaveGlow>, &Noise),
    ) -> Result<Vec<f32>, TrainError> {
        /// F0 of a recording without a voiced frame.
        const FALLBACK_HZ: f32 = 180.0;
        let config = self.mel.config();
        let mut samples = resample(samples, rate_hz, config.sample_rate_hz)?;
        let frames = samples.len() / config.hop_samples;
        samples.truncate(frames * config.hop_samples);
        let mut mel = self.mel.forward(&samples)?;
        mel.truncate(frames);
        let mut track = self.f0.track(&samples)?;
        track.truncate(frames);
        let log_f0 = continuous_log_f0(&track, FALLBACK_HZ);
        let voicing = |hz: &Option<f32>| if hz.is_some() { 1.0 } else { 0.0 };
        let source: Vec<SourceFrame> = log_f0
            .iter()
            .zip(&track)
            .map(|(&log_f0, hz)| SourceFrame { log_f0, voicing: voicing(hz) })
            .collect();
        let mut features = Vec::with_capacity(frames * (mel.band_count + 2));
        for (bands, frame) in mel.log_mel.chunks_exact(mel.band_count).zip(&source) {
            features.extend_from_slice(bands);
            features.extend([frame.log_f0, frame.voicing]);
        }
        let rates =
            ExcitationConfig { sample_rate_hz: config.sample_rate_hz, hop_samples: config.hop_samples };
        let excitation = Excitation::new(rates).forward(&source);
        let input =
            PhraseInput { features: &features, excitation: Some(&excitation), context: Context::default() };
        Ok(vocoder.infer(&input, noise)?)
    }
}

fn write_wav(path: &Path, samples: &[f32], sample_rate_hz: u32) -> Result<(), TrainError> {
    let damaged = |e: hound::Error| TrainError::damaged(path, e);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: sample_rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).map_err(damaged)?;
    for &sample in samples {
        writer.write_sample(crate::audio::to_pcm16(sample)).map_err(damaged)?;
    }
    writer.finalize().map_err(damaged)
}
