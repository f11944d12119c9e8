//! Sentences of our own for the corpus: what robots, kiosks and machines say, from templates, seeded.
//!
//! Each template is plain text with `{slots}`. A slot is a word list, another group of templates, or a number drawn and
//! written out as words, so that the text given to the teacher holds nothing but words and punctuation.

use std::collections::HashSet;

use super::numbers::{cardinal, digits, ordinal, year};
use super::templates::{SLOTS, TEMPLATES};
use crate::random::SplitMix;

/// Draws before the generator gives up on finding a text it has not given yet.
const ATTEMPTS: usize = 200;
/// Slots within slots: one level suffices for the table, more would be a cycle in it.
const MAX_DEPTH: usize = 4;

/// A seeded source of sentences, no two alike.
///
/// The same seed gives the same sentences in the same order on every machine.
#[derive(Debug)]
pub struct SentenceGenerator {
    random: Choices,
    given: HashSet<String>,
}

impl SentenceGenerator {
    /// A generator with its own sequence for each `seed`.
    pub fn new(seed: u64) -> Self {
        Self { random: Choices::new(seed), given: HashSet::new() }
    }

    fn expand(&mut self, template: &str, depth: usize) -> String {
        let mut out = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (slot, after) = after.split_once('}').unwrap_or((after, ""));
            out.push_str(&self.fill(slot, depth));
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn fill(&mut self, slot: &str, depth: usize) -> String {
        let r = &mut self.random;
        match slot {
            "number" => cardinal(if r.below(3) == 0 { r.between(100, 9999) } else { r.between(2, 99) }),
            "small" => cardinal(r.between(2, 12)),
            "two_digit" => cardinal(r.between(13, 99)),
            "large" => cardinal(r.between(1, 900) * 1000 + r.between(0, 9) * 100),
            "nth" => ordinal(r.between(1, 31)),
            "year" => year(r.between(1901, 2029)),
            "decimal" => {
                let whole = cardinal(r.between(0, 40));
                let fraction = r.between(1, 99).to_string();
                format!("{whole} point {}", digits(&fraction))
            }
            "clock" => self.clock(),
            "price" => self.price(),
            "digits" => {
                let n = r.between(100, 9999).to_string();
                digits(&n)
            }
            "phone" => {
                let (a, b) = (r.between(200, 999).to_string(), r.between(1000, 9999).to_string());
                format!("{}, {}", digits(&a), digits(&b))
            }
            "letters" => {
                let count = r.between(2, 4);
                let letters: Vec<_> = (0..count).map(|_| self.random.letter().to_string()).collect();
                letters.join(" ")
            }
            "letter" => r.letter().to_string(),
            _ => match SLOTS.iter().find(|(name, _)| *name == slot) {
                Some((_, choices)) if depth < MAX_DEPTH => {
                    let choice = choices[self.random.below(choices.len())];
                    self.expand(choice, depth + 1)
                }
                // A slot the table lacks is caught by the test below; the text then shows it and the filter drops it.
                _ => format!("{{{slot}}}"),
            },
        }
    }

    fn clock(&mut self) -> String {
        let r = &mut self.random;
        let hour = cardinal(r.between(1, 12));
        match r.below(8) {
            0 => format!("{hour} o'clock"),
            1 => format!("half past {hour}"),
            2 => format!("quarter past {hour}"),
            3 => format!("quarter to {hour}"),
            4 => format!("{hour} oh {}", cardinal(r.between(1, 9))),
            5 => format!("{hour} {} in the morning", cardinal(r.between(10, 59))),
            _ => format!("{hour} {}", cardinal(r.between(10, 59))),
        }
    }

    fn price(&mut self) -> String {
        let r = &mut self.random;
        let dollars = r.between(1, 120);
        let unit = if dollars == 1 { "dollar" } else { "dollars" };
        match r.below(4) {
            0 => format!("{} cents", cardinal(r.between(5, 99))),
            1 => format!("{} {unit}", cardinal(dollars)),
            2 => format!("{} {unit} and {} cents", cardinal(dollars), cardinal(r.between(5, 99))),
            _ => format!("{} ninety nine", cardinal(dollars)),
        }
    }
}

impl Iterator for SentenceGenerator {
    type Item = String;

    /// The next new sentence; `None` once the templates seem used up.
    fn next(&mut self) -> Option<String> {
        for _ in 0..ATTEMPTS {
            let template = TEMPLATES[self.random.below(TEMPLATES.len())];
            let text = capitalised(&with_articles(&self.expand(template, 0)));
            if self.given.insert(text.to_lowercase()) {
                return Some(text);
            }
        }
        None
    }
}

/// Makes `a` into `an` before a vowel. Spelled letters are capitals and stay.
fn with_articles(text: &str) -> String {
    const CONSONANT_SOUNDS: [&str; 3] = ["one", "usual", "useful"];
    let words: Vec<_> = text.split(' ').collect();
    let article = |(i, &word): (usize, &&str)| match words.get(i + 1) {
        Some(next) if word == "a" && next.starts_with(['a', 'e', 'i', 'o', 'u']) => {
            let sounds_consonant = CONSONANT_SOUNDS.iter().any(|w| next.starts_with(w));
            if sounds_consonant { "a".to_owned() } else { "an".to_owned() }
        }
        _ => word.to_owned(),
    };
    words.iter().enumerate().map(article).collect::<Vec<_>>().join(" ")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The choices of a corpus.
#[derive(Debug)]
pub(super) struct Choices(SplitMix);

impl Choices {
    pub(super) fn new(seed: u64) -> Self {
        Self(SplitMix::new(seed))
    }

    /// 0 to `n` − 1; 0 for `n` = 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (((self.0.bits() >> 32) * n as u64) >> 32) as usize
    }

    /// Both ends included.
    fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below((high - low + 1) as usize) as u32
    }

    fn letter(&mut self) -> char {
        char::from(b'A' + self.below(26) as u8)
    }

    /// Fisher-Yates.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::corpus::text_rules::is_plain_text;

    #[test]
    fn two_thousand_sentences_are_plain_different_and_repeatable() {
        let texts: Vec<_> = SentenceGenerator::new(1).take(2000).collect();
        assert_eq!(texts.len(), 2000);
        let distinct: HashSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), 2000);
        for text in &texts {
            assert!(is_plain_text(text), "{text}");
            assert!(text.split_whitespace().count() <= 25, "{text}");
        }
        assert_eq!(texts, SentenceGenerator::new(1).take(2000).collect::<Vec<_>>());
        assert_ne!(texts, SentenceGenerator::new(2).take(2000).collect::<Vec<_>>());
    }

    #[test]
    fn every_template_fills_every_slot() {
        let mut generator = SentenceGenerator::new(3);
        for template in TEMPLATES.iter().chain(SLOTS.iter().flat_map(|(_, choices)| choices.iter())) {
            for _ in 0..20 {
                let text = generator.expand(template, 0);
                assert!(!text.contains(['{', '}']), "{template} gave {text}");
            }
        }
    }

    #[test]
    fn the_generator_ends_rather_than_repeat() {
        let mut generator = SentenceGenerator::new(4);
        for template in TEMPLATES {
            if !template.contains('{') {
                generator.given.insert(template.to_lowercase());
            }
        }
        let texts: Vec<_> = generator.by_ref().take(500).collect();
        let distinct: HashSet<_> = texts.iter().collect();
        assert_eq!(texts.len(), distinct.len());
    }
}
