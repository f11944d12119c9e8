//! A voice's weights for other programs: safetensors, 32-bit floats, under the names that the voice has them.

use std::io::{self, Write};
use std::path::Path;

use candle_core::Device;
use serde_json::{Map, json};

use super::{Fault, Voice, VoiceError};
use crate::atomic_file;

const FLOAT_BYTES: usize = 4;

impl Voice {
    /// Writes all tensors as a safetensors file; the configurations of the models are its metadata. An existing file is
    /// replaced whole or not at all.
    ///
    /// # Errors
    /// The voice cannot be read, or the file cannot be written.
    pub fn export_safetensors(&self, path: &Path) -> Result<(), VoiceError> {
        let origin = path.display().to_string();
        let table = self.safetensors_table();
        atomic_file::write(path, |file| {
            file.write_all(&(table.len() as u64).to_le_bytes())?;
            file.write_all(table.as_bytes())?;
            for (name, tensor) in &self.tensors {
                let floats = tensor.dequantize(&Device::Cpu).and_then(|t| t.flatten_all()?.to_vec1::<f32>());
                let floats = floats.map_err(|source| io::Error::other(Fault::tensor(name, source)))?;
                let bytes: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
                file.write_all(&bytes)?;
            }
            Ok(())
        })
        .map_err(|source| VoiceError::Write { origin, source })
    }

    /// Where each tensor lies; spaces at the end keep the data aligned.
    fn safetensors_table(&self) -> String {
        let config = |config: &Option<serde_json::Value>| config.as_ref().map(ToString::to_string);
        let described = [
            ("name", Some(self.meta.name.clone())),
            ("licence", Some(self.meta.licence.clone())),
            ("acoustic.config", config(&self.configs.acoustic)),
            ("vocoder.config", config(&self.configs.vocoder)),
        ];
        let metadata: Map<_, _> =
            described.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.into()))).collect();
        let mut table = Map::from_iter([("__metadata__".to_owned(), metadata.into())]);
        let mut at = 0;
        for (name, tensor) in &self.tensors {
            let end = at + tensor.shape().elem_count() * FLOAT_BYTES;
            let row = json!({ "dtype": "F32", "shape": tensor.shape().dims(), "data_offsets": [at, end] });
            table.insert(name.clone(), row);
            at = end;
        }
        let mut text = serde_json::Value::from(table).to_string();
        let padding = text.len().next_multiple_of(8) - text.len();
        text.push_str(&" ".repeat(padding));
        text
    }
}
