//! Postal addresses: `123 Main St.`, `N. Main St.`, `Austin, TX`, `Springfield, IL 62704`.

use super::code;
use super::number::one_by_one;
use super::reader::{Reader, Spoken, is_capitalised};

/// What a street's name ends with.
const STREETS: &[&str] = &[
    "alley",
    "ave",
    "avenue",
    "blvd",
    "boulevard",
    "court",
    "ct",
    "dr",
    "drive",
    "highway",
    "hwy",
    "lane",
    "ln",
    "parkway",
    "pkwy",
    "pl",
    "place",
    "rd",
    "road",
    "square",
    "st",
    "street",
    "terrace",
    "way",
];
const DIRECTIONS: &[(&str, &str)] = &[
    ("N", "north"),
    ("S", "south"),
    ("E", "east"),
    ("W", "west"),
    ("NE", "northeast"),
    ("NW", "northwest"),
    ("SE", "southeast"),
    ("SW", "southwest"),
];
/// States and territories, and whether their letters are a word too, so that only a ZIP code behind them makes them one.
/// Without a name it is called by its letters.
#[rustfmt::skip]
const STATES: &[(&str, &str, bool)] = &[
    ("AL", "alabama", true), ("AK", "alaska", false), ("AZ", "arizona", false), ("AR", "arkansas", true),
    ("CA", "california", false), ("CO", "colorado", true), ("CT", "connecticut", false), ("DC", "", false), ("DE", "delaware", true),
    ("FL", "florida", false), ("GA", "georgia", false), ("HI", "hawaii", true), ("ID", "idaho", true),
    ("IL", "illinois", false), ("IN", "indiana", true), ("IA", "iowa", false), ("KS", "kansas", false),
    ("KY", "kentucky", false), ("LA", "louisiana", true), ("ME", "maine", true), ("MD", "maryland", true),
    ("MA", "massachusetts", false), ("MI", "michigan", false), ("MN", "minnesota", false),
    ("MS", "mississippi", true), ("MO", "missouri", true), ("MT", "montana", false), ("NE", "nebraska", false),
    ("NV", "nevada", false), ("NH", "new hampshire", false), ("NJ", "new jersey", false),
    ("NM", "new mexico", false), ("NY", "new york", false), ("NC", "north carolina", false),
    ("ND", "north dakota", false), ("OH", "ohio", true), ("OK", "oklahoma", true), ("OR", "oregon", true),
    ("PA", "pennsylvania", true), ("RI", "rhode island", false), ("SC", "south carolina", false),
    ("SD", "south dakota", false), ("TN", "tennessee", false), ("TX", "texas", false), ("UT", "utah", false),
    ("VT", "vermont", false), ("VA", "virginia", false), ("WA", "washington", false),
    ("WV", "west virginia", false), ("WI", "wisconsin", false), ("WY", "wyoming", false),
];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    if !reader.is_start() {
        return None;
    }
    let end = match reader.number(0) {
        Some(number) => read_house(reader, number, out)?,
        None => read_state(reader, out).or_else(|| read_direction(reader, out))?,
    };
    usize::try_from(end).ok()
}

/// A street's name of one or two words there, with or without a direction before it.
fn is_street(reader: &Reader<'_>, ahead: isize) -> bool {
    let mut at = ahead;
    if reader.word(at).is_some_and(|word| DIRECTIONS.iter().any(|(short, _)| *short == word)) {
        at = reader.skip_space(at + 1 + isize::from(reader.mark(at + 1) == Some('.')));
    }
    for _ in 0..2 {
        // `45th` has a number before its letters.
        let is_ordinal = reader.number(at).is_some();
        let word_at = at + isize::from(is_ordinal);
        let Some(word) = reader.word(word_at) else { return false };
        if !is_ordinal && !is_capitalised(word) || !reader.is_space(word_at + 1) {
            return false;
        }
        at = word_at + 2;
        let is_end = |word: &str| is_capitalised(word) && STREETS.contains(&word.to_lowercase().as_str());
        if reader.word(at).is_some_and(is_end) {
            return true;
        }
    }
    false
}

/// `123 Main St.`, `221B Baker St.`
fn read_house(reader: &Reader<'_>, number: &str, out: &mut Spoken) -> Option<isize> {
    if !(3..=5).contains(&number.len()) || matches!(reader.mark(-1), Some('.' | ',' | '$')) {
        return None;
    }
    let letter = reader.word(1).filter(|letter| letter.len() == 1);
    let end = 1 + isize::from(letter.is_some());
    if !reader.is_space(end) || !is_street(reader, end + 1) {
        return None;
    }
    code::digits(number, out);
    out.letters(&letter.unwrap_or_default().to_ascii_lowercase());
    Some(end)
}

/// `Pennsylvania Ave. NW`
fn is_behind_street(reader: &Reader<'_>) -> bool {
    let at = if reader.mark(-2) == Some('.') { -3 } else { -2 };
    reader.is_space(-1)
        && reader.word(at).is_some_and(|word| {
            is_capitalised(word) && STREETS.contains(&word.to_lowercase().as_str()) && reader.is_space(at - 1)
        })
        && (reader.word(at - 2).is_some_and(is_capitalised) || reader.number(at - 3).is_some())
}

/// `N. Main St.`, `123 W. 45th St.`
fn read_direction(reader: &Reader<'_>, out: &mut Spoken) -> Option<isize> {
    let short = reader.word(0)?;
    let (_, name) = DIRECTIONS.iter().find(|(known, _)| *known == short)?;
    let end = 1 + isize::from(reader.mark(1) == Some('.'));
    let is_before_street = reader.is_space(end) && is_street(reader, end + 1);
    if !is_before_street && !is_behind_street(reader) {
        return None;
    }
    out.words(name);
    Some(end)
}

/// `, TX`, `, IL 62704`
fn read_state(reader: &Reader<'_>, out: &mut Spoken) -> Option<isize> {
    let short = reader.word(0)?;
    let (_, name, is_word) = STATES.iter().find(|(known, ..)| *known == short)?;
    let is_behind_city = reader.is_space(-1)
        && reader.mark(-2) == Some(',')
        && reader.word(-3).is_some_and(|city| is_capitalised(city) && city.len() > 2);
    if !is_behind_city {
        return None;
    }
    let zip = reader.is_space(1).then(|| reader.number(2)).flatten().filter(|zip| zip.len() == 5);
    if *is_word && zip.is_none() {
        return None;
    }
    if name.is_empty() {
        out.letters(&short.to_ascii_lowercase());
    } else {
        out.words(name);
    }
    let Some(zip) = zip else { return Some(1) };
    one_by_one(zip, out);
    Some(3)
}
