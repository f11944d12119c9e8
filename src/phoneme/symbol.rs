//! The native symbol table: ARPAbet phones (vowels with stress) and pauses, each with a fixed id; and pinyin's phones.

use super::pinyin;

/// Vowels of ARPAbet, each with three stresses.
const VOWELS: [&str; 15] =
    ["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"];
/// Consonants of ARPAbet.
const CONSONANTS: [&str; 24] = [
    "B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH",
    "V", "W", "Y", "Z", "ZH",
];
const FIRST_VOWEL: u8 = 1 + Pause::ALL.len() as u8;
const FIRST_CONSONANT: u8 = FIRST_VOWEL + 3 * VOWELS.len() as u8;

/// Number of ids, padding (0) included: the rows of a native voice's embedding.
pub const SYMBOL_COUNT: usize = FIRST_CONSONANT as usize + CONSONANTS.len();

/// A number that changes whenever the ids' meaning does: FNV-1a over the phones' names in id order.
///
/// Data compiled to ids (the embedded lexicon, the letter-to-sound model) carries it, so that a stale file is noticed.
pub const SYMBOL_FINGERPRINT: u32 = {
    const fn mix(mut hash: u32, name: &str) -> u32 {
        let bytes = name.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
            i += 1;
        }
        (hash ^ b' ' as u32).wrapping_mul(0x0100_0193)
    }
    let mut hash = 0x811c_9dc5 ^ FIRST_VOWEL as u32;
    let mut i = 0;
    while i < VOWELS.len() {
        hash = mix(hash, VOWELS[i]);
        i += 1;
    }
    i = 0;
    while i < CONSONANTS.len() {
        hash = mix(hash, CONSONANTS[i]);
        i += 1;
    }
    hash
};

/// A pause, by the punctuation that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Pause {
    /// Silence before the first phone.
    Start = 1,
    /// Full stop, or the end of the text.
    Stop = 2,
    /// Comma.
    Comma = 3,
    /// Question mark.
    Question = 4,
    /// Exclamation mark.
    Exclamation = 5,
    /// Colon, semicolon, dash, bracket.
    Colon = 6,
    /// A breath without punctuation.
    Break = 7,
}

impl Pause {
    /// All pauses, in id order.
    pub const ALL: [Pause; 7] = [
        Pause::Start,
        Pause::Stop,
        Pause::Comma,
        Pause::Question,
        Pause::Exclamation,
        Pause::Colon,
        Pause::Break,
    ];

    fn name(self) -> &'static str {
        match self {
            Pause::Start => "^",
            Pause::Stop => ".",
            Pause::Comma => ",",
            Pause::Question => "?",
            Pause::Exclamation => "!",
            Pause::Colon => ":",
            Pause::Break => "_",
        }
    }
}

/// Lexical stress of a vowel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stress {
    /// Unstressed.
    None = 0,
    /// Primary.
    Primary = 1,
    /// Secondary.
    Secondary = 2,
}

/// A phone with stress or tone, or a pause. Id 0 is padding and never constructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u16);

impl From<Pause> for Symbol {
    fn from(pause: Pause) -> Self {
        Symbol(pause as u16)
    }
}

impl Symbol {
    /// The id in a native model's embedding, 1 to [`SYMBOL_COUNT`] − 1; 0 for a phone of pinyin, which native models do not
    /// know.
    pub fn id(self) -> u8 {
        if (self.0 as usize) < SYMBOL_COUNT { self.0 as u8 } else { 0 }
    }

    /// The symbol of an id, if there is one.
    pub fn from_id(id: u8) -> Option<Self> {
        (id >= 1 && (id as usize) < SYMBOL_COUNT).then_some(Symbol(id.into()))
    }

    /// An initial of pinyin (`zh`), a final with its tone (`uang4`, 5 for none), or `rr`, the ending of 儿.
    pub fn from_pinyin(name: &str) -> Option<Self> {
        Some(Symbol(SYMBOL_COUNT as u16 + pinyin::index(name)?))
    }

