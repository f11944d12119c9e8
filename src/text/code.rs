//! Letters and digits in one: `A4`, `MP3`, `F-16`, `COVID-19`, `H2O`, `A320`, `3D`.

use super::number::{below_hundred, cardinal, one_by_one, pluralise_last};
use super::reader::{Reader, Spoken, is_capitals};
use super::scan::is_apostrophe;
use super::{acronym, word};

/// A number that is a name: `7` seven, `16` sixteen, `101` one oh one, `320` three twenty, `1204` twelve oh four.
pub(super) fn digits(digits: &str, out: &mut Spoken) {
    let pair = |digits: &str| digits.parse::<usize>().unwrap_or(0);
    if digits.len() > 4 || (digits.len() > 1 && digits.starts_with('0')) {
        return one_by_one(digits, out);
    }
    if digits.len() < 3 || digits.ends_with("000") {
        return cardinal(digits, out);
    }
    let (head, tail) = digits.split_at(digits.len() - 2);
    below_hundred(pair(head), out);
    match pair(tail) {
        0 => out.words("hundred"),
        unit @ 1..=9 => {
            out.words("oh");
            below_hundred(unit, out);
        }
        tail => below_hundred(tail, out),
    }
}

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let letters = reader.word(0)?;
    // `F-16`, `COVID-19`; but `pages-5`, `May-5` are words and numbers.
    let hyphen = reader.mark(1) == Some('-') && (is_capitals(letters) || letters.chars().count() == 1);
    let at = 1 + isize::from(hyphen);
    let number = reader.number(at)?;
    acronym::speak(reader, letters, out);
    // `B2.5`: the number is one of its own.
    if reader.mark(at + 1) == Some('.') && reader.number(at + 2).is_some() {
        return usize::try_from(at).ok();
    }
    digits(number, out);
    let mut end = at + 1;
    if reader.word(end) == Some("s") {
        pluralise_last(out);
        end += 1;
    } else if reader.mark(end).is_some_and(is_apostrophe) && reader.word(end + 1) == Some("s") {
        if let Some(last) = out.last() {
            last.push_str("'s");
        }
        end += 2;
    }
    usize::try_from(end).ok()
}

/// A single letter next to digits (`3D`, `H2O`) or a hyphen (`T-shirt`, `e-mail`): its name.
pub(super) fn is_label(reader: &Reader<'_>, letter: &str) -> bool {
    let touches_digits = reader.number(-1).is_some() || reader.number(1).is_some();
    let before_hyphen =
        reader.mark(1) == Some('-') && reader.word(2).is_some() && reader.mark(-1) != Some('-');
    touches_digits || (before_hyphen && !word::is_article(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_as_names() {
        for (text, words) in [
            ("4", "four"),
            ("16", "sixteen"),
            ("07", "zero seven"),
            ("101", "one oh one"),
            ("100", "one hundred"),
            ("320", "three twenty"),
            ("747", "seven forty seven"),
            ("1204", "twelve oh four"),
            ("1200", "twelve hundred"),
            ("2000", "two thousand"),
            ("9876", "ninety eight seventy six"),
            ("12345", "one two three four five"),
        ] {
            let mut out = Spoken::default();
            digits(text, &mut out);
            assert_eq!(out.text(), words, "{text}");
        }
    }
}
