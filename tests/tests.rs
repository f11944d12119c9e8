//! The integration tests, one topic a file.

mod acoustic;
#[cfg(feature = "train")]
mod adapt;
mod audio;
mod checkpoints;
mod chunker;
#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "daemon", unix))]
mod config;
#[cfg(all(feature = "daemon", unix))]
mod daemon;
mod engine;
mod front_end;
mod goldens;
#[cfg(feature = "daemon")]
mod http;
mod import;
mod markup;
mod nn;
#[cfg(feature = "cli")]
mod published_voices;
#[cfg(all(feature = "cli", feature = "train", feature = "device"))]
mod record;
mod signal;
#[cfg(all(feature = "cli", feature = "daemon"))]
mod speechd;
mod streaming;
mod tiny_voice;
mod training;
mod vocoder;
mod voice;
#[cfg(feature = "daemon")]
mod wyoming;
