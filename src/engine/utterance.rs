//! One utterance: pieces of text in, windows of samples out.

use std::ops::ControlFlow;
use std::time::Instant;

use super::stats::Meter;
use super::{Gain, SpeakConfig, Stats, Synthesizer};
use crate::acoustic::{Controls, DurationChoice, Mel};
use crate::phoneme::{Pause, PhonemeSeq};
use crate::signal::{Excitation, ExcitationConfig, SourceFrame};
use crate::text::{PhraseLimits, TextChunk, Token, TokenKind, Unspoken, normalise, phrases};
use crate::vocoder::{Noise, PhraseInput, Stream};
use crate::{Error, Result};

/// Phones of one pass through the acoustic model, about 20 seconds: bounds its memory, whatever the text.
const MAX_PHRASE_PHONES: usize = 250;

/// What an utterance hands out.
pub enum Event<'a> {
    /// A phrase begins: the samples that follow are its own.
    Phrase(PhraseTrace<'a>),
    /// The next samples, mono, within ±1.
    Samples(&'a [f32]),
}

/// A phrase as the models see it.
pub struct PhraseTrace<'a> {
    /// Where it begins in the utterance.
    pub first_sample: u64,
    /// Its phones and words.
    pub phones: &'a PhonemeSeq,
    /// Its frames.
    pub mel: &'a Mel,
}

/// What became of a piece of text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spoken {
    /// Parts of the text that could not be spoken, as byte ranges in it.
    pub unspoken: Vec<Unspoken>,
    /// Whether the callback ended the utterance; later calls speak nothing.
    pub is_stopped: bool,
}

/// The callback: what to do with an event, and whether to go on.
pub type Listener<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// Speech in the making. Computes on the caller's thread, inside the calls.
pub struct Utterance<'a> {
    synthesizer: &'a Synthesizer,
    config: SpeakConfig,
    gain: Gain,
    stream: Stream,
    window_frames: usize,
    frames: u64,
    is_stopped: bool,
    meter: Meter,
}

impl<'a> Utterance<'a> {
    pub(super) fn new(synthesizer: &'a Synthesizer, config: SpeakConfig) -> Result<Self> {
        config.validate()?;
        let noise = Noise::Seeded { seed: config.seed, scale: config.noise_scale };
        Ok(Self {
            synthesizer,
            gain: Gain::from_db(config.volume_db),
            stream: Stream::new(synthesizer.vocoder.clone(), noise)?,
            window_frames: config.first_window_frames,
            frames: 0,
            is_stopped: false,
            meter: Meter::default(),
            config,
        })
    }

    /// Speaks a piece of text: best whole sentences. The last few milliseconds stay inside until the next piece or
    /// [`Utterance::finish`].
    ///
    /// # Errors
    /// There is no word in the text, or the models fail; what was handed out before stays spoken.
    pub fn speak(&mut self, text: &str, listener: &mut Listener<'_>) -> Result<Spoken> {
        if self.is_stopped {
            return Ok(Spoken { unspoken: Vec::new(), is_stopped: true });
        }
        let clock = self.meter.start();
        let span = tracing::debug_span!("text", bytes = text.len()).entered();
        let chunk = normalise(text);
        let unspoken = chunk.unspoken.clone();
        let mut waiting: Vec<TextChunk> = phrases(chunk, PhraseLimits::default())?;
        drop(span);
        self.meter.computing += clock.elapsed();
        waiting.reverse();
        while let Some(phrase) = waiting.pop() {
            let clock = Instant::now();
            let phones = self.synthesizer.pronouncer.pronounce(&phrase)?;
            self.meter.computing += clock.elapsed();
            if phones.phones.len() > MAX_PHRASE_PHONES
                && let Some((head, rest)) = halves(&phrase)
            {
                waiting.extend([rest, head]);
                continue;
            }
            self.speak_phrase(&phones, listener)?;
            if self.is_stopped {
                break;
            }
        }
        Ok(Spoken { unspoken, is_stopped: self.is_stopped })
    }

