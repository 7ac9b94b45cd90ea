//! A service: one kind of work that a core does for any thread, without asking the heap for each piece.
//!
//! [`crate::Engine::on_core`] asks the heap for the task, its start, its future and its result's place.
//! A service has made all of that before: so many seats ([`Seat`]), each with a task on the core, which
//! waits there for a question, works at it and leaves the answer. Whoever asks takes a vacant seat.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::join::poll_caught;
use super::seat::{Seat, Vacant};
use super::waiting::{Waited, wait_deadline};
use super::{Core, Inbox, Task};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::pool::fork;
use crate::sync::atomic::{AtomicUsize, Ordering::*};
use crate::sync::{Mutex, MutexGuard};

/// Work of one kind that lives on a core: takes questions of type `Q` from any thread, gives answers
/// of type `A`.
///
/// Asking costs no allocation, neither here nor on the core. Clones share it; when they and the
/// [`Answer`]s have gone, it ends, and so it does with the engine.
///
/// ```
/// use hydrant_engine::{Engine, Service};
///
/// # fn main() -> Result<(), hydrant_engine::Error> {
/// let engine = Engine::builder().cores(1).pool_bytes(8 << 20).start()?;
/// let lengths = Service::start(&engine, 0, 8, |_core, word: &str| async move { word.len() })?;
/// let answer = lengths.ask("hydrant").map_err(|(error, _)| error)?;
/// assert_eq!(answer.wait()?, 7);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Service<Q, A>(Arc<Inner<Q, A>>);

/// The answer to one question: a future for any executor, and [`Answer::wait`] blocks.
///
/// Dropping it *cancels* the work: its future is dropped on its core, and its ops give their buffers
/// back when the kernel is done (OWN-1).
#[derive(Debug)]
#[must_use = "dropping an answer cancels the work"]
pub struct Answer<Q, A> {
    service: Arc<Inner<Q, A>>,
    /// Absent once it was taken.
    seat: Option<usize>,
    /// The core works at it at once: whoever waits looks out for so long before sleeping.
    soon: Duration,
}

#[derive(Debug)]
pub(crate) struct Inner<Q, A> {
    seats: Arc<Seats<Q, A>>,
    inbox: Arc<Inbox>,
    spin_max: Duration,
    fork_generation: u64,
    /// Dropped, they are cancelled.
    _tasks: Vec<Task<()>>,
}

/// The seats of a service, which its tasks share.
#[derive(Debug)]
pub(crate) struct Seats<Q, A> {
    all: Box<[Seat<Q, A>]>,
    vacant: Mutex<Vec<usize>>,
    /// Those whose tasks have not ended.
    open: AtomicUsize,
}

/// A task at its seat; dropped, it closes the seat.
pub(crate) struct AtSeat<Q, A> {
    seats: Arc<Seats<Q, A>>,
    index: usize,
}

impl<Q: Send + 'static, A: Send + 'static> Service<Q, A> {
    /// Starts a service on core `index` (modulo the number of cores) that works at up to `at_once`
    /// questions at a time, each in a future that `serve` makes there.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for none at once; [`Error::Busy`] for more than `core.inbox_tasks_max`;
    /// [`Error::Stopped`], [`Error::Forked`]. On a core that has no room for as many tasks fewer work.
    pub fn start<F>(
        engine: &Engine,
        index: usize,
        at_once: usize,
        serve: impl Fn(Core, Q) -> F + Clone + Send + 'static,
    ) -> Result<Service<Q, A>>
    where
        F: Future<Output = A> + 'static,
    {
        if at_once == 0 {
            return Err(Error::InvalidInput("a service that works at nothing at once".into()));
        }
        let seats = Seats::new(at_once);
        let tasks = seats.places().map(|at| {
            let serve = serve.clone();
            engine.on_core(index, move |core| work(core, at, serve))
        });
        let tasks = tasks.collect::<Result<_>>()?;
        let spin_max = engine.config().core.spin_max;
        Ok(Service::with(seats, engine.inbox(index), spin_max, tasks))
    }
}

impl<Q, A> Service<Q, A> {
    pub(crate) fn with(
        seats: Arc<Seats<Q, A>>,
        inbox: &Arc<Inbox>,
        spin_max: Duration,
        tasks: Vec<Task<()>>,
    ) -> Service<Q, A> {
        let (inbox, fork_generation) = (Arc::clone(inbox), fork::generation());
        Service(Arc::new(Inner { seats, inbox, spin_max, fork_generation, _tasks: tasks }))
    }

    /// Hands a question over.
    ///
    /// # Errors
    /// The question comes back with [`Error::Busy`] while as many are asked and not answered as the
    /// service takes at once, [`Error::Stopped`] when its core has ended, [`Error::Forked`].
    pub fn ask(&self, question: Q) -> Result<Answer<Q, A>, (Error, Q)> {
        let service = &self.0;
        if fork::generation() != service.fork_generation {
            return Err((Error::Forked, question));
        }
        // Looked at first: it may have seen the question, and look no longer, by then.
        let soon = if service.inbox.is_looked_at() { service.spin_max } else { Duration::ZERO };
        let seat = Some(service.seats.ask(question)?);
        Ok(Answer { service: Arc::clone(service), seat, soon })
    }
}

