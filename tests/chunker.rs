//! Chunks just in time: where they end, what they wait for, and that no split of the text and no pace changes its words.

use fastglow::text::{
    Boundary, Chunk, Chunker, ChunkerConfig, ChunkerError, MAX_NUMBER_DIGITS, Pace, UnspokenKind, normalise,
};
use proptest::prelude::*;

/// Enough sound for a phrase, and for a clause.
const PHRASE: Pace = Pace { buffered_ms: 700, silent_ms: 0 };
const CLAUSE: Pace = Pace { buffered_ms: 2000, silent_ms: 0 };
const PACES: [Pace; 4] = [Pace::URGENT, PHRASE, CLAUSE, Pace::PATIENT];

fn chunker() -> Chunker {
    Chunker::new(ChunkerConfig { word_hold_ms: 1500, ..ChunkerConfig::default() })
}

fn take(chunker: &mut Chunker, pace: Pace) -> Vec<Chunk> {
    std::iter::from_fn(|| chunker.next_chunk(pace)).collect()
}

/// All chunks of a text that comes in parts; asked for after each.
fn chunks<'a>(parts: impl IntoIterator<Item = &'a [u8]>, pace: Pace) -> Vec<Chunk> {
    chunks_of(chunker(), parts, pace)
}

fn chunks_of<'a>(mut chunker: Chunker, parts: impl IntoIterator<Item = &'a [u8]>, pace: Pace) -> Vec<Chunk> {
    let mut all = Vec::new();
    for mut part in parts {
        while !part.is_empty() {
            let taken = chunker.push(part).unwrap();
            part = &part[taken..];
            let ready = take(&mut chunker, pace);
            assert!(taken > 0 || !ready.is_empty(), "full, and nothing to take");
            all.extend(ready);
        }
    }
    chunker.finish();
    all.extend(take(&mut chunker, pace));
    assert!(chunker.is_done());
    all
}

fn whole(text: &str, pace: Pace) -> Vec<Chunk> {
    chunks([text.as_bytes()], pace)
}

fn bytewise(text: &str, pace: Pace) -> Vec<Chunk> {
    chunks(text.as_bytes().chunks(1), pace)
}

fn words(chunks: &[Chunk]) -> Vec<&str> {
    chunks.iter().flat_map(|chunk| chunk.text.words()).collect()
}

fn sources(chunks: &[Chunk]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk.source.as_str()).collect()
}

/// What is ready before the text ends, as source, and what follows for certain.
fn ready(text: &str, pace: Pace) -> Vec<(String, String)> {
    let mut chunker = chunker();
    assert_eq!(chunker.push(text.as_bytes()).unwrap(), text.len());
    let ready = take(&mut chunker, pace).into_iter();
    ready.map(|chunk| (chunk.source, chunk.lookahead.words().collect::<Vec<_>>().join(" "))).collect()
}

/// The sources of what is ready before the text ends.
fn ready_sources(text: &str, pace: Pace) -> Vec<String> {
    ready(text, pace).into_iter().map(|(source, _)| source).collect()
}

#[test]
fn the_first_words_go_out_with_one_ahead() {
    for (text, source, ahead) in [
        ("The robot is rea", "The robot", "is"),
        ("Good morning everyone to", "Good morning", "everyone"),
        // A comma is better, and a word on it is still near.
        ("Sure, I ca", "Sure,", ""),
        ("Good evening sir, how ar", "Good evening sir,", ""),
        ("Hello there! How", "Hello there!", ""),
        // An article, a preposition, a title, a number cling to what follows.
        ("In the kitchen you wi", "In the kitchen", "you"),
        ("Walk to the lift and pre", "Walk to the lift", "and"),
        ("See Dr. Smith now ple", "See Dr. Smith", "now"),
        ("Take 3 apples from he", "Take 3 apples", "from"),
        ("Only $3.50 per head tod", "Only $3.50", "per"),
        ("It costs $3.50 per head tod", "It costs", "three dollars and"),
        // For ever is too long.
        ("of the in on at by from wi", "of the in on at", "by"),
        // What is written as one stays one.
        ("Twenty-one-year-old robots never sleep lo", "Twenty-one-year-old", "robots"),
    ] {
        let found = ready(text, Pace::URGENT);
        let (first, first_ahead) = found.first().unwrap_or_else(|| panic!("nothing of {text:?}"));
        assert_eq!((first.trim_start(), first_ahead.as_str()), (source, ahead), "{text:?}");
    }
}

