//! Marked-up text as clients of speech daemons send it: the tags are taken out, the marks are kept.
//!
//! Of [SSML](https://www.w3.org/TR/speech-synthesis11/) it knows `mark`, `break`, `p`, `s` and `sub`; every other tag is
//! left out and what it encloses is spoken. What is no tag, such as `3 < 4`, is text: nothing is refused.

/// Longest tag; what is longer is text. Bounds the search for its end.
const MOST_TAG_BYTES: usize = 4096;
/// Longest entity, `&#x10ffff;`.
const MOST_ENTITY_BYTES: usize = 10;
/// What ends a sentence for the normaliser, whatever stands before it.
const PARAGRAPH: &str = "\n\n";

/// A place in a text that its sender wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextMark {
    /// What the sender calls it.
    pub name: String,
    /// Its place in the text without tags.
    pub byte: u64,
}

/// A text without its tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarkedText {
    /// What is spoken.
    pub text: String,
    /// The marks in it, in order.
    pub marks: Vec<TextMark>,
}

impl MarkedText {
    /// Takes the tags out. Takes any text; time grows linearly with it.
    pub fn parse(marked_up: &str) -> Self {
        let mut parsed = Self::default();
        // Inside `<sub alias="…">`: the alias has been said, what it stands for is not.
        let mut is_replaced = false;
        let mut rest = marked_up;
        while let Some(first) = rest.chars().next() {
            let markup = match first {
                '<' => Markup::read(rest),
                '&' => Markup::read_entity(rest),
                _ => {
                    let plain = rest.find(['<', '&']).unwrap_or(rest.len());
                    Some((Markup::Text(&rest[..plain]), plain))
                }
            };
            let (markup, length) = markup.unwrap_or((Markup::Char(first), first.len_utf8()));
            rest = &rest[length..];
            match markup {
                Markup::Text(text) if !is_replaced => parsed.text.push_str(text),
                Markup::Char(char) if !is_replaced => parsed.text.push(char),
                Markup::Text(_) | Markup::Char(_) | Markup::Nothing => {}
                Markup::Tag(tag) => match (tag.name, tag.is_closing) {
                    ("mark", false) => {
                        if let Some(name) = tag.attribute("name") {
                            parsed.marks.push(TextMark { name, byte: parsed.text.len() as u64 });
                        }
                    }
                    ("break", false) if tag.attribute("strength").as_deref() != Some("none") => {
                        parsed.text.push_str(PARAGRAPH);
                    }
                    ("p" | "s" | "paragraph" | "sentence", _) if !parsed.text.is_empty() => {
                        parsed.text.push_str(PARAGRAPH);
                    }
                    ("sub", false) if !tag.is_empty => {
                        if let (Some(alias), false) = (tag.attribute("alias"), is_replaced) {
                            parsed.text.push_str(&alias);
                            is_replaced = true;
                        }
                    }
                    ("sub", true) => is_replaced = false,
                    _ => {}
                },
            }
        }
        parsed
    }
}

enum Markup<'a> {
    Text(&'a str),
    Char(char),
    Tag(Tag<'a>),
    /// A comment or declaration.
    Nothing,
}

struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
    is_closing: bool,
    /// `<…/>`
    is_empty: bool,
}

impl<'a> Markup<'a> {
    /// What begins with `<` here, and its length; `None` if it is text.
    fn read(text: &'a str) -> Option<(Self, usize)> {
        for (start, end) in [("<!--", "-->"), ("<?", "?>")] {
            if let Some(inner) = text.strip_prefix(start) {
                let length = find(inner, end)?;
                return Some((Self::Nothing, start.len() + length + end.len()));
            }
        }
        if let Some(inner) = text.strip_prefix("<![CDATA[") {
            let length = find(inner, "]]>")?;
            return Some((Self::Text(&inner[..length]), "<![CDATA[".len() + length + "]]>".len()));
        }
        let inner = &text[1..];
        let name_start = usize::from(inner.starts_with('/'));
        let is_declaration = inner.starts_with('!');
        if !is_declaration && !inner[name_start..].starts_with(|char: char| char.is_ascii_alphabetic()) {
            return None;
        }
        let length = tag_end(inner)?;
        let whole = (1 + length + 1, &inner[name_start..length]);
        if is_declaration {
            return Some((Self::Nothing, whole.0));
        }
        let (body, is_empty) = match whole.1.strip_suffix('/') {
            Some(body) => (body, true),
            None => (whole.1, false),
        };
        let name_end = body.find(|char: char| char.is_whitespace()).unwrap_or(body.len());
        let (name, attributes) = body.split_at(name_end);
        let name = name.rsplit(':').next().unwrap_or(name);
        Some((Self::Tag(Tag { name, attributes, is_closing: name_start == 1, is_empty }), whole.0))
    }

