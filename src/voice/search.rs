//! Where voices live, and how a name becomes one.

use std::path::{Path, PathBuf};

use super::{Source, VoiceError};

/// The voice that speaks when none is named.
pub const DEFAULT_VOICE: &str = "en-us-slt";
const EXTENSION: &str = "gguf";
/// How many folders above the program are searched for `voices/`: `target/release/deps` is three deep.
const ANCESTORS: usize = 5;

/// The voice compiled into the program, if this build has one.
pub(super) fn bundled() -> Option<&'static [u8]> {
    #[cfg(feature = "bundled-voice")]
    return Some(include_bytes!("../../voices/en-us-slt.gguf"));
    #[cfg(not(feature = "bundled-voice"))]
    None
}

/// A voice that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name to ask for.
    pub name: String,
    /// Where it is.
    pub source: Source,
}

/// The folders in which voices are looked for, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchPath {
    folders: Vec<PathBuf>,
}

impl SearchPath {
    /// Exactly these folders.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// `$FASTGLOW_VOICES` (several folders, separated like `$PATH`), then `$XDG_DATA_HOME/fastglow/voices` or
    /// `~/.local/share/fastglow/voices`, `/usr/share/fastglow/voices`, `voices/` beside the program or above it, and
    /// `voices/` of the source tree that the program was built from.
    pub fn from_environment() -> Self {
        let mut folders = Vec::new();
        if let Some(list) = std::env::var_os("FASTGLOW_VOICES") {
            folders.extend(std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()));
        }
        let data_home = std::env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".local/share")));
        folders.extend(data_home.map(|data| data.join("fastglow/voices")));
        folders.push("/usr/share/fastglow/voices".into());
        if let Ok(program) = std::env::current_exe() {
            folders.extend(program.ancestors().skip(1).take(ANCESTORS).map(|folder| folder.join("voices")));
        }
        folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("voices"));
        let mut seen = std::collections::BTreeSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        Self { folders }
    }

    /// The folders, in order.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The voice called `name`. A path (anything with a separator, or ending in `.gguf`) is taken as it is.
    ///
    /// # Errors
    /// No folder has it, and it is not the bundled one.
    pub fn find(&self, name: &str) -> Result<Source, VoiceError> {
        let as_path = Path::new(name);
        if name.contains(std::path::is_separator) || as_path.extension().is_some_and(|e| e == EXTENSION) {
            return Ok(Source::File(as_path.to_path_buf()));
        }
        let file = format!("{name}.{EXTENSION}");
        if let Some(path) = self.folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file()) {
            return Ok(Source::File(path));
        }
        if name == DEFAULT_VOICE && bundled().is_some() {
            return Ok(Source::Bundled);
        }
        let existing: Vec<_> = self.folders.iter().filter(|f| f.is_dir()).cloned().collect();
        Err(VoiceError::NotFound { name: name.into(), searched: existing })
    }

    /// Every place that has a voice called `name`, in the order of preference, `first` before all others.
    pub(super) fn candidates(&self, name: &str, first: Option<PathBuf>) -> Vec<Source> {
        let file = format!("{name}.{EXTENSION}");
        let paths = first.iter().chain(&self.folders).map(|folder| folder.join(&file));
        let mut found: Vec<Source> = paths.filter(|path| path.is_file()).map(Source::File).collect();
        if name == DEFAULT_VOICE && bundled().is_some() {
            found.push(Source::Bundled);
        }
        found
    }

    /// Where a new voice called `name` goes: the first folder.
    ///
    /// # Errors
    /// The name is not one (letters, digits, `-`, `_`, `.` inside, at most 64), or there is no folder.
    pub fn place(&self, name: &str) -> Result<PathBuf, VoiceError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = (1..=64).contains(&name.len())
            && name.chars().all(is_plain)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !name.ends_with(&format!(".{EXTENSION}"));
        match self.folders.first() {
            Some(folder) if is_name => Ok(folder.join(format!("{name}.{EXTENSION}"))),
            _ => Err(VoiceError::Name { name: name.into() }),
        }
    }

    /// All voices that a name would find, sorted by name.
    pub fn list(&self) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut add = |name: &str, source: Source| {
            if !found.iter().any(|f| f.name == name) {
                found.push(Found { name: name.into(), source });
            }
        };
        for folder in &self.folders {
            for entry in folder.read_dir().into_iter().flatten().flatten() {
                let path = entry.path();
                if path.extension().is_some_and(|e| e == EXTENSION)
                    && path.is_file()
                    && let Some(name) = path.file_stem().and_then(|s| s.to_str())
                {
                    add(name, Source::File(path.clone()));
                }
            }
        }
        if bundled().is_some() {
            add(DEFAULT_VOICE, Source::Bundled);
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_wins_and_paths_are_taken_as_they_are() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, name) in
            [(&first, "a.gguf"), (&second, "a.gguf"), (&second, "b.gguf"), (&second, "notes.txt")]
        {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let path = SearchPath::new(vec![first.path().into(), "/nonexistent".into(), second.path().into()]);
        let a = Source::File(first.path().join("a.gguf"));
        assert_eq!(path.find("a").unwrap(), a);
        assert_eq!(path.find("b").unwrap(), Source::File(second.path().join("b.gguf")));
        assert_eq!(path.find("./c").unwrap(), Source::File("./c".into()));
        assert_eq!(path.find("c.gguf").unwrap(), Source::File("c.gguf".into()));
        let listed = path.list();
        assert_eq!(listed[0], Found { name: "a".into(), source: a });
        assert!(listed.iter().any(|f| f.name == "b") && !listed.iter().any(|f| f.name == "notes"));
    }

    #[test]
    fn an_unknown_name_says_where_it_looked() {
        let folder = tempfile::tempdir().unwrap();
        let error = SearchPath::new(vec![folder.path().into()]).find("nobody").unwrap_err();
        let message = error.to_string();
        assert!(message.contains("nobody") && message.contains(folder.path().to_str().unwrap()), "{message}");
        assert!(error.hint().unwrap().contains("voices list"));
    }
}
