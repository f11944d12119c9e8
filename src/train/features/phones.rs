//! From the teacher's phones to ours: ARPAbet with stress, word and phrase positions, pauses by punctuation, durations.
//!
//! The result has the form that the front end gives at run time: [`Pause::Start`] first, a pause for each punctuation
//! mark (of no frames where the teacher made none), [`Pause::Break`] where it paused without one, the final pause last.
//!
//! The teacher knows two stresses, our lexicon three. Where both have the same phones for a word, the lexicon's stresses
//! are taken, so that the model hears in training what it will be given in use; elsewhere the teacher's phones stand.

use std::collections::HashMap;

use crate::phoneme::{Pause, Phone, PhonemeSeq, SequenceBuilder, Symbol, WordSpan};
use crate::train::corpus::{Labels, SegmentPlace};

use super::FeatureError;

/// The teacher's name for silence.
const SILENCE: &str = "pau";
/// Labels and sound may differ by this much at the end, in seconds: a few of the teacher's 5 ms frames.
const END_TOLERANCE_S: f64 = 0.05;

/// Phones and how long each lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedPhones {
    /// The tokens, as the front end would give them.
    pub phones: Vec<Phone>,
    /// Frames of each token; pauses may have 0. The sum is the utterance's frame count.
    pub durations_frames: Vec<u32>,
}

/// The time axis that durations are counted on.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameClock {
    pub frame_count: usize,
    pub frames_per_second: f64,
}

struct Token {
    symbol: Symbol,
    word: Option<usize>,
    end_s: f64,
}

/// Maps one utterance's labels; also gives the words that the phones refer to. Frame `t`, at time
/// `t / frames_per_second`, belongs to the phone that sounds then.
pub(super) fn timed_phones(
    labels: &Labels,
    clock: FrameClock,
    lexicon: &dyn Fn(&str) -> Option<Vec<Symbol>>,
) -> Result<(TimedPhones, Vec<String>), FeatureError> {
    let last_s = labels.segments.last().map_or(0.0, |segment| segment.end_s);
    let sound_s = clock.frame_count as f64 / clock.frames_per_second;
    let frame_s = 1.0 / clock.frames_per_second;
    if (last_s - sound_s).abs() > END_TOLERANCE_S + frame_s {
        return Err(FeatureError::Times { label_s: last_s, sound_s });
    }
    let tokens = tokens(labels)?;
    let mut durations_frames = Vec::with_capacity(tokens.len());
    let mut start = 0;
    for (i, token) in tokens.iter().enumerate() {
        let end = if i + 1 == tokens.len() {
            clock.frame_count
        } else {
            ((token.end_s * clock.frames_per_second).ceil() as usize).clamp(start, clock.frame_count)
        };
        durations_frames.push((end - start) as u32);
        start = end;
    }
    let sequence =
        sequence(labels, &tokens, lexicon).filter(|sequence| sequence.phones.len() == tokens.len());
    let PhonemeSeq { phones, words } = sequence.ok_or(FeatureError::NoPhones)?;
    Ok((TimedPhones { phones, durations_frames }, words.into_iter().map(|word| word.spoken).collect()))
}

/// Lays the tokens out as the front end would: one phone for each token.
fn sequence(
    labels: &Labels,
    tokens: &[Token],
    lexicon: &dyn Fn(&str) -> Option<Vec<Symbol>>,
) -> Option<PhonemeSeq> {
    let mut builder = SequenceBuilder::default();
    // The pause at the start comes with the first word.
    for group in tokens.get(1..)?.chunk_by(|a, b| a.word.is_some() && a.word == b.word) {
        match (group[0].word, group[0].symbol.pause()) {
            (Some(word), _) => {
                let spoken = labels.words[word].spoken.clone();
                let teacher: Vec<_> = group.iter().map(|token| token.symbol).collect();
                let own = lexicon(&spoken).filter(|own| unstressed(own) == unstressed(&teacher));
                builder.word(WordSpan { spoken, source: 0..0 }, &own.unwrap_or(teacher));
            }
            (None, Some(pause)) => builder.pause(pause),
            (None, None) => return None,
        }
    }
    builder.finish()
}

