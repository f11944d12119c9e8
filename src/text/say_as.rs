//! What a text is said to be, written out: `say-as` of SSML.
//!
//! The result is text that the normaliser reads as wanted; letters come with their phones, so that `a` is no article.

use super::date;
use super::fold::fold_word;
use super::number::{cardinal, one_by_one, ordinal};
use super::reader::Spoken;
use super::roman;
use super::year::year;
use crate::phoneme::{letter_name, show_phones};

/// The names of what makes no sound as a part of a text.
const NAMES: &[(char, &str)] = &[
    (' ', "space"),
    ('\n', "new line"),
    ('\t', "tab"),
    ('!', "exclamation mark"),
    ('"', "quotation mark"),
    ('#', "number sign"),
    ('$', "dollar"),
    ('%', "percent"),
    ('&', "ampersand"),
    ('\'', "apostrophe"),
    ('(', "left parenthesis"),
    (')', "right parenthesis"),
    ('*', "asterisk"),
    ('+', "plus"),
    (',', "comma"),
    ('-', "hyphen"),
    ('.', "dot"),
    ('/', "slash"),
    (':', "colon"),
    (';', "semicolon"),
    ('<', "less than"),
    ('=', "equals"),
    ('>', "greater than"),
    ('?', "question mark"),
    ('@', "at"),
    ('[', "left bracket"),
    ('\\', "backslash"),
    (']', "right bracket"),
    ('^', "caret"),
    ('_', "underscore"),
    ('`', "backquote"),
    ('{', "left brace"),
    ('|', "vertical bar"),
    ('}', "right brace"),
    ('~', "tilde"),
    ('…', "ellipsis"),
    ('–', "dash"),
    ('—', "long dash"),
];

/// The name of a punctuation mark, symbol or blank, if it has one.
pub(crate) fn mark_name(mark: char) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == mark).map(|(_, name)| *name)
}

/// Text to be spoken in place of `content`, which is what `interpret_as` says, in the order of `format` if it is a date;
/// `None` if that kind is not known. What is not what it is said to be is read as usual.
pub(crate) fn say_as(content: &str, interpret_as: &str, format: &str) -> Option<String> {
    let content = content.trim();
    let said = match interpret_as {
        "characters" | "spell-out" | "verbatim" => Some(characters(content)),
        "digits" => Some(digits(content)),
        "cardinal" | "number" => number(content),
        "ordinal" => place(content),
        "date" => date_of(content, format),
        "time" => time(content),
        "telephone" => Some(telephone(content)),
        "address" | "currency" | "fraction" | "unit" | "name" => None,
        _ => return None,
    };
    Some(said.unwrap_or_else(|| content.to_owned()))
}

/// Letters, digits and signs by name, with a little time between words.
fn characters(content: &str) -> String {
    let mut said = String::new();
    for c in content.chars() {
        if !said.is_empty() {
            said.push(' ');
        }
        match mark_name(c) {
            _ if c.is_whitespace() => said.push(','),
            Some(name) => said.push_str(name),
            None => match letters(&fold_word(c.encode_utf8(&mut [0; 4]))) {
                Some(letters) => said.push_str(&letters),
                None => said.push(c),
            },
        }
    }
    said
}

/// The names of letters, with their phones; `None` if there are other characters, or none.
fn letters(word: &str) -> Option<String> {
    let named = |letter: char| {
        let phones = letter_name(letter);
        (!phones.is_empty()).then(|| format!("{{{letter}|{}}}", show_phones(&phones)))
    };
    let named: Vec<String> = word.chars().map(named).collect::<Option<_>>()?;
    (!named.is_empty()).then(|| named.join(" "))
}

fn written(write: impl FnOnce(&mut Spoken)) -> String {
    let mut spoken = Spoken::default();
    write(&mut spoken);
    spoken.text()
}

/// One by one; a gap between groups is heard.
fn digits(content: &str) -> String {
    let mut said = Vec::new();
    for group in content.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|group| !group.is_empty()) {
        let parts: Vec<String> = group.split('.').map(|part| written(|out| one_by_one(part, out))).collect();
        said.push(parts.join(" point ").trim().to_owned());
    }
    said.join(", ")
}

/// `-1,234.5`
fn number(content: &str) -> Option<String> {
    let (sign, size) = match content.strip_prefix(['-', '\u{2212}']) {
        Some(size) => ("minus ", size),
        None => ("", content.strip_prefix('+').unwrap_or(content)),
    };
    let (whole, fraction) = size.split_once('.').map_or((size, None), |(whole, rest)| (whole, Some(rest)));
    let whole: String = whole.chars().filter(|c| !matches!(c, ',' | '_' | ' ' | '\'')).collect();
    let whole = roman::value(&whole).map_or(whole, |value| value.to_string());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(&whole) || !fraction.is_none_or(is_number) {
        return None;
    }
    let said = written(|out| {
        cardinal(&whole, out);
        if let Some(fraction) = fraction {
            out.words("point");
            one_by_one(fraction, out);
        }
    });
    Some(format!("{sign}{said}"))
}

