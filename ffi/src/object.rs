//! Calls about one object, each of which blocks until it is done.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hydrant::{Etag, ObjectMeta, PutOptions};

use crate::args::{self, Out};
use crate::error::{ErrorOut, Failure};
use crate::guard::{self, Entry};
use crate::handle::Handle;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::Status;
use crate::store::Store;

/// `HYD_TIME_UNKNOWN`
pub const TIME_UNKNOWN: i64 = i64::MIN;

/// A tag and its NUL.
const ETAG_BYTES: usize = 128;
const _: () = assert!(Etag::BYTES_MAX < ETAG_BYTES);

/// `hyd_object_meta`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ObjectMetaView {
    pub struct_size: u32,
    pub reserved: u32,
    pub size_bytes: u64,
    pub modified_unix_ns: i64,
    pub etag: [u8; ETAG_BYTES],
}

// SAFETY: `repr(C)`, integers alone, no padding (the test of the header compares every offset), the
// size first.
unsafe impl SizedStruct for ObjectMetaView {
    const NAME: &'static str = "hyd_object_meta";
    const BYTES_MIN: usize = 152;
}

/// Fills memory of the caller.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_get_range(
    store: *const Handle<Store>,
    key: *const c_char,
    key_len: usize,
    offset: u64,
    dst: *mut c_void,
    dst_len: usize,
    read_len: *mut usize,
    error: ErrorOut,
) -> Status {
    guard::entry(error, |entry| {
        // SAFETY: FORK-1 and OWN-3. The caller says that `store` is NULL or a handle, and lends what
        // the other pointers name for the time of the call; `get_into` returns only when the kernel
        // is done with the memory, on unwinding too.
        let (store, key, dst, read_len) = unsafe {
            (
                use_store(entry, store)?,
                args::text(key, key_len, "key")?,
                args::bytes_mut(dst, dst_len, "dst")?,
                Out::new(read_len, "read_len")?,
            )
        };
        read_len.write(store.store.get_into(key, offset, dst)?);
        Ok(())
    })
}

/// Writes an object from memory of the caller.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_put(
    store: *const Handle<Store>,
    key: *const c_char,
    key_len: usize,
    data: *const c_void,
    data_len: usize,
    meta: *mut ObjectMetaView,
    error: ErrorOut,
) -> Status {
    guard::entry(error, |entry| {
        // SAFETY: FORK-1 and OWN-3. The caller says that `store` is NULL or a handle, and lends what
        // the other pointers name for the time of the call. The writer keeps nothing of `data`.
        let (store, key, data, meta) = unsafe {
            (
                use_store(entry, store)?,
                args::text(key, key_len, "key")?,
                args::bytes(data, data_len, "data")?,
                SizedOut::optional(meta, "meta")?,
            )
        };
        let written = store.put(key, data)?;
        if let Some(meta) = meta {
            meta.write(ObjectMetaView::of(&written));
        }
        Ok(())
    })
}

/// Tells what is known of an object.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_stat(
    store: *const Handle<Store>,
    key: *const c_char,
    key_len: usize,
    meta: *mut ObjectMetaView,
    error: ErrorOut,
) -> Status {
    guard::entry(error, |entry| {
        // SAFETY: FORK-1 and OWN-3. The caller says that `store` is NULL or a handle, and lends what
        // the other pointers name for the time of the call.
        let (store, key, meta) = unsafe {
            (
                use_store(entry, store)?,
                args::text(key, key_len, "key")?,
                SizedOut::new(meta, "meta")?,
            )
        };
        meta.write(ObjectMetaView::of(&store.store.head(key).wait()?));
        Ok(())
    })
}

/// Deletes an object.
///
/// # Safety
/// The header's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_delete(
    store: *const Handle<Store>,
    key: *const c_char,
    key_len: usize,
    error: ErrorOut,
) -> Status {
    guard::entry(error, |entry| {
        // SAFETY: FORK-1 and OWN-3. The caller says that `store` is NULL or a handle, and lends the
        // key for the time of the call.
        let (store, key) = unsafe { (use_store(entry, store)?, args::text(key, key_len, "key")?) };
        Ok(store.store.delete(key).wait()?)
    })
}

impl Store {
    /// The borrowed bytes are copied into the pool as they go (DATA-1 counts that as borrowed); with
    /// an error the writer is dropped, which aborts (DATA-3).
    fn put(&self, key: &str, data: &[u8]) -> hydrant::Result<ObjectMeta> {
        let mut writer = self.store.writer(key, PutOptions::default())?;
        writer.write_wait(data)?;
        writer.finish_wait()
    }
}

impl ObjectMetaView {
    fn of(meta: &ObjectMeta) -> ObjectMetaView {
        let mut etag = [0; ETAG_BYTES];
        if let Some(tag) = &meta.etag {
            etag[..tag.as_str().len()].copy_from_slice(tag.as_str().as_bytes());
        }
        ObjectMetaView {
            struct_size: sized::size_of::<ObjectMetaView>(),
            reserved: 0,
            size_bytes: meta.size_bytes,
            modified_unix_ns: meta.modified.and_then(unix_ns).unwrap_or(TIME_UNKNOWN),
            etag,
        }
    }
}

/// The store of a handle, in an engine that a panic of this entry poisons.
///
/// # Safety
/// As for [`Handle::get`].
unsafe fn use_store(
    entry: &mut Entry,
    handle: *const Handle<Store>,
) -> Result<Arc<Store>, Failure> {
    // SAFETY: FORK-1, by the contract of this function.
    let store = unsafe { Handle::get(handle)? };
    entry.uses(&store.engine.poison)?;
    Ok(store)
}

/// Nanoseconds since 1970; `None` beyond the years 1677 and 2262.
fn unix_ns(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|ns| -ns),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_longest_tag_keeps_its_nul() {
        let longest = "x".repeat(Etag::BYTES_MAX);
        let mut meta = ObjectMeta::of_size(7);
        meta.etag = Etag::new(&longest);
        let view = ObjectMetaView::of(&meta);
        assert_eq!(&view.etag[..Etag::BYTES_MAX], longest.as_bytes());
        assert_eq!(view.etag[Etag::BYTES_MAX..], [0; ETAG_BYTES - Etag::BYTES_MAX]);
        assert_eq!((view.size_bytes, view.modified_unix_ns), (7, TIME_UNKNOWN));
    }

    #[test]
    fn times_before_and_after_1970() {
        let second = Duration::from_secs(1);
        assert_eq!(unix_ns(UNIX_EPOCH + second), Some(1_000_000_000));
        assert_eq!(unix_ns(UNIX_EPOCH - second), Some(-1_000_000_000));
        assert_eq!(unix_ns(UNIX_EPOCH + Duration::from_secs(1 << 40)), None);
    }
}
