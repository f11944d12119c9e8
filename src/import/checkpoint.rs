//! A checkpoint of PyTorch's or in safetensors: which tensors it holds, and their values when asked for.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use candle_core::{Device, Tensor};

use super::archive::{Archive, is_archive};
use super::graph::{self, GraphError, StoredTensor, storage_info};
use super::pickle::{Node, Pickle, PickleError};
use super::safetensors;
use crate::nn::Bytes;

/// A checkpoint larger than this is not one of a voice.
pub const MAX_FILE_BYTES: u64 = 8 << 30;
/// Values of one tensor.
const MAX_VALUES: usize = 1 << 29;
/// The first number of a file of the old kind, little-endian: 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const LEGACY_PROTOCOL: i64 = 1001;

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read, or ends too early.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The pickle in it is refused.
    #[error("pickle: {0}")]
    Pickle(#[from] PickleError),
    /// What the pickle describes is refused.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The zip archive is refused.
    #[error("archive: {problem}")]
    Archive {
        /// What is wrong.
        problem: &'static str,
    },
    /// It is of none of the formats.
    #[error("not a checkpoint: {problem}")]
    Kind {
        /// What was found instead.
        problem: &'static str,
    },
    /// Something it refers to is not in it.
    #[error("{what} is missing")]
    Missing {
        /// What.
        what: String,
    },
    /// A tensor's description does not fit its storage.
    #[error("tensor `{name}`: {problem}")]
    Tensor {
        /// Which.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The file is larger than any voice's.
    #[error("{got_bytes} bytes are more than the {limit_bytes} that a checkpoint may have")]
    Size {
        /// The file's size.
        got_bytes: u64,
        /// What is read at most.
        limit_bytes: u64,
    },
}

impl CheckpointError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Kind { .. } => {
                "give a file that `torch.save` wrote (.pt, .pth, .pth.tar), or a .safetensors file"
            }
            Self::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => return None,
            Self::Size { .. } => "save the model alone, without the optimizer",
            _ => "the file is damaged or was cut off: download it again",
        };
        Some(text.into())
    }
}

/// A file that `torch.save` wrote, or a safetensors file. Its tensors stay in the file until they are read.
#[derive(Debug)]
pub struct Checkpoint {
    file: Bytes,
    storages: HashMap<String, Range<u64>>,
    tensors: BTreeMap<String, StoredTensor>,
    attributes: Vec<String>,
}

