//! Marked-up text in sound: pauses of their length, prosody on its words, marks at their samples.

use std::ops::{ControlFlow, Range};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};

use fastglow::Error;
use fastglow::engine::{
    Engine, EngineConfig, Event, JobListener, NamedMark, Pacing, PhoneMark, SpeakConfig, Synthesizer,
    WordMark,
};
use fastglow::markup::Script;
use fastglow::text::UnspokenKind;
use fastglow::voice::{DEFAULT_VOICE, SearchPath};

fn synthesizer() -> &'static Synthesizer {
    static SYNTHESIZER: OnceLock<Synthesizer> = OnceLock::new();
    SYNTHESIZER.get_or_init(|| {
        let source = SearchPath::from_environment().find(DEFAULT_VOICE).unwrap();
        Synthesizer::load(&source).unwrap()
    })
}

#[derive(Debug, Default, PartialEq)]
struct Heard {
    samples: Vec<f32>,
    words: Vec<WordMark>,
    phones: Vec<PhoneMark>,
    marks: Vec<NamedMark>,
    unspoken: Vec<(UnspokenKind, String, Range<u64>)>,
}

impl Heard {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Samples(samples) => self.samples.extend_from_slice(samples),
            Event::Word(word) => self.words.push(word.clone()),
            Event::Phone(phone) => self.phones.push(phone.clone()),
            Event::Mark(mark) => self.marks.push(mark.clone()),
            Event::Unspoken(part) => {
                self.unspoken.push((part.kind, part.text.to_owned(), part.source.clone()));
            }
            _ => {}
        }
    }

    fn word(&self, spoken: &str) -> &WordMark {
        self.words.iter().find(|word| word.spoken == spoken).unwrap()
    }

    /// Milliseconds from the end of one word to the start of another.
    fn gap_ms(&self, first: &str, second: &str) -> f64 {
        let samples = self.word(second).samples.start - self.word(first).samples.end;
        samples as f64 * 1e3 / f64::from(synthesizer().sample_rate_hz())
    }

    /// The loudness of a word.
    fn rms(&self, spoken: &str) -> f32 {
        let range = &self.word(spoken).samples;
        let samples = &self.samples[range.start as usize..range.end as usize];
        (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
    }

    fn mark(&self, name: &str) -> u64 {
        self.marks.iter().find(|mark| mark.name == name).unwrap().sample
    }
}

/// With the pitch of each phrase's frames.
fn speak_with(document: &str, config: SpeakConfig) -> (Heard, Vec<f32>) {
    let Script { text, directions } = Script::read(document).unwrap();
    let config = SpeakConfig { directions: Arc::new(directions), ..config };
    let mut utterance = synthesizer().utterance(config).unwrap();
    let (mut heard, mut log_f0) = (Heard::default(), Vec::new());
    let mut listen = |event: Event<'_>| {
        if let Event::Phrase(phrase) = &event {
            log_f0.extend(&phrase.mel.log_f0);
        }
        heard.take(&event);
        ControlFlow::Continue(())
    };
    utterance.push(&text, &mut listen).unwrap();
    utterance.finish(&mut listen).unwrap();
    (heard, log_f0)
}

fn speak(inside: &str) -> Heard {
    speak_with(&format!("<speak>{inside}</speak>"), SpeakConfig::default()).0
}

/// A frame more or less.
const TOLERANCE_MS: f64 = 12.0;

