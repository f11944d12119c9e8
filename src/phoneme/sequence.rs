//! Lays words and pauses out as the sequence that the acoustic model reads.

use super::{Pause, Phone, PhonemeSeq, Symbol, WordPosition, WordSpan, phrase_position};

/// Builds a [`PhonemeSeq`] word by word; the one place where positions are counted, for speaking and for training.
///
/// ```
/// use fastglow::phoneme::{Pause, SequenceBuilder, Symbol, WordSpan};
/// let phones: Vec<Symbol> = ["HH", "AY1"].into_iter().filter_map(Symbol::parse).collect();
/// let mut builder = SequenceBuilder::default();
/// builder.word(WordSpan { spoken: "hi".into(), source: 0..2 }, &phones);
/// builder.pause(Pause::Exclamation);
/// let seq = builder.finish();
/// assert_eq!(seq.map(|seq| seq.to_string()).as_deref(), Some("^ HH AY1 !"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct SequenceBuilder {
    seq: PhonemeSeq,
    /// Index of the first phone of the phrase being built.
    phrase_start: usize,
}

impl SequenceBuilder {
    /// Adds a word. One without phones is left out.
    pub fn word(&mut self, span: WordSpan, phones: &[Symbol]) {
        if phones.is_empty() {
            return;
        }
        if self.seq.phones.is_empty() {
            self.push_pause(Pause::Start);
        }
        let word = Some(self.seq.words.len() as u32);
        self.seq.words.push(span);
        self.seq.phones.extend(phones.iter().enumerate().map(|(index, &symbol)| Phone {
            symbol,
            word_position: WordPosition::of(index, phones.len()),
            phrase_position: 0,
            word,
        }));
    }

    /// Adds a pause, which ends the phrase. Without a word since the last pause it is left out.
    pub fn pause(&mut self, pause: Pause) {
        if self.seq.phones.len() == self.phrase_start {
            return;
        }
        self.end_phrase(pause);
        self.push_pause(pause);
    }

    /// The sequence, ended by [`Pause::Stop`] if no pause was given last; `None` without words.
    pub fn finish(mut self) -> Option<PhonemeSeq> {
        self.pause(Pause::Stop);
        (!self.seq.words.is_empty()).then_some(self.seq)
    }

    /// The sequence as the beginning of a longer one: the words of the phrase that has not ended yet stand far from its
    /// end, and no pause is added. `None` without words.
    pub fn finish_open(mut self) -> Option<PhonemeSeq> {
        let far = phrase_position(Pause::Stop, usize::MAX);
        self.seq.phones[self.phrase_start..].iter_mut().for_each(|phone| phone.phrase_position = far);
        (!self.seq.words.is_empty()).then_some(self.seq)
    }

    /// How many phones and words have been added.
    pub fn counts(&self) -> (usize, usize) {
        (self.seq.phones.len(), self.seq.words.len())
    }

    fn push_pause(&mut self, pause: Pause) {
        self.seq.phones.push(Phone {
            symbol: pause.into(),
            word_position: WordPosition::None,
            phrase_position: phrase_position(pause, 0),
            word: None,
        });
        self.phrase_start = self.seq.phones.len();
    }

    /// Only at the end of a phrase are its kind and the distances to it known.
    fn end_phrase(&mut self, ending: Pause) {
        let words = self.seq.words.len();
        for phone in &mut self.seq.phones[self.phrase_start..] {
            let to_end = phone.word.map_or(0, |word| words - 1 - word as usize);
            phone.phrase_position = phrase_position(ending, to_end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(spoken: &str) -> WordSpan {
        WordSpan { spoken: spoken.into(), source: 0..spoken.len() }
    }

    fn symbols(names: &str) -> Vec<Symbol> {
        names.split(' ').map(|name| Symbol::parse(name).unwrap()).collect()
    }

    #[test]
    fn counts_positions_to_each_phrase_end() {
        let mut builder = SequenceBuilder::default();
        builder.pause(Pause::Comma);
        builder.word(span("a"), &symbols("AH0"));
        builder.word(span("big"), &symbols("B IH1 G"));
        builder.pause(Pause::Comma);
        builder.pause(Pause::Stop);
        builder.word(span("silent"), &[]);
        builder.word(span("dog"), &symbols("D AO1 G"));
        builder.pause(Pause::Question);
        let seq = builder.finish().unwrap();
        assert_eq!(seq.to_string(), "^ AH0 B IH1 G , D AO1 G ?");
        let words: Vec<_> = seq.phones.iter().map(|phone| phone.word).collect();
        assert_eq!(words, [None, Some(0), Some(1), Some(1), Some(1), None, Some(2), Some(2), Some(2), None]);
        let positions: Vec<_> = seq.phones.iter().map(|phone| phone.word_position as u8).collect();
        assert_eq!(positions, [0, 1, 2, 3, 4, 0, 2, 3, 4, 0]);
        let phrases: Vec<_> = seq.phones.iter().map(|phone| phone.phrase_position).collect();
        assert_eq!(phrases, [0, 5, 4, 4, 4, 4, 8, 8, 8, 8]);
    }

    #[test]
    fn an_open_phrase_is_far_from_its_end() {
        let mut builder = SequenceBuilder::default();
        builder.word(span("go"), &symbols("G OW1"));
        builder.pause(Pause::Question);
        builder.word(span("to"), &symbols("T UW1"));
        let seq = builder.finish_open().unwrap();
        assert_eq!(seq.to_string(), "^ G OW1 ? T UW1");
        let phrases: Vec<_> = seq.phones.iter().map(|phone| phone.phrase_position).collect();
        assert_eq!(
            phrases,
            [0, 8, 8, 8, 3, 3],
            "0 words from a question's end; 3 or more from a statement's"
        );
        assert_eq!(SequenceBuilder::default().finish_open(), None);
    }

    #[test]
    fn ends_with_a_stop_and_is_never_empty() {
        let mut builder = SequenceBuilder::default();
        builder.word(span("go"), &symbols("G OW1"));
        assert_eq!(builder.finish().unwrap().to_string(), "^ G OW1 .");
        assert_eq!(SequenceBuilder::default().finish(), None);
    }
}
