//! The label file beside each utterance: what the teacher said, when, and in which words.
//!
//! Lines of tab-separated fields, written by the script in [`super::festival`]:
//!
//! ```text
//! x  the text as given
//! w  token  word                      one per spoken word, in order
//! t  token  characters  punctuation   one per token of the text ("0": no punctuation)
//! p  phone  end_s  stress  word       one per segment; "-" twice for pauses
//! ```

use std::collections::HashMap;

/// A label file is refused above this size.
pub(super) const MAX_LABEL_BYTES: u64 = 1 << 20;

/// What is wrong with a label file.
#[derive(Debug, thiserror::Error)]
#[error("label file, line {line}: expected {expected}, got '{got}'")]
pub struct LabelError {
    /// Line number from 1; the last line if the file ended too soon.
    pub line: usize,
    /// What should have stood there.
    pub expected: &'static str,
    /// What stood there.
    pub got: String,
}

/// The teacher's account of one utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// The text as given to the teacher.
    pub text: String,
    /// The words spoken, in order.
    pub words: Vec<LabelWord>,
    /// The segments, in order, without gaps from 0 s; at least one.
    pub segments: Vec<Segment>,
}

/// A word as the teacher spoke it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelWord {
    /// Lower case.
    pub spoken: String,
    /// The punctuation after it, empty if none.
    pub punctuation: String,
}

/// A phone or a pause.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The teacher's phone name (radio phone set), `pau` for pauses.
    pub phone: String,
    /// End time.
    pub end_s: f64,
    /// Stress of its syllable and index of its word; `None` for pauses.
    pub place: Option<SegmentPlace>,
}

/// Where a phone stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentPlace {
    /// True in a stressed syllable.
    pub stressed: bool,
    /// Index into [`Labels::words`].
    pub word: usize,
}

impl Labels {
    /// Reads a label file's contents.
    ///
    /// # Errors
    /// [`LabelError`] for a line that is none of the four kinds, times that do not increase, or a missing part.
    pub fn parse(contents: &str) -> Result<Self, LabelError> {
        let mut text = None;
        let mut words = Vec::new();
        let mut tokens = HashMap::new();
        let mut segments: Vec<Segment> = Vec::new();
        let mut last_line = 0;
        for (index, line) in contents.lines().enumerate() {
            last_line = index + 1;
            let fail =
                |expected| LabelError { line: index + 1, expected, got: line.chars().take(80).collect() };
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["x", given] => text = Some(given.to_owned()),
                ["w", token, word] => words.push((token, word)),
                ["t", token, characters, punctuation] => {
                    tokens.insert(token, (characters, if punctuation == "0" { "" } else { punctuation }));
                }
                ["p", phone, end, stress, word] => {
                    let end_s: f64 = end.parse().map_err(|_| fail("a time in seconds"))?;
                    let start_s = segments.last().map_or(0.0, |s| s.end_s);
                    // Also refuses NaN.
                    if !(end_s > start_s && end_s < 3600.0) {
                        return Err(fail("an end time after the last one"));
                    }
                    let place = match (stress, word) {
                        ("-", "-") => None,
                        _ => {
                            let word = word.parse().ok().filter(|&w: &usize| w < words.len());
                            let word = word.ok_or_else(|| fail("the index of a word above"))?;
                            Some(SegmentPlace { stressed: stress != "0", word })
                        }
                    };
                    segments.push(Segment { phone: phone.to_owned(), end_s, place });
                }
                _ => return Err(fail("a line x, w, t or p")),
            }
        }
        let end = |expected| LabelError { line: last_line, expected, got: "end of file".to_owned() };
        let text = text.ok_or_else(|| end("a line x"))?;
        if segments.is_empty() || words.is_empty() {
            return Err(end("at least one word and one segment"));
        }
        let words = spoken_words(&words, &tokens).ok_or_else(|| end("a line t for each word's token"))?;
        Ok(Self { text, words, segments })
    }
}

/// A token spoken as one word keeps the token's spelling (`Smith's`, which the teacher cuts in two); one spoken as
/// several (`well-known`) gives its words, the last of which has the punctuation.
fn spoken_words(words: &[(&str, &str)], tokens: &HashMap<&str, (&str, &str)>) -> Option<Vec<LabelWord>> {
    let mut spoken = Vec::with_capacity(words.len());
    for (i, &(token, word)) in words.iter().enumerate() {
        let &(characters, punctuation) = tokens.get(token)?;
        let follows = i > 0 && words[i - 1].0 == token;
        let followed = words.get(i + 1).is_some_and(|next| next.0 == token);
        let name = if follows || followed { word } else { characters };
        spoken.push(LabelWord {
            spoken: name.to_lowercase(),
            punctuation: if followed { String::new() } else { punctuation.to_owned() },
        });
    }
    Some(spoken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "x\tSmith's well-known A.\nw\t_1\tSmith\nw\t_2\twell\nw\t_2\tknown\nw\t_3\ta\n\
                        t\t_1\tSmith's\t0\nt\t_2\twell-known\t0\nt\t_3\tA\t.\n\
                        p\tpau\t0.165\t-\t-\np\ts\t0.3\t1\t0\np\tow\t0.5\t0\t2\np\tey\t0.8\t1\t3\n";

    #[test]
    fn words_punctuation_and_times_are_read() {
        let labels = Labels::parse(GOOD).unwrap();
        let words: Vec<_> = labels.words.iter().map(|w| (&*w.spoken, &*w.punctuation)).collect();
        assert_eq!(words, [("smith's", ""), ("well", ""), ("known", ""), ("a", ".")]);
        assert_eq!(labels.segments.len(), 4);
        assert_eq!(labels.segments[0].place, None);
        assert_eq!(labels.segments[2].place, Some(SegmentPlace { stressed: false, word: 2 }));
        assert_eq!(labels.text, "Smith's well-known A.");
    }

    #[test]
    fn damage_is_reported_with_its_line() {
        for (damaged, line) in [
            (GOOD.replace("0.3\t", "0.1\t"), 10),
            (GOOD.replace("0.3\t", "NaN\t"), 10),
            (GOOD.replace("\t1\t3", "\t1\t4"), 12),
            (GOOD.replace("x\t", "y\t"), 1),
            (GOOD.replace("t\t_2\twell-known\t0\n", ""), 11),
            (String::new(), 0),
            (GOOD.lines().next().unwrap().to_owned(), 1),
        ] {
            assert_eq!(Labels::parse(&damaged).unwrap_err().line, line, "{damaged}");
        }
    }
}
