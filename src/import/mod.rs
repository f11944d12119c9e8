//! Voices of other programs: PyTorch and safetensors checkpoints, read without PyTorch and without running anything in them.

mod archive;
mod checkpoint;
mod element;
mod error;
mod fastspeech;
mod graph;
mod pickle;
mod reader;
mod safetensors;
mod voice;
mod waveglow;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use element::Element;
pub use error::ImportError;
pub use fastspeech::{FastSpeech2Config, TrainingStatistics, fastspeech2};
pub use graph::StoredTensor;
pub use pickle::{Node, NodeId, Object, Pickle, PickleError};
pub use reader::Imported;
pub use voice::{Description, Models, compare_written};
pub use waveglow::waveglow;
