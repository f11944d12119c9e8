//! What the training loop needs to know of a model.

use candle_core::{Result, Tensor};

use crate::nn::Params;

/// The loss of one batch.
pub struct BatchLoss {
    /// What is minimised: a scalar with gradients.
    pub total: Tensor,
    /// Named parts for the log.
    pub parts: Vec<(&'static str, f32)>,
}

/// A model in training.
pub trait Task {
    /// The trainable parameters; all exist once the task has been made.
    fn params(&self) -> &Params;

    /// The loss of the batch of this step. The batch depends on seed and step alone, so that a resumed run goes on as the
    /// interrupted one would have.
    ///
    /// # Errors
    /// A tensor operation failed.
    fn loss(&mut self, step: u64) -> Result<BatchLoss>;

    /// Named figures on the held-out utterances; the first is the one that early stopping watches (lower is better).
    ///
    /// # Errors
    /// A tensor operation failed.
    fn validate(&mut self) -> Result<Vec<(&'static str, f32)>>;
}
