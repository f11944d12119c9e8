//! Where a chunk may end, and how good a place that is.

use super::super::reader::End;
use super::super::reading::Reading;
use super::super::{Pause, TokenKind};
use super::ChunkerConfig;
use super::pending::{Item, Pending, What};

/// How a chunk ends: what the voice does there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Boundary {
    /// In the middle of a phrase: the next chunk goes on as if nothing had happened.
    Word,
    /// Between phrases, without punctuation: a breath is possible, an end is not.
    Phrase,
    /// At a comma, colon, dash or the like.
    Clause,
    /// At the end of a sentence, a line, or the text.
    Sentence,
}

/// Words that belong to the next one.
#[rustfmt::skip]
pub(in crate::text) const BEFORE_NOUN: &[&str] = &[
    // Articles, determiners.
    "a", "all", "an", "another", "any", "both", "each", "either", "every", "her", "his", "its", "my", "neither",
    "no", "our", "some", "that", "the", "their", "these", "this", "those", "whose", "your",
    // Prepositions.
    "about", "above", "across", "after", "against", "along", "among", "around", "as", "at", "before", "behind",
    "below", "beside", "between", "beyond", "by", "during", "for", "from", "in", "inside", "into", "near", "of",
    "off", "on", "onto", "opposite", "outside", "over", "past", "per", "since", "than", "through", "to", "toward",
    "towards", "under", "until", "upon", "via", "with", "within", "without",
    // Conjunctions and the like.
    "although", "and", "because", "but", "if", "nor", "or", "so", "though", "unless", "when", "where", "which",
    "while", "who", "whom",
    // Others that lean on the next word.
    "i", "let's", "more", "most", "not", "please", "quite", "rather", "too", "very",
    // Titles.
    "doctor", "miss", "missus", "mister", "miz", "professor", "saint",
];
/// Words that begin a phrase.
#[rustfmt::skip]
pub(in crate::text) const PHRASE_STARTS: &[&str] = &[
    "about", "above", "across", "after", "against", "along", "although", "among", "and", "around", "as", "at",
    "because", "before", "behind", "below", "beside", "between", "beyond", "but", "by", "during", "for", "from",
    "if", "in", "inside", "into", "near", "nor", "on", "onto", "opposite", "or", "outside", "over", "since", "so",
    "than", "that", "then", "though", "through", "to", "toward", "towards", "under", "unless", "until", "when",
    "where", "which", "while", "who", "whom", "whose", "with", "within", "without",
];

/// What is good enough now. A number of words is the least the chunk must have; `None` means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    pub clause_words: Option<usize>,
    pub phrase_words: Option<usize>,
    pub word_words: Option<usize>,
    /// With this many words, any place will do.
    pub any_words: Option<usize>,
}

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// How many items belong to the chunk.
    pub items: usize,
    /// How many have been looked at.
    pub seen: usize,
    /// Where the chunk ends.
    pub end: usize,
    pub ending: Boundary,
}

/// How good a place between two words is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Quality {
    /// Within what is written as one: `twenty-one`.
    Joined,
    /// Behind an article, a preposition, a title, a number.
    Clinging,
    Word,
    Phrase,
    Clause,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    quality: Quality,
    words: usize,
    items: usize,
    end: usize,
}

/// What stands behind the last word.
#[derive(Debug, Clone, Copy)]
struct Tail {
    /// Items and bytes up to the white space.
    items: usize,
    end: usize,
    /// Items and bytes up to the last mark, and the strongest pause of the marks.
    marks_items: usize,
    marks_end: usize,
    pause: Option<Boundary>,
    has_gap: bool,
    /// The last word belongs to the next; its short form does, unless a phrase begins there.
    clings: bool,
    is_short: bool,
}

/// The search for the end of the next chunk, item by item. What it decides depends on the items up to the one where it
/// decides, never on how many more have come.
struct Search<'a> {
    config: &'a ChunkerConfig,
    need: Need,
    words: usize,
    /// Where the first word begins.
    first: usize,
    /// Set once there is a word.
    tail: Option<Tail>,
    /// The latest candidate of each quality.
    latest: [Option<Candidate>; 5],
}

