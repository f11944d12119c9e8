//! Numbers with what stands around them: sign, percent, unit, range, telephone number.

use super::super::number::Numeral;
use super::super::reader::{Reader, Spoken};
use super::character;
use super::number::{cardinal, dialled, numeral};

/// Behind a number in Latin letters or signs. Longer ones first where one begins another.
const UNITS: &[(&str, &str)] = &[
    ("km/h", "公里每小时"),
    ("m/s", "米每秒"),
    ("km²", "平方公里"),
    ("m²", "平方米"),
    ("㎡", "平方米"),
    ("m³", "立方米"),
    ("km", "公里"),
    ("cm", "厘米"),
    ("mm", "毫米"),
    ("μm", "微米"),
    ("nm", "纳米"),
    ("kg", "公斤"),
    ("mg", "毫克"),
    ("ml", "毫升"),
    ("mL", "毫升"),
    ("kW", "千瓦"),
    ("kWh", "度"),
    ("GB", "吉字节"),
    ("MB", "兆字节"),
    ("KB", "千字节"),
    ("TB", "太字节"),
    ("GHz", "吉赫"),
    ("MHz", "兆赫"),
    ("kHz", "千赫"),
    ("Hz", "赫兹"),
    ("dB", "分贝"),
    ("min", "分钟"),
    ("m", "米"),
    ("g", "克"),
    ("t", "吨"),
    ("L", "升"),
    ("V", "伏"),
    ("W", "瓦"),
    ("A", "安"),
    ("h", "小时"),
    ("s", "秒"),
    ("℃", "摄氏度"),
    ("°C", "摄氏度"),
    ("℉", "华氏度"),
    ("°F", "华氏度"),
    ("°", "度"),
];
/// What is counted in pairs: before these, 2 is 两.
const MEASURES: &str = "个個只隻位条條张張本件天年周週次点點块塊斤米克吨升层層楼岁歲家间間台部辆輛名人口杯瓶碗盒包份双雙对\
    種种样樣座栋棟片首篇句页頁步分秒小公万萬亿億千届屆期批套组組遍趟场場支枝把根棵朵头頭匹排行列门門站元";
/// Longer runs of digits are numbers that somebody dials or types.
const MOST_COUNTED_DIGITS: usize = 8;
/// Telephone numbers that are too short to be known by their length.
const EMERGENCY: &[&str] = &["110", "112", "114", "119", "120", "122"];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let sign = reader.mark(0).filter(|mark| matches!(mark, '-' | '\u{2212}' | '+' | '±' | '~' | '～' | '≈'));
    let is_free = reader.word(-1).is_none_or(|word| !word.is_ascii()) && reader.number(-1).is_none();
    let ahead = isize::from(sign.filter(|_| is_free).is_some());
    let first = Numeral::at(reader, ahead)?;
    let end = ahead + first.pieces;
    let used = read_digits(reader, &first, ahead, out)
        .or_else(|| read_fraction(reader, &first, end, out))
        .unwrap_or_else(|| read_counted(reader, sign.filter(|_| ahead > 0), &first, end, out));
    usize::try_from(used).ok()
}

/// `13812345678`, `010-62345678`, `007`, `302室`, `CA1234`, `拨打110`, `1.2.3`.
fn read_digits(reader: &Reader<'_>, first: &Numeral<'_>, at: isize, out: &mut Spoken) -> Option<isize> {
    let digits = reader.number(at)?;
    if first.grouped {
        return None;
    }
    if first.fraction.is_some() {
        let mut end = at + first.pieces;
        if reader.mark(end) != Some('.') || reader.number(end + 1).is_none() {
            return None;
        }
        out.characters(&numeral(first));
        while let Some(part) = reader.number(end + 1).filter(|_| reader.mark(end) == Some('.')) {
            out.characters(&format!("点{}", cardinal(part)));
            end += 2;
        }
        return Some(end);
    }
    let is_dialled =
        digits.len() > MOST_COUNTED_DIGITS && character(reader, at + 1).is_none_or(|c| !MEASURES.contains(c));
    let is_called =
        EMERGENCY.contains(&digits) && matches!(character(reader, at - 1), Some('打' | '拨' | '撥'));
    let is_code = digits.len() > 1 && digits.starts_with('0');
    let is_room = digits.len() >= 3 && matches!(character(reader, at + 1), Some('室' | '房'));
    let follows_letters = digits.len() > 1 && reader.word(at - 1).is_some_and(|word| word.is_ascii());
    let continues =
        |end: isize| reader.number(end + 1).filter(|part| reader.mark(end) == Some('-') && part.len() >= 3);
    let is_area_code =
        (3..=4).contains(&digits.len()) && continues(at + 1).is_some_and(|part| part.len() >= 4);
    if !(is_dialled || is_called || is_code || is_room || follows_letters || is_area_code) {
        return None;
    }
    out.characters(&dialled(digits));
    let mut end = at + 1;
    while let Some(part) = continues(end) {
        out.pause(super::super::Pause::Comma);
        out.characters(&dialled(part));
        end += 2;
    }
    Some(end)
}

