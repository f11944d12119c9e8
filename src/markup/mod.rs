//! Marked-up text: [SSML](https://www.w3.org/TR/speech-synthesis11/) becomes a text and what is to be done in it.
//!
//! ```text
//!  SSML ──▶ Script ─┬▶ text        ──▶ chunker, as any text
//!                   └▶ directions  ──▶ engine: pauses, prosody and marks at bytes of that text
//! ```
//!
//! What changes the reading (`say-as`, `sub`, `phoneme`, `p`, `s`) is written into the text, so that it is cut and spoken
//! like any other; what changes the sound goes beside it, as [`Directions`]. Events tell places in the document.
//!
//! | element | does |
//! |---|---|
//! | `speak` | encloses the document; `xml:lang` as `lang` |
//! | `p`, `s` | ends a sentence before and behind it |
//! | `break` | `time="500ms"`: a pause of that length, 60 s at most; `strength`: `none` 0, `x-weak` 100, `weak` 200, `medium` 400, `strong` 700, `x-strong` 1200 ms; neither: `medium`. A pause that punctuation makes there takes that length. |
//! | `prosody` | `rate`: `x-slow` 0.5, `slow` 0.75, `medium` 1, `fast` 1.25, `x-fast` 1.75, or `80%`, `1.2`, `+20%`; `pitch`: `x-low` −6, `low` −3, `medium` 0, `high` 3, `x-high` 6 semitones, or `+2st`, `-10%`; `volume`: `silent`, `x-soft` −12, `soft` −6, `medium` 0, `loud` 4, `x-loud` 8 dB, or `+6dB`. Signed values add to what surrounds the element. |
//! | `emphasis` | `strong`, `moderate`, `reduced`, `none`: slower, higher and louder, or the opposite; the voice was not trained for more |
//! | `say-as` | `characters`, `spell-out`, `verbatim`, `digits`, `cardinal`, `number`, `ordinal`, `date` (with `format`), `time`, `telephone`; `address`, `currency`, `fraction`, `unit` and `name` as plain text is read |
//! | `sub` | its `alias` is spoken |
//! | `phoneme` | `ph` is spoken; `alphabet`: `ipa` (the default), `x-arpabet` |
//! | `mark` | [`Event::Mark`](crate::engine::Event::Mark) at its sample |
//! | `voice`, `lang` | reported unless it is what the voice is |
//! | `w`, `token`, `audio` | its content is spoken; `audio` is reported |
//! | `desc`, `meta`, `metadata` | nothing |
//!
//! Whatever else is in a document is reported with its place ([`UnspokenKind::Markup`](crate::text::UnspokenKind)), and
//! what it encloses is spoken.

mod directions;
mod error;
mod manner;
mod ssml;
#[cfg(test)]
mod tests;
mod xml;

pub use directions::{Directions, Manner, MarkPlace};
pub use error::{SsmlError, SsmlFault};
pub use ssml::{MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_PAUSE_MS, Script};
#[cfg(feature = "daemon")]
pub(crate) use xml::Markup;
#[cfg(feature = "daemon")]
pub(crate) use xml::local;
