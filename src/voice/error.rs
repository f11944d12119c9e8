//! What can be wrong with a voice, and what to do about it.

use std::io;
use std::path::PathBuf;

/// A voice could not be found, read, written or used. Retrying helps only for [`VoiceError::Read`] and
/// [`VoiceError::Write`], once their cause is gone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VoiceError {
    /// No voice of this name in any place where voices live.
    #[error("voice `{name}`: not found in {}", list(.searched))]
    NotFound {
        /// The name asked for.
        name: String,
        /// The folders looked into, in order.
        searched: Vec<PathBuf>,
    },
    /// The file could not be read.
    #[error("voice {origin}: cannot read: {source}")]
    Read {
        /// The file.
        origin: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file could not be written; nothing was left behind.
    #[error("voice {origin}: cannot write: {source}")]
    Write {
        /// The file.
        origin: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not a voice, or not the voice that was written.
    #[error("voice {origin}: {fault}")]
    Damaged {
        /// The file.
        origin: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The voice that an adapter changes is not there, or is another one.
    #[error(
        "voice {origin}: adapts `{name}` with weights {expected}, {}",
        got.as_ref().map_or("which is not here".to_owned(), |found| format!("but {} has {}", found.0, found.1))
    )]
    Base {
        /// The adapter.
        origin: String,
        /// The base's name.
        name: String,
        /// SHA-256 of the base's weights.
        expected: Box<str>,
        /// Where a voice of that name is, and the sum of its weights.
        got: Option<Box<(String, String)>>,
    },
    /// The voice has replaced none.
    #[error("voice {origin}: there is no earlier one to go back to")]
    NoPrevious {
        /// Where the voice is.
        origin: String,
    },
    /// The voice holds the other model alone.
    #[error("voice {origin}: holds no {part} model")]
    NoModel {
        /// The file.
        origin: String,
        /// `acoustic` or `vocoder`.
        part: &'static str,
    },
    /// A vocoder that was made for other frames.
    #[error("voice {origin}: {what}: expected {expected}, got {got} of the vocoder of {vocoder}")]
    Frames {
        /// The voice that was to take it.
        origin: String,
        /// The voice whose vocoder it is.
        vocoder: String,
        /// In what the frames differ.
        what: &'static str,
        /// What the one has.
        expected: usize,
        /// What the other has.
        got: usize,
    },
    /// The voice speaks a language that this program cannot pronounce.
    #[error("voice {origin}: expected a language that this program reads, got `{language}`")]
    Language {
        /// The file.
        origin: String,
        /// Its language.
        language: String,
    },
    /// Its vocoder does not hum.
    #[error("voice {name}: expected a published vocoder to denoise, got one without a hum of its own")]
    Denoise {
        /// Its name.
        name: String,
    },
    /// An adapter where a voice is needed that stands alone.
    #[error("voice {origin}: expected a whole voice, got an adapter")]
    NotWhole {
        /// The adapter.
        origin: String,
    },
    /// A name that no file can have.
    #[error("voice name: expected 1 to 64 letters, digits, `-`, `_` and `.`, got `{name}`")]
    Name {
        /// The name.
        name: String,
    },
    /// The tensors do not fit the models that the file describes.
    #[error("voice {origin}: {part} model: {source}")]
    Model {
        /// The file.
        origin: String,
        /// `acoustic` or `vocoder`.
        part: &'static str,
        /// Which tensor, and how.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What is wrong with a voice file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The first bytes are not `GGUF`.
    #[error("not a GGUF file: expected it to start with `GGUF`, got {0:02x?}")]
    Magic(Vec<u8>),
    /// A GGUF version, or a fastglow voice version, that this program does not read.
    #[error("{what}: expected {expected}, got {got}")]
    Version {
        /// Which version number.
        what: &'static str,
        /// The one that is read.
        expected: u32,
        /// The one in the file.
        got: u32,
    },
    /// The file ends in the middle of something.
    #[error("truncated: {what} needs {needed_bytes} bytes, got {available_bytes}")]
    Truncated {
        /// What was being read.
        what: String,
        /// How many bytes it takes.
        needed_bytes: u64,
        /// How many are left.
        available_bytes: u64,
    },
    /// A number in the file is beyond all reason.
    #[error("{what}: expected at most {limit}, got {got}")]
    Limit {
        /// What the number counts.
        what: String,
        /// The most that is accepted.
        limit: u64,
        /// The number in the file.
        got: u64,
    },
    /// Text that is not UTF-8.
    #[error("{0}: expected UTF-8 text")]
    Encoding(String),
    /// Two entries of one name.
    #[error("`{0}` appears twice")]
    Duplicate(String),
    /// A metadata value of a type that voices do not use.
    #[error("metadata `{key}`: expected {expected}, got GGUF value type {got}")]
    ValueType {
        /// The key.
        key: String,
        /// What belongs there.
        expected: &'static str,
        /// GGUF's number of the type found.
        got: u32,
    },
    /// A metadata key that every voice has.
    #[error("metadata `{0}` is missing")]
    Missing(String),
    /// A metadata value that cannot be understood.
    #[error("metadata `{key}`: {reason}")]
    Value {
        /// The key.
        key: String,
        /// Why not.
        reason: String,
    },
    /// A tensor stored in a precision that voices do not use.
    #[error("tensor `{tensor}`: expected f32, f16, Q8_0, Q4K, Q5K or Q6K, got GGML type {got}")]
    Precision {
        /// The tensor.
        tensor: String,
        /// GGML's number of the type found.
        got: u32,
    },
    /// A shape that cannot be: no dimension, too many, empty, or not whole blocks.
    #[error("tensor `{tensor}`: {reason}, got shape {dims:?}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// What was expected.
        reason: String,
        /// The shape in the file.
        dims: Vec<u64>,
    },
    /// Tensor data that overlaps, leaves a gap or lies outside the file.
    #[error("tensor `{tensor}`: expected its data at offset {expected}, got {got}")]
    Offset {
        /// The tensor.
        tensor: String,
        /// Where the tensor before it ends.
        expected: u64,
        /// The offset in the file.
        got: u64,
    },
    /// The file goes on after the last tensor.
    #[error("file size: expected {expected_bytes} bytes, got {got_bytes}")]
    Size {
        /// What the header adds up to.
        expected_bytes: u64,
        /// What there is.
        got_bytes: u64,
    },
    /// A byte was changed after the voice was written.
    #[error("{what}: expected SHA-256 {expected}, got {got}")]
    Checksum {
        /// What was summed.
        what: &'static str,
        /// The sum in the file.
        expected: String,
        /// The sum of what is there.
        got: String,
    },
    /// The voice was trained on other phones than this program speaks.
    #[error("phone table: expected {expected:08x}, got {got:08x}")]
    Symbols {
        /// This program's table.
        expected: u32,
        /// The voice's table.
        got: u32,
    },
    /// Tensors that neither model uses.
    #[error("{count} tensors belong to no model, the first is `{first}`")]
    UnusedTensors {
        /// How many.
        count: usize,
        /// The first by name.
        first: String,
    },
    /// A tensor that could not be taken in.
    #[error("tensor `{tensor}`: {source}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// Why not.
        source: Box<candle_core::Error>,
    },
    /// A weight that is infinite or not a number.
    #[error("tensor `{0}`: expected finite weights, got infinity or NaN")]
    NotFinite(String),
}

