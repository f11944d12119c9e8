//! The feature file: all utterances of a split, written once, read whole or one after the other.
//!
//! Little-endian: `FGFEATS1`, sample rate, hop, bands (u32 each), gain (f32), then for each utterance a byte 1 and its record,
//! then a byte 0, the number of utterances (u32) and the SHA-256 of everything before. Waveforms are 16 bit; the excitation
//! is 16 bit fixed point, 1024 to the unit.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::atomic_file::AtomicFile;
use crate::phoneme::{PHRASE_POSITION_COUNT, Phone, Symbol, WordPosition};

use super::{FeatureError, TimedPhones, Utterance};

const MAGIC: [u8; 8] = *b"FGFEATS1";
const SAMPLE_UNIT: f32 = 32_768.0;
const EXCITATION_UNIT: f32 = 1024.0;
const MAX_FRAMES: usize = 20_000;
const MAX_TEXT_BYTES: usize = 1 << 16;
const MAX_WORDS: usize = 4096;
const MAX_PHONES: usize = 16_384;
const MAX_BANDS: u32 = 512;
const MAX_HOP_SAMPLES: u32 = 4096;
const NO_WORD: u32 = u32::MAX;
const WORD_POSITIONS: [WordPosition; WordPosition::COUNT] =
    [WordPosition::None, WordPosition::Single, WordPosition::Begin, WordPosition::Middle, WordPosition::End];

/// What all utterances of a feature file share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureHeader {
    /// Samples per second.
    pub sample_rate_hz: u32,
    /// Samples per frame.
    pub hop_samples: u32,
    /// Mel bands per frame.
    pub band_count: u32,
    /// What the recordings were multiplied by.
    pub gain: f32,
}

/// The waveform as it will be read back, so that features can be made from exactly that.
pub(super) fn stored_sample(sample: f32) -> f32 {
    quantised(sample, SAMPLE_UNIT) as f32 / SAMPLE_UNIT
}

fn quantised(value: f32, unit: f32) -> i16 {
    // Saturates at the ends of the range.
    (value * unit).round() as i16
}

/// Writes a feature file beside its final place and moves it there when it is complete.
pub(super) struct FeatureWriter {
    path: PathBuf,
    file: BufWriter<AtomicFile>,
    digest: Sha256,
    header: FeatureHeader,
    count: u32,
}

impl FeatureWriter {
    pub(super) fn create(path: &Path, header: FeatureHeader) -> Result<Self, FeatureError> {
        let file = AtomicFile::create(path).map_err(FeatureError::io(path))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        let mut writer = Self { path: path.to_owned(), file, digest: Sha256::new(), header, count: 0 };
        let mut bytes = MAGIC.to_vec();
        for value in [header.sample_rate_hz, header.hop_samples, header.band_count] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(header.gain.to_le_bytes());
        writer.put(&bytes)?;
        Ok(writer)
    }

