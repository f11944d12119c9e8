//! Characters and keys by name.

use crate::daemon::ssml::{MarkedText, TextMark};
use crate::text::mark_name;

/// A character's name, as text to be spoken: a letter is written such that it is not taken for a word.
pub fn char_name(char: char, names_capitals: bool) -> String {
    if let Some(name) = mark_name(char) {
        return name.into();
    }
    if !char.is_alphabetic() {
        return char.into();
    }
    let letter: String = char.to_uppercase().collect();
    let capital = if names_capitals && char.is_uppercase() { "capital " } else { "" };
    // Alone, a capital `A` is an article; before a dot it is a letter.
    format!("{capital}{letter}.")
}

/// What `CHAR` is given: a character, or its name, such as `space`.
pub fn char_text(given: &str, names_capitals: bool) -> String {
    let mut chars = given.chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => char_name(char, names_capitals),
        _ => plain_words(given),
    }
}

/// What `KEY` is given: names joined by underscores, such as `control_shift_a`.
pub fn key_text(given: &str) -> String {
    let names: Vec<String> =
        given.split('_').filter(|name| !name.is_empty()).map(|name| char_text(name, false)).collect();
    if names.is_empty() { char_text(given, false) } else { names.join(" ") }
}

/// A name such as `double-quote`, as words.
pub fn plain_words(name: &str) -> String {
    name.replace(['-', '_'], " ")
}

/// A text spelled out; the marks stay before the characters that they stood before.
pub fn spelled(marked: &MarkedText, names_capitals: bool) -> MarkedText {
    let mut spelled = MarkedText::default();
    let mut marks = marked.marks.iter().peekable();
    for (byte, char) in marked.text.char_indices() {
        while let Some(mark) = marks.next_if(|mark| mark.byte <= byte as u64) {
            spelled.marks.push(TextMark { name: mark.name.clone(), byte: spelled.text.len() as u64 });
        }
        if char.is_whitespace() {
            // A little time between words.
            spelled.text.push_str("\n\n");
        } else {
            spelled.text.push_str(&char_name(char, names_capitals));
            spelled.text.push(' ');
        }
    }
    let end = spelled.text.len() as u64;
    spelled.marks.extend(marks.map(|mark| TextMark { name: mark.name.clone(), byte: end }));
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{TokenKind, normalise};

    #[test]
    fn letters_are_letters_and_all_of_ascii_is_said() {
        for char in ' '..='~' {
            let chunk = normalise(&char_name(char, false));
            assert!(chunk.speakable().is_ok(), "{char:?}");
            if char.is_ascii_alphabetic() {
                let letter = TokenKind::Letter(char.to_ascii_lowercase().into());
                assert_eq!(chunk.tokens[0].kind, letter, "{char:?}");
            }
        }
        assert_eq!(char_name('É', true), "capital É.");
    }

    #[test]
    fn keys_are_named_part_by_part() {
        assert_eq!(key_text("control_shift_a"), "control shift A.");
        assert_eq!(key_text("double-quote"), "double quote");
        assert_eq!((key_text("_"), char_text("space", false)), ("underscore".into(), "space".into()));
        assert_eq!(key_text(""), "");
    }

    #[test]
    fn spelling_keeps_marks_before_their_characters() {
        let mark = |name: &str, byte| TextMark { name: name.into(), byte };
        let text = MarkedText { text: "aB c".into(), marks: vec![mark("x", 1), mark("y", 3), mark("z", 4)] };
        let spelled = spelled(&text, true);
        assert_eq!(spelled.text, "A. capital B. \n\nC. ");
        assert_eq!(spelled.marks, [mark("x", 3), mark("y", 16), mark("z", 19)]);
    }
}
