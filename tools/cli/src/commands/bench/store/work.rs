//! The workers: each moves one object after the other, on the core where it was started.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hydrant::engine::{Buf, Core, Engine, Lease, Task};
use hydrant::{Bytes, PutOptions, Result, Store, WriterOptions};

use super::objects::Objects;
use super::outcome::Outcome;

/// After an error the next object waits for so long, so that a store in trouble is not stormed.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Get,
    Put,
}

/// When no further object is begun.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    At(Instant),
    /// After so many that count.
    Objects(u64),
}

/// What all workers share.
pub struct Work {
    pub way: Way,
    pub store: Store,
    pub objects: Arc<Objects>,
    /// Bytes of one request at most.
    pub part_bytes: usize,
    /// What is begun before warms up and is not counted.
    pub counted_from: Instant,
    pub goal: Goal,
    pub turn: AtomicU64,
    pub counted: AtomicU64,
}

/// What one object came to.
struct Moved {
    bytes: u64,
    first_byte_at: Option<Instant>,
}

/// Memory of a worker.
enum Memory {
    /// What comes is received into it.
    Own(Option<Lease>),
    /// What is sent; all workers send from the same.
    Payload(Bytes),
}

impl Work {
    /// Starts so many workers, shared out over the cores. `leases` is memory for them: one of
    /// `part_bytes` for each that reads, and one for all that write.
    pub fn start(
        self,
        engine: &Engine,
        mut leases: Vec<Lease>,
        workers: usize,
    ) -> Result<Vec<Task<Outcome>>> {
        let payload = match self.way {
            Way::Get => None,
            Way::Put => leases.pop().map(Lease::freeze),
        };
        let work = Arc::new(self);
        let start = |index: usize| {
            let memory = match &payload {
                Some(bytes) => Memory::Payload(bytes.clone()),
                None => Memory::Own(leases.pop()),
            };
            let work = Arc::clone(&work);
            Ok(engine.on_core(index, move |core| async move { work.run(&core, memory).await })?)
        };
        (0..workers).map(start).collect()
    }

    async fn run(&self, core: &Core, mut memory: Memory) -> Outcome {
        let mut outcome = Outcome::nothing();
        loop {
            let started = Instant::now();
            let counts = started >= self.counted_from;
            if self.is_reached(started, counts) {
                return outcome;
            }
            let (key, size_bytes) = self.objects.at(self.turn.fetch_add(1, Relaxed));
            let moved = match &mut memory {
                Memory::Own(lease) => self.get(core, key, lease).await,
                Memory::Payload(bytes) => self.put(core, key, size_bytes, bytes).await,
            };
            let took = started.elapsed();
            match moved {
                Ok(moved) if counts => {
                    outcome.objects += 1;
                    outcome.bytes += moved.bytes;
                    outcome.latency.record(took);
                    if let Some(at) = moved.first_byte_at {
                        outcome.first_byte.record(at.saturating_duration_since(started));
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    outcome.errors += u64::from(counts);
                    outcome.first_error.get_or_insert_with(|| error.to_string());
                    core.sleep(AFTER_ERROR).await;
                }
            }
        }
    }

    fn is_reached(&self, now: Instant, counts: bool) -> bool {
        match self.goal {
            Goal::At(end) => now >= end,
            Goal::Objects(all) => counts && self.counted.fetch_add(1, Relaxed) >= all,
        }
    }

    async fn get(&self, core: &Core, key: &str, memory: &mut Option<Lease>) -> Result<Moved> {
        let reader = self.store.inner().reader(key);
        let mut bytes = 0;
        loop {
            let buf = memory.take().expect("memory comes back from each read").into();
            let read = reader.read(core, bytes, buf, 0..self.part_bytes).await;
            *memory = read.buf.into_lease().ok();
            let info = read.result?;
            bytes += info.len_bytes as u64;
            if info.len_bytes == 0 || bytes >= info.object_bytes {
                return Ok(Moved { bytes, first_byte_at: reader.first_byte_at() });
            }
        }
    }

    async fn put(&self, core: &Core, key: &str, size_bytes: u64, payload: &Bytes) -> Result<Moved> {
        let options = PutOptions::default();
        if size_bytes <= payload.len() as u64 {
            let (buf, span) = (Buf::from(payload.clone()), 0..size_bytes as usize);
            self.store.inner().put(core, key, buf, span, &options).await.0?;
        } else {
            self.put_in_parts(key, size_bytes, payload).await?;
        }
        Ok(Moved { bytes: size_bytes, first_byte_at: None })
    }

    async fn put_in_parts(&self, key: &str, size_bytes: u64, payload: &Bytes) -> Result<()> {
        let options = WriterOptions {
            size_bytes: Some(size_bytes),
            part_size_bytes: Some(self.part_bytes as u64),
            max_in_flight: Some(1),
            ..WriterOptions::default()
        };
        let mut writer = self.store.writer_with(key, options)?;
        let mut left = size_bytes;
        while left > 0 {
            let now = writer.next_part_bytes().min(payload.len() as u64);
            writer.write_owned(payload.slice(..now as usize)).await?;
            left -= now;
        }
        writer.finish().await?;
        Ok(())
    }
}