/// How much may be assumed about what has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assume {
    /// Nothing.
    Nothing,
    /// The source pauses: what is certain is enough.
    Pause,
    /// The source pauses between words.
    PauseAtGap,
    /// The source says no more for long: its last word is whole.
    Whole,
    /// There is no room for more.
    Full,
}

impl Assume {
    fn end(self) -> End {
        match self {
            Self::Nothing | Self::Pause => End::Open,
            Self::PauseAtGap => End::Gap,
            Self::Whole | Self::Full => End::Final,
        }
    }
}

/// Where the next chunk ends, if that is certain, or as far as it can be assumed.
pub(super) fn search(
    pending: &mut Pending,
    config: &ChunkerConfig,
    need: Need,
    assume: Assume,
) -> Option<Cut> {
    let start = pending.start();
    let mut search = Search { config, need, words: 0, first: start, tail: None, latest: [None; 5] };
    let mut index = 0;
    while let Some(item) = pending.item(index, assume.end()) {
        index += 1;
        let cut = match search.tail {
            Some(tail) => search.step(tail, item, index),
            None => search.begin(item, start, index),
        };
        if let Some((items, end, ending)) = cut {
            return Some(Cut { items, end, ending, seen: index });
        }
    }
    let (items, end, ending) = match assume {
        _ if pending.is_finished() => (index, pending.end(), Boundary::Sentence),
        Assume::Nothing => return None,
        Assume::Pause | Assume::PauseAtGap => search.pause(assume, pending.end())?,
        Assume::Whole => (index, pending.end(), search.tail?.pause.unwrap_or(Boundary::Phrase)),
        Assume::Full => (index, pending.end(), Boundary::Word),
    };
    Some(Cut { items, end, ending, seen: index })
}

/// Items and bytes of the chunk, and how it ends.
type Found = (usize, usize, Boundary);

