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
    threads: Vec<JoinHandle<()>>,
}

/// Room made at the start, so that no op allocates; more than this only while a queue grows.
const JOBS_EXPECTED: usize = 1024;

struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

struct Queue {
    /// At most what the cores have in flight: `ops_in_flight_max` with sixteen lanes each.
    jobs: VecDeque<Job>,
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
    /// Starts all threads. They sleep until there is work, and starting one later would allocate
    /// between two ops.
    ///
    /// # Errors
    /// When one cannot be started.
    pub(crate) fn start(threads: usize) -> Result<FileThreads> {
        let jobs = VecDeque::with_capacity(JOBS_EXPECTED);
        let queue = Mutex::new(Queue { jobs, closed: false });
        let shared = Arc::new(Shared { queue, work: Condvar::new() });
        let mut started = FileThreads { shared, threads: Vec::with_capacity(threads) };
        for number in 0..threads.max(1) {
            let thread = spawn(&started.shared, number)
                .map_err(|error| OsError::from_io("start thread", "file I/O", &error))?;
            started.threads.push(thread);
        }
        Ok(started)
    }

    pub(super) fn submit(&self, call: Call, user_data: UserData, home: &Arc<Home>) {
        let job = Job { call, user_data, home: Arc::clone(home) };
        self.shared.lock().jobs.push_back(job);
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
        let mut queue = self.shared.lock();
        debug_assert!(queue.jobs.is_empty(), "OWN-2: a core drains before it frees");
        queue.closed = true;
        drop(queue);
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
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
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
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
        Home { finished: Mutex::new(Vec::with_capacity(JOBS_EXPECTED)), eventfd }
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
