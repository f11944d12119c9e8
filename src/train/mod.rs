//! Making a voice: corpus, features, and the training loop with its two tasks.

pub mod acoustic;
pub mod task;
