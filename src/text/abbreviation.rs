//! Abbreviations: titles, Latin, streets, months and days, initials, and letters with dots (`U.S.`).

use super::reader::{Reader, Spoken, is_capitalised, is_capitals};

/// When an abbreviation is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before a name, with or without a dot that never ends the sentence.
    Title,
    /// With its dot.
    Dot,
    /// With or without a dot.
    Always,
    /// Before a number, with or without a dot.
    Number,
    /// Behind a name, with or without a dot.
    BehindName,
}

use When::{Always, BehindName, Dot, Number, Title};

/// Lower case, without the dot. The first entry whose condition holds is taken.
const ABBREVIATIONS: &[(&str, &str, When)] = &[
    ("mr", "mister", Title),
    ("mr", "mister", Always),
    ("mrs", "missus", Title),
    ("mrs", "missus", Always),
    ("ms", "miz", Title),
    ("dr", "doctor", Title),
    ("dr", "drive", BehindName),
    ("dr", "doctor", Dot),
    ("prof", "professor", Title),
    ("st", "street", BehindName),
    ("st", "saint", Title),
    ("ste", "suite", Number),
    ("mt", "mount", Title),
    ("ft", "fort", Title),
    ("rev", "reverend", Title),
    ("hon", "honorable", Title),
    ("gen", "general", Title),
    ("col", "colonel", Title),
    ("maj", "major", Title),
    ("capt", "captain", Title),
    ("cmdr", "commander", Title),
    ("adm", "admiral", Title),
    ("lt", "lieutenant", Title),
    ("sgt", "sergeant", Title),
    ("cpl", "corporal", Title),
    ("pvt", "private", Title),
    ("gov", "governor", Title),
    ("sen", "senator", Title),
    ("rep", "representative", Title),
    ("pres", "president", Title),
    ("fr", "father", Title),
    ("jr", "junior", Always),
    ("sr", "senior", Dot),
    ("esq", "esquire", Dot),
    ("ave", "avenue", BehindName),
    ("blvd", "boulevard", Always),
    ("ctrl", "control", Always),
    ("rd", "road", BehindName),
    ("rd", "road", Dot),
    ("rte", "route", Number),
    ("div", "division", Dot),
    ("messrs", "messieurs", Title),
    ("viz", "namely", Dot),
    ("al", "al", Dot),
    ("ca", "circa", Number),
    ("c", "circa", Number),
    ("gov't", "government", Always),
    ("ln", "lane", BehindName),
    ("ct", "court", BehindName),
    ("pl", "place", BehindName),
    ("sq", "square", BehindName),
    ("pkwy", "parkway", Always),
    ("hwy", "highway", Always),
    ("apt", "apartment", Number),
    ("apt", "apartment", Dot),
    ("bldg", "building", Always),
    ("rm", "room", Number),
    ("no", "number", Number),
    ("nos", "numbers", Number),
    ("nr", "number", Number),
    ("vol", "volume", Number),
    ("vols", "volumes", Number),
    ("ch", "chapter", Number),
    ("sec", "section", Number),
    ("fig", "figure", Number),
    ("figs", "figures", Number),
    ("eq", "equation", Number),
    ("p", "page", Number),
    ("pp", "pages", Number),
    ("ed", "edition", Dot),
    ("ext", "extension", Number),
    ("tel", "telephone", Dot),
    ("etc", "et cetera", Always),
    ("vs", "versus", Always),
    ("cf", "compare", Dot),
    ("approx", "approximately", Always),
    ("est", "established", Dot),
    ("incl", "including", Dot),
    ("excl", "excluding", Dot),
    ("misc", "miscellaneous", Dot),
    ("max", "maximum", Dot),
    ("min", "minimum", Dot),
    ("avg", "average", Always),
    ("temp", "temperature", Dot),
    ("dept", "department", Always),
    ("govt", "government", Always),
    ("assn", "association", Dot),
    ("assoc", "associates", Dot),
    ("inc", "incorporated", Dot),
    ("inc", "incorporated", BehindName),
    ("corp", "corporation", Dot),
    ("co", "company", Dot),
    ("ltd", "limited", Always),
    ("bros", "brothers", Dot),
    ("univ", "university", Dot),
    ("inst", "institute", Dot),
    ("intl", "international", Always),
    ("natl", "national", Always),
    ("jan", "january", Dot),
    ("feb", "february", Dot),
    ("mar", "march", Dot),
    ("apr", "april", Dot),
    ("jun", "june", Dot),
    ("jul", "july", Dot),
    ("aug", "august", Dot),
    ("sep", "september", Dot),
    ("sept", "september", Dot),
    ("oct", "october", Dot),
    ("nov", "november", Dot),
    ("dec", "december", Dot),
    ("mon", "monday", Dot),
    ("tue", "tuesday", Dot),
    ("tues", "tuesday", Dot),
    ("wed", "wednesday", Dot),
    ("thu", "thursday", Dot),
    ("thurs", "thursday", Dot),
    ("fri", "friday", Dot),
    ("sat", "saturday", Dot),
    ("sun", "sunday", Dot),
];

