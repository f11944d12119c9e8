//! The handle by which other threads steer a sink while one writes to it.

use std::fmt;
use std::sync::Arc;

/// Steers a sink from any thread. Clones steer the same one; they outlive it and then do nothing.
///
/// Samples are counted in the voice's own rate, from the first one ever written to the sink, heard or not. An engine that
/// notes [`Progress::written_samples`] before an utterance can add its own word marks to it and compare with
/// [`Progress::played_samples`].
#[derive(Clone)]
pub struct Control {
    sink: Arc<dyn Steerable>,
}

/// What a sink does for its [`Control`]. Called from any thread; none may wait longer than a block takes to convert.
pub(super) trait Steerable: Send + Sync {
    fn stop(&self);
    fn set_paused(&self, is_paused: bool);
    fn is_paused(&self) -> bool;
    fn set_volume(&self, factor: f32);
    fn progress(&self) -> Progress;
}

/// Where writing and playing are, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Of the counts below: the voice's.
    pub sample_rate_hz: u32,
    /// Samples given to the sink, heard or not.
    pub written_samples: u64,
    /// The count after the last sample that was played: handed to the device, or written to the file. After a stop it
    /// stays where playing stopped, until something new is played.
    pub played_samples: u64,
    /// Samples written but not played yet. `None` where nobody listens in real time.
    pub buffered_samples: Option<u64>,
    /// How often the device ran out of samples in mid-speech. Files never do.
    pub underruns: u64,
    /// Whether everything has been played, and the writer has said that nothing follows.
    pub is_idle: bool,
    /// Whether there is no device to play on now: it went away and is looked for, while there is something to play.
    pub is_lost: bool,
}

impl Control {
    pub(super) fn new(sink: Arc<dyn Steerable>) -> Self {
        Self { sink }
    }

    /// Ends the sound within one period and a 5 ms fade, drops what was not heard, and makes a waiting
    /// [`Sink::write`](super::Sink::write) return. The next write starts afresh. (A write into a pipe whose reader stands
    /// still returns when that takes the next few kilobytes.)
    ///
    /// A writer that may just be computing should look whether it was cancelled *after* each write, and call this itself
    /// if so: its last samples may have come a moment after the first stop.
    pub fn stop(&self) {
        self.sink.stop();
    }

    /// Fades out and keeps the place. Writes go on until the sink is full, then wait.
    pub fn pause(&self) {
        self.sink.set_paused(true);
    }

    /// Goes on where it paused.
    pub fn resume(&self) {
        self.sink.set_paused(false);
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.sink.is_paused()
    }

    /// Sets the volume of what is heard from now on, also of what is already written, without a click. 0 dB changes
    /// nothing and is the most, minus infinity is silence; NaN is ignored. To be louder, speak louder: a way of speaking's
    /// volume is limited softly, here nothing could be.
    pub fn set_volume_db(&self, volume_db: f32) {
        if !volume_db.is_nan() {
            self.sink.set_volume(10f32.powf(volume_db.min(0.0) / 20.0));
        }
    }

    /// All counts, of one moment.
    pub fn progress(&self) -> Progress {
        self.sink.progress()
    }

    /// See [`Progress::played_samples`].
    pub fn played_samples(&self) -> u64 {
        self.progress().played_samples
    }

    /// See [`Progress::buffered_samples`].
    pub fn buffered_samples(&self) -> Option<u64> {
        self.progress().buffered_samples
    }

    /// The same as a duration.
    pub fn buffered_ms(&self) -> Option<u64> {
        let progress = self.progress();
        progress.buffered_samples.map(|samples| samples * 1000 / u64::from(progress.sample_rate_hz.max(1)))
    }

    /// See [`Progress::underruns`].
    pub fn underruns(&self) -> u64 {
        self.progress().underruns
    }

    /// See [`Progress::is_idle`].
    pub fn is_idle(&self) -> bool {
        self.progress().is_idle
    }

    /// See [`Progress::is_lost`].
    pub fn is_lost(&self) -> bool {
        self.progress().is_lost
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Control").field(&self.progress()).finish()
    }
}
