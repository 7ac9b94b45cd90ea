//! A file with `O_DIRECT` for clients that have none of their own.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;

/// What `O_DIRECT` wants offsets, lengths and addresses to be multiples of, on every disk this is
/// run on.
const ALIGNMENT_BYTES: usize = 4096;

/// Blocking reads and writes of parts, each of whole blocks.
#[derive(Debug)]
pub struct DirectFile(File);

thread_local! {
    /// What is written from: chunks lie anywhere, and the kernel wants them aligned.
    static BOUNCE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl DirectFile {
    /// To be read.
    ///
    /// # Errors
    /// Where it is missing, or `O_DIRECT` is refused.
    pub fn open(path: &Path) -> io::Result<DirectFile> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_DIRECT).open(path).map(DirectFile)
    }

    /// To be written, with a length from the start.
    ///
    /// # Errors
    /// As [`DirectFile::open`].
    pub fn create(path: &Path, bytes: u64) -> io::Result<DirectFile> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).custom_flags(libc::O_DIRECT);
        let file = options.open(path)?;
        file.set_len(bytes)?;
        Ok(DirectFile(file))
    }

    /// Reads a part into memory of its own.
    ///
    /// # Errors
    /// What the kernel says, or an early end.
    pub fn read(&self, part: Range<u64>) -> io::Result<Bytes> {
        let len = (part.end - part.start) as usize;
        let mut memory = vec![0; len + ALIGNMENT_BYTES];
        let from = memory.as_ptr().align_offset(ALIGNMENT_BYTES);
        self.0.read_exact_at(&mut memory[from..from + len], part.start)?;
        Ok(Bytes::from(memory).slice(from..from + len))
    }

    /// Writes a part that came in chunks.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn write(&self, offset: u64, chunks: &[Bytes]) -> io::Result<()> {
        let len: usize = chunks.iter().map(Bytes::len).sum();
        BOUNCE.with_borrow_mut(|memory| {
            memory.resize(memory.len().max(len + ALIGNMENT_BYTES), 0);
            let from = memory.as_ptr().align_offset(ALIGNMENT_BYTES);
            let part = &mut memory[from..from + len];
            let mut filled = 0;
            for chunk in chunks {
                part[filled..filled + chunk.len()].copy_from_slice(chunk);
                filled += chunk.len();
            }
            self.0.write_all_at(part, offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_chunks_is_read_as_one() {
        let path = std::env::temp_dir().join(format!("pipelines-direct-{}", std::process::id()));
        let chunks = [Bytes::from(vec![1; 100]), Bytes::from(vec![2; 8092])];
        let file = DirectFile::create(&path, 8192).expect("O_DIRECT on this file system");
        file.write(0, &chunks).expect("room for two blocks");
        let read = DirectFile::open(&path).and_then(|file| file.read(4096..8192));
        assert_eq!(read.expect("it is there"), Bytes::from(vec![2; 4096]));
        std::fs::remove_file(path).expect("it is there");
    }
}
