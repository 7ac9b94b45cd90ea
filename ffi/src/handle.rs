//! Handles: opaque to C, checked at every use.
//!
//! A handle that is destroyed gives its content back at once, but its shell stays: it is kept among
//! the [`RETIRED_MAX`] last of its type, so that using or destroying it again is noticed without
//! reading freed memory.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::args;
use crate::error::Failure;
use crate::status;

/// Shells of each type that are kept after their handles were destroyed, of some 64 bytes each.
pub const RETIRED_MAX: usize = 1024;

/// What a handle can be of.
pub trait Kind: Send + Sync + Sized + 'static {
    /// What people call it.
    const NAME: &'static str;
    /// Tells handles of this type from others, and from memory that is no handle.
    const MAGIC: u64;

    /// Where the shells of this type are kept.
    fn retired() -> &'static Retired<Self>;
}

/// What C has a pointer to. The content is shared with the calls that use it.
pub struct Handle<T> {
    magic: AtomicU64,
    /// Who made it (FORK-1). No lock of a handle is touched in another process: a thread that does
    /// not exist there may hold it.
    process_id: u32,
    content: RwLock<Option<Arc<T>>>,
}

/// The shells of handles that were destroyed, oldest first.
pub struct Retired<T>(Mutex<VecDeque<Shell<T>>>);

struct Shell<T>(NonNull<Handle<T>>);

// SAFETY: A shell is empty, for its content went to whoever retired it, and the queue alone frees it.
unsafe impl<T> Send for Shell<T> {}

impl<T: Kind> Handle<T> {
    /// A handle for C.
    pub fn give(content: Arc<T>) -> *mut Handle<T> {
        Box::into_raw(Box::new(Handle {
            magic: AtomicU64::new(T::MAGIC),
            process_id: std::process::id(),
            content: RwLock::new(Some(content)),
        }))
    }

    /// The content of a handle that C hands in.
    ///
    /// # Safety
    /// `handle` is NULL, or points to 8 readable bytes; if they are the magic of this type, it came
    /// from [`Handle::give`], and is not among those destroyed more than [`RETIRED_MAX`] ago.
    pub unsafe fn get(handle: *const Handle<T>) -> Result<Arc<T>, Failure> {
        // SAFETY: FORK-1, by the contract of this function.
        let handle = unsafe { Self::check(handle)? };
        let content = handle.content.read().unwrap_or_else(PoisonError::into_inner);
        content.clone().ok_or_else(destroyed::<T>)
    }

    /// Takes the content out of a handle, once. `None` for NULL.
    ///
    /// # Safety
    /// As for [`Handle::get`].
    pub unsafe fn retire(handle: *mut Handle<T>) -> Result<Option<Arc<T>>, Failure> {
        let Some(pointer) = NonNull::new(handle) else { return Ok(None) };
        // SAFETY: FORK-1, by the contract of this function.
        let handle = unsafe { Self::check(handle)? };
        let content = handle.content.write().unwrap_or_else(PoisonError::into_inner).take();
        let content = content.ok_or_else(destroyed::<T>)?;
        T::retired().keep(Shell(pointer));
        Ok(Some(content))
    }

    /// # Safety
    /// As for [`Handle::get`].
    unsafe fn check<'a>(handle: *const Handle<T>) -> Result<&'a Handle<T>, Failure> {
        args::usable(handle, T::NAME)?;
        // SAFETY: the magic is the first field, and readable by the contract of this function.
        let magic = unsafe { (*handle).magic.load(Ordering::Acquire) };
        if magic != T::MAGIC {
            let message = format!("this is no handle of {} {}", article(T::NAME), T::NAME);
            return Err(Failure::new(status::HANDLE, message));
        }
        // SAFETY: it is a handle of this type, and its shell is still there.
        let handle = unsafe { &*handle };
        if handle.process_id != std::process::id() {
            return Err(hydrant::Error::from(hydrant::engine::Error::Forked).into());
        }
        Ok(handle)
    }
}

impl<T> Retired<T> {
    /// No shells yet.
    pub const fn new() -> Retired<T> {
        Retired(Mutex::new(VecDeque::new()))
    }

    /// Keeps a shell, and frees the oldest beyond the limit.
    fn keep(&self, shell: Shell<T>) {
        // Never waited for: in a forked child the lock may be held for ever. The price is a shell
        // that is not freed.
        let Ok(mut shells) = self.0.try_lock() else { return };
        shells.push_back(shell);
        if shells.len() > RETIRED_MAX
            && let Some(oldest) = shells.pop_front()
        {
            // SAFETY: `give` made it by `Box::into_raw`; it was put here when its content was taken,
            // which happens once; the header allows no use of handles destroyed so long ago.
            let oldest = unsafe { Box::from_raw(oldest.0.as_ptr()) };
            // Should the memory be looked at all the same, it is no handle any more.
            oldest.magic.store(0, Ordering::Release);
        }
    }
}

fn destroyed<T: Kind>() -> Failure {
    Failure::new(status::HANDLE, format!("this {} was destroyed before", T::NAME))
}

fn article(name: &str) -> &'static str {
    if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing;
    struct Other;

    impl Kind for Thing {
        const NAME: &'static str = "thing";
        const MAGIC: u64 = 1;

        fn retired() -> &'static Retired<Thing> {
            static RETIRED: Retired<Thing> = Retired::new();
            &RETIRED
        }
    }

    impl Kind for Other {
        const NAME: &'static str = "other";
        const MAGIC: u64 = 2;

        fn retired() -> &'static Retired<Other> {
            static RETIRED: Retired<Other> = Retired::new();
            &RETIRED
        }
    }

    fn status_of<T>(result: Result<T, Failure>) -> status::Status {
        result.map_or_else(|failure| failure.status(), |_| status::OK)
    }

    #[test]
    fn the_content_goes_at_once_and_the_shell_is_still_known() {
        let content = Arc::new(Other);
        let handle = Handle::give(Arc::clone(&content));
        // SAFETY: the handle is live, then retired a moment ago.
        unsafe {
            assert_eq!(status_of(Handle::get(handle)), status::OK);
            drop(Handle::retire(handle));
            assert_eq!(Arc::strong_count(&content), 1);
            assert_eq!(status_of(Handle::get(handle)), status::HANDLE);
            assert_eq!(status_of(Handle::retire(handle)), status::HANDLE);
        }
    }

    #[test]
    fn null_and_handles_of_another_type_are_told_apart() {
        let handle = Handle::give(Arc::new(Other));
        // SAFETY: NULL, or a live handle, whose magic is looked at first.
        unsafe {
            assert_eq!(status_of(Handle::<Other>::get(std::ptr::null())), status::INVALID);
            assert_eq!(status_of(Handle::get(handle.cast::<Handle<Thing>>())), status::HANDLE);
            assert!(matches!(Handle::<Other>::retire(std::ptr::null_mut()), Ok(None)));
            assert_eq!(status_of(Handle::retire(handle)), status::OK);
        }
    }

    #[test]
    fn the_shells_are_limited() {
        for _ in 0..RETIRED_MAX + 10 {
            let handle = Handle::give(Arc::new(Thing));
            // SAFETY: the handle is live.
            assert_eq!(status_of(unsafe { Handle::retire(handle) }), status::OK);
        }
        assert_eq!(Thing::retired().0.lock().map(|shells| shells.len()).ok(), Some(RETIRED_MAX));
    }
}
