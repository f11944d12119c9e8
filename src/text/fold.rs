//! What a character is to the English front end; accented Latin letters lose their accents.

use super::UnspokenKind;
use super::emoji;

/// What a character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// One or more lower-case ASCII letters.
    Letters(&'static str),
    /// An ASCII digit.
    Digit,
    /// White space.
    Space,
    /// Without sound of its own, inside a word too: a soft hyphen, a joiner, a combining accent.
    Ignorable,
    /// Punctuation or a symbol.
    Mark,
    /// Cannot be read.
    Unspoken(UnspokenKind),
}

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz";

fn letter(index: usize) -> &'static str {
    &ALPHABET[index..index + 1]
}

pub(super) fn fold(c: char) -> Fold {
    match c {
        'a'..='z' | 'A'..='Z' => Fold::Letters(letter(c.to_ascii_lowercase() as usize - 'a' as usize)),
        '0'..='9' => Fold::Digit,
        '!'..='~' => Fold::Mark,
        c if c.is_whitespace() || c == '\u{2800}' => Fold::Space,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{1ab0}'..='\u{1aff}' => {
            Fold::Ignorable
        }
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => Fold::Ignorable,
        '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' => Fold::Ignorable,
        '\u{feff}' | '\u{e0000}'..='\u{e0fff}' => Fold::Ignorable,
        c if c.is_control() => Fold::Unspoken(UnspokenKind::Control),
        c if emoji::has_name(c) => Fold::Mark,
        c if emoji::is_skin_tone(c) => Fold::Ignorable,
        '\u{231a}'
        | '\u{231b}'
        | '\u{23e9}'..='\u{23fa}'
        | '\u{2600}'..='\u{27bf}'
        | '\u{2b50}'
        | '\u{2b55}' => Fold::Unspoken(UnspokenKind::Emoji),
        '\u{1f000}'..='\u{1fbff}' => Fold::Unspoken(UnspokenKind::Emoji),
        // Super- and subscript digits, fractions and Roman numerals count as numbers too, but have readings.
        'ª' | 'º' | '°' | 'µ' | '\u{2100}'..='\u{218f}' => Fold::Mark,
        c => match c.to_lowercase().next().and_then(unaccented) {
            Some(letters) => Fold::Letters(letters),
            None if c.is_alphabetic() || (c.is_numeric() && !is_sign(c)) => {
                Fold::Unspoken(UnspokenKind::Script)
            }
            None => Fold::Mark,
        },
    }
}

/// Numbers that are signs rather than a script's digits: ² ³ ¹ ¼ ½ ¾, superscripts, subscripts.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{b2}'..='\u{be}' | '\u{2070}'..='\u{209f}')
}

/// Adds the word's letters, lower case and without accents; apostrophes become `'`.
pub(super) fn fold_word(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for c in word.chars() {
        match fold(c) {
            Fold::Letters(letters) => folded.push_str(letters),
            Fold::Mark => folded.push('\''),
            _ => {}
        }
    }
    folded
}

