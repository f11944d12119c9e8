//! Which shape of the mouth goes with a phone: 15 classes after the MPEG-4 face animation table (ISO/IEC 14496-2).

use super::Symbol;

/// The shape's name: `sil`, `PP`, `FF`, `TH`, `DD`, `kk`, `CH`, `SS`, `nn`, `RR`, `aa`, `E`, `I`, `O`, `U`.
///
/// Finals of pinyin take the shape of the vowel that they begin with, but for a `u`, `v` or `i` before another vowel.
/// Diphthongs take the shape they begin with; `W` is rounded as `U`; `HH` has the open mouth of what surrounds it, `aa`.
pub fn viseme(symbol: Symbol) -> &'static str {
    let name = symbol.to_string();
    match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "b" | "p" | "m" => "PP",
        "f" => "FF",
        "d" | "t" => "DD",
        "g" | "k" => "kk",
        "j" | "q" | "x" | "zh" | "ch" | "sh" => "CH",
        "z" | "c" | "s" | "ii" => "SS",
        "n" | "l" => "nn",
        "r" | "rr" | "er" | "iii" => "RR",
        "h" | "a" | "ai" | "an" | "ang" | "ao" | "ia" | "iang" | "iao" | "ua" | "uai" | "uan" | "uang" => {
            "aa"
        }
        "e" | "ei" | "en" | "eng" | "ian" | "ie" | "uei" | "uen" | "van" | "ve" => "E",
        "i" | "in" | "ing" | "y" => "I",
        "o" | "ong" | "ou" | "uo" | "iong" | "iou" => "O",
        "u" | "v" | "vn" | "w" => "U",
        "P" | "B" | "M" => "PP",
        "F" | "V" => "FF",
        "TH" | "DH" => "TH",
        "T" | "D" => "DD",
        "K" | "G" | "NG" => "kk",
        "CH" | "JH" | "SH" | "ZH" => "CH",
        "S" | "Z" => "SS",
        "N" | "L" => "nn",
        "R" | "ER" => "RR",
        "AA" | "AH" | "AY" | "AW" | "HH" => "aa",
        "AE" | "EH" | "EY" => "E",
        "IH" | "IY" | "Y" => "I",
        "AO" | "OW" | "OY" => "O",
        "UH" | "UW" | "W" => "U",
        _ => "sil",
    }
}

#[cfg(test)]
mod tests {
    use super::super::SYMBOL_COUNT;
    use super::*;

    #[test]
    fn every_phone_has_a_shape_and_only_pauses_have_none() {
        let symbols: Vec<Symbol> = (1..SYMBOL_COUNT as u8).filter_map(Symbol::from_id).collect();
        assert_eq!(symbols.len(), SYMBOL_COUNT - 1);
        for symbol in symbols {
            assert_eq!(viseme(symbol) == "sil", symbol.pause().is_some(), "{symbol}");
        }
        assert_eq!(Symbol::parse("AY1").map(viseme), Some("aa"));
        for index in 0..super::super::pinyin::COUNT {
            let symbol = Symbol::from_pinyin(&super::super::pinyin::name(index)).unwrap();
            assert_ne!(viseme(symbol), "sil", "{symbol}");
        }
    }
}
