//! What can be wrong with a configuration file, and where.

use std::path::{Path, PathBuf};

/// A configuration cannot be used. Nothing helps but to change the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is no configuration file.
    #[error("{}: expected at most {most_bytes} bytes", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        most_bytes: u64,
    },
    /// It is no TOML, or has a key that does not exist, or a value of the wrong kind.
    #[error("{}:{line}:{column}: {message}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// What was probably meant.
        hint: Option<String>,
    },
    /// A value is out of range, or what it names cannot be used.
    #[error("{}:{line}: {key}: {message}", .path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// From 1; of the key, or of its section.
        line: usize,
        /// Section and key.
        key: String,
        /// What is wrong.
        message: String,
    },
}

impl ConfigError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Syntax { hint, .. } => hint.clone(),
            ConfigError::Read { .. } => Some("`fastglow check FILE` checks a configuration".into()),
            ConfigError::TooLong { .. } | ConfigError::Value { .. } => None,
        }
    }

    pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        let message = error.message().trim_end().replace('\n', ", ");
        let hint = suggestion(&message);
        ConfigError::Syntax { path: path.into(), line, column, message, hint }
    }
}

/// From "unknown field `a`, expected one of `b`, `c`": the one that is most like it.
fn suggestion(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let got = names.next()?;
    let nearest = names.min_by_key(|name| distance(got, name))?;
    Some(format!("did you mean `{nearest}`?"))
}

/// Edits that make one word another.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A value that is wrong, by its section and key.
pub(super) struct Wrong {
    pub section: &'static str,
    pub key: &'static str,
    pub message: String,
}

impl Wrong {
    pub fn locate(self, path: &Path, text: &str) -> ConfigError {
        let Self { section, key, message } = self;
        let mut here = "";
        let mut line = 0;
        for (number, content) in (1..).zip(text.lines().map(str::trim)) {
            if let Some(name) = content.strip_prefix('[') {
                here = name.split(']').next().unwrap_or_default().trim();
                if here == section {
                    line = number;
                }
            }
            let name = content.split('=').next().unwrap_or_default().trim();
            if here == section && name == key || name == format!("{section}.{key}") {
                line = number;
                break;
            }
        }
        ConfigError::Value { path: path.into(), line, key: format!("{section}.{key}"), message }
    }
}
