//! Memory of the size of what comes, for reads whose bytes somebody may keep. It never waits for memory, and
//! moves no bytes.
//!
//! Who reads an object of which nobody knows the size takes memory for a part. Less goes into a lease of its own
//! size: at the front of the part's block it would keep that block from every part for as long as the caller
//! keeps it, and one small object after the other would touch the pages of another block.

use std::ops::Range;

use bytes::Bytes;
use hydrant_engine::{Buf, Lease};

/// Which memory comes back from a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    /// What was lent, for the next read.
    Lent,
    /// Where much less comes a lease of its size, for whoever keeps it.
    Fitting,
}

/// Memory that was lent for a read, or a lease for less in its place.
#[derive(Debug)]
pub(crate) struct Fitted {
    back: Back,
    /// Absent only while an operation owns it.
    buf: Buf,
    /// What was lent, where `buf` is another.
    larger: Option<Lease>,
}

impl Fitted {
    pub(crate) fn new(buf: Buf, back: Back) -> Fitted {
        Fitted { back, buf, larger: None }
    }

    /// Makes ready for bytes at `span`. With none in front of them they go into a lease of their size, if there is
    /// one, for who has memory waits for none (POOL-1). What goes on behind others is no longer than was announced
    /// with those.
    pub(crate) fn fit(&mut self, span: &Range<usize>) {
        if self.back == Back::Lent || span.start > 0 {
            return;
        }
        if let Some(larger) = self.larger.take() {
            self.buf = larger.into();
        }
        if let Buf::Lease(lent) = &self.buf
            && !span.is_empty()
            && let Some(smaller) = lent.try_smaller(span.end)
        {
            self.larger = std::mem::replace(&mut self.buf, smaller.into()).into_lease().ok();
        }
    }

    /// The memory, for an operation that owns it until [`Fitted::put_back`].
    pub(crate) fn take(&mut self) -> Buf {
        std::mem::replace(&mut self.buf, Bytes::new().into())
    }

    pub(crate) fn put_back(&mut self, buf: Buf) {
        self.buf = buf;
    }

    /// Bytes that a span may name.
    pub(crate) fn capacity(&self) -> usize {
        self.buf.capacity()
    }

    pub(crate) fn as_mut(&mut self) -> &mut Buf {
        &mut self.buf
    }

    /// What goes back to the reader's caller: the memory that holds what `came`, else what was lent.
    pub(crate) fn into_buf(self, came: bool) -> Buf {
        match self.larger {
            Some(larger) if !came => larger.into(),
            _ => self.buf,
        }
    }
}

#[cfg(test)]
mod tests {
    use hydrant_engine::{Core, Engine, TicketRequest};

    use super::*;
    use crate::pipeline::memory;

    const LENT: usize = 64 << 10;

    /// Runs on a core, with memory that was lent.
    fn with(run: impl FnOnce(&Core, Fitted) + Send + 'static) {
        let engine = Engine::builder().cores(1).pool_bytes(16 << 20).start().expect("an engine");
        let task = engine.on_core(0, |core| async move {
            let lent = memory(&core, LENT as u64).await.expect("memory");
            run(&core, Fitted::new(lent.into(), Back::Fitting));
        });
        task.expect("a core").wait().expect("it ends");
        assert_eq!(engine.pool().stats().lent_bytes, 0);
    }

    fn fill(memory: &mut Fitted, span: Range<usize>, byte: u8) {
        memory.as_mut().as_mut_slice().expect("a lease")[span].fill(byte);
    }

    #[test]
    fn what_is_much_smaller_lies_in_memory_of_its_size() {
        with(|_, mut memory| {
            memory.fit(&(0..5_000));
            fill(&mut memory, 0..5_000, 1);
            // Carried on behind what came of it.
            memory.fit(&(3_000..5_000));
            fill(&mut memory, 3_000..5_000, 2);
            let mut lease = memory.into_buf(true).into_lease().expect("a lease");
            assert_eq!(lease.capacity(), 8 << 10);
            assert_eq!(lease.as_mut_slice()[2_999..3_001], [1, 2]);
        });
    }

    #[test]
    fn what_has_grown_meanwhile_lies_in_what_was_lent() {
        with(|_, mut memory| {
            memory.fit(&(0..5_000));
            memory.fit(&(0..LENT));
            assert_eq!(memory.capacity(), LENT);
            memory.fit(&(0..9_000));
            assert_eq!(memory.into_buf(true).capacity(), 12 << 10);
        });
    }

    #[test]
    fn what_nothing_came_to_goes_back_as_it_was_lent() {
        with(|_, mut memory| {
            memory.fit(&(0..1));
            let lease = memory.into_buf(false).into_lease().expect("a lease");
            assert_eq!(lease.capacity(), LENT);
        });
    }

    #[test]
    fn what_needs_most_of_it_and_memory_of_the_caller_stay() {
        with(|_, mut memory| {
            memory.fit(&(0..LENT / 2 + 1));
            assert_eq!(memory.capacity(), LENT);
            let (_owner, region) = hydrant_engine::RegionOwner::new(vec![0; LENT]);
            let mut memory = Fitted::new(region.into(), Back::Fitting);
            memory.fit(&(0..1));
            assert_eq!(memory.into_buf(true).capacity(), LENT);
        });
    }

    #[test]
    fn what_is_wanted_back_stays() {
        with(|_, memory| {
            let mut memory = Fitted { back: Back::Lent, ..memory };
            memory.fit(&(0..1));
            assert_eq!(memory.capacity(), LENT);
        });
    }

    #[test]
    fn nobody_waits_for_it() {
        with(|core, mut memory| {
            let pool = core.pool();
            let held: Vec<_> = std::iter::from_fn(|| pool.try_lease(4 << 10, "held")).collect();
            memory.fit(&(0..1));
            assert_eq!(memory.capacity(), LENT);
            drop(held);
        });
    }

    /// What was lent goes back in its place.
    #[test]
    fn it_passes_those_who_wait() {
        with(|core, mut memory| {
            let pool = core.pool();
            let count = pool.capacity_for(LENT);
            let waits = TicketRequest { bytes_each: LENT, count, label: "waits" };
            let waiting = pool.ticket(waits);
            assert!(pool.try_lease(1, "late").is_none());
            memory.fit(&(0..1));
            assert_eq!(memory.capacity(), 4 << 10);
            drop(waiting);
        });
    }
}
