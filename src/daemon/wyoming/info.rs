//! `info`: what this server can do, in the words of the protocol.

use serde_json::{Value, json};

use super::frame::Frame;
use crate::daemon::Voices;

const PROJECT: &str = "fastglow";

/// All voices, the default one first: clients take the first that fits. Reads voices' files at the first time.
pub fn info(voices: &Voices) -> Frame {
    let attribution = |name: &str| json!({ "name": name, "url": "" });
    let mut cards = voices.cards();
    cards.sort_by_key(|card| !card.is_default);
    let voice = |name: &str| -> Option<Value> {
        // A damaged voice speaks nothing.
        let meta = voices
            .meta(name)
            .inspect_err(|error| tracing::warn!(voice = name, %error, "voice left out"))
            .ok()?;
        Some(json!({
            "name": name,
            "languages": [meta.language],
            "attribution": attribution(&meta.provenance),
            "installed": true,
            "description": meta.name,
            "version": null,
        }))
    };
    let voices: Vec<Value> = cards.iter().filter_map(|card| voice(&card.name)).collect();
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
