//! Ctrl-C, and the polite signals of service managers: speech stops at once.

use fastglow::engine::Stopper;

use super::failure::Failure;

/// Stops the speech when the user or the system asks for it. To be called once.
///
/// # Errors
/// The system does not let the program listen to signals.
pub fn on_interrupt(stopper: Stopper) -> Result<(), Failure> {
    ctrlc::set_handler(move || stopper.stop())
        .map_err(|error| Failure::Io { what: "signals", source: std::io::Error::other(error) })
}
