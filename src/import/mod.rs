//! Voices of other programs: PyTorch checkpoints, read without PyTorch and without running anything in them.

mod archive;
mod checkpoint;
mod element;
mod graph;
mod pickle;
mod waveglow;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use element::Element;
pub use graph::StoredTensor;
pub use pickle::{Node, NodeId, Object, Pickle, PickleError};
pub use waveglow::{ImportedWaveGlow, WaveGlowError, waveglow};
