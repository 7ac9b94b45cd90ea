//! `hyd_presign`: requests for an object of S3 that carry their own signature.

use std::ffi::c_char;
use std::time::{Duration, SystemTime};

use hydrant::PutOptions;
use hydrant::s3::{
    Checksum, DeleteObject, GetObject, HeadObject, Presigned, PutObject, ReadRange, S3Client,
    UploadPart,
};

use crate::args::{Out, TextOut, text};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::meta::algorithm_of;
use crate::object_options::{self, S3Read, check_flags, date, hyd_get_options, hyd_put_options};
use crate::presigned::{self, hyd_presigned};
use crate::sized::{self, SizedStruct};
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
/// A method of hyd_presign_request(): store one part of an upload that was begun. As with a PUT, the
/// body is not covered.
pub const HYD_PRESIGN_PART: u32 = 5;

/// What else a presigned request says; 0 is the default everywhere. Texts end with a NUL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_presign_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// Of a part: which one, from 1 to 10,000.
    pub part_number: u32,
    /// Of a part: the upload. hyd_uploads_next() tells it without a NUL: copy it, and put one behind.
    pub upload_id: *const c_char,
    /// When its life begins, in seconds since 1970, UTC; 0 is now.
    pub from_unix_s: i64,
    /// Of a GET or HEAD: condition, version, and what S3 alone can be asked for. Of a DELETE the version,
    /// `if_match` and in `s3` who asks; of a part `s3` alone.
    pub get: *const hyd_get_options,
    /// Of a PUT: what is said of the object, and under which condition it is stored.
    pub put: *const hyd_put_options,
    /// Of a GET or HEAD: only the bytes from here on,
    pub offset: u64,
    /// and only so many of them; 0 is all.
    pub len: u64,
    /// Of a PUT or a part: HYD_CHECKSUM_*, of `checksum`.
    pub checksum_algorithm: u32,
    /// 0
    pub reserved: u32,
    /// Of a PUT or a part: the checksum of the body in base64, so that no other can be stored.
    pub checksum: *const c_char,
    /// Of a GET or HEAD: what the answer's `Cache-Control` is to be, and so on.
    pub response_cache_control: *const c_char,
    pub response_content_disposition: *const c_char,
    pub response_content_encoding: *const c_char,
    pub response_content_language: *const c_char,
    pub response_content_type: *const c_char,
    pub response_expires: *const c_char,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_presign_options {
    const NAME: &'static str = "hyd_presign_options";
    const BYTES_MIN: usize = 120;
}

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
        let life = Duration::from_secs(life_seconds);
        out.write(&presign(&store.s3()?, method, key, life, Asked::default())?.url)
    })
}

/// Makes a request as hyd_presign() does, that says more: `options`, which may be NULL. What is said in
/// headers is signed too, and has to be sent with just these values: hyd_presigned_info() tells them
/// beside the URL. The caller frees the request.
///
/// Errors: as hyd_presign(), but for HYD_E_AGAIN; HYD_E_INVALID also for options that are not of the
/// method.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_presign_request(
    store: *const hyd_store,
    method: u32,
    key: *const c_char,
    key_len: usize,
    life_seconds: u64,
    options: *const hyd_presign_options,
    presigned: *mut *mut hyd_presigned,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, asked, out) = unsafe {
            (text(key, key_len, "key")?, Asked::read(options)?, Out::new(presigned, "presigned")?)
        };
        let life = Duration::from_secs(life_seconds);
        out.write(presigned::give(presign(&store.s3()?, method, key, life, asked)?)?);
        Ok(())
    })
}

fn presign(
    client: &S3Client,
    method: u32,
    key: &str,
    life: Duration,
    mut asked: Asked,
) -> Result<Presigned, Failure> {
    let from = asked.from.take().unwrap_or_else(SystemTime::now);
    let signed = match method {
        HYD_PRESIGN_GET => client.presign_at(&asked.take_get(key), from, life),
        HYD_PRESIGN_HEAD => client.presign_at(&HeadObject(asked.take_get(key)), from, life),
        HYD_PRESIGN_PUT => client.presign_at(&asked.take_put(key), from, life),
        HYD_PRESIGN_DELETE => client.presign_at(&asked.take_delete(key), from, life),
        HYD_PRESIGN_PART if !asked.names_a_part() => {
            let text = "options: a part has an upload_id, and a part_number from 1 to 10,000";
            return Err(Failure::invalid(text));
        }
        HYD_PRESIGN_PART => client.presign_at(&asked.take_part(key), from, life),
        other => return Err(Failure::invalid(format!("there is no method {other}"))),
    };
    if asked != Asked::default() {
        let text = "options: something is set that a request of this method does not say";
        return Err(Failure::invalid(text));
    }
    Ok(signed?)
}

