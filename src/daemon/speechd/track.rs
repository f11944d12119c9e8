//! Where the text's marks fall in its sound: at the start of the word that follows.

use std::collections::VecDeque;

use crate::daemon::ssml::TextMark;
use crate::engine::WordMark;

/// Puts marks between samples.
pub struct Track {
    /// Marks of which the word has not come yet.
    waiting: VecDeque<TextMark>,
    /// Marks of which the sample is known.
    placed: VecDeque<(u64, String)>,
    passed_samples: u64,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece<'a> {
    /// Sound.
    Samples(&'a [f32]),
    /// A mark.
    Mark(String),
}

impl Track {
    /// With these marks, in the order of their places.
    pub fn new(marks: Vec<TextMark>) -> Self {
        Self { waiting: marks.into(), placed: VecDeque::new(), passed_samples: 0 }
    }

    /// A word of the sound that will follow.
    pub fn word(&mut self, word: &WordMark) {
        while let Some(mark) = self.waiting.pop_front_if(|mark| mark.byte <= word.source.start) {
            self.placed.push_back((word.samples.start, mark.name));
        }
    }

    /// The next of these samples, or a mark before them; `None` when all are through. What is returned as samples is to
    /// be cut off before the next call.
    pub fn next<'a>(&mut self, samples: &'a [f32]) -> Option<Piece<'a>> {
        if samples.is_empty() {
            return None;
        }
        let place = self.placed.front().map(|(sample, _)| sample.saturating_sub(self.passed_samples));
        match place.and_then(|place| usize::try_from(place).ok()) {
            Some(0) => self.placed.pop_front().map(|(_, name)| Piece::Mark(name)),
            until => {
                let (now, _) = samples.split_at(until.unwrap_or(samples.len()).min(samples.len()));
                self.passed_samples += now.len() as u64;
                Some(Piece::Samples(now))
            }
        }
    }

    /// The next mark of those left when all has been said.
    pub fn rest(&mut self) -> Option<String> {
        self.placed
            .pop_front()
            .map(|(_, name)| name)
            .or_else(|| self.waiting.pop_front().map(|mark| mark.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(byte: u64, sample: u64) -> WordMark {
        WordMark { index: 0, spoken: String::new(), source: byte..byte + 1, samples: sample..sample + 1 }
    }

    fn pass(track: &mut Track, mut samples: &[f32]) -> Vec<String> {
        let mut pieces = Vec::new();
        while let Some(piece) = track.next(samples) {
            pieces.push(match piece {
                Piece::Samples(now) => {
                    samples = &samples[now.len()..];
                    now.len().to_string()
                }
                Piece::Mark(name) => name,
            });
        }
        pieces
    }

    #[test]
    fn marks_fall_before_the_word_that_follows() {
        let mark = |name: &str, byte| TextMark { name: name.into(), byte };
        let marks = vec![mark("first", 0), mark("a", 4), mark("inside", 6), mark("b", 8), mark("end", 20)];
        let mut track = Track::new(marks);
        track.word(&word(0, 0));
        track.word(&word(5, 7));
        assert_eq!(pass(&mut track, &[0.0; 5]), ["first", "5"]);
        assert_eq!(pass(&mut track, &[0.0; 5]), ["2", "a", "3"]);
        track.word(&word(8, 10));
        assert_eq!(pass(&mut track, &[0.0; 4]), ["inside", "b", "4"]);
        assert_eq!((track.rest().as_deref(), track.rest()), (Some("end"), None));
    }
}
