//! `Region`: memory of the caller, lent to operations and joined back by its owner.

use std::cell::UnsafeCell;
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use super::{Lease, Registration};

use crate::park::block_until;

/// A buffer whose memory stays where it is.
///
/// # Safety
/// As long as the value lives and is not touched, `stable_ptr` must point to the same
/// `stable_len()` initialised bytes, even when other threads and the kernel write to them. Only
/// the value may own them. Moving the value must not move them.
pub unsafe trait StableBuf: Send + 'static {
    /// The first byte.
    fn stable_ptr(&mut self) -> *mut u8;
    /// Initialised bytes from there on.
    fn stable_len(&self) -> usize;
    /// The registration that they lie in, if they do.
    fn registration(&self) -> Option<Registration> {
        None
    }
}

// SAFETY: OWN-3. The elements lie on the heap, and the first `len` are initialised.
unsafe impl StableBuf for Vec<u8> {
    fn stable_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn stable_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: OWN-3. The bytes lie on the heap, all initialised.
unsafe impl StableBuf for Box<[u8]> {
    fn stable_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn stable_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: OWN-3. A `BytesMut` is the only handle to its bytes, which lie on the heap; the first
// `len` are initialised.
unsafe impl StableBuf for BytesMut {
    fn stable_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn stable_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: OWN-3. A lease is the only handle to its piece of the arena, which stays mapped and in
// place as long as any lease lives; all of it is initialised.
unsafe impl StableBuf for Lease {
    fn stable_ptr(&mut self) -> *mut u8 {
        self.as_mut_slice().as_mut_ptr()
    }

    fn stable_len(&self) -> usize {
        // Nothing in a forked child, where the arena is not mapped (FORK-1).
        if self.is_of_a_parent() { 0 } else { self.capacity() }
    }
}

/// An exclusive piece of caller memory. It can be split, and sent to other threads.
///
/// Pieces are not joined; the owner of the buffer has it back once all are dropped.
pub struct Region {
    start: NonNull<u8>,
    len: usize,
    loan: Arc<Loan<dyn Send>>,
}

// SAFETY: OWN-3. A region is the only way to its bytes, as a `Box<[u8]>` would be; the buffer that
// the loan keeps is `Send` and is not touched while a region lives.
unsafe impl Send for Region {}
// SAFETY: As above; `&Region` only reads bytes.
unsafe impl Sync for Region {}

impl Region {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: OWN-3. The bytes are initialised, belong to this piece alone, and the loan keeps
        // them alive.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// All bytes, for writing.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: OWN-3. As in `as_slice`, and `&mut self` is the only way to them.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Splits off and returns the first `at` bytes; the rest stays.
    ///
    /// # Panics
    /// If `at` exceeds the length.
    pub fn split_to(&mut self, at: usize) -> Self {
        let rest = self.split_off(at);
        std::mem::replace(self, rest)
    }

    /// Splits off and returns what follows the first `at` bytes; those stay.
    ///
    /// # Panics
    /// If `at` exceeds the length.
    pub fn split_off(&mut self, at: usize) -> Self {
        assert!(at <= self.len, "split at {at} of {} bytes", self.len);
        self.loan.pieces.fetch_add(1, Ordering::Relaxed);
        // SAFETY: OWN-3. `at` lies within the piece or one past its end.
        let start = unsafe { self.start.add(at) };
        let tail = Self { start, len: self.len - at, loan: Arc::clone(&self.loan) };
        self.len = at;
        tail
    }

