//! Voices of other programs: PyTorch and safetensors checkpoints, read without PyTorch and without running anything in them.

mod archive;
mod checkpoint;
mod element;
mod error;
mod fastpitch;
mod fastspeech;
mod fastspeech1;
mod graph;
mod pickle;
mod reader;
mod safetensors;
mod voice;
mod waveglow;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use element::Element;
pub use error::ImportError;
pub use fastspeech::{AcousticConfig, TrainingStatistics, acoustic};
pub use graph::StoredTensor;
pub use pickle::{Node, NodeId, Object, Pickle, PickleError};
pub use reader::Imported;
pub use voice::{Description, Models, check_whole, compare_written};
pub use waveglow::waveglow;
