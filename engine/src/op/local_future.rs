//! Futures of one core behind a pointer, whose memory the core keeps for the next.
//!
//! A request of a store is a future that nobody can name, made anew each time. On the heap it would be an allocation a request;
//! here a core that has made one such request has the memory for the next.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A future that stays on its core; made by [`Core::boxed`](crate::Core::boxed).
#[must_use = "a future does nothing unless it is polled"]
pub struct LocalFuture<'a, T> {
    future: NonNull<dyn Future<Output = T> + 'a>,
    /// Given back behind the future, even if that panics when it is dropped.
    _room: Room,
}

impl<'a, T> LocalFuture<'a, T> {
    pub(crate) fn new<F: Future<Output = T> + 'a>(kept: &Rc<Kept>, future: F) -> Self {
        let room = Kept::room(kept, Layout::new::<F>());
        let place = room.start.cast::<F>();
        // SAFETY: the room is as large as the layout of `F` asks and so aligned, and nobody else's until it is given back.
        unsafe { place.write(future) };
        LocalFuture { future: place, _room: room }
    }
}

impl<T> Future for LocalFuture<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // SAFETY: the future was written when this was made, is dropped only with it, and stays at its place until then, wherever
        // this is moved.
        unsafe { Pin::new_unchecked(self.future.as_mut()) }.poll(cx)
    }
}

impl<T> Drop for LocalFuture<'_, T> {
    fn drop(&mut self) {
        // SAFETY: as above; nothing uses it from here on.
        unsafe { self.future.drop_in_place() };
    }
}

impl<T> fmt::Debug for LocalFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalFuture").finish_non_exhaustive()
    }
}

/// Memory of futures that have ended, by sizes.
pub(crate) struct Kept {
    sizes: [RefCell<Vec<NonNull<u8>>>; SIZES],
    bytes: Cell<usize>,
    bytes_max: usize,
}

/// The sizes are powers of two from here on.
const SMALLEST_BYTES: usize = 256;
/// The largest are of 16 KiB. What is larger comes from the heap each time.
const SIZES: usize = 7;
/// A cache line. What asks for more comes from the heap each time.
const ALIGN_BYTES: usize = 64;

impl Kept {
    pub(crate) fn new(bytes_max: usize) -> Kept {
        Kept { sizes: Default::default(), bytes: Cell::new(0), bytes_max }
    }

    fn room(kept: &Rc<Kept>, layout: Layout) -> Room {
        let size = size_for(layout);
        let again = size.and_then(|size| kept.sizes[size].borrow_mut().pop());
        if again.is_some() {
            kept.bytes.set(kept.bytes.get() - size.map_or(0, bytes_of));
        }
        let start = again.unwrap_or_else(|| from_the_heap(block(size, layout)));
        Room { start, size, layout, kept: Rc::clone(kept) }
    }
}

impl Kept {
    /// Keeps the memory of a future that has ended, in place of memory of other sizes where there is too much: what was
    /// asked for last is asked for again.
    fn keep(&self, start: NonNull<u8>, size: usize) {
        let mut bytes = self.bytes.get() + bytes_of(size);
        let others = (0..SIZES).rev().filter(|other| *other != size);
        for other in others {
            while bytes > self.bytes_max
                && let Some(start) = self.sizes[other].borrow_mut().pop()
            {
                // SAFETY: it was allocated with this layout, and a list holds what nobody uses.
                unsafe { dealloc(start.as_ptr(), sized(other)) };
                bytes -= bytes_of(other);
            }
        }
        if bytes <= self.bytes_max {
            self.bytes.set(bytes);
            return self.sizes[size].borrow_mut().push(start);
        }
        self.bytes.set(bytes - bytes_of(size));
        // SAFETY: it was allocated with this layout; its future is gone.
        unsafe { dealloc(start.as_ptr(), sized(size)) };
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for (size, list) in self.sizes.iter_mut().enumerate() {
            for start in list.get_mut().drain(..) {
                // SAFETY: it was allocated with this layout, and a list holds what nobody uses.
                unsafe { dealloc(start.as_ptr(), sized(size)) };
            }
        }
    }
}

/// The memory of one future.
struct Room {
    start: NonNull<u8>,
    /// The number of its size; `None` where it is not kept.
    size: Option<usize>,
    layout: Layout,
    kept: Rc<Kept>,
}

impl Drop for Room {
    fn drop(&mut self) {
        match self.size {
            Some(size) => self.kept.keep(self.start, size),
            // SAFETY: it was allocated with this layout; its future is gone.
            None => unsafe { dealloc(self.start.as_ptr(), block(None, self.layout)) },
        }
    }
}

fn size_for(layout: Layout) -> Option<usize> {
    let bytes = layout.size().max(SMALLEST_BYTES).checked_next_power_of_two()?;
    let size = (bytes / SMALLEST_BYTES).ilog2() as usize;
    (size < SIZES && layout.align() <= ALIGN_BYTES).then_some(size)
}

fn bytes_of(size: usize) -> usize {
    SMALLEST_BYTES << size
}

fn sized(size: usize) -> Layout {
    Layout::from_size_align(bytes_of(size), ALIGN_BYTES).expect("powers of two")
}

/// What is allocated for a layout; never of no bytes, which `alloc` does not take.
fn block(size: Option<usize>, layout: Layout) -> Layout {
    let own = || Layout::from_size_align(layout.size().max(1), layout.align());
    size.map_or_else(|| own().expect("one byte more than none"), sized)
}

