//! One client of the socket.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use super::apply::apply;
use super::line::{LineEnd, Lines};
use super::reply::{self, Refusal};
use super::request;
use crate::daemon::shared::Shared;
use crate::daemon::speaker::{Client, Speaker, Told};

/// Serves a client until it goes, stalls, sends nonsense that cannot be skipped, or the daemon ends.
pub(super) async fn serve(stream: UnixStream, shared: Arc<Shared>, mut ending: watch::Receiver<bool>) {
    let settings = shared.settings();
    let stall = Duration::from_millis(settings.limits.client_stall_ms.into());
    let (from, to) = stream.into_split();
    let mut out = Out { to, stall };
    let Some(speaker) = &shared.speaker else {
        let refusal = Refusal::new("no_loudspeaker", "loudspeaker: the configuration says there is none");
        let _ = out.send(&reply::answer(Value::Null, Err(refusal))).await;
        return;
    };
    let (client, events) = speaker.client();
    let lines = Lines::new(from, settings.limits.request_bytes, stall);
    let mut connection = Connection { speaker, client, events, lines, out, shared: &shared };
    if connection.out.send(&reply::greeting()).await.is_err() {
        return;
    }
    let gone = connection.converse(&mut ending).await;
    tracing::debug!(client = connection.client.number(), ?gone, "a client has gone");
}

/// Waits until the daemon ends.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // Without a sender it has ended, too.
    let _ = ending.wait_for(|&is_ending| is_ending).await;
}

/// A client that does not take what it is sent is gone.
struct Gone;

struct Out {
    to: OwnedWriteHalf,
    stall: Duration,
}

impl Out {
    async fn send(&mut self, line: &Value) -> Result<(), Gone> {
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        match tokio::time::timeout(self.stall, self.to.write_all(&bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

struct Connection<'a> {
    speaker: &'a Speaker,
    client: Client,
    events: Receiver<Told>,
    lines: Lines<OwnedReadHalf>,
    out: Out,
    shared: &'a Shared,
}

impl Connection<'_> {
    /// Why it ended.
    async fn converse(&mut self, ending: &mut watch::Receiver<bool>) -> &'static str {
        loop {
            tokio::select! {
                // Events first: an answer to `stop` comes after nothing that it has ended.
                biased;
                Some(told) = self.events.recv() => {
                    if self.out.send(&reply::event(&told)).await.is_err() {
                        return "does not read";
                    }
                }
                line = self.lines.next() => {
                    let answer = match line {
                        Ok(line) => {
                            let (id, request) = request::parse(line);
                            reply::answer(id, match request {
                                Ok(request) => {
                                    apply(request, self.shared, self.speaker, &self.client).await
                                }
                                Err(refusal) => Err(refusal),
                            })
                        }
                        Err(end) => return self.part(end).await,
                    };
                    if self.out.send(&answer).await.is_err() {
                        return "does not read";
                    }
                }
                () = ended(ending) => {
                    // What the end has cancelled is still told.
                    while let Ok(told) = self.events.try_recv() {
                        if self.out.send(&reply::event(&told)).await.is_err() {
                            break;
                        }
                    }
                    return "the daemon ends";
                }
            }
        }
    }

    async fn part(&mut self, end: LineEnd) -> &'static str {
        let (code, message, gone) = match end {
            LineEnd::Closed => return "closed",
            LineEnd::Broken => return "broken",
            LineEnd::TooLong => ("request_too_long", "request: longer than allowed", "sends too much"),
            LineEnd::TooSlow => ("too_slow", "request: not finished in time", "sends too slowly"),
        };
        let _ = self.out.send(&reply::answer(Value::Null, Err(Refusal::new(code, message)))).await;
        gone
    }
}
