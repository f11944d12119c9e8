//! Our phrases in the words of a published model: symbols, controls and pauses.

use candle_core::Tensor;

use super::fastspeech::check_tokens;
use super::published::{Reading, no_pitch};
use super::published_letters::Script;
use super::published_symbols::{COMMON_SYMBOLS, PUBLISHED_SYMBOLS};
use super::{Controls, Error, FastSpeech, MEL_FLOOR, Mel, Model, PhoneControls, contour};
use crate::phoneme::{Pause, Phone, PhonemeSeq, Symbol};

/// The published models never heard what follows a sentence: its silence is added. 174 ms.
const SENTENCE_SILENCE_FRAMES: f32 = 15.0;
/// As above, behind a clause: 81 ms.
const CLAUSE_SILENCE_FRAMES: f32 = 7.0;
/// Where no statistics tell the pitch: a voice between a man's and a woman's.
const FALLBACK_PITCH_HZ: f32 = 165.0;

impl FastSpeech {
    /// Whether a published model can say our phrases at all.
    pub(super) fn check_symbols(&self) -> Result<(), Error> {
        let got = self.config().symbols;
        let (expected, is_known) = match self.config().model {
            Model::FastSpeech2 => (PUBLISHED_SYMBOLS, got == PUBLISHED_SYMBOLS),
            // The published table has room behind its symbols.
            Model::FastSpeech1 => (COMMON_SYMBOLS, got >= COMMON_SYMBOLS),
            Model::FastPitch => (COMMON_SYMBOLS, got == COMMON_SYMBOLS),
        };
        if is_known { Ok(()) } else { Err(Error::SymbolTable { expected, got }) }
    }

    /// Speaks a phrase with a published model; `given` are durations in frames, one a phone, or its own; `each` is how the
    /// phones differ, if they do.
    pub(super) fn speak_published(
        &self,
        phrase: &PhonemeSeq,
        controls: &Controls,
        given: Option<&[u32]>,
        each: &[PhoneControls],
    ) -> Result<Mel, Error> {
        self.check_symbols()?;
        let script = Script::new(self.config().model, phrase);
        check_tokens(script.ids.len())?;
        // FastSpeech 2 never heard what follows a sentence; the others were given its mark.
        let adds_silence = self.config().model == Model::FastSpeech2;
        let ends_in_pause = phrase.phones.last().is_some_and(|phone| phone.symbol.pause().is_some());
        let silence = match given {
            _ if !adds_silence => 0,
            Some(given) if ends_in_pause => given.last().copied().unwrap_or(0),
            _ => silence_frames(&phrase.phones, controls.rate),
        };
        let each: Vec<PhoneControls> =
            script.phones_of_ids().filter_map(|phone| each.get(phone).copied()).collect();
        let reading = self.reading(controls, &each)?;
        let given = given.map(|given| vec![script.frames_of_ids(given)]);
        let (output, durations) = self.read_ids(std::slice::from_ref(&script.ids), &reading, given)?;
        let durations = durations.into_iter().next().unwrap_or_default();
        let mut durations_frames = script.frames_of_phones(&durations, phrase.phones.len());
        if let (Some(last), true) = (durations_frames.last_mut(), silence > 0) {
            *last = silence;
        }

        let mel = output.mel_after.get(0)?;
        let bands = mel.dim(1)?;
        let quiet = Tensor::full(MEL_FLOOR, (silence as usize, bands), mel.device())?;
        let frames = if silence > 0 { Tensor::cat(&[&mel, &quiet], 0)? } else { mel };
        let pitch = match &output.pitch {
            Some(pitch) => self.log_f0(&pitch.get(0)?.to_vec1::<f32>()?),
            None => vec![FALLBACK_PITCH_HZ.ln(); durations.len()],
        };
        let mut log_f0 = contour(&durations, &pitch);
        log_f0.resize(frames.dim(0)?, log_f0.last().copied().unwrap_or(FALLBACK_PITCH_HZ.ln()));
        let voicing = phrase.phones.iter().zip(&durations_frames);
        let voicing = voicing.flat_map(|(phone, &frames)| (0..frames).map(|_| voicing_of(phone.symbol)));
        Ok(Mel { frames: frames.maximum(MEL_FLOOR)?, log_f0, voicing: voicing.collect(), durations_frames })
    }

