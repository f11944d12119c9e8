//! What the base voice knows and the recordings may not say: its own speech, brought to the speaker's pitch and colour.

use super::AdaptError;
use crate::acoustic::{Controls, FastSpeech, Statistics};
use crate::phoneme::Pronouncer;
use crate::text::normalise;
use crate::train::acoustic::Example;

/// Sentences in which every phone of English is said at least once.
const TEXTS: [&str; 12] = [
    "The usual measure of pleasure is a large orange garage door.",
    "She chose a cheap watch and a jar of fudge.",
    "Both brothers breathe with their mouths closed.",
    "Boys enjoy noisy toys, and the oil is boiling.",
    "How about a brown cow outside our house?",
    "The young singer was bringing long strings.",
    "Five vans have driven over the frozen river.",
    "Would you put the good book back by the woolen hood?",
    "Zebras at the zoo doze as the music plays.",
    "A nurse heard the early bird in the third fern.",
    "Thick cloth and thin thread, then another thing.",
    "Which yellow onion would he use for the huge stew?",
];

/// The base voice's own examples, as if the speaker had said them: what is normal for the one becomes normal for the other.
pub(super) fn rehearsal(base: &FastSpeech, speaker: &Statistics) -> Result<Vec<Example>, AdaptError> {
    let own = base.statistics()?;
    let pronouncer = Pronouncer::new();
    let mut examples = Vec::new();
    for text in TEXTS {
        // A lexicon of the user's own may leave nothing of a sentence; then it is not rehearsed.
        let Ok(phrase) = pronouncer.pronounce(&normalise(text)) else { continue };
        let said = base.speak(&phrase, &Controls::default())?;
        let mut mel = said.frames.flatten_all()?.to_vec1::<f32>()?;
        let bands = own.mel_mean.len();
        for frame in mel.chunks_exact_mut(bands) {
            for (band, x) in frame.iter_mut().enumerate() {
                let normal = (*x - own.mel_mean[band]) / own.mel_deviation[band];
                *x = speaker.mel_mean[band] + speaker.mel_deviation[band] * normal;
            }
        }
        let pitch = |x: &f32| {
            let normal = (x - own.variance_mean[0]) / own.variance_deviation[0];
            speaker.variance_mean[0] + speaker.variance_deviation[0] * normal
        };
        examples.push(Example {
            phones: phrase.phones,
            durations_frames: said.durations_frames,
            mel,
            log_f0: said.log_f0.iter().map(pitch).collect(),
            voicing: said.voicing.iter().map(|&x| f32::from(u8::from(x > 0.5))).collect(),
        });
    }
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::phoneme::Symbol;

    #[test]
    fn every_phone_is_rehearsed() {
        let pronouncer = Pronouncer::new();
        let said: BTreeSet<String> = (TEXTS.iter())
            .flat_map(|text| pronouncer.pronounce(&normalise(text)).unwrap().phones)
            .map(|phone| phone.symbol.to_string().trim_end_matches(char::is_numeric).to_owned())
            .collect();
        let all = (0..=u8::MAX).filter_map(Symbol::from_id).filter(|symbol| symbol.pause().is_none());
        for symbol in all {
            let phone = symbol.to_string().trim_end_matches(char::is_numeric).to_owned();
            assert!(said.contains(&phone), "{phone}");
        }
    }
}
