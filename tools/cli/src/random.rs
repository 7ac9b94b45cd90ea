//! Random bytes: fast ones for payload, and text of the system's own for keys.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;

use crate::exit::Failure;

/// Text of `bytes` random bytes from the system, for keys.
pub fn random_text(bytes: usize) -> Result<String, Failure> {
    let mut random = vec![0; bytes];
    from_system(&mut random)?;
    Ok(hex(&random))
}

/// xoshiro256** 1.0 by Blackman and Vigna: fast, and long enough a period for any disk. It is no
/// generator for secrets.
#[derive(Debug)]
pub struct Xoshiro([u64; 4]);

impl Xoshiro {
    /// With a seed from the system.
    pub fn seeded() -> Result<Xoshiro, Failure> {
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

    /// Fills `bytes` with random ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
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

/// Bytes as text, two digits each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the reference implementation for the state 1, 2, 3, 4.
    #[test]
    fn the_generator_is_the_one_that_was_published() {
        let mut random = Xoshiro([1, 2, 3, 4]);
        let first: Vec<u64> = (0..4).map(|_| random.next()).collect();
        assert_eq!(first, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }
}
