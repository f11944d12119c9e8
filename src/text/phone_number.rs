//! Telephone numbers and the like, digit by digit: `555-1234`, `(555) 123-4567`, `+1 555 123 4567`, `1-800-555-0199`.

use super::Pause;
use super::number::one_by_one;
use super::reader::{Reader, Spoken};

/// Lengths of the groups between `-` or `.` that make a telephone number or another code read digit by digit.
const PATTERNS: &[&[usize]] = &[&[3, 4], &[3, 3, 4], &[1, 3, 3, 4], &[3, 2, 4], &[4, 4, 4, 4], &[5, 4]];
/// With a leading `+`, at most this many groups and digits (E.164 has 15).
const MAX_GROUPS: usize = 6;
const MAX_DIGITS: usize = 15;

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    if !reader.is_start() {
        return None;
    }
    let (groups, end) = match reader.mark(0) {
        Some('+') => international(reader)?,
        Some('(') => area_code(reader)?,
        _ => plain(reader)?,
    };
    if reader.mark(0) == Some('+') {
        out.words("plus");
    }
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            out.pause(Pause::Comma);
        }
        one_by_one(group, out);
    }
    usize::try_from(end).ok()
}

/// True if the number ends there: no further digits or letters follow.
fn ends(reader: &Reader<'_>, end: isize) -> bool {
    let goes_on =
        matches!(reader.mark(end), Some('-' | '.' | ',' | '/' | ':')) && reader.number(end + 1).is_some();
    reader.word(end).is_none() && reader.number(end).is_none() && !goes_on
}

/// Groups between equal separators, by the table of patterns.
fn plain<'a>(reader: &Reader<'a>) -> Option<(Vec<&'a str>, isize)> {
    let mut groups = vec![reader.number(0)?];
    let separator = reader.mark(1).filter(|mark| matches!(mark, '-' | '.'))?;
    let mut end = 1;
    while groups.len() < MAX_GROUPS && reader.mark(end) == Some(separator) {
        let Some(group) = reader.number(end + 1) else { break };
        groups.push(group);
        end += 2;
    }
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    // `555.1234` is a decimal.
    let known = PATTERNS.contains(&lengths.as_slice()) && (separator == '-' || groups.len() > 2);
    (known && ends(reader, end)).then_some((groups, end))
}

/// `(555) 123-4567`
fn area_code<'a>(reader: &Reader<'a>) -> Option<(Vec<&'a str>, isize)> {
    let area = reader.number(1).filter(|area| area.len() == 3 && reader.mark(2) == Some(')'))?;
    let at = reader.skip_space(3);
    let (first, second) = (reader.number(at)?, reader.number(at + 2)?);
    let separated = reader.mark(at + 1) == Some('-') || reader.is_space(at + 1);
    let known = first.len() == 3 && second.len() == 4 && separated && ends(reader, at + 3);
    known.then(|| (vec![area, first, second], at + 3))
}

/// `+1 555 123 4567`, `+1 (555) 123-4567`
fn international<'a>(reader: &Reader<'a>) -> Option<(Vec<&'a str>, isize)> {
    let mut groups = vec![reader.number(1)?];
    let mut end = 2;
    while groups.len() < MAX_GROUPS {
        let mut at = end;
        while at < end + 3 && (reader.is_space(at) || matches!(reader.mark(at), Some('-' | '(' | ')' | '.')))
        {
            at += 1;
        }
        let Some(group) = reader.number(at).filter(|_| at > end) else { break };
        groups.push(group);
        end = at + 1;
    }
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    ((7..=MAX_DIGITS).contains(&digits) && ends(reader, end)).then_some((groups, end))
}