fn tokens(labels: &Labels) -> Result<Vec<Token>, FeatureError> {
    let silent = |i: usize| labels.segments[i].phone == SILENCE;
    let mut tokens = vec![Token { symbol: Pause::Start.into(), word: None, end_s: 0.0 }];
    let mut word = None;
    let mut start_s = 0.0;
    for (i, segment) in labels.segments.iter().enumerate() {
        let end_s = segment.end_s;
        if silent(i) {
            let last = tokens.last_mut().filter(|token| token.symbol.pause().is_some());
            if let Some(pause) = last {
                // The silence at the start, or one that goes on.
                pause.end_s = end_s;
            } else {
                let next = labels.segments[i..].iter().find_map(|s| s.place).map(|place| place.word);
                tokens.push(Token { symbol: pause_after(labels, word, next).into(), word: None, end_s });
            }
        } else {
            let Some(place) = segment.place else {
                return Err(FeatureError::Phone { phone: segment.phone.clone(), word: String::new() });
            };
            let continues = tokens.last().is_some_and(|token| token.word.is_some());
            if continues && word != Some(place.word) {
                let pause = pause_after(labels, word, Some(place.word));
                if pause != Pause::Break {
                    tokens.push(Token { symbol: pause.into(), word: None, end_s: start_s });
                }
            }
            word = Some(place.word);
            let symbols = arpabet(&segment.phone, place, &labels.words[place.word].spoken)?;
            let share_s = (end_s - start_s) / symbols.len() as f64;
            for (part, &symbol) in symbols.iter().enumerate() {
                let end_s = start_s + share_s * (part + 1) as f64;
                tokens.push(Token { symbol, word: Some(place.word), end_s });
            }
        }
        start_s = end_s;
    }
    let end = pause_after(labels, word, None);
    match tokens.last_mut() {
        Some(last) if last.word.is_none() => last.symbol = end.into(),
        _ => tokens.push(Token { symbol: end.into(), word: None, end_s: start_s }),
    }
    Ok(tokens)
}

/// The pause between two words, by the punctuation there; after the last word a full stop is understood.
fn pause_after(labels: &Labels, word: Option<usize>, next: Option<usize>) -> Pause {
    let between = word.unwrap_or(0)..next.unwrap_or(labels.words.len());
    let mark = labels.words[between.start..between.end.max(between.start)]
        .iter()
        .flat_map(|word| word.punctuation.chars())
        .find_map(|mark| match mark {
            '.' => Some(Pause::Stop),
            ',' => Some(Pause::Comma),
            '?' => Some(Pause::Question),
            '!' => Some(Pause::Exclamation),
            ':' | ';' | '-' | '(' | ')' => Some(Pause::Colon),
            _ => None,
        });
    mark.unwrap_or(if next.is_some() { Pause::Break } else { Pause::Stop })
}

/// ARPAbet for a phone of the radio set, by its syllable's stress and its word's letters.
fn arpabet(phone: &str, place: SegmentPlace, word: &str) -> Result<Vec<Symbol>, FeatureError> {
    let stress = if place.stressed { '1' } else { '0' };
    let names: &[&str] = match phone {
        "ax" => &["AH0"],
        "axr" => &["ER0"],
        "ix" => &["IH0"],
        "el" => &["AH0", "L"],
        "em" => &["AH0", "M"],
        "en" => &["AH0", "N"],
        "nx" => &["N"],
        "hv" => &["HH"],
        // A flap is a T or a D; a word with both letters has it more often for the T.
        "dx" if word.contains('t') || !word.contains('d') => &["T"],
        "dx" => &["D"],
        _ => &[],
    };
    let symbols = if names.is_empty() {
        let name = phone.to_ascii_uppercase();
        Symbol::parse(&name).or_else(|| Symbol::parse(&format!("{name}{stress}"))).map(|symbol| vec![symbol])
    } else {
        names.iter().map(|name| Symbol::parse(name)).collect()
    };
    symbols.ok_or_else(|| FeatureError::Phone { phone: phone.to_owned(), word: word.to_owned() })
}

/// How the teacher's pronunciations compare with a lexicon's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agreement {
    /// Words compared, repeats included.
    pub word_count: usize,
    /// Words that the lexicon does not have.
    pub unknown_count: usize,
    /// Words of the same phones and stresses.
    pub same_count: usize,
    /// Words of the same phones, whatever the stresses.
    pub same_phones_count: usize,
    /// The most frequent differences, at most [`Agreement::MAX_EXAMPLES`], most frequent first.
    pub examples: Vec<Disagreement>,
}

