//! Tasks and memory that go from core to core, and time.

use std::sync::Arc;
use std::time::Duration;

use hydrant_engine::{Lease, TicketRequest};

use super::Worker;
use crate::host::{self, check, drop_after};

/// Blocks that are taken until none is left.
const BLOCK_BYTES: usize = 256 << 10;
/// After so long whatever was dropped is gone: more than any delay of a world.
const DUST: Duration = Duration::from_secs(5);

impl Worker {
    pub(super) async fn one_task(&self) {
        self.count();
        match self.below(50) {
            // Rare, because all memory goes through the quarantine then.
            0 => self.memory_comes_back_from_elsewhere().await,
            1..10 => self.work_elsewhere().await,
            10..20 => self.cancel_elsewhere().await,
            20..30 => self.cancel_here().await,
            30..40 => self.race_with_the_clock().await,
            _ => {
                let answer = self.core.blocking(|| 7).await;
                assert_eq!(answer.expect("the control thread works"), 7);
            }
        }
    }

    fn any_core(&self) -> usize {
        self.below(self.core.engine().cores())
    }

    fn moment(&self) -> Duration {
        Duration::from_micros(self.below(20_000) as u64)
    }

    /// A result that comes from another core, with memory filled there.
    async fn work_elsewhere(&self) {
        let (moment, seed) = (self.moment(), self.core.random_u64());
        let (start, bytes) = (self.core.now(), 1 + self.below(16 << 10));
        let task = self.core.engine().on_core(self.any_core(), move |core| async move {
            let data = host::filled(&core, bytes, seed).await;
            core.sleep(moment).await;
            data
        });
        let data = task.expect("room").await.expect("it has a result");
        check(data.as_slice(), seed);
        assert_eq!(data.len(), bytes);
        assert!(self.core.now() - start >= moment);
    }

    /// A task of another core is dropped at some time: its future goes too, or it has ended.
    async fn cancel_elsewhere(&self) {
        let held = Arc::new(());
        let (inside, moment) = (Arc::clone(&held), self.moment());
        let task = self.core.engine().on_core(self.any_core(), move |core| async move {
            let _lease = host::lease(&core, 4096).await;
            core.sleep(moment).await;
            drop(inside);
        });
        let task = task.expect("room");
        if self.below(2) == 0 {
            self.core.sleep(self.moment()).await;
        }
        let ended = drop_after(1 + self.below(2), task).await;
        assert!(ended.is_none_or(|ended| ended.is_ok()));
        self.core.sleep(DUST).await;
        assert_eq!(Arc::strong_count(&held), 1, "the future outlived its task");
    }

    async fn cancel_here(&self) {
        let held = Arc::new(());
        let (inside, core, moment) = (Arc::clone(&held), self.core.clone(), self.moment());
        let sleeping = async move {
            core.sleep(moment).await;
            drop(inside);
        };
        let task = self.core.spawn(sleeping).expect("room");
        let patience = self.moment();
        let ended = self.core.timeout(patience, task).await;
        assert!(ended.is_err() || ended == Ok(Some(())));
        self.core.sleep(DUST).await;
        assert_eq!(Arc::strong_count(&held), 1, "the future outlived its task");
    }

    async fn race_with_the_clock(&self) {
        let (start, limit, moment) = (self.core.now(), self.moment(), self.moment());
        let raced = self.core.timeout(limit, self.core.sleep(moment)).await;
        assert!(self.core.now() - start >= limit.min(moment));
        assert!(raced.is_ok() || moment > limit, "{moment:?} took longer than {limit:?}");
    }

    /// All memory is given to another core, which lets go of it while this one waits in line.
    async fn memory_comes_back_from_elsewhere(&self) {
        let blocks = std::iter::from_fn(|| self.core.pool().try_lease(BLOCK_BYTES, "elsewhere"));
        let (blocks, moment): (Vec<Lease>, _) = (blocks.collect(), self.moment());
        let task = self.core.engine().on_core(self.any_core(), move |core| async move {
            core.sleep(moment).await;
            drop(blocks);
        });
        let detached = self.below(2) == 0;
        let task = task.expect("room");
        let task = if detached {
            task.detach();
            None
        } else {
            Some(task)
        };
        let request = TicketRequest { bytes_each: 64 << 10, count: 3, label: "waiting" };
        let waiting = self.core.pool().ticket(request);
        let granted = self.core.timeout(Duration::from_secs(60), async {
            let mut waiting = std::pin::pin!(waiting);
            loop {
                let patience = Duration::from_millis(1);
                match self.core.timeout(patience, waiting.as_mut()).await {
                    Ok(granted) => return granted,
                    // What came back lies in quarantine.
                    Err(_) => assert_eq!(self.core.pool().quarantine_release(), [], "OWN-1"),
                }
            }
        });
        let mut ticket = granted.await.expect("no wake-up is lost").expect("it fits");
        let first = ticket.take().expect("three were granted");
        ticket.shrink_each(4096);
        drop((first, ticket, task));
    }
}
