//! What can go wrong between samples and ears.

use std::io;

/// Sound could not be played or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// No sound card, or none that the system offers as its default. Retrying helps once there is one.
    #[error("audio device: no output device: {reason}")]
    NoDevice {
        /// What the audio system said.
        reason: String,
    },
    /// No sound card of this name, now. Retrying helps once it is plugged in.
    #[error("audio device: none is called `{name}`")]
    UnknownDevice {
        /// The name asked for.
        name: String,
    },
    /// The device is there but cannot be used this way. Retrying helps if it was busy.
    #[error("audio device: cannot {operation}: {reason}")]
    Device {
        /// What was tried.
        operation: &'static str,
        /// What the audio system said.
        reason: String,
    },
    /// The device went away, or stopped taking samples, while playing.
    #[error("audio device: stopped while playing: {reason}")]
    Lost {
        /// What the audio system said.
        reason: String,
    },
    /// There is no microphone, or it cannot be used. Retrying helps if it was busy or not plugged in.
    #[error("microphone: cannot {operation}: {reason}")]
    Microphone {
        /// What was tried.
        operation: &'static str,
        /// What the audio system said.
        reason: String,
    },
    /// Whoever read the pipe has seen enough. Nothing is wrong; there is nobody to write for.
    #[error("{target}: the pipe was closed by its reader")]
    PipeClosed {
        /// Where the samples were to go.
        target: String,
    },
    /// Samples could not be written to a file or a pipe.
    #[error("{target}: cannot write: {source}")]
    Write {
        /// Where they were to go.
        target: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// More than the 4 GiB that a WAV file can describe.
    #[error("{target}: expected at most {limit_bytes} bytes of samples in a WAV file")]
    TooLong {
        /// The file.
        target: String,
        /// The most that fits.
        limit_bytes: u64,
    },
    /// The sample rates of voice and device cannot be joined.
    #[error("resampling from {from_hz} Hz to {to_hz} Hz: {reason}")]
    Resample {
        /// The voice's rate.
        from_hz: u32,
        /// The device's rate.
        to_hz: u32,
        /// Why not.
        reason: String,
    },
    /// No sink of this name in this build.
    #[error("audio output `{name}`: expected one of {}", .known.join(", "))]
    UnknownSink {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
}

impl AudioError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            AudioError::NoDevice { .. } => {
                "write a file with `-o speech.wav`, pipe with `-o - --raw`, or check `aplay -l` and that this user \
                 is in the `audio` group"
                    .into()
            }
            AudioError::Device { .. } => {
                "another program may hold the device; `aplay -l` lists what there is; `-o speech.wav` writes a file"
                    .into()
            }
            AudioError::Microphone { .. } => {
                "check `arecord -l`, that this user is in the `audio` group and that no other program holds it; \
                 `fastglow devices --microphones` lists the names for `--device`; WAV files need none: `--input take.wav`"
                    .into()
            }
            AudioError::UnknownDevice { .. } => "`fastglow devices` lists the names".into(),
            AudioError::Lost { .. } => "check the device's cable or connection, then speak again".into(),
            AudioError::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => "free some space on that disk, then try again".into(),
                io::ErrorKind::PermissionDenied => "choose a folder that this user may write to".into(),
                io::ErrorKind::NotFound => "the folder must exist".into(),
                _ => return None,
            },
            AudioError::TooLong { .. } => "write raw samples (`--raw`), or several files".into(),
            AudioError::UnknownSink { .. } => {
                "this build may lack the sound card output: build with the `device` feature".into()
            }
            AudioError::PipeClosed { .. } | AudioError::Resample { .. } => return None,
        })
    }

    /// A failed write, of which a closed pipe is a kind of its own.
    pub(super) fn from_write(target: &str, source: io::Error) -> Self {
        let target = target.to_owned();
        match source.kind() {
            io::ErrorKind::BrokenPipe => AudioError::PipeClosed { target },
            _ => AudioError::Write { target, source },
        }
    }
}
