//! Layers of one model in a checkpoint, under whatever prefix and in whatever form its tool saved them.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Tensor;

use super::{Checkpoint, CheckpointError, ImportError};
use crate::nn::{fold_weight_norm, tap_major};

/// A model under our names, and what of the checkpoint it was not made of.
#[derive(Debug)]
pub struct Imported<C> {
    /// Its shape, from the weights.
    pub config: C,
    /// Its weights, as the model takes them.
    pub tensors: BTreeMap<String, Tensor>,
    /// Where in the checkpoint it was.
    pub prefix: String,
    /// Tensors of the checkpoint that are no part of it: an optimizer's, a generator's state, stale copies.
    pub ignored: Vec<String>,
}

/// Finds tensors by the model's own names, and remembers which were used.
pub(super) struct Reader<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    used: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    /// The one model in the checkpoint that has tensors of these names.
    pub fn find(
        checkpoint: &'a Checkpoint,
        model: &'static str,
        [first, second]: [&str; 2],
    ) -> Result<Self, ImportError> {
        let names = checkpoint.tensors();
        let ends = names.keys().filter_map(|name| name.strip_suffix(first));
        let is_start = |prefix: &&str| prefix.is_empty() || prefix.ends_with('.');
        let found: Vec<_> = ends
            .filter(|prefix| is_start(prefix) && names.contains_key(&format!("{prefix}{second}")))
            .collect();
        match found[..] {
            [prefix] => Ok(Self { checkpoint, prefix: prefix.to_owned(), used: BTreeSet::new() }),
            _ => Err(ImportError::Count { model, got: found.len() }),
        }
    }

    /// What is left of the checkpoint.
    pub fn finish<C>(self, config: C, tensors: BTreeMap<String, Tensor>) -> Imported<C> {
        let ignored = self.checkpoint.tensors().keys().filter(|name| !self.used.contains(*name));
        let ignored = ignored.chain(self.checkpoint.attributes()).cloned().collect();
        Imported { config, tensors, prefix: self.prefix, ignored }
    }

    /// The model's own names of all that stands under its prefix.
    pub fn names(&self) -> Vec<&'a str> {
        self.checkpoint.tensors().keys().filter_map(|name| name.strip_prefix(&self.prefix)).collect()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.checkpoint.tensors().contains_key(&format!("{}{name}", self.prefix))
    }

    /// Whether there is a layer of this name, in whatever form.
    pub fn has(&self, layer: &str) -> bool {
        ["weight", "weight_v", "parametrizations.weight.original1"]
            .iter()
            .any(|form| self.contains(&format!("{layer}.{form}")))
    }

    /// How many layers there are of the names that `pattern` makes of 0, 1, 2 …
    pub fn count(&self, most: usize, pattern: impl Fn(usize) -> String) -> usize {
        (0..most).take_while(|&i| self.has(&pattern(i))).count()
    }

    /// The shape of a tensor; its values stay where they are.
    pub fn dims<const N: usize>(
        &self,
        name: &str,
        expected: &'static str,
    ) -> Result<[usize; N], ImportError> {
        let path = format!("{}{name}", self.prefix);
        match self.checkpoint.tensors().get(&path) {
            None => Err(CheckpointError::Missing { what: format!("tensor `{path}`") }.into()),
            Some(tensor) => <[usize; N]>::try_from(tensor.shape.as_slice()).map_err(|_| ImportError::Shape {
                name: path,
                expected,
                got: tensor.shape.clone(),
            }),
        }
    }

    pub fn tensor(&mut self, name: &str) -> Result<Tensor, ImportError> {
        let name = format!("{}{name}", self.prefix);
        let tensor = self.checkpoint.read(&name)?;
        self.used.insert(name);
        Ok(tensor)
    }

    /// Passes a tensor over that the model does not need.
    pub fn skip(&mut self, name: &str) {
        self.used.insert(format!("{}{name}", self.prefix));
    }

    /// A layer's weight; gain and direction win over a stale product beside them.
    pub fn weight(&mut self, layer: &str) -> Result<Tensor, ImportError> {
        for (gain, direction) in [
            ("weight_g", "weight_v"),
            ("parametrizations.weight.original0", "parametrizations.weight.original1"),
        ] {
            if self.contains(&format!("{layer}.{direction}")) {
                let direction = self.tensor(&format!("{layer}.{direction}"))?;
                let gain = self.tensor(&format!("{layer}.{gain}"))?;
                return Ok(fold_weight_norm(&gain, &direction)?);
            }
        }
        self.tensor(&format!("{layer}.weight"))
    }

    /// A convolution as a matrix, and its bias.
    pub fn layer(&mut self, layer: &str) -> Result<[Tensor; 2], ImportError> {
        let weight = self.weight(layer)?;
        self.dims3(layer, &weight)?;
        Ok([tap_major(&weight)?, self.tensor(&format!("{layer}.bias"))?])
    }

    /// Several layers of the same inputs as one.
    pub fn joined(&mut self, layers: &[String]) -> Result<[Tensor; 2], ImportError> {
        if let [layer] = layers {
            return self.layer(layer);
        }
        let parts = layers.iter().map(|layer| self.layer(layer)).collect::<Result<Vec<_>, _>>()?;
        let all = |i: usize| Tensor::cat(&parts.iter().map(|part| &part[i]).collect::<Vec<_>>(), 0);
        Ok([all(0)?, all(1)?])
    }

    pub fn dims3(&self, layer: &str, weight: &Tensor) -> Result<(usize, usize, usize), ImportError> {
        weight.dims3().map_err(|_| self.shape_error(&format!("{layer}.weight"), "three dimensions", weight))
    }

    pub fn shape_error(&self, name: &str, expected: &'static str, tensor: &Tensor) -> ImportError {
        let name = format!("{}{name}", self.prefix);
        ImportError::Shape { name, expected, got: tensor.dims().to_vec() }
    }
}
