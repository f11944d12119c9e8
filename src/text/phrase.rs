//! Cuts a long text into phrases, so that each is synthesised in bounded memory.

use super::{Pause, TextChunk, TextError, Token, TokenKind};

/// How long phrases may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhraseLimits {
    /// From this many words on, a comma or colon ends the phrase too. At least 1.
    pub comma_after_words: usize,
    /// A phrase of this many words ends wherever it is. At least 1.
    pub max_words: usize,
}

impl Default for PhraseLimits {
    fn default() -> Self {
        Self { comma_after_words: 20, max_words: 40 }
    }
}

/// Splits a chunk at the ends of its sentences, and long sentences at commas or, at worst, between words (with a
/// [`Pause::Break`]). Every phrase has at least one word; no token is lost.
///
/// Fails if there is no word at all.
///
/// ```
/// use fastglow::text::{PhraseLimits, normalise, phrases};
/// let phrases = phrases(normalise("It works. Does it? Yes!"), PhraseLimits::default())?;
/// assert_eq!(phrases.len(), 3);
/// # Ok::<(), fastglow::text::TextError>(())
/// ```
pub fn phrases(chunk: TextChunk, limits: PhraseLimits) -> Result<Vec<TextChunk>, TextError> {
    chunk.speakable()?;
    let TextChunk { tokens, unspoken } = chunk;
    let max_words = limits.max_words.max(1);
    let (mut phrases, mut phrase, mut words) = (Vec::new(), TextChunk::default(), 0);
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let end = token.source.end;
        let ends_phrase = match token.kind {
            TokenKind::Pause(Pause::Stop | Pause::Question | Pause::Exclamation) => true,
            TokenKind::Pause(_) => words >= limits.comma_after_words,
            _ => {
                words += 1;
                false
            }
        };
        phrase.tokens.push(token);
        // A pause behind the last word belongs to this phrase.
        let next_is_word = tokens.peek().is_some_and(|next| next.word().is_some());
        let full = words >= max_words && next_is_word && !ends_phrase;
        if full && phrase.tokens.last().is_some_and(|last| last.word().is_some()) {
            phrase.tokens.push(Token { kind: TokenKind::Pause(Pause::Break), source: end..end });
        }
        if ends_phrase || full {
            phrases.push(std::mem::take(&mut phrase));
            words = 0;
        }
    }
    if !phrase.tokens.is_empty() {
        phrases.push(phrase);
    }
    // What could not be spoken goes with the phrase that it stands before or in.
    let mut ends: Vec<usize> =
        phrases.iter().map(|phrase| phrase.tokens.last().map_or(0, |t| t.source.end)).collect();
    if let Some(last) = ends.last_mut() {
        *last = usize::MAX;
    }
    let mut at = 0;
    for part in unspoken {
        while part.source.start >= ends[at] {
            at += 1;
        }
        phrases[at].unspoken.push(part);
    }
    Ok(phrases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normalise;

    fn cut(text: &str, comma_after_words: usize, max_words: usize) -> Vec<String> {
        let phrases = phrases(normalise(text), PhraseLimits { comma_after_words, max_words }).unwrap();
        phrases.iter().map(|phrase| phrase.words().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn cuts_at_sentences_then_commas_then_anywhere() {
        assert_eq!(cut("One two. Three, four? Five", 20, 40), ["one two", "three four", "five"]);
        assert_eq!(cut("One, two, three four, five.", 2, 40), ["one two", "three four", "five"]);
        assert_eq!(cut("one two three four five", 20, 2), ["one two", "three four", "five"]);
        assert_eq!(cut("one two three four. five", 20, 4), ["one two three four", "five"]);
        assert_eq!(cut("a b c", 0, 0), ["a", "b", "c"]);
    }

    #[test]
    fn a_cut_between_words_is_a_break() {
        let phrases =
            phrases(normalise("one two three"), PhraseLimits { comma_after_words: 9, max_words: 2 }).unwrap();
        assert_eq!(phrases[0].tokens.last().unwrap().kind, TokenKind::Pause(Pause::Break));
        assert_eq!(phrases[0].tokens.last().unwrap().source, 7..7);
        assert_eq!(phrases[1].tokens.len(), 1);
    }

    #[test]
    fn nothing_to_say_is_an_error() {
        let error = phrases(normalise("😀"), PhraseLimits::default()).unwrap_err();
        assert_eq!(error, TextError::NothingToSay { found: "only emoji".into() });
    }

    #[test]
    fn unspoken_parts_are_kept() {
        let phrases = phrases(normalise("Hi 😀. You 😀 there. 😀"), PhraseLimits::default()).unwrap();
        assert_eq!(phrases.iter().map(|phrase| phrase.unspoken.len()).collect::<Vec<_>>(), [1, 2]);
    }
}
