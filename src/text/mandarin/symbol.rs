//! Signs with a name.

use super::super::reader::{Reader, Spoken};

/// Always said.
const NAMES: &[(char, &str)] = &[
    ('&', "和"),
    ('＆', "和"),
    ('%', "百分号"),
    ('=', "等于"),
    ('＝', "等于"),
    ('×', "乘"),
    ('÷', "除以"),
    ('±', "正负"),
    ('≤', "小于等于"),
    ('≥', "大于等于"),
    ('≠', "不等于"),
    ('≈', "约等于"),
    ('√', "根号"),
    ('∞', "无穷大"),
    ('°', "度"),
    ('℃', "摄氏度"),
    ('℉', "华氏度"),
    ('¥', "元"),
    ('￥', "元"),
    ('π', "派"),
];
/// Said between numbers.
const BETWEEN_NUMBERS: &[(char, &str)] =
    &[('+', "加"), ('＋', "加"), ('*', "乘"), ('<', "小于"), ('>', "大于"), ('/', "除以")];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let mark = reader.mark(0)?;
    let name =
        |table: &[(char, &'static str)]| table.iter().find(|(sign, _)| *sign == mark).map(|(_, name)| *name);
    let is_between = || {
        let before = if reader.is_space(-1) { -2 } else { -1 };
        reader.number(before).is_some() && reader.number(reader.skip_space(1)).is_some()
    };
    let name = name(NAMES).or_else(|| name(BETWEEN_NUMBERS).filter(|_| is_between()))?;
    out.characters(name);
    Some(1)
}