    /// Its place in the published list of pinyin's phones, 0 to 208.
    pub fn pinyin_index(self) -> Option<u16> {
        self.0.checked_sub(SYMBOL_COUNT as u16)
    }

    /// Reads `HH`, `AH0`, `ER1` (a vowel needs its stress digit) or a pause's punctuation name.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(pause) = Pause::ALL.into_iter().find(|p| p.name() == name) {
            return Some(pause.into());
        }
        if let Some(i) = CONSONANTS.iter().position(|&c| c == name) {
            return Some(Symbol(u16::from(FIRST_CONSONANT) + i as u16));
        }
        let (vowel, digit) = name.split_at_checked(2)?;
        let stress = match digit {
            "0" => 0,
            "1" => 1,
            "2" => 2,
            _ => return None,
        };
        let i = VOWELS.iter().position(|&v| v == vowel)?;
        Some(Symbol(u16::from(FIRST_VOWEL) + 3 * i as u16 + stress))
    }

    /// The pause that this is, if it is one.
    pub fn pause(self) -> Option<Pause> {
        Pause::ALL.into_iter().find(|p| *p as u16 == self.0)
    }

    /// The stress, for vowels.
    pub fn stress(self) -> Option<Stress> {
        let id = self.id();
        if !(FIRST_VOWEL..FIRST_CONSONANT).contains(&id) {
            return None;
        }
        Some(match (id - FIRST_VOWEL) % 3 {
            0 => Stress::None,
            1 => Stress::Primary,
            _ => Stress::Secondary,
        })
    }

    /// The same phone with another stress; consonants and pauses stay as they are.
    pub fn with_stress(self, stress: Stress) -> Self {
        if !self.is_vowel() {
            return self;
        }
        Symbol(self.0 - (self.0 - u16::from(FIRST_VOWEL)) % 3 + stress as u16)
    }

    /// True for vowels of ARPAbet.
    pub fn is_vowel(self) -> bool {
        self.stress().is_some()
    }
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(pause) = self.pause() {
            return f.write_str(pause.name());
        }
        if let Some(index) = self.pinyin_index() {
            return f.write_str(&pinyin::name(index));
        }
        match self.stress() {
            Some(stress) => {
                let vowel = VOWELS[((self.id() - FIRST_VOWEL) / 3) as usize];
                write!(f, "{vowel}{}", stress as u8)
            }
            None => f.write_str(CONSONANTS[(self.id() - FIRST_CONSONANT) as usize]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_survives_its_name() {
        for id in 1..SYMBOL_COUNT as u8 {
            let symbol = Symbol::from_id(id).unwrap();
            assert_eq!(Symbol::parse(&symbol.to_string()), Some(symbol), "{symbol}");
        }
        for name in ["b", "zh", "a1", "vn5", "rr"] {
            let symbol = Symbol::from_pinyin(name).unwrap();
            assert_eq!(symbol.to_string(), name);
            assert_eq!((symbol.id(), symbol.pause(), symbol.stress()), (0, None, None));
        }
        assert_eq!(Symbol::from_id(0), None);
        assert_eq!(Symbol::from_id(SYMBOL_COUNT as u8), None);
    }

    #[test]
    fn vowels_need_their_stress() {
        assert_eq!(Symbol::parse("AH"), None);
        assert_eq!(Symbol::parse("AH3"), None);
        assert_eq!(Symbol::parse("ER1").unwrap().stress(), Some(Stress::Primary));
    }

    #[test]
    fn stress_changes_only_vowels() {
        let parse = |name: &str| Symbol::parse(name).unwrap();
        assert_eq!(parse("IY2").with_stress(Stress::Primary), parse("IY1"));
        assert_eq!(parse("UW1").with_stress(Stress::None), parse("UW0"));
        assert_eq!(parse("ZH").with_stress(Stress::Primary), parse("ZH"));
        assert_eq!(parse("?").with_stress(Stress::Secondary), parse("?"));
    }
}
