//! What a client may ask of the server, and how long it may take.

/// Limits of the HTTP listener. None can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at a time; those beyond are told 503 and closed.
    pub connections: usize,
    /// Utterances made at a time, over all connections; requests beyond are told 503.
    pub utterances: usize,
    /// Bytes of a request's body, and of a WebSocket message.
    pub body_bytes: usize,
    /// Characters of a request's text.
    pub text_chars: usize,
    /// Characters of an utterance whose text is streamed over a WebSocket.
    pub streamed_text_chars: usize,
    /// How long a client may take to send a request's head, and how long an idle connection is kept.
    pub head_ms: u64,
    /// How long a client may take to send a request's body.
    pub body_ms: u64,
    /// How long an utterance may take from its first text to its last sample.
    pub utterance_ms: u64,
    /// How long a client may take none of what is sent to it; how long a WebSocket client may be silent, pongs included.
    pub stall_ms: u64,
    /// How long connections have to end after the shutdown.
    pub closing_ms: u64,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            utterances: 16,
            body_bytes: 64 << 10,
            text_chars: 4096,
            streamed_text_chars: 65_536,
            head_ms: 10_000,
            body_ms: 10_000,
            utterance_ms: 900_000,
            stall_ms: 30_000,
            closing_ms: 200,
        }
    }
}
