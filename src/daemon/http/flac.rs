//! FLAC, as far as speech needs it: one channel of 16 bits, fixed predictors, one Rice parameter a block.
//!
//! Specification: RFC 9639. Blocks are short, so that a stream is heard early; the best of the five fixed predictors is
//! taken, which for speech comes within a tenth of what linear prediction would save.

/// Samples a block, 46 ms of a usual voice. A power of two from 256 on has a code of its own.
const BLOCK_SAMPLES: usize = 1024;
/// 256 · 2^(code − 8) samples.
const BLOCK_CODE: u64 = 10;
/// The block's length follows in 16 bits.
const ODD_BLOCK_CODE: u64 = 7;
const BITS: u32 = 16;
const MOST_ORDER: usize = 4;
/// 15 would mean something else.
const MOST_RICE_BITS: u32 = 14;

/// What a stream begins with; `samples` is 0 if their number is not known yet.
pub(super) fn head(sample_rate_hz: u32, samples: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.out.extend_from_slice(b"fLaC");
    // The last block of metadata, of the kind STREAMINFO, with 34 bytes.
    bits.put(0x80, 8);
    bits.put(34, 24);
    bits.put(BLOCK_SAMPLES as u64, 16);
    bits.put(BLOCK_SAMPLES as u64, 16);
    // Sizes of frames: not known.
    bits.put(0, 48);
    bits.put(sample_rate_hz.into(), 20);
    bits.put(/* channels − 1 */ 0, 3);
    bits.put(u64::from(BITS) - 1, 5);
    bits.put(samples & ((1 << 36) - 1), 36);
    bits.out.extend_from_slice(/* no checksum of the samples */ &[0; 16]);
    bits.out
}

/// Samples on their way into blocks.
#[derive(Default)]
pub(super) struct Blocks {
    pending: Vec<i32>,
    count: u64,
}

impl Blocks {
    /// Appends the blocks that the next samples fill.
    pub fn push(&mut self, samples: impl Iterator<Item = i16>, out: &mut Vec<u8>) {
        for sample in samples {
            self.pending.push(sample.into());
            if self.pending.len() == BLOCK_SAMPLES {
                self.flush(out);
            }
        }
    }

    /// Appends the last block, which may be shorter.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            out.extend(frame(&self.pending, self.count));
            self.count += 1;
            self.pending.clear();
        }
    }
}

fn frame(samples: &[i32], number: u64) -> Vec<u8> {
    let is_usual = samples.len() == BLOCK_SAMPLES;
    let mut bits = Bits::default();
    // The sync code, and blocks of a fixed length.
    bits.put(0xfff8, 16);
    bits.put(if is_usual { BLOCK_CODE } else { ODD_BLOCK_CODE }, 4);
    // The sample rate and the channels are as in the head; 16 bits.
    bits.put(0, 8);
    bits.put(0b1000, 4);
    put_number(&mut bits, number);
    if !is_usual {
        bits.put(samples.len() as u64 - 1, 16);
    }
    let check = crc(&bits.out, 8, 0x07);
    bits.put(check, 8);
    let (order, residual) = predict(samples);
    bits.put(0b001_000 + order as u64, /* with a zero before */ 7);
    bits.put(/* no bits are wasted */ 0, 1);
    for &sample in &samples[..order] {
        bits.put(sample as u64 & 0xffff, BITS);
    }
    // Rice codes with a parameter of 4 bits, in one partition.
    bits.put(0, 6);
    let folded = residual.iter().map(|&r| ((r << 1) ^ (r >> 31)) as u32);
    let rice_bits = rice_bits(folded.clone());
    bits.put(rice_bits.into(), 4);
    for value in folded {
        bits.put_zeros(value >> rice_bits);
        bits.put(1, 1);
        bits.put(u64::from(value) & ((1 << rice_bits) - 1), rice_bits);
    }
    bits.align();
    let check = crc(&bits.out, 16, 0x8005);
    bits.put(check, 16);
    bits.out
}

/// The frame's number, in the way UTF-8 writes characters.
fn put_number(bits: &mut Bits, number: u64) {
    if number < 0x80 {
        return bits.put(number, 8);
    }
    // With `following` bytes after it, the first one has 6 − `following` bits of its own.
    let following = (1..=5).find(|&n| number < 1 << (5 * n + 6)).unwrap_or(6);
    let ones = 0xff & !((1u64 << (7 - following)) - 1);
    bits.put(ones | (number >> (6 * following)), 8);
    for place in (0..following).rev() {
        bits.put(0x80 | ((number >> (6 * place)) & 0x3f), 8);
    }
}