#[test]
fn a_break_is_a_silence_of_its_length() {
    for (inside, wanted_ms) in [
        ("one <break time=\"1500ms\"/> two", 1500.0),
        ("one, <break time=\"30ms\"/> two", 30.0),
        ("one.<break time=\"2s\"/>two", 2000.0),
        ("<p>one</p><break time=\"1s\"/><p>two</p>", 1000.0),
        ("one <break time=\"700ms\"/><break time=\"700ms\"/> two", 1400.0),
        ("one <break strength=\"x-strong\"/> two", 1200.0),
        ("one, <break strength=\"none\"/> two", 0.0),
        ("<prosody rate=\"fast\">one <break time=\"1s\"/> two</prosody>", 1000.0),
    ] {
        let heard = speak(inside);
        let gap_ms = heard.gap_ms("one", "two");
        // A sentence begins with the onset of its first sound.
        let onset_ms = if inside.contains("<p>") || inside.contains('.') { 24.0 } else { 0.0 };
        assert!(
            (wanted_ms - TOLERANCE_MS..=wanted_ms + TOLERANCE_MS + onset_ms).contains(&gap_ms),
            "{inside}: {gap_ms} ms"
        );
        if wanted_ms >= 1000.0 {
            let (from, to) = (heard.word("one").samples.end, heard.word("two").samples.start);
            let middle = &heard.samples[from as usize..to as usize];
            let silent = middle.iter().filter(|&&sample| sample == 0.0).count();
            assert!(silent as f64 > 0.4 * middle.len() as f64, "{inside}: {silent} of {}", middle.len());
        }
    }
}

#[test]
fn a_break_before_everything_and_behind_everything_is_heard() {
    let plain = speak("one");
    let heard = speak("<break time=\"1s\"/>one<break time=\"2s\"/>");
    let rate_hz = f64::from(synthesizer().sample_rate_hz());
    let s = |samples: u64| samples as f64 / rate_hz;
    assert!((s(heard.word("one").samples.start) - 1.0).abs() < 0.012);
    let rest = heard.samples.len() as u64 - heard.word("one").samples.end;
    assert!((s(rest) - 2.0).abs() < 0.012, "{}", s(rest));
    assert!(heard.samples.len() > plain.samples.len());
}

#[test]
fn prosody_changes_its_words_and_no_others() {
    let text = "Good morning and welcome to the museum";
    let (plain, _) = speak_with(&format!("<speak>{text}</speak>"), SpeakConfig::default());
    let marked = |attribute: &str| {
        let inside = text.replace("welcome", &format!("<prosody {attribute}>welcome</prosody>"));
        speak_with(&format!("<speak>{inside}</speak>"), SpeakConfig::default())
    };
    let length = |heard: &Heard, word: &str| {
        let samples = &heard.word(word).samples;
        (samples.end - samples.start) as f64
    };
    let (slow, _) = marked("rate='50%'");
    let ratio = |word: &str| length(&slow, word) / length(&plain, word);
    assert!((1.8..2.2).contains(&ratio("welcome")), "{}", ratio("welcome"));
    assert!((0.85..1.15).contains(&ratio("morning")) && (0.85..1.15).contains(&ratio("museum")));

    let (quiet, _) = marked("volume='-12dB'");
    let db = |word: &str| 20.0 * (quiet.rms(word) / plain.rms(word)).log10();
    assert!((-13.0..-10.5).contains(&db("welcome")), "{} dB", db("welcome"));
    assert!(db("morning").abs() < 0.5 && db("museum").abs() < 0.5, "{} {}", db("morning"), db("museum"));

    let (level_heard, level) = marked("pitch='+0st'");
    let (high, raised) = marked("pitch='+6st'");
    assert_eq!(high.words, level_heard.words, "no word is moved");
    let hop = synthesizer().hop_samples() as u64;
    let semitones = |word: &str| {
        let frames = &high.word(word).samples;
        let frames = (frames.start / hop) as usize..(frames.end / hop) as usize;
        let mean = |track: &[f32]| track[frames.clone()].iter().sum::<f32>() / frames.len() as f32;
        (mean(&raised) - mean(&level)) * 12.0 / std::f32::consts::LN_2
    };
    assert!((4.0..7.5).contains(&semitones("welcome")), "{}", semitones("welcome"));
    assert!(semitones("morning").abs() < 1.0 && semitones("museum").abs() < 1.0);
}

