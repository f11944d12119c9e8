//! What there is, and how it goes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;

use super::error::Refusal;
use super::server::App;

/// Prometheus's text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    name: &'a str,
    is_default: bool,
    is_loaded: bool,
}

/// `GET /v1/audio/voices`
pub(super) async fn voices(State(app): State<Arc<App>>) -> Result<impl IntoResponse, Refusal> {
    let voices = app.shared.voices.clone();
    let cards = tokio::task::spawn_blocking(move || voices.cards()).await.map_err(|_| Refusal::Thread)?;
    let listed = cards.iter().map(|card| Listed {
        id: &card.name,
        name: &card.name,
        is_default: card.is_default,
        is_loaded: card.is_loaded,
    });
    Ok(Json(serde_json::json!({ "voices": listed.collect::<Vec<_>>() })))
}

/// `GET /v1/models`
pub(super) async fn models() -> impl IntoResponse {
    let model = serde_json::json!({
        "id": "fastglow", "object": "model", "created": 0, "owned_by": "fastglow",
    });
    Json(serde_json::json!({ "object": "list", "data": [model] }))
}

/// `GET /health`
pub(super) async fn health() -> impl IntoResponse {
    Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// `GET /metrics`
pub(super) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS)], app.shared.metrics.to_prometheus())
}
