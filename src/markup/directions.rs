//! What is to be done at which bytes of a text, beside speaking it.

use std::ops::Range;

/// How a part of a text is spoken, as a change of the job's own settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manner {
    /// Factor of the rate; 2 is twice as fast.
    pub rate: f32,
    /// Shift of the pitch.
    pub pitch_semitones: f32,
    /// Change of the loudness.
    pub volume_db: f32,
}

impl Default for Manner {
    fn default() -> Self {
        Self { rate: 1.0, pitch_semitones: 0.0, volume_db: 0.0 }
    }
}

/// A mark's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkPlace {
    /// What its author calls it.
    pub name: String,
    /// The byte of the text before which it stands.
    pub byte: u64,
}

/// A pause's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PausePlace {
    /// The pause lies between the last word that ends before this byte and the first that begins behind it.
    pub byte: u64,
    pub ms: u32,
}

/// A place where the manner changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub byte: u64,
    pub manner: Manner,
}

/// Where a part of the text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where it begins in the text.
    pub byte: u64,
    /// Its bytes in the document.
    pub document: Range<u64>,
    /// Whether it stands there as it is; otherwise all of it comes from all of that.
    pub is_verbatim: bool,
}

/// Something in a document that may not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its bytes in the document.
    pub document: Range<u64>,
    /// How it is written there, shortened.
    pub written: String,
    pub wish: Wish,
}

/// What a document asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Another voice.
    Voice(String),
    /// Another language.
    Language(String),
    /// What no voice does.
    Other,
}

/// What is to be done at which bytes of a text. Made by [`Script`](super::Script); empty for plain text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Directions {
    /// Each in the order of its places.
    pub(crate) changes: Vec<Change>,
    pub(crate) pauses: Vec<PausePlace>,
    pub(crate) marks: Vec<MarkPlace>,
    pub(crate) sources: Vec<Source>,
    pub(crate) requests: Vec<Request>,
}

impl Directions {
    /// The marks, in order.
    pub fn marks(&self) -> &[MarkPlace] {
        &self.marks
    }

    /// How the word that begins at this byte of the text is spoken.
    pub fn manner_at(&self, byte: u64) -> Manner {
        let after = self.changes.partition_point(|change| change.byte <= byte);
        after.checked_sub(1).map_or_else(Manner::default, |index| self.changes[index].manner)
    }

    /// Whether anything is spoken in another manner.
    pub(crate) fn has_manners(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Whether some samples are louder or softer than others.
    pub(crate) fn has_gains(&self) -> bool {
        !self.pauses.is_empty() || self.changes.iter().any(|change| change.manner.volume_db != 0.0)
    }

    /// Where bytes of the text come from: the bytes of the document. Plain text is its own document.
    pub fn document_range(&self, text: Range<u64>) -> Range<u64> {
        let source_of = |byte: u64| {
            let after = self.sources.partition_point(|source| source.byte <= byte);
            after.checked_sub(1).map(|index| &self.sources[index])
        };
        let start = match source_of(text.start) {
            None if self.sources.is_empty() => text.start,
            None => 0,
            Some(source) if source.is_verbatim => {
                (source.document.start + text.start - source.byte).min(source.document.end)
            }
            Some(source) => source.document.start,
        };
        let end = match text.end.checked_sub(1).and_then(source_of) {
            None if self.sources.is_empty() => text.end,
            None => 0,
            Some(source) if source.is_verbatim => {
                (source.document.start + text.end - source.byte).min(source.document.end)
            }
            Some(source) => source.document.end,
        };
        start..end.max(start)
    }

    /// What a voice of this name and language does not do: what is written, and where in the document.
    pub(crate) fn refused<'a>(
        &'a self,
        voice: &'a str,
        language: &'a str,
    ) -> impl Iterator<Item = (&'a str, Range<u64>)> {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let is_refused = move |request: &&Request| match &request.wish {
            Wish::Voice(name) => name != voice,
            Wish::Language(tag) => primary(tag) != primary(language),
            Wish::Other => true,
        };
        self.requests
            .iter()
            .filter(is_refused)
            .map(|request| (request.written.as_str(), request.document.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_its_own_document() {
        assert_eq!(Directions::default().document_range(3..7), 3..7);
        assert_eq!(Directions::default().manner_at(3), Manner::default());
    }

    #[test]
    fn bytes_are_found_in_the_document() {
        let source = |byte, document, is_verbatim| Source { byte, document, is_verbatim };
        let sources = vec![source(0, 10..15, true), source(5, 30..33, false), source(15, 40..50, true)];
        let directions = Directions { sources, ..Directions::default() };
        assert_eq!(directions.document_range(1..4), 11..14);
        assert_eq!(directions.document_range(7..9), 30..33);
        assert_eq!(directions.document_range(3..18), 13..43);
    }
}