/// Words or letters too: only with a dot.
const NEED_A_DOT: &[&str] = &["no", "c", "ca"];

/// With dots between the letters; the last dot may be missing.
const DOTTED: &[(&str, &str)] = &[
    ("e.g", "for example"),
    ("i.e", "that is"),
    ("a.k.a", "also known as"),
    ("n.b", "note"),
    ("w.r.t", "with respect to"),
    ("et.al", "et al"),
];
/// Without dots, letter by letter in whatever case.
const LETTERS: &[&str] = &["phd", "bsc", "msc", "tv", "tvs"];
/// Letters with dots are spelled up to this many.
const MAX_DOTTED: isize = 12;

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let raw = reader.word(0).filter(|_| reader.number(-1).is_none())?;
    let end = read_dotted(reader, out)
        .or_else(|| read_initial(reader, raw, out))
        .or_else(|| read_with(reader, raw, out))
        .or_else(|| read_listed(reader, raw, out))?;
    usize::try_from(end).ok()
}

/// The day or month of an abbreviation: `Mon`, `Sept`.
pub(super) fn calendar(short: &str) -> Option<&'static str> {
    let lower = short.to_lowercase();
    let first = ABBREVIATIONS.iter().position(|(name, ..)| *name == "jan")?;
    let found = ABBREVIATIONS[first..].iter().find(|(name, ..)| *name == lower)?;
    is_capitalised(short).then_some(found.1)
}

/// Where an abbreviation ends whose dot would be at `dot`: a dot that ends the sentence too is left to punctuation.
pub(super) fn end_with_dot(reader: &Reader<'_>, dot: isize) -> isize {
    if reader.mark(dot) != Some('.') {
        return dot;
    }
    let last = reader.is_end(dot + 1) || (reader.is_end(dot + 2) && reader.is_gap(dot + 1));
    let next_sentence = reader.is_space(dot + 1) && reader.is_sentence_start(dot + 2);
    if last || next_sentence { dot } else { dot + 1 }
}

/// `U.S.`, `e.g.`, `Ph.D.`, `J.R.R.`
fn read_dotted(reader: &Reader<'_>, out: &mut Spoken) -> Option<isize> {
    let mut letters = String::new();
    let mut at = 0;
    while let Some(part) = reader.word(at).filter(|part| part.is_ascii() && part.len() <= 2) {
        if !letters.is_empty() {
            letters.push('.');
        }
        letters.push_str(&part.to_ascii_lowercase());
        if reader.mark(at + 1) != Some('.') || reader.word(at + 2).is_none() || at >= 2 * MAX_DOTTED {
            break;
        }
        at += 2;
    }
    // The loop may stop before a longer word: `e.g.like`, `J.Smith`.
    let whole = reader.word(at).is_some_and(|part| part.is_ascii() && part.len() <= 2);
    if at == 0 || !whole {
        return None;
    }
    if let Some((_, words)) = DOTTED.iter().find(|(dotted, _)| *dotted == letters) {
        out.words(words);
        // `e.g.` never ends a sentence.
        return Some(at + 1 + isize::from(reader.mark(at + 1) == Some('.')));
    }
    let spelled = letters.split('.').all(|part| part.len() == 1) || letters == "ph.d";
    if !spelled {
        return None;
    }
    out.letters(&letters.replace('.', ""));
    Some(end_with_dot(reader, at + 1))
}

