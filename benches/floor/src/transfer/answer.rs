//! The answer to one request, byte by byte as it arrives. Does no I/O: it is told what lies in the
//! buffer and says where the next bytes go. The body is discarded in place, each piece over the one
//! before; if it is to be summed, each piece while it is warm.

use std::ops::Range;

use crc_fast::{CrcAlgorithm, Digest};
use hydrant::Crc64;

use crate::failure::{Failure, Result};

/// Which answers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// 206 with exactly this many bytes of body.
    Partial(u64),
    /// 200, 201 or 204, whatever the body says.
    Stored,
}

/// The state of one answer.
#[derive(Debug)]
pub struct Answer {
    expected: Expected,
    /// Bytes at the start of the buffer while the head is not whole.
    held_bytes: usize,
    /// Body still to come, once the head is known.
    body_left: Option<u64>,
    /// Of the body so far.
    sum: Option<Digest>,
}

impl Answer {
    /// Nothing has arrived yet.
    pub fn new(expected: Expected) -> Self {
        Self { expected, held_bytes: 0, body_left: None, sum: None }
    }

    /// The same, whose body is summed.
    pub fn summed(expected: Expected) -> Self {
        Self { sum: Some(Digest::new(CrcAlgorithm::Crc64Nvme)), ..Self::new(expected) }
    }

    /// The sum of the body, if it was to be summed.
    pub fn sum(&self) -> Option<Crc64> {
        self.sum.as_ref().map(|sum| Crc64(sum.finalize()))
    }

    /// Where in a buffer of `buffer_bytes` the next bytes go. Empty when the head fills the buffer
    /// and is not whole.
    pub fn next_span(&self, buffer_bytes: usize) -> Range<usize> {
        match self.body_left {
            None => self.held_bytes..buffer_bytes,
            Some(left) => {
                0..usize::try_from(left).map_or(buffer_bytes, |left| left.min(buffer_bytes))
            }
        }
    }

    /// Body still to come, once the head is known: the next span is then wanted to its last byte.
    pub fn body_left(&self) -> Option<u64> {
        self.body_left
    }

    /// `count` bytes arrived in the span; `buffer` is the whole buffer. True when the answer is
    /// complete.
    ///
    /// # Errors
    /// When the peer closed (`count` is 0), the head does not fit or cannot be read, the status is
    /// not the expected one, or the length is wrong.
    pub fn received(&mut self, buffer: &[u8], count: usize) -> Result<bool> {
        if count == 0 {
            return Err(Failure::wrong(
                "the server closed the connection in the middle of an answer",
            ));
        }
        let body = match self.body_left {
            Some(_) => 0..count,
            None => {
                self.held_bytes += count;
                let Some(head) = Head::parse(&buffer[..self.held_bytes])? else {
                    if self.held_bytes == buffer.len() {
                        return Err(Failure::wrong(
                            "the head of the answer is larger than the buffer",
                        ));
                    }
                    return Ok(false);
                };
                self.body_left = Some(self.check(&head)?);
                head.head_bytes..self.held_bytes
            }
        };
        if let Some(sum) = &mut self.sum {
            sum.update(&buffer[body.clone()]);
        }
        let left = self.body_left.unwrap_or(0);
        let left = left
            .checked_sub(body.len() as u64)
            .ok_or_else(|| Failure::wrong("more bytes arrived than Content-Length names"))?;
        self.body_left = Some(left);
        Ok(left == 0)
    }

    /// The length of the body, if the head is what was expected.
    fn check(&self, head: &Head) -> Result<u64> {
        match self.expected {
            Expected::Partial(bytes) if head.status == 206 && head.body_bytes == bytes => Ok(bytes),
            Expected::Stored if matches!(head.status, 200 | 201 | 204) => Ok(head.body_bytes),
            expected => Err(Failure::wrong(format!(
                "status {} with {} bytes of body where {expected:?} was expected",
                head.status, head.body_bytes
            ))),
        }
    }
}

/// The three things of a response head that a run looks at.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    head_bytes: usize,
    status: u16,
    body_bytes: u64,
}

impl Head {
    /// `None` when the empty line is not there yet.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let unreadable = || Failure::wrong("the head of the answer is no HTTP/1.1");
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| unreadable())?;
        let mut lines = text.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .ok_or_else(unreadable)?;
        let mut body_bytes = (status == 204).then_some(0);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body_bytes = Some(value.trim().parse().map_err(|_| unreadable())?);
            }
        }
        let body_bytes = body_bytes
            .ok_or_else(|| Failure::wrong(format!("status {status} without Content-Length")))?;
        Ok(Some(Self { head_bytes: end + 4, status, body_bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(expected: Expected, wire: &[u8], step: usize) -> Result<bool> {
        feed_to(&mut Answer::new(expected), wire, step)
    }

    /// Feeds `wire` in pieces of `step` through a buffer of 64 bytes.
    fn feed_to(answer: &mut Answer, wire: &[u8], step: usize) -> Result<bool> {
        let (mut buffer, mut rest) = ([0u8; 64], wire);
        while !rest.is_empty() {
            let span = answer.next_span(buffer.len());
            let count = span.len().min(step).min(rest.len());
            buffer[span.start..span.start + count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            if answer.received(&buffer, count)? {
                return Ok(rest.is_empty());
            }
        }
        Ok(false)
    }

    #[test]
    fn a_partial_answer_is_complete_at_its_last_byte_however_it_is_cut() {
        let mut wire = b"HTTP/1.1 206 Partial\r\ncontent-LENGTH: 100\r\n\r\n".to_vec();
        wire.extend([7; 100]);
        for step in 1..=64 {
            assert!(
                feed(Expected::Partial(100), &wire, step).expect("a good answer"),
                "step {step}"
            );
        }
        wire.pop();
        assert!(
            !feed(Expected::Partial(100), &wire, 64).expect("a short answer is not an error yet")
        );
    }

    #[test]
    fn the_sum_is_that_of_the_body_however_it_is_cut() {
        let body: Vec<u8> = (0..100).collect();
        let mut wire = b"HTTP/1.1 206 Partial\r\ncontent-LENGTH: 100\r\n\r\n".to_vec();
        wire.extend(&body);
        for step in 1..=64 {
            let mut answer = Answer::summed(Expected::Partial(100));
            assert!(feed_to(&mut answer, &wire, step).expect("a good answer"), "step {step}");
            assert_eq!(answer.sum(), Some(Crc64::of(&body)), "step {step}");
        }
    }

    #[test]
    fn wrong_status_wrong_length_and_no_length_are_failures() {
        let full = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        assert!(feed(Expected::Partial(1), full, 64).is_err());
        assert!(feed(Expected::Stored, full, 64).expect("200 is stored"));
        let other = b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\nxy";
        assert!(feed(Expected::Partial(1), other, 64).is_err());
        assert!(feed(Expected::Stored, b"HTTP/1.1 201 Created\r\n\r\n", 64).is_err());
        assert!(
            feed(Expected::Stored, b"HTTP/1.1 204 No Content\r\n\r\n", 64)
                .expect("204 has no body")
        );
        assert!(
            feed(Expected::Stored, b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", 64)
                .is_err()
        );
    }

    #[test]
    fn a_closed_connection_and_an_endless_head_are_failures() {
        assert!(Answer::new(Expected::Stored).received(&[0; 64], 0).is_err());
        assert!(feed(Expected::Stored, &[b'x'; 64], 64).is_err());
    }

    #[test]
    fn more_body_than_promised_is_a_failure() {
        assert!(
            feed(Expected::Stored, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", 64).is_err()
        );
    }
}
