//! Buckets of S3: which there are, making and deleting them.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::s3::{
    Bucket, CreateBucket, DeleteBucket, GetBucketLocation, HeadBucket, ListBuckets, ListBucketsPage,
};

use crate::args::{self, Out, fixed_text};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::meta::{HYD_TIME_UNKNOWN, unix_ns};
use crate::object_options::{check_flags, hyd_pair, pairs, text};
use crate::pages::{Asked, Pages, Source};
use crate::s3_options::{self, TAGS_MAX, hyd_s3_get_options};
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A listing of buckets.
pub struct hyd_buckets(());

/// A bit of hyd_bucket_options.flags: objects in it can be locked.
pub const HYD_BUCKET_OBJECT_LOCK: u32 = 1;

/// A bit of hyd_bucket_info.flags: the name is an alias of an access point.
pub const HYD_BUCKET_ALIAS: u32 = 1;

/// How a bucket is made; 0 is the default everywhere. Texts end with a NUL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_bucket_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_BUCKET_*
    pub flags: u32,
    /// The region to make it in, instead of the endpoint's own.
    pub region: *const c_char,
    /// A canned ACL.
    pub acl: *const c_char,
    /// "BucketOwnerPreferred", "ObjectWriter" or "BucketOwnerEnforced".
    pub object_ownership: *const c_char,
    /// Who has all rights to it: "id=\"...\"", "uri=\"...\"", several with commas between.
    pub grant_full_control: *const c_char,
    /// Who may list it.
    pub grant_read: *const c_char,
    /// Who may read its ACL.
    pub grant_read_acp: *const c_char,
    /// Who may make objects in it.
    pub grant_write: *const c_char,
    /// Who may write its ACL.
    pub grant_write_acp: *const c_char,
    /// Of the bucket.
    pub tags: *const hyd_pair,
    pub tags_count: usize,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_bucket_options {
    const NAME: &'static str = "hyd_bucket_options";
    const BYTES_MIN: usize = 32;
}

/// What is told of a bucket.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_bucket_info {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_BUCKET_ALIAS
    pub flags: u32,
    /// Where it is; NUL-terminated, empty where the server does not tell.
    pub region: [c_char; 64],
    /// The zone, on S3 Express; as `region`.
    pub location_name: [c_char; 64],
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_bucket_info {
    const NAME: &'static str = "hyd_bucket_info";
    const BYTES_MIN: usize = 136;
}

impl hyd_bucket_info {
    fn of(flags: u32, region: Option<String>, location_name: Option<String>) -> hyd_bucket_info {
        let text = |told: Option<String>| fixed_text(told.as_deref().unwrap_or_default());
        let struct_size = sized::size_of::<hyd_bucket_info>();
        let (region, location_name) = (text(region), text(location_name));
        hyd_bucket_info { struct_size, flags, region, location_name }
    }
}

/// A bucket of the account. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_bucket {
    /// No NUL ends it.
    pub name: *const c_char,
    pub name_len: usize,
    /// Where it is; no NUL ends it. Of length 0 where the server does not tell.
    pub region: *const c_char,
    pub region_len: usize,
    /// When it was made, in nanoseconds since 1970, UTC; HYD_TIME_UNKNOWN.
    pub created_unix_ns: i64,
}

/// What a buckets handle holds.
pub type Buckets = Pages<Asked<ListBuckets>>;

kind!(Buckets, hyd_buckets, 12, "listing of buckets");

impl Source for Asked<ListBuckets> {
    type Page = ListBucketsPage;
    type Entry = Bucket;
    type View = hyd_bucket;

    fn next_page(&mut self) -> Option<Result<ListBucketsPage, Failure>> {
        self.ask(|mut ask, page| {
            ask.continuation_token.clone_from(&page.continuation_token);
            let further = ask.continuation_token.is_some();
            (page, further.then_some(ask))
        })
    }

    fn entries(page: &ListBucketsPage) -> &[Bucket] {
        &page.buckets
    }

    fn view(entry: &Bucket) -> hyd_bucket {
        let region = entry.region.as_deref().unwrap_or_default();
        hyd_bucket {
            name: entry.name.as_ptr().cast(),
            name_len: entry.name.len(),
            region: region.as_ptr().cast(),
            region_len: region.len(),
            created_unix_ns: entry.created.and_then(unix_ns).unwrap_or(HYD_TIME_UNKNOWN),
        }
    }
}

/// Makes the bucket of a store, which was opened by its URI as any other, and waits until it is there.
/// `options` may be NULL.
///
/// Errors: HYD_E_OTHER where there is one of this name, with the S3 code BucketAlreadyOwnedByYou or
/// BucketAlreadyExists; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
/// HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_bucket_create(
    store: *const hyd_store,
    options: *const hyd_bucket_options,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let mut create = CreateBucket::default();
        if !options.is_null() {
            // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
            unsafe {
                let raw = sized::read(options, "options")?;
                check_flags("options", raw.flags, HYD_BUCKET_OBJECT_LOCK, 0)?;
                create.region = text(raw.region, "region")?;
                create.acl = text(raw.acl, "acl")?;
                create.object_ownership = text(raw.object_ownership, "object_ownership")?;
                create.grant_full_control = text(raw.grant_full_control, "grant_full_control")?;
                create.grant_read = text(raw.grant_read, "grant_read")?;
                create.grant_read_acp = text(raw.grant_read_acp, "grant_read_acp")?;
                create.grant_write = text(raw.grant_write, "grant_write")?;
                create.grant_write_acp = text(raw.grant_write_acp, "grant_write_acp")?;
                create.tags = pairs(raw.tags, raw.tags_count, TAGS_MAX, "options->tags")?;
                create.object_lock = raw.flags & HYD_BUCKET_OBJECT_LOCK != 0;
            }
        }
        store.s3()?.send(create).wait()?;
        Ok(())
    })
}

