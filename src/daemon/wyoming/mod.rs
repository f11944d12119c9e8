//! The Wyoming protocol, by which Home Assistant and Rhasspy have text spoken: events over TCP or a Unix socket.
//!
//! Protocol: <https://github.com/OHF-Voice/wyoming>, version 1.9.0. Served are `describe`, `ping`, `synthesize` and the
//! streaming `synthesize-start`, `-chunk`, `-stop`; anything else is passed over. A client that closes its connection
//! wants to hear no more.
//!
//! What cannot be spoken (no such voice, a text too long) is answered with `error`, and the connection is closed, so that
//! a client that waits for sound does not wait for ever.

mod event;
mod frame;
mod info;
mod session;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::task::JoinSet;

pub use frame::{Decoder, Frame, FrameError, VERSION};

use super::Shared;

/// The port that clients look for.
pub const DEFAULT_PORT: u16 = 10_200;
/// How long to wait when the system gives no more connections.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// For a client that is turned away; its answer fits every socket's buffer.
const REFUSAL: Duration = Duration::from_millis(100);

/// What a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// Bytes of one frame, all parts together.
    pub frame_bytes: usize,
    /// Bytes of the text of one request or stream.
    pub text_bytes: usize,
    /// How long a connection may be silent, both ways.
    pub idle: Duration,
    /// How long a frame that has begun may take, either way.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16,
            frame_bytes: 1 << 20,
            text_bytes: 128 << 10,
            idle: Duration::from_secs(600),
            stalled: Duration::from_secs(30),
        }
    }
}

/// Where clients come from.
#[derive(Debug)]
pub enum Listener {
    /// `tcp://`
    Tcp(TcpListener),
    /// `unix://`
    #[cfg(unix)]
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Sound comes in small pieces that nothing should hold back.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            #[cfg(unix)]
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// Serves clients until `shutdown`; then all connections are closed and all speech is cancelled.
pub async fn run(
    listener: Listener,
    shared: Arc<Shared>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let mut sessions = JoinSet::new();
    let mut has_failed = false;
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = sessions.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) if sessions.len() >= limits.connections => refuse(stream).await,
            Ok(stream) => {
                has_failed = false;
                sessions.spawn(session::serve(stream, shared.clone(), limits));
            }
            Err(error) => {
                if !std::mem::replace(&mut has_failed, true) {
                    tracing::warn!(%error, "wyoming: no new connections for now");
                }
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    sessions.shutdown().await;
}

async fn refuse(mut stream: Box<dyn Stream>) {
    let answer = event::error("too-many-connections", "too many connections; try again later").encode();
    let _ = tokio::time::timeout(REFUSAL, stream.write_all(&answer)).await;
}
