//! Random bytes in a file, and the checksum of a file. Each step of 1 MiB lets a signal through.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tokio::task::yield_now;

use crate::exit::Failure;
use crate::progress::Progress;
use crate::random::{Xoshiro, hex};

const STEP_BYTES: usize = 1 << 20;

/// Writes `size` random bytes to the disk; the result is their SHA-256.
pub async fn make(path: &Path, size: u64, progress: Progress) -> Result<String, Failure> {
    let failed = || Failure::local(format!("write {}", path.display()));
    let mut random = Xoshiro::seeded()?;
    let mut file = File::create_new(path).map_err(failed())?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; STEP_BYTES]);
    progress.expect(size);
    let mut left = size;
    while left > 0 {
        let len = left.min(STEP_BYTES as u64) as usize;
        random.fill(&mut piece[..len]);
        hash.update(&piece[..len]);
        file.write_all(&piece[..len]).map_err(failed())?;
        left -= len as u64;
        progress.add(len as u64);
        yield_now().await;
    }
    // What is still on its way to the disk would be charged to the upload.
    file.sync_all().map_err(failed())?;
    Ok(hex(&hash.finalize()))
}

/// The SHA-256 of a file, read through the page cache.
pub async fn checksum(path: &Path, progress: Progress) -> Result<String, Failure> {
    let failed = || Failure::local(format!("read {}", path.display()));
    let mut file = File::open(path).map_err(failed())?;
    progress.expect(file.metadata().map_err(failed())?.len());
    let (mut hash, mut piece) = (Sha256::new(), vec![0; STEP_BYTES]);
    loop {
        let len = file.read(&mut piece).map_err(failed())?;
        if len == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&piece[..len]);
        progress.add(len as u64);
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let size = STEP_BYTES as u64 + 13;
        let quiet = || Progress::new("", true);
        let made = run(make(&path, size, quiet())).expect("made");
        assert_eq!(std::fs::metadata(&path).expect("there").len(), size);
        assert_eq!(run(checksum(&path, quiet())).expect("read"), made);
        std::fs::write(&path, "abc").expect("replaced");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(run(checksum(&path, quiet())).expect("read"), abc);
    }
}