impl Checkpoint {
    /// Reads what a file says about its tensors: safetensors, or PyTorch's, which is zip or, before 1.6, not.
    ///
    /// # Errors
    /// It cannot be read, is no checkpoint, or is refused; [`CheckpointError`] says why.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let status = std::fs::metadata(path)?;
        if !status.is_file() {
            return Err(CheckpointError::Kind { problem: "not a regular file" });
        }
        let (size, limit_bytes) = (status.len(), MAX_FILE_BYTES);
        if size > limit_bytes {
            return Err(CheckpointError::Size { got_bytes: size, limit_bytes });
        }
        let mut file = File::open(path)?;
        let mut first = Vec::new();
        file.by_ref().take(9).read_to_end(&mut first)?;
        if is_archive(&first) {
            let file = Bytes::File(Mutex::new(file));
            let (pickle, storages) = read_archive(&file, size)?;
            Self::new(file, pickle, storages)
        } else if safetensors::is_table(&first) {
            let (tensors, storages) = safetensors::read(&mut file, size)?;
            Self::of_tensors(Bytes::File(Mutex::new(file)), storages, (tensors, Vec::new()))
        } else {
            let (pickle, storages) = read_legacy(&mut file, size)?;
            Self::new(Bytes::File(Mutex::new(file)), pickle, storages)
        }
    }

    fn new(
        file: Bytes,
        pickle: Pickle,
        storages: HashMap<String, Range<u64>>,
    ) -> Result<Self, CheckpointError> {
        let mut tensors = BTreeMap::new();
        let mut attributes = Vec::new();
        for tensor in graph::tensors(&pickle)? {
            if tensor.is_attribute {
                attributes.push(tensor.name);
            } else {
                tensors.insert(tensor.name.clone(), tensor);
            }
        }
        attributes.sort();
        Self::of_tensors(file, storages, (tensors, attributes))
    }

    fn of_tensors(
        file: Bytes,
        storages: HashMap<String, Range<u64>>,
        (tensors, attributes): (BTreeMap<String, StoredTensor>, Vec<String>),
    ) -> Result<Self, CheckpointError> {
        if tensors.is_empty() {
            return Err(CheckpointError::Kind { problem: "it holds no tensor" });
        }
        Ok(Self { file, storages, tensors, attributes })
    }

    /// Its tensors, by name: parameters and buffers of modules, and everything in dictionaries and lists.
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// Tensors that modules carry beside their parameters and buffers: left over, and never read.
    pub fn attributes(&self) -> &[String] {
        &self.attributes
    }

    /// The values of a tensor, as 32-bit floats in row-major order.
    ///
    /// # Errors
    /// There is none of this name, it reaches outside of its storage, or its elements are no real numbers.
    pub fn read(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let missing = |what| CheckpointError::Missing { what };
        let tensor = self.tensors.get(name).ok_or_else(|| missing(format!("tensor `{name}`")))?;
        let wrong = |problem: &str| CheckpointError::Tensor { name: name.into(), problem: problem.into() };
        let storage = self.storages.get(&tensor.storage);
        let storage = storage.ok_or_else(|| missing(format!("storage `{}`", tensor.storage)))?;
        let count = tensor.shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        let count = count.filter(|&count| count <= MAX_VALUES).ok_or_else(|| wrong("too many values"))?;
        let span = span(tensor).ok_or_else(|| wrong("its strides overflow"))?;
        // Neighbours with no distance between them would have a few bytes stand for many.
        if count > span.len() {
            return Err(wrong("has more values than its storage"));
        }
        let width = tensor.element.size_bytes() as u64;
        let (start, end) = (span.start as u64 * width, span.end as u64 * width);
        if end > storage.end - storage.start {
            return Err(wrong("reaches outside of its storage"));
        }
        let at = storage.start as usize;
        let bytes = self.file.read(at + start as usize..at + end as usize)?;
        let mut values = Vec::with_capacity(span.len());
        tensor
            .element
            .decode(&bytes, &mut values)
            .ok_or_else(|| wrong("its elements are no real numbers"))?;
        if !is_row_major(tensor) {
            values = gathered(tensor, &values, count);
        }
        Tensor::from_vec(values, tensor.shape.as_slice(), &Device::Cpu)
            .map_err(|source| wrong(&source.to_string()))
    }
}

/// The elements of the storage from the first to the last that the tensor has.
fn span(tensor: &StoredTensor) -> Option<Range<usize>> {
    if tensor.shape.contains(&0) {
        return Some(0..0);
    }
    let reach = tensor
        .shape
        .iter()
        .zip(&tensor.strides)
        .try_fold(0usize, |reach, (&size, &stride)| reach.checked_add((size - 1).checked_mul(stride)?));
    let end = tensor.offset.checked_add(reach?)?.checked_add(1)?;
    // As bytes it must fit as well.
    end.checked_mul(16)?;
    Some(tensor.offset..end)
}

fn is_row_major(tensor: &StoredTensor) -> bool {
    let mut expected = 1;
    tensor.shape.iter().zip(&tensor.strides).rev().all(|(&size, &stride)| {
        let fits = size <= 1 || stride == expected;
        expected = usize::wrapping_mul(expected, size);
        fits
    })
}

/// Row-major values of a tensor whose `values` begin at its first element.
fn gathered(tensor: &StoredTensor, values: &[f32], count: usize) -> Vec<f32> {
    let mut index = vec![0; tensor.shape.len()];
    let mut gathered = Vec::with_capacity(count);
    let mut at = 0;
    for _ in 0..count {
        gathered.push(values.get(at).copied().unwrap_or(f32::NAN));
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            at += tensor.strides[axis];
            if index[axis] < tensor.shape[axis] {
                break;
            }
            at -= index[axis] * tensor.strides[axis];
            index[axis] = 0;
        }
    }
    gathered
}

type Parts = (Pickle, HashMap<String, Range<u64>>);

