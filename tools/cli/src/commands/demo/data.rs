//! Random bytes in a file, and the checksum of a file. Each step of 1 MiB lets a signal through.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tokio::task::yield_now;

use crate::exit::Failure;
use crate::progress::Progress;

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

/// Text of `bytes` random bytes from the system, for keys.
pub fn random_text(bytes: usize) -> Result<String, Failure> {
    let mut random = vec![0; bytes];
    from_system(&mut random)?;
    Ok(hex(&random))
}

/// xoshiro256** 1.0 by Blackman and Vigna: fast, and long enough a period for any disk. It is no
/// generator for secrets.
struct Xoshiro([u64; 4]);

impl Xoshiro {
    fn seeded() -> Result<Xoshiro, Failure> {
        let mut seed = [0; 32];
        from_system(&mut seed)?;
        let (words, _) = seed.as_chunks::<8>();
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        // The one state that never changes.
        state[0] |= u64::from(state == [0; 4]);
        Ok(Xoshiro(state))
    }

    fn next(&mut self) -> u64 {
        let state = &mut self.0;
        let result = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            let random = self.next().to_le_bytes();
            word.copy_from_slice(&random[..word.len()]);
        }
    }
}

fn from_system(bytes: &mut [u8]) -> Result<(), Failure> {
    let read = File::open("/dev/urandom").and_then(|mut system| system.read_exact(bytes));
    read.map_err(Failure::local("read /dev/urandom"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
    }

    /// The first outputs of the reference implementation for the state 1, 2, 3, 4.
    #[test]
    fn the_generator_is_the_one_that_was_published() {
        let mut random = Xoshiro([1, 2, 3, 4]);
        let first: Vec<u64> = (0..4).map(|_| random.next()).collect();
        assert_eq!(first, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
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
