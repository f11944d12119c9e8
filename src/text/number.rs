//! Numbers as words: cardinals, ordinals, digit by digit; and numerals as they are written (`1,234.5`).

use super::reader::{Reader, Spoken};

const UNITS: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: &[&str] =
    &["", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// Names of the groups of three digits, from the right.
const GROUPS: &[&str] =
    &["", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion", "sextillion"];
/// Without group separators, more digits than this are an account, a serial number, a phone: read one by one.
const MAX_PLAIN_DIGITS: usize = 12;
/// Ordinals that are not cardinal + `th`.
const ORDINALS: &[(&str, &str)] = &[
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("five", "fifth"),
    ("eight", "eighth"),
    ("nine", "ninth"),
    ("twelve", "twelfth"),
];

/// `42`: forty two. Digits may have leading zeros. Beyond the table of names, digit by digit.
pub(super) fn cardinal(digits: &str, out: &mut Spoken) {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return out.words("zero");
    }
    if digits.len() > 3 * GROUPS.len() {
        return one_by_one(digits, out);
    }
    let count = digits.len().div_ceil(3);
    let mut rest = digits;
    for group in (0..count).rev() {
        let (head, tail) = rest.split_at(rest.len() - 3 * group);
        rest = tail;
        let value = head.bytes().fold(0, |value, b| value * 10 + usize::from(b - b'0'));
        if value > 0 {
            below_thousand(value, out);
            out.words(GROUPS[group]);
        }
    }
}

fn below_thousand(value: usize, out: &mut Spoken) {
    if value >= 100 {
        out.words(UNITS[value / 100]);
        out.words("hundred");
    }
    if !value.is_multiple_of(100) {
        below_hundred(value % 100, out);
    }
}

/// 0 to 99: `zero`, `ninety nine`.
pub(super) fn below_hundred(value: usize, out: &mut Spoken) {
    match (value / 10, value % 10) {
        (0 | 1, _) => out.words(UNITS[value]),
        (tens, 0) => out.words(TENS[tens]),
        (tens, unit) => {
            out.words(TENS[tens]);
            out.words(UNITS[unit]);
        }
    }
}

/// `21`: twenty first.
pub(super) fn ordinal(digits: &str, out: &mut Spoken) {
    cardinal(digits, out);
    let Some(last) = out.last() else { return };
    if let Some((_, irregular)) = ORDINALS.iter().find(|(cardinal, _)| cardinal == last) {
        *last = (*irregular).to_owned();
    } else if last.ends_with('y') {
        last.truncate(last.len() - 1);
        last.push_str("ieth");
    } else {
        last.push_str("th");
    }
}

/// `007`: zero zero seven.
pub(super) fn one_by_one(digits: &str, out: &mut Spoken) {
    for digit in digits.bytes().filter(u8::is_ascii_digit) {
        out.words(UNITS[usize::from(digit - b'0')]);
    }
}

/// The last word in the plural: `nineties`, `thousands`, `sixes`.
pub(super) fn pluralise_last(out: &mut Spoken) {
    let Some(last) = out.last() else { return };
    if last.ends_with('y') {
        last.truncate(last.len() - 1);
        last.push_str("ies");
    } else if last.ends_with('x') {
        last.push_str("es");
    } else {
        last.push('s');
    }
}

/// A number as written: `1,234.50`, `.5`, `1999`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numeral<'a> {
    /// Before the point, without separators; may be empty.
    pub whole: String,
    /// After the point.
    pub fraction: Option<&'a str>,
    /// True if written with separators, so a quantity for certain.
    pub grouped: bool,
    /// How many pieces it takes.
    pub pieces: isize,
}