    pub(super) fn push(&mut self, utterance: &Utterance) -> Result<(), FeatureError> {
        utterance.check(&self.header).map_err(|what| self.refusal(what))?;
        let mut bytes = vec![1];
        let put_u32 = |bytes: &mut Vec<u8>, value: usize| bytes.extend((value as u32).to_le_bytes());
        put_u32(&mut bytes, utterance.index);
        put_u32(&mut bytes, utterance.words.len());
        for text in std::iter::once(&utterance.text).chain(&utterance.words) {
            put_u32(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
        put_u32(&mut bytes, utterance.timed.phones.len());
        for (phone, &frames) in utterance.timed.phones.iter().zip(&utterance.timed.durations_frames) {
            bytes.extend([phone.symbol.id(), phone.word_position as u8, phone.phrase_position]);
            bytes.extend(phone.word.unwrap_or(NO_WORD).to_le_bytes());
            bytes.extend(frames.to_le_bytes());
        }
        put_u32(&mut bytes, utterance.frame_count());
        let sixteen = |bytes: &mut Vec<u8>, values: &[f32], unit| {
            bytes.extend(values.iter().flat_map(|&value| quantised(value, unit).to_le_bytes()));
        };
        sixteen(&mut bytes, &utterance.samples, SAMPLE_UNIT);
        sixteen(&mut bytes, &utterance.excitation, EXCITATION_UNIT);
        for track in [&utterance.mel, &utterance.energy, &utterance.log_f0, &utterance.voicing] {
            bytes.extend(track.iter().flat_map(|value| value.to_le_bytes()));
        }
        self.count += 1;
        self.put(&bytes)
    }

    pub(super) fn finish(mut self) -> Result<(), FeatureError> {
        let mut bytes = vec![0];
        bytes.extend(self.count.to_le_bytes());
        self.put(&bytes)?;
        let digest = self.digest.finalize_reset();
        let io = || FeatureError::io(&self.path);
        self.file.write_all(&digest).map_err(io())?;
        let file =
            self.file.into_inner().map_err(|error| FeatureError::io(&self.path)(error.into_error()))?;
        file.commit().map_err(FeatureError::io(&self.path))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), FeatureError> {
        self.digest.update(bytes);
        self.file.write_all(bytes).map_err(FeatureError::io(&self.path))
    }

    fn refusal(&self, what: &'static str) -> FeatureError {
        FeatureError::File { path: self.path.display().to_string(), what }
    }
}

/// Reads a feature file from front to end. The checksum is compared after the last utterance.
pub struct FeatureReader {
    path: PathBuf,
    file: BufReader<std::fs::File>,
    digest: Sha256,
    header: FeatureHeader,
    count: u32,
    ended: bool,
}

impl FeatureReader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`FeatureError::Io`] if it cannot be read, [`FeatureError::File`] if it is no feature file.
    pub fn open(path: &Path) -> Result<Self, FeatureError> {
        let file = std::fs::File::open(path).map_err(FeatureError::io(path))?;
        let header = FeatureHeader { sample_rate_hz: 0, hop_samples: 0, band_count: 0, gain: 0.0 };
        let file = BufReader::with_capacity(1 << 20, file);
        let mut reader =
            Self { path: path.to_owned(), file, digest: Sha256::new(), header, count: 0, ended: false };
        if reader.read_bytes(MAGIC.len())? != MAGIC {
            return Err(reader.refusal("not a feature file of this version"));
        }
        reader.header = FeatureHeader {
            sample_rate_hz: reader.read_u32()?,
            hop_samples: reader.read_u32()?,
            band_count: reader.read_u32()?,
            gain: f32::from_bits(reader.read_u32()?),
        };
        let FeatureHeader { hop_samples, band_count, .. } = reader.header;
        if !(1..=MAX_HOP_SAMPLES).contains(&hop_samples) || !(1..=MAX_BANDS).contains(&band_count) {
            return Err(reader.refusal("hop or bands out of range"));
        }
        Ok(reader)
    }

    /// What all its utterances share.
    pub fn header(&self) -> &FeatureHeader {
        &self.header
    }

    fn next_utterance(&mut self) -> Result<Option<Utterance>, FeatureError> {
        match self.read_bytes(1)?[0] {
            0 => self.end().map(|()| None),
            1 => self.record().map(Some),
            _ => Err(self.refusal("damaged record")),
        }
    }

    fn record(&mut self) -> Result<Utterance, FeatureError> {
        let index = self.read_u32()? as usize;
        let word_count = self.read_count(MAX_WORDS, "too many words")?;
        let text = self.read_text()?;
        let words = (0..word_count).map(|_| self.read_text()).collect::<Result<_, _>>()?;
        let phone_count = self.read_count(MAX_PHONES, "too many phones")?;
        let mut timed = TimedPhones { phones: Vec::new(), durations_frames: Vec::new() };
        for record in self.read_bytes(phone_count * 11)?.chunks_exact(11) {
            let u32_at =
                |i: usize| u32::from_le_bytes([record[i], record[i + 1], record[i + 2], record[i + 3]]);
            let symbol = Symbol::from_id(record[0]);
            let position = WORD_POSITIONS.get(usize::from(record[1]));
            let (Some(symbol), Some(&word_position)) = (symbol, position) else {
                return Err(self.refusal("unknown phone"));
            };
            let word = Some(u32_at(3)).filter(|&word| word != NO_WORD);
            timed.phones.push(Phone { symbol, word_position, phrase_position: record[2], word });
            timed.durations_frames.push(u32_at(7));
        }
        let frames = self.read_count(MAX_FRAMES, "too many frames")?;
        let (hop, bands) = (self.header.hop_samples as usize, self.header.band_count as usize);
        let utterance = Utterance {
            index,
            text,
            words,
            timed,
            samples: self.read_sixteen(frames * hop, SAMPLE_UNIT)?,
            excitation: self.read_sixteen(frames * hop, EXCITATION_UNIT)?,
            mel: self.read_floats(frames * bands)?,
            energy: self.read_floats(frames)?,
            log_f0: self.read_floats(frames)?,
            voicing: self.read_floats(frames)?,
        };
        utterance.check(&self.header).map_err(|what| self.refusal(what))?;
        self.count += 1;
        Ok(utterance)
    }