/// `{root}/data.pkl`, and `{root}/data/{key}` for each storage.
fn read_archive(file: &Bytes, size: u64) -> Result<Parts, CheckpointError> {
    let archive = Archive::read(file, size)?;
    let root = archive.names().filter_map(|name| name.strip_suffix("data.pkl")).min_by_key(|root| root.len());
    let root = root.ok_or(CheckpointError::Kind { problem: "a zip archive without data.pkl" })?.to_owned();
    if let Ok(range) = archive.entry(file, size, &format!("{root}byteorder"))
        && range.end - range.start <= 16
        && *file.read(range.start as usize..range.end as usize)? != *b"little"
    {
        return Err(CheckpointError::Kind { problem: "written on a big-endian machine" });
    }
    let range = archive.entry(file, size, &format!("{root}data.pkl"))?;
    let pickle = Pickle::read(BufReader::new(RangeReader { file, at: range.start, end: range.end }))?;
    let mut storages = HashMap::new();
    for id in 0..pickle.nodes().len() {
        if let Some(info) = storage_info(&pickle, id as u32)
            && !storages.contains_key(&info.key)
        {
            let range = archive.entry(file, size, &format!("{root}data/{}", info.key))?;
            storages.insert(info.key, range);
        }
    }
    Ok((pickle, storages))
}

/// Five pickles (magic number, protocol, system, object, keys), then for each key a count and the elements.
fn read_legacy(file: &mut File, size: u64) -> Result<Parts, CheckpointError> {
    file.rewind()?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let kind = |problem| CheckpointError::Kind { problem };
    let magic = Pickle::read(&mut reader).map_err(|_| kind("neither a zip archive nor a pickle"))?;
    if *magic.node(magic.root()) != Node::Long(LEGACY_MAGIC.to_vec()) {
        return Err(kind("a pickle without PyTorch's number in front"));
    }
    let protocol = Pickle::read(&mut reader)?;
    if protocol.int(protocol.root()) != Some(LEGACY_PROTOCOL) {
        return Err(kind("of an unknown protocol"));
    }
    let system = Pickle::read(&mut reader)?;
    if is_big_endian(&system) {
        return Err(kind("written on a big-endian machine"));
    }
    let pickle = Pickle::read(&mut reader)?;
    let keys = Pickle::read(&mut reader)?;
    let infos: HashMap<_, _> = (0..pickle.nodes().len())
        .filter_map(|id| storage_info(&pickle, id as u32))
        .map(|info| (info.key.clone(), info))
        .collect();
    let mut at = reader.stream_position()?;
    let mut storages = HashMap::new();
    for &key in keys.members(keys.root()).ok_or(kind("its keys are no list"))? {
        let key = keys.text(key).ok_or(kind("a storage's key is no text"))?;
        let missing = || CheckpointError::Missing { what: format!("the kind of storage `{key}`") };
        let info = infos.get(key).ok_or_else(missing)?;
        reader.seek(SeekFrom::Start(at))?;
        let mut count = [0; 8];
        reader.read_exact(&mut count)?;
        let bytes = u64::from_le_bytes(count).checked_mul(info.element.size_bytes() as u64);
        let start = at + 8;
        let end = bytes.and_then(|bytes| start.checked_add(bytes)).filter(|&end| end <= size);
        let end = end.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        if u64::from_le_bytes(count) != info.elements as u64 {
            return Err(kind("a storage's length is not what the pickle says"));
        }
        storages.insert(key.to_owned(), start..end);
        at = end;
    }
    Ok((pickle, storages))
}

fn is_big_endian(system: &Pickle) -> bool {
    let Node::Dict(items) = system.node(system.root()) else { return false };
    items.iter().any(|&(key, value)| {
        system.text(key) == Some("little_endian") && *system.node(value) == Node::Bool(false)
    })
}

/// Reads a range of the file in pieces.
struct RangeReader<'a> {
    file: &'a Bytes,
    at: u64,
    end: u64,
}

impl Read for RangeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (self.end - self.at).min(buffer.len() as u64) as usize;
        let at = self.at as usize;
        buffer[..length].copy_from_slice(&self.file.read(at..at + length)?);
        self.at += length as u64;
        Ok(length)
    }
}
