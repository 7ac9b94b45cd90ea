//! `hyd_tags`: the tags of an object of S3.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::s3::{Access, DeleteObjectTagging, GetObjectTagging, PutObjectTagging};

use crate::args::{self, Out};
use crate::attributes::Pairs;
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::object_options::{self, hyd_get_options, hyd_pair, pairs};
use crate::s3_options::TAGS_MAX;
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// The tags of an object.
pub struct hyd_tags(());

kind!(Pairs, hyd_tags, 13, "set of tags");

/// Asks for the tags of an object of S3, which the caller frees. `options`, which may be NULL, name a
/// version, and in `s3` who asks and who pays; nothing else of them is for tags.
///
/// Errors: HYD_E_NOT_FOUND; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
/// HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_tags_get(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    tags: *mut *mut hyd_tags,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, (version_id, access), out) =
            unsafe { (args::text(key, key_len, "key")?, whose(options)?, Out::new(tags, "tags")?) };
        let mut ask = GetObjectTagging::new(key);
        (ask.version_id, ask.access) = (version_id, access);
        let told = store.s3()?.send(ask).wait()?;
        out.write(handle::give(Arc::new(Pairs::of(&told.tags)))?);
        Ok(())
    })
}

/// Where tags are: `count` of them lie end to end at `*pairs`, valid until they are freed.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_tags_view(
    tags: *const hyd_tags,
    pairs: *mut *const hyd_pair,
    count: *mut usize,
) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| {
        let tags = handle::get::<Pairs>(tags)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (pairs, count) = unsafe { (Out::new(pairs, "pairs")?, Out::new(count, "count")?) };
        let (first, len) = tags.view();
        pairs.write(first);
        count.write(len);
        Ok(())
    })
}

/// Frees tags; NULL is fine. Their texts are gone.
///
/// Errors: HYD_E_HANDLE when they were freed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread reads a view of them.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_tags_free(tags: *mut hyd_tags) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Pairs>(tags).map(drop))
}

/// Replaces the tags of an object of S3 by `count` others, or with 0 takes all away, and waits until the
/// server has. S3 takes 10. `options` as at hyd_tags_get().
///
/// Errors: as hyd_tags_get().
///
/// Threads: any, also many at once with one store; of two that set those of one object at once, the last
/// wins.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_tags_set(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    tags: *const hyd_pair,
    count: usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, (version_id, access), tags) = unsafe {
            let tags = pairs(tags, count, TAGS_MAX, "tags")?;
            (args::text(key, key_len, "key")?, whose(options)?, tags)
        };
        let client = store.s3()?;
        if tags.is_empty() {
            let mut delete = DeleteObjectTagging::new(key);
            (delete.version_id, delete.access) = (version_id, access);
            client.send(delete).wait()?;
        } else {
            let mut put = PutObjectTagging::new(key, tags);
            (put.version_id, put.access) = (version_id, access);
            client.send(put).wait()?;
        }
        Ok(())
    })
}

/// Of which version, and who asks.
///
/// # Safety
/// As for [`object_options::s3_read`].
unsafe fn whose(options: *const hyd_get_options) -> Result<(Option<String>, Access), Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    unsafe { object_options::s3_read(options)? }.only_version("tags")
}
