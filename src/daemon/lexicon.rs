//! The user's own pronunciations: in memory for all voices, and in a file that people edit, by hand or by the web page.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::atomic_file::AtomicFile;
use crate::phoneme::{
    MAX_USER_WORDS, UserWordError, UserWords, WordFormat, WordMap, parse_user_word, show_user_words,
};

/// Largest file.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The words, and where they are kept.
#[derive(Debug, Default)]
pub struct Lexicon {
    words: Arc<UserWords>,
    /// None: nothing is kept, nothing can be changed.
    path: Option<PathBuf>,
    /// The state of the file that is in memory. Held while it is read or written.
    seen: Mutex<Option<FileState>>,
}

type FileState = (SystemTime, u64);

/// The lexicon cannot be read or changed. Then it stays as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LexiconError {
    /// The configuration names no file.
    #[error("lexicon: the configuration names no file for it")]
    NoFile,
    /// The file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What it says is wrong.
    #[error("{}: {source}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: UserWordError,
    },
    /// What a client asks for is wrong.
    #[error(transparent)]
    Word(#[from] UserWordError),
}

impl Lexicon {
    /// Words that are kept in this file, which need not exist yet. Nothing is read before [`Lexicon::refresh`].
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, ..Self::default() }
    }

    /// The words themselves, for the voices.
    pub fn words(&self) -> &Arc<UserWords> {
        &self.words
    }

    /// Whether clients can change it.
    pub fn is_editable(&self) -> bool {
        self.path.is_some()
    }

    /// Reads the file if it has changed since it was last read; true if it had. Not for an async thread.
    ///
    /// # Errors
    /// It cannot be read, or a line is wrong. It is not looked at again before it changes.
    pub fn refresh(&self) -> Result<bool, LexiconError> {
        let Some(path) = &self.path else { return Ok(false) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| LexiconError::File { path: path.clone(), source };
        let state = match path.metadata() {
            Ok(metadata) => Some((metadata.modified().map_err(failed)?, metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if *seen == state {
            return Ok(false);
        }
        *seen = state;
        let text = match state {
            None => String::new(),
            Some((_, bytes)) if bytes > MAX_FILE_BYTES => {
                return Err(failed(io::Error::other(format!("expected at most {MAX_FILE_BYTES} bytes"))));
            }
            Some(_) => std::fs::read_to_string(path).map_err(failed)?,
        };
        let read = self.words.read_as(WordFormat::of(path), &text);
        read.map_err(|source| LexiconError::Content { path: path.clone(), source })?;
        Ok(true)
    }

    /// Adds a word, or changes it. Not for an async thread.
    ///
    /// # Errors
    /// It is no word, its phones are none, or the file cannot be written.
    pub fn put(&self, word: &str, phones: &str) -> Result<(), LexiconError> {
        let (word, phones) = parse_user_word(word, phones)?;
        self.change(|words| {
            words.insert(word, phones);
            if words.len() > MAX_USER_WORDS { Err(UserWordError::TooMany) } else { Ok(()) }
        })
    }

    /// Takes a word out; false if it was not there. Not for an async thread.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remove(&self, word: &str) -> Result<bool, LexiconError> {
        let mut was_there = false;
        self.change(|words| {
            was_there = words.remove(word).is_some();
            Ok(())
        })?;
        Ok(was_there)
    }

    /// The file first: what cannot be kept is not taken.
    fn change(
        &self,
        change: impl FnOnce(&mut WordMap) -> Result<(), UserWordError>,
    ) -> Result<(), LexiconError> {
        let path = self.path.as_ref().ok_or(LexiconError::NoFile)?;
        // What somebody has just written by hand is not lost.
        self.refresh()?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut words = WordMap::clone(&self.words.all());
        change(&mut words)?;
        let write = || -> io::Result<FileState> {
            let mut file = AtomicFile::create(path)?;
            file.write_all(show_user_words(WordFormat::of(path), &words).as_bytes())?;
            file.commit()?;
            let metadata = path.metadata()?;
            Ok((metadata.modified()?, metadata.len()))
        };
        *seen = Some(write().map_err(|source| LexiconError::File { path: path.clone(), source })?);
        self.words.set(words);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_and_what_is_edited_by_hand_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.tsv");
        let lexicon = Lexicon::new(Some(path.clone()));
        assert!(!lexicon.refresh().unwrap(), "no file yet");
        lexicon.put("fastglow", "F AE1 S T").unwrap();
        assert!(!lexicon.refresh().unwrap(), "its own writing is known");
        let again = Lexicon::new(Some(path.clone()));
        assert!(again.refresh().unwrap());
        assert_eq!(again.words().all(), lexicon.words().all());
        std::fs::write(&path, "robot\tR AO1 B\nyes\tY EH1\n").unwrap();
        lexicon.put("no", "N AA1").unwrap();
        assert_eq!(lexicon.words().all().keys().collect::<Vec<_>>(), ["no", "robot", "yes"]);
        assert!(lexicon.remove("yes").unwrap() && !lexicon.remove("yes").unwrap());
        std::fs::write(&path, "Wrong\tR\n").unwrap();
        assert!(matches!(lexicon.put("a", "AH0"), Err(LexiconError::Content { .. })));
        assert_eq!(lexicon.words().all().len(), 2, "as it was");
        assert!(!lexicon.refresh().unwrap(), "told once");
        std::fs::remove_file(&path).unwrap();
        assert!(lexicon.refresh().unwrap() && lexicon.words().all().is_empty());
    }

    #[test]
    fn a_file_of_toml_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.toml");
        std::fs::write(&path, "robot = \"/ˈɹoʊbɑt/\"\n").unwrap();
        let lexicon = Lexicon::new(Some(path.clone()));
        assert!(lexicon.refresh().unwrap());
        lexicon.put("yes", "/jɛs/").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("\"robot\" = \"R OW1 B AA0 T\"\n\"yes\" = \"Y EH1 S\"\n"), "{text}");
        std::fs::write(&path, "robot = \"R\"\nno = \"N OW\"\n").unwrap();
        let error = lexicon.refresh().unwrap_err().to_string();
        assert!(error.contains("words.toml: line 2: phones: "), "{error}");
        assert_eq!(lexicon.words().all().len(), 2, "as it was");
    }

    #[test]
    fn without_a_file_nothing_changes() {
        let lexicon = Lexicon::default();
        assert!(matches!(lexicon.put("a", "AH0"), Err(LexiconError::NoFile)));
        let nowhere = Lexicon::new(Some("/nonexistent/words.tsv".into()));
        assert!(matches!(nowhere.put("a", "AH0"), Err(LexiconError::File { .. })));
        assert!(nowhere.words().all().is_empty());
    }
}
