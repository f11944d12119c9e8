//! More out of few recordings: copies that a speaker might have said a little differently, or a microphone heard so.
//!
//! All of it happens on features, not on sound, so that phones, durations, mel and F0 of a copy agree with each other.

use crate::phoneme::{Pause, Symbol};
use crate::train::acoustic::Example;
use crate::train::random::StepRandom;

/// What a copy may differ in; 0 or `false` leaves it alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// A part between two pauses instead of the whole.
    pub crops: bool,
    /// The parts before and after a pause change places.
    pub swaps: bool,
    /// Longer or shorter by up to this share.
    pub stretch_share: f32,
    /// Louder or softer by up to this much.
    pub gain_db: f32,
    /// Brighter or duller: the highest band against the lowest.
    pub tilt_db: f32,
    /// A floor of noise under the quietest band, up to this far above it.
    pub noise_db: f32,
    /// A longer or shorter vocal tract: the mel axis is bent by up to this share.
    pub tract_share: f32,
    /// Higher or lower by up to this much.
    pub pitch_cents: f32,
}

impl Default for Augmentation {
    /// As little as one voice varies from day to day: the copies must still be this speaker.
    fn default() -> Self {
        Self {
            crops: true,
            swaps: true,
            stretch_share: 0.08,
            gain_db: 2.0,
            tilt_db: 2.0,
            noise_db: 3.0,
            tract_share: 0.02,
            pitch_cents: 60.0,
        }
    }
}

/// Natural logarithms of amplitude in a decibel.
const NEPERS_PER_DB: f32 = std::f32::consts::LN_10 / 20.0;
/// A part that was cut out has at least this many frames.
const LEAST_FRAMES: u32 = 40;

/// A copy of `example`, whose mels have `bands` bands; the same seed gives the same copy.
pub fn augmented(example: &Example, bands: usize, (how, seed): (&Augmentation, u64)) -> Example {
    let mut random = StepRandom::new(seed, 0);
    let mut within = |most: f32| most * (2.0 * random.unit() - 1.0);
    let stretch = 1.0 + within(how.stretch_share);
    let (gain_db, tilt_db) = (within(how.gain_db), within(how.tilt_db));
    let (bend, pitch_cents, noise_db) =
        (1.0 + within(how.tract_share), within(how.pitch_cents), within(how.noise_db));
    let mut copy = example.clone();
    if how.swaps && random.below(2) == 1 {
        copy = swapped(&copy, bands, random.bits());
    }
    if how.crops && random.below(2) == 1 {
        copy = cropped(&copy, bands, random.bits());
    }
    copy = stretched(&copy, bands, stretch);
    copy.log_f0.iter_mut().for_each(|x| *x += pitch_cents * std::f32::consts::LN_2 / 1200.0);
    recolour(&mut copy.mel, bands, (gain_db, tilt_db, bend));
    if how.noise_db > 0.0 {
        let quietest = copy.mel.iter().copied().fold(f32::INFINITY, f32::min);
        let floor = quietest + noise_db.abs() * NEPERS_PER_DB;
        copy.mel.iter_mut().for_each(|x| *x = x.max(floor));
    }
    copy
}

/// Tokens that are pauses within the utterance.
fn inner_pauses(example: &Example) -> Vec<usize> {
    let last = example.phones.len().saturating_sub(1);
    let is_pause = |&i: &usize| example.phones[i].symbol.pause().is_some() && example.durations_frames[i] > 0;
    (1..last).filter(is_pause).collect()
}

/// The tokens of a range with their frames.
fn part(example: &Example, bands: usize, tokens: std::ops::Range<usize>) -> Example {
    let frames = |tokens: &[u32]| tokens.iter().sum::<u32>() as usize;
    let start = frames(&example.durations_frames[..tokens.start]);
    let end = start + frames(&example.durations_frames[tokens.clone()]);
    Example {
        phones: example.phones[tokens.clone()].to_vec(),
        durations_frames: example.durations_frames[tokens].to_vec(),
        mel: example.mel[start * bands..end * bands].to_vec(),
        log_f0: example.log_f0[start..end].to_vec(),
        voicing: example.voicing[start..end].to_vec(),
    }
}

/// The longer side of a pause; the pause belongs to both.
fn cropped(example: &Example, bands: usize, bits: u64) -> Example {
    let pauses = inner_pauses(example);
    let Some(&cut) = pauses.get((bits % pauses.len().max(1) as u64) as usize) else { return example.clone() };
    let before = part(example, bands, 0..cut + 1);
    let mut after = part(example, bands, cut..example.phones.len());
    let longer = if before.log_f0.len() >= after.log_f0.len() {
        before
    } else {
        after.phones[0].symbol = Symbol::from(Pause::Start);
        after
    };
    if longer.durations_frames.iter().sum::<u32>() < LEAST_FRAMES { example.clone() } else { longer }
}

/// What comes after a pause first, then what comes before it. The pauses at both ends stay where they are.
fn swapped(example: &Example, bands: usize, bits: u64) -> Example {
    let pauses = inner_pauses(example);
    let Some(&cut) = pauses.get((bits % pauses.len().max(1) as u64) as usize) else { return example.clone() };
    let count = example.phones.len();
    let order = [0..1, cut + 1..count - 1, cut..cut + 1, 1..cut, count - 1..count];
    let mut all = Example {
        phones: Vec::new(),
        durations_frames: Vec::new(),
        mel: Vec::new(),
        log_f0: Vec::new(),
        voicing: Vec::new(),
    };
    for tokens in order {
        let next = part(example, bands, tokens);
        all.phones.extend(next.phones);
        all.durations_frames.extend(next.durations_frames);
        all.mel.extend(next.mel);
        all.log_f0.extend(next.log_f0);
        all.voicing.extend(next.voicing);
    }
    all
}

