//! Plain words, and the compounds written with a hyphen or with capitals inside.

use super::acronym;
use super::code;
use super::fold::fold_word;
use super::reader::{Reader, Spoken, is_capitalised, is_capitals};
use super::scan::is_apostrophe;
use crate::phoneme::Lexicon;

/// Words that begin with an apostrophe.
const CLIPPED: &[&str] = &["bout", "cause", "em", "n", "round", "til", "tis", "twas"];
/// Prefixes that join what follows the hyphen if the whole is a word: `re-entry`, `co-operate`, `pre-war`.
const PREFIXES: &[&str] = &[
    "anti", "auto", "bi", "co", "counter", "de", "hyper", "inter", "micro", "mid", "mis", "multi", "non",
    "over", "post", "pre", "re", "semi", "sub", "super", "ultra", "un",
];

/// Words of their own, which the hyphen tells apart: `co-op`, `re-sign`.
const NOT_JOINED: &[&str] = &[
    "coop",
    "recollect",
    "recount",
    "recover",
    "recreate",
    "recreation",
    "reform",
    "release",
    "remark",
    "represent",
    "resent",
    "reserve",
    "resign",
    "resort",
    "restrain",
];
/// What names of files end with: spelled.
const FILE_ENDINGS: &[&str] = &[
    "cfg", "csv", "doc", "docx", "exe", "html", "ini", "jpg", "js", "md", "mp", "pdf", "png", "ppt", "py",
    "rs", "rtf", "svg", "ts", "txt", "wav", "xls", "xlsx", "xml", "yml",
];

pub(super) fn is_article(letter: &str) -> bool {
    matches!(letter, "a" | "i")
}

/// Any word that is not of another class.
pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let raw = reader.word(0)?;
    let word = fold_word(raw);
    if reader.mark(-1).is_some_and(is_apostrophe) && CLIPPED.contains(&word.as_str()) {
        out.words(&format!("'{word}"));
        return Some(1);
    }
    if word.len() == 1 {
        if !is_article(&word)
            || code::is_label(reader, &word)
            || is_letter_a(reader, raw)
            || is_item(reader, raw)
        {
            out.letters(&word);
        } else {
            out.words(&word);
        }
        return Some(1);
    }
    let is_ending = || {
        let is_behind_dot =
            reader.mark(-1) == Some('.') && (reader.word(-2).is_some() || reader.number(-2).is_some());
        is_behind_dot && FILE_ENDINGS.contains(&raw)
    };
    if is_ending() {
        out.letters(&word);
        return Some(1);
    }
    if let Some(joined) = joined(reader, &word) {
        out.words(&joined);
        return Some(3);
    }
    if acronym::has_no_vowel(&word) && word.len() <= 5 {
        out.letters(&word);
    } else {
        out.words(&word);
    }
    Some(1)
}

/// `vitamin A`, `plan A`: behind a word, not in a title.
fn is_letter_a(reader: &Reader<'_>, raw: &str) -> bool {
    raw == "A"
        && reader.word_before().is_some_and(|before| {
            let in_title =
                is_capitalised(before) && reader.is_space(1) && reader.word(2).is_some_and(is_capitalised);
            !in_title
        })
        && !reader.is_shouted()
}

/// `(a)`, `a)`, `A:` name an item of a list or a speaker, and no article stands before a full stop.
fn is_item(reader: &Reader<'_>, raw: &str) -> bool {
    match reader.mark(1) {
        Some(')') => reader.mark(-1) == Some('(') || reader.starts_line(0),
        Some(':') => raw == "A",
        Some('.') => matches!(raw, "A" | "I"),
        _ => false,
    }
}

/// `re-entry` as one word, if the lexicon has it.
fn joined(reader: &Reader<'_>, prefix: &str) -> Option<String> {
    if reader.mark(1) != Some('-') || reader.mark(3) == Some('-') || !PREFIXES.contains(&prefix) {
        return None;
    }
    let joined = format!("{prefix}{}", fold_word(reader.word(2)?));
    (Lexicon::embedded().contains(&joined) && !NOT_JOINED.contains(&joined.as_str())).then_some(joined)
}

/// `GitHub`, `iPhone`, `JavaScript`: if it is not a word as a whole, its parts are.
pub(super) fn read_camel_case(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let raw = reader.word(0)?;
    // `iOS`, `tvOS`: systems of one maker, of which dictionaries know other words.
    let is_system = raw.ends_with("OS") && raw.starts_with(char::is_lowercase);
    let boundaries: Vec<usize> = raw
        .char_indices()
        .zip(raw.chars().skip(1))
        .filter(|((_, a), b)| a.is_lowercase() && b.is_uppercase())
        .map(|((at, a), _)| at + a.len_utf8())
        .collect();
    if boundaries.is_empty() || (!is_system && Lexicon::embedded().contains(&fold_word(raw))) {
        return None;
    }
    let mut start = 0;
    for end in boundaries.into_iter().chain([raw.len()]) {
        let part = &raw[start..end];
        if part.chars().count() == 1 || is_capitals(part) {
            acronym::speak(reader, part, out);
        } else {
            out.words(&fold_word(part));
        }
        start = end;
    }
    Some(1)
}
