//! A word with its phones in braces: `{tomato|T AH0 M AA1 T OW2}`.
//!
//! What stands before the bar is what the word is called in marks and subtitles; it may be several words, of any script.
//! Braces whose second half is written like phones but has one that does not exist (`{word|W ER D}`: a vowel lacks its
//! stress) are reported, and the word is read as usual: nobody wants to hear `W ER D`. All other braces are
//! punctuation.

use super::UnspokenKind;
use super::fold::fold_word;
use super::reader::{Reader, Spoken};
use crate::phoneme::parse_phones;

/// Most pieces before the bar: some words.
const MAX_WORD_PIECES: isize = 16;
/// Most pieces between bar and brace: a phone with its stress and a space are three.
const MAX_PHONE_PIECES: isize = 200;

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    if reader.mark(0) != Some('{') {
        return None;
    }
    let bar = end_of_run(reader, (1, MAX_WORD_PIECES), '|', &['-', '.', '\'', '\u{2019}'])?;
    let brace = end_of_run(reader, (bar + 1, MAX_PHONE_PIECES), '}', &[])?;
    let word = between(reader, 1, bar).to_lowercase();
    let phones = between(reader, bar + 1, brace);
    if word.is_empty() {
        return None;
    }
    match parse_phones(phones) {
        Ok(phones) => out.phones(word, phones),
        Err(_) if phones.split_whitespace().all(looks_like_phone) && !phones.is_empty() => {
            out.omit(UnspokenKind::Phones);
            let readable = word.split(|c: char| !c.is_alphabetic() && c != '\'');
            readable.for_each(|word| out.words(&fold_word(word)));
        }
        Err(_) => return None,
    }
    usize::try_from(brace + 1).ok()
}

/// Where the mark is that ends a run of words, digits, spaces and these marks.
fn end_of_run(
    reader: &Reader<'_>,
    (from, most): (isize, isize),
    end: char,
    within: &[char],
) -> Option<isize> {
    let mut at = from;
    while at < from + most {
        match reader.mark(at) {
            Some(mark) if mark == end => return Some(at),
            Some(mark) if within.contains(&mark) => {}
            Some(_) => return None,
            None => {
                let goes_on = reader.word(at).is_some() || reader.number(at).is_some() || reader.is_space(at);
                if !goes_on {
                    return None;
                }
            }
        }
        at += 1;
    }
    None
}

/// The text of the pieces from `from` up to `to`.
fn between<'a>(reader: &Reader<'a>, from: isize, to: isize) -> &'a str {
    let (all, rest) = (reader.rest(from), reader.rest(to));
    all[..all.len() - rest.len()].trim()
}

/// One or two capitals, perhaps a digit.
fn looks_like_phone(name: &str) -> bool {
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = name.len() - letters.len();
    (1..=2).contains(&letters.len()) && letters.chars().all(|c| c.is_ascii_uppercase()) && digits <= 1
}

#[cfg(test)]
mod tests {
    use crate::phoneme::{Pronouncer, show_phones};
    use crate::text::{TokenKind, UnspokenKind, normalise};

    #[test]
    fn a_word_in_braces_has_the_phones_given() {
        let text = "Say {Tomato|T AH0 M AA1 T OW2}, please.";
        let chunk = normalise(text);
        assert_eq!(chunk.show(text), "say tomato , please .");
        let TokenKind::Phones { word, phones } = &chunk.tokens[1].kind else { panic!("{chunk:?}") };
        assert_eq!((word.as_str(), show_phones(phones).as_str()), ("tomato", "T AH0 M AA1 T OW2"));
        assert_eq!(&text[chunk.tokens[1].source.clone()], "{Tomato|T AH0 M AA1 T OW2}");
        let spoken = Pronouncer::new().pronounce(&chunk).unwrap().to_string();
        assert_eq!(spoken, "^ S EY1 T AH0 M AA1 T OW2 , P L IY1 Z .");
    }

    #[test]
    fn the_word_may_be_of_any_script_and_more_than_one() {
        for text in
            ["{東京|T OW1 K Y OW2}", "{New York|N UW0 Y AO1 R K}", "{C.-3|S IY1}", "{ nguyễn | W IH1 N }"]
        {
            let chunk = normalise(text);
            assert_eq!((chunk.tokens.len(), &chunk.unspoken[..]), (1, &[][..]), "{text}: {chunk:?}");
            assert!(matches!(chunk.tokens[0].kind, TokenKind::Phones { .. }), "{text}");
        }
    }

    #[test]
    fn phones_that_are_none_are_reported_and_the_word_is_read() {
        for text in ["the {word|W ER D}.", "the {word|XX1 B}.", "the {word|W ER3}."] {
            let chunk = normalise(text);
            assert_eq!(chunk.show(text), "the word .", "{text}");
            assert_eq!(chunk.unspoken.len(), 1);
            assert_eq!((chunk.unspoken[0].kind, chunk.unspoken[0].source.start), (UnspokenKind::Phones, 4));
        }
    }

    #[test]
    fn other_braces_are_punctuation() {
        for text in
            ["{a}", "{x|x is odd}", "{\"a\": 1}", "{|W ER1 D}", "{word|}", "{word|W ER1 D", "{word} |W}"]
        {
            let chunk = normalise(text);
            assert!(chunk.tokens.iter().all(|t| !matches!(t.kind, TokenKind::Phones { .. })), "{text}");
            assert!(chunk.unspoken.iter().all(|u| u.kind != UnspokenKind::Phones), "{text}");
        }
    }
}
