//! Which shape of the mouth goes with a phone: 15 classes after the MPEG-4 face animation table (ISO/IEC 14496-2).

use super::Symbol;

/// The shape's name: `sil`, `PP`, `FF`, `TH`, `DD`, `kk`, `CH`, `SS`, `nn`, `RR`, `aa`, `E`, `I`, `O`, `U`.
///
/// Diphthongs take the shape they begin with; `W` is rounded as `U`; `HH` has the open mouth of what surrounds it, `aa`.
pub fn viseme(symbol: Symbol) -> &'static str {
    let name = symbol.to_string();
    match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
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
    }
}
