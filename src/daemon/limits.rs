//! What clients may ask for.

use serde::{Deserialize, Serialize};

/// Bounds on everything that comes from outside. The values are checked where the configuration is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Clients connected at a time, of each listener.
    pub connections: usize,
    /// Largest request.
    pub request_bytes: usize,
    /// Largest text of an utterance that may wait to be spoken; what was spoken no longer counts.
    pub text_bytes: usize,
    /// Utterances waiting for the loudspeaker, of all clients.
    pub queued_jobs: usize,
    /// The same of one client.
    pub queued_jobs_per_client: usize,
    /// Events that wait for a client to read them; more are lost, and counted.
    pub client_events: usize,
    /// An unfinished text of which nothing comes for so long is taken as finished: others wait for the loudspeaker.
    pub text_pause_ms: u32,
    /// A client that has begun to send something has so long to send all of it, and so long to take an answer.
    pub client_stall_ms: u32,
    /// The loudest that a client may ask to be spoken.
    pub most_volume_db: f32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            request_bytes: 65_536,
            text_bytes: 32_768,
            queued_jobs: 64,
            queued_jobs_per_client: 16,
            client_events: 256,
            text_pause_ms: 30_000,
            client_stall_ms: 10_000,
            most_volume_db: 6.0,
        }
    }
}
