//! Our phrases as the published models of the older kind read them: by letters, or by phones with spaces between words.

use std::ops::Range;

use super::Model;
use super::published_symbols::{letter_id, published_id};
use crate::phoneme::{Pause, PhonemeSeq};

/// What a model is given, and which of our phones it stands for.
pub(super) struct Script {
    /// Ids of the published table.
    pub(super) ids: Vec<u32>,
    /// For each id, its group.
    groups: Vec<usize>,
    /// Our phones of each group: what stands for one phone, or, by letters, for one word.
    phones: Vec<Range<usize>>,
}

impl Script {
    pub(super) fn new(model: Model, phrase: &PhonemeSeq) -> Self {
        let mut script = Self { ids: Vec::new(), groups: Vec::new(), phones: Vec::new() };
        let mut at = 0;
        while let Some(phone) = phrase.phones.get(at) {
            let last = at + 1 == phrase.phones.len();
            let word = phone.word.and_then(|word| phrase.words.get(word as usize));
            let same_word = phrase.phones[at..].iter().take_while(|other| other.word == phone.word).count();
            let end = if word.is_some() { at + same_word } else { at + 1 };
            match (model, phone.symbol.pause(), word) {
                // The published front end strips pauses at both ends as well.
                (_, Some(Pause::Start), _) => {}
                (Model::FastSpeech2, Some(_), _) if last => {}
                (Model::FastSpeech2, ..) => {
                    for at in at..end {
                        script.push(at..at + 1, [published_id(phrase.phones[at].symbol)]);
                    }
                }
                (_, Some(pause), _) => {
                    let space = (!last).then_some(' ').and_then(letter_id);
                    script.push(at..end, letter_id(mark(pause)).into_iter().chain(space));
                }
                (Model::FastSpeech1, None, Some(word)) => {
                    script.push(at..end, word.spoken.to_lowercase().chars().filter_map(letter_id));
                    script.space(phrase, end);
                }
                (Model::FastSpeech1 | Model::FastPitch, ..) => {
                    for at in at..end {
                        script.push(at..at + 1, [published_id(phrase.phones[at].symbol)]);
                    }
                    script.space(phrase, end);
                }
            }
            at = end;
        }
        script
    }

    fn push(&mut self, phones: Range<usize>, ids: impl IntoIterator<Item = u32>) {
        let before = self.ids.len();
        self.ids.extend(ids);
        self.groups.resize(self.ids.len(), self.phones.len());
        if self.ids.len() > before {
            self.phones.push(phones);
        }
    }

    /// A space belongs to the word before it; before a mark there is none.
    fn space(&mut self, phrase: &PhonemeSeq, end: usize) {
        let goes_on = phrase.phones.get(end).is_some_and(|phone| phone.word.is_some());
        if let (true, Some(space), Some(group)) = (goes_on, letter_id(' '), self.phones.len().checked_sub(1))
        {
            self.ids.push(space);
            self.groups.push(group);
        }
    }

    /// For each id, the phone whose controls it takes; a word's letters share its phones in order.
    pub(super) fn phones_of_ids(&self) -> impl Iterator<Item = usize> {
        self.groups.chunk_by(|a, b| a == b).flat_map(|ids| {
            let (phones, count) = (&self.phones[ids[0]], ids.len());
            (0..count).map(move |at| phones.start + at * phones.len() / count)
        })
    }

    /// Frames of our phones from frames of the ids. A word's are shared evenly among its phones.
    pub(super) fn frames_of_phones(&self, frames_of_ids: &[u32], count: usize) -> Vec<u32> {
        let mut frames = vec![0; count];
        for (total, phones) in self.totals(frames_of_ids).into_iter().zip(&self.phones) {
            if let Some(frames) = frames.get_mut(phones.clone()) {
                share(total, frames);
            }
        }
        frames
    }

