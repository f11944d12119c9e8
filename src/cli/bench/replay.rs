//! Text as a language model sends it: token by token, at a steady pace.

use std::time::{Duration, Instant};

use fastglow::engine::{JobError, JobText};

/// Most letters of a token. Longer words come in parts of this size: English text then has about 1.3 tokens a word, as
/// with the vocabularies of small models.
const TOKEN_LETTERS: usize = 6;

/// Cuts a text into tokens: a word's first token brings the space before it, marks are tokens of their own, and so are
/// single digits.
pub fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut previous = ' ';
    let mut letters = 0;
    for (at, now) in text.char_indices() {
        let goes_on = match now {
            _ if at == start => true,
            _ if now.is_whitespace() => false,
            _ if previous.is_whitespace() => true,
            _ => now.is_alphabetic() && previous.is_alphabetic() && letters < TOKEN_LETTERS,
        };
        if !goes_on {
            tokens.push(&text[start..at]);
            start = at;
            letters = 0;
        }
        letters += usize::from(now.is_alphabetic());
        previous = now;
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

/// Sends the tokens, the first at once; then the text ends. Returns when the first was sent.
///
/// # Errors
/// The job ended before its text did.
pub fn replay(text: JobText, tokens: &[&str], tokens_per_second: f64) -> Result<Instant, JobError> {
    let start = Instant::now();
    for (index, token) in tokens.iter().enumerate() {
        let due = Duration::from_secs_f64(index as f64 / tokens_per_second);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        text.push(token)?;
    }
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_bring_their_space_and_nothing_is_lost() {
        let text = "Take the escalator to floor 12, please.";
        let cut = tokens(text);
        assert_eq!(cut, ["Take", " the", " escala", "tor", " to", " floor", " 1", "2", ",", " please", "."]);
        assert_eq!(cut.concat(), text);
        assert_eq!(tokens("  \n é1").concat(), "  \n é1");
        assert!(tokens("").is_empty());
    }
}
