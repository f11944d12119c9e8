//! When each phone is spoken: a recording laid along the frames that a voice makes of the same text.
//!
//! A path of least distance (Viterbi) through the voice's own frames, phone by phone in their order. Frames may be held or
//! passed over, pauses may vanish, and between words a pause may appear that the text does not ask for.

use crate::acoustic::{Controls, FastSpeech};
use crate::phoneme::{Pause, PhonemeSeq, Pronouncer, SequenceBuilder};
use crate::text::normalise;
use crate::train::features::TimedPhones;

use super::AdaptError;
use super::cepstrum::{CEPSTRA, cepstra};

/// Values of a frame that are compared: cepstra and their slopes.
const WIDTH: usize = 2 * CEPSTRA;
/// What holding or passing over a frame costs, in units of a frame's distance; between two sounds that is about 1.
const BEND_COST: f32 = 0.2;
/// A pause that the text does not ask for lasts at least this long: the closure of a stop is shorter.
const MIN_BREAK_FRAMES: usize = 7;
/// Share of a recording's frames, the quietest, that show what its silence is like.
const SILENT_SHARE: f64 = 0.06;

/// A recording's phones with their durations.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    /// Phones and frames.
    pub timed: TimedPhones,
    /// The words that the phones refer to.
    pub words: Vec<String>,
    /// Mean cost of a spoken frame: its distance, about 1 between unrelated sounds, and the bends of the path.
    pub distance: f32,
}

/// What a voice makes of a text.
#[derive(Debug, Clone)]
pub struct Script {
    phrase: PhonemeSeq,
    durations_frames: Vec<u32>,
    /// `[frames, CEPSTRA]`
    pub(super) cepstra: Vec<f32>,
}

/// Aligns by one acoustic model.
pub struct Aligner<'a> {
    model: &'a FastSpeech,
    pronouncer: Pronouncer,
}

impl<'a> Aligner<'a> {
    /// An aligner by the frames of `model`.
    pub fn new(model: &'a FastSpeech) -> Self {
        Self { model, pronouncer: Pronouncer::new() }
    }

    /// What the model makes of a text; `None` if that is nothing, or too long for it.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn script(&self, text: &str) -> Result<Option<Script>, AdaptError> {
        let Ok(phrase) = self.pronouncer.pronounce(&normalise(text)) else { return Ok(None) };
        let mel = match self.model.speak(&phrase, &Controls::default()) {
            Ok(mel) => mel,
            Err(crate::acoustic::Error::Phones { .. } | crate::acoustic::Error::Frames { .. }) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let frames = mel.frames.flatten_all()?.to_vec1::<f32>()?;
        let bands = self.model.config().mels;
        let cepstra = cepstra(&frames, bands);
        Ok(Some(Script { phrase, durations_frames: mel.durations_frames, cepstra }))
    }
}

/// One unit of the path: a phone, or a pause that may be left out.
struct Unit {
    /// The token of the phrase; `None` for a pause that the text does not ask for.
    token: Option<usize>,
    is_optional: bool,
    is_phone: bool,
    /// Its states.
    states: std::ops::Range<usize>,
}

/// The path's graph: units, and what each state sounds like.
struct Graph<'a> {
    units: Vec<Unit>,
    /// For each state its frame of the script; `None` is silence.
    frames: Vec<Option<&'a [f32]>>,
}

impl<'a> Graph<'a> {
    fn new(script: &Script, features: &'a [f32]) -> Self {
        let mut graph = Self { units: Vec::new(), frames: Vec::new() };
        let mut rows = features.chunks_exact(WIDTH);
        let phones = &script.phrase.phones;
        for (token, (phone, &duration)) in phones.iter().zip(&script.durations_frames).enumerate() {
            let own: Vec<&[f32]> = rows.by_ref().take(duration as usize).collect();
            if phone.symbol.pause().is_some() {
                graph.silence(Some(token), 1);
            } else {
                let begins_word = token > 0 && phones[token - 1].word.is_some_and(|w| Some(w) != phone.word);
                if begins_word {
                    graph.silence(None, MIN_BREAK_FRAMES);
                }
                let start = graph.frames.len();
                graph.frames.extend(own.into_iter().map(Some));
                let states = start..graph.frames.len();
                graph.units.push(Unit { token: Some(token), is_optional: false, is_phone: true, states });
            }
        }
        graph
    }

    fn silence(&mut self, token: Option<usize>, states: usize) {
        let start = self.frames.len();
        self.frames.extend(std::iter::repeat_n(None, states));
        self.units.push(Unit { token, is_optional: true, is_phone: false, states: start..start + states });
    }

    /// The states from which each state can be reached, with what it costs.
    fn predecessors(&self) -> Vec<Vec<(usize, f32)>> {
        let mut all = vec![Vec::new(); self.frames.len()];
        // The last states of the units that may come right before the one at hand.
        let mut exits: Vec<usize> = Vec::new();
        for unit in &self.units {
            for state in unit.states.clone() {
                let position = state - unit.states.start;
                let can_hold = unit.is_phone || state + 1 == unit.states.end;
                if can_hold {
                    all[state].push((state, if unit.is_phone { BEND_COST } else { 0.0 }));
                }
                if position == 0 {
                    all[state].extend(exits.iter().map(|&exit| (exit, 0.0)));
                }
                if position >= 1 {
                    all[state].push((state - 1, 0.0));
                }
                if position >= 2 && unit.is_phone {
                    all[state].push((state - 2, BEND_COST));
                }
            }
            if !unit.is_optional {
                exits.clear();
            }
            exits.extend(unit.states.end.checked_sub(1).filter(|_| !unit.states.is_empty()));
        }
        all
    }

