//! Numbers as words, for the sentences that the corpus generates; the run-time normaliser is `text`'s business.

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SMALL_ORDINALS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

/// `1234` → `one thousand two hundred thirty four`.
pub(super) fn cardinal(n: u32) -> String {
    match n {
        0..20 => SMALL[n as usize].to_owned(),
        20..100 => joined(TENS[n as usize / 10], n % 10),
        100..1000 => joined(&format!("{} hundred", SMALL[n as usize / 100]), n % 100),
        1000..1_000_000 => joined(&format!("{} thousand", cardinal(n / 1000)), n % 1000),
        _ => joined(&format!("{} million", cardinal(n / 1_000_000)), n % 1_000_000),
    }
}

fn joined(head: &str, rest: u32) -> String {
    if rest == 0 { head.to_owned() } else { format!("{head} {}", cardinal(rest)) }
}

/// `21` → `twenty first`, for 0 to 99 (days, floors, places).
pub(super) fn ordinal(n: u32) -> String {
    match (n / 10, n % 10) {
        _ if n < 20 => SMALL_ORDINALS[n as usize].to_owned(),
        (tens, 0) => format!("{}ieth", TENS[tens as usize % 10].trim_end_matches('y')),
        (tens, ones) => format!("{} {}", TENS[tens as usize % 10], SMALL_ORDINALS[ones as usize]),
    }
}

/// `1984` → `nineteen eighty four`, `2005` → `two thousand five`, `1900` → `nineteen hundred`.
pub(super) fn year(n: u32) -> String {
    let (century, rest) = (n / 100, n % 100);
    match rest {
        _ if (2000..2010).contains(&n) => cardinal(n),
        0 => format!("{} hundred", cardinal(century)),
        1..10 => format!("{} oh {}", cardinal(century), cardinal(rest)),
        _ => format!("{} {}", cardinal(century), cardinal(rest)),
    }
}

/// Digits one by one: `407` → `four zero seven`.
pub(super) fn digits(text: &str) -> String {
    let names: Vec<_> = text.chars().filter_map(|c| c.to_digit(10)).map(|d| SMALL[d as usize]).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_read_them() {
        assert_eq!(cardinal(0), "zero");
        assert_eq!(cardinal(40), "forty");
        assert_eq!(cardinal(1234), "one thousand two hundred thirty four");
        assert_eq!(cardinal(100_000), "one hundred thousand");
        assert_eq!(cardinal(2_000_017), "two million seventeen");
        assert_eq!(ordinal(12), "twelfth");
        assert_eq!(ordinal(20), "twentieth");
        assert_eq!(ordinal(31), "thirty first");
        assert_eq!(year(1984), "nineteen eighty four");
        assert_eq!(year(1905), "nineteen oh five");
        assert_eq!(year(2005), "two thousand five");
        assert_eq!(year(2026), "twenty twenty six");
        assert_eq!(digits("407"), "four zero seven");
    }
}