    pub(super) fn start(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The registration that it lies in.
    pub(crate) fn registration(&self) -> Option<&Registration> {
        self.loan.registration.as_ref()
    }

    /// The registration, and the place in a table of what holds all of `len` bytes from `from` on.
    pub(crate) fn place_of(&self, from: usize, len: usize) -> Option<(&Registration, u32)> {
        let registration = self.registration()?;
        let start = self.start.as_ptr().addr() + from;
        Some((registration, registration.place_of(start, len)?))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.loan.piece_dropped();
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Has a lent buffer back once every [`Region`] of it is dropped.
///
/// Dropping the owner earlier frees nothing: the last region does (OWN-3).
pub struct RegionOwner<B> {
    loan: Arc<Loan<B>>,
}

impl<B: StableBuf> RegionOwner<B> {
    /// Lends all of `buf`.
    pub fn new(buf: B) -> (Self, Region) {
        let registration = buf.registration();
        let mut loan = Arc::new(Loan::new(buf));
        // SAFETY: OWN-3. Nobody else has the loan yet. The address is asked for only now that the
        // buffer lies where it will stay: moving a `Box` would end the validity of pointers to it.
        let (start, len) = unsafe {
            let buf = &mut *loan.buf.get();
            (buf.stable_ptr(), buf.stable_len())
        };
        let start = NonNull::new(start).expect("a buffer has an address");
        let covered = |it: &Registration| it.covers(start.as_ptr().addr(), len);
        Arc::get_mut(&mut loan).expect("nobody else has it").registration =
            registration.filter(covered);
        let region = Region { start, len, loan: Arc::clone(&loan) as Arc<Loan<dyn Send>> };
        (Self { loan }, region)
    }

    /// The buffer, if every region of it has been dropped.
    pub fn try_into_inner(self) -> Result<B, Self> {
        if self.loan.pieces.load(Ordering::Acquire) == 0 { Ok(self.take()) } else { Err(self) }
    }

    /// Waits on a foreign thread until every region is dropped. Never call it on a core (CORE-1).
    pub fn wait_blocking(self) -> B {
        self.loan.wait_blocking();
        self.take()
    }

    /// Waits until every region is dropped.
    pub fn returned(self) -> Returned<B> {
        Returned { owner: Some(self) }
    }

    /// Only once no piece is left; none can come again, since pieces come from pieces.
    fn take(self) -> B {
        self.loan.taken.store(true, Ordering::Relaxed);
        // SAFETY: OWN-3. No region is left, this is the only owner and it is consumed, and `taken`
        // keeps the loan from dropping the buffer again.
        unsafe { ManuallyDrop::take(&mut *self.loan.buf.get()) }
    }
}

impl<B> fmt::Debug for RegionOwner<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegionOwner")
            .field("pieces", &self.loan.pieces.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// Answers with the buffer once every [`Region`] of it is dropped. Dropped earlier, the buffer is
/// freed by the last region.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Returned<B> {
    owner: Option<RegionOwner<B>>,
}

impl<B> Unpin for Returned<B> {}

impl<B: StableBuf> Future for Returned<B> {
    type Output = B;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<B> {
        let owner = self.owner.as_ref().expect("polled after its answer");
        if owner.loan.poll_returned(context).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.owner.take().expect("seen above").take())
    }
}

/// Lends a borrowed slice to `work` as a region, and neither returns nor unwinds before every piece
/// of it has been dropped: so the memory outlives each operation that was given it, whatever became
/// of the one who started it (OWN-1). A piece that is never dropped, such as one forgotten or
/// carried out in the closure's own result, makes the wait last for ever.
///
/// This is the one place where borrowed memory enters that is written to; the C interface lends what is only read by a
/// loan of its own, without the heap. It blocks: never call it on a core (CORE-1).
pub fn borrow_blocking<R>(slice: &mut [u8], work: impl FnOnce(Region) -> R) -> R {
    let loan = Arc::new(Loan::new(()));
    let start = NonNull::new(slice.as_mut_ptr()).expect("a slice has an address");
    // Made before the region, so that it is dropped after whatever becomes of it.
    let _until_returned = WaitOnDrop(&loan);
    work(Region { start, len: slice.len(), loan: Arc::clone(&loan) as Arc<Loan<dyn Send>> })
}

/// As [`borrow_blocking`], for several slices at once; the regions come in their order.
pub fn borrow_all_blocking<R>(slices: Vec<&mut [u8]>, work: impl FnOnce(Vec<Region>) -> R) -> R {
    let loan = Arc::new(Loan::new(()));
    loan.pieces.store(slices.len(), Ordering::Relaxed);
    let lent = slices.into_iter().map(|slice| {
        let start = NonNull::new(slice.as_mut_ptr()).expect("a slice has an address");
        Region { start, len: slice.len(), loan: Arc::clone(&loan) as Arc<Loan<dyn Send>> }
    });
    let lent = lent.collect();
    // All regions are there: whatever becomes of them, this waits for each.
    let _until_returned = WaitOnDrop(&loan);
    work(lent)
}

struct WaitOnDrop<'a>(&'a Loan<()>);

impl Drop for WaitOnDrop<'_> {
    fn drop(&mut self) {
        self.0.wait_blocking();
    }
}

/// Shared by the owner and the pieces: keeps the buffer until both are done with it.
struct Loan<B: ?Sized> {
    /// Regions alive. It starts at one and never rises from 0.
    pieces: AtomicUsize,
    /// The owner, if it waits.
    waiter: Mutex<Option<Waker>>,
    /// Whether the owner has taken the buffer out.
    taken: AtomicBool,
    /// What the buffer lies in, registered until the loan ends.
    registration: Option<Registration>,
    buf: UnsafeCell<ManuallyDrop<B>>,
}

// SAFETY: OWN-3. `buf` is only touched before the first region exists, by the owner after the last
// one is gone, or when the loan is dropped.
unsafe impl<B: ?Sized + Send> Sync for Loan<B> {}

impl<B> Loan<B> {
    fn new(buf: B) -> Self {
        Self {
            pieces: AtomicUsize::new(1),
            waiter: Mutex::new(None),
            taken: AtomicBool::new(false),
            registration: None,
            buf: UnsafeCell::new(ManuallyDrop::new(buf)),
        }
    }

