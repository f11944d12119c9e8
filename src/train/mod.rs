//! train

pub mod corpus;
