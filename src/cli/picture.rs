//! Collects what `--plot` draws.

use std::path::Path;

use fastglow::engine::{Event, PhraseTrace};
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
            Event::Phrase(trace) => self.add_phrase(trace),
        }
    }

    fn add_phrase(&mut self, trace: &PhraseTrace<'_>) {
        let hop = self.plot.hop_samples;
        let first = trace.first_sample as usize;
        if first >= self.most_samples {
            return;
        }
        // Frames follow on from phrase to phrase.
        self.plot.f0_hz.resize(first / hop.max(1), None);
        let pitch = trace.mel.log_f0.iter().zip(&trace.mel.voicing);
        self.plot.f0_hz.extend(pitch.map(|(log_f0, &voicing)| (voicing >= VOICED).then(|| log_f0.exp())));
        let mut start_samples = first;
        let mut word: Option<(u32, PhoneSpan)> = None;
        for (phone, &frames) in trace.phones.phones.iter().zip(&trace.mel.durations_frames) {
            let end_samples = start_samples + frames as usize * hop;
            let label = phone.symbol.to_string();
            self.plot.phones.push(PhoneSpan { label, start_samples, end_samples });
            match (&mut word, phone.word) {
                (Some((index, span)), Some(now)) if *index == now => span.end_samples = end_samples,
                _ => {
                    self.plot.words.extend(word.take().map(|(_, span)| span));
                    word = phone.word.and_then(|index| {
                        let label = trace.phones.words.get(index as usize)?.spoken.clone();
                        Some((index, PhoneSpan { label, start_samples, end_samples }))
                    });
                }
            }
            start_samples = end_samples;
        }
        self.plot.words.extend(word.map(|(_, span)| span));
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