/// The order of the fixed predictor that leaves least, and what it leaves.
fn predict(samples: &[i32]) -> (usize, Vec<i32>) {
    let mut differences = samples.to_vec();
    let mut best = (0, size(&differences), differences.clone());
    for order in 1..=MOST_ORDER.min(samples.len() - 1) {
        differences = differences.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let size = size(&differences);
        if size < best.1 {
            best = (order, size, differences.clone());
        }
    }
    (best.0, best.2)
}

fn size(values: &[i32]) -> u64 {
    values.iter().map(|value| u64::from(value.unsigned_abs())).sum()
}

/// The parameter that is best for values of this mean: about its logarithm.
fn rice_bits(values: impl ExactSizeIterator<Item = u32>) -> u32 {
    let count = values.len() as u64;
    let sum: u64 = values.map(u64::from).sum();
    (0..MOST_RICE_BITS).find(|&bits| (count << bits) * 3 / 2 >= sum).unwrap_or(MOST_RICE_BITS)
}

/// The remainder of `bytes` divided by a polynomial of `width` bits.
fn crc(bytes: &[u8], width: u32, polynomial: u64) -> u64 {
    let top = 1u64 << (width - 1);
    let mask = (top << 1) - 1;
    bytes.iter().fold(0, |check, &byte| {
        (0..8).fold(check ^ (u64::from(byte) << (width - 8)), |check, _| {
            if check & top == 0 { check << 1 } else { ((check << 1) ^ polynomial) & mask }
        })
    }) & mask
}

#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    /// The bits that do not fill a byte yet, in the lowest places.
    rest: u64,
    rest_bits: u32,
}

impl Bits {
    /// At most 48 at a time, the highest first.
    fn put(&mut self, value: u64, bits: u32) {
        self.rest = (self.rest << bits) | value;
        self.rest_bits += bits;
        while self.rest_bits >= 8 {
            self.rest_bits -= 8;
            self.out.push((self.rest >> self.rest_bits) as u8);
        }
        self.rest &= (1 << self.rest_bits) - 1;
    }

    fn put_zeros(&mut self, count: u32) {
        for _ in 0..count / 32 {
            self.put(0, 32);
        }
        self.put(0, count % 32);
    }

    fn align(&mut self) {
        self.put(0, (8 - self.rest_bits) % 8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(samples: &[i16]) -> Vec<i16> {
        let mut file = head(22_050, samples.len() as u64);
        let mut blocks = Blocks::default();
        // Cut anywhere.
        for piece in samples.chunks(700) {
            blocks.push(piece.iter().copied(), &mut file);
        }
        blocks.flush(&mut file);
        let mut reader = claxon::FlacReader::new(&file[..]).unwrap();
        let info = reader.streaminfo();
        assert_eq!((info.sample_rate, info.channels, info.bits_per_sample), (22_050, 1, 16));
        reader.samples().map(|sample| sample.unwrap() as i16).collect()
    }

    #[test]
    fn another_decoder_reads_it() {
        let wave = |i: u32| ((f64::from(i) / 17.0).sin() * 12_000.0) as i16;
        // Enough for numbers of frames in two bytes and in three.
        let long: Vec<i16> = (0..2100 * BLOCK_SAMPLES as u32 + 5).map(wave).collect();
        assert_eq!(decoded(&long), long);
        for count in [1, 2, 5, BLOCK_SAMPLES - 1, BLOCK_SAMPLES, BLOCK_SAMPLES + 1] {
            assert_eq!(decoded(&long[..count]), long[..count], "{count}");
        }
        assert!(decoded(&[]).is_empty());
        let extreme: Vec<i16> = (0..3000).map(|i| if i % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
        assert_eq!(decoded(&extreme), extreme);
    }

    #[test]
    fn it_is_smaller_than_the_samples() {
        let wave = (0..22_050).map(|i| ((f64::from(i) / 17.0).sin() * 8000.0) as i16);
        let mut out = Vec::new();
        Blocks::default().push(wave, &mut out);
        assert!(out.len() < 22_050, "{} bytes", out.len());
    }

    proptest! {
        #[test]
        fn any_samples_come_back(samples in proptest::collection::vec(any::<i16>(), 0..3000)) {
            prop_assert_eq!(decoded(&samples), samples);
        }
    }
}
