//! Time marks of an utterance as a file: JSON with words, phones and visemes; SRT and WebVTT subtitles; Praat's TextGrid.

use std::fmt::Write;
use std::ops::Range;

use serde_json::json;

use super::{Event, NamedMark, PhoneMark, WordMark};
use crate::phoneme::viseme;

/// The formats, by the ending of the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkFormat {
    /// `.json`: `{"sample_rate_hz", "words": [{"text", "start_sample", "end_sample", "source"}], "phones": […], "marks": […]}`.
    Json,
    /// `.srt`: one subtitle for each word.
    Srt,
    /// `.vtt`: the same as WebVTT.
    WebVtt,
    /// `.TextGrid`: tiers of words, phones and visemes.
    TextGrid,
}

impl MarkFormat {
    /// The format of a file with this ending, in whatever case.
    pub fn of_ending(ending: &str) -> Option<Self> {
        match ending.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "srt" => Some(Self::Srt),
            "vtt" => Some(Self::WebVtt),
            "textgrid" => Some(Self::TextGrid),
            _ => None,
        }
    }
}

/// Most marks of an utterance that are kept: more than two days of speech.
const MAX_MARKS: usize = 2_000_000;

/// Collects the marks of an utterance.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    words: Vec<WordMark>,
    phones: Vec<PhoneMark>,
    named: Vec<NamedMark>,
    samples: u64,
}

impl Marks {
    /// Takes what an event tells.
    pub fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Word(word) if self.words.len() < MAX_MARKS => self.words.push(word.clone()),
            Event::Phone(phone) if self.phones.len() < MAX_MARKS => self.phones.push(phone.clone()),
            Event::Mark(mark) if self.named.len() < MAX_MARKS => self.named.push(mark.clone()),
            Event::Samples(samples) => self.samples += samples.len() as u64,
            _ => {}
        }
    }

    /// The marks as text; times are exact to the sample in JSON, to the millisecond in subtitles.
    pub fn show(&self, format: MarkFormat, sample_rate_hz: u32) -> String {
        match format {
            MarkFormat::Json => self.show_json(sample_rate_hz),
            MarkFormat::Srt => self.show_subtitles(sample_rate_hz, ','),
            MarkFormat::WebVtt => format!("WEBVTT\n\n{}", self.show_subtitles(sample_rate_hz, '.')),
            MarkFormat::TextGrid => self.show_text_grid(sample_rate_hz),
        }
    }

    fn show_json(&self, sample_rate_hz: u32) -> String {
        let words = self.words.iter().map(|word| {
            json!({ "text": word.spoken, "start_sample": word.samples.start, "end_sample": word.samples.end,
                    "source": [word.source.start, word.source.end] })
        });
        let phones = self.phones.iter().map(|phone| {
            json!({ "phone": phone.symbol.to_string(), "viseme": viseme(phone.symbol), "word": phone.word,
                    "start_sample": phone.samples.start, "end_sample": phone.samples.end })
        });
        let (words, phones): (Vec<_>, Vec<_>) = (words.collect(), phones.collect());
        let named = self.named.iter().map(|mark| json!({ "name": mark.name, "sample": mark.sample }));
        let named: Vec<_> = named.collect();
        let marks = json!({ "sample_rate_hz": sample_rate_hz, "samples": self.samples, "words": words, "phones": phones,
                            "marks": named });
        format!("{marks}\n")
    }

    fn show_subtitles(&self, sample_rate_hz: u32, decimal: char) -> String {
        let time = |sample: u64| {
            let ms = sample * 1000 / u64::from(sample_rate_hz.max(1));
            let (s, m, h) = (ms / 1000 % 60, ms / 60_000 % 60, ms / 3_600_000);
            format!("{h:02}:{m:02}:{s:02}{decimal}{:03}", ms % 1000)
        };
        let mut shown = String::new();
        for (number, word) in (1..).zip(&self.words) {
            let (start, end) = (time(word.samples.start), time(word.samples.end));
            // Writing to a string cannot fail.
            let _ = writeln!(shown, "{number}\n{start} --> {end}\n{}\n", word.spoken);
        }
        shown
    }

    fn show_text_grid(&self, sample_rate_hz: u32) -> String {
        let tiers: [(&str, Vec<Interval>); 3] = [
            ("words", self.words.iter().map(|word| (word.samples.clone(), word.spoken.clone())).collect()),
            ("phones", self.phones.iter().map(|p| (p.samples.clone(), p.symbol.to_string())).collect()),
            (
                "visemes",
                self.phones.iter().map(|p| (p.samples.clone(), viseme(p.symbol).to_owned())).collect(),
            ),
        ];
        let seconds = |sample: u64| sample as f64 / f64::from(sample_rate_hz.max(1));
        let end = self.phones.last().map_or(0, |phone| phone.samples.end).max(self.samples);
        let mut shown = format!(
            "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n0\n{}\n<exists>\n{}\n",
            seconds(end),
            tiers.len()
        );
        for (name, marks) in tiers {
            let filled = without_gaps(marks, end);
            // Writing to a string cannot fail.
            let _ = writeln!(shown, "\"IntervalTier\"\n\"{name}\"\n0\n{}\n{}", seconds(end), filled.len());
            for (samples, text) in filled {
                let text = text.replace('"', "\"\"");
                let _ = writeln!(shown, "{}\n{}\n\"{text}\"", seconds(samples.start), seconds(samples.end));
            }
        }
        shown
    }
}

