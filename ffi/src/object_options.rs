//! How an object is read and written, where that is not said by default.

use std::ffi::c_char;
use std::time::{Duration, SystemTime};

use hydrant::s3::{Access, Conditions, CustomerKey};
use hydrant::{Attributes, Etag, PutOptions, ReadIf, ReadOptions, WriteIf, WriterOptions};

use crate::args;
use crate::error::Failure;
use crate::s3_options::{self, hyd_s3_get_options, hyd_s3_put_options};
use crate::sized::{self, SizedStruct};

/// A bit of hyd_put_options.flags: write only where there is no object of this key, which is looked at
/// in one step with the object's becoming visible: of many that write so, one succeeds.
pub const HYD_PUT_IF_ABSENT: u32 = 1;

/// Names and values of one object at most (LIMIT-1); S3 takes 2 KiB of them.
const METADATA_MAX: usize = 2048;

/// A name and its value. Both end with a NUL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_pair {
    pub name: *const c_char,
    pub value: *const c_char,
}

/// How an object is written; 0 is the default everywhere. Texts end with a NUL. Stores of files keep
/// nothing of what is said of the content.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_put_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_PUT_*
    pub flags: u32,
    pub content_type: *const c_char,
    pub cache_control: *const c_char,
    pub content_disposition: *const c_char,
    pub content_encoding: *const c_char,
    pub content_language: *const c_char,
    /// Seconds since 1970, UTC.
    pub expires_unix_s: i64,
    /// The user's own names and values; S3 keeps the names in lower case.
    pub metadata: *const hyd_pair,
    pub metadata_count: usize,
    /// The tag of the object that is replaced, as hyd_object_meta has it: where there is another one,
    /// or none, nothing is written. Not for stores of files.
    pub if_match: *const c_char,
    /// Of a stream: its length, where that is known. A stream of another length fails.
    pub size_bytes: u64,
    /// Of a stream: bytes of a part, instead of the store's.
    pub part_size_bytes: u64,
    /// Of a stream: full parts at most that are not with the store yet.
    pub parts_in_flight: u32,
    /// 0
    pub reserved: u32,
    /// What S3 alone can be asked for, or NULL.
    pub s3: *const hyd_s3_put_options,
}

/// How an object is read; 0 is the default everywhere. Texts end with a NUL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_get_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// 0
    pub flags: u32,
    /// Read only the version with this tag, as hyd_object_meta has it.
    pub if_match: *const c_char,
    /// Read only another version than the one with this tag. One of the two.
    pub if_none_match: *const c_char,
    /// An earlier version, where a bucket of S3 keeps them.
    pub version_id: *const c_char,
    /// What S3 alone can be asked for, or NULL.
    pub s3: *const hyd_s3_get_options,
    /// Only if it was written behind this, in seconds since 1970, UTC; 0: whenever. Of hyd_s3_stat(),
    /// hyd_s3_get_part(), hyd_s3_copy(), hyd_multipart_copy() and hyd_presign_request() alone, as is the next:
    /// S3 compares to the second, so that two writes within one are the same to it. Tags tell them apart.
    pub if_modified_since_unix_s: i64,
    /// Only if it was not.
    pub if_unmodified_since_unix_s: i64,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_put_options {
    const NAME: &'static str = "hyd_put_options";
    const BYTES_MIN: usize = 104;
}

// SAFETY: as above.
unsafe impl SizedStruct for hyd_get_options {
    const NAME: &'static str = "hyd_get_options";
    const BYTES_MIN: usize = 32;
}

/// How a stream is written; NULL is the default.
///
/// # Safety
/// `from` is NULL, or readable as far as it says, and so is what it names.
pub unsafe fn stream(from: *const hyd_put_options) -> Result<WriterOptions, Failure> {
    let mut options = WriterOptions::default();
    if from.is_null() {
        return Ok(options);
    }
    // SAFETY: OWN-3, by the contract of this function.
    let raw = unsafe { sized::read(from, "options")? };
    // SAFETY: as above.
    options.put = unsafe { said(&raw)? };
    options.size_bytes = (raw.size_bytes != 0).then_some(raw.size_bytes);
    options.part_size_bytes = (raw.part_size_bytes != 0).then_some(raw.part_size_bytes);
    options.max_in_flight = (raw.parts_in_flight != 0).then_some(raw.parts_in_flight as usize);
    Ok(options)
}

