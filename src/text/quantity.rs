//! Numbers with what stands around them: sign, ordinal ending, percent, unit, magnitude, version.

use super::number::{Numeral, cardinal, one_by_one, ordinal, pluralise_last};
use super::reader::{Reader, Spoken, is_capitalised};
use super::scan::is_apostrophe;
use super::{code, unit, year};

/// Letters right behind a number that multiply it.
const MAGNITUDES: &[(&str, &str)] = &[
    ("k", "thousand"),
    ("K", "thousand"),
    ("M", "million"),
    ("B", "billion"),
    ("bn", "billion"),
    ("T", "trillion"),
];
/// Lines of a picture.
const LINES: &[&str] = &["240", "360", "480", "720", "1080", "1440", "2160"];
/// Those of the largest numbers that computers print.
const MAX_EXPONENT_DIGITS: usize = 3;
/// `5k`, `10k` and `4K` are names; from here on `k` is a thousand.
const SMALLEST_THOUSANDS: &str = "11";

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let sign = sign(reader);
    if sign.is_none() && reader.mark(0) == Some('.') && !reader.is_start() {
        return None;
    }
    let ahead = isize::from(sign.is_some());
    let numeral = Numeral::at(reader, ahead)?;
    out.words(sign.unwrap_or_default());
    let end = ahead + numeral.pieces;
    let used = read_version(reader, &numeral, end, out)
        .or_else(|| read_feet(reader, &numeral, end, out))
        .or_else(|| read_suffix(reader, &numeral, end, out))
        .or_else(|| read_unit(reader, &numeral, end, out))
        .unwrap_or_else(|| {
            if sign.is_none() && year::stands_here(reader, &numeral) {
                year::year(&numeral.whole, out);
            } else {
                numeral.read(out);
            }
            end
        });
    // `2024's best`
    let is_possessive = reader.mark(used).is_some_and(is_apostrophe) && reader.word(used + 1) == Some("s");
    if let Some(last) = out.last().filter(|_| is_possessive) {
        last.push_str("'s");
        return usize::try_from(used + 2).ok();
    }
    usize::try_from(used).ok()
}

/// A sign that belongs to the number behind it.
fn sign(reader: &Reader<'_>) -> Option<&'static str> {
    let free = reader.is_start() && !matches!(reader.mark(-1), Some(')' | '-'));
    match reader.mark(0)? {
        '-' | '\u{2212}' | '\u{2013}' if free && !reader.is_gap(1) => Some("minus"),
        '+' if free && !reader.is_gap(1) => Some("plus"),
        '±' if !reader.is_gap(1) => Some("plus or minus"),
        '~' | '≈' if !reader.is_gap(1) => Some("about"),
        _ => None,
    }
}

/// `1.2.3`, `192.168.0.1`.
fn read_version(reader: &Reader<'_>, numeral: &Numeral<'_>, end: isize, out: &mut Spoken) -> Option<isize> {
    let first = numeral.fraction.filter(|_| !numeral.grouped && !numeral.whole.is_empty())?;
    let mut parts = vec![numeral.whole.as_str(), first];
    let mut end = end;
    while reader.mark(end) == Some('.') && parts.len() < 4 {
        let Some(part) = reader.number(end + 1) else { break };
        parts.push(part);
        end += 2;
    }
    let separator = match parts.len() {
        3 => "point",
        4 => "dot",
        _ => return None,
    };
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.words(separator);
        }
        code::digits(part, out);
    }
    Some(end)
}

/// `6'2"`: six feet two inches; `a 6' fence`: without an article, the mark might as well close a quotation.
fn read_feet(reader: &Reader<'_>, feet: &Numeral<'_>, end: isize, out: &mut Spoken) -> Option<isize> {
    reader.mark(end).filter(|foot| matches!(foot, '\'' | '\u{2019}' | '\u{2032}'))?;
    if is_attribute(reader, end + 1) {
        feet.read(out);
        out.words("foot");
        return Some(end + 1);
    }
    let inches = reader.number(end + 1).filter(|inches| inches.len() <= 2)?;
    reader.mark(end + 2).filter(|inch| matches!(inch, '"' | '\u{201d}' | '\u{2033}'))?;
    feet.read(out);
    out.words(if feet.is_one() { "foot" } else { "feet" });
    cardinal(inches, out);
    out.words(if inches == "1" { "inch" } else { "inches" });
    Some(end + 3)
}

