//! The voice that an adaptation replaced, kept beside the new one.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::AdaptError;
use crate::atomic_file;

/// Where the replaced voice is; no voice is looked for under such a name.
fn previous(path: &Path) -> PathBuf {
    path.with_extension("previous")
}

fn copy(from: &Path, to: &Path) -> Result<(), AdaptError> {
    let bytes = std::fs::read(from).map_err(AdaptError::io(from))?;
    atomic_file::write(to, |file| file.write_all(&bytes)).map_err(AdaptError::io(to))
}

/// Keeps the voice at `path`, if there is one, before another takes its place.
pub(super) fn keep(path: &Path) -> Result<(), AdaptError> {
    if path.exists() { copy(path, &previous(path)) } else { Ok(()) }
}

/// Exchanges the voice at `path` with the one that it replaced; once more, and it is as before.
///
/// # Errors
/// It replaced none ([`AdaptError::NoPrevious`]), or a file cannot be read or written; then the voice is as it was. A power
/// cut between the two writes leaves the older voice in both places.
pub fn rollback(path: &Path) -> Result<(), AdaptError> {
    let kept = previous(path);
    if !kept.exists() || !path.exists() {
        return Err(AdaptError::NoPrevious { path: path.into() });
    }
    let new = std::fs::read(path).map_err(AdaptError::io(path))?;
    copy(&kept, path)?;
    atomic_file::write(&kept, |file| file.write_all(&new)).map_err(AdaptError::io(&kept))
}

/// Removes what [`rollback`] would bring back, if there is anything.
///
/// # Errors
/// The file cannot be removed.
pub fn forget_previous(path: &Path) -> Result<(), AdaptError> {
    let kept = previous(path);
    match std::fs::remove_file(&kept) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(AdaptError::io(&kept)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replaced_voice_comes_back_and_goes_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alice.gguf");
        keep(&path).unwrap();
        assert!(matches!(rollback(&path), Err(AdaptError::NoPrevious { .. })));
        std::fs::write(&path, "old").unwrap();
        assert!(matches!(rollback(&path), Err(AdaptError::NoPrevious { .. })));
        keep(&path).unwrap();
        std::fs::write(&path, "new").unwrap();
        for expected in ["old", "new", "old"] {
            rollback(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
        forget_previous(&path).unwrap();
        forget_previous(&path).unwrap();
        assert!(matches!(rollback(&path), Err(AdaptError::NoPrevious { .. })));
    }
}
