//! The sockets, and the tasks that listen to them.

use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};

use fastglow::daemon::socket;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::failure::Failure;

/// Everything that listens.
pub struct Listeners {
    tasks: JoinSet<()>,
    ending: watch::Receiver<bool>,
    /// Sockets to remove at the end.
    files: Vec<PathBuf>,
}

impl Listeners {
    /// They end when this becomes true.
    pub fn until(ending: watch::Receiver<bool>) -> Self {
        Self { tasks: JoinSet::new(), ending, files: Vec::new() }
    }

    pub fn spawn<F>(&mut self, listen: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut ending = self.ending.clone();
        let ended = async move {
            // Without a sender it has ended, too.
            let _ = ending.wait_for(|&is_ending| is_ending).await;
        };
        self.tasks.spawn(listen(Box::pin(ended)));
    }

    /// The socket that the service manager has opened, or our own.
    pub fn unix(&mut self, path: &Path, inherited: Option<StdUnixListener>) -> Result<UnixListener, Failure> {
        let failed = |source| Failure::File { path: path.into(), source };
        match inherited {
            Some(listener) => {
                listener.set_nonblocking(true).map_err(failed)?;
                UnixListener::from_std(listener).map_err(failed)
            }
            None => {
                let listener = socket::bind(path).map_err(failed)?;
                self.files.push(path.into());
                Ok(listener)
            }
        }
    }

    pub async fn close(mut self) {
        while self.tasks.join_next().await.is_some() {}
        for file in self.files {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(file);
        }
    }
}

pub fn inherited_socket() -> Result<Option<StdUnixListener>, Failure> {
    let failed = |source| Failure::Io { what: "the service manager's socket", source };
    listenfd::ListenFd::from_env().take_unix_listener(0).map_err(failed)
}

pub async fn bind_tcp(address: SocketAddr) -> Result<TcpListener, Failure> {
    let failed = |source| Failure::File { path: address.to_string().into(), source };
    TcpListener::bind(address).await.map_err(failed)
}
