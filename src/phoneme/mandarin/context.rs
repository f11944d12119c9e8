//! Characters whose reading hangs on the character before them, in the same word or not.

use super::sandhi::Word;
use super::syllable::Syllable;

/// A character, those it must follow, and how it is read then.
const READINGS: &[(char, &str, &str)] = &[
    // A measure word, not "only".
    ('只', "一二三四五六七八九十百千两俩几每这那哪半多数", "zhi1"),
    ('隻', "一二三四五六七八九十百千兩俩幾每這那哪半多數", "zhi1"),
    // "Must", not the mark between a verb and how it is done.
    ('得', "我你您他她它们們谁誰就还還都总總可也又人家", "dei3"),
];

/// Changes the readings of a phrase that are not the commonest one: of the last character of each word.
pub(super) fn apply(words: &mut [Word]) {
    let mut before = None;
    for word in words {
        if let [.., second_last, _] = word.characters.as_slice() {
            before = Some(*second_last);
        }
        let last = word.characters.last().copied();
        let found = READINGS.iter().find(|(read, follows, _)| {
            Some(*read) == last && before.is_some_and(|before| follows.contains(before))
        });
        let reading = found.and_then(|(.., name)| Syllable::parse(name));
        if let (Some(reading), Some(syllable)) = (reading, word.syllables.last_mut()) {
            *syllable = reading;
        }
        before = last;
    }
}