impl<'a> Numeral<'a> {
    /// Reads a number `ahead` pieces from here.
    pub fn at(reader: &Reader<'a>, ahead: isize) -> Option<Self> {
        if reader.mark(ahead) == Some('.') && !reader.is_gap(ahead + 1) {
            let fraction = reader.number(ahead + 1)?;
            return Some(Self { whole: String::new(), fraction: Some(fraction), grouped: false, pieces: 2 });
        }
        let first = reader.number(ahead)?;
        let mut numeral = Self { whole: first.to_owned(), fraction: None, grouped: false, pieces: 1 };
        while first.len() <= 3 && reader.mark(ahead + numeral.pieces) == Some(',') {
            let Some(group) = reader.number(ahead + numeral.pieces + 1).filter(|group| group.len() == 3)
            else {
                break;
            };
            // `1,234,5678` and endless lists are not one number.
            if numeral.whole.len() > 3 * GROUPS.len() {
                break;
            }
            numeral.whole.push_str(group);
            numeral.grouped = true;
            numeral.pieces += 2;
        }
        if reader.mark(ahead + numeral.pieces) == Some('.') {
            numeral.fraction = reader.number(ahead + numeral.pieces + 1);
            numeral.pieces += if numeral.fraction.is_some() { 2 } else { 0 };
        }
        Some(numeral)
    }

    /// True for exactly `1`, which takes the singular.
    pub fn is_one(&self) -> bool {
        self.whole == "1" && self.fraction.is_none()
    }

    /// True if the digits are a code rather than a quantity: `007`, or too many.
    fn is_code(&self) -> bool {
        !self.grouped
            && (self.whole.len() > MAX_PLAIN_DIGITS || (self.whole.len() > 1 && self.whole.starts_with('0')))
    }

    /// As a quantity: one thousand two hundred thirty four point five.
    pub fn read(&self, out: &mut Spoken) {
        if self.is_code() {
            one_by_one(&self.whole, out);
        } else if !self.whole.is_empty() {
            cardinal(&self.whole, out);
        }
        if let Some(fraction) = self.fraction {
            out.words("point");
            one_by_one(fraction, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(&str, &mut Spoken), digits: &str) -> String {
        let mut out = Spoken::default();
        write(digits, &mut out);
        out.text()
    }

    #[test]
    fn cardinals() {
        for (digits, words) in [
            ("0", "zero"),
            ("000", "zero"),
            ("7", "seven"),
            ("10", "ten"),
            ("19", "nineteen"),
            ("20", "twenty"),
            ("42", "forty two"),
            ("100", "one hundred"),
            ("101", "one hundred one"),
            ("999", "nine hundred ninety nine"),
            ("1000", "one thousand"),
            ("1001", "one thousand one"),
            ("12345", "twelve thousand three hundred forty five"),
            ("1000000", "one million"),
            ("2000000010", "two billion ten"),
            ("1000000000000000000000", "one sextillion"),
            (
                "1234567890123456789012345",
                "one two three four five six seven eight nine zero one two three four five six seven eight nine zero one two three four five",
            ),
        ] {
            assert_eq!(written(cardinal, digits), words, "{digits}");
        }
    }

    #[test]
    fn ordinals() {
        for (digits, words) in [
            ("0", "zeroth"),
            ("1", "first"),
            ("2", "second"),
            ("3", "third"),
            ("4", "fourth"),
            ("5", "fifth"),
            ("8", "eighth"),
            ("9", "ninth"),
            ("11", "eleventh"),
            ("12", "twelfth"),
            ("20", "twentieth"),
            ("21", "twenty first"),
            ("100", "one hundredth"),
            ("1000", "one thousandth"),
            ("1000000", "one millionth"),
            ("112", "one hundred twelfth"),
        ] {
            assert_eq!(written(ordinal, digits), words, "{digits}");
        }
    }

    #[test]
    fn plurals() {
        for (digits, words) in [("90", "nineties"), ("6", "sixes"), ("2000", "two thousands"), ("10", "tens")]
        {
            let mut out = Spoken::default();
            cardinal(digits, &mut out);
            pluralise_last(&mut out);
            assert_eq!(out.text(), words);
        }
    }
}
