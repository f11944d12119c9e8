//! Documents, and what they become.

use proptest::prelude::*;

use super::*;
use crate::text::normalise;

fn read(inside: &str) -> Script {
    Script::read(&format!("<speak>{inside}</speak>")).unwrap_or_else(|error| panic!("{inside}: {error}"))
}

/// What is spoken.
fn shown(inside: &str) -> String {
    let text = read(inside).text;
    normalise(&text).show(&text)
}

fn error(document: &str) -> String {
    Script::read(document).unwrap_err().to_string()
}

#[test]
fn the_text_is_what_is_spoken() {
    for (inside, expected) in [
        ("One &amp; two.", "one and two ."),
        ("\n  One\n  two <!-- three --><?four?><![CDATA[<five>]]>\n", "one two five"),
        ("<p>One</p><p><s>Two</s> <s>three?</s></p>", "one two three ?"),
        ("<sub alias=\"World Wide Web\">WWW</sub>!", "world wide web !"),
        ("<say-as interpret-as='characters'>A1</say-as>, not A1", "a one , not a one"),
        ("<say-as interpret-as=\"ordinal\">3</say-as>", "third"),
        ("<phoneme alphabet=\"ipa\" ph=\"təˈmɑːtoʊ\">Tomato</phoneme>", "tomato"),
        ("<emphasis>Do</emphasis> <w>it</w> <desc>not this</desc>now", "do it now"),
        ("<audio src='x.wav'>beep</audio>", "beep"),
        ("<ns:p xmlns:ns=\"x\">One</ns:p>", "one"),
        ("{x|EH1 K S}", "x"),
    ] {
        assert_eq!(shown(inside), expected, "{inside}");
    }
    let phones = |inside: &str| {
        let chunk = normalise(&read(inside).text);
        crate::phoneme::Pronouncer::new().pronounce(&chunk).unwrap().to_string()
    };
    assert_eq!(phones("<phoneme ph='təˈmɑːtoʊ'>tomato</phoneme>"), "^ T AH0 M AA1 T OW0 .");
    assert_eq!(phones("<phoneme alphabet='x-arpabet' ph='W ER1 D'/>"), "^ W ER1 D .");
    assert_eq!(phones("<phoneme ph='haɪ'>&#9829;|}</phoneme>"), "^ HH AY1 .");
}

#[test]
fn breaks_are_pauses_behind_the_word_before() {
    let pauses = |inside: &str| {
        let Script { text, directions } = read(inside);
        let pauses: Vec<_> = directions.pauses.iter().map(|pause| (pause.byte, pause.ms)).collect();
        (text, pauses)
    };
    assert_eq!(pauses("a <break time='1.5s'/> b"), ("a, b".into(), vec![(2, 1500)]));
    assert_eq!(pauses("a<break/>b"), ("a, b".into(), vec![(2, 400)]));
    assert_eq!(pauses("A. <break strength='x-strong'/>B"), ("A., B".into(), vec![(3, 1200)]));
    assert_eq!(pauses("a, <break time='20ms'/>b"), ("a, b".into(), vec![(2, 20)]));
    assert_eq!(pauses("a, <break strength='none'/>b"), ("a, b".into(), vec![(2, 0)]));
    assert_eq!(pauses("<break time='1s'/>a"), ("a".into(), vec![(0, 1000)]));
    assert_eq!(pauses("a<break time='1s'/><break time='2s'/>").1, [(2, 3000)], "they add up");
    assert_eq!(pauses("<p>a</p><break time='1s'/><p>b</p>").0, "a,\n\nb\n\n");
    assert_eq!(shown("5<break/>000"), "five , zero zero zero");
}

#[test]
fn marks_stand_before_or_behind_a_break() {
    let places = |inside: &str| {
        let directions = read(inside).directions;
        (directions.marks[0].byte, directions.pauses[0].byte)
    };
    let (mark, pause) = places("a <mark name='m'/> <break/> b");
    assert!(mark < pause);
    let (mark, pause) = places("a <break/> <mark name='m'/> b");
    assert!(mark > pause);
    let marks =
        read("<mark name='a'/>x y<mark name='b'/> z<sub alias='q'>w<mark name='c'/></sub>").directions.marks;
    let marks: Vec<_> = marks.iter().map(|mark| (mark.name.as_str(), mark.byte)).collect();
    assert_eq!(marks, [("a", 0), ("b", 3), ("c", 5)]);
}

