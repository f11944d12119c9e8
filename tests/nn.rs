//! Layers: gradients by finite differences, goldens from PyTorch, streaming, batches, matrices.

mod gradients;
