//! `fastglow bench front`: what reading costs, from text to phones, before any model.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use fastglow::engine::peak_rss_kb;
use fastglow::phoneme::Pronouncer;
use fastglow::text::{Chunker, ChunkerConfig, Pace, normalise};
use serde::Serialize;

use super::{Failure, print_json};

/// Lengths of the texts that grow.
const LENGTHS_BYTES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

#[derive(Debug, Args)]
pub struct Arguments {
    /// Sentences to read, one a line; else built-in replies of robots and kiosks.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Read each so many times.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Figures {
    words: usize,
    /// A sentence's time over its words.
    median_us_per_word: f64,
    p99_us_per_word: f64,
    /// The whole process, with dictionary and letter-to-sound model, after the sentences.
    peak_rss_kb: Option<u64>,
    growing: Vec<Growing>,
}

/// A longer text, in pieces of 64 bytes, through chunker and pronouncer.
#[derive(Debug, Serialize)]
struct Growing {
    text_bytes: usize,
    us_per_byte: f64,
    peak_rss_kb: Option<u64>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let sentences = super::replies(arguments.text.as_deref())?;
    let pronouncer = Pronouncer::new();
    let mut us_per_word = Vec::new();
    let mut words = 0;
    for round in 0..arguments.rounds {
        for sentence in &sentences {
            let start = Instant::now();
            let phones = pronouncer.pronounce(&normalise(sentence)).map_err(fastglow::Error::from)?;
            let elapsed = start.elapsed();
            let count = phones.words.len().max(1);
            us_per_word.push(elapsed.as_secs_f64() * 1e6 / count as f64);
            words += if round == 0 { count } else { 0 };
        }
    }
    us_per_word.sort_by(f64::total_cmp);
    let quantile = |share: f64| us_per_word[((us_per_word.len() - 1) as f64 * share) as usize];
    let (median_us_per_word, p99_us_per_word, peak_rss_kb) = (quantile(0.5), quantile(0.99), peak_rss_kb());
    let all = sentences.join(" ");
    let growing =
        LENGTHS_BYTES.iter().map(|&bytes| grow(&pronouncer, &all, bytes)).collect::<Result<_, _>>()?;
    let figures = Figures { words, median_us_per_word, p99_us_per_word, peak_rss_kb, growing };
    if arguments.json {
        return print_json(&figures);
    }
    println!(
        "{words} words, {} times: median {median_us_per_word:.0} µs a word, 99 % {p99_us_per_word:.0} µs; peak memory {}",
        arguments.rounds,
        super::megabytes(peak_rss_kb)
    );
    for row in &figures.growing {
        let memory = super::megabytes(row.peak_rss_kb);
        println!("{:>9} bytes: {:.2} µs a byte, peak memory {memory}", row.text_bytes, row.us_per_byte);
    }
    Ok(())
}

fn grow(pronouncer: &Pronouncer, text: &str, text_bytes: usize) -> Result<Growing, Failure> {
    let mut left: usize = text_bytes;
    let mut chunker = Chunker::new(ChunkerConfig::default());
    let mut pieces = text.as_bytes().chunks(64).cycle();
    let mut busy = Duration::ZERO;
    while left > 0 {
        let piece = pieces.next().unwrap_or_default();
        let piece = &piece[..piece.len().min(left)];
        left -= piece.len();
        let start = Instant::now();
        let mut rest = piece;
        while !rest.is_empty() {
            rest = &rest[chunker.push(rest).map_err(fastglow::Error::from)?..];
            read(pronouncer, &mut chunker)?;
        }
        if left == 0 {
            chunker.finish();
            read(pronouncer, &mut chunker)?;
        }
        busy += start.elapsed();
    }
    let us_per_byte = busy.as_secs_f64() * 1e6 / text_bytes as f64;
    Ok(Growing { text_bytes, us_per_byte, peak_rss_kb: peak_rss_kb() })
}

fn read(pronouncer: &Pronouncer, chunker: &mut Chunker) -> Result<(), Failure> {
    while let Some(chunk) = chunker.next_chunk(Pace::PATIENT) {
        if chunk.text.speakable().is_ok() {
            pronouncer.pronounce(&chunk.text).map_err(fastglow::Error::from)?;
        }
    }
    Ok(())
}
