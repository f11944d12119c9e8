//! Words become phones: the user's words, the lexicon, then endings of its words, then letter to sound.

use std::ops::Range;
use std::sync::Arc;

use super::{
    LetterToSound, Lexicon, Pause, Phone, PhonemeSeq, SequenceBuilder, Symbol, UserWords, WordSpan,
    letter_name,
};
use super::{heteronym, morphology};
use crate::text::{Language, TextChunk, TextError, Token, TokenKind};

/// Where a word's phones come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The text gives them.
    Text,
    /// The user lists the word.
    User,
    /// The lexicon lists the word.
    Lexicon,
    /// The word has two readings; the words around it tell which is meant.
    Context,
    /// The name of a letter.
    Letter,
    /// A word of the lexicon with an ending.
    Derived,
    /// The letter-to-sound model.
    LetterToSound,
}

impl Origin {
    /// In a word, for protocols.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Text => "text",
            Origin::User => "user",
            Origin::Lexicon => "lexicon",
            Origin::Letter => "letter",
            Origin::Derived => "derived",
            Origin::Context => "context",
            Origin::LetterToSound => "letter_to_sound",
        }
    }
}

/// A word's phones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pronunciation {
    /// In order; empty only for a word without letters.
    pub phones: Vec<Symbol>,
    /// Where they come from.
    pub origin: Origin,
}

/// A piece of text and what stands around it.
#[derive(Debug, Clone, Copy)]
pub struct Surrounded<'a> {
    /// What is to be spoken.
    pub text: &'a [Token],
    /// What was spoken just before.
    pub before: &'a [Token],
    /// What will be spoken next, as far as it is known.
    pub after: &'a [Token],
    /// Whether the sentence goes on beyond what is known.
    pub is_open: bool,
}

/// A sequence of which a part is to be spoken; the rest surrounds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhonemePart {
    /// All phones and words.
    pub seq: PhonemeSeq,
    /// Which phones are the text's own.
    pub phones: Range<usize>,
    /// Which words are.
    pub words: Range<usize>,
}

impl PhonemePart {
    /// The text's own phones and words, without what surrounds them.
    pub fn own(&self) -> PhonemeSeq {
        let first = self.words.start as u32;
        let own = |phone: &Phone| Phone { word: phone.word.map(|word| word - first), ..*phone };
        PhonemeSeq {
            phones: self.seq.phones[self.phones.clone()].iter().map(own).collect(),
            words: self.seq.words[self.words.clone()].to_vec(),
        }
    }
}

/// The pronouncer of a language. Cheap to make and to clone: its data lie in the program.
#[derive(Debug, Clone)]
pub struct Pronouncer {
    language: Language,
    user: Arc<UserWords>,
    lexicon: Lexicon<'static>,
    letter_to_sound: LetterToSound<'static>,
}

impl Default for Pronouncer {
    fn default() -> Self {
        Self::new()
    }
}

impl Pronouncer {
    /// An English pronouncer with the embedded lexicon and letter-to-sound model.
    pub fn new() -> Self {
        Self::with(Arc::default())
    }

    /// The same, with words of the user's own, which may change at any time.
    pub fn with(user: Arc<UserWords>) -> Self {
        Self::of(Language::English, user)
    }

    /// The same for any language. What Mandarin needs is read with the first one: a quarter of a second. The user's words
    /// are English.
    pub fn of(language: Language, user: Arc<UserWords>) -> Self {
        match language {
            Language::English => {}
            #[cfg(feature = "mandarin")]
            Language::Mandarin => super::mandarin::warm_up(),
        }
        let (lexicon, letter_to_sound) = (Lexicon::embedded(), LetterToSound::embedded());
        Self { language, user, lexicon, letter_to_sound }
    }

    /// What it reads.
    pub fn language(&self) -> Language {
        self.language
    }

    fn listed(&self, word: &str) -> Option<Vec<Symbol>> {
        self.user.get(word).or_else(|| self.lexicon.get(word))
    }

    /// The phones of a word by itself (lower case, ASCII letters and apostrophes).
    pub fn word(&self, word: &str) -> Pronunciation {
        if let Some(phones) = self.user.get(word) {
            return Pronunciation { phones, origin: Origin::User };
        }
        if let Some(phones) = self.lexicon.get(word) {
            return Pronunciation { phones, origin: Origin::Lexicon };
        }
        if let Some(phones) = morphology::derive(word, &|stem| self.listed(stem)) {
            return Pronunciation { phones, origin: Origin::Derived };
        }
        let phones = self.letter_to_sound.phones(word);
        if phones.is_empty() {
            // Nothing that sounds was found: what is left are the letters' names.
            return Pronunciation {
                phones: word.chars().flat_map(letter_name).collect(),
                origin: Origin::Letter,
            };
        }
        Pronunciation { phones, origin: Origin::LetterToSound }
    }