/// How an object is written in one call; nothing where that is by default.
///
/// # Safety
/// As for [`stream`].
pub unsafe fn optional_put(
    from: *const hyd_put_options,
) -> Result<Option<Box<PutOptions>>, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    (!from.is_null()).then(|| unsafe { put(from) }.map(Box::new)).transpose()
}

/// How an object is read; nothing where that is by default.
///
/// # Safety
/// As for [`stream`].
pub unsafe fn optional_get(
    from: *const hyd_get_options,
) -> Result<Option<Box<ReadOptions>>, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    (!from.is_null()).then(|| unsafe { get(from) }.map(Box::new)).transpose()
}

/// How an object is written in one call; NULL is the default.
///
/// # Safety
/// As for [`stream`].
pub unsafe fn put(from: *const hyd_put_options) -> Result<PutOptions, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let options = unsafe { stream(from)? };
    let WriterOptions { put, size_bytes, part_size_bytes, max_in_flight } = options;
    if size_bytes.is_some() || part_size_bytes.is_some() || max_in_flight.is_some() {
        let message = "options: size_bytes, part_size_bytes and parts_in_flight are for streams";
        return Err(Failure::invalid(message));
    }
    Ok(put)
}

/// How an object is read; NULL is the default.
///
/// # Safety
/// As for [`stream`].
pub unsafe fn get(from: *const hyd_get_options) -> Result<ReadOptions, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let (options, dates) = unsafe { read(from)? };
    if dates != Dates::default() {
        let text = "options: a date is no condition of this call; take if_match or if_none_match";
        return Err(Failure::invalid(text));
    }
    Ok(options)
}

/// How an operation of S3 alone reads an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct S3Read {
    pub version_id: Option<String>,
    pub conditions: Conditions,
    pub customer_key: Option<CustomerKey>,
    pub access: Access,
}

/// The same for an operation of S3 alone.
///
/// # Safety
/// As for [`stream`].
pub unsafe fn s3_read(from: *const hyd_get_options) -> Result<S3Read, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let (options, dates) = unsafe { read(from)? };
    let ReadOptions { read_if, version_id, s3, .. } = options;
    let s3 = s3.map(|s3| *s3).unwrap_or_default();
    let mut conditions = Conditions::from(read_if);
    [conditions.if_modified_since, conditions.if_unmodified_since] = dates;
    Ok(S3Read { version_id, conditions, customer_key: s3.customer_key, access: s3.access })
}

impl S3Read {
    /// Refuses what is more than a version, and who asks and pays.
    pub fn only_version(self, of: &str) -> Result<(Option<String>, Access), Failure> {
        if self.conditions != Conditions::default() || self.customer_key.is_some() {
            let text = format!("options: {of} have a version_id and an access alone");
            return Err(Failure::invalid(text));
        }
        Ok((self.version_id, self.access))
    }
}

/// Since when it was written, and since when not.
type Dates = [Option<SystemTime>; 2];

/// # Safety
/// As for [`stream`].
unsafe fn read(from: *const hyd_get_options) -> Result<(ReadOptions, Dates), Failure> {
    let mut options = ReadOptions::default();
    if from.is_null() {
        return Ok((options, Dates::default()));
    }
    // SAFETY: OWN-3, by the contract of this function.
    let (raw, is, is_not) = unsafe {
        let raw = sized::read(from, "options")?;
        (raw, tag(raw.if_match, "if_match")?, tag(raw.if_none_match, "if_none_match")?)
    };
    check_flags("options", raw.flags, 0, 0)?;
    options.read_if = match (is, is_not) {
        (Some(_), Some(_)) => {
            return Err(Failure::invalid("options: if_match or if_none_match, not both"));
        }
        (Some(etag), None) => Some(ReadIf::Is(etag)),
        (None, Some(etag)) => Some(ReadIf::IsNot(etag)),
        (None, None) => None,
    };
    // SAFETY: as above.
    unsafe {
        // Of an object without one it is told as an empty text.
        options.version_id = text(raw.version_id, "version_id")?.filter(|id| !id.is_empty());
        options.s3 = s3_options::get(raw.s3)?;
    }
    let dates = [
        date(raw.if_modified_since_unix_s, "if_modified_since_unix_s")?,
        date(raw.if_unmodified_since_unix_s, "if_unmodified_since_unix_s")?,
    ];
    Ok((options, dates))
}

/// The end of the year 9999: a date has four digits for it.
const LAST_S: u64 = 253_402_300_799;

