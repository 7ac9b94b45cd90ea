//! Files against a model in memory.

use std::time::Duration;

use hydrant_engine::{File, OpenOptions, remove_file};

use super::Worker;
use crate::host::{drop_after, fill, memory};

const FILE_BYTES: usize = 24 << 10;

impl Worker {
    /// One file against its model. A byte is unknown after a write that failed or was dropped.
    pub(super) async fn one_file(&self) {
        self.count();
        let direct = self.below(2) == 0;
        let path = self.place.path(&format!("{}-{}", self.worker, self.ops.get()));
        let options = OpenOptions::new().read().write().create_new().direct(direct);
        if self.below(4) == 0 {
            // Its descriptor may still arrive, and is closed then.
            let dropped = path.with_extension("dropped");
            drop(drop_after(1, File::open(&self.core, &dropped, &options)).await);
        }
        let Some(file) = self.fair(File::open(&self.core, &path, &options).await) else { return };
        let mut model = Model { bytes: Vec::new(), len_known: true };
        for _ in 0..40 {
            self.count();
            match self.below(8) {
                0..3 => self.read(&file, &model).await,
                3..6 => self.write(&file, &mut model, direct).await,
                6 => self.set_len(&file, &mut model).await,
                _ => {
                    let _ = self.fair(file.sync_data(&self.core).await);
                    if let Some(seen) = self.fair(file.metadata(&self.core).await)
                        && let Some(len) = model.len()
                    {
                        assert_eq!(seen.len_bytes, len as u64);
                    }
                }
            }
        }
        drop(file);
        let removed = remove_file(&self.core, None, &path).await;
        let _ = self.fair(removed);
    }

    async fn read(&self, file: &File, model: &Model) {
        let offset = self.below(FILE_BYTES);
        let start = self.below(16) * self.below(2);
        let len = self.below(FILE_BYTES - offset) + 1;
        let room = self.lease(start + len).await;
        let reading = file.read_at(&self.core, room, start..start + len, offset as u64);
        let Some((read, mut back)) = drop_after(self.polls(4), reading).await else { return };
        let Some(read) = self.fair(read) else { return };
        if let Some(total) = model.len() {
            assert_eq!(read, len.min(total.saturating_sub(offset)), "only the end makes it short");
        }
        model.check(offset, &memory(&mut back)[start..start + read]);
    }

    async fn write(&self, file: &File, model: &mut Model, direct: bool) {
        let mut offset = self.below(FILE_BYTES - 1);
        let mut len = self.below(FILE_BYTES - offset) + 1;
        if direct {
            // A crooked length would be padded with zeros.
            offset = offset / 512 * 512;
            len = len.next_multiple_of(512);
        }
        let start = self.below(16) * self.below(2);
        let mut data = self.lease(start + len).await;
        fill(&mut data.as_mut_slice()[start..start + len], self.core.random_u64());
        let bytes = data.as_mut_slice()[start..start + len].to_vec();
        let writing = file.write_at(&self.core, data, start..start + len, offset as u64);
        let written = drop_after(self.polls(6), writing).await;
        match written.map(|(written, _)| self.fair(written)) {
            Some(Some(written)) => {
                assert_eq!(written, len);
                model.write(offset, &bytes);
            }
            Some(None) => model.doubt(offset, len),
            None => {
                // It may still be going on: let the dust settle before the next op on this file.
                self.core.sleep(Duration::from_secs(5)).await;
                model.doubt(offset, len);
            }
        }
    }

    async fn set_len(&self, file: &File, model: &mut Model) {
        let len = self.below(FILE_BYTES);
        match self.fair(file.set_len(&self.core, len as u64).await) {
            Some(()) => model.set_len(len),
            None => model.doubt_len(len),
        }
    }
}

/// What a file holds, as far as that is known; `None` is any byte.
struct Model {
    bytes: Vec<Option<u8>>,
    len_known: bool,
}

impl Model {
    fn len(&self) -> Option<usize> {
        self.len_known.then_some(self.bytes.len())
    }

    #[track_caller]
    fn check(&self, offset: usize, seen: &[u8]) {
        for (at, seen) in seen.iter().enumerate() {
            let known = self.bytes.get(offset + at).copied().flatten();
            assert!(known.is_none_or(|known| known == *seen), "at byte {}", offset + at);
        }
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.reach(offset + bytes.len());
        for (known, byte) in self.bytes[offset..].iter_mut().zip(bytes) {
            *known = Some(*byte);
        }
    }

    fn set_len(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.reach(len);
        self.len_known = true;
    }

    /// A write there failed or was dropped: any part of it may have been done.
    fn doubt(&mut self, offset: usize, len: usize) {
        self.len_known &= offset + len <= self.bytes.len();
        self.bytes.iter_mut().skip(offset).take(len).for_each(|known| *known = None);
    }

    /// A change of length failed: beyond both lengths nothing is known.
    fn doubt_len(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.len_known = false;
    }

    /// A file that is made longer holds zeros there, if this is where it ended.
    fn reach(&mut self, len: usize) {
        if self.bytes.len() < len {
            self.bytes.resize(len, self.len_known.then_some(0));
        }
    }
}
