//! Memory that a caller lends to a call, for its time alone.
//!
//! What a [`hydrant::engine::RegionOwner`] keeps on the heap lies in the frame of the call here: the call does not return
//! before the memory is back, so nobody looks for it later. It copies nothing, lends nothing that is written to, and nothing
//! to the requests of a queue, which outlive their call (`queue::job` does that).

use std::cell::UnsafeCell;
use std::future::{poll_fn, ready};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hydrant::Error;
use hydrant::engine::block_on;

use crate::error::Failure;

/// Lends memory of the caller as bytes, and neither returns nor unwinds before they are all back (OWN-1).
///
/// # Errors
/// HYD_E_THREAD where that cannot be waited for, as in a log callback on a core; then nothing was lent.
pub fn lend<R>(bytes: &[u8], work: impl FnOnce(Bytes) -> R) -> Result<R, Failure> {
    if bytes.is_empty() {
        return Ok(work(Bytes::new()));
    }
    block_on(ready(())).map_err(Error::from)?;
    let loan = Loan { state: AtomicU8::new(LENT), waiter: UnsafeCell::new(None) };
    let lent = Lent { bytes: bytes.into(), loan: NonNull::from(&loan) };
    let _until_back = UntilBack(&loan);
    Ok(work(Bytes::from_owner(lent)))
}

/// The bytes are with somebody. [`Loan::waiter`] is the lender's.
const LENT: u8 = 0;
/// As before, and the waiter is there to be woken. It is nobody's until the state changes.
const AWAITED: u8 = 1;
/// Whoever has the bytes takes the waiter, which takes no time: it is theirs.
const TAKING: u8 = 2;
/// The bytes are back, and the loan is the lender's: whoever gave them back touches it no more.
const BACK: u8 = 3;

struct Loan {
    state: AtomicU8,
    waiter: UnsafeCell<Option<Waker>>,
}

/// The bytes, with whoever has them.
struct Lent {
    bytes: NonNull<[u8]>,
    loan: NonNull<Loan>,
}

// SAFETY: OWN-3. The bytes are read by whoever has this; the loan is shared by the rules of its states.
unsafe impl Send for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: OWN-3. `lend` does not return before this is dropped.
        unsafe { self.bytes.as_ref() }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: OWN-1. The frame that has it stays until the state is BACK, which this alone sets.
        let loan = unsafe { self.loan.as_ref() };
        loop {
            if loan.state.compare_exchange(LENT, BACK, Release, Relaxed).is_ok() {
                return;
            }
            if loan.state.compare_exchange(AWAITED, TAKING, Acquire, Relaxed).is_ok() {
                break;
            }
            // The lender has just taken the waiter away, to put another one there.
        }
        // SAFETY: OWN-1. While it is TAKING, the waiter is this one's alone.
        let waiter = unsafe { (*loan.waiter.get()).take() };
        loan.state.store(BACK, Release);
        waiter.into_iter().for_each(Waker::wake);
    }
}

/// Waits for a loan when it is dropped.
struct UntilBack<'a>(&'a Loan);

impl Drop for UntilBack<'_> {
    fn drop(&mut self) {
        if self.0.state.load(Acquire) != BACK {
            block_on(poll_fn(|cx| self.0.poll_back(cx))).expect("asked before it was lent");
        }
    }
}

impl Loan {
    fn poll_back(&self, cx: &Context<'_>) -> Poll<()> {
        match self.state.compare_exchange(AWAITED, LENT, Acquire, Acquire) {
            Ok(_) | Err(LENT) => {}
            Err(BACK) => return Poll::Ready(()),
            // It is the waiter of an earlier poll that is woken.
            Err(_) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        // SAFETY: OWN-1. While it is LENT, the waiter is this thread's alone.
        unsafe { *self.waiter.get() = Some(cx.waker().clone()) };
        match self.state.compare_exchange(LENT, AWAITED, Release, Acquire) {
            Ok(_) => Poll::Pending,
            Err(_) => Poll::Ready(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn it_returns_when_the_last_byte_is_back_whoever_has_it() {
        let mut memory = [7_u8; 64];
        let (send, receive) = channel::<(Bytes, u32)>();
        let other = std::thread::spawn(move || {
            for (bytes, round) in receive {
                // Before, while and after the owner begins to wait.
                (0..round % 300).for_each(|_| std::hint::spin_loop());
                assert_eq!(bytes, [7; 64][..]);
                drop(bytes);
            }
        });
        for round in 0..20_000 {
            let lent = lend(&memory, |bytes| {
                send.send((bytes.slice(..), round)).expect("a thread");
                drop(bytes);
            });
            lent.expect("not on a core");
            // What it was is not read any more.
            memory.fill(8);
            memory.fill(7);
        }
        drop(send);
        other.join().expect("no panic");
    }

    #[test]
    fn a_panic_waits_as_well() {
        const WAIT: Duration = Duration::from_millis(50);
        let memory = [7_u8; 64];
        let began = Instant::now();
        let mut other = None;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            lend(&memory, |bytes| {
                other = Some(std::thread::spawn(move || {
                    std::thread::sleep(WAIT);
                    drop(bytes);
                }));
                panic!("on purpose");
            })
        }));
        assert!(panicked.is_err() && began.elapsed() >= WAIT);
        other.expect("started").join().expect("no panic");
    }

    #[test]
    fn nothing_to_lend_is_nothing_to_wait_for() {
        let bytes = lend(&[], |bytes| bytes).expect("nothing was lent");
        assert!(bytes.is_empty());
    }
}