    /// The phones of a letter's name, with or without an ending: `b`, `b's`.
    pub fn letter(&self, letter: &str) -> Pronunciation {
        let (name, ending) = letter.split_once('\'').unwrap_or((letter, ""));
        let mut phones: Vec<Symbol> = name.chars().flat_map(letter_name).collect();
        if !ending.is_empty() {
            morphology::add_s(&mut phones);
        }
        Pronunciation { phones, origin: Origin::Letter }
    }

    /// Turns a chunk into phones with their positions, beginning with [`Pause::Start`](super::Pause::Start) and ending with a pause.
    ///
    /// # Errors
    /// There is no word in the chunk.
    pub fn pronounce(&self, chunk: &TextChunk) -> Result<PhonemeSeq, TextError> {
        chunk.speakable()?;
        let alone = Surrounded { text: &chunk.tokens, before: &[], after: &[], is_open: false };
        Ok(self.pronounce_within(alone)?.seq)
    }

    /// Turns a piece of text into phones together with the words around it, whose phones and positions depend on each
    /// other.
    ///
    /// # Errors
    /// There is no word in any of it.
    pub fn pronounce_within(&self, part: Surrounded<'_>) -> Result<PhonemePart, TextError> {
        let tokens: Vec<&Token> = part.before.iter().chain(part.text).chain(part.after).collect();
        let words = self.pronunciations(&tokens);
        let mut builder = SequenceBuilder::default();
        let mut counts = Vec::with_capacity(tokens.len() + 1);
        for (token, word) in tokens.iter().zip(words) {
            counts.push(builder.counts());
            match &token.kind {
                TokenKind::Pause(pause) => builder.pause(*pause),
                TokenKind::Word(spoken)
                | TokenKind::Letter(spoken)
                | TokenKind::Phones { word: spoken, .. } => {
                    let span = WordSpan { spoken: spoken.clone(), source: token.source.clone() };
                    builder.word(span, &word.map(|word| word.phones).unwrap_or_default());
                }
            }
        }
        counts.push(builder.counts());
        let (from, to) = (part.before.len(), part.before.len() + part.text.len());
        let seq = if part.is_open { builder.finish_open() } else { builder.finish() };
        let seq = seq.ok_or_else(|| TextError::NothingToSay { found: "words without letters".into() })?;
        // The start mark belongs to whatever comes first, the final pause to whatever comes last.
        let first_phone = if from == 0 { 0 } else { counts[from].0 };
        let end_phone = if to + 1 == counts.len() { seq.phones.len() } else { counts[to].0 };
        Ok(PhonemePart { phones: first_phone..end_phone, words: counts[from].1..counts[to].1, seq })
    }

    /// How each token sounds among the others, `None` for pauses.
    pub fn pronunciations(&self, tokens: &[&Token]) -> Vec<Option<Pronunciation>> {
        match self.language {
            Language::English => self.english(tokens),
            #[cfg(feature = "mandarin")]
            Language::Mandarin => super::mandarin::pronunciations(tokens),
        }
    }

    fn english(&self, tokens: &[&Token]) -> Vec<Option<Pronunciation>> {
        // A breath within a phrase parts no words that belong together.
        let is_breath = |token: &&Token| token.kind == TokenKind::Pause(Pause::Break);
        if tokens.iter().any(is_breath) {
            let others: Vec<&Token> = tokens.iter().copied().filter(|token| !is_breath(token)).collect();
            let mut words = self.english(&others).into_iter();
            let of_token = |token: &&Token| if is_breath(token) { None } else { words.next().flatten() };
            return tokens.iter().map(of_token).collect();
        }
        let mut words: Vec<Option<Pronunciation>> = Vec::with_capacity(tokens.len());
        for phrase in tokens.chunk_by(|a, b| a.word().is_some() && b.word().is_some()) {
            let spoken: Vec<&str> = phrase.iter().filter_map(|token| token.word()).collect();
            words.extend(phrase.iter().enumerate().map(|(at, token)| match &token.kind {
                TokenKind::Word(word) => Some(self.word_within(&spoken, at, word)),
                TokenKind::Letter(letter) => Some(self.letter(letter)),
                TokenKind::Phones { phones, .. } => {
                    Some(Pronunciation { phones: phones.clone(), origin: Origin::Text })
                }
                TokenKind::Pause(_) => None,
            }));
        }
        for index in 0..words.len() {
            let next = words.get(index + 1).and_then(|next| next.as_ref()?.phones.first().copied());
            if let (TokenKind::Word(word), Some(own)) = (&tokens[index].kind, &mut words[index]) {
                fit_to_next(word, &mut own.phones, next);
            }
        }
        words
    }

