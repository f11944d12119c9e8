//! What every listener is given.

use std::sync::Arc;

use super::limits::Limits;
use super::speaker::Speaker;
use super::voices::Voices;

/// The daemon's parts, of which each listener uses some.
#[derive(Clone)]
pub struct Shared {
    /// The voices at hand.
    pub voices: Arc<Voices>,
    /// The loudspeaker; `None` where there is none.
    pub speaker: Option<Speaker>,
    /// What clients may ask for.
    pub limits: Limits,
}
