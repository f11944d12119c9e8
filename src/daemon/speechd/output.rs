//! What the module says: replies, events and sound, each written whole.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::audio::to_pcm16;

/// Samples of one block, about a fifth of a second: stopping waits for at most one.
const BLOCK_SAMPLES: usize = 4096;
/// Stands before a byte that would end a line, or before itself.
const ESCAPE: u8 = 0x7d;
const ESCAPE_FLIP: u8 = 0x20;

/// Standard output, shared by the threads that write to it.
#[derive(Clone)]
pub struct Output {
    writer: Arc<Mutex<dyn Write + Send>>,
}

impl Output {
    /// Writes there.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Arc::new(Mutex::new(writer)) }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(bytes)?;
        writer.flush()
    }

    /// Lines of a reply or event, without their ends.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn say(&self, lines: &str) -> io::Result<()> {
        self.write(format!("{lines}\n").as_bytes())
    }

    /// `700`: a mark is reached.
    ///
    /// # Errors
    /// As [`Output::say`].
    pub fn mark(&self, name: &str) -> io::Result<()> {
        // A line break in the name would be one of the protocol.
        let name: String = name.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        self.say(&format!("700-{name}\n700 INDEX MARK"))
    }

    /// `705`: sound, to be played by speech-dispatcher. Goes on as long as `is_wanted` says, block by block.
    ///
    /// # Errors
    /// As [`Output::say`].
    pub fn samples(&self, samples: &[f32], rate_hz: u32, is_wanted: impl Fn() -> bool) -> io::Result<()> {
        for block in samples.chunks(BLOCK_SAMPLES) {
            if !is_wanted() {
                break;
            }
            self.write(&audio_block(block, rate_hz))?;
        }
        Ok(())
    }
}

fn audio_block(samples: &[f32], rate_hz: u32) -> Vec<u8> {
    let head = format!(
        "705-bits=16\n705-num_channels=1\n705-sample_rate={rate_hz}\n705-num_samples={}\n705-big_endian=0\n705-AUDIO",
        samples.len()
    );
    let mut bytes = head.into_bytes();
    bytes.push(0);
    for byte in samples.iter().flat_map(|&sample| to_pcm16(sample).to_le_bytes()) {
        if matches!(byte, b'\n' | ESCAPE) {
            bytes.extend([ESCAPE, byte ^ ESCAPE_FLIP]);
        } else {
            bytes.push(byte);
        }
    }
    bytes.extend(b"\n705 AUDIO\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_has_no_line_breaks_inside() {
        // 0x7d0a, and 0x0a7d.
        let samples = [32010.0 / 32767.0, 2685.0 / 32767.0, 0.0];
        let bytes = audio_block(&samples, 8000);
        let expected =
            b"705-bits=16\n705-num_channels=1\n705-sample_rate=8000\n705-num_samples=3\n705-big_endian=0\n\
            705-AUDIO\0\x7d\x2a\x7d\x5d\x7d\x5d\x7d\x2a\0\0\n705 AUDIO\n";
        assert_eq!(bytes, expected);
    }
}