#[test]
fn prosody_is_what_surrounds_a_word() {
    let script = read(
        "a <prosody rate='fast' pitch='+2st'>b <prosody pitch='+1st' volume='loud'>c</prosody> d</prosody> e",
    );
    assert_eq!(script.text, "a b c d e");
    let manner = |byte| {
        let Manner { rate, pitch_semitones, volume_db } = script.directions.manner_at(byte);
        (rate, pitch_semitones, volume_db)
    };
    assert_eq!(
        [0, 2, 4, 6, 8].map(manner),
        [(1.0, 0.0, 0.0), (1.25, 2.0, 0.0), (1.25, 3.0, 4.0), (1.25, 2.0, 0.0), (1.0, 0.0, 0.0)]
    );
}

#[test]
fn words_are_found_in_the_document() {
    let document = "<speak>One\n  &lt; <sub alias=\"two three\">23</sub><break/> four</speak>";
    let Script { text, directions } = Script::read(document).unwrap();
    let place = |word: &str| {
        let at = text.find(word).unwrap() as u64;
        let range = directions.document_range(at..at + word.len() as u64);
        &document[range.start as usize..range.end as usize]
    };
    assert_eq!((place("One"), place("<"), place("three"), place("four")), ("One", "&lt;", "23", "four"));
}

#[test]
fn what_the_voice_cannot_do_is_listed() {
    let document = "<speak xml:lang='en-GB'><voice name='ann'>a</voice><lang xml:lang='fr-FR'>b</lang>\
                    <say-as interpret-as='expletive'>c</say-as><prosody pitch='200Hz'>d</prosody><audio/></speak>";
    let directions = Script::read(document).unwrap().directions;
    let refused =
        |voice, language| directions.refused(voice, language).map(|(what, _)| what).collect::<Vec<_>>();
    let always = ["<say-as interpret-as='expletive'>", "<prosody pitch='200Hz'>", "<audio/>"];
    assert_eq!(refused("bob", "en-US")[..2], ["<voice name='ann'>", "<lang xml:lang='fr-FR'>"]);
    assert_eq!(refused("bob", "en-US")[2..], always);
    assert_eq!(refused("ann", "en")[..2], ["<lang xml:lang='fr-FR'>", always[0]]);
    let (_, place) = directions.refused("bob", "en").next().unwrap();
    assert_eq!(&document[place.start as usize..place.end as usize], "<voice name='ann'>");
}

