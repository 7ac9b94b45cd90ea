//! The bytes of one file: as they are read now, and as a crash leaves them.

use std::ops::Range;

use crate::ring::sim::random::Random;

/// Dirty ranges before overlapping ones are joined.
const DIRTY_RANGES_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    dirty: Vec<Range<usize>>,
}

impl Content {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Overwrites bytes of the file; [`Content::resize`] makes it long enough before.
    pub(super) fn write(&mut self, at: usize, data: &[u8]) {
        self.bytes[at..at + data.len()].copy_from_slice(data);
        self.add_dirty(at..at + data.len());
    }

    pub(super) fn resize(&mut self, len: usize) {
        let old = self.bytes.len();
        self.bytes.resize(len, 0);
        if len > old {
            self.add_dirty(old..len);
        }
        for range in &mut self.dirty {
            range.end = range.end.min(len);
        }
        self.dirty.retain(|range| range.start < range.end);
    }

    /// What is dirty becomes durable, and so does the length.
    pub(super) fn sync(&mut self) {
        self.durable.resize(self.bytes.len(), 0);
        for range in self.dirty.drain(..) {
            self.durable[range.clone()].copy_from_slice(&self.bytes[range]);
        }
    }

    pub(super) fn forget_dirty(&mut self) {
        self.dirty.clear();
    }

    /// Nobody can read the file now; a crash may still bring back its durable bytes.
    pub(super) fn drop_bytes(&mut self) {
        self.bytes = Vec::new();
    }

    /// The durable bytes come back; each dirty range may have been written out or not.
    pub(super) fn crash(&mut self, random: &mut Random) {
        for range in std::mem::take(&mut self.dirty) {
            if random.chance(0.5) {
                let len = self.durable.len().max(range.end);
                self.durable.resize(len, 0);
                self.durable[range.clone()].copy_from_slice(&self.bytes[range]);
            }
        }
        self.bytes.clone_from(&self.durable);
    }

    fn add_dirty(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.dirty.push(range);
        if self.dirty.len() > DIRTY_RANGES_MAX {
            self.join_dirty();
        }
    }

    fn join_dirty(&mut self) {
        self.dirty.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in self.dirty.drain(..) {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        // Many that do not touch would have to be joined for every write: then all count as one.
        if joined.len() > DIRTY_RANGES_MAX / 2
            && let Some(end) = joined.last().map(|range| range.end)
        {
            joined.truncate(1);
            joined[0].end = end;
        }
        self.dirty = joined;
    }
}
