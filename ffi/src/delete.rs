//! Deleting: of named objects, and of all that begin so.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError};

use hydrant::{DeleteOptions, DeleteReport, Error, OnDeleted, Outcome, Task};

use crate::args::{self, ArrayOut};
use crate::callback::{Lent, User};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::object::hyd_text;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::{self, HYD_E_OTHER, HYD_OK, hyd_status};
use crate::store::{Store, hyd_store, use_store};

/// What came of one key. Its texts are gone after the call that tells it; its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_deleted {
    /// The whole key; no NUL ends it.
    pub key: *const c_char,
    pub key_len: usize,
    /// Why it could not be deleted; no NUL ends it. Of length 0 with HYD_OK.
    pub message: *const c_char,
    pub message_len: usize,
    pub status: hyd_status,
    /// 0
    pub reserved: u32,
}

/// Is told what came of the keys of a batch, each once. It runs on any thread of the engine, also on
/// several at once, and must neither block nor call into the library.
pub type hyd_deleted_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, outcomes: *const hyd_deleted, count: usize)>;

/// What a `hyd_deleted_fn` is when it is one.
pub type DeletedFn =
    unsafe extern "C" fn(user: *mut c_void, outcomes: *const hyd_deleted, count: usize);

/// What was deleted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_delete_report {
    /// Set by the caller.
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// Objects that are gone.
    pub deleted: u64,
    /// Objects that could not be deleted.
    pub failed: u64,
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_delete_report {
    const NAME: &'static str = "hyd_delete_report";
    const BYTES_MIN: usize = 24;
}

impl hyd_delete_report {
    pub fn of(report: &DeleteReport) -> hyd_delete_report {
        hyd_delete_report {
            struct_size: sized::size_of::<hyd_delete_report>(),
            reserved: 0,
            deleted: report.deleted,
            failed: report.failed,
        }
    }
}

/// Deletes objects, many at the same time and on S3 up to 1,000 with one request, and waits for all.
/// One that cannot be deleted stops none of the others. `results` has room for the status of each key,
/// or is NULL; it is written on failure too, but not where nothing was deleted for what the arguments are
/// (HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED).
/// A key that is there twice is told of twice what came of it first.
///
/// Errors: that of the first key that failed, also as an error object: HYD_E_NOT_FOUND where the
/// store tells (S3 does not: there it is success), HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_DISK,
/// HYD_E_CANCELLED. HYD_E_INVALID for a key that is empty or no UTF-8, and then nothing is deleted; of a
/// key that this store cannot have it tells as of any other.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_delete(
    store: *const hyd_store,
    keys: *const hyd_text,
    count: usize,
    results: *mut hyd_status,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (keys, results) =
            unsafe { (named(keys, count)?, ArrayOut::optional(results, count, "results")?) };
        let (task, told) = delete_each(&store, keys);
        let deleted = told.outcomes(&task.wait());
        if let Some(results) = results {
            results.write_all(&deleted.statuses);
        }
        deleted.first.map_or(Ok(()), Err)
    })
}

/// The keys of objects that are to be deleted.
///
/// # Safety
/// `keys` is NULL, or `count` texts there are readable, and so is what they name.
pub unsafe fn named(keys: *const hyd_text, count: usize) -> Result<Vec<String>, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let keys = unsafe { args::array(keys, count, "keys")? };
    // SAFETY: as above.
    let texts = keys.iter().map(|key| unsafe { args::text(key.text, key.len, "a key") });
    texts
        .map(|key| match key? {
            "" => Err(Failure::invalid("a key is empty")),
            key => Ok(key.to_owned()),
        })
        .collect()
}

/// What was told of keys, each of which was deleted once.
pub struct ToldOfKeys {
    keys: Vec<String>,
    told: Arc<Mutex<HashMap<String, Option<Error>>>>,
}

/// What came of keys, in their order.
pub struct EachDeleted {
    pub statuses: Vec<hyd_status>,
    /// Why the first that failed did.
    pub first: Option<Failure>,
}

