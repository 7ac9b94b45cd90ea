//! Why memory was not granted.

use std::fmt;
use std::io;

/// Why the pool did not grant memory. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The request does not fit the empty pool; waiting would never help (POOL-1).
    #[error(
        "{asked} bytes do not fit a pool share of {pool} bytes, even an empty one: ask for smaller \
         or fewer parts, or raise pool_bytes (a block starts at a multiple of its size rounded up \
         to a power of two, and has at most 1 GiB)"
    )]
    TooLarge {
        /// Bytes of all blocks of the request together.
        asked: usize,
        /// Bytes of the share that was asked.
        pool: usize,
    },

    /// As many tickets stand in the line as the configuration admits.
    #[error(
        "{limit} tickets already wait for memory: start fewer transfers at a time, raise \
         pool_bytes, or raise ticket_line_max"
    )]
    LineFull {
        /// `ticket_line_max` of the configuration.
        limit: usize,
    },

    /// The wait for memory ended at its limit.
    #[error(
        "no memory for `{label}` within the limit: asked {asked} bytes, {free} free (largest piece \
         {largest_free}), held by {}: drop what holds memory (leases, or Bytes made from them), or \
         raise pool_bytes",
        Holders(.holders)
    )]
    Exhausted {
        /// What the memory was for.
        label: &'static str,
        /// Bytes of all blocks of the request together.
        asked: usize,
        /// Free bytes of the share that was asked.
        free: usize,
        /// The longest free piece; far below `free` means that the share is fragmented.
        largest_free: usize,
        /// Who holds how many bytes of the share, largest first.
        holders: Vec<(&'static str, usize)>,
    },

    /// The configuration makes no sense.
    #[error("pool configuration: {problem}")]
    Config {
        /// Which limit is wrong, and how.
        problem: &'static str,
    },

    /// The kernel did not give the arena.
    #[error(
        "{operation} for an arena of {bytes} bytes: {}: lower pool_bytes, or raise the memory limit \
         (ulimit -v, the container's limit, vm.overcommit_memory)",
        io::Error::from_raw_os_error(*.errno)
    )]
    Arena {
        /// The call that failed.
        operation: &'static str,
        /// Bytes of the arena.
        bytes: usize,
        /// What the kernel answered.
        errno: i32,
    },

    /// The pool belongs to the parent process (FORK-1).
    #[error("this pool belongs to the parent of a forked process: build a pool after the fork")]
    Forked,
}

struct Holders<'a>(&'a [(&'static str, usize)]);

impl fmt::Display for Holders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nobody");
        }
        for (i, (label, bytes)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}`{label}` {bytes}")?;
        }
        Ok(())
    }
}