    fn wait_blocking(&self) {
        // As a rule the work has been waited for before; then nobody has to wake this thread.
        if self.pieces.load(Ordering::Acquire) == 0 {
            return;
        }
        let returned = block_until(None, |context| self.poll_returned(context));
        debug_assert!(returned.is_some(), "without a deadline there is always an answer");
    }

    fn poll_returned(&self, context: &Context<'_>) -> Poll<()> {
        if self.pieces.load(Ordering::Acquire) == 0 {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        let replaced = self.waiter.lock().unwrap_or_else(PoisonError::into_inner).replace(waker);
        drop(replaced);
        // Whoever dropped the last piece after this look finds the waker: it takes the lock later.
        match self.pieces.load(Ordering::Acquire) {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl<B: ?Sized> Loan<B> {
    /// Everything done to the bytes happens before the owner's `Acquire` look at the count.
    fn piece_dropped(&self) {
        if self.pieces.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }
    }
}

impl<B: ?Sized> Drop for Loan<B> {
    fn drop(&mut self) {
        // Whoever has the buffer back finds it registered no longer.
        self.registration = None;
        if !*self.taken.get_mut() {
            // SAFETY: OWN-3. Nobody has the loan any more, and the buffer was not taken out.
            unsafe { ManuallyDrop::drop(self.buf.get_mut()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::super::tests::poll_once;
    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    #[test]
    fn pieces_are_written_apart_and_come_back_as_one() {
        let (owner, mut front) = RegionOwner::new(vec![0u8; 10]);
        let mut back = front.split_off(6);
        let mut start = front.split_to(2);
        assert_eq!((start.len(), front.len(), back.len()), (2, 4, 4));
        let writer = thread::spawn(move || back.as_mut_slice().fill(3));
        start.as_mut_slice().fill(1);
        front.as_mut_slice().fill(2);
        writer.join().expect("no panic");
        let owner = owner.try_into_inner().expect_err("two pieces are alive");
        drop((start, front));
        assert_eq!(owner.try_into_inner().expect("returned"), [1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
    }

    #[test]
    fn every_kind_of_buffer_can_be_lent() {
        fn lent<B: StableBuf>(buf: B) -> B {
            let (owner, mut region) = RegionOwner::new(buf);
            region.as_mut_slice()[0] = b'x';
            drop(region);
            owner.try_into_inner().expect("returned")
        }
        assert_eq!(lent(b"abc".to_vec()), b"xbc");
        assert_eq!(*lent(Box::<[u8]>::from(&b"abc"[..])), *b"xbc");
        assert_eq!(lent(BytesMut::from(&b"abc"[..])), "xbc");
        let (owner, region) = RegionOwner::new(Vec::new());
        assert!(region.is_empty());
        drop(region);
        assert!(owner.wait_blocking().is_empty());
    }

    #[test]
    fn the_last_region_frees_what_its_owner_left() {
        struct Watched(Box<[u8]>, mpsc::Sender<()>);
        // SAFETY: OWN-3. As `Box<[u8]>`, which it wraps.
        unsafe impl StableBuf for Watched {
            fn stable_ptr(&mut self) -> *mut u8 {
                self.0.as_mut_ptr()
            }
            fn stable_len(&self) -> usize {
                self.0.len()
            }
        }
        impl Drop for Watched {
            fn drop(&mut self) {
                self.1.send(()).expect("the test listens");
            }
        }
        let (freed, was_freed) = mpsc::channel();
        let (owner, mut region) = RegionOwner::new(Watched(Box::from([0; 64]), freed.clone()));
        drop(owner);
        region.as_mut_slice().fill(5);
        assert!(was_freed.try_recv().is_err());
        drop(region);
        assert!(was_freed.try_recv().is_ok());

        let (owner, region) = RegionOwner::new(Watched(Box::from([0; 64]), freed));
        drop(region);
        let buf = owner.wait_blocking();
        assert!(was_freed.try_recv().is_err(), "taken out, not freed");
        drop(buf);
        assert!(was_freed.try_recv().is_ok());
    }

    #[test]
    fn the_owner_is_woken_by_the_last_piece() {
        let (owner, mut region) = RegionOwner::new(vec![7u8; 8]);
        let tail = region.split_off(4);
        let mut returned = owner.returned();
        assert!(poll_once(&mut returned).is_pending());
        drop(region);
        assert!(poll_once(&mut returned).is_pending());
        let waiter = thread::spawn(move || {
            block_until(None, |context| Pin::new(&mut returned).poll(context)).expect("no deadline")
        });
        thread::sleep(MOMENT);
        drop(tail);
        assert_eq!(waiter.join().expect("no panic"), [7; 8]);
    }

    #[test]
    fn a_borrowed_slice_is_filled_in_place() {
        let mut memory = [0u8; 6];
        let returned = borrow_blocking(&mut memory, |mut region| {
            let mut tail = region.split_off(3);
            let other = thread::spawn(move || {
                thread::sleep(MOMENT);
                tail.as_mut_slice().fill(2);
            });
            region.as_mut_slice().fill(1);
            other.thread().id()
        });
        assert_ne!(returned, thread::current().id());
        assert_eq!(memory, [1, 1, 1, 2, 2, 2], "it returned after the other thread was done");
    }

    #[test]
    fn unwinding_waits_for_the_pieces_too() {
        let mut memory = [0u8; 4];
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            borrow_blocking(&mut memory, |mut region| {
                let mut tail = region.split_off(2);
                thread::spawn(move || {
                    thread::sleep(MOMENT);
                    tail.as_mut_slice().fill(9);
                });
                panic!("while the other thread still has its piece");
            })
        }));
        assert!(unwound.is_err());
        assert_eq!(memory, [0, 0, 9, 9]);
    }
}
