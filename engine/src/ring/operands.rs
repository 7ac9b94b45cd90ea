//! What a submission points to, taken out of an op for a driver of the real kernel.

use std::os::fd::RawFd;

use crate::op::{Handle, Span};
use crate::pool::{Buf, RawSpan};

/// The descriptor of a handle; `EBADF` for an object of the simulator.
pub(super) fn fd(handle: &Handle) -> Result<RawFd, i32> {
    handle.raw_fd().ok_or(libc::EBADF)
}

/// The flags of a read or write. A kernel or file system that cannot do without the page cache
/// refuses them (`RWF_DONTCACHE`, Linux 6.14).
pub(super) fn transfer_flags(file: &Handle) -> i32 {
    /// `RWF_DONTCACHE` of `linux/fs.h`, which the C library does not name yet.
    const DONT_CACHE: i32 = 0x80;
    if file.is_uncached() { DONT_CACHE } else { 0 }
}

/// The directory that a path is relative to.
pub(super) fn at(dir: Option<&Handle>) -> Result<RawFd, i32> {
    dir.map_or(Ok(libc::AT_FDCWD), fd)
}

/// The memory of a part of a span, to be written by the kernel.
pub(super) fn written_by_kernel(buf: &mut Buf, start: usize, span: Span) -> Result<RawSpan, i32> {
    if !buf.is_writable() {
        return Err(libc::EFAULT);
    }
    read_by_kernel(buf, start, span)
}

/// The memory of a part of a span, to be read by the kernel.
pub(super) fn read_by_kernel(buf: &mut Buf, start: usize, span: Span) -> Result<RawSpan, i32> {
    let from = start + span.start;
    buf.raw(&(from..from + span.len)).ok_or(libc::EFAULT)
}
