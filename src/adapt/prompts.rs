//! Sentences to be read aloud: few of them should have every sound of the language, in many neighbourhoods.

use std::collections::HashSet;
use std::path::Path;

use super::AdaptError;
use super::recordings::{MAX_RECORDINGS, read_text};
use crate::text::normalise;

/// A sentence longer than this takes more than 15 seconds to read, which is the longest recording.
const MAX_PROMPT_LETTERS: usize = 200;

/// English, our own. In greedy order: each adds at least as many new pairs of phones as any after it would.
const BUILT_IN: &str = include_str!("prompts.txt");

/// The built-in English sentences, richest first: the first 50 have every phone.
pub fn built_in_prompts() -> Vec<String> {
    BUILT_IN.lines().map(str::to_owned).collect()
}

/// Sentences of the user's own, one a line, in their order. Empty lines and those that begin with `#` are left out, as is
/// a sentence that was there before.
///
/// # Errors
/// The file cannot be read, has more than 4 MiB or 5000 sentences, none, or one of more than 200 letters or without a word.
pub fn read_prompts(path: &Path) -> Result<Vec<String>, AdaptError> {
    let text = read_text(path)?;
    let mut known = HashSet::new();
    let mut prompts = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // One space between words: a line is shown as it is saved.
        let prompt = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if prompt.is_empty() || prompt.starts_with('#') {
            continue;
        }
        let refused = |reason: String| AdaptError::Prompt { path: path.into(), line: index + 1, reason };
        let letters = prompt.chars().count();
        if letters > MAX_PROMPT_LETTERS {
            return Err(refused(format!("expected at most {MAX_PROMPT_LETTERS} letters, got {letters}")));
        }
        if normalise(&prompt).speakable().is_err() {
            return Err(refused("has no word that can be spoken".into()));
        }
        if known.insert(prompt.clone()) {
            prompts.push(prompt);
        }
    }
    if prompts.is_empty() {
        return Err(AdaptError::NoPrompts { path: path.into() });
    }
    if prompts.len() > MAX_RECORDINGS {
        let (limit, got) = (MAX_RECORDINGS as u64, prompts.len() as u64);
        return Err(AdaptError::TooMuch { folder: path.into(), what: "prompts", limit, got });
    }
    Ok(prompts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::{Pronouncer, SYMBOL_COUNT, Stress, Symbol};

    /// How many prompts a user is likely to read: about three minutes.
    const SITTING: usize = 50;

    /// The phones of a sentence without stress, as ids; 0 for pauses.
    fn phones(pronouncer: &Pronouncer, prompt: &str) -> Vec<u8> {
        let spoken = pronouncer.pronounce(&normalise(prompt)).unwrap();
        let plain = |symbol: Symbol| symbol.pause().map_or(symbol.with_stress(Stress::None).id(), |_| 0);
        spoken.phones.iter().map(|phone| plain(phone.symbol)).collect()
    }

    fn diphones(phones: &[u8]) -> HashSet<(u8, u8)> {
        phones.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    fn pairs(spoken: &[Vec<u8>]) -> HashSet<(u8, u8)> {
        spoken.iter().flat_map(|phones| diphones(phones)).collect()
    }

    #[test]
    fn the_first_fifty_have_every_phone_and_most_of_the_diphones() {
        let pronouncer = Pronouncer::new();
        let spoken: Vec<Vec<u8>> = built_in_prompts().iter().map(|p| phones(&pronouncer, p)).collect();
        let first: HashSet<u8> = spoken[..SITTING].iter().flatten().copied().collect();
        let inventory = (1..SYMBOL_COUNT as u8).filter_map(Symbol::from_id);
        for symbol in inventory.filter(|symbol| symbol.pause().is_none()) {
            assert!(
                first.contains(&symbol.with_stress(Stress::None).id()),
                "no {symbol} in the first {SITTING}"
            );
        }
        let (early, all) = (pairs(&spoken[..SITTING]).len(), pairs(&spoken).len());
        assert!(early >= 620 && 10 * early >= 8 * all, "{early} of {all} diphones");
    }

    #[test]
    fn no_other_order_is_much_richer() {
        let pronouncer = Pronouncer::new();
        let spoken: Vec<Vec<u8>> = built_in_prompts().iter().map(|p| phones(&pronouncer, p)).collect();
        let mut left = spoken.clone();
        let mut heard = HashSet::new();
        // Greedily: the sentence with the most pairs that are new, again and again.
        for _ in 0..SITTING {
            let gain = |i: &usize| diphones(&left[*i]).difference(&heard).count();
            let best = (0..left.len()).max_by_key(gain).unwrap();
            heard.extend(diphones(&left.swap_remove(best)));
        }
        let (ours, greedy) = (pairs(&spoken[..SITTING]).len(), heard.len());
        assert!(100 * ours >= 97 * greedy, "{ours} diphones, {greedy} in greedy order");
    }

    #[test]
    fn each_is_a_sentence_that_is_easily_read() {
        let prompts = built_in_prompts();
        assert!(prompts.len() >= 120);
        assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), prompts.len());
        for prompt in &prompts {
            assert!((5..=14).contains(&prompt.split(' ').count()), "{prompt}");
            assert!(
                prompt.ends_with(['.', '!', '?']) && !prompt.contains(|c: char| c.is_ascii_digit()),
                "{prompt}"
            );
        }
    }

    #[test]
    fn own_sentences_are_read_within_limits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prompts.txt");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_prompts(&path)
        };
        assert_eq!(read("# mine\n\n One  two.\r\nThree.\nOne two.\n").unwrap(), ["One two.", "Three."]);
        assert!(matches!(read("# none\n"), Err(AdaptError::NoPrompts { .. })));
        assert!(matches!(read("Good.\n...\n"), Err(AdaptError::Prompt { line: 2, .. })));
        let long = read(&"word ".repeat(50)).unwrap_err().to_string();
        assert!(long.ends_with("line 1: expected at most 200 letters, got 249"), "{long}");
        let many: String = (0..5001).map(|i| format!("Number {i}.\n")).collect();
        assert!(matches!(read(&many), Err(AdaptError::TooMuch { limit: 5000, got: 5001, .. })));
        assert!(matches!(read_prompts(&folder.path().join("none")), Err(AdaptError::Io { .. })));
    }
}
