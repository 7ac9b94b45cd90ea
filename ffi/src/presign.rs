//! `hyd_presign`: URLs that carry their own signature.

use std::ffi::c_char;
use std::time::Duration;

use hydrant::s3::{DeleteObject, GetObject, HeadObject, PutObject, S3Client};

use crate::args::{TextOut, text};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::status::hyd_status;
use crate::store::{hyd_store, use_store};

/// A method of hyd_presign(): read the object.
pub const HYD_PRESIGN_GET: u32 = 1;
/// A method of hyd_presign(): ask what is known of the object.
pub const HYD_PRESIGN_HEAD: u32 = 2;
/// A method of hyd_presign(): store the object. The body is not covered by the signature.
pub const HYD_PRESIGN_PUT: u32 = 3;
/// A method of hyd_presign(): delete the object.
pub const HYD_PRESIGN_DELETE: u32 = 4;

/// Makes a URL with which anybody can make one request for an object of S3, from now on for
/// `life_seconds` (1 second to 7 days), or until the credentials end. It is a secret for that time.
/// Nothing is asked of the server; blocks where credentials have to be asked for first.
///
/// `url` has room for `capacity` bytes, and gets the text with a NUL where it fits; `*need` is its
/// length without the NUL. With `capacity` 0, `url` may be NULL, and the length alone is told.
///
/// Errors: HYD_E_INVALID for a method or a life that is none; HYD_E_AGAIN where the room is too small,
/// and *need is written; HYD_E_CONFIG where there are no credentials; HYD_E_UNSUPPORTED for a store
/// that is not S3.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_presign(
    store: *const hyd_store,
    method: u32,
    key: *const c_char,
    key_len: usize,
    life_seconds: u64,
    url: *mut c_char,
    capacity: usize,
    need: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, out) =
            unsafe { (text(key, key_len, "key")?, TextOut::new(url, capacity, need)?) };
        out.write(&presigned(&store.s3()?, method, key, Duration::from_secs(life_seconds))?)
    })
}

fn presigned(client: &S3Client, method: u32, key: &str, life: Duration) -> Result<String, Failure> {
    let presigned = match method {
        HYD_PRESIGN_GET => client.presign(&GetObject::new(key), life),
        HYD_PRESIGN_HEAD => client.presign(&HeadObject::new(key), life),
        HYD_PRESIGN_PUT => client.presign(&PutObject::new(key, bytes::Bytes::new()), life),
        HYD_PRESIGN_DELETE => client.presign(&DeleteObject::new(key), life),
        other => return Err(Failure::invalid(format!("there is no method {other}"))),
    };
    Ok(presigned?.url)
}
