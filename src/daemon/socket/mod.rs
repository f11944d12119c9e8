//! The daemon's own protocol: lines of JSON on a Unix socket. `firmware-config/protocol.md` describes it.

mod apply;
mod connection;
mod line;
mod reply;
mod request;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::shared::Shared;
pub(crate) use apply::apply;
pub(crate) use reply::Refusal;
pub(crate) use request::parse;

/// The number of the protocol, which changes when an old client would no longer be understood.
pub const PROTOCOL: u32 = 1;

/// How long clients have to take their last events.
const PARTING: Duration = Duration::from_millis(200);
/// After a failed accept: too many files are open, most probably.
const BREATHE: Duration = Duration::from_millis(100);

/// Opens the socket, for this user and group. One that a dead daemon has left behind is replaced; a living one's is not.
///
/// # Errors
/// Another daemon has it, or the folder cannot be made or written to.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another daemon listens there")),
            Err(_) => std::fs::remove_file(path)?,
        }
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Serves clients until `shutdown`; then those that are connected get their last events.
pub async fn run(listener: UnixListener, shared: Arc<Shared>, shutdown: impl Future) {
    let (end, ending) = watch::channel(false);
    let seats = Arc::new(Semaphore::new(shared.settings().limits.connections));
    let mut clients = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let stream: UnixStream = tokio::select! {
            _ = &mut shutdown => break,
            Some(_) = clients.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a client could not be accepted");
                    tokio::time::sleep(BREATHE).await;
                    continue;
                }
            },
        };
        // No seat: the connection closes at once.
        let Ok(seat) = seats.clone().try_acquire_owned() else {
            tracing::warn!("a client was turned away: too many are connected");
            continue;
        };
        let (shared, ending) = (shared.clone(), ending.clone());
        clients.spawn(async move {
            connection::serve(stream, shared, ending).await;
            drop(seat);
        });
    }
    let _ = end.send(true);
    let _ = tokio::time::timeout(PARTING, async { while clients.join_next().await.is_some() {} }).await;
}
