//! Accepting connections, serving each, ending them all.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Extension};
use axum::http::Uri;
use axum::routing::{get, post};
use axum::{Router, middleware};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::error::{HttpError, Refusal};
use super::guard::{Token, guard};
#[cfg(unix)]
use super::loudspeaker;
use super::stall::StallGuard;
use super::{HttpDeps, HttpLimits, catalogue, lexicon, page, socket, speech};
use crate::daemon::Shared;

/// Bytes of a request's head, and of what is kept of a body that nobody reads.
const HEAD_BYTES: usize = 16 << 10;
/// How long accepting pauses when the system has no more sockets or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a client beyond the limit reads.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 128\r\n\r\n{\"error\": {\"message\": \"too many connections\", \
\"type\": \"server_error\", \"param\": null, \"code\": \"overloaded\", \"hint\": \"try again\"}}";

/// What all requests share.
pub(super) struct App {
    pub shared: Arc<Shared>,
    pub limits: HttpLimits,
    pub token: Option<Token>,
    /// One permit an utterance.
    pub utterances: Arc<Semaphore>,
    /// Becomes true at the shutdown.
    is_closing: watch::Receiver<bool>,
}

impl App {
    /// Waits for the shutdown.
    pub async fn closing(&self) {
        // An error would say that the server is gone altogether.
        let _ = self.is_closing.clone().wait_for(|is_closing| *is_closing).await;
    }
}

/// Held by whoever uses a connection; a WebSocket outlives the request that it began as.
#[derive(Clone)]
pub(super) struct Connection {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Serves HTTP until the shutdown; then stops listening, and ends what is still going on within
/// [`HttpLimits::closing_ms`].
///
/// # Errors
/// The listener's address is one that others can reach, and there is no token; or the listener is broken.
pub async fn run(
    listener: TcpListener,
    deps: HttpDeps,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), HttpError> {
    let address = listener.local_addr()?;
    if deps.token.is_none() && !address.ip().is_loopback() {
        return Err(HttpError::TokenRequired { address });
    }
    let (closing, is_closing) = watch::channel(false);
    let limits = deps.limits;
    let app = Arc::new(App {
        shared: deps.shared,
        limits,
        token: deps.token,
        utterances: Arc::new(Semaphore::new(limits.utterances)),
        is_closing,
    });
    let router = router(app.clone());
    let connections = Arc::new(Semaphore::new(limits.connections));
    tracing::info!(%address, "http: listening");
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "http: cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match connections.clone().try_acquire_owned() {
            Ok(permit) => {
                let connection = Connection { _permit: Arc::new(permit) };
                let router = router.clone().layer(Extension(connection.clone()));
                tokio::spawn(serve(stream, router, app.clone(), connection));
            }
            Err(_) => {
                app.shared.metrics.refused();
                // Fits into the socket's buffer; a client that does not get it sees the connection closed.
                let _ = stream.try_write(FULL);
            }
        }
    }
    drop(listener);
    let _ = closing.send(true);
    // Every connection has ended when all permits are back.
    let all = connections.acquire_many(limits.connections as u32);
    let _ = tokio::time::timeout(2 * Duration::from_millis(limits.closing_ms), all).await;
    Ok(())
}

fn router(app: Arc<App>) -> Router {
    let routes = Router::new()
        .route("/", get(page::page))
        .route("/health", get(catalogue::health))
        .route("/metrics", get(catalogue::metrics))
        .route("/v1/models", get(catalogue::models))
        .route("/v1/audio/voices", get(catalogue::voices))
        .route("/v1/audio/speech", post(speech::speech))
        .route("/v1/audio/stream", get(socket::stream))
        .route("/v1/lexicon", get(lexicon::list))
        .route("/v1/lexicon/{word}", get(lexicon::word).put(lexicon::put).delete(lexicon::remove));
    #[cfg(unix)]
    let routes = routes.route("/v1/loudspeaker", post(loudspeaker::loudspeaker));
    routes
        .fallback(|uri: Uri| async move { Refusal::Path { path: uri.path().chars().take(64).collect() } })
        .method_not_allowed_fallback(async || Refusal::Method)
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        // Bodies are read by `body`, which counts.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// Serves one connection until it ends.
async fn serve(stream: TcpStream, router: Router, app: Arc<App>, connection: Connection) {
    if let Err(error) = serve_http(stream, router, &app).await {
        tracing::debug!(%error, "http: a connection broke");
    }
    drop(connection);
}

async fn serve_http(stream: TcpStream, router: Router, app: &App) -> Result<(), ConnectionError> {
    // The first samples go out alone, at once.
    stream.set_nodelay(true)?;
    let stream = StallGuard::new(stream, Duration::from_millis(app.limits.stall_ms));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(app.limits.head_ms))
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return Ok(outcome?),
        () = app.closing() => connection.as_mut().graceful_shutdown(),
    }
    let grace = Duration::from_millis(app.limits.closing_ms);
    tokio::time::timeout(grace, connection).await.unwrap_or(Ok(()))?;
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_one_too_many_is_http_and_json() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(value["error"]["code"], "overloaded");
    }
}
