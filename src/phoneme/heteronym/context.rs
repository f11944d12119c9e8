//! What part of speech a word is, as far as the words next to it tell.
//!
//! Only words that are looked up in small closed lists count, at most three behind and two ahead within the phrase: a
//! text that is still being written is tagged as the whole would be, as long as the next two words are known.

/// What stands around a word in its phrase, nearest first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// Words before it.
    pub before: [Option<&'a str>; 3],
    /// Words behind it.
    pub after: [Option<&'a str>; 2],
}

/// How a word is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// `the record`
    Noun,
    /// `to record`
    Verb,
    /// Behind a form of `be`: `is content`, `was read`.
    Predicate,
    /// Behind a form of `have`: `has read`.
    Participle,
}

const DETERMINERS: &[&str] = &[
    "a", "an", "another", "any", "each", "every", "her", "his", "its", "my", "no", "our", "some", "that",
    "the", "their", "these", "this", "those", "which", "whose", "your", "many", "few", "several", "both",
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "hundred", "thousand",
];
const PREPOSITIONS: &[&str] = &[
    "about", "at", "by", "during", "for", "from", "in", "into", "of", "off", "on", "under", "with", "without",
];
/// What a verb in its plain form follows.
const BEFORE_VERBS: &[&str] = &[
    "to",
    "will",
    "would",
    "can",
    "cannot",
    "could",
    "shall",
    "should",
    "may",
    "might",
    "must",
    "do",
    "did",
    "does",
    "don't",
    "didn't",
    "doesn't",
    "won't",
    "wouldn't",
    "can't",
    "couldn't",
    "shouldn't",
    "mustn't",
    "let's",
    "please",
    "i",
    "you",
    "we",
    "they",
    "who",
    "i'll",
    "you'll",
    "we'll",
    "they'll",
    "he'll",
    "she'll",
    "it'll",
    "i'd",
    "you'd",
    "we'd",
    "they'd",
    "help",
    "let",
    "us",
];
/// Behind these a verb ends in `s`, or is in the past.
const THIRD_PERSONS: &[&str] = &["he", "she", "it", "who"];
const FORMS_OF_BE: &[&str] = &[
    "am", "are", "be", "been", "being", "is", "was", "were", "i'm", "you're", "we're", "they're", "he's",
    "she's", "it's", "aren't", "isn't", "wasn't", "weren't", "feel", "feels", "felt", "seem", "seems",
];
const FORMS_OF_HAVE: &[&str] =
    &["have", "has", "had", "having", "i've", "you've", "we've", "they've", "haven't", "hasn't", "hadn't"];
/// Adverbs between a verb and what announces it.
const ADVERBS: &[&str] =
    &["also", "always", "ever", "just", "never", "not", "often", "only", "still", "then"];
/// What an object begins with: behind a verb, never right behind a noun.
const OBJECTS: &[&str] = &[
    "a", "an", "her", "him", "his", "it", "its", "me", "my", "our", "that", "the", "their", "them", "these",
    "this", "those", "us", "your", "yourself",
];

fn is_in(list: &[&str], word: Option<&str>) -> bool {
    word.is_some_and(|word| list.contains(&word))
}

fn is_adverb(word: &str) -> bool {
    ADVERBS.contains(&word) || (word.len() > 4 && word.ends_with("ly"))
}

impl<'a> Context<'a> {
    /// The nearest word before that is no adverb.
    fn announcing(&self) -> Option<&'a str> {
        self.before.iter().flatten().copied().find(|word| !is_adverb(word))
    }

    /// True if the word just before is one of these.
    pub fn follows(&self, words: &[&str]) -> bool {
        is_in(words, self.before[0])
    }

    /// True if the word just behind is one of these.
    pub fn precedes(&self, words: &[&str]) -> bool {
        is_in(words, self.after[0])
    }

    /// True behind a form of `be`, adverbs aside.
    pub fn follows_be(&self) -> bool {
        is_in(FORMS_OF_BE, self.announcing())
    }

    /// True behind `he`, `she`, `it`, `who`, adverbs aside.
    pub fn follows_third_person(&self) -> bool {
        is_in(THIRD_PERSONS, self.announcing())
    }

    /// True right before an article, a pronoun or the like.
    pub fn precedes_object(&self) -> bool {
        is_in(OBJECTS, self.after[0])
    }

    /// True right behind an article, a number, a possessive.
    pub fn follows_determiner(&self) -> bool {
        is_in(DETERMINERS, self.before[0])
            || self.before[0].is_some_and(|word| {
                word.ends_with("'s") && !FORMS_OF_BE.contains(&word) && !BEFORE_VERBS.contains(&word)
            })
    }

    /// How the word is used; `None` where the words around do not tell.
    pub fn usage(&self) -> Option<Usage> {
        if self.follows_determiner() {
            return Some(Usage::Noun);
        }
        let announcing = self.announcing();
        if is_in(BEFORE_VERBS, announcing) {
            return Some(Usage::Verb);
        }
        if is_in(FORMS_OF_HAVE, announcing) {
            return Some(Usage::Participle);
        }
        if is_in(FORMS_OF_BE, announcing) {
            return Some(Usage::Predicate);
        }
        if is_in(PREPOSITIONS, self.before[0]) {
            return Some(Usage::Noun);
        }
        if self.precedes_object() {
            return Some(Usage::Verb);
        }
        // `the old record`: an article, and one word between.
        is_in(DETERMINERS, self.before[1]).then_some(Usage::Noun)
    }
}
