//! Ctrl-C, and the polite signals of service managers: speech stops at once.

use std::sync::{Arc, Mutex, PoisonError};

use fastglow::engine::Stopper;

use super::failure::Failure;

/// What the user or the system has asked for, before or after there was something to stop.
#[derive(Default)]
struct State {
    is_interrupted: bool,
    stopper: Option<Stopper>,
}

/// Listens to the signals, from before a file is begun that an interrupt must not leave behind.
pub struct Interrupt(Arc<Mutex<State>>);

impl Interrupt {
    /// To be called once.
    ///
    /// # Errors
    /// The system does not let the program listen to signals.
    pub fn listen() -> Result<Self, Failure> {
        let state = Arc::new(Mutex::new(State::default()));
        let heard = state.clone();
        ctrlc::set_handler(move || {
            let mut state = heard.lock().unwrap_or_else(PoisonError::into_inner);
            state.is_interrupted = true;
            if let Some(stopper) = &state.stopper {
                stopper.stop();
            }
        })
        .map_err(|error| Failure::Io { what: "signals", source: std::io::Error::other(error) })?;
        Ok(Self(state))
    }

    /// Stops the jobs begun so far at the next signal; now, if one has come.
    pub fn stops(&self, stopper: Stopper) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_interrupted {
            stopper.stop();
        }
        state.stopper = Some(stopper);
    }
}
