//! The future of a read or a write: one op, and what few of them need behind it.
//!
//! It is written by hand. An async function that waits for an op keeps it twice, and again in each
//! function around it: with many in flight, a core then spends its time on lines of cache.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{BufResult, File, hint, os_error};
use crate::cores::Core;
use crate::error::Error;
use crate::op::{Op, OpFuture, Outcome};
use crate::pool::Buf;

/// A read or write that has not ended.
pub(super) struct Transfer<'a>(State<'a>);

enum State<'a> {
    Op(OneOp<'a>),
    Rest(Pin<Box<dyn Future<Output = BufResult<usize>> + 'a>>),
    /// Nothing was to be done, or nothing could be; `None` once that has been told.
    Ended(Option<BufResult<usize>>),
}

struct OneOp<'a> {
    op: OpFuture,
    file: &'a File,
    core: &'a Core,
    offset: u64,
    wanted: usize,
    uncached: bool,
}

impl<'a> Transfer<'a> {
    /// Reads or writes by one op at `offset`.
    pub(super) fn of(core: &'a Core, file: &'a File, op: Op, offset: u64) -> Self {
        let (op, uncached) = (core.op(op), file.handle.is_uncached());
        let wanted = usize::MAX;
        Transfer(State::Op(OneOp { op, file, core, offset, wanted, uncached }))
    }

    /// Tells of so many bytes at most: the op may go on to the end of a block.
    pub(super) fn telling_at_most(mut self, bytes: usize) -> Self {
        if let State::Op(one) = &mut self.0 {
            one.wanted = bytes;
        }
        self
    }

    /// By more than one op. On the heap, or every transfer would be as large.
    pub(super) fn in_pieces(pieces: impl Future<Output = BufResult<usize>> + 'a) -> Self {
        Transfer(State::Rest(Box::pin(pieces)))
    }

    pub(super) fn ended(result: Result<usize, Error>, buf: Buf) -> Self {
        Transfer(State::Ended(Some((result, buf))))
    }
}

impl Future for Transfer<'_> {
    type Output = BufResult<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BufResult<usize>> {
        let one = match &mut self.0 {
            State::Op(one) => one,
            State::Rest(rest) => return rest.as_mut().poll(cx),
            State::Ended(result) => {
                return Poll::Ready(result.take().expect("polled after its end"));
            }
        };
        let outcome = ready!(Pin::new(&mut one.op).poll(cx));
        if !one.needs_more(&outcome) {
            return Poll::Ready(tell(one.file, one.offset, one.wanted, outcome));
        }
        let OneOp { file, core, offset, wanted, uncached, .. } = *one;
        let rest = Box::pin(go_on(core, file, offset, wanted, uncached, outcome));
        self.0 = State::Rest(rest);
        self.poll(cx)
    }
}

impl OneOp<'_> {
    fn needs_more(&self, outcome: &Outcome) -> bool {
        refused_uncached(outcome, self.uncached).is_some() || hint::leaves_cached(self.file)
    }
}

/// The errno of a transfer that was to leave nothing in the page cache, where that is what was refused.
fn refused_uncached(outcome: &Outcome, uncached: bool) -> Option<i32> {
    outcome.error.filter(|errno| uncached && hint::refuses_uncached(*errno))
}

async fn go_on(
    core: &Core,
    file: &File,
    offset: u64,
    wanted: usize,
    uncached: bool,
    mut outcome: Outcome,
) -> BufResult<usize> {
    if let Some(errno) = refused_uncached(&outcome, uncached) {
        file.handle.set_uncached(false);
        outcome = core.op(outcome.op).await;
        // Either may be refused for another reason, and then both are.
        match outcome.error == Some(errno) {
            true => file.handle.set_uncached(true),
            false => hint::note_uncached_refused(core, file),
        }
    }
    if hint::leaves_cached(file) {
        hint::drop_cached(core, file, offset, outcome.transferred).await;
    }
    tell(file, offset, wanted, outcome)
}

fn tell(file: &File, offset: u64, wanted: usize, outcome: Outcome) -> BufResult<usize> {
    let result = match outcome.error {
        None => Ok(outcome.transferred.min(wanted)),
        Some(errno) => Err(match os_error(outcome.op.name(), &file.path, errno) {
            Error::Os(error) => Error::Os(error.at(offset + outcome.transferred as u64)),
            other => other,
        }),
    };
    (result, outcome.op.into_buf().expect("a read or write has a buffer"))
}
