//! A batch of phone sequences as tensors of ids, and sinusoidal positions.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, bail};

use super::Model;
use crate::phoneme::Phone;

/// A batch of token sequences, padded with id 0.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Symbol ids, `[batch, tokens]`, u32.
    pub symbols: Tensor,
    /// Word and phrase positions, each `[batch, tokens]`, u32; absent in the published layout.
    pub prosody: Option<(Tensor, Tensor)>,
    /// Tokens of each sequence.
    pub lengths: Arc<[usize]>,
}

impl Tokens {
    /// A batch for the native layout.
    ///
    /// # Errors
    /// The batch or a sequence is empty.
    pub fn from_phones(sequences: &[&[Phone]], device: &Device) -> Result<Self> {
        let column = |value: fn(&Phone) -> u32| {
            let columns: Vec<Vec<u32>> = sequences.iter().map(|s| s.iter().map(value).collect()).collect();
            padded(&columns, device)
        };
        let symbols = column(|phone| u32::from(phone.symbol.id()))?;
        let words = column(|phone| phone.word_position as u32)?;
        let phrases = column(|phone| u32::from(phone.phrase_position))?;
        let lengths = sequences.iter().map(|s| s.len()).collect();
        Ok(Self { symbols, prosody: Some((words, phrases)), lengths })
    }

    /// A batch for the published layout.
    ///
    /// # Errors
    /// The batch or a sequence is empty.
    pub fn from_ids(sequences: &[Vec<u32>], device: &Device) -> Result<Self> {
        let lengths = sequences.iter().map(Vec::len).collect();
        Ok(Self { symbols: padded(sequences, device)?, prosody: None, lengths })
    }

    /// Sequences in the batch, and tokens of the longest.
    ///
    /// # Errors
    /// The ids are not a matrix.
    pub fn dims(&self) -> Result<(usize, usize)> {
        self.symbols.dims2()
    }
}

fn padded(sequences: &[Vec<u32>], device: &Device) -> Result<Tensor> {
    let longest = sequences.iter().map(Vec::len).max().unwrap_or(0);
    if sequences.iter().any(Vec::is_empty) || longest == 0 {
        bail!("tokens: expected at least one token in each sequence");
    }
    let mut ids = Vec::with_capacity(sequences.len() * longest);
    for sequence in sequences {
        ids.extend_from_slice(sequence);
        ids.resize(ids.len() + longest - sequence.len(), 0);
    }
    Tensor::from_vec(ids, (sequences.len(), longest), device)
}

/// Sines and cosines of positions `0 .. count`, interleaved, `[count, width]`
/// ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)).
///
/// # Errors
/// Out of memory.
pub(crate) fn positions(count: usize, width: usize, device: &Device) -> Result<Tensor> {
    let mut values = Vec::with_capacity(count * width);
    for position in 0..count {
        for i in 0..width {
            // f64, as the published code computes its table.
            let exponent = (2 * (i / 2)) as f64 / width as f64;
            let angle = position as f64 / 10_000f64.powf(exponent);
            values.push(if i % 2 == 0 { angle.sin() } else { angle.cos() } as f32);
        }
    }
    Tensor::from_vec(values, (count, width), device)
}

/// The positions that a model was trained with, `[count, width]`; the native layout's are FastSpeech 2's.
pub(super) fn model_positions(model: Model, count: usize, width: usize, device: &Device) -> Result<Tensor> {
    match model {
        Model::FastSpeech2 => positions(count, width, device),
        // Position 0 is the padding's.
        Model::FastSpeech1 => positions(count + 1, width, device)?.narrow(0, 1, count)?.contiguous(),
        Model::FastPitch => {
            let pairs = positions(count, width, device)?.reshape((count, width / 2, 2))?;
            pairs.transpose(1, 2)?.contiguous()?.reshape((count, width))
        }
    }
}