#[test]
fn nothing_goes_out_that_may_still_change() {
    for text in [
        "",
        " ",
        "Yes",
        "Yes.",
        "The robo",
        "The robot is",
        "3",
        "It costs $3",
        "It costs $3 ",
        "It costs $3.",
        "It is 10:3",
        "It is 10 ",
        "Mail bob@robot.",
        "See No",
        "See Dr.",
        "On May 3",
        "The U.",
        "Say {tomato",
        "Say {tomato|T AH0 M",
    ] {
        let found = ready_sources(text, Pace::URGENT);
        assert_eq!(found, Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn a_sentence_goes_out_when_it_has_ended() {
    for (text, expected) in [
        ("Yes. ", vec!["Yes."]),
        ("Yes.\n", vec!["Yes.\n"]),
        ("Hello! ", vec!["Hello!"]),
        ("Hello!How ar", vec!["Hello!"]),
        ("He said \"Stop!\" an", vec!["He said \"Stop!\""]),
        ("Really?! Ye", vec!["Really?!"]),
        ("It is 3.14 now. No. 5 is here. Th", vec!["It is 3.14 now.", " No. 5 is here."]),
        ("I met Dr. Smith at 9 p.m. The en", vec!["I met Dr. Smith at 9 p.m."]),
        ("No.\n5 left", vec!["No.\n"]),
        ("Well... let us see. ", vec!["Well... let us see."]),
        ("1. Coffee with milk\n2. Tea\n3. ", vec!["1. Coffee with milk\n", "2. Tea\n"]),
    ] {
        assert_eq!(ready_sources(text, Pace::PATIENT), expected, "{text:?}");
    }
}

#[test]
fn the_more_sound_waits_the_better_the_boundary() {
    let text = "You can take the lift, or the stairs near the lobby, and walk to the second floor. Then ";
    let first = |buffered_ms| {
        let chunk = whole(text, Pace { buffered_ms, silent_ms: 0 }).remove(0);
        (chunk.source, chunk.ending)
    };
    let sentence = text.strip_suffix(" Then ").unwrap().to_string();
    assert_eq!(first(0), ("You can".into(), Boundary::Word));
    assert_eq!(first(400), ("You can take the lift,".into(), Boundary::Clause));
    assert_eq!(first(1500), ("You can take the lift,".into(), Boundary::Clause));
    assert_eq!(first(5000), (sentence.clone(), Boundary::Sentence));
    assert_eq!(first(u32::MAX), (sentence, Boundary::Sentence));
    let phrase = whole("Your table is ready now in the garden behind the house.", PHRASE).remove(0);
    assert_eq!((phrase.source.as_str(), phrase.ending), ("Your table is ready now", Boundary::Phrase));
    assert_eq!(phrase.lookahead.words().collect::<Vec<_>>(), ["in"]);
    assert_eq!(phrase.lookahead.tokens[0].source, 24..26);
}

#[test]
fn lines_are_spoken_as_they_come() {
    assert_eq!(ready_sources("Hello\n", Pace::PATIENT), ["Hello\n"]);
    assert_eq!(ready_sources("Coffee\nTea\n\nMilk", Pace::PATIENT), ["Coffee\n", "Tea\n"]);
    assert_eq!(
        ready_sources("You owe 5\nMarch is over\n", Pace::PATIENT),
        ["You owe 5\n", "March is over\n"]
    );
    let wrapped = "It was a bright cold day in the month of April, and the clocks were";
    let chunks = whole(&format!("{wrapped}\nstriking thirteen.\n"), Pace::PATIENT);
    assert_eq!(sources(&chunks), [format!("{wrapped}\nstriking thirteen.\n")]);
    assert_eq!(sources(&whole("Hi\r\nyou", Pace::PATIENT)), ["Hi\r\n", "you"]);
}

#[test]
fn text_without_punctuation_is_cut_at_the_best_place() {
    let text = "we drove along the river and the boats lay in the sun while the children ran over the bridge to the \
                market where the bakers sold bread from their carts because it was early in the day";
    let chunks = whole(text, Pace::PATIENT);
    assert_eq!(words(&chunks).join(" "), text);
    assert!(chunks.len() > 1);
    let config = ChunkerConfig::default();
    for chunk in &chunks {
        assert!(chunk.text.words().count() <= config.max_words);
    }
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk.ending == Boundary::Phrase));
    let ahead: Vec<_> = chunks[0].lookahead.words().collect();
    assert!(!ahead.is_empty() && words(&chunks[1..]).join(" ").starts_with(&ahead.join(" ")), "{ahead:?}");
}

#[test]
fn a_silent_source_gets_its_whole_words_spoken() {
    let at = |silent_ms| Pace { buffered_ms: 0, silent_ms };
    for (text, held, long_held) in [
        ("Hello", None, Some("Hello")),
        ("Hello ", Some("Hello"), Some("Hello ")),
        ("Hello.", Some("Hello."), Some("Hello.")),
        ("Hello, ", None, None),
        ("Hello the", Some("Hello"), Some("Hello the")),
        ("Hello and the ", Some("Hello"), Some("Hello and the ")),
        ("Pay $3", Some("Pay"), Some("Pay $3")),
        ("Pay $3.", Some("Pay"), Some("Pay $3.")),
        ("the", None, Some("the")),
        ("Twenty-", None, Some("Twenty-")),
        ("Twenty-o", None, Some("Twenty-o")),
        ("See Dr.", Some("See"), Some("See Dr.")),
    ] {
        for (pace, expected) in [(at(0), None), (at(299), None), (at(300), held), (at(1500), long_held)] {
            let mut chunker = chunker();
            chunker.push(text.as_bytes()).unwrap();
            if text == "Hello, " {
                assert_eq!(chunker.next_chunk(Pace::URGENT).unwrap().source, "Hello,");
            }
            let chunk = chunker.next_chunk(pace);
            assert_eq!(chunk.as_ref().map(|chunk| chunk.source.as_str()), expected, "{text:?} {pace:?}");
            assert!(chunk.is_none_or(|chunk| chunk.ending >= Boundary::Phrase));
        }
    }
}

#[test]
fn silence_does_not_end_the_text() {
    let mut chunker = chunker();
    let long = Pace { buffered_ms: 0, silent_ms: 5000 };
    chunker.push(b"I went to the ma").unwrap();
    let first = chunker.next_chunk(Pace { silent_ms: 0, ..long }).unwrap();
    assert_eq!(first.source, "I went");
    let second = chunker.next_chunk(long).unwrap();
    assert_eq!((second.source.as_str(), second.ending), (" to the ma", Boundary::Phrase));
    assert_eq!(chunker.next_chunk(long), None);
    assert_eq!(chunker.next_deadline_ms(long), None);
    assert!(!chunker.is_done());
    chunker.push(b"rket. ").unwrap();
    assert_eq!(chunker.next_chunk(Pace::PATIENT).unwrap().source, "rket.");
    chunker.finish();
    assert_eq!(chunker.next_chunk(Pace::PATIENT).unwrap().text.words().count(), 0);
    assert!(chunker.is_done());
}

#[test]
fn says_when_to_ask_again() {
    let mut chunker = chunker();
    let pace = |buffered_ms, silent_ms| Pace { buffered_ms, silent_ms };
    assert_eq!(chunker.next_deadline_ms(pace(0, 0)), None, "nothing waits");
    chunker.push(b"  ").unwrap();
    assert_eq!(chunker.next_deadline_ms(pace(0, 0)), None, "nothing that could be said");
    chunker.push(b"Hello the").unwrap();
    for (pace, expected) in [
        (pace(0, 0), Some(300)),
        (pace(0, 100), Some(200)),
        (pace(0, 300), Some(1200)),
        (pace(0, 1500), None),
        (pace(3000, 0), Some(501)),
        (pace(2499, 10), Some(1500)),
        (pace(999, 400), Some(650)),
        (pace(u32::MAX, 400), None),
    ] {
        assert_eq!(chunker.next_deadline_ms(pace), expected, "{pace:?}");
    }
    // Asking then and only then is enough.
    let (mut now, mut said) = (pace(5000, 0), Vec::new());
    while let Some(wait_ms) = chunker.next_deadline_ms(now) {
        now = pace(now.buffered_ms.saturating_sub(wait_ms), now.silent_ms + wait_ms);
        said.extend(chunker.next_chunk(now).map(|chunk| (now.silent_ms, chunk.source)));
    }
    assert_eq!(said, [(4651, "  Hello the".to_string())]);
}

#[test]
fn texts_without_words_end_cleanly() {
    for (text, kind) in [
        (".", Some(UnspokenKind::Punctuation)),
        ("?!\n", Some(UnspokenKind::Punctuation)),
        ("🪑", Some(UnspokenKind::Emoji)),
        ("\u{7}", Some(UnspokenKind::Control)),
        ("мир", Some(UnspokenKind::Script)),
        (" \n ", None),
    ] {
        for pace in PACES {
            let chunks = bytewise(text, pace);
            assert_eq!(sources(&chunks).concat(), text);
            assert!(chunks.iter().all(|chunk| chunk.text.tokens.is_empty()));
            let found = chunks.iter().flat_map(|chunk| &chunk.text.unspoken).next();
            assert_eq!(found.map(|unspoken| unspoken.kind), kind, "{text:?}");
        }
    }
    assert_eq!(whole("", Pace::URGENT), []);
    let yes = whole("Yes.", Pace::URGENT);
    assert_eq!((sources(&yes), yes[0].ending), (vec!["Yes."], Boundary::Sentence));
}

#[test]
fn what_is_unspoken_is_reported_where_it_stands() {
    let chunks = bytewise("Hi 🪑🪑. Look: мир, and 🪑 ", Pace::URGENT);
    let found: Vec<_> = chunks
        .iter()
        .flat_map(|chunk| {
            chunk.text.unspoken.iter().map(|part| (part.kind, &chunk.source[part.source.clone()]))
        })
        .collect();
    assert_eq!(
        found,
        [(UnspokenKind::Emoji, "🪑🪑"), (UnspokenKind::Script, "мир"), (UnspokenKind::Emoji, "🪑")]
    );
}

#[test]
fn bad_bytes_are_repaired_wherever_they_are_cut() {
    let bytes = b"Good \xff morning to \xe2\x82 you. All \xf0\x9f\xa4 is we\xffll. Bye \xc3";
    let expected = whole(&String::from_utf8_lossy(bytes), Pace::URGENT);
    for size in 1..bytes.len() {
        let chunks = chunks(bytes.chunks(size), Pace::URGENT);
        assert_eq!(sources(&chunks), sources(&expected), "{size}");
        assert_eq!(words(&chunks), words(&expected), "{size}");
        for chunk in &chunks {
            assert_eq!(chunk.is_repaired, chunk.source.contains('\u{fffd}'), "{chunk:?}");
        }
    }
}

#[test]
fn endless_text_stays_bounded() {
    let config = ChunkerConfig::default();
    for unit in [
        "a", "1", ".", " ", "\n", "-", "a.", "1,", "1.", "1-", "'", "é", "\u{301}", "a\u{301}", "🪑", "мир",
        "A.b@", "(", "/a", "$5-", "word ", "1 ", "St. ", "aΩ ", "\u{200b}", "x-", "USA ", "MAYBE ", "U.S.",
    ] {
        let text = unit.repeat(100_000 / unit.len());
        for pace in [Pace::URGENT, Pace::PATIENT] {
            let chunks = chunks(text.as_bytes().chunks(777), pace);
            assert!(sources(&chunks).concat() == text, "{unit:?}");
            assert!(words(&chunks) == normalise(&text).words().collect::<Vec<_>>(), "{unit:?}");
            let mut expected_start = 0;
            for chunk in &chunks {
                assert_eq!(chunk.start_byte, expected_start);
                expected_start += chunk.source.len() as u64;
                assert!(chunk.source.len() <= 4 * config.max_bytes, "{unit:?}: {} bytes", chunk.source.len());
                let words = chunk.text.words().count();
                assert!(words <= config.max_words.max(MAX_NUMBER_DIGITS), "{unit:?}: {words} words");
            }
        }
    }
}

#[test]
fn a_full_chunker_says_so_and_has_a_chunk() {
    let mut chunker = chunker();
    let text = "word ".repeat(10_000);
    let taken = chunker.push(text.as_bytes()).unwrap();
    let limit = ChunkerConfig::default().max_pending_bytes;
    assert!((limit..limit + 8).contains(&taken), "{taken}");
    assert_eq!(chunker.push(&text.as_bytes()[taken..]).unwrap(), 0);
    let chunk = chunker.next_chunk(Pace::PATIENT).unwrap();
    assert!(chunker.push(&text.as_bytes()[taken..]).unwrap() >= chunk.source.len());
}

#[test]
fn a_finished_text_takes_no_more_and_a_reset_begins_another() {
    let mut chunker = chunker();
    chunker.push(b"Some text \xe2").unwrap();
    chunker.finish();
    assert_eq!(chunker.push(b"more"), Err(ChunkerError::Finished { got_bytes: 4 }));
    chunker.reset();
    chunker.push(b"Other text").unwrap();
    chunker.finish();
    let chunks = take(&mut chunker, Pace::PATIENT);
    assert_eq!((sources(&chunks), chunks[0].start_byte), (vec!["Other text"], 0));
}

/// The same for Mandarin.
#[cfg(feature = "mandarin")]
fn mandarin_snippets() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "你好",
        "年",
        "月",
        "日",
        "第",
        "打",
        "室",
        "个",
        "万",
        "亿",
        "2",
        "05",
        "12",
        "2024",
        "110",
        "13812345678",
        "1,000",
        "3.5",
        "10:30",
        ".",
        ",",
        "。",
        "，",
        "：",
        ":",
        "-",
        "~",
        "～",
        "/",
        "¥",
        "$",
        "%",
        "％",
        "℃",
        "°C",
        "kg",
        "km/h",
        "m²",
        "kWh",
        "A",
        "Wi-Fi",
        "+",
        "=",
        " ",
        "\n",
        "\n\n",
        "！",
        "“",
        "”",
        "（",
        "🪑",
        "{好|HH AW1}",
        "{",
        "|",
    ]);
    prop::collection::vec(parts, 0..30).prop_map(|parts| parts.concat())
}