    fn end(&mut self) -> Result<(), FeatureError> {
        if self.read_u32()? != self.count {
            return Err(self.refusal("utterances are missing"));
        }
        let want = self.digest.finalize_reset();
        let mut got = [0; 32];
        self.file.read_exact(&mut got).map_err(FeatureError::io(&self.path))?;
        if got[..] != want[..] {
            return Err(self.refusal("checksum does not match"));
        }
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.refusal("something follows the end")),
            Err(error) => Err(FeatureError::io(&self.path)(error)),
        }
    }

    fn read_bytes(&mut self, count: usize) -> Result<Vec<u8>, FeatureError> {
        let mut bytes = vec![0; count];
        self.file.read_exact(&mut bytes).map_err(FeatureError::io(&self.path))?;
        self.digest.update(&bytes);
        Ok(bytes)
    }

    fn read_u32(&mut self) -> Result<u32, FeatureError> {
        let bytes = self.read_bytes(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn read_count(&mut self, limit: usize, what: &'static str) -> Result<usize, FeatureError> {
        let count = self.read_u32()? as usize;
        if count > limit { Err(self.refusal(what)) } else { Ok(count) }
    }

    fn read_text(&mut self) -> Result<String, FeatureError> {
        let count = self.read_count(MAX_TEXT_BYTES, "text too long")?;
        String::from_utf8(self.read_bytes(count)?).map_err(|_| self.refusal("text is not UTF-8"))
    }

    fn read_sixteen(&mut self, count: usize, unit: f32) -> Result<Vec<f32>, FeatureError> {
        let value = |b: &[u8]| f32::from(i16::from_le_bytes([b[0], b[1]])) / unit;
        Ok(self.read_bytes(2 * count)?.chunks_exact(2).map(value).collect())
    }

    fn read_floats(&mut self, count: usize) -> Result<Vec<f32>, FeatureError> {
        let value = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        Ok(self.read_bytes(4 * count)?.chunks_exact(4).map(value).collect())
    }

    fn refusal(&self, what: &'static str) -> FeatureError {
        FeatureError::File { path: self.path.display().to_string(), what }
    }
}

impl Iterator for FeatureReader {
    type Item = Result<Utterance, FeatureError>;

    /// The next utterance; after an error or the end, `None`.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_utterance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl Utterance {
    /// Names what is inconsistent, if anything is.
    fn check(&self, header: &FeatureHeader) -> Result<(), &'static str> {
        let frames = self.frame_count();
        let samples = frames * header.hop_samples as usize;
        let lengths = [
            (self.samples.len(), samples),
            (self.excitation.len(), samples),
            (self.mel.len(), frames * header.band_count as usize),
            (self.energy.len(), frames),
            (self.voicing.len(), frames),
            (self.timed.durations_frames.len(), self.timed.phones.len()),
            (self.timed.durations_frames.iter().map(|&frames| frames as usize).sum(), frames),
        ];
        if lengths.iter().any(|(got, want)| got != want) {
            return Err("tracks of different lengths");
        }
        let texts_fit =
            std::iter::once(&self.text).chain(&self.words).all(|text| text.len() <= MAX_TEXT_BYTES);
        if frames > MAX_FRAMES
            || self.words.len() > MAX_WORDS
            || self.timed.phones.len() > MAX_PHONES
            || !texts_fit
        {
            return Err("utterance beyond the limits");
        }
        let placed = self.timed.phones.iter().all(|phone| {
            usize::from(phone.phrase_position) < PHRASE_POSITION_COUNT
                && phone.word.is_none_or(|word| (word as usize) < self.words.len())
        });
        let finite = [&self.mel, &self.energy, &self.log_f0, &self.voicing]
            .iter()
            .all(|track| track.iter().all(|value| value.is_finite()));
        if placed && finite { Ok(()) } else { Err("values out of range") }
    }
}
