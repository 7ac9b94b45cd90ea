//! The threads that make the file calls, of which there is no form that does not wait.
//!
//! One bounded set serves all cores of an engine. A job lies in the queue until a thread is free; a
//! core can take it back until then.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::super::system::signal_eventfd;
use super::call::Call;
use crate::error::{OsError, Result};
use crate::op::{Completion, Handle, UserData};

/// The threads of one engine. Dropping the last reference ends them; nothing is in their queue then,
/// because a core drains before it frees (OWN-2).
pub(crate) struct FileThreads {
    shared: Arc<Shared>,
    threads_max: usize,
}

struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    /// At most what the cores have in flight: `ops_in_flight_max` with sixteen lanes each.
    jobs: VecDeque<Job>,
    threads: Vec<JoinHandle<()>>,
    idle: usize,
    closed: bool,
}

struct Job {
    call: Call,
    user_data: UserData,
    home: Arc<Home>,
}

/// Where the results of one core's jobs arrive.
pub(super) struct Home {
    finished: Mutex<Vec<Completion>>,
    eventfd: Handle,
}

impl FileThreads {
    /// Starts the first thread, so that there always is one; the others start when they are needed.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(threads_max: usize) -> Result<FileThreads> {
        let shared = Arc::new(Shared { queue: Mutex::default(), work: Condvar::new() });
        let first = spawn(&shared, 0)
            .map_err(|error| OsError::from_io("start thread", "file I/O", &error))?;
        shared.lock().threads.push(first);
        Ok(FileThreads { shared, threads_max: threads_max.max(1) })
    }

    pub(super) fn submit(&self, call: Call, user_data: UserData, home: &Arc<Home>) {
        let mut queue = self.shared.lock();
        queue.jobs.push_back(Job { call, user_data, home: Arc::clone(home) });
        let waiting = queue.jobs.len();
        if waiting > queue.idle && queue.threads.len() < self.threads_max {
            // A refusal is no loss: those that run will get to it.
            if let Ok(thread) = spawn(&self.shared, queue.threads.len()) {
                queue.threads.push(thread);
            }
        }
        drop(queue);
        self.shared.work.notify_one();
    }

    /// Takes a job back that no thread has begun; false when one has.
    pub(super) fn take_back(&self, user_data: UserData, home: &Arc<Home>) -> bool {
        let mut queue = self.shared.lock();
        let found = queue
            .jobs
            .iter()
            .position(|job| job.user_data == user_data && Arc::ptr_eq(&job.home, home));
        found.and_then(|index| queue.jobs.remove(index)).is_some()
    }
}

impl Drop for FileThreads {
    fn drop(&mut self) {
        let threads = {
            let mut queue = self.shared.lock();
            debug_assert!(queue.jobs.is_empty(), "OWN-2: a core drains before it frees");
            queue.closed = true;
            std::mem::take(&mut queue.threads)
        };
        self.shared.work.notify_all();
        for thread in threads {
            thread.join().expect("a thread that only makes system calls does not panic");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_job(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue.idle += 1;
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

fn spawn(shared: &Arc<Shared>, number: usize) -> std::io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name(format!("hydrant-file-{number}")).spawn(move || {
        while let Some(job) = shared.next_job() {
            // SAFETY: OWN-1: the op stays in its core's table until the completion pushed below.
            let result = unsafe { job.call.perform() };
            job.home.push(Completion {
                user_data: job.user_data,
                result,
                more: false,
                notification: None,
            });
        }
    })
}

impl Home {
    pub(super) fn new(eventfd: Handle) -> Home {
        Home { finished: Mutex::default(), eventfd }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Moves at most `room` results over.
    pub(super) fn take(&self, into: &mut Vec<Completion>, room: usize) {
        let mut finished = self.lock();
        let count = finished.len().min(room);
        into.extend(finished.drain(..count));
    }

    fn push(&self, completion: Completion) {
        let mut finished = self.lock();
        // Where something lies already, a signal for it is on its way or was seen.
        let first = finished.is_empty();
        finished.push(completion);
        drop(finished);
        if first {
            signal_eventfd(&self.eventfd);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Completion>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
