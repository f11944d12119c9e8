use super::super::{Language, normalise_in};

#[track_caller]
fn reads(text: &str, read: &str) {
    let chunk = normalise_in(Language::Mandarin, text);
    assert_eq!(chunk.words().collect::<String>(), read, "{text}");
}

#[test]
fn numbers_by_places() {
    for (digits, read) in [
        ("0", "零"),
        ("10", "十"),
        ("12", "十二"),
        ("20", "二十"),
        ("101", "一百零一"),
        ("110", "一百一十"),
        ("200", "二百"),
        ("1001", "一千零一"),
        ("1010", "一千零一十"),
        ("2000", "两千"),
        ("10000", "一万"),
        ("10001", "一万零一"),
        ("20000", "两万"),
        ("100000", "十万"),
        ("120000", "十二万"),
        ("1000100", "一百万零一百"),
        ("1001000", "一百万一千"),
        ("12345678", "一千二百三十四万五千六百七十八"),
    ] {
        assert_eq!(super::number::cardinal(digits), read, "{digits}");
    }
    assert_eq!(super::number::cardinal("100000000"), "一亿");
    assert_eq!(super::number::cardinal("1000000010000"), "一万亿零一万");
    assert_eq!(super::number::cardinal("12345678901234567"), "一二三四五六七八九零一二三四五六七");
}

#[test]
fn unknown_signs_are_reported() {
    let chunk = normalise_in(Language::Mandarin, "你好🪑мир");
    assert_eq!(chunk.unspoken.len(), 2);
    reads("《你好》，“世界”！", "你好世界");
}