/// Letters right behind the digits: `3rd`, `50k`, `2x`, `3x4`.
fn read_suffix(reader: &Reader<'_>, numeral: &Numeral<'_>, end: isize, out: &mut Spoken) -> Option<isize> {
    let suffix = match reader.word(end) {
        // `3 x 5`
        None if reader.is_space(end) && reader.word(end + 1) == Some("x") && reader.is_space(end + 2) => {
            let other = Numeral::at(reader, end + 3)?;
            numeral.read(out);
            out.words("by");
            other.read(out);
            return Some(end + 3 + other.pieces);
        }
        word => word?,
    };
    if matches!(suffix.to_ascii_lowercase().as_str(), "st" | "nd" | "rd" | "th") && numeral.fraction.is_none()
    {
        ordinal(&numeral.whole, out);
        return Some(end + 1);
    }
    // `tens of 1,000s of people`
    if suffix == "s" && reader.is_space(end + 1) && reader.word(end + 2) == Some("of") {
        let mut said = Spoken::default();
        numeral.read(&mut said);
        pluralise_last(&mut said);
        let said = said.text();
        // One thousand, but thousands.
        out.words(said.strip_prefix("one ").unwrap_or(&said));
        return Some(end + 1);
    }
    if matches!(suffix, "e" | "E") {
        return read_exponent(reader, numeral, end + 1, out);
    }
    // `1080p`, `a 401k`
    let is_name = match suffix {
        "p" => LINES.contains(&numeral.whole.as_str()),
        "k" => numeral.whole == "401",
        _ => false,
    };
    if is_name {
        code::digits(&numeral.whole, out);
        out.letters(suffix);
        return Some(end + 1);
    }
    // `2x + 1`
    if suffix == "x" && reader.is_space(end + 1) && matches!(reader.mark(end + 2), Some('+' | '=')) {
        numeral.read(out);
        out.letters("x");
        return Some(end + 1);
    }
    if suffix == "x" || suffix == "X" {
        return Some(read_times(reader, numeral, end, out));
    }
    let (_, magnitude) = MAGNITUDES.iter().find(|(letters, _)| *letters == suffix)?;
    // `221B`, `12B` are numbers of houses and seats.
    if matches!(suffix, "B" | "T") && numeral.fraction.is_none() {
        return None;
    }
    if reader.number(end + 1).is_some() || reader.mark(end + 1) == Some('/') {
        return None;
    }
    numeral.read(out);
    let small = numeral.fraction.is_none()
        && (numeral.whole.len(), numeral.whole.as_str()) < (SMALLEST_THOUSANDS.len(), SMALLEST_THOUSANDS);
    if *magnitude == "thousand" && small {
        out.letters("k");
    } else {
        out.words(magnitude);
    }
    Some(end + 1)
}

/// `1.5e6`, `2E-3`: times ten to the sixth, to the minus three.
fn read_exponent(reader: &Reader<'_>, numeral: &Numeral<'_>, at: isize, out: &mut Spoken) -> Option<isize> {
    let is_negative = matches!(reader.mark(at), Some('-' | '\u{2212}'));
    let at = at + isize::from(is_negative || reader.mark(at) == Some('+'));
    let exponent = reader.number(at).filter(|digits| digits.len() <= MAX_EXPONENT_DIGITS)?;
    numeral.read(out);
    out.words("times ten to the");
    if is_negative {
        out.words("minus");
        cardinal(exponent, out);
    } else {
        ordinal(exponent, out);
    }
    Some(at + 1)
}

