//! Making a voice: corpus, features, and the training loop with its two tasks.

pub mod acoustic;
pub mod adam;
pub mod checkpoint;
pub mod corpus;
pub mod dictionary;
mod error;
pub mod evaluate;
pub mod features;
pub mod random;
pub mod recipe;
pub mod run;
pub mod spectral;
pub mod study;
pub mod task;
pub mod vocoder;

pub use error::TrainError;
