//! Marked-up text as clients of speech daemons send it: the tags are taken out, the marks are kept.
//!
//! Of [SSML](https://www.w3.org/TR/speech-synthesis11/) it knows `mark`, `break`, `p`, `s` and `sub`; every other tag is
//! left out and what it encloses is spoken. What is no tag, such as `3 < 4`, is text: nothing is refused. Clients that ask
//! for SSML and want to know what is wrong with it have [`crate::markup`].

use crate::markup::{Markup, local};

/// Longest tag; what is longer is text. Bounds the search for its end.
const MOST_TAG_BYTES: usize = 4096;
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
            // What is no markup is text.
            let (markup, length) =
                Markup::read(rest, MOST_TAG_BYTES).unwrap_or((Markup::Char(first), first.len_utf8()));
            rest = &rest[length..];
            match markup {
                Markup::Text(text) if !is_replaced => parsed.text.push_str(text),
                Markup::Char(char) if !is_replaced => parsed.text.push(char),
                Markup::Text(_) | Markup::Char(_) | Markup::Nothing | Markup::Declaration => {}
                Markup::Tag(tag) => match (local(tag.name), tag.is_closing) {
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