impl Fault {
    pub(super) fn tensor(name: &str, source: candle_core::Error) -> Self {
        Fault::Tensor { tensor: name.into(), source: Box::new(source) }
    }
}

impl VoiceError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            VoiceError::NotFound { .. } => {
                "`fastglow voices list` shows the voices there are; --voice also takes the path of a .gguf file"
                    .into()
            }
            VoiceError::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "check the path; `fastglow voices list` shows the voices there are".into(),
                io::ErrorKind::PermissionDenied => "make the file readable for this user".into(),
                _ => return None,
            },
            VoiceError::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => "free some space on that disk, then try again".into(),
                io::ErrorKind::PermissionDenied => "choose a folder that this user may write to".into(),
                _ => return None,
            },
            VoiceError::Damaged { fault, .. } => match fault {
                Fault::Magic(_) => "a fastglow voice is a single .gguf file".into(),
                Fault::Version { .. } | Fault::Symbols { .. } => {
                    "the voice was made by another version of fastglow: get the voice that belongs to this one".into()
                }
                Fault::Truncated { .. } | Fault::Size { .. } | Fault::Checksum { .. } => {
                    "the file was cut or changed on its way here: copy it again from where it came".into()
                }
                _ => "the file is damaged or was not made by fastglow: use another copy, or another voice".into(),
            },
            VoiceError::Base { name, .. } => format!(
                "put the `{name}` that it was made from beside it, or adapt again from the one that is here; \
                 `--merge` makes a voice that needs no base"
            ),
            VoiceError::NoPrevious { .. } => {
                "only a voice that was adapted again under the same name can be taken back".into()
            }
            VoiceError::NoModel { part: "vocoder", .. } => {
                "import both checkpoints into one voice (`fastglow import --acoustic … --vocoder …`), or lend it a \
                 vocoder: `fastglow speak --vocoder NAME`"
                    .into()
            }
            VoiceError::NoModel { .. } => {
                "import both checkpoints into one voice (`fastglow import --acoustic … --vocoder …`), or use this one \
                 as the vocoder of another: `fastglow speak --vocoder FILE`"
                    .into()
            }
            VoiceError::Frames { .. } => "choose a vocoder that was made for the same mel frames".into(),
            VoiceError::Language { .. } => {
                "English is read, and Mandarin where the program was built with the feature `mandarin`; other models run with ids of their own: `fastglow parity`".into()
            }
            VoiceError::Denoise { .. } => "leave `denoise` out, or at 0".into(),
            VoiceError::NotWhole { .. } => "adapt from the voice that it is based on".into(),
            VoiceError::Name { .. } => "choose a name such as `alice`".into(),
            VoiceError::Model { .. } => {
                "the file's settings and its weights disagree: use another copy, or train the voice again".into()
            }
        })
    }
}

fn list(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "any folder".into();
    }
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}
