//! Lines of limited length and duration, cut from a stream.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep_until};

const READ_BYTES: usize = 4096;

/// Why no more lines come.
#[derive(Debug)]
pub enum LineEnd {
    /// The client has closed.
    Closed,
    /// A line is longer than allowed.
    TooLong,
    /// A line took longer than allowed.
    TooSlow,
    /// The connection broke.
    Broken,
}

/// Reads lines. Nothing is lost when [`Lines::next`] is dropped while it waits.
pub struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    /// Bytes at the start of the buffer that were handed out.
    used: usize,
    /// Bytes that are known to hold no line end.
    searched: usize,
    most_bytes: usize,
    stall: Duration,
    begun: Option<Instant>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most so many bytes, each of which must come within `stall`.
    pub fn new(source: R, most_bytes: usize, stall: Duration) -> Self {
        Self { source, buffer: Vec::new(), used: 0, searched: 0, most_bytes, stall, begun: None }
    }

    /// The next line, without its end.
    pub async fn next(&mut self) -> Result<&[u8], LineEnd> {
        self.buffer.drain(..self.used);
        self.used = 0;
        loop {
            if let Some(position) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
                let end = self.searched + position;
                self.used = end + 1;
                self.searched = 0;
                self.begun = None;
                if end > self.most_bytes {
                    return Err(LineEnd::TooLong);
                }
                return Ok(&self.buffer[..end]);
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > self.most_bytes {
                return Err(LineEnd::TooLong);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), LineEnd> {
        let mut bytes = [0; READ_BYTES];
        let deadline = match self.buffer.is_empty() {
            true => None,
            false => Some(*self.begun.get_or_insert_with(Instant::now) + self.stall),
        };
        let count = tokio::select! {
            result = self.source.read(&mut bytes) => result.map_err(|_| LineEnd::Broken)?,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                return Err(LineEnd::TooSlow);
            }
        };
        if count == 0 {
            return Err(LineEnd::Closed);
        }
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const STALL: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn lines_are_cut_wherever_the_pieces_were() {
        let source: &[u8] = b"one\n\nthree\ncut";
        for size in 1..20 {
            let (mut to, from) = tokio::io::duplex(size);
            let writing = tokio::spawn(async move { to.write_all(source).await });
            let mut lines = Lines::new(from, 5, STALL);
            for expected in ["one", "", "three"] {
                assert_eq!(lines.next().await.unwrap(), expected.as_bytes());
            }
            assert!(matches!(lines.next().await, Err(LineEnd::Closed)));
            writing.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_line_may_be_as_long_as_allowed_and_no_longer() {
        let mut lines = Lines::new(&b"12345\n123456\n"[..], 5, STALL);
        assert_eq!(lines.next().await.unwrap(), b"12345");
        assert!(matches!(lines.next().await, Err(LineEnd::TooLong)));
        let endless = [b'x'; 100_000];
        assert!(matches!(Lines::new(&endless[..], 100, STALL).next().await, Err(LineEnd::TooLong)));
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_line_is_waited_for_only_so_long_but_silence_is_no_fault() {
        let (mut to, from) = tokio::io::duplex(64);
        let mut lines = Lines::new(from, 100, STALL);
        assert!(tokio::time::timeout(100 * STALL, lines.next()).await.is_err(), "still waiting");
        to.write_all(b"half").await.unwrap();
        assert!(matches!(lines.next().await, Err(LineEnd::TooSlow)));
    }
}
