//! Voices that say only in what they differ from another one: some of its tensors, and which voice that is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::gguf::Value;
use super::{Fault, Meta, Part, SearchPath, Source, Voice, VoiceError, is_finite, meta, weights_sum};
use crate::nn::Stored;

pub(super) const KEY_BASE: &str = "fastglow.adapter.base";

/// The voice that an adapter changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The name it had.
    pub name: String,
    /// Its identity: see [`Voice::weights_sha256`].
    pub weights_sha256: String,
}

/// What an adapter's file holds of a voice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Adapter {
    pub base: Base,
    /// Names of the tensors that are its own.
    pub changed: BTreeSet<String>,
}

impl Voice {
    /// A voice that differs from `base` in the tensors `changed`, named as in the file; saved, it is an adapter that holds
    /// these alone. Each keeps the precision that it has in `base`.
    ///
    /// # Errors
    /// `base` is an adapter itself, or a tensor is not one of its, has another shape or is not finite.
    pub fn adapted(base: &Voice, meta: Meta, changed: &BTreeMap<String, Tensor>) -> Result<Self, VoiceError> {
        let origin = format!("`{}`", meta.name);
        let damaged = |fault| VoiceError::Damaged { origin: origin.clone(), fault };
        if base.base().is_some() {
            return Err(VoiceError::NotWhole { origin: base.origin.clone() });
        }
        let mut tensors = base.tensors.clone();
        for (name, tensor) in changed {
            let packed = replace(base, name, tensor).map_err(damaged)?;
            tensors.insert(name.clone(), packed);
        }
        let adapter = Adapter {
            base: Base { name: base.meta.name.clone(), weights_sha256: base.weights_sha256.clone() },
            changed: changed.keys().cloned().collect(),
        };
        let weights_sha256 = weights_sum(&tensors).map_err(damaged)?;
        let configs = base.configs.clone();
        Ok(Self { meta, configs, tensors, weights_sha256, adapter: Some(adapter), origin })
    }

    /// The voice that this one adapts, if its file is an adapter.
    pub fn base(&self) -> Option<&Base> {
        Some(&self.adapter.as_ref()?.base)
    }

    /// Names of the tensors that an adapter changes; none for a whole voice.
    pub fn changed(&self) -> impl Iterator<Item = &str> {
        self.adapter.iter().flat_map(|adapter| adapter.changed.iter().map(String::as_str))
    }

    /// The same voice as one that needs no base.
    pub fn merged(self) -> Self {
        Self { adapter: None, ..self }
    }

    /// A part's tensors as 32-bit floats, named without the part.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn float_weights(&self, part: Part) -> Result<BTreeMap<String, Tensor>, VoiceError> {
        let mut weights = BTreeMap::new();
        for (name, tensor) in &self.tensors {
            let Some(name) = name.strip_prefix(part.name()).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            let float = tensor.dequantize(&Device::Cpu).map_err(|source| VoiceError::Damaged {
                origin: self.origin.clone(),
                fault: Fault::tensor(name, source),
            })?;
            weights.insert(name.to_owned(), float);
        }
        Ok(weights)
    }

    /// The bytes of a tensor, as stored.
    ///
    /// # Errors
    /// There is no tensor of this name, or the file cannot be read.
    pub fn tensor_bytes(&self, name: &str) -> Result<Vec<u8>, VoiceError> {
        let damaged = |fault| VoiceError::Damaged { origin: self.origin.clone(), fault };
        let tensor = self.tensors.get(name).ok_or_else(|| damaged(Fault::Missing(name.into())))?;
        Ok(tensor.data().map_err(|source| damaged(Fault::tensor(name, source)))?.into_owned())
    }
}

/// The tensor that takes the place of the base's of this name.
fn replace(base: &Voice, name: &str, tensor: &Tensor) -> Result<Stored, Fault> {
    let fault = |source| Fault::tensor(name, source);
    let old = base.tensors.get(name).ok_or_else(|| Fault::Missing(name.into()))?;
    if !is_finite(tensor).map_err(fault)? {
        return Err(Fault::NotFinite(name.into()));
    }
    let shaped = tensor.reshape(old.shape()).and_then(|tensor| tensor.contiguous()).map_err(fault)?;
    Stored::pack(&shaped, old.dtype()).map_err(fault)
}

/// What the file says about its base, if it is an adapter.
pub(super) fn base_of(metadata: &BTreeMap<String, Value>) -> Result<Option<Base>, Fault> {
    if !metadata.contains_key(KEY_BASE) {
        return Ok(None);
    }
    let text = meta::text(metadata, KEY_BASE)?;
    serde_json::from_str(text).map(Some).map_err(|error| meta::bad(KEY_BASE, error))
}

/// Puts an adapter's own tensors over those of its base, which is looked for beside the adapter and where voices live.
pub(super) fn complete(own: Voice, base: Base, source: &Source) -> Result<Voice, VoiceError> {
    let whole = find_base(&base, &own.origin, source)?;
    let damaged = |fault| VoiceError::Damaged { origin: own.origin.clone(), fault };
    let changed: BTreeSet<String> = own.tensors.keys().cloned().collect();
    let mut tensors = whole.tensors;
    for (name, tensor) in own.tensors {
        let old = tensors.get(&name).ok_or_else(|| damaged(Fault::Missing(name.clone())))?;
        if old.shape() != tensor.shape() {
            let dims = tensor.shape().dims().iter().map(|&dim| dim as u64).collect();
            let reason = format!("expected the base's {:?}", old.shape().dims());
            return Err(damaged(Fault::Shape { tensor: name, reason, dims }));
        }
        tensors.insert(name, tensor);
    }
    Ok(Voice { tensors, configs: whole.configs, adapter: Some(Adapter { base, changed }), ..own })
}

fn find_base(base: &Base, origin: &str, source: &Source) -> Result<Voice, VoiceError> {
    let beside = match source {
        Source::File(path) => path.parent().map(Path::to_path_buf),
        Source::Bundled => None,
    };
    let mut got = None;
    for candidate in SearchPath::from_environment().candidates(&base.name, beside) {
        // A damaged file of this name must not hide a sound one in another folder.
        let Ok(voice) = Voice::load_whole(&candidate) else { continue };
        if voice.weights_sha256 == base.weights_sha256 {
            return Ok(voice);
        }
        got.get_or_insert((voice.origin, voice.weights_sha256));
    }
    let (name, expected) = (base.name.clone(), base.weights_sha256.clone().into());
    Err(VoiceError::Base { origin: origin.into(), name, expected, got: got.map(Box::new) })
}