    /// What begins with `&` here, and its length; `None` if it is text.
    fn read_entity(text: &str) -> Option<(Self, usize)> {
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
        Some((Self::Char(char), 1 + length + 1))
    }
}

/// Where `end` begins, near enough.
fn find(text: &str, end: &str) -> Option<usize> {
    let near = &text.as_bytes()[..text.len().min(MOST_TAG_BYTES)];
    near.windows(end.len()).position(|window| window == end.as_bytes())
}

/// Where the tag's `>` is: not inside quotation marks, unless those are never closed.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut first = None;
    for (at, byte) in text.bytes().take(MOST_TAG_BYTES).enumerate() {
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

impl Tag<'_> {
    /// The value of an attribute, with its entities read.
    fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes;
        while let Some((key, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|char| matches!(char, '"' | '\''))?;
            let (value, after) = after[1..].split_once(quote)?;
            if key.trim() == name {
                return Some(decoded(value));
            }
            rest = after;
        }
        None
    }
}

fn decoded(value: &str) -> String {
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        match Markup::read_entity(rest).filter(|_| first == '&') {
            Some((Markup::Char(char), length)) => {
                decoded.push(char);
                rest = &rest[length..];
            }
            _ => {
                decoded.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(marked_up: &str) -> String {
        MarkedText::parse(marked_up).text
    }

    #[test]
    fn marks_keep_their_places_in_the_text_without_tags() {
        let parsed = MarkedText::parse(
            "<?xml version=\"1.0\"?><speak>One &amp; two.<mark name=\"__spd_0\"/> Three<mark name='a>&lt;'/>!</speak>",
        );
        assert_eq!(parsed.text, "One & two. Three!");
        let mark = |name: &str, byte| TextMark { name: name.into(), byte };
        assert_eq!(parsed.marks, [mark("__spd_0", 10), mark("a><", 16)]);
    }

    #[test]
    fn tags_and_entities_are_read() {
        for (marked_up, expected) in [
            ("<speak>a<emphasis level=\"strong\">b</emphasis>c</speak>", "abc"),
            ("&lt;&gt;&amp;&quot;&apos;&#65;&#x42;", "<>&\"'AB"),
            ("a<!-- <b> -->c<!DOCTYPE x>d", "acd"),
            ("<![CDATA[a < b & c]]>", "a < b & c"),
            ("<sub alias=\"World Wide Web\">WWW</sub>!", "World Wide Web!"),
            ("a<break/>b<break strength=\"none\"/>c", "a\n\nbc"),
            ("<p>a</p><p>b</p>", "a\n\n\n\nb\n\n"),
            ("<ns:sub alias='x'>y</ns:sub>z", "xz"),
        ] {
            assert_eq!(text(marked_up), expected, "{marked_up}");
        }
    }

    #[test]
    fn what_is_no_markup_is_text() {
        for plain in
            ["3 < 4 > 2", "AT&T; &bogus; &#xffffffff; &#;", "<", "&", "a <", "</", "<3", "<unclosed", "<!--"]
        {
            assert_eq!(text(plain), plain);
        }
        // A quotation mark that is never closed does not swallow the rest.
        assert_eq!(text("<a b=\"c>d"), "d");
        assert_eq!(text("<mark name=>x<mark/>"), "x");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_marks_lie_in_it(
            parts in prop::collection::vec(prop_oneof![
                any::<String>(),
                "[<>&;/\"'= a!?-]{0,12}",
                Just("<mark name=\"x\"/>".to_string()),
                Just("<![CDATA[".to_string()),
            ], 0..12)
        ) {
            let parsed = MarkedText::parse(&parts.concat());
            let mut last = 0;
            for mark in &parsed.marks {
                prop_assert!(mark.byte >= last && parsed.text.is_char_boundary(mark.byte as usize));
                last = mark.byte;
            }
        }
    }
}