/// A word that the teacher and the lexicon pronounce differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The word.
    pub word: String,
    /// The teacher's phones, separated by spaces.
    pub teacher: String,
    /// The lexicon's.
    pub lexicon: String,
    /// How often.
    pub count: usize,
}

impl Agreement {
    /// How many examples a comparison keeps.
    pub const MAX_EXAMPLES: usize = 50;

    /// Compares utterances, each its phones and words, with what `lookup` gives for the words.
    pub fn of<'a>(
        utterances: impl IntoIterator<Item = (&'a [Phone], &'a [String])>,
        lookup: impl Fn(&str) -> Option<Vec<Symbol>>,
    ) -> Self {
        let mut agreement = Self::default();
        let mut differences: HashMap<(String, String, String), usize> = HashMap::new();
        for (phones, words) in utterances {
            for spoken in phones.chunk_by(|a, b| a.word == b.word) {
                let Some(word) = spoken[0].word.and_then(|word| words.get(word as usize)) else { continue };
                let teacher: Vec<Symbol> = spoken.iter().map(|phone| phone.symbol).collect();
                agreement.word_count += 1;
                match lookup(word) {
                    None => agreement.unknown_count += 1,
                    Some(lexicon) => {
                        let same = lexicon == teacher;
                        agreement.same_count += usize::from(same);
                        agreement.same_phones_count +=
                            usize::from(unstressed(&lexicon) == unstressed(&teacher));
                        if !same {
                            let key = (word.clone(), names(&teacher), names(&lexicon));
                            *differences.entry(key).or_default() += 1;
                        }
                    }
                }
            }
        }
        let mut examples: Vec<_> = differences.into_iter().collect();
        examples.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        examples.truncate(Self::MAX_EXAMPLES);
        let example = |((word, teacher, lexicon), count)| Disagreement { word, teacher, lexicon, count };
        agreement.examples = examples.into_iter().map(example).collect();
        agreement
    }
}

fn names(symbols: &[Symbol]) -> String {
    symbols.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" ")
}