/// Text made of what the classes look ahead for.
fn snippets() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "{word|W ER1 D}",
        "{东京|T OW1}",
        "{word|W ER D}",
        "{",
        "|",
        "}",
        "3",
        "05",
        "12",
        "1999",
        "1,000",
        "3.5",
        "10:30",
        "3rd",
        ".",
        ",",
        ":",
        "-",
        "–",
        "/",
        "$",
        "$3",
        "€",
        "%",
        "°C",
        " ",
        " ",
        " ",
        " ",
        "\n",
        "\n\n",
        "'",
        "’",
        "s",
        "th",
        "pm",
        "p.m.",
        "Dr.",
        "Dr",
        "St.",
        "No.",
        "U.S.",
        "km",
        "sq ft",
        "million",
        "March",
        "May",
        "A",
        "a",
        "I",
        "USA",
        "NASA",
        "LED",
        "ZORB",
        "STOP",
        "IV",
        "Henry",
        "iPhone",
        "re",
        "the",
        "of",
        "and",
        "robot",
        "don't",
        "x",
        "+",
        "(",
        ")",
        "#",
        "@",
        "&",
        "½",
        "²",
        "π",
        "πι",
        "é",
        "e\u{301}",
        "🪑",
        "мир",
        "\u{7}",
        "\u{200d}",
        "www.",
        ".com",
        "https://",
        "e.g.",
        "o'clock",
        "\"",
        "…",
        "...",
        "!",
        "?",
        "?! ",
        ". ",
        ", ",
        "ﬁ",
        "Ω",
        "6'2\"",
        "+1 555",
        "(555) 123-4567",
    ]);
    prop::collection::vec(parts, 0..60).prop_map(|parts| parts.concat())
}

