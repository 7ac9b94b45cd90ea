//! The chunked coding (RFC 9112 section 7.1), byte by byte and strict: two readers that differ on a
//! chunk differ on where the next answer begins.

use super::{BodyError, BodyEvent};

/// What the framing of a chunked body may cost beside its payload (LIMIT-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// One chunk-size line with its extensions, CRLF not counted. Default 1 KiB.
    pub size_line_bytes_max: u64,
    /// Extensions of all chunks of a body together. Default 16 KiB.
    pub extension_bytes_max: u64,
    /// Trailer lines together, their CRLF counted. Default 16 KiB.
    pub trailer_bytes_max: u64,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self {
            size_line_bytes_max: 1 << 10,
            extension_bytes_max: 16 << 10,
            trailer_bytes_max: 16 << 10,
        }
    }
}

/// Decodes one chunked body, fed in pieces of any size.
///
/// Chunk extensions and trailers are checked for their line ends and dropped. White space after a
/// chunk size is refused, although RFC 9112 lets it pass as "bad white space".
#[derive(Debug, Clone)]
pub struct ChunkedDecoder {
    limits: ChunkLimits,
    state: State,
    /// Size of the chunk while its line is read, then what is left of its data.
    chunk_left: u64,
    line_bytes: u64,
    extension_bytes: u64,
    trailer_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    SizeStart,
    Size,
    Extension,
    /// The CR of a size line has come.
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line behind the last chunk.
    TrailerStart,
    Trailer,
    TrailerLf,
    /// The CR of the empty line has come.
    FinalLf,
    Done,
    Failed(BodyError),
}

impl ChunkedDecoder {
    /// A decoder before the first chunk.
    pub fn new(limits: ChunkLimits) -> Self {
        Self {
            limits,
            state: State::SizeStart,
            chunk_left: 0,
            line_bytes: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }

    /// Looks at received bytes up to the end of the first payload among them; call again with what
    /// follows. An error is final and is repeated by each later call.
    pub fn decode(&mut self, input: &[u8]) -> Result<BodyEvent, BodyError> {
        for (at, &byte) in input.iter().enumerate() {
            match self.state {
                State::Data => return Ok(BodyEvent::Data(self.take_data(at, input.len()))),
                State::Done => return Ok(BodyEvent::End { consumed: at }),
                State::Failed(error) => return Err(error),
                _ => {}
            }
            match self.step(byte) {
                Ok(next) => self.state = next,
                Err(error) => {
                    self.state = State::Failed(error);
                    return Err(error);
                }
            }
        }
        match self.state {
            State::Done => Ok(BodyEvent::End { consumed: input.len() }),
            State::Failed(error) => Err(error),
            _ => Ok(BodyEvent::NeedMore),
        }
    }

    /// Payload bytes left in the current chunk, which may be received straight into their place; 0
    /// while framing comes next.
    pub fn remaining_in_chunk(&self) -> u64 {
        if self.state == State::Data { self.chunk_left } else { 0 }
    }

    /// Takes note of `bytes` payload bytes of the current chunk received straight into their place.
    pub fn advance_data(&mut self, bytes: u64) -> Result<(), BodyError> {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        let left_bytes = self.remaining_in_chunk();
        if bytes > left_bytes {
            let error = BodyError::PastEnd { given_bytes: bytes, left_bytes };
            self.state = State::Failed(error);
            return Err(error);
        }
        if bytes > 0 {
            self.leave_data(bytes);
        }
        Ok(())
    }

    /// The last chunk, the trailers and the empty line behind them have come.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn take_data(&mut self, at: usize, input_len: usize) -> std::ops::Range<usize> {
        let taken = self.chunk_left.min((input_len - at) as u64);
        self.leave_data(taken);
        at..at + taken as usize
    }

    fn leave_data(&mut self, bytes: u64) {
        self.chunk_left -= bytes;
        if self.chunk_left == 0 {
            self.state = State::DataCr;
        }
    }

    /// One byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, BodyError> {
        match (self.state, byte) {
            (State::SizeStart, _) => {
                (self.chunk_left, self.line_bytes) = (0, 0);
                self.size_digit(byte)
            }
            (State::Size | State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Size, b';') | (State::Extension, _) => self.extension_byte(byte),
            (State::Size, _) => self.size_digit(byte),
            (State::SizeLf, b'\n') if self.chunk_left == 0 => Ok(State::TrailerStart),
            (State::SizeLf, b'\n') => Ok(State::Data),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::SizeStart),
            (State::DataCr | State::DataLf, _) => Err(BodyError::MissingChunkEnd),
            (State::TrailerStart, b'\r') => Ok(State::FinalLf),
            (State::FinalLf, b'\n') => Ok(State::Done),
            (State::TrailerStart | State::Trailer | State::TrailerLf, _) => self.trailer_byte(byte),
            (State::SizeLf | State::FinalLf, _) => Err(BodyError::BadChunkLine),
            // `decode` looks at these before it steps.
            (State::Data | State::Done | State::Failed(_), _) => Ok(self.state),
        }
    }

    fn size_digit(&mut self, byte: u8) -> Result<State, BodyError> {
        let digit = (byte as char).to_digit(16).ok_or(BodyError::BadChunkSize)?;
        let shifted = self.chunk_left.checked_mul(16).ok_or(BodyError::ChunkSizeOverflow)?;
        self.chunk_left = shifted | u64::from(digit);
        self.line_byte()?;
        Ok(State::Size)
    }

    fn extension_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        refuse_control(byte)?;
        self.line_byte()?;
        let limit_bytes = self.limits.extension_bytes_max;
        if self.extension_bytes == limit_bytes {
            return Err(BodyError::ExtensionsTooLarge { limit_bytes });
        }
        self.extension_bytes += 1;
        Ok(State::Extension)
    }

    fn line_byte(&mut self) -> Result<(), BodyError> {
        let limit_bytes = self.limits.size_line_bytes_max;
        if self.line_bytes == limit_bytes {
            return Err(BodyError::ChunkLineTooLong { limit_bytes });
        }
        self.line_bytes += 1;
        Ok(())
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        let limit_bytes = self.limits.trailer_bytes_max;
        if self.trailer_bytes == limit_bytes {
            return Err(BodyError::TrailersTooLarge { limit_bytes });
        }
        self.trailer_bytes += 1;
        match (self.state, byte) {
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::TrailerLf, _) => Err(BodyError::BadChunkLine),
            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            _ => refuse_control(byte).map(|()| State::Trailer),
        }
    }
}

fn refuse_control(byte: u8) -> Result<(), BodyError> {
    if byte.is_ascii_control() && byte != b'\t' {
        return Err(BodyError::BadChunkLine);
    }
    Ok(())
}
