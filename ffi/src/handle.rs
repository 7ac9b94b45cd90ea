//! Handles: opaque to C, checked at every use.
//!
//! A handle is a number in the place of a pointer: which kind it is, which process made it, which
//! slot it is in, and which of the slot's owners it is. Nothing is ever read through it, so whatever
//! C hands in, noise or a handle of yesterday, is told apart from one that lives, and never crashes.
//! Slots are never freed; their content is, as soon as the handle ends and the last call that uses
//! it returns.

use std::ptr::{null_mut, without_provenance_mut};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::error::Failure;
use crate::fork;
use crate::status;

/// Live handles of one kind at most (LIMIT-1): a slot takes 32 bytes.
pub const HANDLES_MAX: u32 = FIRST_CHUNK * ((1 << CHUNKS) - 1);

/// Chunks of 64, 128, 256, … slots.
const FIRST_CHUNK: u32 = 64;
const CHUNKS: usize = 14;

/// Which owner of a slot a handle is; one short of this, a slot is not used again.
const GENERATION_MAX: u32 = (1 << 28) - 1;

/// What a handle can be of.
pub trait Kind: Send + Sync + Sized + 'static {
    /// The type that the header declares.
    type C;
    /// What people call it.
    const NAME: &'static str;
    /// Tells handles of this kind from others; 1 to 255.
    const TAG: u8;

    /// Where the handles of this kind are kept.
    fn table() -> &'static Table<Self>;
}

/// Says where the handles of a kind are kept.
macro_rules! kind {
    ($content:ty, $c:ty, $tag:literal, $name:literal) => {
        impl crate::handle::Kind for $content {
            type C = $c;
            const NAME: &'static str = $name;
            const TAG: u8 = $tag;

            fn table() -> &'static crate::handle::Table<Self> {
                static TABLE: crate::handle::Table<$content> = crate::handle::Table::new();
                &TABLE
            }
        }
    };
}
pub(crate) use kind;

/// The handles of one kind.
pub struct Table<T> {
    /// Of the process that used it last. A forked child gets slots of its own: a lock of its parent
    /// may be held by a thread that the child does not have (FORK-1). The parent's are left alone.
    current: AtomicPtr<Slots<T>>,
}

struct Slots<T> {
    epoch: u8,
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    free: Mutex<Free>,
}

#[derive(Default)]
struct Free {
    slots: Vec<u32>,
    /// Slots from here on were never used.
    next: u32,
}

struct Slot<T>(RwLock<Owner<T>>);

struct Owner<T> {
    generation: u32,
    content: Option<Arc<T>>,
}

/// A handle, taken apart: 8 bits of tag, 8 of epoch, 20 of slot and 28 of generation. The tag makes
/// an address that no pointer of a program has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Parts {
    tag: u8,
    epoch: u8,
    slot: u32,
    generation: u32,
}

/// A handle for C.
///
/// # Errors
/// `AGAIN` when there are [`HANDLES_MAX`] of the kind.
pub fn give<T: Kind>(content: Arc<T>) -> Result<*mut T::C, Failure> {
    let slots = T::table().of_this_process();
    let slot = slots.take_free().ok_or_else(|| too_many::<T>())?;
    let mut owner = slots.owner(slot).0.write().unwrap_or_else(PoisonError::into_inner);
    owner.content = Some(content);
    let parts = Parts { tag: T::TAG, epoch: slots.epoch, slot, generation: owner.generation };
    Ok(without_provenance_mut(parts.pack()))
}

/// The content of a handle that C hands in.
///
/// # Errors
/// `INVALID` for NULL, `HANDLE` for one that is no handle of this kind or has ended, `FORKED`.
pub fn get<T: Kind>(handle: *const T::C) -> Result<Arc<T>, Failure> {
    if handle.is_null() {
        return Err(Failure::invalid(format!("the {} is NULL", T::NAME)));
    }
    let (slot, generation) = find::<T>(handle)?;
    let owner = slot.0.read().unwrap_or_else(PoisonError::into_inner);
    let content = owner.content.as_ref().filter(|_| owner.generation == generation);
    content.cloned().ok_or_else(ended::<T>)
}

/// The content of a handle that may be left out.
pub fn get_optional<T: Kind>(handle: *const T::C) -> Result<Option<Arc<T>>, Failure> {
    if handle.is_null() { Ok(None) } else { get(handle).map(Some) }
}

