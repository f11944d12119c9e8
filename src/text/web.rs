//! Web and mail addresses: `https://example.com/docs`, `info@example.org`, `docs.rs`.

use super::code;
use super::reader::{Reader, Spoken};
use crate::phoneme::Lexicon;

/// Longest address; longer ones are read as ordinary text.
const MAX_BYTES: usize = 256;
const SIGNS: &[(char, &str)] = &[
    ('.', "dot"),
    ('/', "slash"),
    ('-', "dash"),
    ('_', "underscore"),
    ('@', "at"),
    (':', "colon"),
    ('?', "question mark"),
    ('=', "equals"),
    ('&', "and"),
    ('#', "hash"),
    ('%', "percent"),
    ('+', "plus"),
    ('~', "tilde"),
];
/// Last parts of a host name that make `word.word` an address. Those that are not said are spelled.
const DOMAINS: &[(&str, bool)] = &[
    ("com", true),
    ("org", true),
    ("net", true),
    ("gov", true),
    ("info", true),
    ("dev", true),
    ("app", true),
    ("shop", true),
    ("online", true),
    ("blog", true),
    ("cloud", true),
    ("tech", true),
    ("site", true),
    ("store", true),
    ("edu", false),
    ("io", false),
    ("ai", false),
    ("co", true),
    ("uk", false),
    ("us", false),
    ("eu", false),
    ("de", false),
    ("fr", false),
    ("ca", false),
    ("au", false),
    ("jp", false),
    ("cn", false),
    ("ch", false),
    ("nl", false),
    ("tv", false),
    ("me", true),
    ("rs", false),
];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    reader.word(0).or(reader.number(0)).filter(|_| reader.is_start())?;
    let rest = reader.rest(0);
    let text = &rest[..rest.floor_char_boundary(MAX_BYTES + 1)];
    let ends = |c: char| c.is_whitespace() || !c.is_ascii() || "<>()[]{}\",;|\\^`*!'".contains(c);
    let end = text.find(ends).unwrap_or(text.len());
    if end == rest.len() {
        reader.reach_end();
    }
    let address = text[..end].trim_end_matches(['.', ':', '?', '-', '/']);
    if address.len() > MAX_BYTES {
        return None;
    }
    let bare = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let host = bare.unwrap_or(address).split(['/', '?', '#']).next()?;
    if bare.is_none() && !is_mail(address) && !is_host(host) {
        return None;
    }
    let domain_end = address.len() - bare.map_or(address.len(), str::len) + host.len();
    let pieces = reader.pieces_in(0, address.len())?;
    speak(bare.unwrap_or(address), domain_end - (address.len() - bare.unwrap_or(address).len()), out);
    usize::try_from(pieces).ok()
}

fn is_mail(address: &str) -> bool {
    let Some((user, host)) = address.split_once('@') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    !user.is_empty() && user.chars().all(plain) && host.contains('.') && host.chars().all(plain)
}

fn is_host(host: &str) -> bool {
    let Some((name, last)) = host.rsplit_once('.') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let known = DOMAINS.iter().any(|(domain, _)| *domain == last) || name.starts_with("www.");
    known && name.len() > 1 && name.chars().all(plain) && name.contains(|c: char| c.is_ascii_alphabetic())
}

/// Reads an address whose host ends at byte `host_end`.
fn speak(address: &str, host_end: usize, out: &mut Spoken) {
    let mut rest = address;
    while let Some(first) = rest.chars().next() {
        let same_kind = |c: char| {
            (first.is_ascii_alphabetic() && c.is_ascii_alphabetic())
                || (first.is_ascii_digit() && c.is_ascii_digit())
        };
        let len = if same_kind(first) {
            rest.find(|c| !same_kind(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (part, tail) = rest.split_at(len);
        let end = address.len() - tail.len();
        if first.is_ascii_digit() {
            code::digits(part, out);
        } else if first.is_ascii_alphabetic() {
            let behind_dot = address[..end - len].ends_with('.') && end <= host_end;
            speak_name(&part.to_ascii_lowercase(), behind_dot, out);
        } else if let Some((_, words)) = SIGNS.iter().find(|(sign, _)| *sign == first) {
            out.words(words);
        }
        rest = tail;
    }
}

/// A part of an address: a word if it is one or looks like one.
fn speak_name(name: &str, is_domain: bool, out: &mut Spoken) {
    let domain = DOMAINS.iter().find(|(domain, _)| is_domain && *domain == name);
    let word = match domain {
        Some((_, said)) => *said,
        None => {
            let known = name.len() > 1 && Lexicon::embedded().contains(name);
            known || (name.len() > 3 && name.bytes().any(|b| b"aeiouy".contains(&b)))
        }
    };
    if word { out.words(name) } else { out.letters(name) }
}
