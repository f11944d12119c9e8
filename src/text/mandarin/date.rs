//! Dates and times of day: `2024年`, `2024-05-06`, `10:30`.

use super::super::reader::{Reader, Spoken};
use super::character;
use super::number::{cardinal, one_by_one};

/// `2024年` and `98年`, of which the year is read digit by digit, and dates in figures alone.
pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let year = reader.number(0)?;
    if character(reader, 1) == Some('年') {
        let is_year = year.len() == 4 || (year.len() == 2 && year.starts_with(['0', '8', '9']));
        out.characters(&is_year.then(|| one_by_one(year))?);
        return Some(1);
    }
    let mark = reader.mark(1).filter(|mark| year.len() == 4 && matches!(mark, '-' | '/' | '.'))?;
    let part = |ahead: isize, most: u32| {
        let digits = reader.number(ahead).filter(|digits| digits.len() <= 2)?;
        digits.parse::<u32>().is_ok_and(|value| (1..=most).contains(&value)).then_some(digits)
    };
    let (month, day) = (part(2, 12)?, part(4, 31).filter(|_| reader.mark(3) == Some(mark))?);
    out.characters(&format!("{}年{}月{}日", one_by_one(year), cardinal(month), cardinal(day)));
    Some(5)
}

/// `10:30`, `2:05:09`; a full hour has no minutes.
pub(super) fn read_time(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let hour = reader.number(0).filter(|digits| digits.len() <= 2 && in_range(digits, 24))?;
    let sixtieth = |ahead: isize| {
        reader.mark(ahead).filter(|mark| matches!(mark, ':' | '：'))?;
        reader.number(ahead + 1).filter(|digits| digits.len() == 2 && in_range(digits, 59))
    };
    let minute = sixtieth(1)?;
    let second = sixtieth(3);
    let padded = |digits: &str| match digits.strip_prefix('0') {
        Some(digit) => format!("零{}", cardinal(digit)),
        None => cardinal(digits),
    };
    let hour = if hour.trim_start_matches('0') == "2" { "两".to_owned() } else { cardinal(hour) };
    out.characters(&format!("{hour}点"));
    if minute != "00" || second.is_some() {
        out.characters(&if minute == "00" { "零分".to_owned() } else { format!("{}分", padded(minute)) });
    }
    if let Some(second) = second {
        out.characters(&format!("{}秒", padded(second)));
        return Some(5);
    }
    Some(3)
}

fn in_range(digits: &str, most: u32) -> bool {
    digits.parse::<u32>().is_ok_and(|value| value <= most)
}