/// `3`, `3rd`, `III`
fn place(content: &str) -> Option<String> {
    let digits: String = match roman::value(content) {
        Some(value) => value.to_string(),
        None => content.chars().filter(|&c| c != ',').collect(),
    };
    let digits = digits.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| written(|out| ordinal(digits, out)))
}

/// By `format`: `mdy`, `dmy`, `ymd`, `md`, `dm`, `ym`, `my`, `d`, `m`, `y`. Without it, as a text is read.
fn date_of(content: &str, format: &str) -> Option<String> {
    let parts: Vec<&str> =
        content.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    if parts.len() != format.len() || parts.is_empty() {
        return None;
    }
    let of = |wanted: char| format.chars().position(|field| field == wanted).map(|at| parts[at]);
    let month = match of('m') {
        Some(month) => Some(date::month_name(month)?),
        None => None,
    };
    let number = |text: &str, most: u32| {
        let text = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        text.parse().ok().filter(|value| (1..=most).contains(value)).map(|value: u32| value.to_string())
    };
    let day = match of('d') {
        Some(day) => Some(number(day, 31)?),
        None => None,
    };
    let year_digits = match of('y') {
        Some(year) => Some(number(year, 9999)?),
        None => None,
    };
    Some(written(|out| {
        month.iter().for_each(|month| out.words(month));
        day.iter().for_each(|day| ordinal(day, out));
        year_digits.iter().for_each(|digits| year(digits, out));
    }))
}

/// `1'21"` is a length; everything else is read as usual.
fn time(content: &str) -> Option<String> {
    let (minutes, seconds) = content.strip_suffix('"')?.split_once('\'')?;
    let counted = |count: u32, unit: &str| {
        let ending = if count == 1 { "" } else { "s" };
        format!("{} {unit}{ending}", written(|out| cardinal(&count.to_string(), out)))
    };
    let (minutes, seconds) = (minutes.parse().ok()?, seconds.parse().ok()?);
    Some(format!("{} and {}", counted(minutes, "minute"), counted(seconds, "second")))
}

/// Digits one by one, groups apart.
fn telephone(content: &str) -> String {
    let mut said: Vec<String> = Vec::new();
    let is_break = |c: char| !c.is_alphanumeric() && c != '+' && c != '*' && c != '#';
    for group in content.split(is_break).filter(|group| !group.is_empty()) {
        let mut parts: Vec<String> = Vec::new();
        if matches!(group.to_ascii_lowercase().as_str(), "x" | "ext" | "extension") {
            said.push("extension".into());
            continue;
        }
        for part in group.split_inclusive(|_: char| true) {
            parts.push(match part {
                "+" => "plus".into(),
                "*" => "star".into(),
                "#" => "pound".into(),
                digit if digit.bytes().all(|byte| byte.is_ascii_digit()) => {
                    written(|out| one_by_one(digit, out))
                }
                letter => letters(&fold_word(letter)).unwrap_or_default(),
            });
        }
        said.push(parts.join(" "));
    }
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normalise;

    #[test]
    fn each_kind_is_read_as_it_says() {
        for (content, interpret_as, format, expected) in [
            ("Ab3-É", "characters", "", "a b three hyphen e"),
            ("a b", "spell-out", "", "a , b"),
            ("120.5 07", "digits", "", "one two zero point five , zero seven"),
            ("1234", "cardinal", "", "one thousand two hundred thirty four"),
            ("-1,000.25", "number", "", "minus one thousand point two five"),
            ("XIV", "cardinal", "", "fourteen"),
            ("3", "ordinal", "", "third"),
            ("21st", "ordinal", "", "twenty first"),
            ("VIII", "ordinal", "", "eighth"),
            ("3/4/2024", "date", "mdy", "march fourth twenty twenty four"),
            ("3/4/2024", "date", "dmy", "april third twenty twenty four"),
            ("2005-11", "date", "ym", "november two thousand five"),
            ("1999", "date", "y", "nineteen ninety nine"),
            ("14 Sept. 1960", "date", "dmy", "september fourteenth nineteen sixty"),
            ("1'21\"", "time", "", "one minute and twenty one seconds"),
            ("2:30pm", "time", "hms12", "two thirty p m"),
            ("+1 (555) 01-23", "telephone", "", "plus one , five five five , zero one , two three"),
            ("555 ext. 7", "telephone", "", "five five five , extension , seven"),
            ("$3.50", "currency", "", "three dollars and fifty cents"),
            // Not what it is said to be.
            ("many", "cardinal", "", "many"),
            ("45/3", "date", "md", "forty five over three"),
        ] {
            let said = say_as(content, interpret_as, format).unwrap();
            assert_eq!(normalise(&said).show(&said), expected, "{content} as {interpret_as}: {said}");
        }
        assert_eq!(say_as("x", "expletive", ""), None);
    }
}
