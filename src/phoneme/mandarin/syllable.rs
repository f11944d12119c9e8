//! A syllable of pinyin, and its phones.

use super::super::Symbol;

/// `zhuang4`: the sound without the tone, 1 to 5, and whether it ends with 儿.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Syllable {
    /// Lower case, `v` for ü.
    pub sound: String,
    pub tone: u8,
}

impl Syllable {
    /// Reads `zhuang4`; `r5` is 儿 that has become a part of the syllable before it.
    pub fn parse(name: &str) -> Option<Self> {
        let (last, digit) = name.char_indices().next_back()?;
        let tone = digit.to_digit(10).filter(|tone| (1..=5).contains(tone))? as u8;
        Some(Self { sound: name[..last].to_owned(), tone })
    }

    /// The syllables of `yin2hang2`.
    pub fn parse_all(names: &str) -> Option<Vec<Self>> {
        names.split_inclusive(|c: char| c.is_ascii_digit()).map(Self::parse).collect()
    }

    /// Its phones in the published list; none if it is no syllable of Mandarin.
    pub fn phones(&self) -> Vec<Symbol> {
        let tone = self.tone;
        if self.sound == "r" {
            return Symbol::from_pinyin("rr").into_iter().collect();
        }
        // So the published dictionary has it.
        if self.sound == "er" && tone == 2 {
            return ["e2", "rr"].into_iter().filter_map(Symbol::from_pinyin).collect();
        }
        let (initial, vowel) = split(&self.sound);
        let vowel = Symbol::from_pinyin(&format!("{}{tone}", spelled_out(initial, vowel)));
        let initial = Symbol::from_pinyin(initial);
        match vowel {
            Some(vowel) => initial.into_iter().chain([vowel]).collect(),
            None => Vec::new(),
        }
    }
}

/// The initial, `y` and `w` too, and the rest.
fn split(sound: &str) -> (&str, &str) {
    let two = ["zh", "ch", "sh"].iter().any(|initial| sound.starts_with(initial));
    let one = sound.starts_with(|c: char| "bcdfghjklmnpqrstwxyz".contains(c));
    sound.split_at(if two { 2 } else { usize::from(one) })
}

/// The final as the published list writes it, which pinyin shortens: `j` + `u` is `v`, `d` + `ui` is `uei`.
fn spelled_out<'a>(initial: &str, vowel: &'a str) -> &'a str {
    match (initial, vowel) {
        ("z" | "c" | "s", "i") => "ii",
        ("zh" | "ch" | "sh" | "r", "i") => "iii",
        ("j" | "q" | "x" | "y", "u") => "v",
        ("j" | "q" | "x" | "y", "uan") => "van",
        ("j" | "q" | "x" | "y" | "l" | "n", "ue") => "ve",
        ("j" | "q" | "x" | "y", "un") => "vn",
        ("y", "a") => "ia",
        ("y", "an") => "ian",
        ("y", "ang") => "iang",
        ("y", "ao") => "iao",
        ("y", "e") => "ie",
        ("y", "ong") => "iong",
        // The published dictionary does not tell 哟 from 有.
        ("y", "o" | "ou") => "iou",
        ("w", "a") => "ua",
        ("w", "ai") => "uai",
        ("w", "an") => "uan",
        ("w", "ang") => "uang",
        ("w", "ei") => "uei",
        // Nor 翁 from 温.
        ("w", "en" | "eng") => "uen",
        ("w", "o") => "uo",
        (_, "iu") => "iou",
        (_, "ui") => "uei",
        (_, "un") => "uen",
        _ => vowel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_become_the_published_phones() {
        for (name, phones) in [
            ("zhong1", "zh ong1"),
            ("guo2", "g uo2"),
            ("ni3", "n i3"),
            ("shi4", "sh iii4"),
            ("si4", "s ii4"),
            ("ri4", "r iii4"),
            ("yi1", "y i1"),
            ("wu3", "w u3"),
            ("yu3", "y v3"),
            ("yue4", "y ve4"),
            ("yuan2", "y van2"),
            ("yun2", "y vn2"),
            ("yin2", "y in2"),
            ("you3", "y iou3"),
            ("yong4", "y iong4"),
            ("yang2", "y iang2"),
            ("wo3", "w uo3"),
            ("wei4", "w uei4"),
            ("wen2", "w uen2"),
            ("jiu3", "j iou3"),
            ("dui4", "d uei4"),
            ("lun2", "l uen2"),
            ("xue2", "x ve2"),
            ("jun1", "j vn1"),
            ("qu4", "q v4"),
            ("lv4", "l v4"),
            ("lve4", "l ve4"),
            ("lue4", "l ve4"),
            ("er4", "er4"),
            ("er2", "e2 rr"),
            ("r5", "rr"),
            ("a5", "a5"),
            ("ang2", "ang2"),
            ("jiong3", "j iong3"),
            ("zhuang4", "zh uang4"),
        ] {
            let found = Syllable::parse(name).unwrap().phones();
            assert_eq!(found.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" "), phones, "{name}");
        }
        assert_eq!(Syllable::parse("m2").map(|syllable| syllable.phones()), Some(Vec::new()));
        assert_eq!(Syllable::parse("zhong"), None);
        assert_eq!(Syllable::parse_all("yin2hang2").map(|all| all.len()), Some(2));
    }
}
