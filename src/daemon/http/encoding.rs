//! Samples as the bytes that a client asked for.

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
}

impl Format {
    /// All of them, for messages.
    pub const NAMES: &str = "`wav`, `pcm`";

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "wav" => Some(Self::Wav),
            "pcm" => Some(Self::Pcm),
            _ => None,
        }
    }

    pub fn content_type(self, sample_rate_hz: u32) -> String {
        match self {
            Self::Wav => "audio/wav".to_owned(),
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
}

impl Encoder {
    /// From the voice's rate to the client's.
    pub fn new(format: Format, voice_hz: u32, client_hz: u32) -> Result<Self> {
        let converter = RateConverter::new(voice_hz, client_hz)?;
        Ok(Self { format, sample_rate_hz: client_hz, converter, converted: Vec::new() })
    }

    pub fn content_type(&self) -> String {
        self.format.content_type(self.sample_rate_hz)
    }

    /// What comes before the samples; without their length, for a stream that ends when it ends.
    pub fn head(&self, data_bytes: Option<u64>) -> Vec<u8> {
        match self.format {
            Format::Wav => wav_header(self.sample_rate_hz, data_bytes),
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
        Ok(())
    }

    fn pack(&mut self, out: &mut Vec<u8>) {
        out.extend(self.converted.drain(..).flat_map(|sample| to_pcm16(sample).to_le_bytes()));
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
        out = other.head(None);
        assert_eq!(out.len(), 44);
        assert_eq!(out[24..28], 24_000u32.to_le_bytes());
        for _ in 0..100 {
            other.push(&[0.25; 441], &mut out).unwrap();
        }
        other.finish(&mut out).unwrap();
        assert_eq!(out.len(), 44 + 2 * 48_000);
    }
}
