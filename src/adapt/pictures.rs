//! A held-out recording with its alignment, and the same sentence by the voice as it was and as it is.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::pairs::Pair;
use super::{AdaptError, Alignment};
use crate::engine::{SpeakConfig, Synthesizer};
use crate::plot::{PhoneSpan, SpeechPlot, speech_png};
use crate::train::features::{FeatureConfig, FeatureExtractor, Tracks};

/// A picture that a page holds in itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// What is on it.
    pub caption: String,
    /// A PNG as a `data:` URL.
    pub url: String,
}

/// Three pictures of one sentence: the recording with the phones laid along it, before, and after.
pub(super) fn pictures(
    (before, after): (&Synthesizer, &Synthesizer),
    (pair, alignment): (&Pair, &Alignment),
    features: &FeatureConfig,
) -> Result<Vec<Picture>, AdaptError> {
    let extractor = FeatureExtractor::new(features)?;
    let hop_samples = features.mel.hop_samples;
    let draw = |caption: &str, tracks: &Tracks, phones: Vec<PhoneSpan>, words: Vec<PhoneSpan>| {
        let voiced = tracks.log_f0.iter().zip(&tracks.voicing);
        let plot = SpeechPlot {
            title: format!("{caption}: {}", pair.text),
            sample_rate_hz: features.mel.sample_rate_hz,
            samples: tracks.samples.clone(),
            f0_hz: voiced.map(|(log_f0, &voicing)| (voicing > 0.5).then(|| log_f0.exp())).collect(),
            hop_samples,
            phones,
            words,
        };
        let url = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(speech_png(&plot)?));
        Ok::<_, AdaptError>(Picture { caption: caption.into(), url })
    };
    let spoken = |voice: &Synthesizer| {
        let samples = voice.speak(&pair.text, SpeakConfig::default());
        let samples = samples.map_err(|error| AdaptError::Speech(Box::new(error)))?;
        Ok::<_, AdaptError>(extractor.tracks(0, samples)?)
    };
    let (phones, words) = spans(alignment, hop_samples);
    Ok(vec![
        draw("recording, as aligned", &pair.tracks, phones, words)?,
        draw("before", &spoken(before)?, Vec::new(), Vec::new())?,
        draw("after", &spoken(after)?, Vec::new(), Vec::new())?,
    ])
}

/// Phones and words as stretches of samples.
fn spans(alignment: &Alignment, hop_samples: usize) -> (Vec<PhoneSpan>, Vec<PhoneSpan>) {
    let (mut phones, mut words) = (Vec::new(), Vec::<PhoneSpan>::new());
    let (mut start_samples, mut word_at) = (0, None);
    for (phone, &frames) in alignment.timed.phones.iter().zip(&alignment.timed.durations_frames) {
        let end_samples = start_samples + frames as usize * hop_samples;
        if phone.symbol.pause().is_none() {
            phones.push(PhoneSpan { label: phone.symbol.to_string(), start_samples, end_samples });
            match words.last_mut() {
                Some(word) if word_at == phone.word => word.end_samples = end_samples,
                _ => {
                    let label = phone.word.and_then(|word| alignment.words.get(word as usize));
                    let label = label.cloned().unwrap_or_default();
                    words.push(PhoneSpan { label, start_samples, end_samples });
                }
            }
            word_at = phone.word;
        }
        start_samples = end_samples;
    }
    (phones, words)
}