/// What options ask for. A method takes what is of it, and nothing may be left then.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    from: Option<SystemTime>,
    read: S3Read,
    put: PutOptions,
    range: Option<ReadRange>,
    part_number: u32,
    upload_id: Option<String>,
    checksum: Option<Checksum>,
    /// What the answer's headers are to be, in the order of the struct.
    answers: [Option<String>; 6],
}

impl Asked {
    /// # Safety
    /// `from` is NULL, or readable as far as it says, and so is what it names.
    unsafe fn read(from: *const hyd_presign_options) -> Result<Asked, Failure> {
        let mut asked = Asked::default();
        if from.is_null() {
            return Ok(asked);
        }
        // SAFETY: OWN-3, by the contract of this function.
        let raw = unsafe { sized::read(from, "options")? };
        check_flags("options", 0, 0, raw.reserved)?;
        asked.from = date(raw.from_unix_s, "from_unix_s")?;
        asked.range = range(raw.offset, raw.len)?;
        asked.part_number = raw.part_number;
        // SAFETY: as above.
        unsafe {
            let text = object_options::text;
            asked.upload_id = text(raw.upload_id, "upload_id")?;
            asked.read = object_options::s3_read(raw.get)?;
            asked.put = object_options::put(raw.put)?;
            let value = text(raw.checksum, "checksum")?;
            asked.checksum = checksum(raw.checksum_algorithm, value)?;
            asked.answers = [
                text(raw.response_cache_control, "response_cache_control")?,
                text(raw.response_content_disposition, "response_content_disposition")?,
                text(raw.response_content_encoding, "response_content_encoding")?,
                text(raw.response_content_language, "response_content_language")?,
                text(raw.response_content_type, "response_content_type")?,
                text(raw.response_expires, "response_expires")?,
            ];
        }
        Ok(asked)
    }

    fn names_a_part(&self) -> bool {
        self.upload_id.as_ref().is_some_and(|id| !id.is_empty())
            && (1..=10_000).contains(&self.part_number)
    }

    fn take_get(&mut self, key: &str) -> GetObject {
        let read = std::mem::take(&mut self.read);
        let [cache_control, disposition, encoding, language, content_type, expires] =
            std::mem::take(&mut self.answers);
        let mut get = GetObject::new(key);
        (get.conditions, get.version_id) = (read.conditions, read.version_id);
        get.range = self.range.take();
        (get.customer_key, get.access) = (read.customer_key, read.access);
        get.response_cache_control = cache_control;
        get.response_content_disposition = disposition;
        get.response_content_encoding = encoding;
        get.response_content_language = language;
        get.response_content_type = content_type;
        get.response_expires = expires;
        get
    }

    fn take_put(&mut self, key: &str) -> PutObject {
        let options = std::mem::take(&mut self.put);
        let mut put = PutObject::new(key, bytes::Bytes::new());
        put.object = (&options).into();
        put.conditions = options.write_if.into();
        put.access = options.s3.map(|s3| s3.access).unwrap_or_default();
        put.checksum = self.checksum.take();
        put
    }

    /// What is not of a delete stays, and is found.
    fn take_delete(&mut self, key: &str) -> DeleteObject {
        let mut delete = DeleteObject::new(key);
        delete.version_id = self.read.version_id.take();
        delete.if_match = self.read.conditions.if_match.take();
        delete.access = std::mem::take(&mut self.read.access);
        delete
    }

    fn take_part(&mut self, key: &str) -> UploadPart {
        let upload_id = self.upload_id.take().unwrap_or_default();
        let number = std::mem::take(&mut self.part_number);
        let mut part = UploadPart::new(key, upload_id, number, bytes::Bytes::new());
        part.checksum = self.checksum.take();
        part.customer_key = self.read.customer_key.take();
        part.access = std::mem::take(&mut self.read.access);
        part
    }
}

fn range(offset: u64, len: u64) -> Result<Option<ReadRange>, Failure> {
    match (offset, len) {
        (0, 0) => Ok(None),
        (first, 0) => Ok(Some(ReadRange::From(first))),
        (first, len) => {
            let last = first.checked_add(len - 1);
            let last =
                last.ok_or_else(|| Failure::invalid("options: offset and len are no range"))?;
            Ok(Some(ReadRange::Inclusive { first, last }))
        }
    }
}

fn checksum(number: u32, value: Option<String>) -> Result<Option<Checksum>, Failure> {
    match (algorithm_of(number), value) {
        (None, None) if number == 0 => Ok(None),
        (Some(algorithm), Some(value)) if hydrant::Sum::parse(algorithm, &value).is_some() => {
            Ok(Some(Checksum { algorithm, value }))
        }
        _ => Err(Failure::invalid(
            "options: checksum is the base64 of a checksum, and checksum_algorithm its kind",
        )),
    }
}
