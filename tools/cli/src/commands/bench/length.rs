//! How long a run lasts: for a time, or until so many bytes have moved.

use std::time::Duration;

use crate::exit::Failure;
use crate::human;
use crate::sizes;
use crate::times;

const TIME_DEFAULT: Duration = Duration::from_secs(10);

/// The options for it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Length {
    /// Run for so long [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = times::parse, conflicts_with = "bytes")]
    time: Option<Duration>,

    /// Run until so many bytes have moved, a multiple of the block, instead of for a time
    #[arg(long, value_name = "SIZE", value_parser = sizes::parse)]
    bytes: Option<u64>,
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After this time nothing new is begun.
    Time(Duration),
    /// After so many blocks.
    Blocks(u64),
}

impl Length {
    /// In blocks of `block_bytes`, and at least one for each of so many `workers`.
    pub fn until(&self, block_bytes: u64, workers: u64) -> Result<Until, Failure> {
        let Some(bytes) = self.bytes else {
            return Ok(Until::Time(self.time.unwrap_or(TIME_DEFAULT)));
        };
        let block = human::size(block_bytes);
        if !bytes.is_multiple_of(block_bytes) {
            return Err(Failure::Usage(format!("--bytes {bytes} is no multiple of {block}")));
        }
        if bytes / block_bytes < workers {
            return Err(Failure::Usage(format!(
                "--bytes {bytes} is less than one block of {block} for each of {workers}"
            )));
        }
        Ok(Until::Blocks(bytes / block_bytes))
    }
}

impl Until {
    /// What falls to one of several workers: as many blocks as the others have, or one more.
    pub fn share(self, index: u64, workers: u64) -> Until {
        match self {
            Until::Blocks(all) => Until::Blocks(all / workers + u64::from(index < all % workers)),
            Until::Time(time) => Until::Time(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_whole_blocks_and_one_for_each_at_least() {
        let bytes = |bytes| Length { time: None, bytes: Some(bytes) };
        assert_eq!(bytes(8192).until(4096, 2).expect("whole"), Until::Blocks(2));
        assert!(bytes(8191).until(4096, 1).is_err());
        assert!(bytes(8192).until(4096, 3).is_err());
        let time = Length { time: None, bytes: None }.until(4096, 1).expect("a time");
        assert_eq!(time, Until::Time(TIME_DEFAULT));
    }

    #[test]
    fn shares_add_up() {
        for (all, workers) in [(7, 3), (8, 8), (1000, 7)] {
            let sum: u64 = (0..workers)
                .map(|index| match Until::Blocks(all).share(index, workers) {
                    Until::Blocks(blocks) => blocks,
                    Until::Time(_) => unreachable!("blocks stay blocks"),
                })
                .sum();
            assert_eq!(sum, all);
        }
    }
}
