//! Lines of a limited length.

use std::io::{self, BufRead};

/// Reads lines; of a longer one than allowed the rest is thrown away.
pub struct Lines<R> {
    input: R,
    most_bytes: usize,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// As UTF-8; what is none is replaced.
    pub text: String,
    /// Whether its end was thrown away.
    pub is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    /// Holds at most so many bytes of a line.
    pub fn new(input: R, most_bytes: usize) -> Self {
        Self { input, most_bytes }
    }

    /// The next line; `None` at the end of the input.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let (mut bytes, mut is_cut, mut has_begun) = (Vec::new(), false, false);
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = available.iter().position(|&byte| byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            let kept = part.len().min(self.most_bytes - bytes.len());
            bytes.extend_from_slice(&part[..kept]);
            is_cut |= kept < part.len();
            let is_over = available.is_empty();
            has_begun |= !is_over;
            let consumed = part.len() + usize::from(end.is_some());
            self.input.consume(consumed);
            if end.is_some() || is_over {
                if bytes.last() == Some(&b'\r') {
                    bytes.pop();
                }
                let line = Line { text: String::from_utf8_lossy(&bytes).into_owned(), is_cut };
                return Ok(has_begun.then_some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_limit_and_ends_are_taken_off() {
        let input = &b"one\r\n\n123456789\nl\xffst"[..];
        let mut lines = Lines::new(io::BufReader::with_capacity(3, input), 6);
        let mut next = || lines.next_line().unwrap().map(|line| (line.text, line.is_cut));
        assert_eq!(next(), Some(("one".into(), false)));
        assert_eq!(next(), Some((String::new(), false)));
        assert_eq!(next(), Some(("123456".into(), true)));
        assert_eq!(next(), Some(("l\u{fffd}st".into(), false)));
        assert_eq!(next(), None);
    }
}
