//! Text as it arrives: bytes in, pieces that can be spoken out.
//!
//! A piece is one or more whole sentences. A line that ends without a full stop is a piece too, unless it is so long that it
//! looks like the wrapped line of a paragraph. Where pieces end depends on the text alone, never on when it came.

use std::io::{self, Read};

use fastglow::text::{Pause, TokenKind, normalise};

/// Text without any end in sight is spoken in pieces of about this size.
const LONGEST_PIECE_BYTES: usize = 4096;
/// A line of at least this length without punctuation at its end goes on in the next.
const WRAPPED_LINE_CHARS: usize = 60;
const READ_BYTES: usize = 4096;

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Valid text; what was not is replaced by U+FFFD.
    pub text: String,
    /// Whether something was replaced.
    pub is_repaired: bool,
}

/// Cuts a stream of bytes into pieces.
pub struct TextInput<R> {
    source: R,
    /// Bytes of a character that is not complete yet.
    partial: Vec<u8>,
    pending: String,
    is_repaired: bool,
    is_at_end: bool,
}

impl<R: Read> TextInput<R> {
    /// Reads from `source`.
    pub fn new(source: R) -> Self {
        Self { source, partial: Vec::new(), pending: String::new(), is_repaired: false, is_at_end: false }
    }

    /// The next piece that is more than white space; `None` at the end. Waits for input only if no piece is complete.
    ///
    /// # Errors
    /// The source fails.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        loop {
            while let Some(length) = piece_length(&self.pending, self.is_at_end) {
                let rest = self.pending.split_off(length);
                let text = std::mem::replace(&mut self.pending, rest);
                if !text.trim().is_empty() {
                    let is_repaired = std::mem::take(&mut self.is_repaired);
                    return Ok(Some(Piece { text, is_repaired }));
                }
            }
            if self.is_at_end {
                return Ok(None);
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut bytes = [0; READ_BYTES];
        let count = match self.source.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        };
        self.partial.extend_from_slice(&bytes[..count]);
        self.is_at_end = count == 0;
        let mut rest = std::mem::take(&mut self.partial);
        loop {
            match std::str::from_utf8(&rest) {
                Ok(valid) => {
                    self.pending.push_str(valid);
                    return Ok(());
                }
                Err(error) => {
                    let valid = &rest[..error.valid_up_to()];
                    self.pending.push_str(&String::from_utf8_lossy(valid));
                    let bad = match error.error_len() {
                        Some(length) => length,
                        // A character cut by the end of this read, or of all of it.
                        None if self.is_at_end => rest.len() - error.valid_up_to(),
                        None => {
                            self.partial = rest.split_off(error.valid_up_to());
                            return Ok(());
                        }
                    };
                    self.pending.push('\u{fffd}');
                    self.is_repaired = true;
                    rest.drain(..error.valid_up_to() + bad);
                }
            }
        }
    }
}

/// The length in bytes of the first piece of `text`, if it is complete.
fn piece_length(text: &str, is_at_end: bool) -> Option<usize> {
    if text.is_empty() {
        return None;
    }
    if let Some(end) = end_of_lines(text) {
        return Some(end);
    }
    if is_at_end {
        return Some(text.len());
    }
    if let Some(end) = end_of_sentences(text) {
        return Some(end);
    }
    if text.len() >= LONGEST_PIECE_BYTES {
        // At the last white space, or wherever a character ends.
        let head = &text[..text.floor_char_boundary(LONGEST_PIECE_BYTES)];
        return Some(head.rfind(char::is_whitespace).filter(|&at| at > 0).unwrap_or(head.len()));
    }
    None
}

/// One past the first line break that ends a piece.
fn end_of_lines(text: &str) -> Option<usize> {
    let mut start = 0;
    for (at, _) in text.match_indices('\n') {
        let line = text[start..at].trim_end();
        let is_wrapped = line.chars().count() >= WRAPPED_LINE_CHARS
            && !line.ends_with(['.', '!', '?', ':', ';', '"', '\'', ')', '\u{201d}', '\u{2019}']);
        if !is_wrapped {
            return Some(at + 1);
        }
        start = at + 1;
    }
    None
}