/// `2x`: two times; `3x4`, `1920x1080`: three by four, nineteen twenty by ten eighty.
fn read_times(reader: &Reader<'_>, numeral: &Numeral<'_>, end: isize, out: &mut Spoken) -> isize {
    let Some(height) = Numeral::at(reader, end + 1) else {
        numeral.read(out);
        out.words("times");
        return end + 1;
    };
    let pixels =
        [numeral, &height].iter().all(|side| side.fraction.is_none() && (3..=4).contains(&side.whole.len()));
    if pixels {
        code::digits(&numeral.whole, out);
        out.words("by");
        code::digits(&height.whole, out);
    } else {
        numeral.read(out);
        out.words("by");
        height.read(out);
    }
    end + 1 + height.pieces
}

fn read_unit(reader: &Reader<'_>, numeral: &Numeral<'_>, end: isize, out: &mut Spoken) -> Option<isize> {
    // `a 6-ft. man`, `a 5 km-long road`
    if reader.mark(end) == Some('-')
        && let Some(unit) = unit::at(reader, end + 1).filter(|_| reader.word(end + 1).is_some())
    {
        numeral.read(out);
        out.words(&unit.singular);
        return Some(end + 1 + unit.pieces);
    }
    // `a 45° angle`
    if reader.mark(end) == Some('°') && is_attribute(reader, end + 1) {
        numeral.read(out);
        out.words("degree");
        return Some(end + 1);
    }
    if let Some(amps_end) = read_amps(reader, end) {
        numeral.read(out);
        out.words(if numeral.is_one() { "amp" } else { "amps" });
        return Some(amps_end);
    }
    let unit = unit::at(reader, end)?;
    numeral.read(out);
    let is_singular = numeral.is_one() || is_attribute(reader, end + unit.pieces);
    out.words(if is_singular { &unit.singular } else { &unit.plural });
    Some(end + unit.pieces)
}

/// `230 V, 10A`: amps beside volts; by itself the letter is an article, or part of a name (`exit 12A`).
fn read_amps(reader: &Reader<'_>, end: isize) -> Option<isize> {
    let at = reader.skip_space(end);
    reader.word(at).filter(|&word| word == "A")?;
    let is_volts = |ahead: isize| matches!(reader.word(ahead), Some("V" | "kV" | "volts"));
    let is_beside = (at - 6..at).chain(at + 1..=at + 5).any(is_volts);
    is_beside.then_some(at + 1)
}

/// True if an article stands before the number, and behind it, after the space that ends it, a word: `a 9V battery`.
fn is_attribute(reader: &Reader<'_>, end: isize) -> bool {
    reader.word_before().is_some_and(|word| matches!(word, "a" | "A" | "an" | "An"))
        && reader.is_space(end)
        && reader.word(end + 1).is_some()
}

/// A number behind `No.`, `#`, `page`: never a year, digits of a code one by one.
pub(super) fn read_label(reader: &Reader<'_>, ahead: isize, out: &mut Spoken) -> Option<isize> {
    let digits = reader.number(ahead)?;
    match digits.len() {
        1..=4 => code::digits(digits, out),
        _ if Numeral::at(reader, ahead)?.grouped => return None,
        _ => one_by_one(digits, out),
    }
    Some(1)
}

/// True if the word behind the number names what is counted: `1500 people`, not `1500 Oak Street`.
pub(super) fn counts_things(reader: &Reader<'_>, ahead: isize) -> bool {
    const NOT_PLURAL: [&str; 12] =
        ["is", "was", "has", "as", "this", "its", "his", "us", "does", "always", "perhaps", "besides"];
    reader.is_space(ahead)
        && reader.word(ahead + 1).is_some_and(|word| {
            let plural = word.len() > 2 && word.ends_with('s') && !word.ends_with("ss");
            !is_capitalised(word)
                && (plural || word == "people" || word == "million")
                && !NOT_PLURAL.contains(&word)
        })
}
