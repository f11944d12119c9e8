//! The acoustic model: exactness of the published layout, invariances and controls of the native one, gradients.

mod gradients;
mod native;
mod post_net;
mod published;

use fastglow::acoustic::{Config, PostNetPart};
use fastglow::phoneme::{Pause, Phone, PhonemeSeq, Symbol, WordPosition, phrase_position};
use fastglow::train::acoustic::Example;

/// A native model small enough for finite differences.
pub fn tiny() -> Config {
    Config {
        mels: 8,
        width: 16,
        symbol_width: 12,
        prosody_width: 4,
        position_width: 8,
        encoder_blocks: 2,
        encoder_kernel: 3,
        encoder_filter: 24,
        decoder_blocks: 2,
        decoder_kernel: 3,
        decoder_filter: 24,
        predictor_width: 16,
        duration_bins: 16,
        post_net: vec![
            PostNetPart::HighBand { width: 12 },
            PostNetPart::Wavenet,
            PostNetPart::Gated { kernel: 3, bound: 1.0 },
        ],
        ..Config::default()
    }
}

/// Pseudo-random numbers for inputs.
pub struct Draws(pub u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn unit(&mut self) -> f32 {
        self.below(1 << 20) as f32 / (1 << 20) as f32
    }
}

/// A phrase of `count` tokens: a pause at either end, any phones between.
fn phrase(count: usize, draws: &mut Draws) -> PhonemeSeq {
    let symbols = ["HH", "AH0", "L", "OW1", "S", "IY2", "NG", "T", "ER1", "M"];
    let phone = |i: usize, draws: &mut Draws| {
        if i == 0 || i + 1 == count {
            return Phone {
                symbol: if i == 0 { Pause::Start } else { Pause::Stop }.into(),
                word_position: WordPosition::None,
                phrase_position: phrase_position(Pause::Stop, 0),
                word: None,
            };
        }
        Phone {
            symbol: Symbol::parse(symbols[draws.below(symbols.len() as u64) as usize]).unwrap(),
            word_position: WordPosition::of(draws.below(3) as usize, 3),
            phrase_position: phrase_position(Pause::Stop, draws.below(4) as usize),
            word: Some(0),
        }
    };
    PhonemeSeq { phones: (0..count).map(|i| phone(i, draws)).collect(), words: vec![] }
}

/// An utterance whose sound follows its phones: what is to be learned can be learned.
pub fn example(count: usize, mels: usize, draws: &mut Draws) -> Example {
    let phones = phrase(count, draws).phones;
    let durations_frames: Vec<u32> =
        phones.iter().map(|p| 2 + u32::from(p.symbol.id()) % 4 + draws.below(2) as u32).collect();
    let (mut mel, mut log_f0, mut voicing) = (vec![], vec![], vec![]);
    for (phone, &duration) in phones.iter().zip(&durations_frames) {
        let (level, pitch) = (2.0 * draws.unit() - 6.0, 4.8 + 0.4 * draws.unit());
        for frame in 0..duration {
            let id = f32::from(phone.symbol.id());
            mel.extend((0..mels).map(|band| level + (id * (band as f32 + 1.0)).sin() + 0.1 * frame as f32));
            log_f0.push(pitch + 0.02 * frame as f32);
            voicing.push(f32::from(u8::from(phone.symbol.is_vowel() || draws.below(8) == 0)));
        }
    }
    Example { phones, durations_frames, mel, log_f0, voicing }
}
