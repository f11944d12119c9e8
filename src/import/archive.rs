//! Zip archives as PyTorch writes them: stored, not deflated, so that an entry is a range of the file
//! ([APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), sections 4.3 and 4.4). An entry that is
//! deflated is refused, and with it every zip bomb.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use super::CheckpointError;
use crate::nn::Bytes;

/// Entries in one archive: one a storage and a few more.
const MAX_ENTRIES: usize = 100_000;
/// The directory at the end of the file.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;
/// The end record and the longest comment after it.
const END_RECORD_BYTES: usize = 22;
const LONGEST_TAIL_BYTES: u64 = END_RECORD_BYTES as u64 + 0xffff;

const LOCAL_MARK: &[u8] = b"PK\x03\x04";
const ENTRY_MARK: &[u8] = b"PK\x01\x02";
const END_MARK: &[u8] = b"PK\x05\x06";
const END64_MARK: &[u8] = b"PK\x06\x06";
const LOCATOR64_MARK: &[u8] = b"PK\x06\x07";
const LOCATOR64_BYTES: usize = 20;

/// Whether a file of these first bytes is an archive.
pub fn is_archive(first: &[u8]) -> bool {
    first.starts_with(LOCAL_MARK)
}

/// Where the entries of an archive lie, by name.
#[derive(Debug)]
pub struct Archive {
    entries: HashMap<String, Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    deflated: bool,
    header_at: u64,
    bytes: u64,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<u64, CheckpointError> {
    let field = at.checked_add(N).and_then(|end| bytes.get(at..end));
    let field = field.ok_or(CheckpointError::Archive { problem: "a record is cut off" })?;
    Ok(field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

impl Archive {
    /// Reads the directory of a file of `size` bytes.
    ///
    /// # Errors
    /// The file cannot be read, or is no archive, or its directory is larger than any checkpoint's.
    pub fn read(file: &Bytes, size: u64) -> Result<Self, CheckpointError> {
        let (count, range) = directory(file, size)?;
        if range.end > size || range.end - range.start > MAX_DIRECTORY_BYTES || count > MAX_ENTRIES as u64 {
            return Err(CheckpointError::Archive { problem: "its directory is too large or lies outside" });
        }
        let bytes = file.read(range.start as usize..range.end as usize)?;
        let mut entries = HashMap::new();
        let mut at = 0;
        for _ in 0..count {
            let rest = bytes.get(at..).unwrap_or_default();
            if !rest.starts_with(ENTRY_MARK) {
                return Err(CheckpointError::Archive { problem: "its directory is cut off" });
            }
            let lengths = [28, 30, 32].map(|field| number::<2>(rest, field));
            let [name, extra, comment] = lengths;
            let (name, extra, comment) = (name? as usize, extra? as usize, comment? as usize);
            let text = rest.get(46..46 + name);
            let text = text.ok_or(CheckpointError::Archive { problem: "its directory is cut off" })?;
            let mut entry = Entry {
                deflated: number::<2>(rest, 10)? != 0,
                bytes: number::<4>(rest, 24)?,
                header_at: number::<4>(rest, 42)?,
            };
            wide_fields(rest.get(46 + name..46 + name + extra).unwrap_or_default(), &mut entry)?;
            entries.insert(String::from_utf8_lossy(text).into_owned(), entry);
            at += 46 + name + extra + comment;
        }
        Ok(Self { entries })
    }

    /// The names of the entries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Where an entry's bytes lie in the file.
    ///
    /// # Errors
    /// There is none of this name, or it is deflated, or lies outside of the file.
    pub fn entry(&self, file: &Bytes, size: u64, name: &str) -> Result<Range<u64>, CheckpointError> {
        let missing = || CheckpointError::Missing { what: format!("archive entry `{name}`") };
        let entry = self.entries.get(name).ok_or_else(missing)?;
        if entry.deflated {
            return Err(CheckpointError::Archive {
                problem: "an entry is compressed, which PyTorch's never are",
            });
        }
        let outside = CheckpointError::Archive { problem: "an entry lies outside of the file" };
        if entry.header_at.checked_add(30).is_none_or(|end| end > size) {
            return Err(outside);
        }
        let at = entry.header_at as usize;
        let header = file.read(at..at + 30)?;
        if !header.starts_with(LOCAL_MARK) {
            return Err(CheckpointError::Archive {
                problem: "an entry does not begin where the directory says",
            });
        }
        let start = entry.header_at + 30 + number::<2>(&header, 26)? + number::<2>(&header, 28)?;
        match start.checked_add(entry.bytes) {
            Some(end) if end <= size => Ok(start..end),
            _ => Err(outside),
        }
    }
}

/// The number of entries, and where the directory lies.
fn directory(file: &Bytes, size: u64) -> Result<(u64, Range<u64>), CheckpointError> {
    let tail_at = size.saturating_sub(LONGEST_TAIL_BYTES);
    let tail = file.read(tail_at as usize..size as usize)?;
    let last = tail.len().checked_sub(END_RECORD_BYTES);
    let found = last.and_then(|last| (0..=last).rev().find(|&at| tail[at..].starts_with(END_MARK)));
    let at = found.ok_or(CheckpointError::Archive { problem: "it has no end: the file is cut off" })?;
    let (mut count, mut bytes, mut start) =
        (number::<2>(&tail, at + 10)?, number::<4>(&tail, at + 12)?, number::<4>(&tail, at + 16)?);
    let locator = at.checked_sub(LOCATOR64_BYTES).map(|from| &tail[from..at]);
    if let Some(locator) = locator.filter(|locator| locator.starts_with(LOCATOR64_MARK)) {
        let record_at = number::<8>(locator, 8)?;
        if record_at.checked_add(56).is_none_or(|end| end > size) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let record = file.read(record_at as usize..record_at as usize + 56)?;
        if !record.starts_with(END64_MARK) {
            return Err(CheckpointError::Archive { problem: "its 64-bit end record is missing" });
        }
        (count, bytes, start) =
            (number::<8>(&record, 32)?, number::<8>(&record, 40)?, number::<8>(&record, 48)?);
    }
    let end = start.checked_add(bytes);
    let end = end.ok_or(CheckpointError::Archive { problem: "its directory lies outside" })?;
    Ok((count, start..end))
}

/// Fields that are full stand in the 64-bit extra field, in this order.
fn wide_fields(mut extra: &[u8], entry: &mut Entry) -> Result<(), CheckpointError> {
    const FULL: u64 = u32::MAX as u64;
    while extra.len() >= 4 {
        let (kind, length) = (number::<2>(extra, 0)?, number::<2>(extra, 2)? as usize);
        let field = extra.get(4..4 + length).unwrap_or_default();
        if kind == 1 {
            let mut at = 0;
            if entry.bytes == FULL {
                entry.bytes = number::<8>(field, 0)?;
                // The compressed size comes second; stored entries have the same.
                at = 16;
            }
            if entry.header_at == FULL {
                entry.header_at = number::<8>(field, at)?;
            }
        }
        extra = extra.get(4 + length..).unwrap_or_default();
    }
    Ok(())
}
