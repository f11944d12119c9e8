//! The reader of a document.

use std::ops::Range;

use super::directions::{Change, PausePlace, Request, Source, Wish};
use super::error::SsmlFault;
use super::manner;
use super::xml::{Attribute, FaultKind, Markup, Tag, decoded, local};
use super::{Directions, Manner, MarkPlace, SsmlError};
use crate::phoneme::{parse_ipa, parse_phones, show_phones};
use crate::text::say_as;

/// Longest document.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// Most elements that lie in each other.
pub const MAX_DEPTH: usize = 32;
/// Longest pause at one place.
pub const MAX_PAUSE_MS: u32 = 60_000;
/// Longest text that a document may become: spelled letters take more room than they had.
const MAX_TEXT_BYTES: usize = 4 << 20;
/// What is shown of something that is wrong.
const SHOWN_CHARS: usize = 40;
/// What ends a sentence for the normaliser, whatever stands before it.
const PARAGRAPH: &str = "\n\n";
/// Signs that always pause, so that a break behind them needs no other.
const PAUSING: [char; 4] = [',', ';', '!', '?'];

/// A document, read: a text to be spoken, and what is to be done in it.
///
/// ```
/// use fastglow::markup::Script;
///
/// let script = Script::read("<speak>Wait <break time='1s'/> for <sub alias='the lift'>it</sub>.</speak>")?;
/// assert_eq!(script.text, "Wait, for the lift.");
/// let error = Script::read("<speak>\n  1 < 2</speak>").unwrap_err();
/// assert_eq!(error.to_string(), "SSML, line 2, column 5: `<` begins no tag");
/// # Ok::<(), fastglow::markup::SsmlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// The text, to be given to an utterance or a job as a whole.
    pub text: String,
    /// What goes beside it, in [`SpeakConfig::directions`](crate::engine::SpeakConfig::directions).
    pub directions: Directions,
}

impl Script {
    /// Reads a document. Time and memory grow linearly with its length.
    ///
    /// # Errors
    /// It is not well-formed, is beyond a limit, or an element lacks what it needs.
    pub fn read(document: &str) -> Result<Self, SsmlError> {
        let mut reader = Reader {
            document,
            at: 0,
            script: Script::default(),
            open: Vec::new(),
            manner: Manner::default(),
            has_root: false,
        };
        match reader.read() {
            Ok(()) => Ok(reader.script),
            Err((byte, fault)) => Err(SsmlError::new(document, byte, fault)),
        }
    }
}

/// What is wrong at which byte.
type Wrong = (usize, SsmlFault);

/// What becomes of an element's text.
enum Content {
    /// It is spoken.
    Spoken,
    /// It is not.
    Skipped,
    /// Something is spoken in its place when the element ends.
    Replaced { text: String, by: Replacement },
}

enum Replacement {
    Alias(String),
    /// Phones in braces.
    Phones(String),
    SayAs {
        interpret_as: String,
        format: String,
    },
}

/// An element that has begun.
struct Open<'a> {
    name: &'a str,
    at: usize,
    content: Content,
    /// The manner around it.
    around: Manner,
}