impl<Q, A> Clone for Service<Q, A> {
    fn clone(&self) -> Self {
        Service(Arc::clone(&self.0))
    }
}

impl<Q, A> Answer<Q, A> {
    /// Blocks until it is there.
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] on a core of an engine; [`Error::Cancelled`] when the service ended
    /// before; [`Error::Panicked`]; [`Error::Forked`].
    pub fn wait(self) -> Result<A> {
        wait_deadline(self, None)
            .unwrap_or_else(|_| unreachable!("a wait without limit has a result"))
    }

    /// Blocks until it is there, at most for `limit`; then it comes back, and is still worked at.
    ///
    /// # Errors
    /// The answer itself when the time is over. The result inside is as for [`Answer::wait`].
    pub fn wait_timeout(self, limit: Duration) -> Result<Result<A>, Answer<Q, A>> {
        wait_deadline(self, Instant::now().checked_add(limit))
    }

    /// Whether it is there.
    pub fn is_finished(&self) -> bool {
        self.seat.is_none_or(|seat| self.service.seats.all[seat].is_answered())
    }
}

impl<Q, A> Waited for Answer<Q, A> {
    fn is_finished(&self) -> bool {
        Answer::is_finished(self)
    }

    fn soon(&self) -> Duration {
        self.soon
    }

    fn fork_generation(&self) -> u64 {
        self.service.fork_generation
    }
}

impl<Q, A> Future for Answer<Q, A> {
    type Output = Result<A>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<A>> {
        if fork::generation() != self.service.fork_generation {
            return Poll::Ready(Err(Error::Forked));
        }
        let seat = self.seat.expect("an answer was taken twice");
        let answer = ready!(self.service.seats.all[seat].poll_answer(cx));
        self.seat = None;
        self.service.seats.give_back(seat);
        Poll::Ready(answer)
    }
}

impl<Q, A> Drop for Answer<Q, A> {
    fn drop(&mut self) {
        // In a forked child the seats are the parent's (FORK-1).
        let ours = fork::generation() == self.service.fork_generation;
        if ours
            && let Some(seat) = self.seat
            && let Vacant::Now(unwanted) = self.service.seats.all[seat].let_go()
        {
            self.service.seats.give_back(seat);
            drop(unwanted);
        }
    }
}

impl<Q, A> Seats<Q, A> {
    pub(crate) fn new(count: usize) -> Arc<Seats<Q, A>> {
        let all = (0..count).map(|_| Seat::new()).collect();
        let vacant = Mutex::new((0..count).rev().collect());
        Arc::new(Seats { all, vacant, open: AtomicUsize::new(count) })
    }

    /// A place for the task of each seat.
    pub(crate) fn places(self: &Arc<Self>) -> impl Iterator<Item = AtSeat<Q, A>> + use<Q, A> {
        let seats = Arc::clone(self);
        (0..seats.all.len()).map(move |index| AtSeat { seats: Arc::clone(&seats), index })
    }

    fn ask(&self, mut question: Q) -> Result<usize, (Error, Q)> {
        loop {
            let vacant = self.lock().pop();
            let Some(seat) = vacant else { return Err((self.refusal(), question)) };
            // A seat that is closed is not asked again.
            match self.all[seat].ask(question) {
                Ok(()) => return Ok(seat),
                Err(back) => question = back,
            }
        }
    }

    fn refusal(&self) -> Error {
        match self.open.load(Acquire) {
            0 => Error::Stopped,
            _ => Error::Busy { queue: "at_once of a service", max: self.all.len() },
        }
    }

    fn give_back(&self, seat: usize) {
        self.lock().push(seat);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.vacant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q, A> AtSeat<Q, A> {
    fn seat(&self) -> &Seat<Q, A> {
        &self.seats.all[self.index]
    }

    /// The next question.
    pub(crate) async fn question(&self) -> Q {
        std::future::poll_fn(|cx| self.seat().poll_question(cx)).await
    }

    /// Drives a future to the answer, or drops it when nobody waits for that any more.
    pub(crate) async fn answer_with(&self, future: impl Future<Output = A>) {
        let mut future = pin!(Some(future));
        let end = std::future::poll_fn(|cx| match self.seat().is_let_go() {
            true => Poll::Ready(Err(Error::Cancelled)),
            false => {
                let future = future.as_mut().as_pin_mut().expect("taken when this has ended");
                poll_caught(future, cx)
            }
        });
        let ended = end.await;
        // Whatever it panics with in its end, the seat is not lost. The hook has told the message.
        let _ = catch_unwind(AssertUnwindSafe(|| future.set(None)));
        if let Vacant::Now(unwanted) = self.seat().answer(ended) {
            self.seats.give_back(self.index);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(unwanted)));
        }
    }
}

impl<Q, A> Drop for AtSeat<Q, A> {
    fn drop(&mut self) {
        self.seats.open.fetch_sub(1, AcqRel);
        self.seat().close();
    }
}

/// The task of a seat, until it is cancelled.
async fn work<Q, A, F>(core: Core, at: AtSeat<Q, A>, serve: impl Fn(Core, Q) -> F)
where
    F: Future<Output = A>,
{
    loop {
        let question = at.question().await;
        // The caller's closure runs inside, so that its panic is an answer.
        at.answer_with(async { serve(core.clone(), question).await }).await;
    }
}
