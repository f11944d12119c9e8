//! The `fastglow` program.

#![cfg_attr(not(all(feature = "daemon", feature = "train")), allow(dead_code))] // Commands share parts.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
