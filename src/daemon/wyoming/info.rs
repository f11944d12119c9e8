//! `info`: what this server can do, in the words of the protocol.

use serde_json::{Value, json};

use super::frame::Frame;
use crate::daemon::{VoiceCard, Voices};
use crate::voice::Meta;

const PROJECT: &str = "fastglow";

/// All voices, the default one first: clients take the first that fits. Reads voices' files at the first time.
pub fn info(voices: &Voices) -> Frame {
    let attribution = |name: &str| json!({ "name": name, "url": "" });
    let voice = |(card, meta): (VoiceCard, Meta)| {
        json!({
            "name": card.name,
            "languages": [meta.language],
            "attribution": attribution(&meta.provenance),
            "installed": true,
            "description": meta.name,
            "version": null,
        })
    };
    let voices: Vec<Value> = voices.described().into_iter().map(voice).collect();
    let program = json!({
        "name": PROJECT,
        "attribution": attribution(PROJECT),
        "installed": true,
        "description": env!("CARGO_PKG_DESCRIPTION"),
        "version": env!("CARGO_PKG_VERSION"),
        "voices": voices,
        "supports_synthesize_streaming": true,
    });
    Frame::new(
        "info",
        json!({
            "tts": [program],
            "asr": [], "handle": [], "intent": [], "wake": [], "mic": [], "snd": [], "satellite": null,
        }),
    )
}
