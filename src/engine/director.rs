//! A text's directions carried out, phrase by phrase: which phones are faster or higher, how long pauses are, how loud
//! frames are, and where marks fall.

use std::sync::Arc;

use super::event::NamedMark;
use super::phrase::Frame;
use crate::acoustic::PhoneControls;
use crate::markup::Directions;
use crate::phoneme::{PhonemePart, PhonemeSeq};

/// Frames kept of the silence before a sentence that begins behind a pause of a given length.
const ONSET_FRAMES: usize = 2;

/// Follows the directions of one text.
pub(super) struct Director {
    directions: Arc<Directions>,
    frames_per_ms: f64,
    next_pause: usize,
    next_mark: usize,
    /// The last pause had its length from the directions.
    is_behind_pause: bool,
}

/// A phrase's own phones and frames, as the models made them.
pub(super) struct Take<'a> {
    pub phones: &'a PhonemeSeq,
    /// Where its chunk begins in the text.
    pub start_byte: u64,
    /// Where what follows it begins.
    pub end_byte: u64,
    pub frames: &'a mut Vec<Frame>,
    /// Frames of each phone.
    pub durations_frames: &'a mut [u32],
}

/// What a phrase has beside its frames.
#[derive(Debug, Clone, Default)]
pub(super) struct Cues {
    /// How loud each frame is; none if all are as they are.
    pub gains: Vec<f32>,
    /// The marks in it, and their frames in the phrase.
    pub marks: Vec<(usize, u64)>,
}

impl Director {
    pub fn new(directions: Arc<Directions>, frames_per_second: f64) -> Self {
        let (next_pause, next_mark) = (0, 0);
        let frames_per_ms = frames_per_second / 1000.0;
        Self { directions, frames_per_ms, next_pause, next_mark, is_behind_pause: false }
    }

    pub fn directions(&self) -> &Arc<Directions> {
        &self.directions
    }

    /// How the phones differ; nothing if they do not.
    pub fn controls(&self, part: &PhonemePart, start_byte: u64) -> Vec<PhoneControls> {
        if !self.directions.has_manners() {
            return Vec::new();
        }
        let manner_of = |word: usize| {
            let byte = part.seq.words.get(word).map_or(0, |word| word.source.start as u64);
            self.directions.manner_at(start_byte + byte)
        };
        let mut manner = manner_of(part.words.start);
        let of_phone = |phone: &crate::phoneme::Phone| {
            // What was said before is only heard again by the model.
            if let Some(word) = phone.word.map(|word| word as usize).filter(|&word| word >= part.words.start)
            {
                manner = manner_of(word);
            }
            PhoneControls { rate: manner.rate, pitch_semitones: manner.pitch_semitones }
        };
        part.seq.phones.iter().map(of_phone).collect()
    }

    /// Gives pauses their length, and finds marks and loudness.
    pub fn direct(&mut self, take: Take<'_>) -> Cues {
        let directions = self.directions.clone();
        let mut cues = Cues::default();
        if directions.marks.is_empty() && !directions.has_gains() {
            return cues;
        }
        let Take { phones, start_byte, end_byte, frames, durations_frames } = take;
        let start_of = |word: u32| {
            phones.words.get(word as usize).map_or(end_byte, |word| start_byte + word.source.start as u64)
        };
        let (mut at, mut gain, mut last_word) = (0, 1.0, None);
        for (index, phone) in phones.phones.iter().enumerate() {
            let duration = &mut durations_frames[index];
            let mut silence = at..at;
            match phone.word {
                Some(word) if last_word != Some(word) => {
                    self.is_behind_pause = false;
                    last_word = Some(word);
                    let byte = start_of(word);
                    gain = 10f32.powf(directions.manner_at(byte).volume_db / 20.0);
                    // No pause was there to take it.
                    if let Some(wanted) = self.pause_until(byte).filter(|&wanted| wanted > 0) {
                        insert_quiet(frames, at, wanted);
                        *duration += wanted as u32;
                        silence = at..at + wanted;
                    }
                    self.mark_until(byte + 1, silence.end, &mut cues);
                }
                Some(_) => {}
                None => {
                    let next = phones.phones[index..].iter().find_map(|phone| phone.word);
                    let next_byte = next.map_or(end_byte, start_of);
                    let first =
                        directions.pauses.get(self.next_pause).filter(|pause| pause.byte <= next_byte);
                    if let Some(pause) = first {
                        // Marks before the pause are not those behind it.
                        self.mark_until(pause.byte, at, &mut cues);
                    }
                    let count = *duration as usize;
                    let is_onset = index == 0 && std::mem::take(&mut self.is_behind_pause);
                    let wanted = match self.pause_until(next_byte) {
                        Some(wanted) => {
                            self.is_behind_pause = next.is_none();
                            wanted
                        }
                        None if is_onset => count.min(ONSET_FRAMES),
                        None => count,
                    };
                    if wanted > count {
                        let middle = at + count / 2;
                        insert_quiet(frames, middle, wanted - count);
                        silence = middle..middle + wanted - count;
                    } else {
                        let kept = at + wanted.div_ceil(2);
                        frames.drain(kept..kept + count - wanted);
                    }
                    *duration = wanted as u32;
                }
            }
            let end = at + *duration as usize;
            cues.gains.extend((at..end).map(|frame| if silence.contains(&frame) { 0.0 } else { gain }));
            at = end;
        }
        if !directions.has_gains() {
            cues.gains.clear();
        }
        cues
    }

    /// The frames of all pauses up to this byte; `None` if there is none.
    fn pause_until(&mut self, byte: u64) -> Option<usize> {
        let rest = &self.directions.pauses[self.next_pause..];
        let count = rest.iter().take_while(|pause| pause.byte <= byte).count();
        let ms: u64 = rest[..count].iter().map(|pause| u64::from(pause.ms)).sum();
        self.next_pause += count;
        (count > 0).then(|| (ms as f64 * self.frames_per_ms).round() as usize)
    }

    /// Puts the marks before this byte at this frame.
    fn mark_until(&mut self, byte: u64, frame: usize, cues: &mut Cues) {
        let marks = &self.directions.marks;
        while marks.get(self.next_mark).is_some_and(|mark| mark.byte < byte) {
            cues.marks.push((self.next_mark, frame as u64));
            self.next_mark += 1;
        }
    }

    /// The marks behind the last word, which is over at this sample.
    pub fn finish(&mut self, end_sample: u64) -> Vec<NamedMark> {
        let rest = self.next_mark..self.directions.marks.len();
        self.next_mark = rest.end;
        rest.map(|index| NamedMark::new(&self.directions, index, end_sample)).collect()
    }
}

/// Silence, at the pitch of what is around it.
fn insert_quiet(frames: &mut Vec<Frame>, at: usize, count: usize) {
    let beside = frames.get(at.min(frames.len().saturating_sub(1)));
    let quiet = beside.map(Frame::quiet);
    frames.splice(at..at, quiet.into_iter().cycle().take(count));
}
