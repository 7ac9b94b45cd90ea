"""Parts of a file with O_DIRECT, for clients that have none of their own."""

import mmap
import os
import threading

_own = threading.local()


def create(path, length):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_DIRECT, 0o644)
    os.ftruncate(descriptor, length)
    return descriptor


def write(descriptor, start, part):
    """Copies the part to memory that is aligned, one for each thread, and writes it from there."""
    length = len(part)
    bounce = getattr(_own, "bounce", None)
    if bounce is None or len(bounce) < length:
        bounce = _own.bounce = mmap.mmap(-1, length)
    bounce[:length] = part
    with memoryview(bounce) as all, all[:length] as view:
        written = os.pwrite(descriptor, view, start)
    if written != length:
        raise OSError(f"{written} of {length} bytes were written")
    return written


def read(path, parts):
    """The parts one after the other, each in memory of its own."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    for start, length in parts:
        part = mmap.mmap(-1, length)
        if os.preadv(descriptor, [part], start) != length:
            raise OSError("a short read")
        yield part
    os.close(descriptor)
