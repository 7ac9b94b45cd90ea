//! The engine of a bench, and the memory that a run works in: taken once, before the run.

use hydrant::Hydrant;
use hydrant::engine::{Config, Engine, Lease, TicketRequest};

use crate::exit::Failure;
use crate::human;
use crate::options::Options;
use crate::random::Xoshiro;
use crate::sizes;

/// One block at most: a pool of a common machine holds a few of them.
pub const BLOCK_BYTES_MAX: u64 = 64 << 20;

/// The pool's unit: a lease has a multiple of it.
const UNIT_BYTES: u64 = 4096;
/// The pool sets at most this aside for small things.
const HEAD_SHARE_BYTES_MAX: u64 = 8 << 20;
/// Pools are whole huge pages.
const HUGE_PAGE_BYTES: u64 = 2 << 20;

/// What the engine of a bench needs.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Blocks in memory at the same time.
    pub blocks: u64,
    pub block_bytes: u64,
    /// Each core on a CPU of its own.
    pub pin: bool,
}

impl Need {
    /// The smallest pool that certainly does: blocks start at multiples of a power of two.
    pub fn pool_bytes(&self) -> u64 {
        let step = self.block_bytes.next_multiple_of(UNIT_BYTES).next_power_of_two();
        let bytes = step * self.blocks + HEAD_SHARE_BYTES_MAX;
        bytes.next_multiple_of(HUGE_PAGE_BYTES).max(sizes::POOL_BYTES_SMALL as u64)
    }

    /// Starts an engine whose pool holds the blocks.
    pub fn start(&self, options: &Options) -> Result<Hydrant, Failure> {
        self.start_with(options, |_| {})
    }

    /// The same with changed settings.
    pub fn start_with(
        &self,
        options: &Options,
        change: impl FnOnce(&mut Config),
    ) -> Result<Hydrant, Failure> {
        let client = start(options, self.pool_bytes(), |config| {
            config.pin_cores = self.pin;
            change(config);
        })?;
        self.check(&client)?;
        Ok(client)
    }

    /// Refuses a pool that does not hold the blocks.
    pub fn check(&self, client: &Hydrant) -> Result<(), Failure> {
        let pool = client.engine().pool();
        match pool.capacity_for(self.block_bytes as usize) as u64 >= self.blocks {
            true => Ok(()),
            false => Err(self.refusal(pool.stats().total_bytes as u64)),
        }
    }

    /// All blocks, filled with random bytes, so that every page is there before the run.
    pub async fn leases(&self, engine: &Engine) -> Result<Vec<Lease>, Failure> {
        let (bytes_each, count) = (self.block_bytes as usize, self.blocks as usize);
        let ticket = engine.pool().ticket(TicketRequest { bytes_each, count, label: "bench" });
        let mut ticket = ticket.await.map_err(hydrant::engine::Error::from)?;
        let mut random = Xoshiro::seeded()?;
        let mut leases = Vec::with_capacity(count);
        while let Some(mut lease) = ticket.take() {
            random.fill(lease.as_mut_slice());
            lease.set_len(bytes_each);
            leases.push(lease);
        }
        Ok(leases)
    }

    fn refusal(&self, pool_bytes: u64) -> Failure {
        Failure::Usage(format!(
            "{} blocks of {} do not fit a pool of {}; --pool {}MiB would do",
            self.blocks,
            human::size(self.block_bytes),
            human::size(pool_bytes),
            self.pool_bytes().div_ceil(1 << 20)
        ))
    }
}

/// Starts an engine with one core and a pool of this size, unless the options say otherwise.
pub fn start(
    options: &Options,
    pool_bytes: u64,
    change: impl FnOnce(&mut Config),
) -> Result<Hydrant, Failure> {
    let pool_bytes = usize::try_from(pool_bytes).unwrap_or(usize::MAX);
    let builder = options.engine(Hydrant::builder().cores(1).pool_bytes(pool_bytes));
    Ok(builder.engine(change).build()?)
}

/// Takes as many from the end as fall to one core.
pub fn split(leases: &mut Vec<Lease>, count: usize) -> Vec<Lease> {
    leases.split_off(leases.len().saturating_sub(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(blocks: u64, block_bytes: u64) -> Need {
        Need { blocks, block_bytes, pin: false }
    }

    #[test]
    fn the_pool_holds_the_blocks_and_the_share_for_small_things() {
        assert_eq!(need(64, 4096).pool_bytes(), 64 << 20);
        assert_eq!(need(16, 8 << 20).pool_bytes(), 136 << 20);
        assert_eq!(need(10, 5 << 20).pool_bytes(), 88 << 20);
        assert_eq!(need(1 << 20, BLOCK_BYTES_MAX).pool_bytes(), (1 << 46) + (8 << 20));
    }

    #[test]
    fn a_refusal_names_the_pool_that_would_do() {
        let text = need(64, 8 << 20).refusal(64 << 20).to_string();
        assert!(text.contains("64 blocks of 8 MiB") && text.ends_with("--pool 520MiB would do"));
    }
}
