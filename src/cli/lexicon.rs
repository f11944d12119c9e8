//! `--lexicon FILE`: the user's own pronunciations.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use fastglow::phoneme::{UserWords, WordFormat};

use super::failure::Failure;

/// Largest file.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The words of the file; none without one.
pub fn read(path: Option<&Path>) -> Result<Arc<UserWords>, Failure> {
    let words = UserWords::default();
    if let Some(path) = path {
        let failed = |source| Failure::File { path: path.to_owned(), source };
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(failed(io::Error::other(format!("expected at most {MAX_FILE_BYTES} bytes"))));
        }
        words.read_as(WordFormat::of(path), &text).map_err(|source| Failure::Usage {
            message: format!("{}: {source}", path.display()),
            hint: "one word on each line: `fastglow`, a tab, `F AE1 S T G L OW2` or `/ˈfæstˌɡloʊ/`; in a .toml file: \
                   `fastglow = \"F AE1 S T G L OW2\"`"
                .into(),
        })?;
    }
    Ok(Arc::new(words))
}