/// Samples, and what sounds there.
type Interval = (Range<u64>, String);

/// A tier has no gaps: what lies between the marks is empty.
fn without_gaps(marks: Vec<Interval>, end: u64) -> Vec<Interval> {
    let mut filled = Vec::with_capacity(2 * marks.len() + 1);
    let mut at = 0;
    for (samples, text) in marks {
        if samples.start > at {
            filled.push((at..samples.start, String::new()));
        }
        at = samples.end;
        filled.push((samples, text));
    }
    if at < end {
        filled.push((at..end, String::new()));
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::Symbol;

    fn marks() -> Marks {
        let mut marks = Marks::default();
        let word =
            |index, spoken: &str, samples| WordMark { index, spoken: spoken.into(), source: 0..2, samples };
        marks.add(&Event::Word(word(0, "hi", 100..600)));
        marks.add(&Event::Word(word(1, "robot", 800..1500)));
        let symbol = Symbol::parse("HH").unwrap();
        marks.add(&Event::Phone(PhoneMark { symbol, word: Some(0), samples: 100..600 }));
        marks.add(&Event::Samples(&[0.0; 2000]));
        marks
    }

    #[test]
    fn json_keeps_the_samples() {
        let shown: serde_json::Value = serde_json::from_str(&marks().show(MarkFormat::Json, 1000)).unwrap();
        assert_eq!(shown["words"][1]["start_sample"], 800);
        assert_eq!(shown["phones"][0]["viseme"], "aa");
        assert_eq!(shown["samples"], 2000);
    }

    #[test]
    fn subtitles_show_times() {
        let shown = marks().show(MarkFormat::Srt, 1000);
        assert!(shown.starts_with("1\n00:00:00,100 --> 00:00:00,600\nhi\n\n2\n"), "{shown}");
        let shown = marks().show(MarkFormat::WebVtt, 1000);
        assert!(shown.starts_with("WEBVTT\n\n1\n00:00:00.100 --> "), "{shown}");
    }

    #[test]
    fn tiers_of_a_text_grid_have_no_gaps() {
        let shown = marks().show(MarkFormat::TextGrid, 1000);
        assert!(
            shown.contains("\"words\"\n0\n2\n5\n0\n0.1\n\"\"\n0.1\n0.6\n\"hi\"\n0.6\n0.8\n\"\"\n"),
            "{shown}"
        );
    }
}
