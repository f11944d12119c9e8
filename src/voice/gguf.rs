//! The container: a strict subset of GGUF version 3, little-endian, 32-byte alignment.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Strict means: values are u32 or strings,
//! tensors lie in header order without gap or overlap, and the file ends where the last one does. So a damaged or
//! hostile file is refused from its header alone, before anything of its size is allocated.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::Fault;

/// The largest voice file that is read: the widest WaveGlow that was published has 1.1 GB of floats.
pub const MAX_FILE_BYTES: u64 = 2 << 30;
/// The largest header that is read: metadata and tensor table.
pub const MAX_HEADER_BYTES: u64 = 4 << 20;
const MAX_TENSORS: u64 = 4096;
const MAX_METADATA: u64 = 128;
const MAX_NAME_BYTES: u64 = 256;
const MAX_STRING_BYTES: u64 = 1 << 20;
const MAX_DIMENSIONS: u64 = 4;
const ALIGNMENT: u64 = 32;
const VERSION: u32 = 3;
const MAGIC: &[u8] = b"GGUF";
const TYPE_U32: u32 = 4;
const TYPE_STRING: u32 = 8;

/// A metadata value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    U32(u32),
    Text(String),
}

/// Where a tensor is and what it looks like.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TensorEntry {
    pub name: String,
    /// Outermost first, as candle has it; GGUF stores them reversed.
    pub dims: Vec<usize>,
    pub dtype: GgmlDType,
    /// Byte range in the file.
    pub data: Range<usize>,
}

/// All that stands before the tensor data.
#[derive(Debug)]
pub(super) struct Header {
    pub metadata: BTreeMap<String, Value>,
    pub tensors: Vec<TensorEntry>,
    /// Byte range in the file of each string value, by key.
    pub text_ranges: BTreeMap<String, Range<usize>>,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8], Fault> {
        let available = self.bytes.len() - self.at;
        match usize::try_from(count) {
            Ok(count) if count <= available => {
                let taken = &self.bytes[self.at..self.at + count];
                self.at += count;
                Ok(taken)
            }
            _ => Err(Fault::Truncated {
                what: what.into(),
                needed_bytes: count,
                available_bytes: available as u64,
            }),
        }
    }

    fn u32(&mut self, what: &str) -> Result<u32, Fault> {
        let bytes = self.take(4, what)?;
        Ok(bytes.iter().rev().fold(0, |sum, b| (sum << 8) | u32::from(*b)))
    }

    fn u64(&mut self, what: &str) -> Result<u64, Fault> {
        let bytes = self.take(8, what)?;
        Ok(bytes.iter().rev().fold(0, |sum, b| (sum << 8) | u64::from(*b)))
    }

    fn count(&mut self, what: &str, limit: u64) -> Result<u64, Fault> {
        let got = self.u64(what)?;
        at_most(what, limit, got)
    }

    fn text(&mut self, what: &str, limit: u64) -> Result<&'a str, Fault> {
        let length = self.count(&format!("length of {what}"), limit)?;
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|_| Fault::Encoding(what.into()))
    }
}

fn at_most(what: &str, limit: u64, got: u64) -> Result<u64, Fault> {
    if got > limit { Err(Fault::Limit { what: what.into(), limit, got }) } else { Ok(got) }
}

fn precision(tensor: &str, code: u32) -> Result<GgmlDType, Fault> {
    Ok(match code {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        8 => GgmlDType::Q8_0,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        got => return Err(Fault::Precision { tensor: tensor.into(), got }),
    })
}

fn precision_code(dtype: GgmlDType) -> Option<u32> {
    [0, 1, 8, 12, 13, 14].into_iter().find(|&code| precision("", code).ok() == Some(dtype))
}

/// Bytes of a tensor of these dimensions, or what is wrong with them.
fn byte_count(tensor: &str, dims: &[u64], dtype: GgmlDType) -> Result<u64, Fault> {
    let shape_fault =
        |reason: &str| Fault::Shape { tensor: tensor.into(), reason: reason.into(), dims: dims.to_vec() };
    let block = dtype.block_size() as u64;
    match dims.last() {
        None => return Err(shape_fault("expected at least one dimension")),
        Some(last) if last % block != 0 => {
            return Err(shape_fault(&format!("expected rows of whole blocks of {block}")));
        }
        Some(_) => {}
    }
    let elements = dims.iter().try_fold(1u64, |n, &d| if d == 0 { None } else { n.checked_mul(d) });
    let bytes = elements.and_then(|n| (n / block).checked_mul(dtype.type_size() as u64));
    match bytes {
        Some(bytes) if bytes <= MAX_FILE_BYTES => Ok(bytes),
        _ => Err(shape_fault(&format!("expected 1 to {MAX_FILE_BYTES} bytes of data"))),
    }
}

impl Header {
    /// Reads the header from the file's first bytes (all of them, or at least [`MAX_HEADER_BYTES`]) and checks that what it
    /// declares is a file of `file_bytes` bytes.
    pub(super) fn parse(prefix: &[u8], file_bytes: u64) -> Result<Self, Fault> {
        let mut cursor = Cursor { bytes: prefix, at: 0 };
        let magic = &prefix[..prefix.len().min(MAGIC.len())];
        if magic != MAGIC {
            return Err(Fault::Magic(magic.to_vec()));
        }
        cursor.at = MAGIC.len();
        let got = cursor.u32("GGUF version")?;
        if got != VERSION {
            return Err(Fault::Version { what: "GGUF version", expected: VERSION, got });
        }
        let tensor_count = cursor.count("tensor count", MAX_TENSORS)?;
        let metadata_count = cursor.count("metadata count", MAX_METADATA)?;
        let (metadata, text_ranges) = parse_metadata(&mut cursor, metadata_count)?;
        let entries = parse_tensor_table(&mut cursor, tensor_count)?;
        let data_start = (cursor.at as u64).next_multiple_of(ALIGNMENT);
        let tensors = place(entries, data_start, file_bytes)?;
        Ok(Self { metadata, tensors, text_ranges })
    }
}

