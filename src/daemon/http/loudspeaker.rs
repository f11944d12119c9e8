//! `POST /v1/loudspeaker`: a request of the daemon's own protocol (`firmware-config/protocol.md`), for the loudspeaker that
//! all clients share. Each request is a client of its own: it hears of no events, and text does not come in pieces.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde_json::Value;

use super::body;
use super::error::Refusal;
use super::server::App;
use crate::daemon::socket;

/// Answers as the socket does, without `ok`.
pub(super) async fn loudspeaker(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let body = body::bytes(&app, request).await?;
    let refused =
        |refusal: socket::Refusal| Refusal::Loudspeaker { code: refusal.code, message: refusal.message };
    let (_, request) = socket::parse(&body);
    let request = request.map_err(refused)?;
    let Some(speaker) = &app.shared.speaker else { return Err(Refusal::NoLoudspeaker) };
    let (client, _) = speaker.client();
    Ok(Json(socket::apply(request, &app.shared, speaker, &client).await.map_err(refused)?))
}
