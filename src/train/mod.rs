//! train

pub mod corpus;
pub mod features;
