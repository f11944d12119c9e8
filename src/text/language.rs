//! The languages that texts are read in.

/// A language with a front end: how its numbers are read, and how its words sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// American English.
    #[default]
    English,
    /// Standard Mandarin in simplified or traditional characters.
    #[cfg(feature = "mandarin")]
    Mandarin,
}

impl Language {
    /// The language of a BCP 47 tag: `en-US`, `zh`, `cmn-Hans-CN`; `None` if this program does not read it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let tag = tag.to_ascii_lowercase();
        match tag.split(['-', '_']).next() {
            Some("en") => Some(Self::English),
            #[cfg(feature = "mandarin")]
            Some("zh" | "cmn") => Some(Self::Mandarin),
            _ => None,
        }
    }
}

/// True for the characters of Chinese writing.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_languages() {
        assert_eq!(Language::of_tag("en-US"), Some(Language::English));
        assert_eq!(Language::of_tag("EN"), Some(Language::English));
        assert_eq!(Language::of_tag("english"), None);
        assert_eq!(Language::of_tag("de-DE"), None);
        #[cfg(feature = "mandarin")]
        for tag in ["zh", "zh-CN", "zh_TW", "cmn-Hans-CN"] {
            assert_eq!(Language::of_tag(tag), Some(Language::Mandarin), "{tag}");
        }
    }
}
