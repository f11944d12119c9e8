//! Sums of money with a sign: `¥3.50`, `$100万`.

use super::super::number::Numeral;
use super::super::reader::{Reader, Spoken};
use super::character;
use super::number::numeral;

const CURRENCIES: &[(char, &str)] = &[
    ('¥', "元"),
    ('￥', "元"),
    ('$', "美元"),
    ('＄', "美元"),
    ('€', "欧元"),
    ('£', "英镑"),
    ('₩', "韩元"),
    ('₽', "卢布"),
];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let mark = reader.mark(0)?;
    let (_, currency) = CURRENCIES.iter().find(|(sign, _)| *sign == mark)?;
    let mut amount = Numeral::at(reader, 1)?;
    // ¥3.50 is 三点五元, and ¥3.00 三元.
    amount.fraction =
        amount.fraction.map(|cents| cents.trim_end_matches('0')).filter(|cents| !cents.is_empty());
    out.characters(&numeral(&amount));
    let mut end = 1 + amount.pieces;
    while let Some(magnitude) = character(reader, end).filter(|c| matches!(c, '百' | '千' | '万' | '亿'))
    {
        out.characters(magnitude.encode_utf8(&mut [0; 4]));
        end += 1;
    }
    out.characters(currency);
    usize::try_from(end).ok()
}