/// A moment in seconds since 1970; 0 is none.
pub fn date(unix_s: i64, argument: &str) -> Result<Option<SystemTime>, Failure> {
    let seconds = u64::try_from(unix_s).ok().filter(|seconds| *seconds <= LAST_S);
    let seconds =
        seconds.ok_or_else(|| Failure::invalid(format!("options->{argument} is no time")))?;
    Ok((seconds != 0).then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
}

/// # Safety
/// What `raw` names is readable.
unsafe fn said(raw: &hyd_put_options) -> Result<PutOptions, Failure> {
    check_flags("options", raw.flags, HYD_PUT_IF_ABSENT, raw.reserved)?;
    let mut attributes = Attributes::default();
    let mut put = PutOptions::default();
    // SAFETY: OWN-3, by the contract of this function.
    let replaced = unsafe {
        put.content_type = text(raw.content_type, "content_type")?;
        attributes.cache_control = text(raw.cache_control, "cache_control")?;
        attributes.content_disposition = text(raw.content_disposition, "content_disposition")?;
        attributes.content_encoding = text(raw.content_encoding, "content_encoding")?;
        attributes.content_language = text(raw.content_language, "content_language")?;
        attributes.metadata =
            pairs(raw.metadata, raw.metadata_count, METADATA_MAX, "options->metadata")?;
        put.s3 = s3_options::put(raw.s3)?;
        tag(raw.if_match, "if_match")?
    };
    attributes.expires = date(raw.expires_unix_s, "expires_unix_s")?;
    put.attributes = (attributes != Attributes::default()).then(|| Box::new(attributes));
    put.write_if = write_if(raw.flags & HYD_PUT_IF_ABSENT != 0, replaced)?;
    Ok(put)
}

/// The condition of a write: that nothing is there, or an object with this tag.
pub fn write_if(absent: bool, replaced: Option<Etag>) -> Result<Option<WriteIf>, Failure> {
    match (absent, replaced) {
        (true, Some(_)) => {
            Err(Failure::invalid("options: an object cannot be absent and have the tag if_match"))
        }
        (true, None) => Ok(Some(WriteIf::Absent)),
        (false, replaced) => Ok(replaced.map(WriteIf::Is)),
    }
}

/// Of the flags and the reserved field of options, what is known of them.
pub fn check_flags(argument: &str, flags: u32, known: u32, reserved: u32) -> Result<(), Failure> {
    let unknown = flags & !known;
    if unknown != 0 {
        let message = format!("{argument}->flags has bits {unknown:#x}, which nothing is known of");
        return Err(Failure::invalid(message));
    }
    if reserved != 0 {
        return Err(Failure::invalid(format!("{argument}->reserved is not 0")));
    }
    Ok(())
}

/// Names and values, `max` of them at most.
///
/// # Safety
/// `first` is NULL, or `count` pairs there are readable, and so are their texts to their NULs.
pub unsafe fn pairs(
    first: *const hyd_pair,
    count: usize,
    max: usize,
    argument: &str,
) -> Result<Vec<(String, String)>, Failure> {
    if count > max {
        return Err(Failure::invalid(format!("{argument}: {max} pairs at most")));
    }
    // SAFETY: OWN-3, by the contract of this function.
    let pairs = unsafe { args::array(first, count, argument)? };
    let owned = pairs.iter().map(|pair| {
        // SAFETY: as above.
        let (name, value) =
            unsafe { (args::c_text(pair.name, "a name")?, args::c_text(pair.value, "a value")?) };
        Ok((name.to_owned(), value.to_owned()))
    });
    owned.collect()
}

/// A text that may be left out.
///
/// # Safety
/// `from` is NULL, or readable to its NUL.
pub unsafe fn text(from: *const c_char, argument: &str) -> Result<Option<String>, Failure> {
    if from.is_null() {
        return Ok(None);
    }
    // SAFETY: OWN-3, by the contract of this function.
    Ok(Some(unsafe { args::c_text(from, argument)? }.to_owned()))
}

/// A tag of an object; NULL is none.
///
/// # Safety
/// As for [`text`].
pub unsafe fn tag(from: *const c_char, argument: &str) -> Result<Option<Etag>, Failure> {
    if from.is_null() {
        return Ok(None);
    }
    // SAFETY: OWN-3, by the contract of this function.
    let text = unsafe { args::c_text(from, argument)? };
    let tag = Etag::new(text).map(Some);
    tag.ok_or_else(|| Failure::invalid(format!("options->{argument} is no tag of an object")))
}
