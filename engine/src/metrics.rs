//! Counters of each core, and the one function that copies payload (DATA-1).
//!
//! A core counts in a set of its own, which is read with relaxed loads: a snapshot is not a consistent
//! cut, but each number in it is exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why payload bytes were copied in user space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyReason {
    /// Body bytes that arrived together with a response head, moved to their place.
    Residue,
    /// Bytes that a caller lent for the length of a call (`write(&[u8])`).
    Borrowed,
    /// Bytes that had to go through another buffer because of alignment or a store in memory.
    Bounce,
    /// Plaintext of TLS, moved from its record to its place.
    Tls,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What one core counts while it runs.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        /// The counters of one core, or of an engine summed over its cores.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct MetricsSnapshot { $($(#[$doc])* pub $name: u64,)* }

        impl MetricsSnapshot {
            fn add(&mut self, counters: &Counters) {
                $(self.$name += counters.$name.load(Relaxed);)*
            }

            /// What was counted since `earlier`.
            pub fn since(&self, earlier: &MetricsSnapshot) -> MetricsSnapshot {
                MetricsSnapshot { $($name: self.$name.saturating_sub(earlier.$name),)* }
            }
        }
    };
}

counters! {
    /// Calls of `io_uring_enter(2)`, or of `epoll_wait(2)` with the poll driver.
    enters,
    /// Entries put into submission queues.
    submissions,
    /// Completions taken in; zero-copy sends have two.
    completions,
    /// Completions that the kernel had to keep aside because the queue was full.
    overflows,
    /// Bytes read from files.
    file_bytes_read,
    /// Bytes written to files.
    file_bytes_written,
    /// File bytes read or written through registered buffers.
    file_bytes_registered,
    /// File bytes read or written through other memory.
    file_bytes_unregistered,
    /// Calls of posix_fadvise(2) that were refused; the file is read and written all the same.
    hints_refused,
    /// Files that were to leave nothing in the page cache, where kernel or file system lack that
    /// (`RWF_DONTCACHE`): what was transferred is dropped from it afterwards.
    uncached_refused,
    /// Files that could not be made without a name (O_TMPFILE) and had a temporary one instead.
    unnamed_refused,
    /// Bytes received from sockets.
    bytes_received,
    /// Bytes sent to sockets, with and without copy.
    bytes_sent,
    /// Bytes handed to zero-copy sends.
    bytes_sent_zero_copy,
    /// Of those, bytes in sends whose notification said that the kernel copied after all.
    bytes_sent_zero_copy_copied,
    /// Submissions that moved less than they were asked to, and were carried on.
    short_transfers,
    /// Pieces of file transfers that went through another buffer because of alignment.
    bounces,
    /// Files that were to be opened with O_DIRECT, and are buffered because their file system has none
    /// (FALL-1).
    fallbacks_buffered,
    /// Zero-copy sends that the kernel would not carry out, and that went on with a copy (FALL-1).
    /// What is refused from the start, and why, stands in [`crate::Capabilities`].
    fallbacks_copied_send,
    /// Registrations of caller memory, and of slabs of the pool once the engine ran, that were refused: the
    /// memory is used unregistered (FALL-1). A slab counts once for each core that needed it. Why, stands
    /// in [`crate::Registration::refused`], or is told to [`crate::Config::report`].
    fallbacks_unregistered_memory,
    /// Requests for pool memory that had to wait in line.
    pool_waits,
    /// Task polls.
    polls,
    /// Wake-ups from other threads while the core slept.
    wakes,
    /// Times that a core looked out for the next message from another thread instead of sleeping.
    looks,
    /// Of those, times that none came.
    looks_in_vain,
    /// Connections opened.
    connections_opened,
    /// Payload bytes copied: residue of response heads.
    copied_residue,
    /// Payload bytes copied: borrowed by a call.
    copied_borrowed,
    /// Payload bytes copied: through another buffer.
    copied_bounce,
    /// Payload bytes copied: by TLS, from decrypted records to their place.
    copied_tls,
}

impl MetricsSnapshot {
    /// Payload bytes copied in user space, for whatever reason.
    pub fn copied_bytes(&self) -> u64 {
        self.copied_residue + self.copied_borrowed + self.copied_bounce + self.copied_tls
    }
}

/// The counters of an engine; cloning shares them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// One set for each core, and a last one for threads that are no core.
    sets: Arc<[Arc<Counters>]>,
    /// The set in which copies are counted that are made through this handle.
    own: usize,
}

impl Metrics {
    pub(crate) fn new(cores: usize) -> Metrics {
        Metrics { sets: (0..=cores).map(|_| Arc::default()).collect(), own: cores }
    }

    /// The same counters, in which copies count as those of a core.
    pub(crate) fn on_core(&self, index: usize) -> Metrics {
        Metrics { sets: Arc::clone(&self.sets), own: index }
    }

    pub(crate) fn core(&self, index: usize) -> Arc<Counters> {
        Arc::clone(&self.sets[index])
    }

    /// The sums over all cores.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let mut sum = MetricsSnapshot::default();
        self.sets.iter().for_each(|counters| sum.add(counters));
        sum
    }

    /// The counters of one core alone; `None` where there is no such core. Copies made by threads that
    /// are no core are in none of them.
    pub fn of_core(&self, index: usize) -> Option<MetricsSnapshot> {
        let (_, cores) = self.sets.split_last()?;
        let mut counted = MetricsSnapshot::default();
        counted.add(cores.get(index)?);
        Some(counted)
    }

    /// Copies payload and counts it: the only place where payload is copied in user space (DATA-1).
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn copy_payload(&self, reason: CopyReason, from: &[u8], to: &mut [u8]) {
        self.count_copy(reason, from.len());
        to.copy_from_slice(from);
    }

    /// The same within one buffer, for bytes that only move to another place in it.
    pub fn move_payload(
        &self,
        reason: CopyReason,
        buf: &mut [u8],
        from: std::ops::Range<usize>,
        to: usize,
    ) {
        self.count_copy(reason, from.len());
        buf.copy_within(from, to);
    }

    /// Any thread registers memory.
    pub(crate) fn count_unregistered_memory(&self) {
        let counters = self.sets.last().expect("there is always the set of no core");
        counters.fallbacks_unregistered_memory.fetch_add(1, Relaxed);
    }

    fn count_copy(&self, reason: CopyReason, bytes: usize) {
        let counters = &self.sets[self.own];
        let counter = match reason {
            CopyReason::Residue => &counters.copied_residue,
            CopyReason::Borrowed => &counters.copied_borrowed,
            CopyReason::Bounce => &counters.copied_bounce,
            CopyReason::Tls => &counters.copied_tls,
        };
        counter.fetch_add(bytes as u64, Relaxed);
    }
}

/// Adds to a counter that only the calling core writes.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed) + n, Relaxed);
}
