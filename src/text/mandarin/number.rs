//! Numbers in characters: `1234` 一千二百三十四, `3.14` 三点一四, one by one for years and telephones.

use super::super::number::Numeral;

const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];
/// Within a group of four.
const PLACES: [&str; 4] = ["", "十", "百", "千"];
/// Beyond this many digits nobody has names: one by one.
const MOST_DIGITS: usize = 16;

fn value(digit: char) -> usize {
    digit.to_digit(10).unwrap_or(0) as usize
}

/// `105`: 一百零五. Leading zeros count for nothing.
pub(super) fn cardinal(digits: &str) -> String {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return "零".to_owned();
    }
    if digits.len() > MOST_DIGITS {
        return one_by_one(digits);
    }
    let mut said = String::new();
    let (mut skipped, mut group_is_said) = (false, false);
    for (index, digit) in digits.chars().enumerate() {
        let place = digits.len() - 1 - index;
        let (group, within) = (place / 4, place % 4);
        let digit = value(digit);
        if digit == 0 {
            skipped = true;
        } else {
            if skipped {
                said.push('零');
            }
            skipped = false;
            let is_teen = digit == 1 && within == 1 && said.is_empty();
            // 两千, 两万, but 二十, 二百 and 十二万.
            let is_pair = digit == 2 && (within == 3 || (within == 0 && group > 0 && !group_is_said));
            if is_pair {
                said.push('两');
            } else if !is_teen {
                said.push(DIGITS[digit]);
            }
            said.push_str(PLACES[within]);
            group_is_said = true;
        }
        if within == 0 && group > 0 {
            if group % 2 == 1 && group_is_said {
                said.push('万');
            } else if group % 2 == 0 {
                said.push('亿');
            }
            (skipped, group_is_said) = (false, false);
        }
    }
    said
}

/// `2024`: 二零二四.
pub(super) fn one_by_one(digits: &str) -> String {
    digits.chars().map(|digit| DIGITS[value(digit)]).collect()
}

/// As telephone and room numbers are said: 一, which sounds like 七, is 幺.
pub(super) fn dialled(digits: &str) -> String {
    one_by_one(digits).replace('一', "幺")
}

/// With its decimals: `3.14`, 三点一四; `.5`, 零点五.
pub(super) fn numeral(numeral: &Numeral<'_>) -> String {
    let mut said = cardinal(&numeral.whole);
    if let Some(fraction) = numeral.fraction {
        said.push('点');
        said.push_str(&one_by_one(fraction));
    }
    said
}
