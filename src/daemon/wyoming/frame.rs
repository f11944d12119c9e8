//! The framing: a line of JSON, then, as that line says, a block of JSON and a block of bytes.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The protocol's version that the frames written here name.
pub const VERSION: &str = "1.9.0";
/// Buffers above this are given back between frames.
const KEPT_BYTES: usize = 64 * 1024;

/// An event of the protocol, either way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// What it is, such as `synthesize`.
    pub kind: String,
    /// Its fields.
    pub data: Map<String, Value>,
    /// Its bytes: sound.
    pub payload: Vec<u8>,
}

/// What cannot be a frame. Where the next one begins is unknown: the connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Larger than allowed.
    #[error("frame: expected at most {most_bytes} bytes, got more")]
    TooLarge {
        /// The limit.
        most_bytes: usize,
    },
    /// One of its two parts of JSON is none, or another one than expected.
    #[error("frame: {part}: {source}")]
    Json {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Frame {
    /// A frame without bytes.
    pub fn new(kind: &str, data: Value) -> Self {
        let data = match data {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        Self { kind: kind.into(), data, payload: Vec::new() }
    }

    /// Its bytes, in the layout of the reference implementation: all fields in the second part.
    pub fn encode(&self) -> Vec<u8> {
        let data =
            if self.data.is_empty() { String::new() } else { Value::from(self.data.clone()).to_string() };
        let mut header = json!({ "type": self.kind, "version": VERSION });
        for (key, bytes) in [("data_length", data.len()), ("payload_length", self.payload.len())] {
            if bytes > 0 {
                header[key] = bytes.into();
            }
        }
        let mut bytes = header.to_string().into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(data.as_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: String,
    /// Fields may stand here, in the second part, or in both; the second part wins.
    data: Option<Map<String, Value>>,
    data_length: Option<u64>,
    payload_length: Option<u64>,
}

/// Bytes that came in pieces become frames.
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the frame begins.
    start: usize,
    /// Before this, the frame has no end of line.
    searched: usize,
    header: Option<(Header, usize)>,
    most_bytes: usize,
}

impl Decoder {
    /// Refuses frames of more bytes, all parts together.
    pub fn new(most_bytes: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, header: None, most_bytes }
    }

    /// The next bytes. All frames in them are to be taken before more bytes are given.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BYTES {
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether no frame has begun.
    pub fn is_between_frames(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// The bytes are no frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let too_large = FrameError::TooLarge { most_bytes: self.most_bytes };
        let (header, header_end) = match self.header.take() {
            Some(header) => header,
            None => {
                let Some(length) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') else {
                    self.searched = self.buffer.len();
                    let is_too_large = self.searched - self.start > self.most_bytes;
                    return if is_too_large { Err(too_large) } else { Ok(None) };
                };
                let end = self.searched + length;
                let header = serde_json::from_slice(&self.buffer[self.start..end])
                    .map_err(|source| FrameError::Json { part: "header", source })?;
                (header, end + 1 - self.start)
            }
        };
        let (Some(data_bytes), Some(payload_bytes)) =
            (within(header.data_length, self.most_bytes), within(header.payload_length, self.most_bytes))
        else {
            return Err(too_large);
        };
        let frame_bytes = header_end + data_bytes + payload_bytes;
        if frame_bytes > self.most_bytes {
            return Err(too_large);
        }
        if self.buffer.len() - self.start < frame_bytes {
            self.searched = self.buffer.len();
            self.header = Some((header, header_end));
            return Ok(None);
        }
        let (data, payload) =
            self.buffer[self.start + header_end..self.start + frame_bytes].split_at(data_bytes);
        let mut fields = header.data.unwrap_or_default();
        if !data.is_empty() {
            let more: Option<Map<String, Value>> =
                serde_json::from_slice(data).map_err(|source| FrameError::Json { part: "data", source })?;
            fields.extend(more.unwrap_or_default());
        }
        let frame = Frame { kind: header.kind, data: fields, payload: payload.to_vec() };
        self.start += frame_bytes;
        self.searched = self.start;
        Ok(Some(frame))
    }
}

/// A length that is allowed; `None` if it is too large.
fn within(length: Option<u64>, most_bytes: usize) -> Option<usize> {
    usize::try_from(length.unwrap_or(0)).ok().filter(|&bytes| bytes <= most_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST_BYTES: usize = 4096;

    /// All frames of these pieces, and how many bytes were held at most.
    fn decode(pieces: &[&[u8]]) -> (Result<Vec<Frame>, FrameError>, usize) {
        let (mut decoder, mut frames, mut held_bytes) = (Decoder::new(MOST_BYTES), Vec::new(), 0);
        for piece in pieces {
            decoder.push(piece);
            held_bytes = held_bytes.max(decoder.buffer.len());
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (Err(error), held_bytes),
                }
            }
        }
        (Ok(frames), held_bytes)
    }

    #[test]
    fn fields_may_stand_in_either_part_and_the_second_wins() {
        let data = br#"{"b":3,"c":4}"#;
        let header = format!(r#"{{"type":"x","data":{{"a":1,"b":2}},"data_length":{}}}"#, data.len());
        let bytes = [header.as_bytes(), b"\n", data].concat();
        let expected = Frame::new("x", json!({ "a": 1, "b": 3, "c": 4 }));
        assert_eq!(decode(&[&bytes]).0.unwrap(), [expected]);
        let alone = b"{\"type\":\"y\",\"data\":{\"text\":\"hi\"},\"payload_length\":null}\n";
        assert_eq!(decode(&[alone]).0.unwrap(), [Frame::new("y", json!({ "text": "hi" }))]);
        assert_eq!(decode(&[b"{\"type\":\"z\",\"data\":null}\n"]).0.unwrap(), [Frame::new("z", Value::Null)]);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [
            &b"\n"[..],
            b"hello\n",
            b"{\"data\":{}}\n",
            b"{\"type\":1}\n",
            b"{\"type\":\"x\",\"data\":[1]}\n",
            b"{\"type\":\"x\",\"data_length\":-1}\n",
            b"{\"type\":\"x\",\"data_length\":1.5}\n",
            b"{\"type\":\"x\",\"data_length\":2}\n[]",
            b"{\"type\":\"x\",\"data_length\":1}\n{",
        ] {
            let shown = String::from_utf8_lossy(bytes).into_owned();
            assert!(matches!(decode(&[bytes]).0, Err(FrameError::Json { .. })), "{shown}");
        }
    }

    #[test]
    fn frames_beyond_the_limit_are_refused_before_they_are_held() {
        let endless = vec![b' '; MOST_BYTES + 1];
        for bytes in [
            &endless[..],
            b"{\"type\":\"x\",\"data_length\":5000}\n",
            b"{\"type\":\"x\",\"payload_length\":18446744073709551615}\n",
            b"{\"type\":\"x\",\"data_length\":4000,\"payload_length\":4000}\n",
        ] {
            let (result, held_bytes) = decode(&[bytes]);
            assert!(matches!(result, Err(FrameError::TooLarge { most_bytes: MOST_BYTES })));
            assert_eq!(held_bytes, bytes.len());
        }
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut(
            frames in prop::collection::vec(
                ("[a-z-]{1,12}", prop::collection::btree_map("[a-z]{1,4}", any::<String>(), 0..3),
                 prop::collection::vec(any::<u8>(), 0..200)),
                1..5,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let frames: Vec<Frame> = frames
                .into_iter()
                .map(|(kind, data, payload)| Frame {
                    kind,
                    data: data.into_iter().map(|(key, text)| (key, text.into())).collect(),
                    payload,
                })
                .collect();
            let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(decode(&pieces).0.unwrap(), frames);
        }

        #[test]
        fn random_bytes_end_in_frames_or_an_error_and_hold_little(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..2000),
                    Just(b"\n".to_vec()),
                    Just(b"{\"type\":\"x\",\"data_length\":7,\"payload_length\":3}\n".to_vec()),
                    Just(b"{\"type\":\"x\"}\n".to_vec()),
                    Just(b"{\"a\":[]}".to_vec()),
                ],
                0..20,
            ),
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let (_, held_bytes) = decode(&pieces);
            prop_assert!(held_bytes <= MOST_BYTES + 2000, "held {held_bytes}");
        }
    }
}
