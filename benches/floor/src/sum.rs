//! The checksum of a file, for a server to tell.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hydrant::{Crc64, Sum};

use crate::failure::{Failure, Result};

/// So much is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Its CRC-64/NVME.
///
/// # Errors
/// When it cannot be read.
pub fn of_file(path: &Path) -> Result<Sum> {
    let failed = |cause| Failure::refused(path.display().to_string(), cause);
    let mut file = File::open(path).map_err(failed)?;
    let (mut piece, mut sum) = (vec![0; PIECE_BYTES], Crc64::OF_NOTHING);
    loop {
        let count = file.read(&mut piece).map_err(failed)?;
        if count == 0 {
            return Ok(sum.into());
        }
        sum = sum.then(Crc64::of(&piece[..count]), count as u64);
    }
}
