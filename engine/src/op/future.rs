//! The future of one op: it looks into the table, and lets go of the op when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Op, Outcome, Place, SlotKey, Started};
use crate::cores::Core;

/// Waits for an op. Dropping it detaches: the table keeps the buffers until the kernel is done
/// (OWN-1).
pub(crate) struct OpFuture {
    core: Core,
    state: State,
}

enum State {
    /// With its place in the line for a free slot, once it has one.
    Unsubmitted(Op, Option<Place>),
    InFlight(SlotKey),
    Ended,
}

impl OpFuture {
    pub(crate) fn new(core: &Core, op: Op) -> OpFuture {
        OpFuture { core: core.clone(), state: State::Unsubmitted(op, None) }
    }

    /// Asks the kernel to end the op. The future must still be awaited: it gives the buffer back,
    /// with what was transferred before the cancel arrived.
    pub(crate) fn cancel(&mut self) {
        if let State::InFlight(key) = self.state {
            self.core.cancel_op(key);
        }
    }

    /// Whether the kernel has it; `false` while it waits for a free slot.
    pub(crate) fn is_in_flight(&self) -> bool {
        matches!(self.state, State::InFlight(_))
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
            match self.core.start_op(op, place, cx.waker()) {
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