/// The ASCII letters of a lower-case Latin letter with a diacritic, or of a ligature.
#[rustfmt::skip]
fn unaccented(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'ǎ' | 'ǟ' | 'ǡ' | 'ǻ' | 'ȁ' | 'ȃ' | 'ȧ' | 'ḁ' | 'ạ'
        | 'ả' | 'ấ' | 'ầ' | 'ẩ' | 'ẫ' | 'ậ' | 'ắ' | 'ằ' | 'ẳ' | 'ẵ' | 'ặ' => "a",
        'æ' => "ae",
        'ḃ' | 'ḅ' | 'ḇ' => "b",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' | 'ḉ' => "c",
        'ď' | 'ḋ' | 'ḍ' | 'ḏ' | 'ḑ' | 'ḓ' | 'ð' | 'đ' => "d",
        'ǆ' | 'ǳ' => "dz",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ȅ' | 'ȇ' | 'ȩ' | 'ḕ' | 'ḗ' | 'ḙ' | 'ḛ' | 'ḝ' | 'ẹ'
        | 'ẻ' | 'ẽ' | 'ế' | 'ề' | 'ể' | 'ễ' | 'ệ' | 'ə' => "e",
        'ḟ' | 'ƒ' => "f",
        'ﬀ' => "ff",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' | 'ǧ' | 'ǵ' | 'ḡ' => "g",
        'ĥ' | 'ȟ' | 'ḣ' | 'ḥ' | 'ḧ' | 'ḩ' | 'ḫ' | 'ẖ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'İ' | 'ǐ' | 'ȉ' | 'ȋ' | 'ḭ' | 'ḯ' | 'ỉ' | 'ị' | 'ı' => "i",
        'ĳ' => "ij",
        'ĵ' | 'ǰ' => "j",
        'ķ' | 'ǩ' | 'ḱ' | 'ḳ' | 'ḵ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ḷ' | 'ḹ' | 'ḻ' | 'ḽ' | 'ł' | 'ŀ' => "l",
        'ǉ' => "lj",
        'ḿ' | 'ṁ' | 'ṃ' => "m",
        'ñ' | 'ń' | 'ņ' | 'ň' | 'ǹ' | 'ṅ' | 'ṇ' | 'ṉ' | 'ṋ' | 'ŉ' => "n",
        'ŋ' => "ng",
        'ǌ' => "nj",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ō' | 'ŏ' | 'ő' | 'ơ' | 'ǒ' | 'ǫ' | 'ǭ' | 'ȍ' | 'ȏ' | 'ȫ' | 'ȭ' | 'ȯ' | 'ȱ'
        | 'ṍ' | 'ṏ' | 'ṑ' | 'ṓ' | 'ọ' | 'ỏ' | 'ố' | 'ồ' | 'ổ' | 'ỗ' | 'ộ' | 'ớ' | 'ờ' | 'ở' | 'ỡ' | 'ợ' | 'ø' => "o",
        'œ' => "oe",
        'ṕ' | 'ṗ' => "p",
        'ŕ' | 'ŗ' | 'ř' | 'ȑ' | 'ȓ' | 'ṙ' | 'ṛ' | 'ṝ' | 'ṟ' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ſ' | 'ș' | 'ṡ' | 'ṣ' | 'ṥ' | 'ṧ' | 'ṩ' | 'ẛ' => "s",
        'ß' => "ss",
        'ﬅ' | 'ﬆ' => "st",
        'ţ' | 'ť' | 'ț' | 'ṫ' | 'ṭ' | 'ṯ' | 'ṱ' | 'ẗ' | 'ŧ' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ư' | 'ǔ' | 'ǖ' | 'ǘ' | 'ǚ' | 'ǜ' | 'ȕ' | 'ȗ'
        | 'ṳ' | 'ṵ' | 'ṷ' | 'ṹ' | 'ṻ' | 'ụ' | 'ủ' | 'ứ' | 'ừ' | 'ử' | 'ữ' | 'ự' => "u",
        'ṽ' | 'ṿ' => "v",
        'ŵ' | 'ẁ' | 'ẃ' | 'ẅ' | 'ẇ' | 'ẉ' | 'ẘ' => "w",
        'ẋ' | 'ẍ' => "x",
        'ý' | 'ÿ' | 'ŷ' | 'ȳ' | 'ẏ' | 'ẙ' | 'ỳ' | 'ỵ' | 'ỷ' | 'ỹ' => "y",
        'ź' | 'ż' | 'ž' | 'ẑ' | 'ẓ' | 'ẕ' => "z",
        // Full-width forms.
        '\u{ff41}'..='\u{ff5a}' => letter(c as usize - 0xff41),
        // The Kelvin sign, a dotted capital I.
        'a'..='z' => letter(c as usize - 'a' as usize),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_accents_and_ligatures() {
        assert_eq!(fold_word("Naïve"), "naive");
        assert_eq!(fold_word("CAFÉ’s"), "cafe's");
        assert_eq!(fold_word("Straße"), "strasse");
        assert_eq!(fold_word("Łódź"), "lodz");
        assert_eq!(fold_word("Đường"), "duong");
        assert_eq!(fold_word("ﬁn"), "fin");
        assert_eq!(fold_word("ＡＢＣ"), "abc");
        assert_eq!(fold_word("e\u{301}te\u{301}"), "ete");
        assert_eq!(fold_word("İzmir"), "izmir");
    }

    #[test]
    fn sorts_characters() {
        assert_eq!(fold('7'), Fold::Digit);
        assert_eq!(fold('\u{a0}'), Fold::Space);
        assert_eq!(fold('½'), Fold::Mark);
        assert_eq!(fold('²'), Fold::Mark);
        assert_eq!(fold('€'), Fold::Mark);
        assert_eq!(fold('\u{2126}'), Fold::Mark);
        assert_eq!(fold('д'), Fold::Unspoken(UnspokenKind::Script));
        assert_eq!(fold('中'), Fold::Unspoken(UnspokenKind::Script));
        assert_eq!(fold('٣'), Fold::Unspoken(UnspokenKind::Script));
        assert_eq!(fold('🪑'), Fold::Unspoken(UnspokenKind::Emoji));
        assert_eq!(fold('\u{0}'), Fold::Unspoken(UnspokenKind::Control));
    }

    #[test]
    fn letters_fold_to_lower_case_ascii() {
        for c in char::MIN..=char::MAX {
            if let Fold::Letters(letters) = fold(c) {
                assert!(!letters.is_empty() && letters.bytes().all(|b| b.is_ascii_lowercase()), "{c:?}");
            }
        }
    }
}
