//! The body of an answer: where it ends, and whether the connection may be used again afterwards.
//!
//! Nothing is copied here. The state machines say which bytes of a received piece are payload, and
//! how many more may be received straight into their place without looking at them.

mod chunked;
#[cfg(test)]
mod tests;

use std::ops::Range;

use thiserror::Error;

pub use chunked::{ChunkLimits, ChunkedDecoder};

use super::response::BodyFraming;

/// What a received piece of a body turned out to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyEvent {
    /// These bytes of the input are payload, and everything up to the end of the range is taken.
    /// Feed what follows it.
    Data(Range<usize>),
    /// The input is taken, all of it, and the body goes on.
    NeedMore,
    /// The body is at its end; the first `consumed` bytes of the input still belonged to it, but
    /// were no payload.
    End {
        /// Bytes of the input that belonged to the body.
        consumed: usize,
    },
}

/// Why a body is refused. The connection is closed after each of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// The peer closed before the end (DATA-2: never a short object as success).
    #[error("the peer closed after {received_bytes} bytes of a body that is not at its end")]
    Cut {
        /// Payload bytes received.
        received_bytes: u64,
    },
    /// More bytes were received into place than the body, or the chunk, had left.
    #[error("{given_bytes} bytes taken where the body had {left_bytes} left")]
    PastEnd {
        /// Bytes given.
        given_bytes: u64,
        /// Bytes that were left.
        left_bytes: u64,
    },
    /// A chunk does not begin with a hexadecimal size, or something other than `;` or CRLF follows
    /// it.
    #[error("malformed chunk size")]
    BadChunkSize,
    /// A chunk size beyond 2^64 - 1.
    #[error("chunk size overflows 64 bits")]
    ChunkSizeOverflow,
    /// Chunk data is not followed by CRLF.
    #[error("no CRLF after the data of a chunk")]
    MissingChunkEnd,
    /// A line of the chunk framing with a bare CR, a bare LF or another control character.
    #[error("control character or bare line end in chunk framing")]
    BadChunkLine,
    /// A chunk-size line beyond its limit.
    #[error("chunk-size line of more than {limit_bytes} bytes (size_line_bytes_max)")]
    ChunkLineTooLong {
        /// `ChunkLimits::size_line_bytes_max`.
        limit_bytes: u64,
    },
    /// Chunk extensions of all chunks beyond their limit.
    #[error("chunk extensions of more than {limit_bytes} bytes (extension_bytes_max)")]
    ExtensionsTooLarge {
        /// `ChunkLimits::extension_bytes_max`.
        limit_bytes: u64,
    },
    /// Trailer lines beyond their limit.
    #[error("trailers of more than {limit_bytes} bytes (trailer_bytes_max)")]
    TrailersTooLarge {
        /// `ChunkLimits::trailer_bytes_max`.
        limit_bytes: u64,
    },
}

/// Tracks one body from the first byte behind the head to its end.
///
/// A caller feeds what it has received ([`feed`](Self::feed)), and where
/// [`direct_bytes`](Self::direct_bytes) is not 0 it may instead receive up to that many bytes
/// straight into their place and tell so ([`advance`](Self::advance)).
#[derive(Debug, Clone)]
pub struct BodyState {
    framing: Framing,
    received_bytes: u64,
    /// The peer keeps the connection, and nothing seen so far speaks against using it again.
    clean: bool,
}

#[derive(Debug, Clone)]
enum Framing {
    Length { left_bytes: u64 },
    Chunked(ChunkedDecoder),
    UntilClose { closed: bool },
    Failed(BodyError),
}

impl BodyState {
    /// The state at the first byte behind a head; `keep_alive` is what the head said of the
    /// connection.
    pub fn new(framing: BodyFraming, keep_alive: bool, limits: ChunkLimits) -> Self {
        let (framing, clean) = match framing {
            BodyFraming::None => (Framing::Length { left_bytes: 0 }, keep_alive),
            BodyFraming::Length(left_bytes) => (Framing::Length { left_bytes }, keep_alive),
            BodyFraming::Chunked => (Framing::Chunked(ChunkedDecoder::new(limits)), keep_alive),
            BodyFraming::UntilClose => (Framing::UntilClose { closed: false }, false),
        };
        Self { framing, received_bytes: 0, clean }
    }

