//! What can go wrong between phones and frames.

/// An acoustic model refused its configuration or its input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size in the voice's configuration is out of its limits; the voice is damaged or hostile.
    #[error("acoustic config: {what}: expected {expected}, got {got}")]
    Config {
        /// The field.
        what: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A control is out of its range.
    #[error("controls: {what}: expected {least} to {most}, got {got}")]
    Control {
        /// The control.
        what: &'static str,
        /// Least value.
        least: f32,
        /// Greatest value.
        most: f32,
        /// The value given.
        got: f32,
    },
    /// No phones, or more than one call takes.
    #[error("phrase: expected 1 to {most} phones, got {got}")]
    Phones {
        /// Most phones of a call.
        most: usize,
        /// Phones given.
        got: usize,
    },
    /// A symbol that the voice does not have.
    #[error("phrase: expected symbols below {symbols}, got {got}")]
    Symbol {
        /// Rows of the voice's table.
        symbols: usize,
        /// The symbol given.
        got: u32,
    },
    /// The phrase is too long in time.
    #[error("phrase: expected at most {most} frames, got {got}")]
    Frames {
        /// Most frames of a call.
        most: usize,
        /// Frames that the phrase would have.
        got: usize,
    },
    /// A call that the voice's layout does not have.
    #[error("acoustic model: {call} needs the {needed} layout")]
    Layout {
        /// The call.
        call: &'static str,
        /// The layout that has it.
        needed: &'static str,
    },
    /// The voice was not trained on the published table of symbols.
    #[error(
        "acoustic model: expected the {expected} symbols of the published table to speak from, got {got}"
    )]
    SymbolTable {
        /// Rows of the published table.
        expected: usize,
        /// Rows of the voice's.
        got: usize,
    },
    /// Nobody of this number speaks in the voice.
    #[error("speaker: expected 0 to {}, got {got}", .speakers - 1)]
    Speaker {
        /// How many there are.
        speakers: usize,
        /// The number given.
        got: u32,
    },
    /// A published voice without the statistics of its training speech.
    #[error("{what}: the voice does not know what its values stand for")]
    Statistics {
        /// The control.
        what: &'static str,
    },
    /// A tensor is missing or misshapen, or an operation failed.
    #[error("acoustic model: {0}")]
    Compute(#[from] candle_core::Error),
}

impl Error {
    /// What the user can do about it, if anything is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Config { .. } => Some("the voice file is damaged; install it again".into()),
            Error::Control { what, least, most, .. } => {
                Some(format!("choose {what} between {least} and {most}"))
            }
            Error::Phones { got: 0, .. } => None,
            Error::Phones { .. } | Error::Frames { .. } => Some("split the text into shorter phrases".into()),
            Error::Speaker { speakers, .. } => Some(match speakers {
                1 => "this voice has one speaker".into(),
                _ => format!("choose one of its {speakers} speakers with `--speaker`"),
            }),
            Error::Statistics { .. } => Some("import it again with `--stats stats.json`".into()),
            Error::SymbolTable { .. } => {
                Some("it was trained on other symbols: it runs on ids alone, through the library".into())
            }
            Error::Layout { .. } => Some("leave out what this kind of model does not have".into()),
            Error::Symbol { .. } | Error::Compute(_) => None,
        }
    }
}
