//! A file to a file with `O_DIRECT`: blocks of one size, so many in flight, no page cache on either
//! side.

mod threads;
mod uring;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::Engine;
use crate::failure::{Failure, Result};
use crate::report::{Report, Stopwatch};
use crate::work::Ranges;

/// What `O_DIRECT` wants offsets, lengths and addresses to be multiples of, on every disk this is
/// run on.
const ALIGNMENT_BYTES: u64 = 4096;

/// One run. The destination is overwritten.
#[derive(Clone, Debug)]
pub struct Copy {
    /// By which system calls.
    pub engine: Engine,
    /// The file to read.
    pub source: PathBuf,
    /// The file to write.
    pub destination: PathBuf,
    /// Bytes a read and a write, a multiple of 4096.
    pub block_bytes: usize,
    /// Blocks in flight: threads, or operations of the ring.
    pub queue_depth: usize,
    /// Finish with `fsync(2)`.
    pub fsync: bool,
    /// Only this half of the work.
    pub only: Option<Half>,
}

/// One side of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The source is read; the destination stays empty.
    Read,
    /// As much as the source holds is written, of whatever lies in memory.
    Write,
}

/// The two files of a run, open, and the size of the source.
struct Files {
    source: File,
    destination: File,
    bytes: u64,
}

impl Copy {
    /// Does it.
    ///
    /// # Errors
    /// When a file cannot be opened with `O_DIRECT`, or a read or write fails or is short.
    pub fn run(&self) -> Result<Report> {
        let block_bytes = self.block_bytes as u64;
        if block_bytes == 0 || !block_bytes.is_multiple_of(ALIGNMENT_BYTES) || self.queue_depth == 0
        {
            return Err(Failure::wrong(
                "a block is a multiple of 4096 bytes, and at least one is in flight",
            ));
        }
        if u32::try_from(block_bytes).is_err() {
            return Err(Failure::wrong(
                "a block is under 4 GiB, the longest operation io_uring takes",
            ));
        }
        let stopwatch = Stopwatch::new();
        let files = self.open()?;
        let blocks = Ranges::new(files.bytes, block_bytes);
        let copied_bytes = match self.engine {
            Engine::Threads => threads::run(self, &files, &blocks)?,
            Engine::Uring => uring::run(self, &files, &blocks)?,
        };
        if copied_bytes != files.bytes {
            return Err(Failure::wrong(format!(
                "{copied_bytes} of {} bytes were copied",
                files.bytes
            )));
        }
        if self.writes() {
            files.finish(self.fsync)?;
        }
        let what = match self.only {
            None => "copy",
            Some(Half::Read) => "read",
            Some(Half::Write) => "write",
        };
        Ok(stopwatch.report(format!("{what}-{}", self.engine), copied_bytes))
    }

    fn reads(&self) -> bool {
        self.only != Some(Half::Write)
    }

    fn writes(&self) -> bool {
        self.only != Some(Half::Read)
    }

    fn open(&self) -> Result<Files> {
        let refused = |what: &str, path: &PathBuf| {
            let what = format!("{what} {} with O_DIRECT", path.display());
            move |cause| Failure::refused(what, cause)
        };
        let source = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(&self.source)
            .map_err(refused("opening", &self.source))?;
        let destination = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(libc::O_DIRECT)
            .open(&self.destination)
            .map_err(refused("creating", &self.destination))?;
        let bytes = source.metadata().map_err(refused("looking at", &self.source))?.len();
        if self.writes() {
            allocate(&destination, bytes.next_multiple_of(ALIGNMENT_BYTES))?;
        }
        Ok(Files { source, destination, bytes })
    }
}

impl Files {
    /// The last block was written padded: `O_DIRECT` writes whole sectors only.
    fn finish(&self, fsync: bool) -> Result<()> {
        let refused = |cause| Failure::refused("finishing the destination", cause);
        self.destination.set_len(self.bytes).map_err(refused)?;
        if fsync {
            self.destination.sync_all().map_err(refused)?;
        }
        Ok(())
    }
}

/// Space ahead of the writes, so that they need not extend the file one after the other. File
/// systems without `fallocate(2)` get the length alone.
fn allocate(file: &File, bytes: u64) -> Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let refused = |cause| Failure::refused(format!("allocating {bytes} bytes"), cause);
    let length = libc::off_t::try_from(bytes)
        .map_err(|_| Failure::wrong("a file of more than 2^63 bytes"))?;
    // SAFETY: an open descriptor and plain numbers.
    if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) } == 0 {
        return Ok(());
    }
    let cause = io::Error::last_os_error();
    match cause.raw_os_error() {
        Some(libc::EOPNOTSUPP) => file.set_len(bytes).map_err(refused),
        _ => Err(refused(cause)),
    }
}

/// How many bytes the write for a block of `bytes` carries.
fn padded(bytes: u64) -> usize {
    usize::try_from(bytes.next_multiple_of(ALIGNMENT_BYTES)).expect("a block is under 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of a length that is no multiple of anything, through both engines and back.
    #[test]
    fn the_copy_is_the_source_to_its_last_byte() {
        let folder =
            std::env::temp_dir().join(format!("hydrant-floor-copy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let source = folder.join("source");
        let content: Vec<u8> = (0..1_000_003u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&source, &content).expect("the source");
        for engine in [Engine::Threads, Engine::Uring] {
            let destination = folder.join(engine.to_string());
            let copy = Copy {
                engine,
                source: source.clone(),
                destination: destination.clone(),
                block_bytes: 64 << 10,
                queue_depth: 4,
                fsync: true,
                only: None,
            };
            let report = copy.run().expect("a copy on this file system");
            assert_eq!(report.bytes, content.len() as u64);
            assert!(std::fs::read(&destination).expect("the copy") == content, "{engine}");
            for (half, left) in [(Half::Read, 0), (Half::Write, content.len())] {
                let half = Copy { only: Some(half), ..copy.clone() };
                assert_eq!(half.run().expect("half of a copy").bytes, content.len() as u64);
                assert_eq!(std::fs::read(&destination).expect("it is there").len(), left);
            }
        }
        std::fs::remove_dir_all(folder).expect("nobody else is in there");
    }
}