/// Takes the content out of a handle, once. `None` for NULL.
///
/// # Errors
/// As [`get`], but for NULL.
pub fn retire<T: Kind>(handle: *const T::C) -> Result<Option<Arc<T>>, Failure> {
    retire_if(handle, |_| Ok(()))
}

/// The same if `may` says so; meanwhile no other call gets at the content by the handle.
///
/// # Errors
/// As [`retire`], and that of `may`; the handle lives on then.
pub fn retire_if<T: Kind>(
    handle: *const T::C,
    may: impl FnOnce(&Arc<T>) -> Result<(), Failure>,
) -> Result<Option<Arc<T>>, Failure> {
    if handle.is_null() {
        return Ok(None);
    }
    let (slot, generation) = find::<T>(handle)?;
    let mut owner = slot.0.write().unwrap_or_else(PoisonError::into_inner);
    let content = owner.content.as_ref().filter(|_| owner.generation == generation);
    may(content.ok_or_else(ended::<T>)?)?;
    let content = owner.content.take();
    owner.generation += 1;
    if owner.generation < GENERATION_MAX {
        drop(owner);
        T::table().of_this_process().put_free(Parts::unpack(handle.addr()).slot);
    }
    Ok(content)
}

fn find<T: Kind>(handle: *const T::C) -> Result<(&'static Slot<T>, u32), Failure> {
    let parts = Parts::unpack(handle.addr());
    let foreign = || {
        let article = if T::NAME.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let message = format!("this is no handle of {article} {}", T::NAME);
        Failure::new(status::HYD_E_HANDLE, message)
    };
    if parts.tag != T::TAG {
        return Err(foreign());
    }
    let epoch = fork::epoch();
    if parts.epoch < epoch {
        return Err(hydrant::Error::from(hydrant::engine::Error::Forked).into());
    }
    let slots = T::table().current().filter(|slots| slots.epoch == epoch && parts.epoch == epoch);
    let slot = slots.and_then(|slots| slots.look(parts.slot)).ok_or_else(foreign)?;
    Ok((slot, parts.generation))
}

impl<T> Table<T> {
    /// No handles yet.
    pub const fn new() -> Table<T> {
        Table { current: AtomicPtr::new(null_mut()) }
    }

    fn current(&self) -> Option<&'static Slots<T>> {
        // SAFETY: FORK-1. NULL, or put here by `of_this_process`, which leaks what it puts.
        unsafe { self.current.load(Ordering::Acquire).as_ref() }
    }

    fn of_this_process(&self) -> &'static Slots<T> {
        fork::watch();
        loop {
            let epoch = fork::epoch();
            let current = self.current.load(Ordering::Acquire);
            // SAFETY: FORK-1. As in `current`.
            match unsafe { current.as_ref() } {
                Some(slots) if slots.epoch == epoch => return slots,
                _ => {
                    let fresh = Box::into_raw(Box::new(Slots::new(epoch)));
                    let (acquire, release) = (Ordering::Acquire, Ordering::AcqRel);
                    let put = self.current.compare_exchange(current, fresh, release, acquire);
                    if put.is_err() {
                        // SAFETY: made two lines above, and nobody else has seen it.
                        drop(unsafe { Box::from_raw(fresh) });
                    }
                }
            }
        }
    }
}

impl<T> Slots<T> {
    fn new(epoch: u8) -> Slots<T> {
        Slots { epoch, chunks: [const { OnceLock::new() }; CHUNKS], free: Mutex::default() }
    }

    fn take_free(&self) -> Option<u32> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = free.slots.pop() {
            return Some(slot);
        }
        let slot = free.next;
        free.next = (slot < HANDLES_MAX).then_some(slot + 1)?;
        Some(slot)
    }

    fn put_free(&self, slot: u32) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).slots.push(slot);
    }

    /// A slot that was handed out; its chunk is made on first use.
    fn owner(&self, slot: u32) -> &Slot<T> {
        let (chunk, at) = place(slot);
        let empty = || Slot(RwLock::new(Owner { generation: 0, content: None }));
        let chunk = self.chunks[chunk]
            .get_or_init(|| (0..(FIRST_CHUNK << chunk)).map(|_| empty()).collect());
        &chunk[at]
    }

    fn look(&self, slot: u32) -> Option<&Slot<T>> {
        let (chunk, at) = place(slot);
        self.chunks.get(chunk)?.get()?.get(at)
    }
}

