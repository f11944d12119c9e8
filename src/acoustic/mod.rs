//! acoustic
