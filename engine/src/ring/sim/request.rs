//! What the simulated kernel keeps of a submission: numbers, names, and raw pointers.

use std::ops::Range;

use crate::op::{Descriptor, Handle, Op, OpenHow, Span};
use crate::pool::Buf;

/// The number of an open object of a world, as a descriptor is one.
pub(super) type ObjectId = u32;

/// One submission, as the kernel sees it after reading the entry.
#[derive(Debug)]
pub(super) enum Request {
    Open {
        dir: Option<ObjectId>,
        path: Vec<u8>,
        how: OpenHow,
    },
    Statx {
        dir: Option<ObjectId>,
        path: Vec<u8>,
        out: StatxTarget,
    },
    Read {
        file: ObjectId,
        memory: Memory,
        offset: u64,
        uncached: bool,
    },
    Write {
        file: ObjectId,
        memory: Memory,
        offset: u64,
        uncached: bool,
    },
    Advise {
        file: ObjectId,
        advice: i32,
    },
    Sync {
        file: ObjectId,
    },
    Allocate {
        file: ObjectId,
        offset: u64,
        len: u64,
    },
    Truncate {
        file: ObjectId,
        len: u64,
    },
    Rename {
        from: (Option<ObjectId>, Vec<u8>),
        to: (Option<ObjectId>, Vec<u8>),
        no_replace: bool,
    },
    Link {
        file: ObjectId,
        dir: Option<ObjectId>,
        path: Vec<u8>,
    },
    Unlink {
        dir: Option<ObjectId>,
        path: Vec<u8>,
        directory: bool,
    },
    Mkdir {
        dir: Option<ObjectId>,
        path: Vec<u8>,
        mode: u32,
    },
    Socket {
        ipv6: bool,
    },
    Connect {
        socket: ObjectId,
        address: std::net::SocketAddr,
    },
    Accept {
        listener: ObjectId,
    },
    Recv {
        socket: ObjectId,
        memory: Memory,
        fill: bool,
    },
    Send {
        socket: ObjectId,
        pieces: Vec<Memory>,
        zero_copy: bool,
    },
    /// What is wrong can be seen from the entry alone.
    Refused {
        errno: i32,
    },
}

/// A piece of memory that an op has lent to the kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    start: *mut u8,
    len: usize,
}

/// Where a statx is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatxTarget(*mut libc::statx);

// SAFETY: OWN-1. The memory belongs to the operation until its last completion, whichever thread
// steps the world, and the world's lock lets one thread at a time touch it.
unsafe impl Send for Memory {}
// SAFETY: OWN-1. As for `Memory`.
unsafe impl Send for StatxTarget {}

impl Request {
    /// Reads a submission; `part` is relative to the op's own span.
    pub(super) fn of(op: &mut Op, part: Span) -> Request {
        Request::try_of(op, part).unwrap_or_else(|errno| Request::Refused { errno })
    }

    /// The objects that stay open for as long as the request is in flight.
    pub(super) fn objects(&self) -> impl Iterator<Item = ObjectId> + use<> {
        let pair = match self {
            Request::Open { dir, .. }
            | Request::Statx { dir, .. }
            | Request::Unlink { dir, .. }
            | Request::Mkdir { dir, .. } => [*dir, None],
            Request::Rename { from, to, .. } => [from.0, to.0],
            Request::Link { file, dir, .. } => [Some(*file), *dir],
            Request::Read { file: id, .. }
            | Request::Write { file: id, .. }
            | Request::Sync { file: id }
            | Request::Allocate { file: id, .. }
            | Request::Truncate { file: id, .. }
            | Request::Advise { file: id, .. }
            | Request::Connect { socket: id, .. }
            | Request::Accept { listener: id }
            | Request::Recv { socket: id, .. }
            | Request::Send { socket: id, .. } => [Some(*id), None],
            Request::Socket { .. } | Request::Refused { .. } => [None, None],
        };
        pair.into_iter().flatten()
    }

    /// Whether it moves bytes of a connection.
    pub(super) fn is_transfer(&self) -> bool {
        matches!(self, Request::Recv { .. } | Request::Send { .. })
    }

    pub(super) fn is_network(&self) -> bool {
        matches!(
            self,
            Request::Socket { .. }
                | Request::Connect { .. }
                | Request::Accept { .. }
                | Request::Recv { .. }
                | Request::Send { .. }
        )
    }

    pub(super) fn is_zero_copy(&self) -> bool {
        matches!(self, Request::Send { zero_copy: true, .. })
    }

