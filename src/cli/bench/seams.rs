//! `fastglow bench seams`: what is heard where a sentence was cut before its end was known.
//!
//! Every reply is spoken twice: sentence by sentence, and in the smallest chunks that the chunker makes when nothing is
//! buffered. At each cut in mid sentence the pitch and the level of the frames on both sides are compared, and so are
//! those of the same place in the uncut speech.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use fastglow::engine::{Event, Phrase, SpeakConfig, Synthesizer};
use fastglow::text::Pace;
use fastglow::voice::{DEFAULT_VOICE, SearchPath};
use serde::Serialize;

use super::{Failure, Spread, print_json, replies};

/// A frame counts as voiced from here.
const VOICED: f32 = 0.5;
const CENTS_PER_OCTAVE: f64 = 1200.0;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A file of replies, one a line, instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    replies: Option<PathBuf>,
    /// Only so many of the replies.
    #[arg(long, value_name = "NUMBER")]
    count: Option<usize>,
    /// The voice.
    #[arg(long, default_value = DEFAULT_VOICE)]
    voice: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    seams: usize,
    words_per_chunk: f64,
    pitch_jump_cents_cut: Option<Spread>,
    pitch_jump_cents_uncut: Option<Spread>,
    level_jump_db_cut: Option<Spread>,
    level_jump_db_uncut: Option<Spread>,
    voice: String,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut replies = replies(arguments.replies.as_deref())?;
    replies.truncate(arguments.count.unwrap_or(usize::MAX));
    let synthesizer = Synthesizer::load(&SearchPath::from_environment().find(&arguments.voice)?)?;
    let (mut cut_jumps, mut uncut_jumps) = (Vec::new(), Vec::new());
    let (mut words, mut chunks) = (0, 0);
    for reply in &replies {
        let cut = Speech::of(&synthesizer, reply, Pace::URGENT)?;
        let uncut = Speech::of(&synthesizer, reply, Pace::PATIENT)?;
        words += cut.word_frames.len();
        chunks += cut.chunks;
        for &word in &cut.seams {
            // The same word is there unless the normaliser saw something else, which would be a fault of its own.
            if let (Some(a), Some(b)) = (cut.jump_before(word), uncut.jump_before(word)) {
                cut_jumps.push(a);
                uncut_jumps.push(b);
            }
        }
    }
    let figures = Figures {
        seams: cut_jumps.len(),
        words_per_chunk: words as f64 / chunks.max(1) as f64,
        pitch_jump_cents_cut: pitch(&cut_jumps),
        pitch_jump_cents_uncut: pitch(&uncut_jumps),
        level_jump_db_cut: level(&cut_jumps),
        level_jump_db_uncut: level(&uncut_jumps),
        voice: synthesizer.meta().name.clone(),
    };
    print(&figures, arguments.json)
}

fn pitch(jumps: &[Jump]) -> Option<Spread> {
    Spread::of(jumps.iter().filter_map(|jump| jump.pitch_cents).collect())
}

fn level(jumps: &[Jump]) -> Option<Spread> {
    Spread::of(jumps.iter().map(|jump| jump.level_db).collect())
}

/// What changes from one frame to the next.
struct Jump {
    /// `None` unless both are voiced.
    pitch_cents: Option<f64>,
    level_db: f64,
}

/// A reply's frames.
#[derive(Default)]
struct Speech {
    log_f0: Vec<f32>,
    voicing: Vec<f32>,
    level_db: Vec<f64>,
    /// The first frame of each word.
    word_frames: Vec<usize>,
    /// Words that begin behind a cut in mid sentence.
    seams: Vec<usize>,
    chunks: usize,
}

impl Speech {
    fn of(synthesizer: &Synthesizer, text: &str, pace: Pace) -> Result<Self, Failure> {
        let mut speech = Self::default();
        let mut failed = None;
        let mut listener = |event: Event<'_>| {
            if let Event::Phrase(phrase) = event {
                failed = speech.add(phrase).err();
            }
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut utterance = synthesizer.utterance_at(SpeakConfig::default(), pace)?;
        utterance.push(text, &mut listener)?;
        utterance.finish(&mut listener)?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(speech),
        }
    }

    fn add(&mut self, phrase: &Phrase) -> fastglow::Result<()> {
        if phrase.is_continuation {
            self.seams.push(self.word_frames.len());
        }
        self.chunks += 1;
        let hop = phrase.hop_samples as u64;
        self.word_frames.extend(phrase.word_marks().map(|word| (word.samples.start / hop) as usize));
        self.log_f0.extend_from_slice(&phrase.mel.log_f0);
        self.voicing.extend_from_slice(&phrase.mel.voicing);
        for row in phrase.mel.frames.to_vec2::<f32>()? {
            let power = row.iter().map(|&band| (2.0 * f64::from(band)).exp()).sum::<f64>();
            self.level_db.push(10.0 * power.log10());
        }
        Ok(())
    }

    fn jump_before(&self, word: usize) -> Option<Jump> {
        let frame = *self.word_frames.get(word)?;
        let before = frame.checked_sub(1)?;
        let is_voiced = self.voicing.get(frame)?.min(self.voicing[before]) >= VOICED;
        let octaves = f64::from(self.log_f0[frame] - self.log_f0[before]) / std::f64::consts::LN_2;
        Some(Jump {
            pitch_cents: is_voiced.then_some(octaves.abs() * CENTS_PER_OCTAVE),
            level_db: (self.level_db.get(frame)? - self.level_db[before]).abs(),
        })
    }
}

fn print(figures: &Figures, is_json: bool) -> Result<(), Failure> {
    if is_json {
        return print_json(figures);
    }
    let show = |spread: Option<Spread>| spread.map_or("none".into(), |spread| spread.to_string());
    println!(
        "{} seams, {:.1} words a chunk, voice {}",
        figures.seams, figures.words_per_chunk, figures.voice
    );
    println!("pitch jump, cents, at the seams   {}", show(figures.pitch_jump_cents_cut));
    println!("                   spoken whole   {}", show(figures.pitch_jump_cents_uncut));
    println!("level jump, dB,    at the seams   {}", show(figures.level_jump_db_cut));
    println!("                   spoken whole   {}", show(figures.level_jump_db_uncut));
    Ok(())
}
