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

#[test]
fn figures_and_signs_are_written_out() {
    for (text, read) in [
        ("2024年5月6日", "二零二四年五月六日"),
        ("98年", "九八年"),
        ("10年", "十年"),
        ("2:00", "两点"),
        ("2:05:09", "两点零五分零九秒"),
        ("100%", "百分之一百"),
        ("10%~20%", "百分之十到百分之二十"),
        ("€1,234.50", "一千二百三十四点五欧元"),
        ("$3亿", "三亿美元"),
        ("007", "零零七"),
        ("302室", "三零二室"),
        ("CA1234", "ca幺二三四"),
        ("1.2.3", "一点二点三"),
        ("2万", "两万"),
        ("2月", "二月"),
        ("2个月", "两个月"),
        ("第2个", "第二个"),
        ("±5", "正负五"),
        ("5m²", "五平方米"),
        ("3×4=12", "三乘四等于十二"),
    ] {
        reads(text, read);
    }
}

#[test]
fn a_word_brings_its_own_phones() {
    reads("去{OK|OW1 K EY1}吧", "去ok吧");
}