struct Reader<'a> {
    document: &'a str,
    at: usize,
    script: Script,
    open: Vec<Open<'a>>,
    manner: Manner,
    has_root: bool,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<(), Wrong> {
        let got_bytes = self.document.len();
        if got_bytes > MAX_DOCUMENT_BYTES {
            return Err((0, SsmlFault::TooLong { got_bytes }));
        }
        let document = self.document;
        // A file may begin with a byte order mark.
        self.at = document.len() - document.trim_start_matches('\u{feff}').len();
        while self.at < document.len() {
            let read = Markup::read(&document[self.at..], usize::MAX);
            let (markup, length) = read.map_err(|fault| (self.at + fault.at, fault_of(fault.what)))?;
            let range = self.at..self.at + length;
            match markup {
                Markup::Text(text) => {
                    // Of a section, the text is what lies within.
                    let start = text.as_ptr() as usize - document.as_ptr() as usize;
                    self.text(text, start)?;
                }
                Markup::Char(char) => self.char(char, range)?,
                Markup::Tag(tag) if tag.is_closing => self.close(tag)?,
                Markup::Tag(tag) => self.begin(tag, range)?,
                Markup::Nothing => {}
                Markup::Declaration => return Err((self.at, SsmlFault::Declaration)),
            }
            self.at += length;
            if self.script.text.len() > MAX_TEXT_BYTES {
                return Err((self.at, SsmlFault::TooLong { got_bytes: self.script.text.len() }));
            }
        }
        match self.open.pop() {
            Some(open) => Err((open.at, SsmlFault::NotClosed { name: shortened(open.name) })),
            None if self.has_root => Ok(()),
            None => Err((document.len(), SsmlFault::Root)),
        }
    }

    /// Where the text that is read now goes; `None` if it is spoken.
    fn replaced(&mut self) -> Option<&mut Content> {
        self.open.iter_mut().map(|open| &mut open.content).find(|content| !matches!(content, Content::Spoken))
    }

    fn text(&mut self, text: &str, start: usize) -> Result<(), Wrong> {
        if self.open.is_empty() {
            let is_blank = text.trim().is_empty();
            return if is_blank { Ok(()) } else { Err((self.at, SsmlFault::Root)) };
        }
        match self.replaced() {
            Some(Content::Replaced { text: kept, .. }) => kept.push_str(text),
            Some(_) => {}
            None => {
                // Lines and indents of a document mean nothing.
                let mut from = 0;
                while let Some(first) = text[from..].chars().next() {
                    let is_blank = first.is_whitespace();
                    let rest = &text[from..];
                    let length = rest.find(|c: char| c.is_whitespace() != is_blank).unwrap_or(rest.len());
                    let part = if is_blank { " " } else { &rest[..length] };
                    if !is_blank || !(self.script.text.is_empty() || self.script.text.ends_with([' ', '\n']))
                    {
                        self.say(part, start + from..start + from + length);
                    }
                    from += length;
                }
            }
        }
        Ok(())
    }

    fn char(&mut self, char: char, range: Range<usize>) -> Result<(), Wrong> {
        if self.open.is_empty() {
            return Err((self.at, SsmlFault::Root));
        }
        match self.replaced() {
            Some(Content::Replaced { text, .. }) => text.push(char),
            Some(_) => {}
            None => self.say(char.encode_utf8(&mut [0; 4]), range),
        }
        Ok(())
    }

    /// Adds to the text, and notes where it comes from.
    fn say(&mut self, text: &str, document: Range<usize>) {
        let byte = self.script.text.len() as u64;
        let document = document.start as u64..document.end as u64;
        let is_verbatim = text.len() as u64 == document.end - document.start;
        self.script.text.push_str(text);
        let sources = &mut self.script.directions.sources;
        if let Some(last) = sources.last_mut()
            && last.is_verbatim
            && is_verbatim
            && last.document.end == document.start
            && last.byte + (last.document.end - last.document.start) == byte
        {
            last.document.end = document.end;
            return;
        }
        sources.push(Source { byte, document, is_verbatim });
    }

    fn begin(&mut self, tag: Tag<'a>, range: Range<usize>) -> Result<(), Wrong> {
        let name = local(tag.name);
        if self.open.is_empty() && (self.has_root || name != "speak") {
            return Err((self.at, SsmlFault::Root));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err((self.at, SsmlFault::TooDeep));
        }
        self.has_root = true;
        let attributes = self.attributes(tag)?;
        let around = self.manner;
        let content = if self.replaced().is_some() && name != "mark" {
            Content::Spoken
        } else {
            self.element(name, &attributes, &range)?
        };
        let open = Open { name: tag.name, at: self.at, content, around };
        if tag.is_empty {
            self.end(open, range);
        } else {
            self.open.push(open);
        }
        Ok(())
    }

    fn attributes(&self, tag: Tag<'a>) -> Result<Vec<(&'a str, String)>, Wrong> {
        let mut read: Vec<(&str, String)> = Vec::new();
        for attribute in tag.attributes() {
            let Attribute { name, value, at } =
                attribute.map_err(|fault| (self.at + fault.at, fault_of(fault.what)))?;
            let at = self.at + at;
            if value.contains('<') {
                return Err((at, SsmlFault::StrayBracket));
            }
            if read.iter().any(|(known, _)| *known == name) {
                return Err((at, SsmlFault::Twice { name: shortened(name) }));
            }
            // A tag of thousands of attributes would take time that grows faster than it.
            if read.len() >= MAX_DEPTH {
                return Err((at, SsmlFault::Attribute));
            }
            read.push((name, decoded(value).map_err(|_| (at, SsmlFault::StrayAmpersand))?));
        }
        Ok(read)
    }

    /// Does what an element says where it begins.
    fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, String)],
        range: &Range<usize>,
    ) -> Result<Content, Wrong> {
        let at = self.at;
        let get = |wanted: &str| {
            attributes.iter().find(|(name, _)| local(name) == wanted).map(|(_, value)| value.trim())
        };
        let need = |element: &'static str, attribute: &'static str| {
            get(attribute).ok_or((at, SsmlFault::Missing { element, attribute }))
        };
        match name {
            "p" | "s" | "paragraph" | "sentence" => self.paragraph(),
            "break" => self.pause(pause_ms(get("time"), get("strength")).map_err(|fault| (at, fault))?)?,
            "prosody" => self.prosody(&get, range).map_err(|fault| (at, fault))?,
            "emphasis" => {
                let level = get("level").unwrap_or("moderate");
                let expected = "strong, moderate, reduced or none";
                let manner = manner::emphasised(self.manner, level);
                self.set_manner(manner.ok_or_else(|| (at, wrong("level", expected, level)))?);
            }
            "mark" => {
                let name = need("mark", "name")?.to_owned();
                self.script.directions.marks.push(MarkPlace { name, byte: self.script.text.len() as u64 });
            }
            "sub" => {
                let by = Replacement::Alias(need("sub", "alias")?.to_owned());
                return Ok(Content::Replaced { text: String::new(), by });
            }
            "phoneme" => {
                let ph = need("phoneme", "ph")?;
                let phones = match get("alphabet").unwrap_or("ipa") {
                    "ipa" => parse_ipa(ph),
                    "x-arpabet" | "x-cmu" => parse_phones(ph),
                    other => return Err((at, wrong("alphabet", "ipa or x-arpabet", other))),
                };
                let phones = phones.map_err(|_| (at, wrong("ph", "phones", ph)))?;
                let by = Replacement::Phones(show_phones(&phones));
                return Ok(Content::Replaced { text: String::new(), by });
            }
            "say-as" => {
                let interpret_as = need("say-as", "interpret-as")?.to_owned();
                let format = get("format").unwrap_or_default().to_owned();
                if say_as("", &interpret_as, &format).is_none() {
                    self.request(range, Wish::Other);
                    return Ok(Content::Spoken);
                }
                let by = Replacement::SayAs { interpret_as, format };
                return Ok(Content::Replaced { text: String::new(), by });
            }
            "voice" => {
                let wish = get("name").map_or(Wish::Other, |name| Wish::Voice(name.into()));
                self.request(range, wish);
            }
            "lang" => {
                let language = need("lang", "lang")?.to_owned();
                self.request(range, Wish::Language(language));
            }
            "speak" => {
                if let Some(language) = get("lang") {
                    self.request(range, Wish::Language(language.into()));
                }
            }
            "desc" | "meta" | "metadata" => return Ok(Content::Skipped),
            "w" | "token" => {}
            _ => self.request(range, Wish::Other),
        }
        Ok(Content::Spoken)
    }

    fn close(&mut self, tag: Tag<'a>) -> Result<(), Wrong> {
        let expected = self.open.last().map(|open| open.name);
        if expected != Some(tag.name) {
            let expected = expected.map(shortened);
            return Err((self.at, SsmlFault::Closing { expected, got: shortened(tag.name) }));
        }
        if let Some(open) = self.open.pop() {
            let range = open.at..self.at;
            self.end(open, range);
        }
        Ok(())
    }

    /// Does what an element says where it ends.
    fn end(&mut self, open: Open<'a>, range: Range<usize>) {
        if self.replaced().is_some() {
            return;
        }
        if let Content::Replaced { text, by } = open.content {
            let text = text.trim();
            let said = match by {
                Replacement::Alias(alias) => alias,
                Replacement::Phones(phones) => format!("{{{}|{phones}}}", speakable_name(text)),
                Replacement::SayAs { interpret_as, format } => {
                    say_as(text, &interpret_as, &format).unwrap_or_else(|| text.to_owned())
                }
            };
            // The words inside are told with the place of what they were written as.
            let inner = self.document[range.clone()].find('>').map_or(range.start, |at| range.start + at + 1);
            let is_whole = inner >= range.end;
            self.say(&said, if is_whole { range } else { inner..range.end });
        }
        if matches!(local(open.name), "p" | "s" | "paragraph" | "sentence") {
            self.paragraph();
        }
        self.set_manner(open.around);
    }

    fn paragraph(&mut self) {
        let text = &mut self.script.text;
        if !text.is_empty() && !text.ends_with(PARAGRAPH) {
            text.push_str(PARAGRAPH);
        }
    }

    /// A pause here: a comma in the text where nothing pauses yet, and its length beside it.
    fn pause(&mut self, ms: u32) -> Result<(), Wrong> {
        let Self { script: Script { text, directions }, at, .. } = self;
        let mut byte = text.trim_end().len();
        if ms > 0 && byte > 0 && !text[..byte].ends_with(PAUSING) {
            text.insert(byte, ',');
            // What stood in the white space stays before the pause.
            let within = directions.marks.iter_mut().rev().take_while(|mark| mark.byte > byte as u64);
            within.for_each(|mark| mark.byte = byte as u64);
            let within = directions.changes.iter_mut().rev().take_while(|change| change.byte > byte as u64);
            within.for_each(|change| change.byte = byte as u64);
            byte += 1;
        }
        if !text.is_empty() && !text.ends_with(char::is_whitespace) {
            text.push(' ');
        }
        let byte = byte as u64;
        let before = directions.pauses.pop_if(|pause| pause.byte == byte).map_or(0, |pause| pause.ms);
        let ms = before + ms;
        if ms > MAX_PAUSE_MS {
            return Err((*at, wrong("time", "at most 60s at one place", &format!("{ms}ms"))));
        }
        directions.pauses.push(PausePlace { byte, ms });
        Ok(())
    }

    fn prosody<'v>(
        &mut self,
        get: &impl Fn(&str) -> Option<&'v str>,
        range: &Range<usize>,
    ) -> Result<(), SsmlFault> {
        let mut manner = self.manner;
        if let Some(value) = get("rate") {
            let rate = manner::rate(manner.rate, value);
            manner.rate = rate.ok_or_else(|| wrong("rate", "slow, fast, 80% or +20%", value))?;
        }
        if let Some(value) = get("pitch") {
            if manner::is_in_hertz(value) {
                self.request(range, Wish::Other);
            } else {
                let semitones = manner::pitch(manner.pitch_semitones, value);
                manner.pitch_semitones =
                    semitones.ok_or_else(|| wrong("pitch", "low, high, +2st or -10%", value))?;
            }
        }
        if let Some(value) = get("volume") {
            let db = manner::volume(manner.volume_db, value);
            manner.volume_db = db.ok_or_else(|| wrong("volume", "soft, loud or +6dB", value))?;
        }
        if ["contour", "range", "duration"].into_iter().any(|name| get(name).is_some()) {
            self.request(range, Wish::Other);
        }
        self.set_manner(manner);
        Ok(())
    }

    fn set_manner(&mut self, manner: Manner) {
        if manner == self.manner {
            return;
        }
        self.manner = manner;
        let byte = self.script.text.len() as u64;
        let changes = &mut self.script.directions.changes;
        // Of several changes at one place the last counts.
        changes.pop_if(|change| change.byte == byte);
        changes.push(Change { byte, manner });
    }

    /// Notes what may not be done.
    fn request(&mut self, range: &Range<usize>, wish: Wish) {
        let written = shortened(&self.document[range.clone()]);
        let document = range.start as u64..range.end as u64;
        let requests = &mut self.script.directions.requests;
        // An element may have several things of the kind.
        if requests.last().is_none_or(|last| last.document != document) {
            requests.push(Request { document, written, wish });
        }
    }
}

