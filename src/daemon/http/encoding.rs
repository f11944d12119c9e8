//! Samples as the bytes that a client asked for.

use super::flac;
use crate::Result;
use crate::audio::convert::RateConverter;
use crate::audio::{to_pcm16, wav_header};

/// How samples are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// WAV, 16 bits, mono.
    Wav,
    /// The same without a header, little-endian.
    Pcm,
    /// The same in about half the bytes.
    Flac,
}

impl Format {
    /// All of them, for messages.
    pub const NAMES: &str = "`wav`, `pcm`, `flac`";

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "wav" => Some(Self::Wav),
            "pcm" => Some(Self::Pcm),
            "flac" => Some(Self::Flac),
            _ => None,
        }
    }

    pub fn content_type(self, sample_rate_hz: u32) -> String {
        match self {
            Self::Wav => "audio/wav".to_owned(),
            Self::Flac => "audio/flac".to_owned(),
            Self::Pcm => format!("audio/pcm;rate={sample_rate_hz};encoding=signed-int;bits=16;channels=1"),
        }
    }
}

/// Packs a stream of samples.
pub(super) struct Encoder {
    format: Format,
    sample_rate_hz: u32,
    converter: RateConverter,
    converted: Vec<f32>,
    /// Packed so far.
    samples: u64,
    blocks: flac::Blocks,
}

impl Encoder {
    /// From the voice's rate to the client's.
    pub fn new(format: Format, voice_hz: u32, client_hz: u32) -> Result<Self> {
        let converter = RateConverter::new(voice_hz, client_hz)?;
        let (converted, blocks) = (Vec::new(), flac::Blocks::default());
        Ok(Self { format, sample_rate_hz: client_hz, converter, converted, samples: 0, blocks })
    }

    pub fn content_type(&self) -> String {
        self.format.content_type(self.sample_rate_hz)
    }

    /// What comes before the samples; without their number, for a stream that ends when it ends.
    pub fn head(&self) -> Vec<u8> {
        self.head_of(None)
    }

    /// The same, of the same length, once all samples are packed.
    pub fn complete_head(&self) -> Vec<u8> {
        self.head_of(Some(self.samples))
    }

    fn head_of(&self, samples: Option<u64>) -> Vec<u8> {
        match self.format {
            Format::Wav => wav_header(self.sample_rate_hz, samples.map(|samples| 2 * samples)),
            Format::Flac => flac::head(self.sample_rate_hz, samples.unwrap_or(0)),
            Format::Pcm => Vec::new(),
        }
    }

    /// Appends what the next samples become.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<()> {
        self.converter.push(samples, &mut self.converted)?;
        self.pack(out);
        Ok(())
    }

    /// Appends the rest.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.converter.flush(&mut self.converted)?;
        self.pack(out);
        self.blocks.flush(out);
        Ok(())
    }

    fn pack(&mut self, out: &mut Vec<u8>) {
        self.samples += self.converted.len() as u64;
        let samples = self.converted.drain(..).map(to_pcm16);
        match self.format {
            Format::Flac => self.blocks.push(samples, out),
            Format::Wav | Format::Pcm => out.extend(samples.flat_map(i16::to_le_bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_little_endian_words_at_the_rate_asked_for() {
        let mut out = Vec::new();
        let mut same = Encoder::new(Format::Pcm, 22_050, 22_050).unwrap();
        same.push(&[0.0, 1.0, -1.0, 2.0], &mut out).unwrap();
        same.finish(&mut out).unwrap();
        assert_eq!(out, [0, 0, 0xff, 0x7f, 0x01, 0x80, 0xff, 0x7f]);

        let mut other = Encoder::new(Format::Wav, 22_050, 24_000).unwrap();
        out = other.head();
        assert_eq!(out.len(), 44);
        assert_eq!(out[24..28], 24_000u32.to_le_bytes());
        for _ in 0..100 {
            other.push(&[0.25; 441], &mut out).unwrap();
        }
        other.finish(&mut out).unwrap();
        assert_eq!(out.len(), 44 + 2 * 48_000);
        assert_eq!(other.complete_head()[40..44], 96_000u32.to_le_bytes());
    }
}
