//! Fractions: `1/2`, `3 1/4`, `½`, `2½`; and other strokes between numbers (`24/7`, `9/11`).

use super::number::{Numeral, cardinal, ordinal, pluralise_last};
use super::reader::{Reader, Spoken};
use super::unit;

const SIGNS: &[(char, &str, &str)] = &[
    ('½', "1", "2"),
    ('⅓', "1", "3"),
    ('⅔', "2", "3"),
    ('¼', "1", "4"),
    ('¾', "3", "4"),
    ('⅕', "1", "5"),
    ('⅖', "2", "5"),
    ('⅗', "3", "5"),
    ('⅘', "4", "5"),
    ('⅙', "1", "6"),
    ('⅚', "5", "6"),
    ('⅐', "1", "7"),
    ('⅛', "1", "8"),
    ('⅜', "3", "8"),
    ('⅝', "5", "8"),
    ('⅞', "7", "8"),
    ('⅑', "1", "9"),
    ('⅒', "1", "10"),
];
/// Denominators of everyday fractions.
const DENOMINATORS: &[&str] =
    &["2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "16", "20", "32", "64", "100", "1000"];
/// Pairs that are names: the stroke is silent.
const NAMES: &[(&str, &str)] = &[("24", "7"), ("9", "11"), ("50", "50")];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    if let Some((above, below)) = sign(reader, 0) {
        write(above, below, false, out);
        return usize::try_from(read_unit(reader, 1, false, out)).ok();
    }
    let whole = reader.number(0).filter(|_| reader.is_start() && reader.mark(-1) != Some('.'))?;
    if let Some((above, below)) = sign(reader, 1) {
        cardinal(whole, out);
        out.words("and");
        write(above, below, true, out);
        return usize::try_from(read_unit(reader, 2, true, out)).ok();
    }
    // `3 1/4`, `3-1/4`
    if (reader.is_space(1) || reader.mark(1) == Some('-'))
        && let Some((above, below, end)) = stroke(reader, 2)
        && is_fraction(above, below)
        && whole.len() <= 4
    {
        cardinal(whole, out);
        out.words("and");
        write(above, below, true, out);
        return usize::try_from(read_unit(reader, end, true, out)).ok();
    }
    let (above, below, end) = stroke(reader, 0)?;
    if is_fraction(above, below) {
        write(above, below, false, out);
        return usize::try_from(read_unit(reader, end, false, out)).ok();
    } else {
        cardinal(above, out);
        if !NAMES.contains(&(above, below)) {
            out.words("over");
        }
        cardinal(below, out);
    }
    usize::try_from(end).ok()
}

fn sign(reader: &Reader<'_>, ahead: isize) -> Option<(&'static str, &'static str)> {
    let mark = reader.mark(ahead)?;
    SIGNS.iter().find(|(sign, ..)| *sign == mark).map(|(_, above, below)| (*above, *below))
}

/// `3/4` and nothing more: above, below, and where it ends.
fn stroke<'a>(reader: &Reader<'a>, ahead: isize) -> Option<(&'a str, &'a str, isize)> {
    let above = reader.number(ahead)?;
    reader.mark(ahead + 1).filter(|mark| matches!(mark, '/' | '\u{2044}'))?;
    let below = reader.number(ahead + 2)?;
    let end = ahead + 3;
    let goes_on = matches!(reader.mark(end), Some('/' | '.' | ',')) && reader.number(end + 1).is_some();
    (!goes_on && Numeral::at(reader, ahead)?.pieces == 1).then_some((above, below, end))
}

/// The unit of a fraction: `½ km` half a kilometer, `2½ km` kilometers. Returns where it ends.
fn read_unit(reader: &Reader<'_>, end: isize, plural: bool, out: &mut Spoken) -> isize {
    let Some(unit) = unit::at(reader, end) else { return end };
    out.words(if plural { &unit.plural } else { &unit.singular });
    end + unit.pieces
}

fn is_fraction(above: &str, below: &str) -> bool {
    let less = (above.len(), above) < (below.len(), below);
    DENOMINATORS.contains(&below) && !above.starts_with('0') && (less || below == "2")
}

/// `one half`, `a half` (behind a whole number), `three quarters`, `two thirds`.
fn write(above: &str, below: &str, article: bool, out: &mut Spoken) {
    if above == "1" && article && matches!(below, "2" | "4") {
        out.words("a");
    } else {
        cardinal(above, out);
    }
    match (below, above) {
        ("2", "1") => out.words("half"),
        ("2", _) => out.words("halves"),
        ("4", "1") => out.words("quarter"),
        ("4", _) => out.words("quarters"),
        (_, "1") => ordinal(below, out),
        _ => {
            ordinal(below, out);
            pluralise_last(out);
        }
    }
}
