//! Tensors as files have them.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Result, Shape, Tensor, bail};

/// The bytes of a file, in memory of its own or of the program.
pub type FileBytes = Arc<Cow<'static, [u8]>>;

/// A tensor in the precision and the bytes in which a file stores it. Cloning is cheap and shares the bytes.
#[derive(Debug, Clone)]
pub struct Stored {
    shape: Shape,
    dtype: GgmlDType,
    file: FileBytes,
    data: Range<usize>,
}

impl Stored {
    /// The tensor of these dimensions, outermost first, at `data` in `file`.
    ///
    /// # Errors
    /// The range is outside, has not as many bytes as the tensor, or the rows are not whole blocks.
    pub fn new(dims: &[usize], dtype: GgmlDType, file: FileBytes, data: Range<usize>) -> Result<Self> {
        let width = dims.last().copied().unwrap_or(1);
        let count = dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        let bytes = count.and_then(|count| (count / dtype.block_size()).checked_mul(dtype.type_size()));
        if bytes != file.get(data.clone()).map(<[u8]>::len) || !width.is_multiple_of(dtype.block_size()) {
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
        Self::new(tensor.dims(), dtype, Arc::new(Cow::Owned(bytes)), data)
    }

    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its precision.
    pub fn dtype(&self) -> GgmlDType {
        self.dtype
    }

    /// Its bytes, little-endian.
    pub fn data(&self) -> &[u8] {
        &self.file[self.data.clone()]
    }

    /// As 32-bit floats.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn dequantize(&self, device: &Device) -> Result<Tensor> {
        self.to_candle(device)?.dequantize(device)
    }

    /// As candle holds it, in memory of its own.
    ///
    /// # Errors
    /// The device is out of memory.
    pub fn to_candle(&self, device: &Device) -> Result<QTensor> {
        // Candle reinterprets the bytes as floats and blocks: they must lie as those do.
        const ALIGNMENT: usize = 16;
        let data = self.data();
        let mut room = vec![0u8; data.len() + ALIGNMENT];
        let start = room.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let aligned = &mut room[start..start + data.len()];
        aligned.copy_from_slice(data);
        let storage = QStorage::from_data(Cow::Borrowed(aligned), device, self.dtype)?;
        QTensor::new(storage, self.shape.clone())
    }
}
