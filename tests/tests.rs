//! The integration tests, one topic a file.

mod acoustic;
mod cli;
mod front_end;
mod nn;
mod signal;
mod training;
mod vocoder;
mod voice;