    fn try_of(op: &mut Op, part: Span) -> Result<Request, i32> {
        Ok(match op {
            Op::Open { dir, path, how, .. } => {
                Request::Open { dir: dir_id(dir)?, path: path.to_bytes().to_vec(), how: **how }
            }
            Op::Statx { dir, path, out, .. } => Request::Statx {
                dir: dir_id(dir)?,
                path: path.to_bytes().to_vec(),
                out: StatxTarget(&raw mut out.0),
            },
            Op::Read { file, buf, span, offset } => Request::Read {
                file: id(file)?,
                memory: writable(buf, span, part)?,
                offset: offset.checked_add(part.start as u64).ok_or(libc::EINVAL)?,
                uncached: file.is_uncached(),
            },
            Op::Write { file, buf, span, offset } => Request::Write {
                file: id(file)?,
                memory: readable(buf, span, part)?,
                offset: offset.checked_add(part.start as u64).ok_or(libc::EINVAL)?,
                uncached: file.is_uncached(),
            },
            Op::Sync { file, .. } => Request::Sync { file: id(file)? },
            Op::Allocate { file, offset, len } => {
                Request::Allocate { file: id(file)?, offset: *offset, len: *len }
            }
            Op::Truncate { file, len } => Request::Truncate { file: id(file)?, len: *len },
            Op::Advise { file, advice, .. } => Request::Advise { file: id(file)?, advice: *advice },
            Op::Rename { from_dir, from, to_dir, to, no_replace } => Request::Rename {
                from: (dir_id(from_dir)?, from.to_bytes().to_vec()),
                to: (dir_id(to_dir)?, to.to_bytes().to_vec()),
                no_replace: *no_replace,
            },
            Op::Link { file, dir, to, .. } => {
                Request::Link { file: id(file)?, dir: dir_id(dir)?, path: to.to_bytes().to_vec() }
            }
            Op::Unlink { dir, path, directory } => Request::Unlink {
                dir: dir_id(dir)?,
                path: path.to_bytes().to_vec(),
                directory: *directory,
            },
            Op::Mkdir { dir, path, mode } => {
                Request::Mkdir { dir: dir_id(dir)?, path: path.to_bytes().to_vec(), mode: *mode }
            }
            Op::Socket { ipv6 } => Request::Socket { ipv6: *ipv6 },
            Op::Connect { socket, address } => {
                Request::Connect { socket: id(socket)?, address: address.plain }
            }
            Op::Accept { listener } => Request::Accept { listener: id(listener)? },
            Op::Recv { socket, buf, span, fill } => Request::Recv {
                socket: id(socket)?,
                memory: writable(buf, span, part)?,
                fill: *fill,
            },
            Op::Send { socket, buf, span, .. } => Request::Send {
                socket: id(socket)?,
                pieces: vec![readable(buf, span, part)?],
                zero_copy: false,
            },
            Op::SendZc { socket, buf, span } => Request::Send {
                socket: id(socket)?,
                pieces: vec![readable(buf, span, part)?],
                zero_copy: true,
            },
            Op::SendList { socket, list, span, zero_copy } => {
                let start = span.start + part.start;
                let parts = list.parts(Span { start, ..part });
                let pieces = parts.map(|(buf, part)| {
                    let raw = buf.raw(&part).ok_or(libc::EFAULT)?;
                    Ok(Memory { start: raw.ptr, len: raw.len })
                });
                let pieces = pieces.collect::<Result<_, i32>>()?;
                Request::Send { socket: id(socket)?, pieces, zero_copy: *zero_copy }
            }
            // Nothing ever sleeps here, so there is no eventfd to wait for.
            Op::Expiry { .. } => return Err(libc::EBADF),
            Op::FreedEarly => return Err(libc::EFAULT),
        })
    }
}

impl Memory {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_aligned_to(&self, align: usize) -> bool {
        self.start.addr().is_multiple_of(align) && self.len.is_multiple_of(align)
    }

    /// The piece of `len` bytes from `at`.
    pub(super) fn part(&self, at: usize, len: usize) -> Memory {
        assert!(at <= self.len && len <= self.len - at, "a part lies within its memory");
        Memory { start: self.start.wrapping_add(at), len }
    }

    /// Writes `bytes` to the start.
    pub(super) fn write(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.len, "no more is written than was lent");
        // SAFETY: OWN-1. The op owns this memory until its last completion, which has not been
        // posted; nobody holds a reference into it meanwhile. `copy` and not a slice, because two
        // ops of a faulty test may name the same memory.
        unsafe { std::ptr::copy(bytes.as_ptr(), self.start, bytes.len()) };
    }

    /// Reads it to the end of `into`.
    pub(super) fn read_into(&self, into: &mut Vec<u8>) {
        // SAFETY: OWN-1. As in `write`; of memory that is sent or written out, others may hold
        // shared references.
        into.extend_from_slice(unsafe { std::slice::from_raw_parts(self.start, self.len) });
    }
}

impl StatxTarget {
    pub(super) fn write(&self, value: libc::statx) {
        // SAFETY: OWN-1. The box belongs to the op, whose completion has not been posted.
        unsafe { self.0.write(value) };
    }
}

fn id(handle: &Handle) -> Result<ObjectId, i32> {
    match handle.descriptor() {
        Descriptor::Sim(descriptor) => Ok(descriptor.id()),
        Descriptor::Os(_) => Err(libc::EBADF),
    }
}

fn dir_id(dir: &Option<Handle>) -> Result<Option<ObjectId>, i32> {
    dir.as_ref().map(id).transpose()
}

fn writable(buf: &mut Buf, whole: &Range<usize>, part: Span) -> Result<Memory, i32> {
    if !buf.is_writable() {
        return Err(libc::EFAULT);
    }
    readable(buf, whole, part)
}

fn readable(buf: &mut Buf, whole: &Range<usize>, part: Span) -> Result<Memory, i32> {
    let start = whole.start + part.start;
    let span = start..start + part.len;
    assert!(span.end <= whole.end, "a submission of {span:?} leaves the op's own {whole:?}");
    let raw = buf.raw(&span).ok_or(libc::EFAULT)?;
    Ok(Memory { start: raw.ptr, len: raw.len })
}
