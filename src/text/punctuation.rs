//! Punctuation becomes pauses; quotation marks and the like are silent.

use super::Pause;
use super::reader::{Reader, Spoken};
use super::scan::is_apostrophe;

/// Marks that always pause.
const PAUSES: &[(char, Pause)] = &[
    ('!', Pause::Exclamation),
    ('?', Pause::Question),
    (',', Pause::Comma),
    (';', Pause::Colon),
    (':', Pause::Colon),
    ('(', Pause::Colon),
    (')', Pause::Colon),
    ('[', Pause::Colon),
    (']', Pause::Colon),
    ('{', Pause::Colon),
    ('}', Pause::Colon),
    ('|', Pause::Colon),
    ('\u{2014}', Pause::Colon),
    ('\u{2015}', Pause::Colon),
    ('\u{2022}', Pause::Colon),
    ('\u{203c}', Pause::Exclamation),
    ('\u{203d}', Pause::Question),
    ('\u{2047}', Pause::Question),
    ('\u{2048}', Pause::Question),
    ('\u{2049}', Pause::Exclamation),
    ('、', Pause::Comma),
    ('。', Pause::Stop),
    ('，', Pause::Comma),
    ('！', Pause::Exclamation),
    ('？', Pause::Question),
    ('：', Pause::Colon),
    ('；', Pause::Colon),
    ('（', Pause::Colon),
    ('）', Pause::Colon),
    ('؟', Pause::Question),
];
/// Marks without a sound: quotation, emphasis, underlines, trademark signs.
const SILENT: &str = "\"'`*_~^<>/#+\u{2018}\u{2019}\u{201a}\u{201b}\u{201c}\u{201d}\u{201e}\u{2032}\u{2033}«»‹›《》〈〉「」『』¿¡´¨·†‡™®\u{2010}\u{2011}";

/// A hyphen inside a word is silent; a dash stands free, or is doubled.
const DASHES: &[char] = &['-', '\u{2013}', '\u{2012}', '\u{2212}'];

/// How strong a pause is: of several together the strongest is kept.
pub(super) fn strength(pause: Pause) -> u8 {
    match pause {
        Pause::Start => 0,
        Pause::Break => 1,
        Pause::Comma => 2,
        Pause::Colon => 3,
        Pause::Stop => 4,
        Pause::Exclamation => 5,
        Pause::Question => 6,
    }
}

/// True for marks that pause, or that do where they are not part of something else.
pub(super) fn may_pause(mark: char) -> bool {
    matches!(mark, '.' | '\u{2026}') || PAUSES.iter().any(|(c, _)| *c == mark)
}

/// The mark that a pause is shown as; none if its source is no punctuation.
pub(super) fn show(pause: Pause, source: &str) -> Option<&str> {
    let is_mark = |c: char| may_pause(c) || DASHES.contains(&c);
    let at = source.find(is_mark).filter(|_| !source.contains(char::is_alphanumeric))?;
    Some(match pause {
        Pause::Stop => ".",
        Pause::Question => "?",
        Pause::Exclamation => "!",
        Pause::Comma => ",",
        _ if source[at..].starts_with("..") => "...",
        _ => &source[at..at + source[at..].chars().next().map_or(0, char::len_utf8)],
    })
}

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let Some(mark) = reader.mark(0) else {
        // The end of a line that does not go on in the next.
        out.pause(Pause::Stop);
        return Some(1);
    };
    if let Some((_, pause)) = PAUSES.iter().find(|(c, _)| *c == mark) {
        out.pause(*pause);
        return Some(1);
    }
    match mark {
        '.' | '\u{2026}' => out.pause(full_stop(reader, mark)),
        mark if DASHES.contains(&mark) => {
            let doubled = reader.mark(1) == Some(mark) || reader.mark(-1) == Some(mark);
            let free = reader.is_gap(-1) && reader.is_gap(1);
            if doubled || free {
                out.pause(Pause::Colon);
            }
        }
        _ if is_apostrophe(mark) || SILENT.contains(mark) => {}
        _ => return None,
    }
    Some(1)
}

/// A stop; an ellipsis within a sentence is weaker.
fn full_stop(reader: &Reader<'_>, mark: char) -> Pause {
    let ellipsis = mark == '\u{2026}' || reader.mark(-1) == Some('.') || reader.mark(1) == Some('.');
    if !ellipsis {
        return if is_behind_item_number(reader) { Pause::Colon } else { Pause::Stop };
    }
    let mut next = 1;
    while next < 4 && (reader.mark(next) == Some('.') || reader.is_space(next)) {
        next += 1;
    }
    let goes_on = reader.word(next).is_some_and(|word| word.chars().next().is_some_and(char::is_lowercase));
    if goes_on { Pause::Colon } else { Pause::Stop }
}

/// `2. Tea`: the number of an item in a list is no sentence.
fn is_behind_item_number(reader: &Reader<'_>) -> bool {
    reader.number(-1).is_some_and(|digits| digits.len() <= 2) && reader.starts_line(-1) && reader.is_space(1)
}