    /// The phones of `word`, which is `phrase[at]`; what the user says goes before everything.
    fn word_within(&self, phrase: &[&str], at: usize, word: &str) -> Pronunciation {
        match heteronym::phones(phrase, at).filter(|_| self.user.get(word).is_none()) {
            Some(phones) => Pronunciation { phones, origin: Origin::Context },
            None => self.word(word),
        }
    }
}

/// Function words that sound different before a vowel or at the end of a phrase.
fn fit_to_next(word: &str, phones: &mut [Symbol], next: Option<Symbol>) {
    let vowel_follows = next.is_some_and(Symbol::is_vowel);
    let replacement = match word {
        "the" if vowel_follows => "IY0",
        "to" if vowel_follows || next.is_none() => "UW1",
        _ => return,
    };
    if let (Some(last), Some(symbol)) = (phones.last_mut(), Symbol::parse(replacement)) {
        *last = symbol;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normalise;

    fn word(word: &str) -> (String, Origin) {
        let Pronunciation { phones, origin } = Pronouncer::new().word(word);
        (phones.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" "), origin)
    }

    #[test]
    fn asks_the_lexicon_first() {
        assert_eq!(word("robot"), ("R OW1 B AA2 T".into(), Origin::Lexicon));
        assert_eq!(word("kiosk's").1, Origin::Derived);
        assert_eq!(word("zorblick").1, Origin::LetterToSound);
        assert_eq!(word(""), (String::new(), Origin::Letter));
    }

    #[test]
    fn the_users_words_go_before_the_lexicon_and_count_at_once() {
        let words = Arc::new(UserWords::default());
        let pronouncer = Pronouncer::with(words.clone());
        words.read("robot\tR AO1 B\nzorblick\tZ OW1").unwrap();
        assert_eq!(pronouncer.word("robot").origin, Origin::User);
        assert_eq!(super::super::show_phones(&pronouncer.word("zorblick's").phones), "Z OW1 Z");
        words.set(Default::default());
        assert_eq!(pronouncer.word("robot").origin, Origin::Lexicon);
    }

    #[test]
    fn function_words_fit_what_follows() {
        let phones = |text: &str| Pronouncer::new().pronounce(&normalise(text)).unwrap().to_string();
        assert_eq!(phones("the dog"), "^ DH AH0 D AO1 G .");
        assert_eq!(phones("the apple"), "^ DH IY0 AE1 P AH0 L .");
        assert_eq!(phones("to go"), "^ T AH0 G OW1 .");
        assert_eq!(phones("to eat"), "^ T UW1 IY1 T .");
        assert_eq!(phones("come to, and"), "^ K AH1 M T UW1 , AE1 N D .");
    }

    #[test]
    fn letters_take_endings() {
        let letter = |text: &str| {
            let phones = Pronouncer::new().letter(text).phones;
            phones.iter().map(Symbol::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(letter("d"), "D IY1");
        assert_eq!(letter("d's"), "D IY1 Z");
        assert_eq!(letter("s's"), "EH1 S IH0 Z");
    }

    #[test]
    fn a_piece_is_pronounced_as_within_the_whole() {
        let pronouncer = Pronouncer::new();
        let tokens = normalise("Go to the, apple at once please").tokens;
        let (before, rest) = tokens.split_at(2);
        let (text, after) = rest.split_at(2);
        let part = pronouncer.pronounce_within(Surrounded { text, before, after, is_open: true }).unwrap();
        assert_eq!(part.seq.to_string(), "^ G OW1 T AH0 DH AH0 , AE1 P AH0 L AE1 T W AH1 N S P L IY1 Z");
        let own = part.own();
        assert_eq!(own.to_string(), "DH AH0 ,");
        assert_eq!(own.words.iter().map(|word| word.spoken.as_str()).collect::<Vec<_>>(), ["the"]);
        assert!(own.phones.iter().all(|phone| phone.word.is_none_or(|word| word == 0)));
        let whole = Surrounded { text: &tokens, before: &[], after: &[], is_open: false };
        let whole = pronouncer.pronounce_within(whole).unwrap();
        assert_eq!(whole.own(), whole.seq);
        assert!(whole.seq.to_string().ends_with("Z ."));
    }
}
