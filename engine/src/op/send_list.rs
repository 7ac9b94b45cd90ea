//! Several buffers that go out one behind the other as one send.

use std::fmt;
use std::ops::Range;

use super::Span;
use crate::pool::Buf;

/// Buffers for [`TcpStream::send_list`](crate::TcpStream::send_list): one submission, one completion
/// and, without a copy, one notification for all of them (`sendmsg(2)`).
///
/// It is made once and used again: filled, lent to a send, and emptied when it has come back. Only the
/// making allocates.
pub struct SendList {
    pieces: Vec<(Buf, Range<usize>)>,
    /// What the kernel reads of the list; it leads to the pieces, and is made anew for each submission.
    vectors: Vec<libc::iovec>,
    message: Box<libc::msghdr>,
}

// SAFETY: the pointers in `vectors` and `message` lead to memory of the same list, and are only followed
// by the kernel while an op owns the list (OWN-1).
unsafe impl Send for SendList {}

impl SendList {
    /// Buffers that a list can hold.
    pub const PIECES_MAX: usize = 8;

    /// An empty list.
    pub fn new() -> SendList {
        // SAFETY: a `msghdr` is integers and pointers, for which zeros are no name, no pieces and no
        // flags.
        let message = Box::new(unsafe { std::mem::zeroed::<libc::msghdr>() });
        SendList {
            pieces: Vec::with_capacity(Self::PIECES_MAX),
            vectors: Vec::with_capacity(Self::PIECES_MAX),
            message,
        }
    }

    /// Adds `span` of `buf` at the end.
    ///
    /// # Errors
    /// The buffer comes back where the list holds [`PIECES_MAX`](Self::PIECES_MAX) already, or the span
    /// leaves the buffer.
    pub fn push(&mut self, buf: impl Into<Buf>, span: Range<usize>) -> Result<(), Buf> {
        let buf = buf.into();
        let inside = span.start <= span.end && span.end <= buf.capacity();
        if self.pieces.len() == Self::PIECES_MAX || !inside {
            return Err(buf);
        }
        self.pieces.push((buf, span));
        Ok(())
    }

    /// Takes the last buffer out, with its span.
    pub fn pop(&mut self) -> Option<(Buf, Range<usize>)> {
        self.pieces.pop()
    }

    /// How many buffers it holds.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether it holds no buffer.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes of all spans together.
    pub fn bytes(&self) -> usize {
        self.pieces.iter().map(|(_, span)| span.len()).sum()
    }

    /// Takes one buffer out for a while; it is put back by [`SendList::put`].
    #[cfg(feature = "tls")]
    pub(crate) fn take(&mut self, at: usize) -> (Buf, Range<usize>) {
        std::mem::replace(&mut self.pieces[at], (Buf::from(bytes::Bytes::new()), 0..0))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn put(&mut self, at: usize, buf: Buf, span: Range<usize>) {
        self.pieces[at] = (buf, span);
    }

    /// The parts of the pieces that a span of the whole covers.
    pub(crate) fn parts(
        &mut self,
        mut span: Span,
    ) -> impl Iterator<Item = (&mut Buf, Range<usize>)> {
        self.pieces.iter_mut().filter_map(move |(buf, piece)| {
            let part = span.cut(piece.len())?;
            Some((buf, piece.start + part.start..piece.start + part.end))
        })
    }

    /// The message of one submission, or the errno that the kernel would answer. It is valid until the
    /// next call, wherever the list is moved.
    pub(crate) fn message(&mut self, span: Span) -> Result<*const libc::msghdr, i32> {
        let mut vectors = std::mem::take(&mut self.vectors);
        vectors.clear();
        let filled = self.parts(span).try_for_each(|(buf, part)| {
            let raw = buf.raw(&part).ok_or(libc::EFAULT)?;
            vectors.push(libc::iovec { iov_base: raw.ptr.cast(), iov_len: raw.len });
            Ok(())
        });
        self.vectors = vectors;
        self.message.msg_iov = self.vectors.as_mut_ptr();
        self.message.msg_iovlen = self.vectors.len() as _;
        filled.map(|()| &raw const *self.message)
    }
}

impl Default for SendList {
    fn default() -> SendList {
        SendList::new()
    }
}

impl fmt::Debug for SendList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans = self.pieces.iter().map(|(_, span)| span);
        f.debug_list().entries(spans).finish()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn list() -> SendList {
        let mut list = SendList::new();
        for (text, span) in [("abcdef", 1..4), ("", 0..0), ("ghij", 0..4)] {
            let buf = Bytes::from_static(text.as_bytes());
            list.push(buf, span).expect("room");
        }
        list
    }

    fn text(list: &mut SendList, start: usize, len: usize) -> String {
        let parts = list.parts(Span { start, len });
        let texts = parts.map(|(buf, part)| String::from_utf8_lossy(&buf.as_slice()[part]).into());
        texts.collect::<Vec<String>>().join("|")
    }

    #[test]
    fn a_span_of_the_whole_is_parts_of_its_pieces() {
        let mut list = list();
        assert_eq!((list.len(), list.bytes()), (3, 7));
        assert_eq!(text(&mut list, 0, 7), "bcd|ghij");
        assert_eq!(text(&mut list, 2, 2), "d|g");
        assert_eq!(text(&mut list, 3, 4), "ghij");
        assert_eq!(text(&mut list, 5, 1), "i");
        assert_eq!(text(&mut list, 7, 0), "");
    }

    #[test]
    fn the_message_names_what_is_left() {
        let mut list = list();
        let vectors =
            |list: &SendList| list.vectors.iter().map(|it| it.iov_len).collect::<Vec<_>>();
        let first = list.message(Span { start: 0, len: 7 }).expect("in the list");
        assert_eq!(vectors(&list), [3, 4]);
        let second = list.message(Span { start: 4, len: 3 }).expect("in the list");
        assert_eq!(vectors(&list), [3]);
        assert_eq!((first, list.message.msg_iovlen), (second, 1));
    }

    #[test]
    fn what_does_not_fit_comes_back() {
        let mut list = SendList::new();
        let outside = list.push(Bytes::from_static(b"ab"), 1..3).expect_err("outside");
        assert_eq!(outside.as_slice(), b"ab");
        for _ in 0..SendList::PIECES_MAX {
            list.push(Bytes::from_static(b"ab"), 0..2).expect("room");
        }
        assert!(list.push(Bytes::new(), 0..0).is_err());
        assert_eq!(list.pop().map(|(_, span)| span), Some(0..2));
    }
}
