//! Numbers that name a thing: `Room 101`, `Boeing 747`, `error 404`, `P.O. Box 123`, `call 911`.

use super::code;
use super::number::one_by_one;
use super::reader::{Reader, Spoken, is_capitals};

/// Before a number of three or four digits that is read in pairs.
const IN_PAIRS: &[&str] = &[
    "airbus",
    "apt",
    "area",
    "boeing",
    "bus",
    "channel",
    "error",
    "exit",
    "ext",
    "extension",
    "flight",
    "gate",
    "gtx",
    "highway",
    "http",
    "hwy",
    "interstate",
    "rm",
    "room",
    "route",
    "rte",
    "rtx",
    "section",
    "status",
    "ste",
    "studio",
    "suite",
    "terminal",
    "train",
    "unit",
];
/// Before a number that is read digit by digit.
const BY_DIGIT: &[&str] = &["box", "code", "dial", "pin", "zip"];
/// Most letters between such a word and its number.
const MAX_CARRIER_LETTERS: usize = 3;
/// Emergency and service numbers, behind a verb of calling.
const SERVICES: &[&str] = &["112", "211", "311", "411", "511", "611", "711", "811", "911", "988", "999"];
const CALLING: &[&str] = &["call", "called", "calling", "phone", "phoned", "ring", "text", "texted"];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let digits = reader.number(0).filter(|digits| (3..=6).contains(&digits.len()) && reader.is_start())?;
    let is_abbreviated = reader.is_space(-1) && reader.mark(-2) == Some('.');
    let mut before = if is_abbreviated { reader.word(-3)? } else { reader.word_before()? };
    // `flight UA 237`
    if is_capitals(before) && before.len() <= MAX_CARRIER_LETTERS && reader.is_space(-3) {
        before = reader.word(-4).unwrap_or(before);
    }
    let before = before.to_lowercase();
    let is_one_of = |list: &[&str]| list.contains(&before.as_str());
    if !is_one_of(IN_PAIRS) && !is_one_of(BY_DIGIT) && !is_one_of(CALLING) {
        return None;
    }
    // `room 10,000`, `route 3.5`, `box 300 mm`: quantities.
    let goes_on = matches!(reader.mark(1), Some('.' | ',' | '/' | '-')) && reader.number(2).is_some();
    if goes_on || reader.word(1).is_some() {
        return None;
    }
    if is_one_of(BY_DIGIT) || (is_one_of(CALLING) && SERVICES.contains(&digits)) {
        one_by_one(digits, out);
    } else if is_one_of(IN_PAIRS) {
        code::digits(digits, out);
    } else {
        return None;
    }
    Some(1)
}
