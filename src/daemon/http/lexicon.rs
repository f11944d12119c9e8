//! `/v1/lexicon`: the user's own pronunciations.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use super::error::Refusal;
use super::server::App;
use crate::daemon::{Lexicon, LexiconError};
use crate::phoneme::{Pronouncer, parse_user_word, show_phones};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    phones: String,
}

/// `GET /v1/lexicon`
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let lexicon = app.shared.voices.lexicon();
    let words = lexicon.words().all();
    let words = words.iter().map(|(word, phones)| json!({ "word": word, "phones": show_phones(phones) }));
    Json(json!({ "is_editable": lexicon.is_editable(), "words": words.collect::<Vec<_>>() }))
}

/// `GET /v1/lexicon/{word}`: how it is said now.
pub(super) async fn word(
    State(app): State<Arc<App>>,
    Path(word): Path<String>,
) -> Result<Json<Value>, Refusal> {
    // Whatever is no word is told so.
    parse_user_word(&word, "AH0").map_err(LexiconError::from)?;
    let said = Pronouncer::with(app.shared.voices.lexicon().words().clone()).word(&word);
    Ok(Json(json!({ "word": word, "phones": show_phones(&said.phones), "origin": said.origin.name() })))
}

/// `PUT /v1/lexicon/{word}` with `{"phones": "F AE1 S T"}`
pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path(word): Path<String>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let Entry { phones } = body::json(&app, request).await?;
    change(app, move |lexicon| {
        lexicon.put(&word, &phones)?;
        Ok(json!({ "word": word, "phones": phones }))
    })
    .await
}

/// `DELETE /v1/lexicon/{word}`
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path(word): Path<String>,
) -> Result<Json<Value>, Refusal> {
    change(app, move |lexicon| Ok(json!({ "was_there": lexicon.remove(&word)? }))).await
}

/// Writes a file: not for this thread.
async fn change(
    app: Arc<App>,
    work: impl FnOnce(&Lexicon) -> Result<Value, LexiconError> + Send + 'static,
) -> Result<Json<Value>, Refusal> {
    let changed = tokio::task::spawn_blocking(move || work(app.shared.voices.lexicon())).await;
    Ok(Json(changed.map_err(|_| Refusal::Thread)??))
}