/// `1/2`: 二分之一.
fn read_fraction(reader: &Reader<'_>, first: &Numeral<'_>, end: isize, out: &mut Spoken) -> Option<isize> {
    let below = reader.number(end + 1).filter(|_| reader.mark(end) == Some('/'))?;
    let is_plain = first.fraction.is_none() && !first.grouped && first.whole.len() <= 3 && below.len() <= 3;
    if !is_plain || reader.mark(end + 2) == Some('/') {
        return None;
    }
    out.characters(&format!("{}分之{}", cardinal(below), cardinal(&first.whole)));
    Some(end + 2)
}

/// A number of something, or from one to another.
fn read_counted(
    reader: &Reader<'_>,
    sign: Option<char>,
    first: &Numeral<'_>,
    end: isize,
    out: &mut Spoken,
) -> isize {
    let joins = |mark: char| matches!(mark, '-' | '~' | '～' | '–' | '—');
    // 10%~20% has the sign twice.
    let first_end = if reader.mark(end + 1).is_some_and(joins) { ending(reader, end).2 } else { end };
    let second =
        reader.mark(first_end).filter(|&mark| joins(mark)).and_then(|_| Numeral::at(reader, first_end + 1));
    let last_end = second.as_ref().map_or(end, |second| first_end + 1 + second.pieces);
    let (share, unit, used) = ending(reader, last_end);
    out.characters(match sign {
        Some('-' | '\u{2212}') if unit.is_some_and(|unit| unit.ends_with("氏度")) => "零下",
        Some('-' | '\u{2212}') => "负",
        Some('+') => "正",
        Some('±') => "正负",
        Some(_) => "约",
        None => "",
    });
    let is_pair = |number: &Numeral<'_>, at: isize| {
        let is_two = number.fraction.is_none() && number.whole == "2";
        is_two && character(reader, -1) != Some('第') && counts_pairs(reader, unit, at)
    };
    let one = |number: &Numeral<'_>| {
        if is_pair(number, last_end) { "两".to_owned() } else { numeral(number) }
    };
    match &second {
        Some(second) => {
            out.characters(&format!("{share}{}到{share}{}", numeral(first), one(second)));
        }
        None => out.characters(&format!("{share}{}", one(first))),
    }
    out.characters(unit.unwrap_or_default());
    used
}

fn counts_pairs(reader: &Reader<'_>, unit: Option<&str>, at: isize) -> bool {
    let measure = unit.and_then(|unit| unit.chars().next()).or_else(|| character(reader, at));
    // 2月 is February, 2个月 are two months.
    measure.is_some_and(|c| MEASURES.contains(c))
}

/// What a number ends with: 百分之, which goes before it, or a unit; and where that ends.
fn ending(reader: &Reader<'_>, end: isize) -> (&'static str, Option<&'static str>, isize) {
    match reader.mark(end) {
        Some('%' | '％') => return ("百分之", None, end + 1),
        Some('‰') => return ("千分之", None, end + 1),
        _ => {}
    }
    let at = reader.skip_space(end);
    let rest = reader.rest(at);
    let found = UNITS.iter().find_map(|(written, said)| {
        if !reader.begins(rest, written) {
            return None;
        }
        let pieces = reader.pieces_in(at, written.len())?;
        Some((*said, at + pieces))
    });
    match found {
        Some((said, used)) => ("", Some(said), used),
        None => ("", None, end),
    }
}