/// `John F. Kennedy`: one capital and a dot before a name.
fn read_initial(reader: &Reader<'_>, raw: &str, out: &mut Spoken) -> Option<isize> {
    let capital = raw.len() == 1 && is_capitalised(raw) && reader.mark(1) == Some('.');
    if !capital {
        return None;
    }
    let name =
        reader.is_space(2) && reader.word(3).is_some_and(is_capitalised) && !reader.is_sentence_start(3);
    let initial = reader.is_space(2)
        && reader.word(3).is_some_and(|word| word.len() == 1)
        && reader.mark(4) == Some('.');
    if !name && !initial {
        return None;
    }
    out.letters(&raw.to_ascii_lowercase());
    Some(2)
}

/// `w/`, `w/o`, `c/o`
fn read_with(reader: &Reader<'_>, raw: &str, out: &mut Spoken) -> Option<isize> {
    if reader.mark(1) != Some('/') || !reader.is_start() {
        return None;
    }
    match (raw, reader.word(2)) {
        ("w", Some("o")) => out.words("without"),
        ("c", Some("o")) => out.words("care of"),
        ("w", None) => {
            out.words("with");
            return Some(2);
        }
        _ => return None,
    }
    Some(3)
}

/// `no. AB-1234`, `fig. B2`; but `No. F-16s are faster.`
fn is_code(reader: &Reader<'_>, ahead: isize) -> bool {
    let number = ahead + 1 + isize::from(reader.mark(ahead + 1) == Some('-'));
    reader.word(ahead).is_some_and(is_capitals) && reader.number(number).is_some()
}

/// True behind `Baker` or `42nd`.
fn is_behind_name(reader: &Reader<'_>) -> bool {
    reader.word_before().is_some_and(|before| {
        is_capitalised(before) || (matches!(before, "st" | "nd" | "rd" | "th") && reader.number(-3).is_some())
    })
}

fn read_listed(reader: &Reader<'_>, raw: &str, out: &mut Spoken) -> Option<isize> {
    let short = raw.to_lowercase();
    if LETTERS.contains(&short.as_str()) && short.is_ascii() {
        let (letters, plural) = short.strip_suffix('s').map_or((short.as_str(), false), |base| (base, true));
        out.letters(letters);
        if let (Some(last), true) = (out.last(), plural) {
            last.push_str("'s");
        }
        return Some(1);
    }
    // Looks ahead only where it must: what follows may not have come yet.
    if !ABBREVIATIONS.iter().any(|(name, ..)| *name == short) {
        return None;
    }
    let dot = reader.mark(1) == Some('.');
    let next = if dot { reader.skip_space(2) } else { reader.skip_space(1) };
    let (_, words, when) = ABBREVIATIONS.iter().find(|(name, _, when)| {
        *name == short
            && match when {
                Title => {
                    is_capitalised(raw)
                        && reader.word(next).is_some_and(is_capitalised)
                        && next > 1 + isize::from(dot)
                }
                Dot => dot && reader.is_gap_or_mark(2),
                Always => true,
                Number => {
                    (reader.number(next).is_some() || dot && raw != "No" && is_code(reader, next))
                        && (dot || next > 1)
                        && (dot || !NEED_A_DOT.contains(&short.as_str()))
                }
                BehindName => is_capitalised(raw) && is_behind_name(reader),
            }
    })?;
    out.words(words);
    Some(match when {
        Title | Number => 1 + isize::from(dot),
        _ => end_with_dot(reader, 1),
    })
}
