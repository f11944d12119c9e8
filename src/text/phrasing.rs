//! Where a speaker draws breath in a long clause without punctuation.
//!
//! A pause goes before a word that begins a clause or a phrase, once enough words have been said since the last pause,
//! and in any case before too many have. The choice at a place depends on the words said since the last pause and on the
//! three that follow, which the chunker knows wherever it cuts; so a text is phrased alike however it is cut.

use super::chunk::{BEFORE_NOUN, PHRASE_STARTS};
use super::{Pause, Token, TokenKind};

/// Words that begin a clause, and how many must have been said since the last pause. `and` and `or` join words as often
/// as clauses.
const CLAUSE_STARTS: &[(&str, usize)] = &[
    ("although", 6),
    ("and", 9),
    ("because", 6),
    ("but", 6),
    ("if", 7),
    ("nor", 7),
    ("or", 9),
    ("since", 7),
    ("so", 7),
    ("that", 8),
    ("though", 6),
    ("unless", 6),
    ("until", 7),
    ("when", 7),
    ("where", 7),
    ("which", 6),
    ("while", 6),
    ("who", 7),
    ("whom", 7),
    ("whose", 7),
];
/// The same for other words that begin a phrase.
const PHRASE_WORDS: usize = 10;
/// Words that begin a phrase but belong to what stands before them.
const LEANING: &[&str] = &["as", "of", "than", "then", "to"];
/// So many words without a pause are a breath: the next place that is not in the midst of a phrase pauses.
const BREATH_WORDS: usize = 16;
/// So many are too many: the next place between two words does.
const MOST_WORDS: usize = 20;
/// Words that must follow before the next pause.
const LEAST_FOLLOWING: usize = 3;

/// Counts the words since the last pause.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breath {
    words: usize,
    last_leans: bool,
}

impl Breath {
    /// Puts pauses into `tokens`, which go on with `after` as far as is known.
    pub fn phrase(&mut self, tokens: &mut Vec<Token>, after: &[Token]) {
        let mut phrased = Vec::with_capacity(tokens.len() + 2);
        for index in 0..tokens.len() {
            // Before the first word it was decided when the last chunk ended.
            if index > 0 && self.pauses_before(&tokens[index..], after) {
                let pause = self.pause_behind(&tokens[index - 1]);
                phrased.push(pause);
            }
            self.count(&tokens[index]);
            phrased.push(tokens[index].clone());
        }
        if let Some(last) = phrased.last().filter(|_| self.pauses_before(after, &[])) {
            let pause = self.pause_behind(last);
            phrased.push(pause);
        }
        *tokens = phrased;
    }

    fn pause_behind(&mut self, token: &Token) -> Token {
        self.words = 0;
        Token { kind: TokenKind::Pause(Pause::Break), source: token.source.end..token.source.end }
    }

    fn count(&mut self, token: &Token) {
        match token.word() {
            Some(word) => {
                self.words += 1;
                self.last_leans = BEFORE_NOUN.contains(&word);
            }
            None => self.words = 0,
        }
    }

    fn pauses_before(&self, following: &[Token], after: &[Token]) -> bool {
        let mut next = following.iter().chain(after).take(LEAST_FOLLOWING);
        let Some(TokenKind::Word(word)) = next.next().map(|token| &token.kind) else { return false };
        if self.words == 0 || self.last_leans || next.any(|token| token.word().is_none()) {
            return false;
        }
        let clause = CLAUSE_STARTS.iter().find(|(start, _)| start == word).map(|(_, words)| *words);
        let begins_phrase = PHRASE_STARTS.contains(&word.as_str()) && !LEANING.contains(&word.as_str());
        let least = match clause {
            Some(words) => words,
            None if begins_phrase => PHRASE_WORDS,
            None if BEFORE_NOUN.contains(&word.as_str()) => BREATH_WORDS,
            None => MOST_WORDS,
        };
        self.words >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normalise;

    /// The words, with bars where breath is drawn.
    fn phrased(text: &str) -> String {
        let mut tokens = normalise(text).tokens;
        Breath::default().phrase(&mut tokens, &[]);
        show(&tokens)
    }

    fn show(tokens: &[Token]) -> String {
        let shown = tokens.iter().map(|token| match &token.kind {
            TokenKind::Pause(Pause::Break) => "|",
            TokenKind::Pause(_) => ",",
            word => word.word().unwrap_or_default(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn breath_is_drawn_before_clauses_and_phrases() {
        for (text, expected) in [
            (
                "The man who runs the little shop closed it because nobody came in.",
                "the man who runs the little shop closed it | because nobody came in ,",
            ),
            ("We like the bread and the butter.", "we like the bread and the butter ,"),
            (
                "The lift on the left side of the main hall stops at every floor with a shop.",
                "the lift on the left side of the main hall stops | at every floor with a shop ,",
            ),
            (
                "It went up, but it stopped when they called.",
                "it went up , but it stopped when they called ,",
            ),
        ] {
            assert_eq!(phrased(text), expected);
        }
    }

    #[test]
    fn no_breath_is_longer_than_it_may_be() {
        let words: Vec<String> = (0..200).map(|i| format!("word{}", ["", "s"][i % 2])).collect();
        let shown = phrased(&words.join(" "));
        let longest = shown.split('|').map(|part| part.split_whitespace().count()).max().unwrap();
        assert!((BREATH_WORDS..=MOST_WORDS).contains(&longest), "{longest}");
    }

    #[test]
    fn the_places_are_the_same_however_the_text_is_cut() {
        let text = "the man who runs the little shop on the corner of the street closed it early because nobody came \
                    in and the rain would not stop until the evening when the last bus had left the station";
        let tokens = normalise(text).tokens;
        let whole = phrased(text);
        for cut in 1..tokens.len() {
            let (head, rest) = tokens.split_at(cut);
            let (mut head, mut rest) = (head.to_vec(), rest.to_vec());
            let after = rest[..LEAST_FOLLOWING.min(rest.len())].to_vec();
            let mut breath = Breath::default();
            breath.phrase(&mut head, &after);
            breath.phrase(&mut rest, &[]);
            head.extend(rest);
            assert_eq!(show(&head), whole, "cut before word {cut}");
        }
        assert_eq!(whole.matches('|').count(), 2, "{whole}");
    }
}