#[test]
fn faults_have_their_place_and_a_hint() {
    for (document, expected) in [
        ("Hello", "line 1, column 1: expected one `<speak>` around everything"),
        ("", "line 1, column 1: expected one `<speak>`"),
        ("<speak/><speak/>", "line 1, column 9: expected one `<speak>`"),
        ("<speak>\n é <p>x</speak>", "line 2, column 8: expected `</p>`, got `</speak>`"),
        ("<speak></p></speak>", "line 1, column 8: expected `</speak>`, got `</p>`"),
        ("<speak></speak></p>", "line 1, column 16: expected no closing tag, got `</p>`"),
        ("<speak><p>", "line 1, column 8: `<p>` is not closed"),
        ("<speak>3 < 4</speak>", "line 1, column 10: `<` begins no tag"),
        ("<speak>AT&T</speak>", "line 1, column 10: `&` begins no entity"),
        ("<speak><mark name='x</speak>", "line 1, column 14: expected name=\"value\""),
        ("<speak><break time=1s/></speak>", "line 1, column 15: expected name=\"value\""),
        ("<speak><break time='1s' time='2s'/></speak>", "column 25: the attribute `time` is there twice"),
        (
            "<speak><break time='soon'/></speak>",
            "column 8: `time`: expected a length such as 500ms or 1.5s, got `soon`",
        ),
        ("<speak><break time='61s'/></speak>", "`time`: expected"),
        ("<speak><break time='40s'/><break time='40s'/></speak>", "column 27: `time`: expected at most 60s"),
        ("<speak><mark/></speak>", "column 8: `<mark>` lacks `name`"),
        ("<speak><phoneme ph='9'>x</phoneme></speak>", "column 8: `ph`: expected phones, got `9`"),
        ("<speak><prosody rate='quick'>x</prosody></speak>", "column 8: `rate`: expected"),
        ("<speak><![CDATA[x</speak>", "column 8: the end of a tag or comment is missing"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><speak/>", "line 1, column 1: a document type declaration"),
    ] {
        let said = error(document);
        assert!(said.contains(expected), "{document}: {said}");
        assert!(!Script::read(document).unwrap_err().hint().is_empty());
    }
}

#[test]
fn documents_have_limits() {
    let nested = |depth| format!("{}x{}", "<p>".repeat(depth), "</p>".repeat(depth));
    assert!(Script::read(&format!("<speak>{}</speak>", nested(MAX_DEPTH - 1))).is_ok());
    assert!(error(&format!("<speak>{}</speak>", nested(MAX_DEPTH))).contains("elements in each other"));
    assert!(error(&"<p>".repeat(100_000)).contains("expected one `<speak>`"));
    assert!(error(&" ".repeat(MAX_DOCUMENT_BYTES + 1)).contains("expected at most"));
    let letters =
        format!("<speak><say-as interpret-as='characters'>{}</say-as></speak>", "w".repeat(300_000));
    assert!(error(&letters).contains("expected at most"), "what it becomes is limited too");
    let attributes: String = (0..40).map(|i| format!(" a{i}='x'")).collect();
    assert!(Script::read(&format!("<speak{attributes}/>")).is_err());
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused_at_a_place_in_it(
        parts in prop::collection::vec(prop_oneof![
            any::<String>(),
            "[<>&;/\"'= a!?-]{0,12}",
            "</?(p|s|sub alias='x y'|prosody rate='fast'|voice name='a'|emphasis|say-as interpret-as='(characters|date|cardinal)')>",
            "<(break( time='[0-9]{1,3}m?s')?|mark name='x')/>",
            Just("<![CDATA[".to_string()),
        ], 0..12),
    ) {
        let document = format!("<speak>{}</speak>", parts.concat());
        match Script::read(&document) {
            Ok(Script { text, directions }) => {
                let length = text.len() as u64;
                let bytes = directions.marks.iter().map(|mark| mark.byte);
                let bytes: Vec<u64> = bytes.collect();
                prop_assert!(bytes.is_sorted() && bytes.iter().all(|&byte| byte <= length && text.is_char_boundary(byte as usize)));
                prop_assert!(directions.pauses.is_sorted_by_key(|pause| pause.byte));
                prop_assert!(directions.changes.is_sorted_by_key(|change| change.byte));
                prop_assert!(directions.sources.is_sorted_by_key(|source| source.byte));
                for at in 0..length {
                    let range = directions.document_range(at..at + 1);
                    prop_assert!(range.end <= document.len() as u64);
                }
            }
            Err(error) => {
                let line = document.lines().count().max(1) + 1;
                prop_assert!(error.line <= line && error.column >= 1);
            }
        }
    }

    #[test]
    fn well_formed_documents_are_read(
        parts in prop::collection::vec(prop_oneof![
            "[a-z .,!?]{0,20}",
            Just("<break/>".to_string()),
            Just("<mark name='x'/>".to_string()),
            "<p>[a-z ]{0,9}</p>",
            "<prosody rate='x-fast' volume='-6dB'>[a-z. ]{0,9}<break time='1s'/></prosody>",
            "<say-as interpret-as='characters'>[ -%'-;=?-~]{0,9}</say-as>",
        ], 0..30),
    ) {
        let document = format!("<speak>{}</speak>", parts.concat());
        prop_assert!(Script::read(&document).is_ok(), "{}", document);
    }
}
