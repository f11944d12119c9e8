//! Tensors as files have them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Error, Result, Shape, Tensor, bail};

/// Bytes that are read when they are asked for, so that a file and what is made of it need not be in memory together.
#[derive(Debug)]
pub enum Bytes {
    /// Bytes of the program itself, or made by it.
    Memory(Cow<'static, [u8]>),
    /// An open file. One that is replaced as a whole stays what it was; one that is written to does not.
    File(Mutex<File>),
}

impl Bytes {
    /// The bytes of a range.
    ///
    /// # Errors
    /// The file cannot be read, or the range is outside.
    pub fn read(&self, range: Range<usize>) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Memory(bytes) => match bytes.get(range) {
                Some(bytes) => Ok(Cow::Borrowed(bytes)),
                None => Err(io::ErrorKind::UnexpectedEof.into()),
            },
            Self::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(range.start as u64))?;
                let mut bytes = vec![0; range.len()];
                file.read_exact(&mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

/// A tensor in the precision and the bytes in which a file stores it. Cloning is cheap and shares the file.
#[derive(Debug, Clone)]
pub struct Stored {
    shape: Shape,
    dtype: GgmlDType,
    file: Arc<Bytes>,
    data: Range<usize>,
}

impl Stored {
    /// The tensor of these dimensions, outermost first, at `data` in `file`.
    ///
    /// # Errors
    /// The range has not as many bytes as the tensor, or the rows are not whole blocks.
    pub fn new(dims: &[usize], dtype: GgmlDType, file: Arc<Bytes>, data: Range<usize>) -> Result<Self> {
        let width = dims.last().copied().unwrap_or(1);
        let count = dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        let bytes = count.and_then(|count| (count / dtype.block_size()).checked_mul(dtype.type_size()));
        if bytes != Some(data.len()) || !width.is_multiple_of(dtype.block_size()) {
            bail!("stored tensor: bytes {data:?} are not those of {dims:?} in {dtype:?}");
        }
        Ok(Self { shape: Shape::from(dims), dtype, file, data })
    }

    /// Brings a float tensor into a precision.
    ///
    /// # Errors
    /// The rows are not whole blocks, or the precision has no packer.
    pub fn pack(tensor: &Tensor, dtype: GgmlDType) -> Result<Self> {
        let packed = QTensor::quantize(tensor, dtype)?;
        let bytes = packed.data()?.into_owned();
        let data = 0..bytes.len();
        Self::new(tensor.dims(), dtype, Arc::new(Bytes::Memory(bytes.into())), data)
    }

    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its precision.
    pub fn dtype(&self) -> GgmlDType {
        self.dtype
    }

    /// The number of its bytes.
    pub fn size_bytes(&self) -> usize {
        self.data.len()
    }

    /// Its bytes, little-endian.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn data(&self) -> Result<Cow<'_, [u8]>> {
        self.file.read(self.data.clone()).map_err(Error::wrap)
    }

    /// As 32-bit floats.
    ///
    /// # Errors
    /// The file cannot be read, or the device is out of memory.
    pub fn dequantize(&self, device: &Device) -> Result<Tensor> {
        self.to_candle(device)?.dequantize(device)
    }

    /// As candle holds it, in memory of its own.
    ///
    /// # Errors
    /// The file cannot be read, or the device is out of memory.
    pub fn to_candle(&self, device: &Device) -> Result<QTensor> {
        // Candle reinterprets the bytes as floats and blocks: they must lie as those do.
        const ALIGNMENT: usize = 16;
        let data = self.data()?;
        let mut room = vec![0u8; data.len() + ALIGNMENT];
        let start = room.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let aligned = &mut room[start..start + data.len()];
        aligned.copy_from_slice(&data);
        let storage = QStorage::from_data(Cow::Borrowed(aligned), device, self.dtype)?;
        QTensor::new(storage, self.shape.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn memory_and_files_give_the_same_bytes() {
        let content: Vec<u8> = (0..100).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        for bytes in [Bytes::Memory(content.clone().into()), Bytes::File(Mutex::new(file))] {
            for range in [10..20, 0..100, 99..100, 100..100, 3..4] {
                assert_eq!(&*bytes.read(range.clone()).unwrap(), &content[range]);
            }
            assert_eq!(bytes.read(90..101).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn precisions_come_back_and_sizes_are_checked() {
        let values: Vec<f32> = (0..64).map(|i| (i as f32 * 0.7).sin()).collect();
        let tensor = Tensor::from_vec(values, (2, 32), &Device::Cpu).unwrap();
        for (dtype, tolerance) in [(GgmlDType::F32, 0.0), (GgmlDType::F16, 5e-4), (GgmlDType::Q8_0, 4.5e-3)] {
            let stored = Stored::pack(&tensor, dtype).unwrap();
            let error = (stored.dequantize(&Device::Cpu).unwrap() - &tensor).unwrap().abs().unwrap();
            let worst = error.flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            assert!(worst <= tolerance, "{dtype:?}: {worst}");
        }
        let file = Arc::new(Bytes::Memory(vec![0; 68].into()));
        let stored = |dims: &[usize], data| Stored::new(dims, GgmlDType::Q8_0, file.clone(), data);
        assert!(stored(&[2, 32], 0..68).is_ok());
        assert!(stored(&[2, 32], 0..67).is_err() && stored(&[32, 2], 0..68).is_err(), "not whole blocks");
        assert!(stored(&[usize::MAX, 32], 0..68).is_err());
        let outside = stored(&[2, 32], 1..69).unwrap();
        assert!(outside.dequantize(&Device::Cpu).is_err());
    }
}