impl Search<'_> {
    /// Before the first word. What is not spoken goes out by itself if it is long, so that it is reported and forgotten.
    fn begin(&mut self, item: &Item, start: usize, index: usize) -> Option<Found> {
        if let What::Words { reading, is_short, .. } = &item.what {
            self.first = reading.source.start;
            self.add(reading, *is_short, index);
            return None;
        }
        (item.end - start >= self.config.max_bytes).then_some((index, item.end, Boundary::Word))
    }

    fn add(&mut self, reading: &Reading, is_short: bool, index: usize) {
        self.words += reading.words();
        let last = reading.kinds.iter().rev().find_map(word_of).unwrap_or_default();
        let end = reading.source.end;
        self.tail = Some(Tail {
            items: index,
            end,
            marks_items: index,
            marks_end: end,
            pause: None,
            has_gap: false,
            clings: BEFORE_NOUN.contains(&last),
            is_short,
        });
    }

    /// Behind the first word.
    fn step(&mut self, mut tail: Tail, item: &Item, index: usize) -> Option<Found> {
        let is_sentence = tail.pause == Some(Boundary::Sentence);
        match &item.what {
            // The marks are complete.
            What::Gap | What::Words { .. } if is_sentence => {
                return Some((tail.marks_items, tail.marks_end, Boundary::Sentence));
            }
            // Who waits for a sound does not wait for the next word either.
            What::Gap if tail.pause.is_some() && self.need.word_words.is_some() => {
                return Some((tail.marks_items, tail.marks_end, Boundary::Clause));
            }
            What::Line(_) => return Some((index, item.end, Boundary::Sentence)),
            What::Gap => tail.has_gap = true,
            What::Marks(reading) => {
                (tail.marks_items, tail.marks_end) = (index, item.end);
                if !tail.has_gap {
                    (tail.items, tail.end) = (index, item.end);
                }
                tail.pause = tail.pause.max(reading.kinds.iter().filter_map(boundary_of).max());
            }
            What::Words { reading, mark_follows, is_short } => {
                let candidate = self.candidate(tail, reading);
                self.latest[candidate.quality as usize] = Some(candidate);
                if let Some(found) = self.accept(candidate, *mark_follows) {
                    return Some(found);
                }
                let is_full = self.words + reading.words() > self.config.max_words
                    || reading.source.end - self.first > self.config.max_bytes;
                if is_full {
                    return self.best();
                }
                self.add(reading, *is_short, index);
                return None;
            }
        }
        self.tail = Some(tail);
        // Marks or white space without end.
        (item.end - self.first > 2 * self.config.max_bytes)
            .then(|| (index, item.end, tail.pause.unwrap_or(Boundary::Phrase)))
    }

    /// The place before `next`.
    fn candidate(&self, tail: Tail, next: &Reading) -> Candidate {
        let Tail { items, end, marks_items, marks_end, pause, has_gap, clings, is_short } = tail;
        let first = next.kinds.iter().find_map(word_of).unwrap_or_default();
        let (quality, items, end) = match pause {
            Some(_) => (Quality::Clause, marks_items, marks_end),
            None if !has_gap => (Quality::Joined, items, end),
            None if clings => (Quality::Clinging, items, end),
            None if PHRASE_STARTS.contains(&first) => (Quality::Phrase, items, end),
            None if is_short => (Quality::Clinging, items, end),
            None => (Quality::Word, items, end),
        };
        Candidate { quality, words: self.words, items, end }
    }

    fn accept(&self, candidate: Candidate, mark_follows: bool) -> Option<Found> {
        let Need { clause_words, phrase_words, word_words, any_words } = self.need;
        let enough = |least: Option<usize>| least.is_some_and(|least| candidate.words >= least);
        let is_good = match candidate.quality {
            Quality::Clause => enough(clause_words),
            // Punctuation one word on is better.
            Quality::Phrase => !mark_follows && (enough(phrase_words) || enough(word_words)),
            Quality::Word => !mark_follows && enough(word_words),
            Quality::Clinging | Quality::Joined => false,
        };
        if is_good {
            return Some(found(candidate));
        }
        if enough(any_words) { self.best() } else { None }
    }

    /// The best place so far: punctuation if the chunk does not become too short by it, then between phrases.
    fn best(&self) -> Option<Found> {
        let of = |quality: Quality| self.latest[quality as usize];
        let is_long = |candidate: &Candidate| 3 * candidate.words >= self.words;
        let good = [Quality::Clause, Quality::Phrase, Quality::Word, Quality::Clinging];
        let long = good.into_iter().find_map(|quality| of(quality).filter(is_long));
        long.or_else(|| good.into_iter().find_map(of)).or(of(Quality::Joined)).map(found)
    }

    /// What a source that pauses has said for certain.
    fn pause(&self, assume: Assume, text_end: usize) -> Option<Found> {
        let tail = self.tail?;
        if let Some(ending) = tail.pause {
            return Some((tail.marks_items, tail.marks_end, ending));
        }
        let is_whole = tail.has_gap || (assume == Assume::PauseAtGap && tail.marks_end == text_end);
        if is_whole && !tail.clings && !tail.is_short {
            return Some((tail.items, tail.end, Boundary::Phrase));
        }
        // What leans on a word to come waits for it.
        let found = self.latest[Quality::Word as usize..].iter().flatten().max_by_key(|c| c.words)?;
        Some((found.items, found.end, Boundary::Phrase))
    }
}

fn found(candidate: Candidate) -> Found {
    let ending = match candidate.quality {
        Quality::Joined | Quality::Clinging | Quality::Word => Boundary::Word,
        Quality::Phrase => Boundary::Phrase,
        Quality::Clause => Boundary::Clause,
    };
    (candidate.items, candidate.end, ending)
}

fn word_of(kind: &TokenKind) -> Option<&str> {
    match kind {
        TokenKind::Word(word) => Some(word),
        TokenKind::Letter(_) | TokenKind::Phones { .. } | TokenKind::Pause(_) => None,
    }
}

fn boundary_of(kind: &TokenKind) -> Option<Boundary> {
    match kind {
        TokenKind::Pause(Pause::Stop | Pause::Question | Pause::Exclamation) => Some(Boundary::Sentence),
        TokenKind::Pause(Pause::Comma | Pause::Colon) => Some(Boundary::Clause),
        TokenKind::Pause(Pause::Start | Pause::Break) => Some(Boundary::Phrase),
        TokenKind::Word(_) | TokenKind::Letter(_) | TokenKind::Phones { .. } => None,
    }
}