/// Deletes the bucket of a store, which must be empty, and waits until it is gone. `options`, which may
/// be NULL, say who asks. The store stays a handle; what is asked of it gives HYD_E_NOT_FOUND.
///
/// Errors: HYD_E_NOT_FOUND; HYD_E_OTHER where there are objects in it, with the S3 code BucketNotEmpty;
/// HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY, HYD_E_CONFIG,
/// HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_bucket_delete(
    store: *const hyd_store,
    options: *const hyd_s3_get_options,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let mut delete = DeleteBucket::default();
        // SAFETY: OWN-3. The caller lends what the pointer names for the time of the call.
        delete.access = unsafe { s3_options::only_access(options)? };
        Ok(store.s3()?.send(delete).wait()?)
    })
}

/// Asks whether the bucket of a store is there and may be used. `options`, which may be NULL, say who
/// asks. `info` may be NULL.
///
/// Errors: HYD_E_NOT_FOUND; HYD_E_CONFIG where it may not be used, of which hyd_error_view may tell the region
/// all the same; HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID, HYD_E_TEMPORARY,
/// HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_bucket_head(
    store: *const hyd_store,
    options: *const hyd_s3_get_options,
    info: *mut hyd_bucket_info,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let mut head = HeadBucket::default();
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let info = unsafe {
            head.access = s3_options::only_access(options)?;
            SizedOut::optional(info, "info")?
        };
        let told = store.s3()?.send(head).wait()?;
        if let Some(info) = info {
            let flags = if told.access_point_alias { HYD_BUCKET_ALIAS } else { 0 };
            info.write(hyd_bucket_info::of(flags, told.region, told.location_name));
        }
        Ok(())
    })
}

/// Asks in which region the bucket of a store is, which comes as `region` of `info`, and nothing else:
/// for servers that do not tell it with hyd_bucket_head(). `options`, which may be NULL, say who asks.
///
/// Errors: HYD_E_NOT_FOUND; HYD_E_CONFIG where it may not be asked; HYD_E_UNSUPPORTED for a store that is
/// not S3; HYD_E_INVALID, HYD_E_TEMPORARY, HYD_E_CANCELLED.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_bucket_location(
    store: *const hyd_store,
    options: *const hyd_s3_get_options,
    info: *mut hyd_bucket_info,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let mut ask = GetBucketLocation::default();
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let info = unsafe {
            ask.access = s3_options::only_access(options)?;
            SizedOut::new(info, "info")?
        };
        let region = store.s3()?.send(ask).wait()?;
        info.write(hyd_bucket_info::of(0, Some(region), None));
        Ok(())
    })
}

/// Lists the buckets whose names begin with `prefix` and that are in `region`, a text with a NUL at its
/// end or NULL, of the account that a store of S3 signs for, whatever its own bucket. The caller closes
/// the listing. Nothing is asked of the server yet.
///
/// Errors: HYD_E_UNSUPPORTED for a store that is not S3; HYD_E_INVALID.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_buckets_open(
    store: *const hyd_store,
    prefix: *const c_char,
    prefix_len: usize,
    region: *const c_char,
    buckets: *mut *mut hyd_buckets,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let mut ask = ListBuckets::default();
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (prefix, out) = unsafe {
            ask.bucket_region = text(region, "region")?;
            (args::text(prefix, prefix_len, "prefix")?, Out::new(buckets, "buckets")?)
        };
        ask.prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
        let asked = Asked::new(store.s3()?, ask);
        let pages = Pages::new(Arc::clone(&store.engine), asked, ListBucketsPage::default());
        out.write(handle::give(Arc::new(pages))?);
        Ok(())
    })
}

/// The next buckets, `max` at most; `count` of 0 is the end. Their texts are valid until the next call
/// with this listing. Waits for a page of the server where that is needed.
///
/// Errors: HYD_E_BUSY while another thread is in a call with the listing; those of the server, after
/// which the listing is at its end.
///
/// Threads: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_buckets_next(
    buckets: *mut hyd_buckets,
    entries: *mut hyd_bucket,
    max: usize,
    count: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let buckets = handle::get::<Buckets>(buckets)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe { buckets.next(entry, entries, max, count) }
    })
}

/// Closes a listing of buckets; NULL is fine. The texts of its entries are gone.
///
/// Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
///
/// Threads: any; not while another thread uses entries of it.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_buckets_close(buckets: *mut hyd_buckets) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Buckets>(buckets).map(drop))
}