#[test]
fn marks_fall_where_they_stand() {
    let heard = speak(
        "<mark name='start'/>One <mark name='two'/>two <mark name='before'/><break time='1s'/><mark name='behind'/> \
         three. <mark name='four'/>Four.<mark name='end'/>",
    );
    assert_eq!(heard.mark("start"), heard.word("one").samples.start);
    assert_eq!(heard.mark("two"), heard.word("two").samples.start);
    assert_eq!(heard.mark("before"), heard.word("two").samples.end);
    assert_eq!(heard.mark("behind"), heard.word("three").samples.start);
    assert_eq!(heard.mark("four"), heard.word("four").samples.start);
    assert_eq!(heard.mark("end"), heard.samples.len() as u64);
    assert_eq!(heard.marks.len(), 6);
}

#[test]
fn words_are_told_with_their_place_in_the_document() {
    let document = "<speak>\n  <p>Hello</p> <sub alias=\"doctor who\">DW</sub> &amp; 42</speak>";
    let (heard, _) = speak_with(document, SpeakConfig::default());
    let place = |word: &str| {
        let source = &heard.word(word).source;
        &document[source.start as usize..source.end as usize]
    };
    assert_eq!((place("hello"), place("who"), place("and"), place("forty")), ("Hello", "DW", "&amp;", "42"));
}

#[test]
fn what_the_voice_does_not_do_is_reported_and_read() {
    let heard = speak(
        "<voice name='nobody'>one</voice> <lang xml:lang='fr'>two</lang> <lang xml:lang='en-GB'>three</lang>",
    );
    let told: Vec<&str> = heard.unspoken.iter().map(|(_, text, _)| text.as_str()).collect();
    assert_eq!(told, ["<voice name='nobody'>", "<lang xml:lang='fr'>"]);
    assert!(heard.unspoken.iter().all(|(kind, ..)| *kind == UnspokenKind::Markup));
    assert_eq!(heard.words.len(), 3);
    let name = &synthesizer().meta().name;
    assert_eq!(speak(&format!("<voice name='{name}'>one</voice>")).unspoken, []);
}

#[test]
fn a_job_in_pieces_is_the_utterance() {
    let document = "<speak>One two <break time='300ms'/> three <prosody rate='slow' volume='soft'>four five, six</prosody> \
                    seven. <mark name='m'/><phoneme alphabet='x-arpabet' ph='EY1 T'>8</phoneme> nine \
                    <say-as interpret-as='characters'>abc</say-as>.<mark name='e'/></speak>";
    let (expected, _) = speak_with(document, SpeakConfig::default());
    let Script { text, directions } = Script::read(document).unwrap();
    let engine = Engine::start(synthesizer(), None, EngineConfig::default()).unwrap();
    for piece_bytes in [1, 7, 1000] {
        let (sender, events) = channel();
        let mut heard = Heard::default();
        let listener: JobListener = Box::new(move |_, event| {
            heard.take(&event);
            if let Event::End(_) = event {
                sender.send(std::mem::take(&mut heard)).unwrap();
            }
            ControlFlow::Continue(())
        });
        let config = SpeakConfig { directions: Arc::new(directions.clone()), ..SpeakConfig::default() };
        let job = engine.begin(config, Pacing::Unhurried, listener).unwrap();
        text.as_bytes().chunks(piece_bytes).for_each(|piece| job.push(piece).unwrap());
        job.wait().unwrap();
        assert_eq!(events.recv().unwrap(), expected, "pieces of {piece_bytes}");
    }
}

#[test]
fn a_document_that_cannot_be_read_says_where() {
    let error = synthesizer().speak_ssml("<speak>\n<p>one", SpeakConfig::default()).unwrap_err();
    assert!(matches!(error, Error::Ssml(_)) && error.hint().is_some());
    assert_eq!(error.to_string(), "SSML, line 2, column 1: `<p>` is not closed");
    let error = synthesizer().speak_ssml("<speak><break/></speak>", SpeakConfig::default()).unwrap_err();
    assert!(matches!(error, Error::Text(_)), "{error}");
    let spoken = synthesizer().speak_ssml("<speak>one</speak>", SpeakConfig::default()).unwrap();
    assert_eq!(spoken, synthesizer().speak("one", SpeakConfig::default()).unwrap(), "as plain text");
}
