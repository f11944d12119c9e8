//! The pronunciation files that are part of the program, from a dictionary in CMUdict's text format.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use super::TrainError;
use crate::atomic_file;
use crate::phoneme::{
    DictionaryError, LetterToSound, LetterToSoundConfig, LetterToSoundReport, compile_lexicon,
    evaluate_letter_to_sound, train_letter_to_sound,
};

/// CMUdict has 3.6 MB.
const MAX_DICTIONARY_BYTES: u64 = 64 << 20;

/// Compiles the dictionary at `from`, with our supplement, to the lexicon file `to`; returns its size in bytes.
///
/// # Errors
/// The dictionary cannot be read or is not one, or the file cannot be written.
pub fn make_lexicon(from: &Path, to: &Path) -> Result<usize, TrainError> {
    let bytes = compile_lexicon(&read(from)?).map_err(|source| refused(from, source))?;
    write(to, &bytes)?;
    Ok(bytes.len())
}

/// Trains the letter-to-sound model on the dictionary at `from`, writes it to `to`, and measures it on the words held out.
///
/// # Errors
/// As [`make_lexicon`].
pub fn make_letter_to_sound(from: &Path, to: &Path) -> Result<LetterToSoundReport, TrainError> {
    let text = read(from)?;
    let bytes = train_letter_to_sound(&text, &LetterToSoundConfig::default())
        .map_err(|source| refused(from, source))?;
    let model = LetterToSound::from_bytes(&bytes)
        .ok_or_else(|| TrainError::damaged(to, "the model just trained cannot be read"))?;
    let report = evaluate_letter_to_sound(&model, &text).map_err(|source| refused(from, source))?;
    write(to, &bytes)?;
    Ok(report)
}

fn read(path: &Path) -> Result<String, TrainError> {
    let io = |e| TrainError::io(path, e);
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(MAX_DICTIONARY_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= MAX_DICTIONARY_BYTES);
    text.ok_or_else(|| refused(path, DictionaryError::NotText { most_bytes: MAX_DICTIONARY_BYTES }))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    atomic_file::write(path, |file| file.write_all(bytes)).map_err(|e| TrainError::io(path, e))
}

fn refused(path: &Path, source: DictionaryError) -> TrainError {
    TrainError::Dictionary { path: path.into(), source }
}