fn assert_one_text(text: &str, cuts: &[usize]) {
    let spoken = normalise(text);
    let said: Vec<&str> = spoken.words().collect();
    for pace in PACES {
        let expected = whole(text, pace);
        assert_eq!(sources(&expected).concat(), text);
        assert_eq!(words(&expected), said, "{pace:?} {text:?}");
        for chunk in &expected {
            let length = chunk.source.len();
            for token in &chunk.text.tokens {
                assert!(chunk.source.get(token.source.clone()).is_some(), "{token:?} of {chunk:?}");
            }
            for part in &chunk.text.unspoken {
                assert!(chunk.source.get(part.source.clone()).is_some(), "{part:?} of {chunk:?}");
            }
            assert!(chunk.lookahead.tokens.iter().all(|token| token.source.start >= length));
            assert!(chunk.lookahead.words().count() <= 3);
        }
        assert_eq!(bytewise(text, pace), expected, "byte by byte, {pace:?} {text:?}");
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]);
        assert_eq!(chunks(parts, pace), expected, "cut at {cuts:?}, {pace:?} {text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_split_changes_the_chunks(text in snippets(), cuts in prop::collection::vec(0usize..4000, 0..8)) {
        assert_one_text(&text, &cuts);
    }

    #[test]
    fn no_split_changes_any_text(text in "(?s).{0,300}", cuts in prop::collection::vec(0usize..4000, 0..8)) {
        assert_one_text(&text, &cuts);
    }

    #[test]
    #[cfg(feature = "mandarin")]
    fn no_split_changes_mandarin(
        text in mandarin_snippets(),
        cuts in prop::collection::vec(0usize..4000, 0..8),
    ) {
        use fastglow::text::{Language, normalise_in};

        let chunker = || {
            Chunker::new(ChunkerConfig { word_hold_ms: 1500, ..ChunkerConfig::of(Language::Mandarin) })
        };
        let said = normalise_in(Language::Mandarin, &text);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        for pace in PACES {
            let expected = chunks_of(chunker(), [text.as_bytes()], pace);
            prop_assert_eq!(sources(&expected).concat(), text.as_str());
            prop_assert_eq!(words(&expected), said.words().collect::<Vec<_>>());
            prop_assert_eq!(&chunks_of(chunker(), text.as_bytes().chunks(1), pace), &expected);
            let parts = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]);
            prop_assert_eq!(&chunks_of(chunker(), parts, pace), &expected);
        }
    }

    #[test]
    fn whatever_the_pace_no_byte_is_lost(
        bytes in snippets().prop_map(String::into_bytes),
        steps in prop::collection::vec((1usize..20, 0u32..4000, 0u32..2000), 1..60),
    ) {
        let mut chunker = chunker();
        let (mut all, mut rest) = (Vec::new(), &bytes[..]);
        for (size, buffered_ms, silent_ms) in steps {
            let (part, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            prop_assert_eq!(chunker.push(part).unwrap(), part.len());
            all.extend(take(&mut chunker, Pace { buffered_ms, silent_ms }));
        }
        // A silence long enough leaves nothing that can be said.
        all.extend(take(&mut chunker, Pace { buffered_ms: 0, silent_ms: 2000 }));
        prop_assert_eq!(chunker.next_deadline_ms(Pace { buffered_ms: 0, silent_ms: 2000 }), None);
        chunker.push(rest).unwrap();
        chunker.finish();
        all.extend(take(&mut chunker, Pace::PATIENT));
        prop_assert!(chunker.is_done());
        prop_assert_eq!(sources(&all).concat().into_bytes(), bytes);
        prop_assert_eq!(all.iter().map(|chunk| chunk.start_byte).next().unwrap_or(0), 0);
    }
}
