//! The limits of the pool.

use std::time::Duration;

use super::PoolError;
use super::arena::HUGE_PAGE_BYTES;
use super::buddy::UNIT_BYTES;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The limits of a [`Pool`](super::Pool), each with its unit and its reason.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Bytes of the arena: the hard limit on payload memory (POOL-1). Rounded up to 2 MiB.
    /// Default 256 MiB.
    pub pool_bytes: usize,
    /// Bytes of the arena set aside for heads and small objects, so that they never wait behind
    /// parts. Rounded up to 4 KiB. `None`, the default, is a sixteenth of the pool, but at least
    /// 256 KiB and at most 8 MiB.
    pub head_share_bytes: Option<usize>,
    /// Tickets that may stand in one share's line; the next is refused with
    /// [`PoolError::LineFull`]. Default 4096.
    pub ticket_line_max: usize,
    /// How long a ticket waits before the wait ends in [`PoolError::Exhausted`]: memory that the
    /// waiter itself holds would never come. Default 30 s.
    pub wait_limit: Duration,
    /// Hold returned blocks in quarantine, to find what the kernel writes after the return.
    #[cfg(any(test, feature = "testing"))]
    pub quarantine: bool,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            pool_bytes: 256 * MIB,
            head_share_bytes: None,
            ticket_line_max: 4096,
            wait_limit: Duration::from_secs(30),
            #[cfg(any(test, feature = "testing"))]
            quarantine: false,
        }
    }
}

/// 1 GiB for each of the 8192 slabs that a pool may have: half of the 16 384 entries that a
/// registered table may have (io_uring_register(2)), and block numbers fit 31 bits.
const POOL_BYTES_MAX: usize = 8 << 40;

/// Bytes of the two shares, checked and rounded.
pub(super) struct Shares {
    pub(super) parts_bytes: usize,
    pub(super) heads_bytes: usize,
}

impl PoolConfig {
    pub(super) fn shares(&self) -> Result<Shares, PoolError> {
        let refuse = |problem| Err(PoolError::Config { problem });
        if self.pool_bytes == 0 || self.pool_bytes > POOL_BYTES_MAX {
            return refuse("pool_bytes must lie between 1 byte and 8 TiB");
        }
        if self.ticket_line_max == 0 || self.ticket_line_max > 1 << 24 {
            return refuse("ticket_line_max must lie between 1 and 16777216");
        }
        let total = self.pool_bytes.next_multiple_of(HUGE_PAGE_BYTES);
        let heads = self
            .head_share_bytes
            .unwrap_or_else(|| (total / 16).clamp(256 * KIB, 8 * MIB))
            .min(total)
            .max(1)
            .next_multiple_of(UNIT_BYTES);
        if heads >= total {
            return refuse("head_share_bytes must leave room for parts: raise pool_bytes");
        }
        Ok(Shares { parts_bytes: total - heads, heads_bytes: heads })
    }
}
