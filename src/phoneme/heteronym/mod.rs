//! Words written alike that sound different: `record`, `read`, `live`. The words around them tell which is meant.

mod context;
mod stress;

use context::{Context, Usage};
use stress::NOUN_AND_VERB;

use super::Symbol;
use super::morphology;

/// The phones of `words[at]` if it has two readings and its phrase tells which is meant; `None` leaves the lexicon's.
///
/// `words` are those of one phrase: nothing is read across a pause.
pub(super) fn phones(words: &[&str], at: usize) -> Option<Vec<Symbol>> {
    let near = |index: Option<usize>| index.and_then(|index| words.get(index)).copied();
    let context = Context {
        before: [1, 2, 3].map(|steps| near(at.checked_sub(steps))),
        after: [1, 2].map(|steps| near(at.checked_add(steps))),
    };
    let word = words.get(at)?;
    if let Some(names) = particular(word, &context) {
        return Some(parse(names));
    }
    let listed = |word: &str| NOUN_AND_VERB.iter().find(|(name, ..)| *name == word);
    if let Some((_, noun, verb)) = listed(word) {
        return Some(parse(match context.usage()? {
            Usage::Noun => noun,
            // `is present`, but `has set a record`.
            Usage::Predicate => noun,
            Usage::Verb => verb,
            Usage::Participle => return None,
        }));
    }
    let (_, noun, verb) = listed(word.strip_suffix('s')?)?;
    let is_verb =
        context.follows_third_person() || (context.precedes_object() && !context.follows_determiner());
    let mut phones = parse(if is_verb { verb } else { noun });
    morphology::add_s(&mut phones);
    Some(phones)
}

fn parse(names: &str) -> Vec<Symbol> {
    names.split(' ').filter_map(Symbol::parse).collect()
}