    /// Looks at received bytes; call again with what follows the part that was taken. Bytes behind
    /// the end of the body are never taken, and make the connection one that is closed.
    pub fn feed(&mut self, input: &[u8]) -> Result<BodyEvent, BodyError> {
        let event = match &mut self.framing {
            Framing::Length { left_bytes: 0 } => BodyEvent::End { consumed: 0 },
            Framing::Length { .. } | Framing::UntilClose { closed: false } => whole(input),
            Framing::UntilClose { closed: true } => BodyEvent::End { consumed: 0 },
            Framing::Chunked(decoder) => match decoder.decode(input) {
                Ok(event) => event,
                Err(error) => return Err(self.fail(error)),
            },
            Framing::Failed(error) => return Err(*error),
        };
        Ok(self.account(event, input.len()))
    }

    /// How many bytes from here on are payload for certain, and may be received straight into their
    /// place. 0 where the next bytes are framing or the body is at its end; `u64::MAX` for a body
    /// that ends with the connection.
    pub fn direct_bytes(&self) -> u64 {
        match &self.framing {
            Framing::Length { left_bytes } => *left_bytes,
            Framing::Chunked(decoder) => decoder.remaining_in_chunk(),
            Framing::UntilClose { closed: false } => u64::MAX,
            Framing::UntilClose { closed: true } | Framing::Failed(_) => 0,
        }
    }

    /// Takes note of `bytes` payload bytes received straight into their place.
    pub fn advance(&mut self, bytes: u64) -> Result<(), BodyError> {
        if let Framing::Failed(error) = self.framing {
            return Err(error);
        }
        let left_bytes = self.direct_bytes();
        if bytes > left_bytes {
            return Err(self.fail(BodyError::PastEnd { given_bytes: bytes, left_bytes }));
        }
        match &mut self.framing {
            Framing::Length { left_bytes } => *left_bytes -= bytes,
            Framing::Chunked(decoder) => decoder.advance_data(bytes)?,
            Framing::UntilClose { .. } | Framing::Failed(_) => {}
        }
        self.received_bytes += bytes;
        Ok(())
    }

    /// The peer closed its side: the end of a body that ends so, an error for any other that is not
    /// at its end. Over TLS only a `close_notify` may be told here as such an end.
    pub fn on_close(&mut self) -> Result<(), BodyError> {
        self.clean = false;
        if let Framing::UntilClose { closed } = &mut self.framing {
            *closed = true;
        }
        match &self.framing {
            Framing::Failed(error) => Err(*error),
            _ if self.is_done() => Ok(()),
            _ => Err(self.fail(BodyError::Cut { received_bytes: self.received_bytes })),
        }
    }

    /// The whole body has been received.
    pub fn is_done(&self) -> bool {
        match &self.framing {
            Framing::Length { left_bytes } => *left_bytes == 0,
            Framing::Chunked(decoder) => decoder.is_done(),
            Framing::UntilClose { closed } => *closed,
            Framing::Failed(_) => false,
        }
    }

    /// Whether another request may go over this connection: the peer keeps it, the body was read to
    /// its end, and nothing was wrong with its framing nor came behind it.
    pub fn reusable(&self) -> bool {
        self.clean && self.is_done()
    }

    fn account(&mut self, event: BodyEvent, input_len: usize) -> BodyEvent {
        let event = match (event, &mut self.framing) {
            (BodyEvent::Data(range), Framing::Length { left_bytes }) => {
                let taken = (range.len() as u64).min(*left_bytes);
                *left_bytes -= taken;
                BodyEvent::Data(0..taken as usize)
            }
            (event, _) => event,
        };
        let taken = match &event {
            BodyEvent::Data(range) => {
                self.received_bytes += range.len() as u64;
                range.end
            }
            BodyEvent::NeedMore => input_len,
            BodyEvent::End { consumed } => *consumed,
        };
        if self.is_done() && taken < input_len {
            self.clean = false;
        }
        event
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        self.framing = Framing::Failed(error);
        error
    }
}

fn whole(input: &[u8]) -> BodyEvent {
    match input.len() {
        0 => BodyEvent::NeedMore,
        len => BodyEvent::Data(0..len),
    }
}