    /// What the controls are to a model that works on normalised values.
    fn reading(&self, controls: &Controls, each: &[PhoneControls]) -> Result<Reading, Error> {
        if controls.expressiveness > 0.0 {
            return Err(Error::Layout { call: "expressiveness", needed: "native" });
        }
        let config = self.config();
        let volume_factor = 10f32.powf(controls.volume_db / 20.0);
        let scaled = |what, control: f32, factor: f32| match (config.model, config.statistics) {
            _ if control == 0.0 => Ok((1.0, 0.0)),
            (Model::FastSpeech1, _) => Err(no_pitch(what)),
            // The logarithm of one more than the energy, of which little is left out.
            (Model::FastPitch, _) if what == "volume" && config.energy => Ok((1.0, factor.ln())),
            (Model::FastPitch, _) if what == "volume" => Err(no_pitch(what)),
            (_, None) => Err(Error::Statistics { what }),
            // Normal values of `factor` times what the values stand for.
            (_, Some(statistics)) => {
                let [mean, deviation] = if what == "pitch" { statistics.pitch_hz } else { statistics.energy };
                Ok((factor, mean * (factor - 1.0) / deviation))
            }
        };
        let pitch = |semitones: f32| scaled("pitch", semitones, (semitones / 12.0).exp2());
        let (mut rates, mut pitches) = controls.of_phones(each);
        if each.is_empty() {
            (rates, pitches) = (vec![controls.rate], vec![controls.pitch_semitones]);
        }
        Ok(Reading {
            pitch: pitches.into_iter().map(pitch).collect::<Result<_, _>>()?,
            energy: scaled("volume", controls.volume_db, volume_factor)?,
            duration: rates.into_iter().map(f32::recip).collect(),
            speaker: controls.speaker,
        })
    }

    fn log_f0(&self, pitch: &[f32]) -> Vec<f32> {
        let hz = |value: f32| match self.config().statistics {
            Some(statistics) => statistics.pitch_hz[0] + statistics.pitch_hz[1] * value,
            None => FALLBACK_PITCH_HZ,
        };
        pitch.iter().map(|&value| hz(value).clamp(super::F0_RANGE_HZ.0, super::F0_RANGE_HZ.1).ln()).collect()
    }
}

/// Frames of silence in place of the pause at the end, if there is one.
fn silence_frames(phones: &[Phone], rate: f32) -> u32 {
    let frames = match phones.last().and_then(|phone| phone.symbol.pause()) {
        Some(Pause::Stop | Pause::Question | Pause::Exclamation) => SENTENCE_SILENCE_FRAMES,
        Some(Pause::Comma | Pause::Colon | Pause::Break) => CLAUSE_SILENCE_FRAMES,
        Some(Pause::Start) | None => 0.0,
    };
    (frames / rate).round() as u32
}

fn voicing_of(symbol: Symbol) -> f32 {
    const VOICELESS: [&str; 9] = ["CH", "F", "HH", "K", "P", "S", "SH", "T", "TH"];
    // Of pinyin's initials, `b`, `d` and `g` are voiceless too.
    const VOICELESS_INITIALS: [&str; 17] =
        ["b", "c", "ch", "d", "f", "g", "h", "j", "k", "p", "q", "s", "sh", "t", "x", "z", "zh"];
    let name = symbol.to_string();
    let is_voiceless = symbol.pause().is_some()
        || VOICELESS.contains(&name.as_str())
        || VOICELESS_INITIALS.contains(&name.as_str());
    if is_voiceless { 0.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::{SequenceBuilder, WordSpan};

    #[test]
    fn silences_at_the_ends_are_not_given_to_the_model() {
        let mut builder = SequenceBuilder::default();
        let word = |builder: &mut SequenceBuilder, names: &str| {
            let phones: Vec<Symbol> = names.split(' ').filter_map(Symbol::parse).collect();
            builder.word(WordSpan { spoken: names.into(), source: 0..1 }, &phones);
        };
        word(&mut builder, "G OW1");
        builder.pause(Pause::Comma);
        word(&mut builder, "N AW1");
        let seq = builder.finish().unwrap();
        assert_eq!(seq.to_string(), "^ G OW1 , N AW1 .");
        assert_eq!(Script::new(Model::FastSpeech2, &seq).ids.len(), 5);
        assert_eq!(silence_frames(&seq.phones, 1.0), 15);
        assert_eq!(silence_frames(&seq.phones, 2.0), 8);
        assert_eq!(silence_frames(&seq.phones[..4], 1.0), 7);
        assert_eq!(silence_frames(&seq.phones[..3], 1.0), 0);
    }
}