/// The length of a `break`.
fn pause_ms(time: Option<&str>, strength: Option<&str>) -> Result<u32, SsmlFault> {
    const STRENGTHS_MS: &[(&str, u32)] =
        &[("none", 0), ("x-weak", 100), ("weak", 200), ("medium", 400), ("strong", 700), ("x-strong", 1200)];
    let Some(time) = time else {
        let strength = strength.unwrap_or("medium");
        let known = STRENGTHS_MS.iter().find(|(name, _)| *name == strength);
        return known.map(|(_, ms)| *ms).ok_or_else(|| wrong("strength", "none to x-strong", strength));
    };
    let (number, unit_ms) = match (time.strip_suffix("ms"), time.strip_suffix('s')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 1000.0),
        (None, None) => ("", 0.0),
    };
    let is_plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let ms = Some(number).filter(|_| is_plain).and_then(|number| number.parse::<f64>().ok());
    let ms = ms.map(|value| value * unit_ms).filter(|&ms| ms <= f64::from(MAX_PAUSE_MS));
    ms.map(|ms| ms.round() as u32).ok_or_else(|| wrong("time", "a length such as 500ms or 1.5s", time))
}

/// A name for a word with phones: what would end it early, or keep it from being read as one, is left out.
fn speakable_name(text: &str) -> String {
    const MAX_WORDS: usize = 6;
    let is_kept = |c: &char| c.is_alphanumeric() || c.is_whitespace() || *c == '\'';
    let kept: String = text.chars().filter(is_kept).collect();
    let words: Vec<&str> = kept.split_whitespace().take(MAX_WORDS).collect();
    // One of marks alone still sounds.
    if words.is_empty() { "word".into() } else { words.join(" ") }
}

fn wrong(attribute: &'static str, expected: &'static str, got: &str) -> SsmlFault {
    SsmlFault::Value { attribute, expected, got: shortened(got) }
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

fn fault_of(what: FaultKind) -> SsmlFault {
    match what {
        FaultKind::StrayBracket => SsmlFault::StrayBracket,
        FaultKind::StrayAmpersand => SsmlFault::StrayAmpersand,
        FaultKind::NoEnd => SsmlFault::NoEnd,
        FaultKind::Attribute => SsmlFault::Attribute,
    }
}
