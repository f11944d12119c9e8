//! Where samples go: the common face of all outputs, and the table of them.

use std::path::PathBuf;

#[cfg(feature = "device")]
use super::keeper;
use super::{AudioError, Control, Reference, null, pcm};

/// An output. One thread writes to it; others may steer it by its [`Control`].
pub trait Sink: Send {
    /// Takes the next samples: mono, nominally within ±1, at the configured rate. Waits until there is room, or a stop
    /// comes: then what is left of them is dropped.
    ///
    /// # Errors
    /// The device is gone, the disk full, the pipe closed. What a lost device has not played is kept for when it is back;
    /// [`Control::stop`] drops it.
    fn write(&mut self, samples: &[f32]) -> Result<(), AudioError>;

    /// Says that nothing follows for now, so that what was written sounds to its end and silence is no fault.
    ///
    /// # Errors
    /// As [`Sink::write`].
    fn rest(&mut self) -> Result<(), AudioError>;

    /// Waits until everything has been heard or is on the disk; or until a stop.
    ///
    /// # Errors
    /// As [`Sink::write`]. A file that could not be completed is removed.
    fn finish(self: Box<Self>) -> Result<Played, AudioError>;

    /// A handle to steer it by.
    fn control(&self) -> Control;
}

/// What became of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Played {
    /// How often the device ran out of samples in mid-speech. Files never do.
    pub underruns: u64,
}

/// Where a file sink writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file, replaced whole; a pipe or device node is written to as it is.
    File(PathBuf),
}

/// What a sink is made from. Each takes what it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkConfig {
    /// Of the samples that will be written.
    pub sample_rate_hz: u32,
    /// Where file sinks write.
    pub target: Target,
    /// Which sound card: a name from `devices`; `None` for the system's default.
    pub device: Option<String>,
    /// How much sound is held in advance.
    pub ring_ms: u32,
    /// How much of that must be there before anything is heard.
    pub prefill_ms: u32,
    /// How much the device asks for at a time.
    pub period_ms: u32,
    /// How long the device idles before it is paused.
    pub idle_ms: u32,
    /// Real-time priority to ask for, for the device's thread, 1 to 99; `None` does not ask. A refusal is no error.
    pub realtime_priority: Option<u8>,
    /// How long a write waits for a device that went away to come back. It is looked for as long as the sink is open.
    pub reconnect_ms: u32,
    /// Hears what is really played.
    pub reference: Option<Reference>,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self {
            sample_rate_hz: 22_050,
            target: Target::Stdout,
            device: None,
            ring_ms: 1000,
            prefill_ms: 40,
            period_ms: 20,
            idle_ms: 2000,
            realtime_priority: Some(20),
            reconnect_ms: 30_000,
            reference: None,
        }
    }
}

impl SinkConfig {
    /// The usual settings.
    pub fn new(sample_rate_hz: u32, target: Target) -> Self {
        Self { sample_rate_hz, target, ..Self::default() }
    }
}

/// A kind of sink.
pub struct SinkKind {
    /// What to call it.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    /// Whether it writes to [`SinkConfig::target`].
    pub writes_target: bool,
    /// Opens one.
    pub open: fn(&SinkConfig) -> Result<Box<dyn Sink>, AudioError>,
}

/// All sinks of this build; the device, if there is one, first.
pub const SINKS: &[SinkKind] = &[
    #[cfg(feature = "device")]
    SinkKind {
        name: "device",
        summary: "a sound card; the system's default unless one is named",
        writes_target: false,
        open: keeper::open,
    },
    SinkKind {
        name: "wav",
        summary: "a WAV file, or WAV on standard output",
        writes_target: true,
        open: pcm::open_wav,
    },
    SinkKind {
        name: "raw",
        summary: "16-bit little-endian samples without a header",
        writes_target: true,
        open: pcm::open_raw,
    },
    SinkKind {
        name: "null",
        summary: "nothing, but in the time that the sound would take",
        writes_target: false,
        open: null::open,
    },
];

/// Opens the sink called `name`.
///
/// # Errors
/// There is no such sink in this build, or it cannot be opened.
pub fn open(name: &str, config: &SinkConfig) -> Result<Box<dyn Sink>, AudioError> {
    match SINKS.iter().find(|kind| kind.name == name) {
        Some(kind) => (kind.open)(config),
        None => Err(AudioError::UnknownSink {
            name: name.into(),
            known: SINKS.iter().map(|kind| kind.name).collect(),
        }),
    }
}