/// Deletes objects, and notes what came of each.
pub fn delete_each(store: &Store, keys: Vec<String>) -> (Task<DeleteReport>, ToldOfKeys) {
    let told: Arc<Mutex<HashMap<String, Option<Error>>>> = Arc::default();
    let on_deleted: OnDeleted = {
        let told = Arc::clone(&told);
        Arc::new(move |outcomes| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, outcome) in outcomes {
                // Of a key that is there twice, the first that came of it: it was deleted once.
                if let MapEntry::Vacant(place) = told.entry(key.clone()) {
                    place.insert(outcome.as_ref().err().cloned());
                }
            }
        })
    };
    let options = DeleteOptions { on_deleted: Some(on_deleted) };
    let task = store.calls().delete_keys(keys.clone(), options);
    (task, ToldOfKeys { keys, told })
}

impl ToldOfKeys {
    /// What came of each; of those that nothing was told of, what came of the whole.
    pub fn outcomes(self, whole: &hydrant::Result<DeleteReport>) -> EachDeleted {
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        let mut first = None;
        let outcome = |key: &String| {
            let failure = match (told.get(key), whole) {
                (Some(None), _) => return HYD_OK,
                (Some(Some(error)), _) | (None, Err(error)) => error.clone().into(),
                (None, Ok(_)) => Failure::new(HYD_E_OTHER, "nothing was told of this key"),
            };
            let status = failure.status();
            first.get_or_insert(failure);
            status
        };
        let statuses = self.keys.iter().map(outcome).collect();
        EachDeleted { statuses, first }
    }
}

/// Deletes every object whose key begins with `prefix`, while the listing of them goes on, and waits
/// for all; an empty prefix is every object of the store, for files all beneath the working directory. One that cannot be deleted stops none of the
/// others. `told`, which may be NULL, is called during the call alone. `report`, which may be NULL, is
/// written on failure too where objects could not be deleted.
///
/// Errors: that of the first object that could not be deleted. Where a page of the listing fails, its
/// own: what was found before is deleted, nothing is known of the rest, and `report` is not written.
/// HYD_E_CANCELLED; HYD_E_UNSUPPORTED for a store without listings.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_delete_prefix(
    store: *const hyd_store,
    prefix: *const c_char,
    prefix_len: usize,
    told: hyd_deleted_fn,
    user: *mut c_void,
    report: *mut hyd_delete_report,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (prefix, report) = unsafe {
            (args::text(prefix, prefix_len, "prefix")?, SizedOut::optional(report, "report")?)
        };
        let (lent, leave) = Lent::new();
        let listener = told.map(|function| (function, User(user)));
        let on_deleted =
            listener.map(|listener| on_deleted(listener, move |call| leave.call(call)));
        let deleted = store.calls().delete_prefix(prefix, DeleteOptions { on_deleted }).wait();
        drop(lent);
        let deleted = deleted?;
        if let Some(report) = report {
            report.write(hyd_delete_report::of(&deleted));
        }
        deleted.failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(error.into()))
    })
}

/// Outcomes, told to C under `around`, which lends what has to be there meanwhile.
pub fn on_deleted(
    (told, user): (DeletedFn, User),
    around: impl Fn(&dyn Fn()) + Send + Sync + 'static,
) -> OnDeleted {
    Arc::new(move |outcomes: &[_]| around(&|| tell(told, user, outcomes)))
}

fn tell(told: DeletedFn, user: User, outcomes: &[Outcome]) {
    let messages: Vec<Option<String>> =
        outcomes.iter().map(|(_, outcome)| outcome.as_ref().err().map(Error::to_string)).collect();
    let views: Vec<hyd_deleted> = outcomes
        .iter()
        .zip(&messages)
        .map(|((key, outcome), message)| {
            let message = message.as_deref().unwrap_or_default();
            hyd_deleted {
                key: key.as_ptr().cast(),
                key_len: key.len(),
                message: message.as_ptr().cast(),
                message_len: message.len(),
                status: outcome.as_ref().err().map_or(HYD_OK, status::of),
                reserved: 0,
            }
        })
        .collect();
    // SAFETY: OWN-3. The caller said that the function may be called during the call that it was handed
    // to, which is not over; the texts live as long as this.
    unsafe { told(user.get(), views.as_ptr(), views.len()) };
}