/// Every phone longer or shorter by the same factor, its frames taken between the old ones.
fn stretched(example: &Example, bands: usize, factor: f32) -> Example {
    let (mut old_end, mut new_end) = (0u32, 0u32);
    let mut durations_frames = Vec::with_capacity(example.durations_frames.len());
    for &duration in &example.durations_frames {
        old_end += duration;
        let end = (old_end as f32 * factor).round() as u32;
        durations_frames.push(end - new_end);
        new_end = end;
    }
    let last = example.log_f0.len().saturating_sub(1);
    let place = |frame: usize| {
        let at = (frame as f32 / factor).min(last as f32);
        let low = at as usize;
        (low, (low + 1).min(last), at - at.floor())
    };
    let count = new_end as usize;
    let track = |values: &[f32]| -> Vec<f32> {
        let value =
            |(low, high, share): (usize, usize, f32)| values[low] + share * (values[high] - values[low]);
        (0..count).map(|frame| value(place(frame))).collect()
    };
    let mut mel = Vec::with_capacity(count * bands);
    for (low, high, share) in (0..count).map(place) {
        let rows = example.mel[low * bands..].iter().zip(&example.mel[high * bands..]);
        mel.extend(rows.take(bands).map(|(low, high)| low + share * (high - low)));
    }
    let log_f0 = track(&example.log_f0);
    // A frame is voiced or it is not.
    let voicing = track(&example.voicing).into_iter().map(f32::round).collect();
    Example { phones: example.phones.clone(), durations_frames, mel, log_f0, voicing }
}

/// Gain, tilt, and the mel axis bent: band `b` takes what band `b · bend` had.
fn recolour(mel: &mut [f32], bands: usize, (gain_db, tilt_db, bend): (f32, f32, f32)) {
    let last = bands.saturating_sub(1).max(1) as f32;
    for frame in mel.chunks_exact_mut(bands) {
        let old = frame.to_vec();
        for (band, x) in frame.iter_mut().enumerate() {
            let at = (band as f32 * bend).min(last);
            let low = at as usize;
            let high = (low + 1).min(bands - 1);
            let bent = old[low] + (at - at.floor()) * (old[high] - old[low]);
            *x = bent + NEPERS_PER_DB * (gain_db + tilt_db * (band as f32 / last - 0.5));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::phoneme::Pronouncer;
    use crate::text::normalise;

    const BANDS: usize = 4;

    fn example() -> Example {
        let phones = Pronouncer::new().pronounce(&normalise("One, two; three, four.")).unwrap().phones;
        let durations_frames: Vec<u32> = (0..phones.len()).map(|i| 5 + (i as u32 * 7) % 11).collect();
        let frames = durations_frames.iter().sum::<u32>() as usize;
        Example {
            phones,
            durations_frames,
            mel: (0..frames * BANDS).map(|i| -5.0 + (i % 37) as f32 * 0.1).collect(),
            log_f0: (0..frames).map(|i| 5.0 + (i % 13) as f32 * 0.01).collect(),
            voicing: (0..frames).map(|i| f32::from(u8::from(i % 9 > 2))).collect(),
        }
    }

    proptest! {
        #[test]
        fn a_copy_is_whole_bounded_and_the_same_for_its_seed(seed: u64) {
            let (example, how) = (example(), Augmentation::default());
            let copy = augmented(&example, BANDS, (&how, seed));
            let frames = copy.durations_frames.iter().sum::<u32>() as usize;
            prop_assert_eq!(copy.phones.len(), copy.durations_frames.len());
            prop_assert_eq!(
                (copy.mel.len(), copy.log_f0.len(), copy.voicing.len()),
                (frames * BANDS, frames, frames)
            );
            prop_assert_eq!(copy.phones[0].symbol, example.phones[0].symbol);
            let most = NEPERS_PER_DB * (how.gain_db + 0.5 * how.tilt_db + how.noise_db) + 1e-4;
            let [low, high] = [-5.0 - most, -1.4 + most];
            prop_assert!(copy.mel.iter().all(|x| (low..=high).contains(x)));
            prop_assert!(copy.log_f0.iter().all(|x| (4.96..5.16).contains(x)));
            prop_assert!(copy.voicing.iter().all(|&x| x == 0.0 || x == 1.0));
            let again = augmented(&example, BANDS, (&how, seed));
            prop_assert_eq!(copy.mel, again.mel);
        }
    }

    #[test]
    fn a_swap_keeps_every_phone_with_its_own_frames() {
        let mut example = example();
        // Each frame says which token it is of.
        let owners: Vec<f32> = (example.durations_frames.iter().enumerate())
            .flat_map(|(token, &frames)| std::iter::repeat_n(token as f32, frames as usize))
            .collect();
        example.log_f0 = owners;
        let copy = swapped(&example, BANDS, 1);
        assert_ne!(copy.phones, example.phones);
        let mut frames = copy.log_f0.iter();
        for (phone, &duration) in copy.phones.iter().zip(&copy.durations_frames) {
            let owner = frames.as_slice()[0];
            assert_eq!(example.phones[owner as usize], *phone);
            assert!(frames.by_ref().take(duration as usize).all(|&frame| frame == owner));
        }
    }

    #[test]
    fn nothing_wanted_changes_nothing() {
        let how = Augmentation {
            crops: false,
            swaps: false,
            stretch_share: 0.0,
            gain_db: 0.0,
            tilt_db: 0.0,
            noise_db: 0.0,
            tract_share: 0.0,
            pitch_cents: 0.0,
        };
        let example = example();
        let copy = augmented(&example, BANDS, (&how, 9));
        assert_eq!((copy.mel, copy.log_f0), (example.mel, example.log_f0));
    }
}
