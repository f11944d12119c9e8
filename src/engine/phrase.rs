//! A chunk of text becomes frames, in the light of what was said before it and of what is known to follow.
//!
//! FastSpeech reads the last words of the chunk before and the first words of the next one too; their frames are made and
//! thrown away, so that prosody carries over a cut in mid sentence. The first frames behind such a cut are blended with
//! the ones that the chunk before had foreseen there.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::director::{Cues, Director, Take};
use super::{Models, NamedMark, SpeakConfig};
use crate::Result;
use crate::acoustic::{Controls, DurationChoice, MEL_FLOOR, Mel};
use crate::markup::Directions;
use crate::phoneme::{Pause, PhonemePart, PhonemeSeq, Surrounded};
use crate::signal::{Excitation, ExcitationConfig, SourceFrame};
use crate::text::{Boundary, Breath, Chunk, Language, Token, TokenKind};
use crate::vocoder::{Context, WaveGlow};

/// Phones of one pass through the acoustic model, about 20 seconds: bounds its memory, whatever the text.
const MAX_PHRASE_PHONES: usize = 250;
/// Words before a chunk that the acoustic model reads again.
const CONTEXT_WORDS: usize = 6;
/// Words behind a piece of a chunk that was too long for one pass.
const LOOKAHEAD_WORDS: usize = 3;
/// Frames over which a chunk is blended with what the one before foresaw: 46 ms.
const SEAM_FRAMES: usize = 4;

/// A phrase as frames: what the vocoder speaks next.
#[derive(Debug, Clone)]
pub struct Phrase {
    /// Its first frame, counted from the utterance's first.
    pub first_frame: u64,
    /// Its phones and words; the words' sources are byte ranges in the chunk.
    pub phones: PhonemeSeq,
    /// Its frames.
    pub mel: Mel,
    /// Where its chunk begins in the text, in bytes.
    pub start_byte: u64,
    /// Words of the utterance before it.
    pub first_word: u64,
    /// Whether it goes on where the phrase before it was cut off, in mid sentence.
    pub is_continuation: bool,
    /// Samples per frame.
    pub hop_samples: usize,
    pub(super) directions: Arc<Directions>,
    pub(super) cues: Cues,
    pub(super) features: Vec<f32>,
    pub(super) context: Context,
    pub(super) excitation: Option<Vec<f32>>,
}

/// What the vocoder reads of one frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    mel: Vec<f32>,
    source: SourceFrame,
}

impl Frame {
    /// Silence at the same pitch.
    pub fn quiet(&self) -> Frame {
        Frame {
            mel: vec![MEL_FLOOR; self.mel.len()],
            source: SourceFrame { log_f0: self.source.log_f0, voicing: 0.0 },
        }
    }

    /// This frame, mixed with `share` of another one.
    fn blended(&self, other: &Frame, share: f32) -> Frame {
        let mix = |own: f32, other: f32| own + (other - own) * share;
        Frame {
            mel: self.mel.iter().zip(&other.mel).map(|(&own, &other)| mix(own, other)).collect(),
            source: SourceFrame {
                log_f0: mix(self.source.log_f0, other.source.log_f0),
                voicing: mix(self.source.voicing, other.source.voicing),
            },
        }
    }
}

/// Makes the phrases of one utterance, one chunk after another.
pub(super) struct PhraseMaker {
    models: Arc<Models>,
    director: Director,
    /// Words since the last pause.
    breath: Breath,
    excitation: Excitation,
    /// The last words of the sentence so far.
    before: Vec<Token>,
    /// The last frames of the sentence so far, which the vocoder's conditioning sees again.
    recent: Vec<Frame>,
    /// What the last chunk foresaw behind its end.
    foreseen: Vec<Frame>,
    frames: u64,
    words: u64,
    phrases: u64,
}

/// A part of a chunk that fits one pass of the acoustic model.
struct Piece<'a> {
    text: &'a [Token],
    after: &'a [Token],
    is_open: bool,
    /// Where what follows it begins in the text.
    end_byte: u64,
}

impl PhraseMaker {
    pub fn new(models: Arc<Models>, directions: Arc<Directions>) -> Self {
        let vocoder = models.vocoder.config();
        let (sample_rate_hz, hop_samples) = (vocoder.sample_rate_hz, vocoder.hop_samples);
        let excitation = Excitation::new(ExcitationConfig { sample_rate_hz, hop_samples });
        let director = Director::new(directions, f64::from(sample_rate_hz) / hop_samples as f64);
        let (before, recent, foreseen) = (Vec::new(), Vec::new(), Vec::new());
        let breath = Breath::default();
        Self {
            models,
            director,
            breath,
            excitation,
            before,
            recent,
            foreseen,
            frames: 0,
            words: 0,
            phrases: 0,
        }
    }