fn from_the_heap(layout: Layout) -> NonNull<u8> {
    // SAFETY: `block` makes no layout of no bytes.
    let start = NonNull::new(unsafe { alloc(layout) });
    start.unwrap_or_else(|| handle_alloc_error(layout))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::Waker;

    use super::*;

    fn kept(bytes_max: usize) -> Rc<Kept> {
        Rc::new(Kept::new(bytes_max))
    }

    fn poll<T>(future: &mut LocalFuture<'_, T>) -> Poll<T> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Counts its drops.
    struct Counted<'a>(&'a Cell<u32>);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    async fn holding<const BYTES: usize>(counted: Counted<'_>, last: u8) -> usize {
        let mut held = [0u8; BYTES];
        held[BYTES - 1] = last;
        pending_once().await;
        drop(counted);
        held.iter().map(|byte| usize::from(*byte)).sum()
    }

    async fn pending_once() {
        let mut first = true;
        std::future::poll_fn(|_| {
            if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    #[test]
    fn memory_of_one_size_is_used_again() {
        let (kept, drops) = (kept(1 << 20), Cell::new(0));
        let mut places = Vec::new();
        for last in 1..4 {
            let mut future = LocalFuture::new(&kept, holding::<3000>(Counted(&drops), last));
            places.push(future.future.cast::<u8>());
            assert!(poll(&mut future).is_pending());
            assert_eq!(poll(&mut future), Poll::Ready(last.into()));
            drop(future);
            assert_eq!((drops.get(), kept.bytes.get()), (last.into(), 4096));
        }
        assert!(places.iter().all(|place| *place == places[0]));
    }

    #[test]
    fn a_future_is_dropped_once_whenever_that_is() {
        let (kept, drops) = (kept(1 << 20), Cell::new(0));
        for (polls, so_far) in [(0, 1), (1, 2), (2, 3)] {
            let mut future = LocalFuture::new(&kept, holding::<10>(Counted(&drops), 1));
            for _ in 0..polls {
                let _ = poll(&mut future);
            }
            drop(future);
            assert_eq!(drops.get(), so_far, "after {polls} polls");
        }
    }

    #[test]
    fn no_more_is_kept_than_allowed() {
        let kept = kept(2 * 256);
        let three = [(); 3].map(|()| LocalFuture::new(&kept, pending::<()>()));
        assert_eq!(kept.bytes.get(), 0);
        drop(three);
        assert_eq!(kept.bytes.get(), 512);
        drop([(); 2].map(|()| LocalFuture::new(&kept, pending::<()>())));
        assert_eq!(kept.bytes.get(), 512);
    }

    #[test]
    fn what_is_asked_for_last_is_kept_in_place_of_other_sizes() {
        let (kept, drops) = (kept(4096), Cell::new(0));
        let small = [(); 4].map(|()| LocalFuture::new(&kept, pending::<()>()));
        drop(small);
        assert_eq!((kept.bytes.get(), kept.sizes[0].borrow().len()), (1024, 4));
        drop(LocalFuture::new(&kept, holding::<3000>(Counted(&drops), 1)));
        assert_eq!((kept.bytes.get(), kept.sizes[0].borrow().len()), (4096, 0));
        drop(LocalFuture::new(&kept, pending::<()>()));
        assert_eq!((kept.bytes.get(), kept.sizes[4].borrow().len()), (256, 0));
    }

    #[repr(align(128))]
    struct Wide(u8);

    /// Of no bytes, and not kept.
    #[repr(align(128))]
    struct Nothing;

    impl Future for Nothing {
        type Output = usize;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
            Poll::Ready(std::ptr::from_ref(&*self).addr() % 128)
        }
    }

    #[test]
    fn what_is_large_or_widely_aligned_is_not_kept() {
        let (kept, drops) = (kept(1 << 20), Cell::new(0));
        let mut large = LocalFuture::new(&kept, holding::<20_000>(Counted(&drops), 7));
        assert!(poll(&mut large).is_pending());
        assert_eq!(poll(&mut large), Poll::Ready(7));
        let wide = Wide(9);
        let mut aligned = LocalFuture::new(&kept, async move {
            let held = wide;
            pending_once().await;
            (std::ptr::from_ref(&held).addr() % 128, held.0)
        });
        assert!(poll(&mut aligned).is_pending());
        assert_eq!(poll(&mut aligned), Poll::Ready((0, 9)));
        let mut nothing = LocalFuture::new(&kept, Nothing);
        assert_eq!(poll(&mut nothing), Poll::Ready(0));
        drop((large, aligned, nothing));
        assert_eq!(kept.bytes.get(), 0);
    }

    #[test]
    fn memory_comes_back_from_a_future_that_panics_when_it_is_dropped() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("as asked");
            }
        }
        let kept = kept(1 << 20);
        let panics = Panics;
        let future = LocalFuture::new(&kept, async move {
            let _held = panics;
            ready(()).await;
        });
        assert!(catch_unwind(AssertUnwindSafe(|| drop(future))).is_err());
        assert_eq!(kept.bytes.get(), 256);
    }

    #[test]
    fn a_future_may_outlive_the_core_that_made_it() {
        let (kept, drops) = (kept(1 << 20), Cell::new(0));
        let mut future = LocalFuture::new(&kept, holding::<10>(Counted(&drops), 3));
        drop(kept);
        assert!(poll(&mut future).is_pending());
        assert_eq!(poll(&mut future), Poll::Ready(3));
    }
}
