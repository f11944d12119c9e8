//! Bodies of requests: JSON, with limits on bytes and time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::Refusal;
use super::server::App;

/// A request's body, read as what it should be.
pub(super) async fn json<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, Refusal> {
    let body = bytes(app, request).await?;
    serde_json::from_slice(&body).map_err(|error| Refusal::Json { reason: error.to_string() })
}

/// A request's body.
pub(super) async fn bytes(app: &App, request: Request) -> Result<Vec<u8>, Refusal> {
    let (head, body) = request.into_parts();
    let limit_ms = app.limits.body_ms;
    let body = read(&head.headers, body, app.limits.body_bytes);
    timeout(Duration::from_millis(limit_ms), body).await.map_err(|_| Refusal::BodyTooSlow { limit_ms })?
}

async fn read(headers: &HeaderMap, body: Body, limit_bytes: usize) -> Result<Vec<u8>, Refusal> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if told.is_some_and(|bytes: u64| bytes > limit_bytes as u64) {
        return Err(Refusal::BodyTooLarge { limit_bytes });
    }
    let mut pieces = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Refusal::BodyBroken { reason: error.to_string() })?;
        if bytes.len() + piece.len() > limit_bytes {
            return Err(Refusal::BodyTooLarge { limit_bytes });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