    /// The phrases of a chunk, handed out one by one; none for a chunk without words.
    pub fn make(
        &mut self,
        chunk: &Chunk,
        config: &SpeakConfig,
        hand_out: &mut dyn FnMut(Phrase),
    ) -> Result<()> {
        let ends_sentence = chunk.ending == Boundary::Sentence;
        let mut tokens = chunk.text.tokens.clone();
        let after = if ends_sentence { &[][..] } else { &chunk.lookahead.tokens };
        if self.models.pronouncer.language() == Language::English {
            self.breath.phrase(&mut tokens, after);
        }
        let is_cut = tokens.last().is_some_and(|last| last.word().is_some()) && after.is_empty();
        if is_cut && !ends_sentence {
            // Nobody knows when it goes on: a breath, and the sentence stays open.
            let end = chunk.source.len();
            tokens.push(Token { kind: TokenKind::Pause(Pause::Comma), source: end..end });
            self.breath = Breath::default();
        }
        let end_byte = chunk.start_byte + chunk.source.len() as u64;
        let mut waiting = vec![Piece { text: &tokens, after, is_open: !ends_sentence, end_byte }];
        while let Some(piece) = waiting.pop() {
            if piece.text.iter().all(|token| token.word().is_none()) {
                continue;
            }
            let part = self.models.pronouncer.pronounce_within(Surrounded {
                text: piece.text,
                before: &self.before,
                after: piece.after,
                is_open: piece.is_open,
            })?;
            match middle_word(piece.text) {
                Some(at) if part.phones.len() > MAX_PHRASE_PHONES => {
                    let (head, rest) = piece.text.split_at(at);
                    waiting.push(Piece { text: rest, ..piece });
                    let end_byte =
                        chunk.start_byte + rest.first().map_or(0, |token| token.source.start) as u64;
                    waiting.push(Piece { text: head, after: first_words(rest), is_open: true, end_byte });
                }
                _ => {
                    hand_out(self.speak(&part, (chunk.start_byte, piece.end_byte), config)?);
                    self.before.extend_from_slice(piece.text);
                    let words = words_of(&self.before);
                    let kept = words.len().checked_sub(CONTEXT_WORDS).map_or(0, |at| words[at]);
                    self.before.drain(..kept);
                }
            }
        }
        if ends_sentence {
            self.breath = Breath::default();
            self.before.clear();
            self.recent.clear();
            self.foreseen.clear();
        }
        Ok(())
    }

    /// The marks behind the last word.
    pub fn finish(&mut self) -> Vec<NamedMark> {
        self.director.finish(self.frames * self.models.vocoder.config().hop_samples as u64)
    }

    fn speak(
        &mut self,
        part: &PhonemePart,
        (start_byte, end_byte): (u64, u64),
        config: &SpeakConfig,
    ) -> Result<Phrase> {
        let controls = Controls {
            rate: config.rate,
            pitch_semitones: config.pitch_semitones,
            expressiveness: config.expressiveness,
            durations: DurationChoice::Mean,
            // Each phrase varies in its own way.
            seed: config.seed.wrapping_add(self.phrases),
            speaker: config.speaker,
            ..Controls::default()
        };
        let span = tracing::debug_span!("mel", phones = part.seq.phones.len()).entered();
        let each = self.director.controls(part, start_byte);
        let mel = self.models.acoustic.speak_varied(&part.seq, &controls, &each)?;
        drop(span);
        let count = |durations: &[u32]| durations.iter().map(|&frames| frames as usize).sum::<usize>();
        let first = count(&mel.durations_frames[..part.phones.start]);
        let own = first..first + count(&mel.durations_frames[part.phones.clone()]);
        let frames = frames_of(&mel)?;
        let mut spoken = frames[own.clone()].to_vec();
        let following = &frames[own.end..];
        self.blend(&mut spoken);
        let phones = part.own();
        let mut durations_frames = mel.durations_frames[part.phones.clone()].to_vec();
        let cues = self.director.direct(Take {
            phones: &phones,
            start_byte,
            end_byte,
            frames: &mut spoken,
            durations_frames: &mut durations_frames,
        });
        let phrase = Phrase {
            first_frame: self.frames,
            phones,
            mel: mel_of(&spoken, &durations_frames)?,
            directions: self.director.directions().clone(),
            cues,
            start_byte,
            first_word: self.words,
            is_continuation: !self.before.is_empty(),
            hop_samples: self.models.vocoder.config().hop_samples,
            excitation: self.excite(&spoken, following),
            context: self.context(following),
            features: self.features(&spoken, following),
        };
        self.foreseen = following[..following.len().min(SEAM_FRAMES)].to_vec();
        self.frames += spoken.len() as u64;
        self.words += part.words.len() as u64;
        self.phrases += 1;
        self.recent.extend(spoken);
        self.recent.drain(..self.recent.len().saturating_sub(WaveGlow::context_frames()));
        Ok(phrase)
    }