/// The chunk of a slot, and its place in it.
fn place(slot: u32) -> (usize, usize) {
    let chunk = (slot / FIRST_CHUNK + 1).ilog2();
    (chunk as usize, (slot - FIRST_CHUNK * ((1 << chunk) - 1)) as usize)
}

impl Parts {
    fn pack(self) -> usize {
        let slot_and_generation = (self.slot as usize) << 28 | self.generation as usize;
        (self.tag as usize) << 56 | (self.epoch as usize) << 48 | slot_and_generation
    }

    fn unpack(address: usize) -> Parts {
        Parts {
            tag: (address >> 56) as u8,
            epoch: (address >> 48) as u8,
            slot: (address >> 28) as u32 & ((1 << 20) - 1),
            generation: address as u32 & GENERATION_MAX,
        }
    }
}

fn ended<T: Kind>() -> Failure {
    Failure::new(status::HYD_E_HANDLE, format!("this {} has ended before", T::NAME))
}

fn too_many<T: Kind>() -> Failure {
    let message = format!("there are {HANDLES_MAX} handles of this kind ({}); end some", T::NAME);
    Failure::new(status::HYD_E_AGAIN, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(u32);
    struct Other;
    struct CThing;
    struct COther;

    kind!(Thing, CThing, 250, "thing");
    kind!(Other, COther, 251, "other");

    fn status_of<T>(result: Result<T, Failure>) -> status::hyd_status {
        result.map_or_else(|failure| failure.status(), |_| status::HYD_OK)
    }

    #[test]
    fn the_content_goes_at_once_and_the_handle_is_known_for_ever() {
        let content = Arc::new(Other);
        let handle = give(Arc::clone(&content)).expect("room");
        assert_eq!(status_of(get::<Other>(handle)), status::HYD_OK);
        drop(retire::<Other>(handle));
        assert_eq!(Arc::strong_count(&content), 1);
        // The slot has other owners now, and the old handle is none of them.
        for _ in 0..3000 {
            let later = give(Arc::new(Other)).expect("room");
            assert_eq!(status_of(get::<Other>(handle)), status::HYD_E_HANDLE);
            assert_eq!(status_of(retire::<Other>(handle)), status::HYD_E_HANDLE);
            assert_eq!(status_of(retire::<Other>(later)), status::HYD_OK);
        }
    }

    #[test]
    fn null_noise_and_handles_of_another_kind_are_told_apart() {
        let handle = give(Arc::new(Thing(7))).expect("room");
        assert_eq!(get::<Thing>(handle).map(|thing| thing.0).ok(), Some(7));
        assert_eq!(status_of(get::<Other>(handle.cast())), status::HYD_E_HANDLE);
        assert_eq!(status_of(get::<Thing>(null_mut())), status::HYD_E_INVALID);
        assert!(matches!(retire::<Thing>(null_mut()), Ok(None)));
        for noise in [1, 8, 0x7fff_dead_beef, usize::MAX, 250 << 56 | 77 << 28, handle.addr() + 1] {
            let noise = without_provenance_mut(noise);
            assert_eq!(status_of(get::<Thing>(noise)), status::HYD_E_HANDLE, "{noise:?}");
        }
        assert_eq!(status_of(retire::<Thing>(handle)), status::HYD_OK);
    }

    #[test]
    fn a_handle_stays_when_it_may_not_end() {
        let handle = give(Arc::new(Thing(1))).expect("room");
        let kept = retire_if::<Thing>(handle, |_| Err(Failure::invalid("in use")));
        assert_eq!(status_of(kept), status::HYD_E_INVALID);
        assert_eq!(status_of(get::<Thing>(handle)), status::HYD_OK);
        assert_eq!(status_of(retire::<Thing>(handle)), status::HYD_OK);
    }

    #[test]
    fn every_slot_has_a_place_of_its_own() {
        let mut expected = (0, 0);
        for slot in 0..HANDLES_MAX {
            assert_eq!(place(slot), expected, "{slot}");
            expected.1 += 1;
            if expected.1 == (FIRST_CHUNK as usize) << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        let parts = Parts { tag: 200, epoch: 3, slot: HANDLES_MAX - 1, generation: GENERATION_MAX };
        assert_eq!(Parts::unpack(parts.pack()), parts);
    }
}
