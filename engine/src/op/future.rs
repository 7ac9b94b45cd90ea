//! The future of one op: it looks into the table, and lets go of the op when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Op, Outcome, Place, SlotKey, Started};
use crate::cores::Core;

/// Waits for an op. Dropping it detaches: the table keeps the buffers until the kernel is done
/// (OWN-1).
pub(crate) struct OpFuture {
    core: Core,
    /// How long it is in flight before [`OpFuture::is_overdue`]; `None` is without limit.
    stall: Option<Duration>,
    state: State,
}

enum State {
    /// With its place in the line for a free slot, once it has one.
    Unsubmitted(Op, Option<Place>),
    InFlight(SlotKey),
    Ended,
}

impl OpFuture {
    pub(crate) fn new(core: &Core, op: Op, stall: Option<Duration>) -> OpFuture {
        OpFuture { core: core.clone(), stall, state: State::Unsubmitted(op, None) }
    }

    /// Asks the kernel to end the op. The future must still be awaited: it gives the buffer back,
    /// with what was transferred before the cancel arrived.
    pub(crate) fn cancel(&mut self) {
        if let State::InFlight(key) = self.state {
            self.core.unwatch_op(key);
            self.core.cancel_op(key);
        }
    }

    /// Whether the kernel has had it for longer than the limit; the future is polled when that comes
    /// about. The wait for a free slot does not count.
    pub(crate) fn is_overdue(&self) -> bool {
        matches!(self.state, State::InFlight(key) if self.core.is_overdue(key))
    }

    /// Has the limit begin anew.
    pub(crate) fn watch_again(&self) {
        if let (State::InFlight(key), Some(stall)) = (&self.state, self.stall) {
            self.core.watch_op(*key, stall);
        }
    }
}

impl Future for OpFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        if let State::Unsubmitted(..) = self.state {
            let State::Unsubmitted(op, place) = std::mem::replace(&mut self.state, State::Ended)
            else {
                unreachable!("the state was looked at a line ago");
            };
            match self.core.start_op(op, place, self.stall, cx.waker()) {
                Started::InFlight(key) => {
                    // Even an op that is refused at once ends with a completion, which wakes.
                    self.state = State::InFlight(key);
                    return Poll::Pending;
                }
                Started::Refused(op) => return Poll::Ready(Outcome::refused(op)),
                Started::Full(op, place) => {
                    self.state = State::Unsubmitted(op, Some(place));
                    return Poll::Pending;
                }
            }
        }
        let State::InFlight(key) = self.state else {
            panic!("an op's future was polled after it had ended");
        };
        let poll = self.core.poll_op(key, cx);
        if poll.is_ready() {
            self.state = State::Ended;
        }
        poll
    }
}

impl Drop for OpFuture {
    fn drop(&mut self) {
        match self.state {
            State::InFlight(key) => self.core.detach_op(key),
            State::Unsubmitted(_, Some(place)) => self.core.leave_line(place),
            State::Unsubmitted(_, None) | State::Ended => {}
        }
    }
}