/// Words whose readings differ in more than noun and verb.
fn particular(word: &str, context: &Context<'_>) -> Option<&'static str> {
    let usage = context.usage();
    let is_verb = usage == Some(Usage::Verb);
    let names = match word {
        "read" if matches!(usage, Some(Usage::Participle | Usage::Predicate)) => "R EH1 D",
        "read" if context.follows_third_person() && !context.precedes(&["only"]) => "R EH1 D",
        "lead" if context.precedes(LEAD_METAL) || context.follows(&["molten", "contains", "contain"]) => {
            "L EH1 D"
        }
        "lead" if context.follows(&["of"]) && context.after[0].is_none() => "L EH1 D",
        "live" if context.precedes(LIVE_SHOWS) || context.follows(GOES_LIVE) => "L AY1 V",
        "live" if usage == Some(Usage::Noun) || usage == Some(Usage::Predicate) => "L AY1 V",
        "lives" if usage == Some(Usage::Noun) || context.follows(SAVES_LIVES) => "L AY1 V Z",
        "close" if context.precedes(&["to", "by", "enough"]) || context.precedes(CLOSE_THINGS) => "K L OW1 S",
        "close" if usage == Some(Usage::Predicate) || context.follows(STAYS_CLOSE) => "K L OW1 S",
        "close" if is_verb || context.precedes_object() => "K L OW1 Z",
        "used" if context.precedes(&["to"]) && !context.follows_be() => "Y UW1 S T",
        "content" if usage == Some(Usage::Predicate) => "K AH0 N T EH1 N T",
        "content" if is_verb => "K AH0 N T EH1 N T",
        "wind" if is_verb || context.precedes(&["up", "down"]) => "W AY1 N D",
        "winds" if context.follows_third_person() || context.precedes(&["up", "down"]) => "W AY1 N D Z",
        "tear" if context.precedes(&["gas", "drop", "drops", "duct", "ducts", "rolled", "fell", "ran"]) => {
            "T IH1 R"
        }
        "tears" if context.follows_third_person() => "T EH1 R Z",
        "tears" if !context.precedes_object() => "T IH1 R Z",
        "bow" if is_verb || context.precedes(&["before", "down"]) => "B AW1",
        "bow" if context.before[1].is_some_and(|verb| matches!(verb, "take" | "takes" | "took")) => "B AW1",
        "minute" if context.precedes(MINUTE_THINGS) || context.follows(&["very", "extremely"]) => {
            "M AY0 N UW1 T"
        }
        "wound" if context.precedes(&["up", "down", "around"]) => "W AW1 N D",
        "bass" if context.precedes(&["fishing", "boat"]) || context.follows(&["sea", "largemouth"]) => {
            "B AE1 S"
        }
        "row" if context.precedes(&["broke", "erupted"]) => "R AW1",
        "dove" if context.precedes(&["into", "off", "under", "in"]) => "D OW1 V",
        "does" if context.follows(&["two", "three", "the"]) && context.precedes(&["and"]) => "D OW1 Z",
        "resume" if usage == Some(Usage::Noun) => "R EH1 Z AH0 M EY2",
        "invalid" if context.follows(&["an"]) && context.after[0].is_none() => "IH1 N V AH0 L AH0 D",
        "invalid" => "IH0 N V AE1 L AH0 D",
        "sow" if usage == Some(Usage::Noun) => "S AW1",
        "aged" if context.precedes(&["people", "person", "care"]) => "EY1 JH IH0 D",
        "learned" if context.precedes(&["man", "men", "friend", "scholar", "society"]) => "L ER1 N IH0 D",
        _ => return None,
    };
    Some(names)
}

/// What is made of, or has to do with, the metal.
const LEAD_METAL: &[&str] = &[
    "acid",
    "battery",
    "batteries",
    "bullet",
    "bullets",
    "ore",
    "paint",
    "pipe",
    "pipes",
    "poisoning",
    "shield",
    "shielding",
    "solder",
    "weight",
    "weights",
];
/// What happens, or is shown, live.
const LIVE_SHOWS: &[&str] = &[
    "action",
    "album",
    "ammunition",
    "audience",
    "band",
    "broadcast",
    "broadcasts",
    "chat",
    "concert",
    "concerts",
    "coverage",
    "demo",
    "event",
    "events",
    "feed",
    "from",
    "music",
    "news",
    "performance",
    "performances",
    "recording",
    "session",
    "show",
    "shows",
    "stream",
    "streaming",
    "streams",
    "television",
    "tv",
    "updates",
    "version",
    "video",
    "wire",
    "wires",
];
const GOES_LIVE: &[&str] = &["go", "goes", "going", "gone", "went", "broadcast", "streamed", "performed"];
const SAVES_LIVES: &[&str] = &[
    "save", "saves", "saved", "saving", "cost", "lost", "lose", "change", "changed", "human", "own", "other",
];
const CLOSE_THINGS: &[&str] = &[
    "attention",
    "call",
    "contact",
    "encounter",
    "eye",
    "family",
    "finish",
    "friend",
    "friends",
    "look",
    "proximity",
    "quarters",
    "race",
    "range",
    "relationship",
    "relative",
    "second",
    "ties",
    "together",
    "up",
];
const STAYS_CLOSE: &[&str] = &[
    "as", "came", "come", "comes", "draw", "get", "gets", "getting", "got", "how", "pretty", "quite", "so",
    "stand", "stay", "stayed", "too", "very",
];
const MINUTE_THINGS: &[&str] = &[
    "amount",
    "amounts",
    "detail",
    "details",
    "difference",
    "differences",
    "particles",
    "quantities",
    "traces",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A phrase, which of its words is meant, its phones; nothing where the lexicon's reading stands.
    const CASES: &[(&str, &str, &str)] = &[
        ("set a new record", "record", "R EH1 K ER0 D"),
        ("please record the call", "record", "R IH0 K AO1 R D"),
        ("they will not record it", "record", "R IH0 K AO1 R D"),
        ("record your message", "record", "R IH0 K AO1 R D"),
        ("the record is old", "record", "R EH1 K ER0 D"),
        ("it records everything", "records", "R IH0 K AO1 R D Z"),
        ("the medical records", "records", "R EH1 K ER0 D Z"),
        ("i have read it", "read", "R EH1 D"),
        ("it was read aloud", "read", "R EH1 D"),
        ("she read the book", "read", "R EH1 D"),
        ("to read the book", "read", ""),
        ("you can read it", "read", ""),
        ("lead pipes are old", "lead", "L EH1 D"),
        ("they lead the way", "lead", ""),
        ("we are live from paris", "live", "L AY1 V"),
        ("a live concert", "live", "L AY1 V"),
        ("i live in paris", "live", ""),
        ("he lives here", "lives", ""),
        ("their lives changed", "lives", "L AY1 V Z"),
        ("it can save lives", "lives", "L AY1 V Z"),
        ("the use of force", "use", "Y UW1 S"),
        ("use the door", "use", "Y UW1 Z"),
        ("ready for use", "use", "Y UW1 S"),
        ("i used to sing", "used", "Y UW1 S T"),
        ("it is used to cut", "used", ""),
        ("close the door", "close", "K L OW1 Z"),
        ("stand close to me", "close", "K L OW1 S"),
        ("a close friend", "close", "K L OW1 S"),
        ("present the results", "present", "P R IY0 Z EH1 N T"),
        ("a birthday present", "present", "P R EH1 Z AH0 N T"),
        ("at present we wait", "present", "P R EH1 Z AH0 N T"),
        ("i object", "object", "AH0 B JH EH1 K T"),
        ("that object moved", "object", "AA1 B JH EH0 K T"),
        ("he is content", "content", "K AH0 N T EH1 N T"),
        ("the content is new", "content", ""),
        ("wind up the clock", "wind", "W AY1 N D"),
        ("the wind blows", "wind", ""),
        ("tear gas", "tear", "T IH1 R"),
        ("tear the paper", "tear", ""),
        ("you must bow", "bow", "B AW1"),
        ("they took a bow", "bow", "B AW1"),
        ("a bow and arrow", "bow", ""),
        ("wait a minute", "minute", ""),
        ("in minute detail", "minute", "M AY0 N UW1 T"),
        ("do not desert us", "desert", "D IH0 Z ER1 T"),
        ("the desert is dry", "desert", "D EH1 Z ER0 T"),
        ("i refuse", "refuse", "R AH0 F Y UW1 Z"),
        ("the refuse bin", "refuse", "R EH1 F Y UW2 Z"),
        ("send your resume", "resume", "R EH1 Z AH0 M EY2"),
        ("we estimate the cost", "estimate", "EH1 S T AH0 M EY2 T"),
        ("an estimate of cost", "estimate", "EH1 S T AH0 M AH0 T"),
    ];

    #[test]
    fn the_words_around_tell() {
        for (phrase, word, expected) in CASES {
            let words: Vec<&str> = phrase.split(' ').collect();
            let at = words.iter().position(|w| w == word).unwrap();
            let phones = phones(&words, at).unwrap_or_default();
            let names: Vec<String> = phones.iter().map(Symbol::to_string).collect();
            assert_eq!(names.join(" "), *expected, "{word} in `{phrase}`");
        }
    }

    #[test]
    fn tables_hold_phones() {
        for (word, noun, verb) in NOUN_AND_VERB {
            for names in [noun, verb] {
                assert_eq!(parse(names).len(), names.split(' ').count(), "{word}: {names}");
            }
            assert_ne!(noun, verb, "{word}");
        }
        assert!(NOUN_AND_VERB.is_sorted_by_key(|(word, ..)| *word));
    }
}
