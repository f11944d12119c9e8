//! The voice that an adaptation replaced, kept beside the new one.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::VoiceError;
use crate::atomic_file;

/// Where the replaced voice is; no voice is looked for under such a name.
fn previous(path: &Path) -> PathBuf {
    path.with_extension("previous")
}

fn read(path: &Path) -> Result<Vec<u8>, VoiceError> {
    let failed = |source| VoiceError::Read { origin: path.display().to_string(), source };
    std::fs::read(path).map_err(failed)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), VoiceError> {
    let failed = |source| VoiceError::Write { origin: path.display().to_string(), source };
    atomic_file::write(path, |file| file.write_all(bytes)).map_err(failed)
}

/// Keeps the voice at `path`, if there is one, before another takes its place.
///
/// # Errors
/// A file cannot be read or written; the voice at `path` is untouched.
pub fn keep_previous(path: &Path) -> Result<(), VoiceError> {
    if path.exists() { write(&previous(path), &read(path)?) } else { Ok(()) }
}

/// Exchanges the voice at `path` with the one that it replaced; once more, and it is as before.
///
/// # Errors
/// It replaced none ([`VoiceError::NoPrevious`]), or a file cannot be read or written; then the voice is as it was. A power
/// cut between the two writes leaves the older voice in both places.
pub fn rollback(path: &Path) -> Result<(), VoiceError> {
    let kept = previous(path);
    if !kept.exists() || !path.exists() {
        return Err(VoiceError::NoPrevious { origin: path.display().to_string() });
    }
    let new = read(path)?;
    write(path, &read(&kept)?)?;
    write(&kept, &new)
}

/// Removes what [`rollback`] would bring back, if there is anything.
///
/// # Errors
/// The file cannot be removed.
pub fn forget_previous(path: &Path) -> Result<(), VoiceError> {
    let kept = previous(path);
    match std::fs::remove_file(&kept) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(VoiceError::Write { origin: kept.display().to_string(), source })
        }
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
        keep_previous(&path).unwrap();
        assert!(matches!(rollback(&path), Err(VoiceError::NoPrevious { .. })));
        std::fs::write(&path, "old").unwrap();
        assert!(matches!(rollback(&path), Err(VoiceError::NoPrevious { .. })));
        keep_previous(&path).unwrap();
        std::fs::write(&path, "new").unwrap();
        for expected in ["old", "new", "old"] {
            rollback(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
        forget_previous(&path).unwrap();
        forget_previous(&path).unwrap();
        assert!(matches!(rollback(&path), Err(VoiceError::NoPrevious { .. })));
    }
}
