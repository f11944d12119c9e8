//! Ranges: `3-5 km`, `1914–1918`, `10-20%`. The upper end is read by its own class.

use super::number::Numeral;
use super::reader::{Reader, Spoken};
use super::year;

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let lower = Numeral::at(reader, 0).filter(|_| reader.is_start() && reader.mark(-1) != Some('-'))?;
    let dash = lower.pieces;
    if !matches!(reader.mark(dash), Some('-' | '\u{2013}' | '\u{2012}' | '\u{2014}')) {
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
    if year::is_year(&lower) {
        year::year(&lower.whole, out);
    } else {
        lower.read(out);
    }
    out.words("to");
    usize::try_from(dash + 1).ok()
}