    /// Frames of the ids from given frames of our phones; those of phones that have no id are left out.
    pub(super) fn frames_of_ids(&self, frames_of_phones: &[u32]) -> Vec<u32> {
        let mut frames = vec![0; self.ids.len()];
        for (group, ids) in self.groups.chunk_by(|a, b| a == b).scan(0, |at, groups| {
            let ids = *at..*at + groups.len();
            *at = ids.end;
            Some((groups[0], ids))
        }) {
            let total =
                frames_of_phones.get(self.phones[group].clone()).map_or(0, |frames| frames.iter().sum());
            share(total, &mut frames[ids]);
        }
        frames
    }

    fn totals(&self, frames_of_ids: &[u32]) -> Vec<u32> {
        let mut totals = vec![0; self.phones.len()];
        self.groups.iter().zip(frames_of_ids).for_each(|(&group, frames)| totals[group] += frames);
        totals
    }
}

/// Whole frames that sum up to `total` and differ by one at most.
fn share(total: u32, among: &mut [u32]) {
    let count = among.len().max(1) as u64;
    let end = |i: usize| (i as u64 * u64::from(total) / count) as u32;
    among.iter_mut().enumerate().for_each(|(i, frames)| *frames = end(i + 1) - end(i));
}

/// How a pause is written.
fn mark(pause: Pause) -> char {
    match pause {
        Pause::Stop => '.',
        Pause::Question => '?',
        Pause::Exclamation => '!',
        Pause::Colon => ':',
        Pause::Start | Pause::Comma | Pause::Break => ',',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::{SequenceBuilder, Symbol, WordSpan};

    fn phrase() -> PhonemeSeq {
        let mut builder = SequenceBuilder::default();
        for (spoken, names) in [("ax", "AE1 K S"), ("go", "G OW1")] {
            let phones: Vec<Symbol> = names.split(' ').filter_map(Symbol::parse).collect();
            builder.word(WordSpan { spoken: spoken.into(), source: 0..1 }, &phones);
        }
        builder.pause(Pause::Comma);
        let phones = [Symbol::parse("N").unwrap(), Symbol::parse("OW1").unwrap()];
        builder.word(WordSpan { spoken: "no".into(), source: 0..1 }, &phones);
        builder.finish().unwrap()
    }

    #[test]
    fn letters_spaces_and_marks_have_the_published_ids() {
        let phrase = phrase();
        assert_eq!(phrase.to_string(), "^ AE1 K S G OW1 , N OW1 .");
        let letters = Script::new(Model::FastSpeech1, &phrase);
        // a x _ g o , _ n o . counted off the published list by hand.
        assert_eq!(letters.ids, [38, 61, 11, 44, 52, 6, 11, 51, 52, 7]);
        // Two letters and a space for AE1 K S, two letters for G OW1, a comma and its space, two letters for N OW1.
        assert_eq!(letters.phones_of_ids().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 6, 7, 8, 9]);
        let phones = Script::new(Model::FastPitch, &phrase);
        assert_eq!(phones.ids[3..6], [11, 105, 123]);
        assert_eq!(phones.ids[6..8], [6, 11]);
        let second = Script::new(Model::FastSpeech2, &phrase);
        assert_eq!(second.ids.len(), 8);
    }

    #[test]
    fn frames_go_there_and_back_without_loss() {
        let phrase = phrase();
        for model in [Model::FastSpeech1, Model::FastPitch] {
            let script = Script::new(model, &phrase);
            let frames: Vec<u32> = (1..=script.ids.len() as u32).collect();
            let phones = script.frames_of_phones(&frames, phrase.phones.len());
            assert_eq!(phones.iter().sum::<u32>(), frames.iter().sum::<u32>(), "{model:?}");
            assert_eq!(phones[0], 0);
            let ids = script.frames_of_ids(&phones);
            assert_eq!(script.frames_of_phones(&ids, phrase.phones.len()), phones, "{model:?}");
        }
        let letters = Script::new(Model::FastSpeech1, &phrase);
        // a, x and the space behind them: 6 frames, two for each of three phones.
        assert_eq!(letters.frames_of_phones(&[1, 2, 3, 0, 0, 0, 0, 0, 0, 0], 10)[1..4], [2, 2, 2]);
    }
}
