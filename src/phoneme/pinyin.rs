//! The phones of pinyin as the published Mandarin models (AISHELL3) name them: initials, finals with a tone, and `rr`.
//!
//! `ii` is the vowel of `zi`, `iii` that of `zhi`; `v` is ü. `y` and `w` count as initials: `yue4` is `y ve4`.

/// In the published order.
const INITIALS: [&str; 23] = [
    "b", "c", "ch", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "q", "r", "s", "sh", "t", "w", "x",
    "y", "z", "zh",
];
/// In the published order; each has five tones.
const FINALS: [&str; 37] = [
    "a", "ai", "an", "ang", "ao", "e", "ei", "en", "eng", "er", "i", "ia", "ian", "iang", "iao", "ie", "ii",
    "iii", "in", "ing", "iong", "iou", "o", "ong", "ou", "u", "ua", "uai", "uan", "uang", "uei", "uen", "uo",
    "v", "van", "ve", "vn",
];
const TONES: usize = 5;
const ERHUA: u16 = (INITIALS.len() + FINALS.len() * TONES) as u16;

/// How many there are.
#[cfg(test)]
pub(super) const COUNT: u16 = ERHUA + 1;

/// The place of `zh`, `uang4` or `rr` in the published list.
pub(super) fn index(name: &str) -> Option<u16> {
    if name == "rr" {
        return Some(ERHUA);
    }
    if let Some(at) = INITIALS.iter().position(|initial| *initial == name) {
        return Some(at as u16);
    }
    let (last, _) = name.char_indices().next_back()?;
    let (vowel, tone) = name.split_at(last);
    let tone = tone.parse::<usize>().ok().filter(|tone| (1..=TONES).contains(tone))?;
    let at = FINALS.iter().position(|known| *known == vowel)?;
    Some((INITIALS.len() + at * TONES + tone - 1) as u16)
}

/// The name at a place of the list.
pub(super) fn name(index: u16) -> String {
    let index = usize::from(index);
    if let Some(initial) = INITIALS.get(index) {
        return (*initial).to_owned();
    }
    let index = index - INITIALS.len();
    match FINALS.get(index / TONES) {
        Some(vowel) => format!("{vowel}{}", index % TONES + 1),
        None => "rr".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_published_one() {
        assert_eq!(ERHUA, 208);
        for at in 0..=ERHUA {
            assert_eq!(index(&name(at)), Some(at), "{}", name(at));
        }
        for no in ["", "a", "a0", "a6", "v", "ueng1", "ü1", "zhe", "r1"] {
            assert_eq!(index(no), None, "{no}");
        }
    }
}