/// The end of the last sentence that another word follows: only then is it certain that it has ended (`3.` may become
/// `3.14`, and `Dr.` is no end).
fn end_of_sentences(text: &str) -> Option<usize> {
    if !text.contains(['.', '!', '?']) {
        return None;
    }
    let tokens = normalise(text).tokens;
    let last_word = tokens.iter().rposition(|token| token.word().is_some())?;
    let ends = |kind: &TokenKind| {
        matches!(kind, TokenKind::Pause(Pause::Stop | Pause::Question | Pause::Exclamation))
    };
    let end = tokens[..last_word].iter().rfind(|token| ends(&token.kind))?;
    Some(end.source.end).filter(|&end| end > 0 && text.is_char_boundary(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(out.len());
            let (now, later) = self.0.split_at(count);
            out[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn pieces(bytes: &[u8], step: usize) -> Vec<Piece> {
        let mut input = TextInput::new(Slow(bytes, step));
        std::iter::from_fn(|| input.next_piece().unwrap()).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        pieces(text.as_bytes(), 4096).into_iter().map(|piece| piece.text.trim().to_string()).collect()
    }

    #[test]
    fn a_line_is_a_piece_and_a_wrapped_one_is_not() {
        assert_eq!(texts("hello\nworld\n"), ["hello", "world"]);
        let wrapped = "It was a bright cold day in April, and the clocks were striking\nthirteen.\n";
        assert_eq!(texts(wrapped), [wrapped.trim()]);
        assert_eq!(texts("\n\n  \n"), Vec::<String>::new());
    }

    #[test]
    fn sentences_are_spoken_before_the_input_ends() {
        let mut input = TextInput::new(Slow(b"One two. Three four. Five", 3));
        assert_eq!(input.next_piece().unwrap().unwrap().text.trim(), "One two.");
        assert!(!input.is_at_end);
    }

    #[test]
    fn abbreviations_and_decimals_do_not_end_a_sentence() {
        let text = "I met Dr. Smith at 3.14 p.m. today";
        for step in [1, 2, 3, 7] {
            let read = pieces(text.as_bytes(), step);
            assert_eq!(read.len(), 1, "{step}: {read:?}");
        }
    }

    #[test]
    fn no_byte_is_lost_whatever_the_pace() {
        let text = "Caf\u{e9} \u{1f600} one. Two three! Four\nfive six? Seven, eight. \u{4e2d}\u{6587} nine";
        for step in 1..20 {
            let joined: String = pieces(text.as_bytes(), step).into_iter().map(|piece| piece.text).collect();
            assert_eq!(joined, text, "{step}");
        }
    }

    #[test]
    fn invalid_bytes_are_replaced_and_said() {
        for step in [1, 2, 100] {
            let read = pieces(b"good \xff\xfe morning \xe2\x82", step);
            assert!(read.iter().any(|piece| piece.is_repaired), "{step}");
            let joined: String = read.into_iter().map(|piece| piece.text).collect();
            assert_eq!(joined, "good \u{fffd}\u{fffd} morning \u{fffd}", "{step}");
        }
    }

    #[test]
    fn endless_text_comes_in_bounded_pieces() {
        let long = "word ".repeat(5000);
        let read = pieces(long.as_bytes(), 1000);
        assert!(read.len() > 5 && read.iter().all(|p| p.text.len() <= LONGEST_PIECE_BYTES + READ_BYTES));
        let unbroken = "x".repeat(10_000);
        let joined: String = pieces(unbroken.as_bytes(), 999).into_iter().map(|piece| piece.text).collect();
        assert_eq!(joined, unbroken);
    }
}
