//! How tones change in the company of others: 一, 不, and one third tone before another.

use super::syllable::Syllable;

/// A word, and its syllables before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// One for each syllable.
    pub characters: Vec<char>,
    pub syllables: Vec<Syllable>,
    /// Characters of the first of the two words that it is made of; 0 if it is made of none.
    pub head: usize,
}

/// Digits and what makes a row of them, where 一 keeps its tone.
const FIGURES: &str = "零〇一二三四五六七八九十点幺两";
/// What 一 counts off rather than counts: 一月 is the first month.
const NAMED_BY_NUMBER: &str = "月号號日楼樓班级級等期";

/// Changes the tones of a phrase, in which nobody pauses.
pub(super) fn apply(words: &mut [Word]) {
    numbers_and_negations(words);
    for word in words.iter_mut() {
        third_tones_within(word);
    }
    third_tones_between(words);
}

fn numbers_and_negations(words: &mut [Word]) {
    let characters: Vec<char> = words.iter().flat_map(|word| word.characters.iter().copied()).collect();
    let tones: Vec<u8> = words.iter().flat_map(|word| word.syllables.iter().map(|s| s.tone)).collect();
    let mut at = 0;
    for word in words.iter_mut() {
        let len = word.characters.len();
        for (index, syllable) in word.syllables.iter_mut().enumerate() {
            let here = at + index;
            let before = here.checked_sub(1).map(|before| characters[before]);
            let next = characters.get(here + 1).copied().zip(tones.get(here + 1).copied());
            let is_between_twins =
                before.is_some_and(|c| !FIGURES.contains(c)) && before == next.map(|(c, _)| c);
            match (characters[here], next) {
                // 看一看, 是不是.
                ('一' | '不', Some(_)) if is_between_twins => syllable.tone = 5,
                ('不', Some((_, 4))) if syllable.tone == 4 => syllable.tone = 2,
                ('一', Some((c, tone))) if syllable.tone == 1 && index + 1 < len.max(2) => {
                    let ends_word = len > 1 && index + 1 == len;
                    let is_point = || {
                        characters.get(here + 2).is_some_and(|&c| FIGURES.contains(c) || "钟半".contains(c))
                    };
                    let is_figure = (FIGURES.contains(c) && (c != '点' || is_point()))
                        || before.is_some_and(|before| FIGURES.contains(before) || "第初".contains(before))
                        || NAMED_BY_NUMBER.contains(c);
                    if !ends_word && !is_figure {
                        syllable.tone = if tone == 4 { 2 } else { 4 };
                    }
                }
                _ => {}
            }
        }
        at += len;
    }
}

/// 小|老虎 and 展览|馆: first within the words that it is made of, then between them.
fn third_tones_within(word: &mut Word) {
    let len = word.syllables.len();
    let head = if word.head == 0 && len > 3 { len / 2 } else { word.head };
    if head == 0 || head >= len || len < 3 {
        return lift(&mut word.syllables);
    }
    let (first, second) = word.syllables.split_at_mut(head);
    lift(first);
    lift(second);
    lift_pair(first.last_mut(), second.first());
}

fn third_tones_between(words: &mut [Word]) {
    for at in 1..words.len() {
        let (before, after) = words.split_at_mut(at);
        let last = before.last_mut().and_then(|word| word.syllables.last_mut());
        lift_pair(last, after[0].syllables.first());
    }
}

/// Of third tones in a row all but the last become second ones.
fn lift(syllables: &mut [Syllable]) {
    for at in 1..syllables.len() {
        let (before, after) = syllables.split_at_mut(at);
        lift_pair(before.last_mut(), after.first());
    }
}

fn lift_pair(before: Option<&mut Syllable>, after: Option<&Syllable>) {
    if let (Some(before), Some(after)) = (before, after)
        && before.tone == 3
        && after.tone == 3
    {
        before.tone = 2;
    }
}