    /// Leads from what the last chunk foresaw to what is spoken now.
    fn blend(&self, spoken: &mut [Frame]) {
        let count = self.foreseen.len().min(spoken.len());
        for (index, (own, foreseen)) in spoken.iter_mut().zip(&self.foreseen).enumerate() {
            *own = own.blended(foreseen, 1.0 - (index + 1) as f32 / (count + 1) as f32);
        }
    }

    fn excite(&mut self, spoken: &[Frame], following: &[Frame]) -> Option<Vec<f32>> {
        if !self.models.vocoder.config().has_excitation() {
            return None;
        }
        let sources: Vec<SourceFrame> = spoken.iter().map(|frame| frame.source).collect();
        Some(self.excitation.step_to(&sources, following.first().map(|frame| frame.source)))
    }

    fn context(&self, following: &[Frame]) -> Context {
        Context {
            before_frames: self.recent.len(),
            after_frames: following.len().min(WaveGlow::context_frames()),
        }
    }

    fn features(&self, spoken: &[Frame], following: &[Frame]) -> Vec<f32> {
        let vocoder = self.models.vocoder.config();
        let following = &following[..self.context(following).after_frames];
        let rows = self.recent.len() + spoken.len() + following.len();
        let mut features = Vec::with_capacity(rows * vocoder.feature_channels());
        for frame in self.recent.iter().chain(spoken).chain(following) {
            features.extend_from_slice(&frame.mel);
            if vocoder.feature_channels() > vocoder.mel_bands {
                features.extend([frame.source.log_f0, frame.source.voicing]);
            }
        }
        features
    }
}

fn frames_of(mel: &Mel) -> candle_core::Result<Vec<Frame>> {
    let rows = mel.frames.to_vec2::<f32>()?;
    let pitch = mel.log_f0.iter().zip(&mel.voicing);
    let frame = |(mel, (&log_f0, &voicing))| Frame { mel, source: SourceFrame { log_f0, voicing } };
    Ok(rows.into_iter().zip(pitch).map(frame).collect())
}

fn mel_of(frames: &[Frame], durations_frames: &[u32]) -> candle_core::Result<Mel> {
    let bands = frames.first().map_or(0, |frame| frame.mel.len());
    let rows: Vec<f32> = frames.iter().flat_map(|frame| &frame.mel).copied().collect();
    Ok(Mel {
        frames: Tensor::from_vec(rows, (frames.len(), bands), &Device::Cpu)?,
        log_f0: frames.iter().map(|frame| frame.source.log_f0).collect(),
        voicing: frames.iter().map(|frame| frame.source.voicing).collect(),
        durations_frames: durations_frames.to_vec(),
    })
}

/// The places of the words among the tokens.
fn words_of(tokens: &[Token]) -> Vec<usize> {
    (0..tokens.len()).filter(|&index| tokens[index].word().is_some()).collect()
}

/// Where to cut a piece in two; `None` for a single word.
fn middle_word(tokens: &[Token]) -> Option<usize> {
    let words = words_of(tokens);
    words.get(words.len() / 2).copied().filter(|_| words.len() > 1)
}

fn first_words(tokens: &[Token]) -> &[Token] {
    &tokens[..words_of(tokens).get(LOOKAHEAD_WORDS).copied().unwrap_or(tokens.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normalise;

    #[test]
    fn a_piece_is_cut_between_words() {
        let tokens = normalise("one two, three four five").tokens;
        let (head, rest) = tokens.split_at(middle_word(&tokens).unwrap());
        let words = |tokens: &[Token]| tokens.iter().filter_map(Token::word).collect::<Vec<_>>().join(" ");
        assert_eq!((words(head).as_str(), words(rest).as_str()), ("one two", "three four five"));
        assert_eq!(words(first_words(&tokens)), "one two three");
        assert_eq!(middle_word(&normalise("one.").tokens), None);
    }

    #[test]
    fn blending_goes_from_one_frame_to_the_other() {
        let frame = |value: f32| Frame {
            mel: vec![value, -value],
            source: SourceFrame { log_f0: 5.0 + value, voicing: value },
        };
        let mixed = frame(0.0).blended(&frame(1.0), 0.25);
        assert_eq!(
            mixed,
            Frame { mel: vec![0.25, -0.25], source: SourceFrame { log_f0: 5.25, voicing: 0.25 } }
        );
    }
}
