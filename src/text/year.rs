//! Years and decades: `1999` is nineteen ninety nine, `1990s` nineteen nineties, `'90s` nineties.

use super::number::{Numeral, below_hundred, cardinal, pluralise_last};
use super::quantity::counts_things;
use super::reader::{Reader, Spoken};
use super::scan::is_apostrophe;

/// Words before a four-digit number that make it a year, whatever follows.
const BEFORE_YEAR: &[&str] = &[
    "in",
    "since",
    "by",
    "until",
    "till",
    "year",
    "circa",
    "during",
    "before",
    "after",
    "summer",
    "winter",
    "spring",
    "fall",
    "autumn",
    "early",
    "late",
    "mid",
    "copyright",
    "class",
    "from",
    "the",
];
/// Words before a two-digit decade: `the 80s`, but `a 30s wait`.
const BEFORE_DECADE: &[&str] = &["the", "early", "late", "mid", "his", "her", "their", "my", "your", "our"];

/// Four digits as a year: `1905` nineteen oh five, `2005` two thousand five, `2024` twenty twenty four.
pub(super) fn year(digits: &str, out: &mut Spoken) {
    let (Ok(value), 4) = (digits.parse::<usize>(), digits.len()) else { return cardinal(digits, out) };
    match (value / 100, value % 100) {
        (century, rest) if century % 10 == 0 && rest < 10 => cardinal(digits, out),
        (century, 0) => {
            below_hundred(century, out);
            out.words("hundred");
        }
        (century, rest) => {
            below_hundred(century, out);
            if rest < 10 {
                out.words("oh");
            }
            below_hundred(rest, out);
        }
    }
}

/// True if the number here reads as a year: four digits from 1100 to 2099 that do not count anything.
pub(super) fn stands_here(reader: &Reader<'_>, numeral: &Numeral<'_>) -> bool {
    if is_early_year(reader, numeral) {
        return true;
    }
    if !is_year(numeral) || reader.mark(-1) == Some('.') {
        return false;
    }
    let announced =
        reader.word_before().is_some_and(|word| BEFORE_YEAR.contains(&word.to_lowercase().as_str()));
    !counts_things(reader, numeral.pieces) || (announced && numeral.whole.as_str() >= "1900")
}

/// `in 1066`, `1066 AD`: before 1100 a word must say so.
fn is_early_year(reader: &Reader<'_>, numeral: &Numeral<'_>) -> bool {
    let end = numeral.pieces;
    let is_plain = numeral.fraction.is_none() && !numeral.grouped && numeral.whole.len() == 4;
    let is_named = || {
        reader.is_space(end)
            && reader.word(end + 1).is_some_and(|era| matches!(era, "AD" | "BC" | "CE" | "BCE"))
    };
    let is_announced = || {
        reader
            .word_before()
            .is_some_and(|word| matches!(word.to_lowercase().as_str(), "in" | "since" | "circa" | "year"))
            && !counts_things(reader, end)
    };
    is_plain && ("1000".."1100").contains(&numeral.whole.as_str()) && (is_named() || is_announced())
}

/// Four plain digits from 1100 to 2099.
pub(super) fn is_year(numeral: &Numeral<'_>) -> bool {
    numeral.fraction.is_none() && !numeral.grouped && is_year_digits(&numeral.whole)
}

/// Four digits from 1100 to 2099.
pub(super) fn is_year_digits(digits: &str) -> bool {
    digits.len() == 4 && ("1100".."2100").contains(&digits)
}

/// `1990s`, `1990's`, `'90s`, `the 80s`.
pub(super) fn read_decade(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let short = reader.mark(0).is_some_and(is_apostrophe) && reader.is_gap(-1);
    let at = isize::from(short);
    let digits = reader.number(at).filter(|_| reader.is_start() || short)?;
    let plural = if reader.mark(at + 1).is_some_and(is_apostrophe) { at + 2 } else { at + 1 };
    if reader.word(plural) != Some("s") {
        // `'99` alone is a year too.
        let alone =
            short && digits.len() == 2 && reader.word(at + 1).is_none() && reader.mark(at + 1) != Some('.');
        return alone.then(|| {
            if digits.starts_with('0') {
                out.words("oh");
            }
            below_hundred(digits.parse().unwrap_or(0), out);
            2
        });
    }
    let known = BEFORE_DECADE
        .iter()
        .any(|before| reader.word_before().is_some_and(|w| w.eq_ignore_ascii_case(before)));
    // `mid-80s`
    let hyphen = reader.mark(-1) == Some('-');
    match digits.len() {
        2 if digits.ends_with('0') && (short || known || hyphen) => cardinal(digits, out),
        4 if digits.ends_with('0') => year(digits, out),
        _ => return None,
    }
    pluralise_last(out);
    usize::try_from(plural + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years() {
        for (digits, words) in [
            ("1066", "ten sixty six"),
            ("1492", "fourteen ninety two"),
            ("1900", "nineteen hundred"),
            ("1905", "nineteen oh five"),
            ("1999", "nineteen ninety nine"),
            ("2000", "two thousand"),
            ("2005", "two thousand five"),
            ("2010", "twenty ten"),
            ("2024", "twenty twenty four"),
            ("2100", "twenty one hundred"),
        ] {
            let mut out = Spoken::default();
            year(digits, &mut out);
            assert_eq!(out.text(), words);
        }
    }
}
