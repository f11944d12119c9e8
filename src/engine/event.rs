//! What is told while an utterance is made, and where its words and phones lie in the samples.

use std::ops::{ControlFlow, Range};

use super::{Phrase, Report};
use crate::markup::Directions;
use crate::phoneme::Symbol;
use crate::text::{Chunk, UnspokenKind};
use crate::voice::Meta;

/// What happens while text becomes sound.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A job's turn has come. Only an [`Engine`](super::Engine) tells.
    Begin,
    /// A part of the text was left out.
    Unspoken(Omission<'a>),
    /// A phrase begins: the words, phones and samples that follow are its own.
    Phrase(&'a Phrase),
    /// A word of the phrase.
    Word(WordMark),
    /// A phone or pause of the phrase.
    Phone(PhoneMark),
    /// A mark that the text's author set, in the phrase or behind the last one.
    Mark(NamedMark),
    /// The next samples, mono, within ±1.
    Samples(&'a [f32]),
    /// The loudspeaker ran dry in mid speech, so often since the job began. Only an engine with a sink tells.
    Underrun {
        /// How often.
        count: u64,
    },
    /// A job is over: all of it was heard, or it was cancelled. Only an [`Engine`](super::Engine) tells.
    End(&'a Report),
}

/// A part of the text that is not spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission<'a> {
    /// Why.
    pub kind: UnspokenKind,
    /// What it was.
    pub text: &'a str,
    /// Its byte range in the text.
    pub source: Range<u64>,
}

/// The callback: what to do with an event, and whether to go on.
pub type Listener<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'a;

/// Where a word sounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordMark {
    /// Its number in the utterance, from 0.
    pub index: u64,
    /// As it is spoken: lower case, numbers written out.
    pub spoken: String,
    /// The byte range in the text that it was read from; words of one number share theirs.
    pub source: Range<u64>,
    /// Its samples, counted from the utterance's first.
    pub samples: Range<u64>,
}

/// Where a phone or a pause sounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneMark {
    /// Which.
    pub symbol: Symbol,
    /// The number of its word in the utterance; `None` for pauses.
    pub word: Option<u64>,
    /// Its samples, counted from the utterance's first.
    pub samples: Range<u64>,
}

/// Where a mark of the text's author sounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedMark {
    /// What the author calls it.
    pub name: String,
    /// The byte of the text or document where it stands.
    pub source: u64,
    /// The first sample behind it, counted from the utterance's first.
    pub sample: u64,
}

impl NamedMark {
    pub(super) fn new(directions: &Directions, index: usize, sample: u64) -> Self {
        let (name, byte) =
            directions.marks.get(index).map_or_else(Default::default, |mark| (mark.name.clone(), mark.byte));
        Self { name, source: directions.document_range(byte..byte).start, sample }
    }
}

impl Phrase {
    /// Where the marks in it sound, in order.
    pub fn marks(&self) -> impl Iterator<Item = NamedMark> + '_ {
        self.cues.marks.iter().map(|&(index, frame)| {
            let sample = (self.first_frame + frame) * self.hop_samples as u64;
            NamedMark::new(&self.directions, index, sample)
        })
    }

    /// Where its phones and pauses sound, in order.
    pub fn phone_marks(&self) -> impl Iterator<Item = PhoneMark> + '_ {
        let mut frame = self.first_frame;
        let hop = self.hop_samples as u64;
        self.phones.phones.iter().zip(&self.mel.durations_frames).map(move |(phone, &frames)| {
            let start = frame;
            frame += u64::from(frames);
            PhoneMark {
                symbol: phone.symbol,
                word: phone.word.map(|word| self.first_word + u64::from(word)),
                samples: start * hop..frame * hop,
            }
        })
    }

    /// Where its words sound, in order.
    pub fn word_marks(&self) -> impl Iterator<Item = WordMark> + '_ {
        let mut phones = self.phone_marks().peekable();
        self.phones.words.iter().enumerate().filter_map(move |(number, word)| {
            let index = self.first_word + number as u64;
            while phones.next_if(|phone| phone.word != Some(index)).is_some() {}
            let mut samples = phones.next()?.samples;
            while let Some(phone) = phones.next_if(|phone| phone.word == Some(index)) {
                samples.end = phone.samples.end;
            }
            let byte = |offset: usize| self.start_byte + offset as u64;
            let source = self.directions.document_range(byte(word.source.start)..byte(word.source.end));
            Some(WordMark { index, spoken: word.spoken.clone(), source, samples })
        })
    }

    /// Tells the phrase, its words and its phones; `Break` if the listener has had enough.
    pub(super) fn tell(&self, listener: &mut Listener<'_>) -> ControlFlow<()> {
        listener(Event::Phrase(self))?;
        self.word_marks().try_for_each(|mark| listener(Event::Word(mark)))?;
        self.phone_marks().try_for_each(|mark| listener(Event::Phone(mark)))?;
        self.marks().try_for_each(|mark| listener(Event::Mark(mark)))
    }
}

/// Tells what the voice does not do of what a document asks for.
pub(super) fn tell_refusals(
    directions: &Directions,
    meta: &Meta,
    listener: &mut Listener<'_>,
) -> ControlFlow<()> {
    directions.refused(&meta.name, &meta.language).try_for_each(|(text, source)| {
        listener(Event::Unspoken(Omission { kind: UnspokenKind::Markup, text, source }))
    })
}

/// Tells what a chunk leaves out.
pub(super) fn tell_omissions(
    chunk: &Chunk,
    directions: &Directions,
    listener: &mut Listener<'_>,
) -> ControlFlow<()> {
    chunk.text.unspoken.iter().try_for_each(|part| {
        let byte = |offset: usize| chunk.start_byte + offset as u64;
        listener(Event::Unspoken(Omission {
            kind: part.kind,
            text: chunk.source.get(part.source.clone()).unwrap_or_default(),
            source: directions.document_range(byte(part.source.start)..byte(part.source.end)),
        }))
    })
}
