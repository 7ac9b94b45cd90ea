//! The interface that most programs use. `rustls` takes some KiB at a time into a buffer of its own,
//! whatever is offered, and lends each decrypted record out. It is given whole records alone: what it
//! kept of one could not be told from what is still to come.

use std::io::{BufRead, ErrorKind, Write};

use rustls::ClientConnection;

use super::{Session, Sink, broken, closed};
use crate::failure::Result;

pub(super) struct Buffered(pub(super) ClientConnection);

impl Session for Buffered {
    fn take(&mut self, records: &mut [u8], sink: &mut Sink<'_>) -> Result<usize> {
        let taken = whole(records);
        let mut rest = &records[..taken];
        while !rest.is_empty() {
            if self.0.read_tls(&mut rest).map_err(broken)? == 0 {
                return Err(closed());
            }
            self.0.process_new_packets().map_err(broken)?;
            self.read_out(sink)?;
        }
        Ok(taken)
    }

    fn answers(&mut self) -> Result<Vec<u8>> {
        let mut answers = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut answers).map_err(broken)?;
        }
        Ok(answers)
    }

    fn encrypt(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        self.0.writer().write_all(plain).map_err(broken)?;
        self.answers()
    }

    fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }
}

impl Buffered {
    /// Gives all plaintext to `sink` without a copy on the way.
    fn read_out(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let mut reader = self.0.reader();
        loop {
            let count = match reader.fill_buf() {
                Ok([]) => return Err(closed()),
                Ok(plain) => {
                    sink(plain)?;
                    plain.len()
                }
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => return Err(broken(cause)),
            };
            reader.consume(count);
        }
    }
}

/// How many bytes at the front are whole records. A header has five, the last two of which tell the
/// length of what follows (RFC 8446, section 5.1).
fn whole(records: &[u8]) -> usize {
    let mut end = 0;
    while let [_, _, _, high, low, rest @ ..] = &records[end..] {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if rest.len() < length {
            break;
        }
        end += 5 + length;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_when_their_last_byte_is_there() {
        let records = [23, 3, 3, 0, 2, 7, 7, 23, 3, 3, 0, 0, 23, 3, 3, 1, 0, 7];
        assert_eq!(whole(&records), 12);
        assert_eq!(whole(&records[..7]), 7);
        assert_eq!(whole(&records[..6]), 0);
        assert_eq!(whole(&[]), 0);
    }
}
