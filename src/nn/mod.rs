//! Layers: thin, over candle, channels last.
//!
//! Every sequence is `[batch, time, channels]`, so that a convolution is a copy of shifted rows and one matrix product,
//! a streaming state is a few rows, and a quantised weight `[out, in × taps]` serves float and integer kernels alike.
//! Candle's own `conv1d`, `LayerNorm` and last-dimension softmax are not used: they compute or differentiate wrongly
//! for some layouts and batch sizes.
//!
//! Element-wise work that candle would spread over many buffers is one fused operation with its own gradient on the
//! CPU ([`ops`]); on other devices the same function is composed of candle's operations.

mod batch_norm;
mod block8;
mod conv;
mod conv_transpose;
mod gru;
mod linear;
mod norm;
pub mod ops;
pub(crate) mod panels;
mod params;
pub mod square;
mod stored;
pub(crate) mod winograd;

pub use batch_norm::{BatchNorm1d, Statistics};
pub use block8::Matrix8;
pub use conv::{Conv1d, Conv1dConfig, DepthwiseConv1d, Padding, fold_weight_norm, tap_major};
pub use conv_transpose::{ConvTranspose1d, ConvTranspose1dConfig, ConvTransposeState, tap_major_transposed};
pub use gru::{Gru, GruOutput, Reading};
pub use linear::{Embedding, Linear, Weight};
pub use norm::LayerNorm;
pub use params::{Init, Params};
pub use stored::{Bytes, Stored};
