//! Ranges: `3-5 km`, `1914–1918`, `10-20%`. The upper end is read by its own class.

use super::abbreviation::{calendar, end_with_dot};
use super::number::Numeral;
use super::reader::{Reader, Spoken};
use super::year;

const DASHES: &[char] = &['-', '\u{2013}', '\u{2012}', '\u{2014}'];
/// One of the two words before a score.
const BEFORE_SCORE: &[&str] = &[
    "beat", "beating", "defeated", "draw", "drew", "lead", "leading", "led", "lose", "lost", "score",
    "scored", "tied", "trailed", "trailing", "voted", "win", "winning", "won",
];
/// The word behind one.
const BEHIND_SCORE: &[&str] =
    &["decision", "defeat", "draw", "lead", "loss", "record", "tie", "victory", "vote", "win"];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let lower = Numeral::at(reader, 0).filter(|_| reader.is_start() && reader.mark(-1) != Some('-'))?;
    let dash = lower.pieces;
    if !reader.mark(dash).is_some_and(|mark| DASHES.contains(&mark)) {
        return None;
    }
    let upper = Numeral::at(reader, dash + 1)?;
    // `1-2-3` counts, `2-ply` is a word: neither is a range.
    let chain = matches!(reader.mark(dash + 1 + upper.pieces), Some('-' | '\u{2013}'))
        && reader.number(dash + 2 + upper.pieces).is_some();
    if chain {
        return None;
    }
    // `12:30-1:30` begins with a time, whose end reads the dash.
    if reader.mark(-1) == Some(':') {
        return None;
    }
    let is_side = |side: &Numeral<'_>| side.fraction.is_none() && !side.grouped && side.whole.len() <= 3;
    if is_side(&lower) && is_side(&upper) && is_score(reader, dash + 1 + upper.pieces) {
        lower.read(out);
        return usize::try_from(dash + 1).ok();
    }
    if year::is_year(&lower) {
        year::year(&lower.whole, out);
    } else {
        lower.read(out);
    }
    out.words("to");
    usize::try_from(dash + 1).ok()
}

/// True if the words around say that two numbers, which end there, are a score.
fn is_score(reader: &Reader<'_>, end: isize) -> bool {
    let is_in = |ahead: isize, list: &[&str]| {
        reader.word(ahead).is_some_and(|word| list.contains(&word.to_lowercase().as_str()))
    };
    // `won 6-4, 7-5`: behind others of its kind.
    let mut start = 0;
    while reader.is_space(start - 1)
        && reader.mark(start - 2) == Some(',')
        && reader.number(start - 3).is_some()
        && reader.mark(start - 4).is_some_and(|mark| DASHES.contains(&mark))
        && reader.number(start - 5).is_some()
    {
        start -= 5;
    }
    let before = reader.is_space(start - 1)
        && (is_in(start - 2, BEFORE_SCORE) || reader.is_space(start - 3) && is_in(start - 4, BEFORE_SCORE));
    before || reader.is_space(end) && is_in(end + 1, BEHIND_SCORE)
}

/// `Mon-Fri`, `Jan.-Mar.`
pub(super) fn read_calendar(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let from = calendar(reader.word(0).filter(|_| reader.is_start())?)?;
    let dash = 1 + isize::from(reader.mark(1) == Some('.'));
    reader.mark(dash).filter(|mark| DASHES.contains(mark))?;
    let to = calendar(reader.word(dash + 1)?)?;
    out.words(from);
    out.words("to");
    out.words(to);
    usize::try_from(end_with_dot(reader, dash + 2)).ok()
}