    /// States in which a path may begin.
    fn entries(&self) -> Vec<usize> {
        let mut entries = Vec::new();
        for unit in &self.units {
            entries.push(unit.states.start);
            if !unit.is_optional {
                break;
            }
        }
        entries
    }

    /// States in which it may end.
    fn endings(&self) -> Vec<usize> {
        let mut endings = Vec::new();
        for unit in self.units.iter().rev() {
            endings.push(unit.states.end.saturating_sub(1));
            if !unit.is_optional {
                break;
            }
        }
        endings
    }
}

/// Lays `recording [frames, 2 · CEPSTRA]` along `script`, whose features are `model`. `None` if it is too short for its
/// phones.
pub(super) fn align(script: &Script, model: &[f32], recording: &[f32]) -> Option<Alignment> {
    let graph = Graph::new(script, model);
    let silence = silence_of(recording);
    let (states, frames) = (graph.frames.len(), recording.len() / WIDTH);
    if states == 0 || frames == 0 {
        return None;
    }
    let predecessors = graph.predecessors();
    let sounds: Vec<&[f32]> = graph.frames.iter().map(|frame| frame.unwrap_or(&silence)).collect();
    let mut costs = vec![f32::INFINITY; states];
    let mut came_from = vec![0u32; frames * states];
    let mut rows = recording.chunks_exact(WIDTH);
    let first = rows.next()?;
    for entry in graph.entries() {
        costs[entry] = distance(first, sounds[entry]);
    }
    let mut next = vec![f32::INFINITY; states];
    for (t, frame) in rows.enumerate() {
        let back = &mut came_from[(t + 1) * states..(t + 2) * states];
        for state in 0..states {
            let (mut best, mut from) = (f32::INFINITY, 0);
            for &(previous, bend) in &predecessors[state] {
                let cost = costs[previous] + bend;
                if cost < best {
                    (best, from) = (cost, previous);
                }
            }
            back[state] = from as u32;
            next[state] = if best.is_finite() { best + distance(frame, sounds[state]) } else { best };
        }
        std::mem::swap(&mut costs, &mut next);
    }
    let endings = graph.endings();
    let mut state = endings.into_iter().min_by(|&a, &b| costs[a].total_cmp(&costs[b]))?;
    if !costs[state].is_finite() {
        return None;
    }
    let mut path = vec![0; frames];
    for t in (0..frames).rev() {
        path[t] = state;
        state = came_from[t * states + state] as usize;
    }
    finish(script, &graph, (&path, recording))
}

/// Counts the path's frames and lays out the phones, with the pauses that turned out to be there.
fn finish(script: &Script, graph: &Graph<'_>, (path, recording): (&[usize], &[f32])) -> Option<Alignment> {
    let mut unit_frames = vec![0u32; graph.units.len()];
    let (mut unit, mut sum, mut spoken) = (0, 0.0, 0usize);
    let mut previous = None;
    for (&state, frame) in path.iter().zip(recording.chunks_exact(WIDTH)) {
        while !graph.units[unit].states.contains(&state) {
            unit += 1;
        }
        unit_frames[unit] += 1;
        if let Some(sound) = graph.frames[state] {
            // The length of the text must tell, too: frames that were passed over or held.
            let is_straight = previous.is_none_or(|previous| previous + 1 == state);
            sum += distance(frame, sound) + if is_straight { 0.0 } else { BEND_COST };
            spoken += 1;
        }
        previous = Some(state);
    }
    let phrase = &script.phrase;
    let mut builder = SequenceBuilder::default();
    let mut durations_frames = Vec::new();
    let mut word = Vec::new();
    for (index, (unit, &frames)) in graph.units.iter().zip(&unit_frames).enumerate() {
        let phone = unit.token.map(|token| phrase.phones[token]);
        match phone.map(|phone| (phone.symbol.pause(), phone)) {
            // The pause at the start comes with the first word.
            Some((Some(Pause::Start), _)) => durations_frames.push(frames),
            Some((Some(pause), _)) => {
                builder.pause(pause);
                durations_frames.push(frames);
            }
            Some((None, phone)) => {
                word.push(phone.symbol);
                durations_frames.push(frames);
                let next = graph.units[index + 1..].iter().find_map(|unit| unit.token);
                if next.and_then(|next| phrase.phones[next].word) != phone.word {
                    let span = phrase.words.get(phone.word? as usize)?.clone();
                    builder.word(span, &std::mem::take(&mut word));
                }
            }
            None if frames > 0 => {
                builder.pause(Pause::Break);
                durations_frames.push(frames);
            }
            None => {}
        }
    }
    let PhonemeSeq { phones, words } = builder.finish()?;
    if phones.len() != durations_frames.len() || spoken == 0 {
        return None;
    }
    Some(Alignment {
        timed: TimedPhones { phones, durations_frames },
        words: words.into_iter().map(|word| word.spoken).collect(),
        distance: sum / spoken as f32,
    })
}

/// Half the mean square of the difference: 1 between independent frames of unit variance.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / (2 * WIDTH) as f32
}

/// The mean of the quietest frames, at rest.
fn silence_of(recording: &[f32]) -> Vec<f32> {
    let mut frames: Vec<&[f32]> = recording.chunks_exact(WIDTH).collect();
    frames.sort_by(|a, b| a[0].total_cmp(&b[0]));
    frames.truncate(((frames.len() as f64 * SILENT_SHARE).ceil() as usize).max(1));
    let mean = |k: usize| frames.iter().map(|frame| frame[k]).sum::<f32>() / frames.len() as f32;
    (0..WIDTH).map(|k| if k < CEPSTRA { mean(k) } else { 0.0 }).collect()
}
