//! Roman numerals behind a name: `World War II`, `Chapter IV`, `Henry VIII`.

use super::acronym;
use super::number::{cardinal, ordinal};
use super::reader::{Reader, Spoken, is_capitalised};

/// Words before a numeral that is counted: world war *two*.
const COUNTED: &[&str] = &[
    "act", "appendix", "article", "book", "bowl", "chapter", "class", "division", "episode", "figure",
    "grade", "group", "level", "mark", "part", "phase", "round", "scene", "section", "season", "stage",
    "step", "table", "title", "tier", "type", "unit", "vol", "volume", "war",
];
/// Names before a numeral that is ordered: henry *the eighth*.
const NAMES: &[&str] = &[
    "alexander",
    "alfonso",
    "benedict",
    "catherine",
    "charles",
    "christian",
    "clement",
    "edward",
    "elizabeth",
    "ferdinand",
    "francis",
    "frederick",
    "george",
    "gregory",
    "gustav",
    "henry",
    "innocent",
    "ivan",
    "james",
    "john",
    "joseph",
    "leo",
    "leopold",
    "louis",
    "mary",
    "napoleon",
    "nicholas",
    "otto",
    "paul",
    "peter",
    "philip",
    "pius",
    "ramses",
    "richard",
    "urban",
    "william",
];
/// Behind any other name, only what is not also an abbreviation.
const UNMISTAKABLE: &[&str] =
    &["II", "III", "VI", "VII", "VIII", "IX", "XI", "XII", "XIII", "XIV", "XV", "XVI"];
/// Before the abbreviation that `IV` is, too: `The IV was changed`.
const DETERMINERS: &[&str] = &["a", "an", "her", "his", "my", "no", "our", "the", "their", "this", "your"];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let (raw, ending) = acronym::split_ending(reader.word(0)?);
    let value = value(raw).filter(|_| ending != "s")?;
    let before = reader.word_before()?;
    let lower = before.to_lowercase();
    let digits = value.to_string();
    if COUNTED.contains(&lower.as_str()) {
        // `the part I like`
        if raw == "I"
            && (!is_capitalised(before)
                || !reader.is_end(1) && reader.is_space(1) && reader.word(2).is_some())
            && lower != "war"
        {
            return None;
        }
        cardinal(&digits, out);
    } else if NAMES.contains(&lower.as_str()) && is_capitalised(before) && (raw != "I" || is_first(reader)) {
        out.words("the");
        ordinal(&digits, out);
    } else if is_capitalised(before)
        && (UNMISTAKABLE.contains(&raw) || raw == "IV" && !DETERMINERS.contains(&lower.as_str()))
    {
        cardinal(&digits, out);
    } else {
        return None;
    }
    if let Some(last) = out.last() {
        last.push_str(ending);
    }
    (!reader.is_shouted()).then_some(1)
}

/// `Queen Elizabeth I`, `Charles I was king`, `under William I.`: not the pronoun.
fn is_first(reader: &Reader<'_>) -> bool {
    let is_titled = reader
        .word(-4)
        .is_some_and(|title| matches!(title, "King" | "Queen" | "Pope" | "Emperor" | "Tsar" | "Prince"));
    let is_last = reader.is_end(1)
        || matches!(reader.mark(1), Some('.' | ',' | ';' | ':' | '!' | '?' | ')' | '\'' | '\u{2019}'));
    is_titled
        || is_last
        || (reader.is_space(1) && reader.word(2).is_some_and(|verb| matches!(verb, "was" | "of" | "is")))
}

/// The value of a numeral below 90 in its usual form.
pub(super) fn value(numeral: &str) -> Option<usize> {
    const TENS: [&str; 9] = ["", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX"];
    const UNITS: [&str; 10] = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"];
    if numeral.is_empty() || numeral.len() > 8 {
        return None;
    }
    // The longest head first: `XXX` before `XX`.
    let mut tens: Vec<(usize, &str)> = TENS.into_iter().enumerate().collect();
    tens.sort_by_key(|(_, head)| std::cmp::Reverse(head.len()));
    tens.into_iter().find_map(|(ten, head)| {
        let rest = numeral.strip_prefix(head)?;
        let unit = UNITS.iter().position(|unit| *unit == rest)?;
        Some(10 * ten + unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (numeral, expected) in
            [("I", 1), ("IV", 4), ("IX", 9), ("XIV", 14), ("XL", 40), ("XLII", 42), ("LXXXVIII", 88)]
        {
            assert_eq!(value(numeral), Some(expected), "{numeral}");
        }
        for wrong in ["", "IIII", "IL", "VX", "ABC", "iv", "MIX"] {
            assert_eq!(value(wrong), None, "{wrong}");
        }
    }
}