fn unstressed(symbols: &[Symbol]) -> Vec<String> {
    symbols.iter().map(|s| s.to_string().trim_end_matches(['0', '1', '2']).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::WordPosition;
    use crate::train::corpus::{LabelWord, Segment};

    /// Phone, end in hundredths of a second, stress and word.
    type Row = (&'static str, u32, Option<(bool, usize)>);

    /// Words as spelling and punctuation.
    fn labels(words: &[(&str, &str)], segments: &[Row]) -> Labels {
        let word = |&(spoken, punctuation): &(&str, &str)| LabelWord {
            spoken: spoken.to_owned(),
            punctuation: punctuation.to_owned(),
        };
        let segment = |&(phone, end, place): &Row| Segment {
            phone: phone.to_owned(),
            end_s: f64::from(end) / 100.0,
            place: place.map(|(stressed, word)| SegmentPlace { stressed, word }),
        };
        Labels {
            text: String::new(),
            words: words.iter().map(word).collect(),
            segments: segments.iter().map(segment).collect(),
        }
    }

    const CLOCK: FrameClock = FrameClock { frame_count: 100, frames_per_second: 100.0 };

    fn no_lexicon(_: &str) -> Option<Vec<Symbol>> {
        None
    }

    fn parse(names: &str) -> Vec<Symbol> {
        names.split(' ').map(|name| Symbol::parse(name).unwrap()).collect()
    }

    fn little_dog() -> Labels {
        let one = Some((true, 0));
        let two = Some((false, 1));
        labels(
            &[("oh", ","), ("little", ""), ("dog", "?")],
            &[
                ("pau", 10, None),
                ("ow", 20, one),
                ("l", 25, Some((true, 1))),
                ("ih", 30, Some((true, 1))),
                ("dx", 35, two),
                ("el", 45, two),
                ("pau", 50, None),
                ("d", 60, Some((true, 2))),
                ("ao", 80, Some((true, 2))),
                ("g", 90, Some((true, 2))),
                ("pau", 100, None),
            ],
        )
    }

    #[test]
    fn phones_pauses_and_durations() {
        let (got, _) = timed_phones(&little_dog(), CLOCK, &no_lexicon).unwrap();
        let symbols = got.phones.iter().map(|p| p.symbol.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(symbols, "^ OW1 , L IH1 T AH0 L _ D AO1 G ?");
        assert_eq!(got.durations_frames, [10, 10, 0, 5, 5, 5, 5, 5, 5, 10, 20, 10, 10]);
        use WordPosition::{Begin, End, Middle, None, Single};
        let places: Vec<_> = got.phones.iter().map(|p| p.word_position).collect();
        assert_eq!(
            places,
            [None, Single, None, Begin, Middle, Middle, Middle, End, None, Begin, Middle, End, None]
        );
        let phrases: Vec<_> = got.phones.iter().map(|p| p.phrase_position).collect();
        assert_eq!(phrases, [0, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 8, 8]);
        assert_eq!(got.phones[1].word, Some(0));
        assert_eq!(got.phones[12].word, Option::None);
    }

    #[test]
    fn the_lexicons_stress_is_taken_where_its_phones_are_the_same() {
        let lexicon = |word: &str| match word {
            "oh" => Some(parse("OW2")),
            "little" => Some(parse("L IH2 T L")),
            _ => None,
        };
        let (got, _) = timed_phones(&little_dog(), CLOCK, &lexicon).unwrap();
        let symbols = got.phones.iter().map(|p| p.symbol.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(symbols, "^ OW2 , L IH1 T AH0 L _ D AO1 G ?");
    }

    #[test]
    fn words_to_the_end_are_counted() {
        let words: Vec<_> = (0..5).map(|_| ("a", "")).collect();
        let segments: Vec<_> = (0..5).map(|w| ("ax", 20 * (w as u32 + 1), Some((false, w)))).collect();
        let (got, _) = timed_phones(&labels(&words, &segments), CLOCK, &no_lexicon).unwrap();
        let phrases: Vec<_> = got.phones.iter().map(|p| p.phrase_position).collect();
        // Start, five words, and a full stop that is understood.
        assert_eq!(phrases, [0, 3, 3, 2, 1, 0, 0]);
        assert_eq!(got.phones.last().unwrap().symbol, Symbol::from(Pause::Stop));
        assert_eq!(got.durations_frames, [0, 20, 20, 20, 20, 20, 0]);
    }

    #[test]
    fn frames_belong_to_the_phone_that_sounds_at_their_instant() {
        let clock = FrameClock { frame_count: 87, frames_per_second: 22_050.0 / 256.0 };
        let (got, _) = timed_phones(&little_dog(), clock, &no_lexicon).unwrap();
        assert_eq!(got.durations_frames.iter().sum::<u32>(), 87);
        // Frames 0 to 8 are at 0 to 0.0929 s, before the end of the first pause at 0.1 s.
        assert_eq!(got.durations_frames[0], 9);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let short = FrameClock { frame_count: 80, ..CLOCK };
        assert!(matches!(timed_phones(&little_dog(), short, &no_lexicon), Err(FeatureError::Times { .. })));
        let strange = labels(&[("a", ".")], &[("xx", 100, Some((true, 0)))]);
        assert!(matches!(timed_phones(&strange, CLOCK, &no_lexicon), Err(FeatureError::Phone { .. })));
        let mute = labels(&[("a", ".")], &[("pau", 100, None)]);
        assert!(matches!(timed_phones(&mute, CLOCK, &no_lexicon), Err(FeatureError::NoPhones)));
        let nowhere = labels(&[("a", ".")], &[("ax", 100, None)]);
        assert!(matches!(timed_phones(&nowhere, CLOCK, &no_lexicon), Err(FeatureError::Phone { .. })));
    }

    #[test]
    fn agreement_counts_words() {
        let (timed, words) = timed_phones(&little_dog(), CLOCK, &no_lexicon).unwrap();
        assert_eq!(words, ["oh", "little", "dog"]);
        let parse =
            |names: &str| names.split(' ').map(|name| Symbol::parse(name).unwrap()).collect::<Vec<_>>();
        let utterance: (&[Phone], &[String]) = (&timed.phones, &words);
        let agreement = Agreement::of([utterance, utterance], |word| match word {
            "oh" => Some(parse("OW2")),
            "dog" => Some(parse("D AO1 G")),
            _ => None,
        });
        assert_eq!((agreement.word_count, agreement.unknown_count), (6, 2));
        assert_eq!((agreement.same_count, agreement.same_phones_count), (2, 4));
        let example =
            Disagreement { word: "oh".into(), teacher: "OW1".into(), lexicon: "OW2".into(), count: 2 };
        assert_eq!(agreement.examples, [example]);
    }
}
