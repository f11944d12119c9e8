//! Times of day: `3:05 pm`, `12:00`, `7am`, `10 o'clock`, `15:30:10`; and ratios, `16:9`.

use super::number::{below_hundred, cardinal};
use super::reader::{Reader, Spoken};
use super::scan::is_apostrophe;

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let first = reader.number(0).filter(|_| reader.is_start())?;
    let end = match reader.mark(1) {
        Some(':') => read_clock(reader, first, out).or_else(|| {
            out.clear();
            read_ratio(reader, first, out)
        })?,
        Some('.') | None => read_hour(reader, first, out)?,
        Some(_) => return None,
    };
    // `9am-5pm`, `12:30–1:30`: the later time is read by itself.
    let range = matches!(reader.mark(end), Some('-' | '\u{2013}')) && reader.number(end + 1).is_some();
    if range {
        out.words("to");
    }
    let end = end + isize::from(range);
    usize::try_from(end).ok()
}

/// `3:05`, `3:05:20`, with or without `pm`.
fn read_clock(reader: &Reader<'_>, hours: &str, out: &mut Spoken) -> Option<isize> {
    let minutes = reader.number(2).filter(|minutes| minutes.len() == 2)?;
    let (hour, minute) = (below(24, hours)?, below(60, minutes)?);
    let mut end = 3;
    let seconds = (reader.mark(3) == Some(':')).then(|| reader.number(4)).flatten();
    let seconds = seconds.filter(|seconds| seconds.len() == 2).and_then(|seconds| below(60, seconds));
    if seconds.is_some() {
        end = 5;
    }
    let half = half_of_day(reader, end);
    below_hundred(hour, out);
    match (minute, half.is_some(), hour) {
        (0, true, _) => {}
        (0, false, 1..=12) if seconds.is_none() => out.words("o'clock"),
        (0, false, _) => out.words("hundred"),
        (1..=9, ..) => {
            out.words("oh");
            below_hundred(minute, out);
        }
        _ => below_hundred(minute, out),
    }
    if let Some(seconds) = seconds {
        out.words("and");
        below_hundred(seconds, out);
        out.words(if seconds == 1 { "second" } else { "seconds" });
    }
    Some(read_half(half, end, out))
}

/// `7 am`, `7pm`, `10 o'clock`.
fn read_hour(reader: &Reader<'_>, hours: &str, out: &mut Spoken) -> Option<isize> {
    let hour = below(13, hours)?;
    let word = reader.skip_space(1);
    let o_clock = reader.word(word).is_some_and(|word| {
        let mut letters = word.to_lowercase().replace(|c| is_apostrophe(c), "'");
        letters.retain(|c| c != '\'');
        letters == "oclock"
    });
    if o_clock {
        below_hundred(hour, out);
        out.words("o'clock");
        return Some(word + 1);
    }
    let half = half_of_day(reader, 1)?;
    below_hundred(hour, out);
    Some(read_half(Some(half), 1, out))
}

/// `16:9`: sixteen to nine.
fn read_ratio(reader: &Reader<'_>, first: &str, out: &mut Spoken) -> Option<isize> {
    let second = reader.number(2).filter(|second| second.len() <= 4 && first.len() <= 4)?;
    if reader.mark(3) == Some(':') || reader.word(3).is_some() {
        return None;
    }
    cardinal(first, out);
    out.words("to");
    cardinal(second, out);
    Some(3)
}

fn below(limit: usize, digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|value| *value < limit && digits.len() <= 2)
}

/// `am`, `PM`, `a.m.` behind the time: its first letter, and where it ends.
fn half_of_day(reader: &Reader<'_>, end: isize) -> Option<(char, isize)> {
    let at = reader.skip_space(end);
    let word = reader.word(at)?;
    match word.to_ascii_lowercase().as_str() {
        "am" => Some(('a', at + 1)),
        "pm" => Some(('p', at + 1)),
        half @ ("a" | "p") => {
            let m = reader.mark(at + 1) == Some('.')
                && reader.word(at + 2).is_some_and(|m| m.eq_ignore_ascii_case("m"));
            if !m {
                return None;
            }
            // The last dot may also end the sentence: then it is left to punctuation.
            let dot = reader.mark(at + 3) == Some('.');
            let ends_sentence =
                reader.is_end(at + 4) || (reader.is_gap(at + 4) && reader.is_sentence_start(at + 5));
            let first = if half == "a" { 'a' } else { 'p' };
            Some((first, if dot && !ends_sentence { at + 4 } else { at + 3 }))
        }
        _ => None,
    }
}

fn read_half(half: Option<(char, isize)>, end: isize, out: &mut Spoken) -> isize {
    let Some((first, half_end)) = half else { return end };
    out.letters(if first == 'a' { "am" } else { "pm" });
    half_end
}
