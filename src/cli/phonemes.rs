//! `fastglow phonemes`: each step from text to phones.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use clap::Args;
use fastglow::phoneme::{Pronouncer, Pronunciation, show_phones};
use fastglow::text::{Language, TextChunk, Token, normalise_in};
use serde_json::{Value, json};

use super::failure::Failure;
use super::lexicon;

/// Longest line of standard input, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 20;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The text. Without it, standard input is read line by line.
    text: Option<String>,

    /// Pronunciations that go before the lexicon: lines of a word, a tab, ARPAbet or /IPA/; or a .toml file.
    #[arg(long, value_name = "FILE")]
    lexicon: Option<PathBuf>,

    /// What the text is: a BCP 47 tag, `en` or `zh`.
    #[arg(long, value_name = "TAG", default_value = "en", value_parser = language)]
    language: Language,

    /// One JSON object for each line of the text.
    #[arg(long)]
    json: bool,
}

fn language(tag: &str) -> Result<Language, String> {
    Language::of_tag(tag).ok_or_else(|| "this program does not read it".into())
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let pronouncer = Pronouncer::of(arguments.language, lexicon::read(arguments.lexicon.as_deref())?);
    let show = |line: &str| super::print(&show_line(&pronouncer, line, arguments.json));
    if let Some(text) = &arguments.text {
        normalise_in(arguments.language, text).speakable()?;
        return text.lines().try_for_each(show);
    }
    let mut input = io::stdin().lock();
    let failed = |source| Failure::Io { what: "standard input", source };
    loop {
        let mut line = Vec::new();
        let bytes = (&mut input).take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line).map_err(failed)?;
        if bytes == 0 {
            return Ok(());
        }
        if bytes as u64 > MAX_LINE_BYTES {
            return Err(Failure::Usage {
                message: format!("standard input: a line of more than {MAX_LINE_BYTES} bytes"),
                hint: "break it into lines".into(),
            });
        }
        show(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']))?;
    }
}

fn show_line(pronouncer: &Pronouncer, line: &str, as_json: bool) -> String {
    let chunk = normalise_in(pronouncer.language(), line);
    let tokens: Vec<&Token> = chunk.tokens.iter().collect();
    let words = pronouncer.pronunciations(&tokens);
    let spoken = tokens.iter().zip(&words).filter_map(|(token, word)| Some((*token, word.as_ref()?)));
    let spoken: Vec<(&Token, &Pronunciation)> = spoken.collect();
    if as_json {
        let words = spoken.iter().map(|(token, word)| {
            json!({ "text": token.word().unwrap_or_default(), "phones": show_phones(&word.phones) })
        });
        let words: Vec<Value> = words.collect();
        let object = json!({ "input": line, "normalized": chunk.show(line), "words": words });
        return format!("{object}\n");
    }
    show_steps(line, &chunk, &spoken)
}

fn show_steps(line: &str, chunk: &TextChunk, spoken: &[(&Token, &Pronunciation)]) -> String {
    let mut shown = format!("text        {line}\nnormalized  {}\n", chunk.show(line));
    for part in &chunk.unspoken {
        let source = line.get(part.source.clone()).unwrap_or_default().escape_debug();
        shown.push_str(&format!("unspoken    {source} ({})\n", part.kind.name()));
    }
    for (token, word) in spoken {
        let text = token.word().unwrap_or_default();
        let source = line.get(token.source.clone()).unwrap_or_default();
        let (phones, origin) = (show_phones(&word.phones), word.origin.name());
        shown.push_str(&format!("  {source:<16} {text:<16} {phones:<32} {origin}\n"));
    }
    shown
}
