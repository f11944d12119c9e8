//! Collects what `--plot` draws.

use std::ops::Range;
use std::path::Path;

use fastglow::engine::{Event, Phrase};
use fastglow::plot::{PhoneSpan, PlotError, SpeechPlot, speech};

/// Longer speech is drawn up to here: a picture that nobody can look at whole helps nobody.
const LONGEST_S: usize = 60;
/// A frame counts as voiced from here.
const VOICED: f32 = 0.5;

/// A picture in the making.
pub struct Picture {
    plot: SpeechPlot,
    most_samples: usize,
}

impl Picture {
    /// Empty.
    pub fn new(voice: &str, sample_rate_hz: u32, hop_samples: usize) -> Self {
        let title = format!("{voice}, {sample_rate_hz} Hz");
        let plot = SpeechPlot { title, sample_rate_hz, hop_samples, ..SpeechPlot::default() };
        Self { plot, most_samples: LONGEST_S * sample_rate_hz as usize }
    }

    /// Takes what happens.
    pub fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Samples(samples) => {
                let room = self.most_samples - self.plot.samples.len();
                self.plot.samples.extend_from_slice(&samples[..samples.len().min(room)]);
            }
            Event::Phrase(phrase) => self.add_pitch(phrase),
            Event::Word(word) => self.plot.words.extend(self.span(&word.spoken, &word.samples)),
            Event::Phone(phone) => {
                self.plot.phones.extend(self.span(&phone.symbol.to_string(), &phone.samples));
            }
            _ => {}
        }
    }

    /// A label for the picture, unless it lies behind its end.
    fn span(&self, label: &str, samples: &Range<u64>) -> Option<PhoneSpan> {
        let start_samples = usize::try_from(samples.start).ok().filter(|&start| start < self.most_samples)?;
        let end_samples = usize::try_from(samples.end).ok()?;
        Some(PhoneSpan { label: label.into(), start_samples, end_samples })
    }

    fn add_pitch(&mut self, phrase: &Phrase) {
        let first = phrase.first_frame as usize;
        if first * self.plot.hop_samples >= self.most_samples {
            return;
        }
        // Frames follow on from phrase to phrase.
        self.plot.f0_hz.resize(first, None);
        let pitch = phrase.mel.log_f0.iter().zip(&phrase.mel.voicing);
        self.plot.f0_hz.extend(pitch.map(|(log_f0, &voicing)| (voicing >= VOICED).then(|| log_f0.exp())));
    }

    /// Draws it.
    ///
    /// # Errors
    /// There was no sound, or the file cannot be written.
    pub fn save(mut self, path: &Path) -> Result<(), PlotError> {
        let drawn = self.plot.samples.len();
        for spans in [&mut self.plot.phones, &mut self.plot.words] {
            spans.retain(|span| span.start_samples < drawn);
            spans.iter_mut().for_each(|span| span.end_samples = span.end_samples.min(drawn));
        }
        self.plot.f0_hz.truncate(drawn / self.plot.hop_samples.max(1) + 1);
        speech(&self.plot, path)
    }
}
