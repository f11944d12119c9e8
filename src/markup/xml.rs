//! XML cut into text and tags: as much of it as speech needs. There is no document type and no entity but XML's own five.
//!
//! Whoever reads decides what to make of a fault: [`ssml`](super::ssml) refuses, the readers of screens take it for text.

/// Longest entity, `&#x10ffff;`.
const MOST_ENTITY_BYTES: usize = 10;

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Markup<'a> {
    /// Text as it is.
    Text(&'a str),
    /// What an entity stands for.
    Char(char),
    Tag(Tag<'a>),
    /// A comment, or an instruction to a program.
    Nothing,
    /// `<!DOCTYPE …>` and the like.
    Declaration,
}

/// A tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    /// With its prefix.
    pub name: &'a str,
    attributes: &'a str,
    /// Where they begin, in bytes behind the tag's `<`.
    attributes_at: usize,
    pub is_closing: bool,
    /// `<…/>`
    pub is_empty: bool,
}

/// What is not XML, and where, in bytes behind the place asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub at: usize,
    pub what: FaultKind,
}

/// What is not XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// `<` that begins nothing.
    StrayBracket,
    /// `&` that begins nothing.
    StrayAmpersand,
    /// A tag, comment or section without its end.
    NoEnd,
    /// Attributes that are not `name="value"`.
    Attribute,
}

impl<'a> Markup<'a> {
    /// What `text`, which is not empty, begins with, and its length. Nothing but text is longer than `most_bytes`.
    pub fn read(text: &'a str, most_bytes: usize) -> Result<(Self, usize), Fault> {
        match text.as_bytes()[0] {
            b'<' => read_bracket(text, most_bytes),
            b'&' => {
                let (char, length) = entity(text).ok_or(Fault { at: 0, what: FaultKind::StrayAmpersand })?;
                Ok((Self::Char(char), length))
            }
            _ => {
                let plain = text.find(['<', '&']).unwrap_or(text.len());
                Ok((Self::Text(&text[..plain]), plain))
            }
        }
    }
}

fn read_bracket(text: &str, most_bytes: usize) -> Result<(Markup<'_>, usize), Fault> {
    let no_end = Fault { at: 0, what: FaultKind::NoEnd };
    for (start, end) in [("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>")] {
        if let Some(inner) = text.strip_prefix(start) {
            let length = find(inner, end, most_bytes).ok_or(no_end)?;
            let is_text = start.ends_with('[');
            let markup = if is_text { Markup::Text(&inner[..length]) } else { Markup::Nothing };
            return Ok((markup, start.len() + length + end.len()));
        }
    }
    let inner = &text[1..];
    let name_start = usize::from(inner.starts_with('/'));
    let is_declaration = inner.starts_with('!');
    if !is_declaration && !inner[name_start..].starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(Fault { at: 0, what: FaultKind::StrayBracket });
    }
    let length = tag_end(inner, most_bytes).ok_or(no_end)?;
    if is_declaration {
        return Ok((Markup::Declaration, 1 + length + 1));
    }
    let whole = &inner[name_start..length];
    let (body, is_empty) = match whole.strip_suffix('/') {
        Some(body) => (body, true),
        None => (whole, false),
    };
    let name_end = body.find(char::is_whitespace).unwrap_or(body.len());
    let (name, attributes) = body.split_at(name_end);
    let attributes_at = 1 + name_start + name_end;
    let tag = Tag { name, attributes, attributes_at, is_closing: name_start == 1, is_empty };
    Ok((Markup::Tag(tag), 1 + length + 1))
}

/// What begins with `&` here, and its length.
fn entity(text: &str) -> Option<(char, usize)> {
    let inner = &text[1..];
    let length = inner.bytes().take(MOST_ENTITY_BYTES).position(|byte| byte == b';')?;
    let name = &inner[..length];
    let char = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((char, 1 + length + 1))
}

/// Where `end` begins, near enough.
fn find(text: &str, end: &str, most_bytes: usize) -> Option<usize> {
    let near = &text.as_bytes()[..text.len().min(most_bytes)];
    near.windows(end.len()).position(|window| window == end.as_bytes())
}

