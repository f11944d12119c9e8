//! The audio reference: what the loudspeaker really plays, for echo cancellation, on a Unix socket.
//!
//! A client gets one line of JSON, `{"protocol":1,"encoding":"s16le","channels":1,"sample_rate_hz":48000}`, as soon as
//! the device's rate is known, then samples without end: after volume and fades, as they are given to the device, which
//! holds them for a period or two more. While the device is idle nothing is sent. A client that reads too slowly is
//! dropped, and so are all when the device is replaced by one of another rate; both may connect again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use crate::audio::{ReferenceReader, to_pcm16};

/// How often samples are passed on.
const EVERY: Duration = Duration::from_millis(10);
/// Blocks that wait for a slow client: at least a second.
const QUEUED_BLOCKS: usize = 128;
/// How long a client may take for a block.
const STALL: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Block {
    sample_rate_hz: u32,
    bytes: Arc<[u8]>,
}

/// Passes on what is played to at most so many clients, until `shutdown`.
pub async fn run(
    listener: UnixListener,
    mut reader: ReferenceReader,
    most_clients: usize,
    shutdown: impl Future,
) {
    let (blocks, _) = channel(QUEUED_BLOCKS);
    let mut clients = JoinSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    let mut samples = Vec::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            _ = &mut shutdown => return,
            _ = ticks.tick() => pass_on(&mut reader, &mut samples, &blocks),
            Some(_) = clients.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if clients.len() < most_clients => {
                    clients.spawn(serve(stream, blocks.subscribe()));
                }
                Ok(_) => tracing::warn!("a client of the reference was turned away: too many are connected"),
                Err(error) => tracing::warn!(%error, "a client of the reference could not be accepted"),
            },
        }
    }
}

fn pass_on(reader: &mut ReferenceReader, samples: &mut Vec<f32>, blocks: &Sender<Block>) {
    samples.clear();
    reader.read(samples);
    if let Some(sample_rate_hz) = reader.sample_rate_hz().filter(|_| !samples.is_empty()) {
        let bytes = samples.iter().flat_map(|&sample| to_pcm16(sample).to_le_bytes()).collect();
        // Nobody need listen.
        let _ = blocks.send(Block { sample_rate_hz, bytes });
    }
}

/// Until the client is gone, or too slow, or the rate changes.
async fn serve(mut stream: UnixStream, mut blocks: Receiver<Block>) {
    let mut rate_hz = None;
    loop {
        let block = match blocks.recv().await {
            Ok(block) => block,
            Err(RecvError::Lagged(_) | RecvError::Closed) => return,
        };
        if rate_hz.is_none() {
            rate_hz = Some(block.sample_rate_hz);
            let line = json!({
                "protocol": 1,
                "encoding": "s16le",
                "channels": 1,
                "sample_rate_hz": block.sample_rate_hz,
            });
            if send(&mut stream, format!("{line}\n").as_bytes()).await.is_err() {
                return;
            }
        }
        if rate_hz != Some(block.sample_rate_hz) || send(&mut stream, &block.bytes).await.is_err() {
            return;
        }
    }
}

async fn send(stream: &mut UnixStream, bytes: &[u8]) -> std::io::Result<()> {
    tokio::time::timeout(STALL, stream.write_all(bytes)).await?
}
