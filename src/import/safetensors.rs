//! The safetensors container: a JSON table of tensors, then their elements
//! ([format](https://github.com/huggingface/safetensors#format)).

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use serde::Deserialize;

use super::checkpoint::CheckpointError;
use super::element::Element;
use super::graph::StoredTensor;

/// The table of the largest model here takes a hundredth of this.
const MAX_TABLE_BYTES: u64 = 16 << 20;
const MAX_RANK: usize = 8;

#[derive(Deserialize)]
struct Row {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// Whether a file of these first bytes has a table: its length, then JSON.
pub fn is_table(first: &[u8]) -> bool {
    first.get(8) == Some(&b'{')
}

pub(super) type Parts = (BTreeMap<String, StoredTensor>, HashMap<String, Range<u64>>);

/// The tensors, and where their elements lie: each is a storage of its own.
pub(super) fn read(file: &mut File, size: u64) -> Result<Parts, CheckpointError> {
    let wrong = |problem| CheckpointError::Kind { problem };
    let mut length = [0; 8];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_TABLE_BYTES || length > size - 8 {
        return Err(wrong("a safetensors table that is too long"));
    }
    let mut table = vec![0; length as usize];
    file.read_exact(&mut table)?;
    let rows: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&table)
        .map_err(|_| wrong("its first bytes announce a table, and are none"))?;
    let start = 8 + length;
    let (mut tensors, mut storages) = (BTreeMap::new(), HashMap::new());
    for (name, row) in rows {
        if name == "__metadata__" {
            continue;
        }
        let fault = |problem: &str| CheckpointError::Tensor { name: name.clone(), problem: problem.into() };
        let Row { dtype, shape, data_offsets: [from, to] } =
            Row::deserialize(row).map_err(|error| fault(&error.to_string()))?;
        let element = element(&dtype).ok_or_else(|| fault("of an unknown type"))?;
        let count = shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64));
        let bytes = count.and_then(|count| count.checked_mul(element.size_bytes() as u64));
        if shape.len() > MAX_RANK || from > to || to > size - start || bytes != Some(to - from) {
            return Err(fault("its place in the file does not fit its shape"));
        }
        let mut strides = vec![1usize; shape.len()];
        for axis in (1..shape.len()).rev() {
            // Of a shape with a 0 in it the others are any numbers, and the strides of no use.
            strides[axis - 1] = strides[axis].wrapping_mul(shape[axis]);
        }
        storages.insert(name.clone(), start + from..start + to);
        let (storage, offset) = (name.clone(), 0);
        let tensor = StoredTensor { name, is_attribute: false, storage, element, offset, shape, strides };
        tensors.insert(tensor.name.clone(), tensor);
    }
    Ok((tensors, storages))
}

fn element(dtype: &str) -> Option<Element> {
    Some(match dtype {
        "F64" => Element::F64,
        "F32" => Element::F32,
        "F16" => Element::F16,
        "BF16" => Element::Bf16,
        "I64" => Element::I64,
        "I32" => Element::I32,
        "I16" => Element::I16,
        "I8" => Element::I8,
        "U8" => Element::U8,
        "BOOL" => Element::Bool,
        _ => return None,
    })
}
