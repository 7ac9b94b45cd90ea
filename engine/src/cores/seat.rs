//! A seat of a service: where one question at a time waits for its answer, between whoever asks, on any
//! thread, and the task that works at it.
//!
//! A seat of the C library's queues holds a future of any kind; here the task holds its own, and the seat
//! only what passes between two threads. What either side has done is in its stage, under a lock that is
//! held for a move only. Values of the caller's are dropped and wakers woken outside of it: they may come
//! back here.

use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, Ordering::*};
use crate::sync::{Mutex, MutexGuard};

/// A question of type `Q`, an answer of type `A`.
#[derive(Debug)]
pub(crate) struct Seat<Q, A> {
    talk: Mutex<Talk<Q, A>>,
    /// For who looks out, without the lock.
    answered: AtomicBool,
}

#[derive(Debug)]
struct Talk<Q, A> {
    stage: Stage<Q, A>,
    worker: Option<Waker>,
    asker: Option<Waker>,
    /// Its task has ended: nobody will answer any more.
    closed: bool,
}

#[derive(Debug)]
enum Stage<Q, A> {
    Free,
    Asked(Q),
    /// The task has the question.
    Working,
    /// It has, and nobody wants the answer.
    LetGo,
    Answered(Result<A>),
}

/// Whether a seat can be given to the next who asks. Whoever is told so gives it back, and drops what lay
/// there after that: a destructor of the caller's may panic.
#[derive(Debug)]
#[must_use]
pub(crate) enum Vacant<T> {
    Now(T),
    /// The task will say so, or never will.
    NotYet,
}

/// What nobody wants any more.
#[derive(Debug)]
pub(crate) struct Unwanted<Q, A>(Stage<Q, A>);

impl<Q, A> Seat<Q, A> {
    pub(crate) fn new() -> Seat<Q, A> {
        let talk = Talk { stage: Stage::Free, worker: None, asker: None, closed: false };
        Seat { talk: Mutex::new(talk), answered: AtomicBool::new(false) }
    }

    /// Leaves a question in a vacant seat; it comes back where the seat is closed.
    pub(crate) fn ask(&self, question: Q) -> Result<(), Q> {
        let mut talk = self.lock();
        if talk.closed {
            return Err(question);
        }
        talk.stage = Stage::Asked(question);
        self.answered.store(false, Relaxed);
        let worker = talk.worker.clone();
        drop(talk);
        worker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Whether [`Seat::poll_answer`] has one.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Acquire)
    }

    /// The answer to what was asked. The seat is vacant then.
    pub(crate) fn poll_answer(&self, cx: &Context<'_>) -> Poll<Result<A>> {
        let mut talk = self.lock();
        match std::mem::replace(&mut talk.stage, Stage::Free) {
            Stage::Answered(answer) => {
                talk.asker = None;
                Poll::Ready(answer)
            }
            pending => {
                talk.stage = pending;
                let replaced = listen(&mut talk.asker, cx);
                drop(talk);
                drop(replaced);
                Poll::Pending
            }
        }
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn let_go(&self) -> Vacant<Unwanted<Q, A>> {
        let mut talk = self.lock();
        let asker = talk.asker.take();
        let vacant = match std::mem::replace(&mut talk.stage, Stage::Free) {
            Stage::Working => {
                talk.stage = Stage::LetGo;
                let worker = talk.worker.clone();
                drop(talk);
                worker.into_iter().for_each(Waker::wake);
                Vacant::NotYet
            }
            unwanted => {
                drop(talk);
                Vacant::Now(Unwanted(unwanted))
            }
        };
        drop(asker);
        vacant
    }

    /// For the task: the next question.
    pub(crate) fn poll_question(&self, cx: &Context<'_>) -> Poll<Q> {
        let mut talk = self.lock();
        // One task alone sits here, so what is replaced is its own.
        let _ = listen(&mut talk.worker, cx);
        match std::mem::replace(&mut talk.stage, Stage::Working) {
            Stage::Asked(question) => Poll::Ready(question),
            other => {
                talk.stage = other;
                Poll::Pending
            }
        }
    }

    /// For the task: whether its work is in vain.
    pub(crate) fn is_let_go(&self) -> bool {
        matches!(self.lock().stage, Stage::LetGo)
    }

    /// For the task: the end of its work, whose future is gone by now (OWN-1).
    pub(crate) fn answer(&self, answer: Result<A>) -> Vacant<Result<A>> {
        let mut talk = self.lock();
        if matches!(talk.stage, Stage::LetGo) {
            talk.stage = Stage::Free;
            return Vacant::Now(answer);
        }
        self.leave(talk, answer);
        Vacant::NotYet
    }

    /// For the task, which ends: a question that it has not answered is answered with
    /// [`Error::Cancelled`], and no other is taken.
    pub(crate) fn close(&self) {
        let mut talk = self.lock();
        (talk.closed, talk.worker) = (true, None);
        match std::mem::replace(&mut talk.stage, Stage::Free) {
            unanswered @ (Stage::Asked(_) | Stage::Working) => {
                self.leave(talk, Err(Error::Cancelled));
                drop(unanswered);
            }
            Stage::LetGo => {}
            other => talk.stage = other,
        }
    }

    fn leave(&self, mut talk: MutexGuard<'_, Talk<Q, A>>, answer: Result<A>) {
        talk.stage = Stage::Answered(answer);
        self.answered.store(true, Release);
        let asker = talk.asker.take();
        drop(talk);
        asker.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Talk<Q, A>> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker that was there before, to be dropped without the lock.
fn listen(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(old) if old.will_wake(cx.waker()) => None,
        _ => slot.replace(cx.waker().clone()),
    }
}
