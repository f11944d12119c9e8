//! The loudspeaker itself, which outlives the engines that write to it one after another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{LoudspeakerConfig, OpenLoudspeaker};
use crate::audio::{AudioError, Control, Played, Sink, SinkConfig};
use crate::engine::OpenSink;

/// The sink, until it is closed: whoever still holds it then finds it gone.
type Shared = Arc<Mutex<Option<Box<dyn Sink>>>>;

/// Opens the sink when it is first needed, and again for a voice of another sample rate.
pub(super) struct Outlet {
    open_sink: OpenLoudspeaker,
    config: LoudspeakerConfig,
    open: Option<Open>,
}

struct Open {
    sink: Shared,
    control: Control,
    sample_rate_hz: u32,
    /// When it was last seen to play; `None` before the first sound.
    last_heard: Option<Instant>,
}

fn lock(sink: &Shared) -> MutexGuard<'_, Option<Box<dyn Sink>>> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(
    sink: &Shared,
    work: impl FnOnce(&mut dyn Sink) -> Result<T, AudioError>,
) -> Result<T, AudioError> {
    match lock(sink).as_deref_mut() {
        Some(sink) => work(sink),
        None => Err(AudioError::Lost { reason: "the loudspeaker was closed".into() }),
    }
}

impl Outlet {
    pub fn new(open_sink: OpenLoudspeaker, config: LoudspeakerConfig) -> Self {
        Self { open_sink, config, open: None }
    }

    /// Makes it ready for samples of this rate.
    ///
    /// # Errors
    /// The sink cannot be opened.
    pub fn prepare(&mut self, sample_rate_hz: u32) -> Result<Control, AudioError> {
        if let Some(open) = self.open.as_ref().filter(|open| open.sample_rate_hz == sample_rate_hz) {
            return Ok(open.control.clone());
        }
        self.close();
        let config = SinkConfig { sample_rate_hz, ..self.config.sink.clone() };
        let sink = (self.open_sink)(&config)?;
        let control = sink.control();
        control.set_volume_db(self.config.volume_db);
        let sink = Arc::new(Mutex::new(Some(sink)));
        self.open = Some(Open { sink, control: control.clone(), sample_rate_hz, last_heard: None });
        Ok(control)
    }

    pub fn control(&self) -> Option<&Control> {
        self.open.as_ref().map(|open| &open.control)
    }

    /// What an engine writes to.
    pub fn lend(&self) -> Option<OpenSink> {
        let Open { sink, control, .. } = self.open.as_ref()?;
        let lent = Lent { sink: sink.clone(), control: control.clone() };
        Some(Box::new(move || Ok(Box::new(lent) as Box<dyn Sink>)))
    }

    /// Silence before speech, for loudspeakers that swallow its beginning while they wake up.
    ///
    /// # Errors
    /// The sink fails.
    pub fn lead_in(&mut self) -> Result<(), AudioError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let asleep_after = Duration::from_millis(self.config.sink.idle_ms.into());
        let is_asleep = open.last_heard.is_none_or(|last| last.elapsed() >= asleep_after);
        if is_asleep && self.config.lead_in_ms > 0 {
            let count = u64::from(self.config.lead_in_ms) * u64::from(open.sample_rate_hz) / 1000;
            with(&open.sink, |sink| {
                sink.write(&vec![0.0; count as usize])?;
                // What follows is still being made.
                sink.rest()
            })?;
        }
        Ok(())
    }

    /// Something has just been heard.
    pub fn note_heard(&mut self) {
        if let Some(open) = &mut self.open {
            open.last_heard = Some(Instant::now());
        }
    }

    /// Waits for what is in it, closes it.
    pub fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        open.control.resume();
        let Some(sink) = lock(&open.sink).take() else { return };
        if let Err(error) = sink.finish() {
            tracing::warn!(%error, "the loudspeaker did not close well");
        }
    }
}

/// The loudspeaker, in the hands of one engine.
struct Lent {
    sink: Shared,
    control: Control,
}

impl Sink for Lent {
    fn write(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        with(&self.sink, |sink| sink.write(samples))
    }

    fn rest(&mut self) -> Result<(), AudioError> {
        with(&self.sink, |sink| sink.rest())
    }

    /// The engine ends, the loudspeaker stays.
    fn finish(self: Box<Self>) -> Result<Played, AudioError> {
        with(&self.sink, |sink| sink.rest())?;
        Ok(Played::default())
    }

    fn control(&self) -> Control {
        self.control.clone()
    }
}
