//! What can be wrong with a document.

use super::ssml::{MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_PAUSE_MS};

/// A document that cannot be read, and where. The same one will not be read another time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SSML, line {line}, column {column}: {fault}")]
pub struct SsmlError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub fault: SsmlFault,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SsmlFault {
    /// It is too long.
    #[error("expected at most {} bytes, got {got_bytes}", MAX_DOCUMENT_BYTES)]
    TooLong {
        /// How long it, or what it says, is.
        got_bytes: usize,
    },
    /// Elements lie too deep in each other.
    #[error("expected at most {} elements in each other", MAX_DEPTH)]
    TooDeep,
    /// A `<` that begins no tag.
    #[error("`<` begins no tag")]
    StrayBracket,
    /// A `&` that begins no entity.
    #[error("`&` begins no entity")]
    StrayAmpersand,
    /// A tag, comment or section that does not end.
    #[error("the end of a tag or comment is missing")]
    NoEnd,
    /// Attributes that are not well-formed.
    #[error("expected name=\"value\"")]
    Attribute,
    /// The same attribute twice.
    #[error("the attribute `{name}` is there twice")]
    Twice {
        /// Which.
        name: String,
    },
    /// A closing tag of another element than the open one.
    #[error("expected {}, got `</{got}>`", .expected.as_ref().map_or("no closing tag".to_owned(), |name| format!("`</{name}>`")))]
    Closing {
        /// The element that is open.
        expected: Option<String>,
        /// The element that is closed.
        got: String,
    },
    /// An element without its end.
    #[error("`<{name}>` is not closed")]
    NotClosed {
        /// Which.
        name: String,
    },
    /// Something before or behind the root, or another root.
    #[error("expected one `<speak>` around everything")]
    Root,
    /// A document type declaration: what it could do is not safe.
    #[error("a document type declaration is not read")]
    Declaration,
    /// An attribute without which the element says nothing.
    #[error("`<{element}>` lacks `{attribute}`")]
    Missing {
        /// The element.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// A value that is none.
    #[error("`{attribute}`: expected {expected}, got `{got}`")]
    Value {
        /// The attribute.
        attribute: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is, shortened.
        got: String,
    },
}

impl SsmlError {
    pub(super) fn new(document: &str, byte: usize, fault: SsmlFault) -> Self {
        let before = &document[..document.floor_char_boundary(byte)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
        Self { line, column: 1 + before[line_start..].chars().count(), fault }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match &self.fault {
            SsmlFault::TooLong { .. } => "send it in parts, each in its own <speak>".into(),
            SsmlFault::TooDeep => "close elements before others begin".into(),
            SsmlFault::StrayBracket => "write `&lt;` for `<`".into(),
            SsmlFault::StrayAmpersand => "write `&amp;` for `&`".into(),
            SsmlFault::NoEnd => "close it with `>`, `-->` or `]]>`, and every quotation mark in it".into(),
            SsmlFault::Attribute => "put values in quotation marks, and a space before each name".into(),
            SsmlFault::Twice { .. } => "keep one of them".into(),
            SsmlFault::Closing { expected: Some(name), .. } => format!("close `<{name}>` first"),
            SsmlFault::Closing { expected: None, .. } => "take it out".into(),
            SsmlFault::NotClosed { name } => format!("write `</{name}>`, or `<{name}/>`"),
            SsmlFault::Root => "<speak>Hello.</speak>".into(),
            SsmlFault::Declaration => "take the <!…> out".into(),
            SsmlFault::Missing { element, attribute } => format!("<{element} {attribute}=\"…\">"),
            SsmlFault::Value { attribute: "time", .. } => {
                format!("500ms or 1.5s, at most {} s at one place", MAX_PAUSE_MS / 1000)
            }
            SsmlFault::Value { attribute: "ph", .. } => {
                "alphabet=\"ipa\" ph=\"həˈloʊ\", or alphabet=\"x-arpabet\" ph=\"HH AH0 L OW1\"".into()
            }
            SsmlFault::Value { expected, .. } => format!("give {expected}"),
        }
    }
}
