use super::*;
use crate::text::{Language, normalise_in};

/// The phones of a text.
fn phones(text: &str) -> String {
    let chunk = normalise_in(Language::Mandarin, text);
    let tokens: Vec<&Token> = chunk.tokens.iter().collect();
    let phones = pronunciations(&tokens).into_iter().flatten().flat_map(|word| word.phones);
    phones.map(|symbol| symbol.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_dictionary_is_read_whole() {
    assert!(DICTIONARY.lines().is_sorted_by_key(|line| line.split(' ').next()));
    for line in DICTIONARY.lines() {
        let mut fields = line.split(' ');
        let word = fields.next().unwrap();
        assert!(fields.next().unwrap().parse::<usize>().is_ok(), "{line}");
        let names = fields.next();
        assert_eq!(listed(word), names, "{line}");
        if let Some(names) = names {
            let syllables = Syllable::parse_all(names).unwrap();
            assert_eq!(syllables.len(), word.chars().count(), "{line}");
            assert!(syllables.iter().all(|syllable| !syllable.phones().is_empty()), "{line}");
        }
        assert!(jieba().has_word(word), "{line}");
    }
    assert_eq!((listed("一"), listed("不是词"), listed("")), (Some("yi1"), None, None));
}

#[test]
fn nothing_is_left_without_phones() {
    for text in ["龘靐齉", "〇", "欸", "嗯", "呣", "哼", "a", "Wi-Fi", "儿"] {
        assert!(!phones(text).is_empty(), "{text}");
    }
}

#[test]
fn sentences_are_said_as_by_people() {
    let rows = include_str!("../../../tests/data/mandarin.tsv").lines().filter(|row| !row.starts_with('#'));
    let mut wrong = Vec::new();
    for row in rows {
        let (text, said) = row.split_once('\t').unwrap();
        let syllables = Syllable::parse_all(&said.replace(' ', "")).unwrap();
        let wanted: Vec<String> =
            syllables.iter().flat_map(Syllable::phones).map(|symbol| symbol.to_string()).collect();
        let got = phones(text);
        if got != wanted.join(" ") {
            wrong.push(format!("{text}: {got}, not {}", wanted.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
