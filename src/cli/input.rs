//! Text from the command line or standard input, read on a thread of its own.
//!
//! Reading begins before the voice is loaded: what has ended by then is known as a whole, and is spoken as such.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use fastglow::engine::JobText;

use super::failure::Failure;

const READ_BYTES: usize = 4096;
/// Pieces that are read ahead: 256 KiB.
const QUEUED_PIECES: usize = 64;

/// Where the text comes from.
pub struct TextInput {
    /// What has been read and not been passed on.
    pending: Vec<u8>,
    /// What is still being read.
    pieces: Option<Receiver<io::Result<Vec<u8>>>>,
    /// Why reading ended early.
    failure: Option<io::Error>,
}

impl TextInput {
    /// A text that is there.
    pub fn given(text: &str) -> Self {
        Self { pending: text.as_bytes().to_vec(), pieces: None, failure: None }
    }

    /// Begins to read `source` to its end.
    pub fn read(mut source: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = sync_channel(QUEUED_PIECES);
        std::thread::spawn(move || {
            let mut bytes = [0; READ_BYTES];
            loop {
                let result = match source.read(&mut bytes) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Ok(0) => return,
                    Ok(count) => Ok(bytes[..count].to_vec()),
                    Err(error) => Err(error),
                };
                let failed = result.is_err();
                // Without a receiver nobody wants more.
                if sender.send(result).is_err() || failed {
                    return;
                }
            }
        });
        Self { pending: Vec::new(), pieces: Some(pieces), failure: None }
    }

    /// Whether all of the text has come.
    pub fn is_whole(&mut self) -> bool {
        while let Some(pieces) = &self.pieces {
            match pieces.try_recv() {
                Ok(Ok(piece)) => self.pending.extend(piece),
                Ok(Err(error)) => (self.pieces, self.failure) = (None, Some(error)),
                Err(TryRecvError::Disconnected) => self.pieces = None,
                Err(TryRecvError::Empty) => return false,
            }
        }
        true
    }

    /// Passes the text on as it comes, on another thread.
    pub fn feed(self, text: JobText) -> Feeding {
        Feeding(std::thread::spawn(move || {
            // A job that takes no more has ended, and says itself why.
            if text.push(&self.pending).is_err() {
                return Ok(());
            }
            for piece in self.pieces.into_iter().flatten() {
                if text.push(piece?).is_err() {
                    break;
                }
            }
            self.failure.map_or(Ok(()), Err)
        }))
    }
}

/// Text being passed on.
pub struct Feeding(JoinHandle<io::Result<()>>);

impl Feeding {
    /// What became of the source, once the job has ended.
    ///
    /// # Errors
    /// It could not be read to its end.
    pub fn result(self) -> Result<(), Failure> {
        let read = |source| Failure::Io { what: "standard input", source };
        self.0.join().unwrap_or(Ok(())).map_err(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(mut input: TextInput) -> Vec<u8> {
        while !input.is_whole() {
            std::thread::yield_now();
        }
        input.pending
    }

    #[test]
    fn a_source_is_read_to_its_end() {
        assert_eq!(whole(TextInput::given("hi")), b"hi");
        let long: Vec<u8> = (0..20_000u32).map(|i| i as u8).collect();
        assert_eq!(whole(TextInput::read(io::Cursor::new(long.clone()))), long);
    }

    #[test]
    fn a_source_that_goes_on_is_not_whole() {
        struct Endless;
        impl Read for Endless {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                std::thread::park();
                Ok(out.len())
            }
        }
        assert!(!TextInput::read(Endless).is_whole());
    }
}
