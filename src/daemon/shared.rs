//! What every listener is given.

use std::sync::{Arc, Mutex, PoisonError};

use super::limits::Limits;
use super::metrics::Metrics;
use super::speaker::Speaker;
use super::voices::Voices;
use crate::engine::SpeakConfig;

/// The daemon's parts, of which each listener uses some.
pub struct Shared {
    /// The voices at hand.
    pub voices: Arc<Voices>,
    /// The loudspeaker; `None` where there is none.
    pub speaker: Option<Speaker>,
    /// Where everybody counts.
    pub metrics: Arc<Metrics>,
    settings: Mutex<Arc<Settings>>,
}

/// What may change while the daemon runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// What clients may ask for.
    pub limits: Limits,
    /// How to speak when a client does not say.
    pub speech: SpeakConfig,
}

impl Shared {
    /// Joins the parts.
    pub fn new(
        voices: Arc<Voices>,
        speaker: Option<Speaker>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        Self { voices, speaker, metrics, settings: Mutex::new(Arc::new(settings)) }
    }

    /// The settings of this moment.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other settings from now on.
    pub fn set_settings(&self, settings: Settings) {
        if let Some(speaker) = &self.speaker {
            speaker.set_limits(settings.limits.clone());
        }
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}
