//! How the program ends when something is wrong: `error:`, a blank line, `hint:`, and an exit code that means something.

use std::io;
use std::process::ExitCode;

use fastglow::Error;
use fastglow::audio::AudioError;
use fastglow::voice::VoiceError;

/// The exit codes; the same table is in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Code {
    Done = 0,
    Failure = 1,
    Usage = 2,
    Voice = 3,
    AudioDevice = 4,
    NothingToSay = 5,
    Config = 6,
    /// As a shell reports a program that Ctrl-C ended.
    Interrupted = 130,
}

/// Why the program ends early.
#[derive(Debug)]
pub enum Failure {
    /// An error of the library.
    Library(Error),
    /// The arguments make no sense together.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// A file named by the user cannot be read.
    File {
        /// Which.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// No daemon listens.
    #[cfg(feature = "daemon")]
    NoDaemon {
        /// Where.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The daemon did not do what was asked.
    #[cfg(feature = "daemon")]
    Refused {
        /// What it said.
        message: String,
        /// What it said that helps.
        hint: Option<String>,
    },
    /// A voice does not compute what it should.
    Parity {
        /// Outputs beyond their tolerance.
        beyond: usize,
        /// Outputs that were compared.
        of: usize,
    },
    /// The user ended it.
    Interrupted,
    /// Standard input or output failed.
    Io {
        /// Which.
        what: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Library(error.into())
    }
}

impl Failure {
    fn code(&self) -> Code {
        match self {
            Failure::Library(Error::Voice(VoiceError::Write { .. })) => Code::Failure,
            Failure::Library(Error::Voice(_)) => Code::Voice,
            Failure::Library(Error::Audio(AudioError::PipeClosed { .. })) => Code::Done,
            Failure::Library(Error::Audio(
                AudioError::NoDevice { .. }
                | AudioError::UnknownDevice { .. }
                | AudioError::Device { .. }
                | AudioError::Microphone { .. }
                | AudioError::Lost { .. }
                | AudioError::UnknownSink { .. },
            )) => Code::AudioDevice,
            Failure::Library(Error::Text(_)) => Code::NothingToSay,
            Failure::Library(Error::SpeakConfig(_) | Error::Ssml(_)) | Failure::Usage { .. } => Code::Usage,
            Failure::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => Code::Done,
            Failure::Interrupted => Code::Interrupted,
            #[cfg(feature = "daemon")]
            Failure::Library(Error::Config(_)) => Code::Config,
            #[cfg(feature = "daemon")]
            Failure::NoDaemon { .. } | Failure::Refused { .. } => Code::Failure,
            Failure::Library(_) | Failure::Io { .. } | Failure::File { .. } | Failure::Parity { .. } => {
                Code::Failure
            }
        }
    }

    /// What is wrong.
    #[cfg(feature = "daemon")]
    pub fn message(&self) -> String {
        self.words().0
    }

    /// What is wrong, and what to do about it.
    fn words(&self) -> (String, Option<String>) {
        match self {
            Failure::Interrupted => ("interrupted".into(), None),
            Failure::Library(error) => (error.to_string(), error.hint()),
            Failure::Usage { message, hint } => (message.clone(), Some(hint.clone())),
            Failure::Parity { beyond, of } => (
                format!("{beyond} of {of} arrays are beyond their tolerance"),
                Some("a quantised voice is not exact: import it again without `--quantize`".into()),
            ),
            Failure::Io { what, source } => (format!("{what}: {source}"), None),
            Failure::File { path, source } => (format!("{}: {source}", path.display()), None),
            #[cfg(feature = "daemon")]
            Failure::NoDaemon { path, source } => (
                format!("no daemon listens at {}: {source}", path.display()),
                Some("start one with `fastglow serve`, or name its socket with `--socket`".into()),
            ),
            #[cfg(feature = "daemon")]
            Failure::Refused { message, hint } => (message.clone(), hint.clone()),
        }
    }

    /// Says what is wrong on standard error, and gives the exit code. A closed pipe is nothing wrong.
    pub fn report(&self) -> ExitCode {
        let code = self.code();
        if !matches!(code, Code::Done | Code::Interrupted) {
            let (message, hint) = self.words();
            eprintln!("error: {message}");
            if let Some(hint) = hint {
                eprintln!("\nhint: {hint}");
            }
        }
        ExitCode::from(code as u8)
    }
}

/// Something that the user asked to know.
#[cfg(feature = "daemon")]
pub fn tell(message: impl std::fmt::Display) {
    eprintln!("{message}");
}

/// Something that does not end the program but must be said.
pub fn warn(message: impl std::fmt::Display) {
    eprintln!("warning: {message}");
}

/// Says something that is no result, on standard error.
pub fn note(message: impl std::fmt::Display) {
    eprintln!("{message}");
}