    fn speak_phrase(&mut self, phones: &PhonemeSeq, listener: &mut Listener<'_>) -> Result<()> {
        let clock = Instant::now();
        let span = tracing::debug_span!("mel", phones = phones.phones.len()).entered();
        let controls = Controls {
            rate: self.config.rate,
            pitch_semitones: self.config.pitch_semitones,
            expressiveness: self.config.expressiveness,
            durations: DurationChoice::Mean,
            // Each phrase varies in its own way.
            seed: self.config.seed.wrapping_add(self.meter.phrases),
            ..Controls::default()
        };
        let mel = self.synthesizer.acoustic.speak(phones, &controls)?;
        drop(span);
        let first_sample = self.frames * self.synthesizer.hop_samples() as u64;
        self.meter.phrases += 1;
        if mel.frame_count() > 0 {
            self.push(&mel)?;
        }
        self.meter.computing += clock.elapsed();
        self.frames += mel.frame_count() as u64;
        self.emit(Event::Phrase(PhraseTrace { first_sample, phones, mel: &mel }), listener);
        while self.stream.pending_frames() > 0 && !self.is_stopped {
            let clock = Instant::now();
            let span = tracing::debug_span!("window", frames = self.window_frames).entered();
            let samples = self.stream.step(self.window_frames)?;
            drop(span);
            self.window_frames = (2 * self.window_frames).min(self.config.longest_window_frames);
            self.hand_out(samples, clock, listener)?;
        }
        Ok(())
    }

    /// Gives a phrase to the vocoder.
    fn push(&mut self, mel: &Mel) -> Result<()> {
        let vocoder = self.synthesizer.vocoder.config();
        let bands = mel.frames.to_vec2::<f32>()?;
        let mut features = Vec::with_capacity(bands.len() * vocoder.feature_channels());
        for ((frame, log_f0), voicing) in bands.iter().zip(&mel.log_f0).zip(&mel.voicing) {
            features.extend_from_slice(frame);
            if vocoder.feature_channels() > vocoder.mel_bands {
                features.extend([log_f0, voicing]);
            }
        }
        let excitation = vocoder.has_excitation().then(|| {
            let (sample_rate_hz, hop_samples) = (vocoder.sample_rate_hz, vocoder.hop_samples);
            let source = |(&log_f0, &voicing)| SourceFrame { log_f0, voicing };
            let frames: Vec<_> = mel.log_f0.iter().zip(&mel.voicing).map(source).collect();
            Excitation::new(ExcitationConfig { sample_rate_hz, hop_samples }).forward(&frames)
        });
        let input = PhraseInput { features: &features, excitation: excitation.as_deref() };
        Ok(self.stream.push(&input)?)
    }

    fn hand_out(&mut self, mut samples: Vec<f32>, clock: Instant, listener: &mut Listener<'_>) -> Result<()> {
        if samples.iter().any(|sample| !sample.is_finite()) {
            return Err(Error::NotFinite { voice: self.synthesizer.meta.name.clone() });
        }
        self.gain.apply(&mut samples);
        self.meter.computing += clock.elapsed();
        self.meter.add_samples(samples.len());
        if !samples.is_empty() {
            self.emit(Event::Samples(&samples), listener);
        }
        Ok(())
    }

    fn emit(&mut self, event: Event<'_>, listener: &mut Listener<'_>) {
        self.is_stopped |= !self.is_stopped && listener(event).is_break();
    }

    /// Hands out the last samples.
    ///
    /// # Errors
    /// The models fail.
    pub fn finish(&mut self, listener: &mut Listener<'_>) -> Result<()> {
        if self.is_stopped {
            return Ok(());
        }
        let clock = Instant::now();
        let samples = self.stream.flush()?;
        self.hand_out(samples, clock, listener)
    }

    /// What it has cost so far.
    pub fn stats(&self) -> Stats {
        self.meter.stats(&self.synthesizer.meta.name, self.synthesizer.sample_rate_hz())
    }
}

/// Cuts a phrase in the middle, with a breath; `None` for a single word.
fn halves(phrase: &TextChunk) -> Option<(TextChunk, TextChunk)> {
    let words: Vec<usize> = (0..phrase.tokens.len()).filter(|&i| phrase.tokens[i].word().is_some()).collect();
    let cut = *words.get(words.len() / 2).filter(|_| words.len() > 1)?;
    let (head, rest) = phrase.tokens.split_at(cut);
    let mut head = head.to_vec();
    let last = head.last()?;
    if last.word().is_some() {
        let end = last.source.end;
        head.push(Token { kind: TokenKind::Pause(Pause::Break), source: end..end });
    }
    let part = |tokens: Vec<Token>| TextChunk { tokens, unspoken: Vec::new() };
    Some((part(head), part(rest.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_halved_between_words_and_nothing_is_lost() {
        let chunk = normalise("one two, three four five");
        let (head, rest) = halves(&chunk).unwrap();
        assert_eq!(head.words().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(rest.words().collect::<Vec<_>>(), ["three", "four", "five"]);
        assert_eq!(head.tokens.last().unwrap().kind, TokenKind::Pause(Pause::Comma), "a pause is kept");
        let (head, _) = halves(&rest).unwrap();
        assert_eq!(head.tokens.last().unwrap().kind, TokenKind::Pause(Pause::Break), "or a breath is added");
        assert_eq!(halves(&normalise("one.")), None);
    }
}
