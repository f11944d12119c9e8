//! The crate's error: one enum over the stages' own errors, each with advice.

/// What a fastglow call returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, by the stage in which it did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed: a wrong shape, or the device gave up. A bug or a damaged voice; retrying does not help.
    #[error("compute: {0}")]
    Compute(#[from] candle_core::Error),
    /// What was to be computed on is not there.
    #[error(transparent)]
    Device(#[from] crate::compute::ComputeError),
    /// A voice is missing, damaged or cannot be written.
    #[error(transparent)]
    Voice(#[from] crate::voice::VoiceError),
    /// A checkpoint of another program could not be taken.
    #[error(transparent)]
    Import(#[from] crate::import::ImportError),
    /// Sound could not be played or written.
    #[error(transparent)]
    Audio(#[from] crate::audio::AudioError),
    /// A picture could not be made.
    #[cfg(feature = "plot")]
    #[error(transparent)]
    Plot(#[from] crate::plot::PlotError),
    /// The acoustic model was asked for what it cannot do.
    #[error(transparent)]
    Acoustic(#[from] crate::acoustic::Error),
    /// A way of speaking that is out of range.
    #[error(transparent)]
    SpeakConfig(#[from] crate::engine::SpeakConfigError),
    /// The engine cannot take a job or its text.
    #[error(transparent)]
    Job(#[from] crate::engine::JobError),
    /// Text cannot be taken by the chunker.
    #[error(transparent)]
    Chunk(#[from] crate::text::ChunkerError),
    /// The system gives no thread. Fewer programs, or another limit, may help.
    #[error("cannot start a thread: {source}")]
    Thread {
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A voice made infinity or NaN instead of sound. Its weights are damaged or were never trained.
    #[error("voice `{voice}`: made samples that are not finite numbers")]
    NotFinite {
        /// The voice's name.
        voice: String,
    },
    /// A configuration file is wrong.
    #[cfg(feature = "daemon")]
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// A voice could not be made.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Train(#[from] crate::train::TrainError),
    /// A voice could not be adapted.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Adapt(#[from] crate::adapt::AdaptError),
    /// A document of SSML cannot be read. The same one will not be another time.
    #[error(transparent)]
    Ssml(#[from] crate::markup::SsmlError),
    /// The text has nothing that can be spoken. Another text may work.
    #[error(transparent)]
    Text(#[from] crate::text::TextError),
}

impl Error {
    /// What the user can do about it, if anything is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Compute(_) | Error::Thread { .. } => None,
            Error::Device(error) => Some(error.hint()),
            Error::Voice(error) => error.hint(),
            Error::Import(error) => error.hint(),
            Error::Audio(error) => error.hint(),
            Error::Acoustic(error) => error.hint(),
            Error::SpeakConfig(_) | Error::Job(_) | Error::Chunk(_) => None,
            Error::NotFinite { .. } => {
                Some("check it with `fastglow voices verify`, or use another voice".into())
            }
            #[cfg(feature = "daemon")]
            Error::Config(error) => error.hint(),
            #[cfg(feature = "plot")]
            Error::Plot(error) => error.hint(),
            #[cfg(feature = "train")]
            Error::Train(error) => error.hint(),
            #[cfg(feature = "train")]
            Error::Adapt(error) => error.hint(),
            Error::Ssml(error) => Some(error.hint()),
            Error::Text(error) => Some(error.hint().to_owned()),
        }
    }
}