/// Where the tag's `>` is: not inside quotation marks, unless those are never closed.
fn tag_end(text: &str, most_bytes: usize) -> Option<usize> {
    let mut quote = None;
    let mut first = None;
    for (at, byte) in text.bytes().take(most_bytes).enumerate() {
        match (byte, quote) {
            (b'>', None) => return Some(at),
            (b'>', Some(_)) => first = first.or(Some(at)),
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    first
}

/// The part of a name behind its prefix.
pub(crate) fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// An attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// With its prefix.
    pub name: &'a str,
    /// With its entities.
    pub value: &'a str,
    /// Where it begins, in bytes behind the tag's `<`.
    pub at: usize,
}

impl<'a> Tag<'a> {
    /// The attributes, up to the first fault.
    pub fn attributes(&self) -> impl Iterator<Item = Result<Attribute<'a>, Fault>> + use<'a> {
        let (all, at) = (self.attributes, self.attributes_at);
        let mut rest = all;
        std::iter::from_fn(move || {
            let trimmed = rest.trim_start();
            if trimmed.is_empty() {
                return None;
            }
            let at = at + all.len() - trimmed.len();
            // Each is set off from what stands before it.
            let read = if trimmed.len() == rest.len() { None } else { attribute(trimmed) };
            rest = read.map_or("", |(.., rest)| rest);
            let fault = Fault { at, what: FaultKind::Attribute };
            Some(read.map(|(name, value, _)| Attribute { name, value, at }).ok_or(fault))
        })
    }

    /// The daemon's alone: the value of an attribute, by its local name, with entities read as far as they can be.
    #[cfg(any(feature = "daemon", test))]
    pub fn attribute(&self, name: &str) -> Option<String> {
        let found =
            self.attributes().map_while(Result::ok).find(|attribute| local(attribute.name) == name)?;
        Some(decoded(found.value).unwrap_or_else(|text| text))
    }
}

/// A name, its value, and what follows.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = text.split_once('=')?;
    let name = name.trim_end();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let after = after.trim_start();
    let quote = after.chars().next().filter(|char| matches!(char, '"' | '\''))?;
    let (value, rest) = after[1..].split_once(quote)?;
    Some((name, value, rest))
}

/// A value with its entities read.
///
/// # Errors
/// Something in it is no entity; it is left as it is.
pub(crate) fn decoded(value: &str) -> Result<String, String> {
    let mut decoded = String::with_capacity(value.len());
    let (mut rest, mut is_clean) = (value, true);
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let (char, length) = entity(rest).unwrap_or_else(|| {
            is_clean = false;
            ('&', 1)
        });
        decoded.push(char);
        rest = &rest[length..];
    }
    decoded.push_str(rest);
    if is_clean { Ok(decoded) } else { Err(decoded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Result<(Markup<'_>, usize), Fault> {
        Markup::read(text, 100)
    }

    fn tag(text: &str) -> Tag<'_> {
        match first(text) {
            Ok((Markup::Tag(tag), length)) if length == text.len() => tag,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn tags_have_names_and_attributes() {
        let read = tag("<a:b c=\"1>2\" d = '&lt;\"' />");
        assert_eq!((read.name, local(read.name), read.is_empty, read.is_closing), ("a:b", "b", true, false));
        let attributes: Vec<_> = read.attributes().map(|a| a.map(|a| (a.name, a.value, a.at))).collect();
        assert_eq!(attributes, [Ok(("c", "1>2", 5)), Ok(("d", "&lt;\"", 13))]);
        assert_eq!(read.attribute("d").as_deref(), Some("<\""));
        assert!(tag("</b >").is_closing);
    }

    #[test]
    fn faults_say_where_they_are() {
        let fault = |at, what| Fault { at, what };
        assert_eq!(first("< 3"), Err(fault(0, FaultKind::StrayBracket)));
        assert_eq!(first("&bogus;"), Err(fault(0, FaultKind::StrayAmpersand)));
        assert_eq!(first("<a b"), Err(fault(0, FaultKind::NoEnd)));
        assert_eq!(first("<!-- -"), Err(fault(0, FaultKind::NoEnd)));
        for (text, at) in [("<a b>", 3), ("<a b=c>", 3), ("<a b='1'c='2'>", 8), ("<a b='1' \"x\">", 9)] {
            let faults: Vec<_> = tag(text).attributes().filter_map(Result::err).collect();
            assert_eq!(faults, [fault(at, FaultKind::Attribute)], "{text}");
        }
        assert_eq!(decoded("a & b &amp;"), Err("a & b &".into()));
    }
}