type Metadata = (BTreeMap<String, Value>, BTreeMap<String, Range<usize>>);

fn parse_metadata(cursor: &mut Cursor, count: u64) -> Result<Metadata, Fault> {
    let (mut metadata, mut text_ranges) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..count {
        let key = cursor.text("a metadata key", MAX_NAME_BYTES)?.to_string();
        let what = format!("metadata `{key}`");
        let value = match cursor.u32(&what)? {
            TYPE_U32 => Value::U32(cursor.u32(&what)?),
            TYPE_STRING => {
                let text = cursor.text(&what, MAX_STRING_BYTES)?.to_string();
                text_ranges.insert(key.clone(), cursor.at - text.len()..cursor.at);
                Value::Text(text)
            }
            got => return Err(Fault::ValueType { key, expected: "u32 or string", got }),
        };
        if metadata.insert(key.clone(), value).is_some() {
            return Err(Fault::Duplicate(key));
        }
    }
    Ok((metadata, text_ranges))
}

/// A row of the tensor table, not yet held against the file.
struct RawEntry {
    name: String,
    dims: Vec<u64>,
    dtype: GgmlDType,
    offset: u64,
}

fn parse_tensor_table(cursor: &mut Cursor, count: u64) -> Result<Vec<RawEntry>, Fault> {
    let (mut entries, mut names) = (Vec::new(), BTreeSet::new());
    for _ in 0..count {
        let name = cursor.text("a tensor name", MAX_NAME_BYTES)?.to_string();
        let what = format!("tensor `{name}`");
        let rank = at_most(&format!("dimensions of {what}"), MAX_DIMENSIONS, u64::from(cursor.u32(&what)?))?;
        let mut dims = (0..rank).map(|_| cursor.u64(&what)).collect::<Result<Vec<_>, _>>()?;
        dims.reverse();
        let dtype = precision(&name, cursor.u32(&what)?)?;
        let offset = cursor.u64(&what)?;
        if !names.insert(name.clone()) {
            return Err(Fault::Duplicate(name));
        }
        entries.push(RawEntry { name, dims, dtype, offset });
    }
    Ok(entries)
}

/// Holds the table against the file: every tensor right after the one before, the last at the file's end.
fn place(entries: Vec<RawEntry>, data_start: u64, file_bytes: u64) -> Result<Vec<TensorEntry>, Fault> {
    let (mut tensors, mut expected) = (Vec::new(), 0u64);
    for RawEntry { name, dims, dtype, offset } in entries {
        let bytes = byte_count(&name, &dims, dtype)?;
        if offset != expected {
            return Err(Fault::Offset { tensor: name, expected, got: offset });
        }
        let start = data_start + offset;
        let end = start + bytes;
        if end > file_bytes {
            let available_bytes = file_bytes.saturating_sub(start);
            return Err(Fault::Truncated {
                what: format!("tensor `{name}`"),
                needed_bytes: bytes,
                available_bytes,
            });
        }
        expected = (offset + bytes).next_multiple_of(ALIGNMENT);
        // Below the file's size, which a caller has already held in memory or limited.
        let dims = dims.iter().map(|&d| d as usize).collect();
        tensors.push(TensorEntry { name, dims, dtype, data: start as usize..end as usize });
    }
    let expected_bytes = data_start + expected;
    if expected_bytes != file_bytes {
        return Err(match expected_bytes > file_bytes {
            true => Fault::Truncated {
                what: "the last tensor's padding".into(),
                needed_bytes: expected_bytes,
                available_bytes: file_bytes,
            },
            false => Fault::Size { expected_bytes, got_bytes: file_bytes },
        });
    }
    Ok(tensors)
}

/// A tensor to write: its name, shape and precision. Its data follow the header, in the same order.
pub(super) struct TensorShape<'a> {
    pub name: &'a str,
    pub dims: &'a [usize],
    pub dtype: GgmlDType,
    pub bytes: usize,
}

/// All of a file up to its first tensor's data. `None` if a tensor's precision has no place in a voice.
pub(super) fn header(metadata: &BTreeMap<String, Value>, tensors: &[TensorShape]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
    out.extend_from_slice(&(metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        push_text(&mut out, key);
        match value {
            Value::U32(number) => {
                out.extend_from_slice(&TYPE_U32.to_le_bytes());
                out.extend_from_slice(&number.to_le_bytes());
            }
            Value::Text(text) => {
                out.extend_from_slice(&TYPE_STRING.to_le_bytes());
                push_text(&mut out, text);
            }
        }
    }
    let mut offset = 0u64;
    for tensor in tensors {
        push_text(&mut out, tensor.name);
        out.extend_from_slice(&(tensor.dims.len() as u32).to_le_bytes());
        for &dim in tensor.dims.iter().rev() {
            out.extend_from_slice(&(dim as u64).to_le_bytes());
        }
        out.extend_from_slice(&precision_code(tensor.dtype)?.to_le_bytes());
        out.extend_from_slice(&offset.to_le_bytes());
        offset += padded(tensor.bytes) as u64;
    }
    out.resize(padded(out.len()), 0);
    Some(out)
}

/// Bytes that a header or a tensor takes in the file.
pub(super) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT as usize)
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
