//! Dates: `March 3rd, 2024`, `3 March 2024`, `Mar. 3`, `2024-05-06`, `12/25/2024`.

use super::number::ordinal;
use super::reader::{Reader, Spoken, is_capitalised};
use super::year::{is_year_digits, year};

/// Before a date without its year.
const DATED: &[&str] = &["after", "before", "dated", "due", "on", "since", "till", "until"];

const MONTHS: &[(&str, &str)] = &[
    ("jan", "january"),
    ("feb", "february"),
    ("mar", "march"),
    ("apr", "april"),
    ("may", "may"),
    ("jun", "june"),
    ("jul", "july"),
    ("aug", "august"),
    ("sep", "september"),
    ("oct", "october"),
    ("nov", "november"),
    ("dec", "december"),
];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    if !reader.is_start() {
        return None;
    }
    let end = match reader.number(0) {
        Some(first) => read_digits(reader, first, out).or_else(|| read_day_month(reader, first, out))?,
        None => read_month_day(reader, out)?,
    };
    usize::try_from(end).ok()
}

/// A month by its name, its beginning or its number: `Sept`, `09`.
pub(super) fn month_name(written: &str) -> Option<&'static str> {
    if let Ok(number) = written.parse::<usize>() {
        return MONTHS.get(number.checked_sub(1)?).map(|(_, name)| *name);
    }
    let written = written.to_lowercase();
    let is_it = |(short, name): &&(&str, &str)| written.starts_with(short) && (*name).starts_with(&written);
    MONTHS.iter().find(|month| is_it(month) || (written == "sept" && month.0 == "sep")).map(|(_, name)| *name)
}

/// The month there, as a name or abbreviation, and where it ends.
fn month(reader: &Reader<'_>, ahead: isize) -> Option<(&'static str, isize)> {
    let word = reader.word(ahead).filter(|word| is_capitalised(word))?.to_lowercase();
    if let Some((_, name)) = MONTHS.iter().find(|(_, name)| *name == word) {
        return Some((name, ahead + 1));
    }
    let (_, name) = MONTHS.iter().find(|(short, _)| *short == word || (word == "sept" && *short == "sep"))?;
    let dot = reader.mark(ahead + 1) == Some('.');
    Some((name, ahead + 1 + isize::from(dot)))
}

/// The day of the month there, `3`, `03` or `3rd`, and where it ends.
fn day<'a>(reader: &Reader<'a>, ahead: isize) -> Option<(&'a str, isize)> {
    let digits = reader.number(ahead).filter(|digits| digits.len() <= 2)?;
    let value: u32 = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
    debug_assert!(value <= 31);
    match reader.word(ahead + 1) {
        None => Some((digits, ahead + 1)),
        Some("st" | "nd" | "rd" | "th") => Some((digits, ahead + 2)),
        Some(_) => None,
    }
}

/// `March 3`, `Mar. 3rd`. A year behind it is left to the years, a comma to punctuation.
fn read_month_day(reader: &Reader<'_>, out: &mut Spoken) -> Option<isize> {
    let (name, end) = month(reader, 0)?;
    let at = reader.skip_space(end);
    let (digits, day_end) = day(reader, at).filter(|_| at > end)?;
    // `May 3.5`, `May 5:30`, `May 5%`
    let continues = match reader.mark(day_end) {
        Some('.' | ':' | ',') => reader.number(day_end + 1).is_some(),
        Some('%' | '/') => true,
        _ => false,
    };
    if continues {
        return None;
    }
    out.words(name);
    ordinal(digits, out);
    // `March 3-5`
    if matches!(reader.mark(day_end), Some('-' | '\u{2013}'))
        && let Some((last, end)) = day(reader, day_end + 1)
    {
        out.words("to");
        ordinal(last, out);
        return Some(end);
    }
    Some(day_end)
}

/// `3 March`, `3rd of March`: the third of march.
fn read_day_month(reader: &Reader<'_>, _first: &str, out: &mut Spoken) -> Option<isize> {
    let (digits, end) = day(reader, 0)?;
    let mut at = reader.skip_space(end);
    if reader.word(at) == Some("of") {
        at = reader.skip_space(at + 1);
    }
    let (name, month_end) = month(reader, at).filter(|_| at > end)?;
    // `3 May` is a date; `in 3 may` is not (lower case), nor is `the 2 March sisters`: too rare to tell.
    if !reader.word_before().is_some_and(|word| word.eq_ignore_ascii_case("the")) {
        out.words("the");
    }
    ordinal(digits, out);
    out.words("of");
    out.words(name);
    Some(month_end)
}

/// `on 12/3`, `due 4/15`: a date by the word before it.
fn read_without_year(reader: &Reader<'_>, month: &str, out: &mut Spoken) -> Option<isize> {
    let day = reader.number(2).filter(|_| reader.mark(1) == Some('/'))?;
    let is_dated = || reader.word_before().is_some_and(|word| DATED.contains(&word.to_lowercase().as_str()));
    let is_part = || reader.is_space(3) && reader.word(4) == Some("of");
    let is_day = (1..=31).contains(&value(day)) && day.len() <= 2 && month.len() <= 2;
    if !is_day || !is_dated() || is_part() || reader.word(3).is_some() {
        return None;
    }
    let (_, name) = MONTHS.get(value(month).checked_sub(1)?)?;
    out.words(name);
    ordinal(day, out);
    Some(3)
}

/// `2024-05-06`, `2024/05/06`, `12/25/2024`, `25.12.2024`.
fn read_digits(reader: &Reader<'_>, first: &str, out: &mut Spoken) -> Option<isize> {
    let separator = reader.mark(1).filter(|mark| matches!(mark, '-' | '/' | '.'))?;
    if reader.mark(3) != Some(separator) {
        return read_without_year(reader, first, out);
    }
    let (second, third) = (reader.number(2)?, reader.number(4)?);
    if reader.word(5).is_some_and(|word| word != "T")
        || reader.mark(5).is_some_and(|mark| mark == separator && !reader.is_gap(6))
    {
        return None;
    }
    let (year_digits, month, day) = if is_year_digits(first) && separator != '.' {
        (first, second, third)
    } else if is_year_digits(third) && (value(first) > 12 || separator == '.') {
        (third, second, first)
    } else if is_year_digits(third) || is_short(first, second, third) && separator == '/' {
        (third, first, second)
    } else {
        return None;
    };
    let name = MONTHS.get(value(month).checked_sub(1)?).map(|(_, name)| name)?;
    if !(1..=31).contains(&value(day)) || month.len() > 2 || day.len() > 2 {
        return None;
    }
    out.words(name);
    ordinal(day, out);
    match year_digits.strip_prefix('0').filter(|_| year_digits.len() == 2) {
        Some(last) => {
            out.words("oh");
            year(last, out);
        }
        None => year(year_digits, out),
    }
    Some(5)
}

/// `12/25/99`
fn is_short(first: &str, second: &str, third: &str) -> bool {
    first.len() <= 2 && second.len() <= 2 && third.len() == 2
}

fn value(digits: &str) -> usize {
    digits.parse().unwrap_or(usize::MAX)
}
