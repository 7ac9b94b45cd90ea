//! The control thread: one thread for whatever may block, such as resolving names (CORE-1).
//!
//! It starts with the first job and ends with the engine. In the simulator jobs run where they are
//! handed in, so that a seed replays.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Join, Task};
use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Hands jobs to the control thread.
pub(crate) struct Control {
    mode: Mode,
    jobs_max: usize,
}

enum Mode {
    Thread(Mutex<Option<SyncSender<Job>>>),
    #[cfg(any(test, feature = "testing"))]
    Inline,
}

impl Control {
    pub(crate) fn new(jobs_max: usize) -> Control {
        Control { mode: Mode::Thread(Mutex::new(None)), jobs_max }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn inline() -> Control {
        Control { mode: Mode::Inline, jobs_max: usize::MAX }
    }

    /// Queues a job; the task gives its result.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Task<T>> {
        let (join, task) = Join::new();
        let job: Job = Box::new(move || join.finish_with(work));
        match &self.mode {
            Mode::Thread(sender) => self.send(sender, job)?,
            #[cfg(any(test, feature = "testing"))]
            Mode::Inline => job(),
        }
        Ok(task)
    }

    fn send(&self, sender: &Mutex<Option<SyncSender<Job>>>, job: Job) -> Result<()> {
        let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.is_none() {
            *sender = Some(self.start()?);
        }
        let queue = sender.as_ref().expect("started a line ago");
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy { queue: "control.jobs_max", max: self.jobs_max },
            TrySendError::Disconnected(_) => Error::Stopped,
        })
    }

    fn start(&self) -> Result<SyncSender<Job>> {
        let (sender, receiver) = sync_channel::<Job>(self.jobs_max);
        thread::Builder::new()
            .name("hydrant-control".into())
            .spawn(move || work_off(receiver))
            .map_err(|error| crate::OsError::from_io("start thread", "hydrant-control", &error))?;
        Ok(sender)
    }
}

/// Runs jobs until the engine lets go of the sender. A panic of a job is caught by its `Join`.
fn work_off(jobs: Receiver<Job>) {
    jobs.into_iter().for_each(|job| job());
}
