//! What S3 alone can be asked for when an object is read or written.

use std::ffi::c_char;

use hydrant::s3::{Access, CustomerKey, Retention, S3PutOptions, S3ReadOptions, ServerSide};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::object_options::{check_flags, date, hyd_pair, pairs, text};
use crate::sized::{self, SizedStruct};

/// A bit of the flags of hyd_s3_get_options and hyd_s3_put_options: who asks agrees to pay.
pub const HYD_S3_REQUESTER_PAYS: u32 = 1;
/// A bit of hyd_s3_put_options.flags: with KMS, a key of the bucket saves requests for keys.
pub const HYD_S3_BUCKET_KEY: u32 = 2;
/// A bit of hyd_s3_put_options.flags: with KMS, no key of the bucket, even where that is its default.
pub const HYD_S3_NO_BUCKET_KEY: u32 = 4;
/// A bit of hyd_s3_put_options.flags: a legal hold lies on the object.
pub const HYD_S3_LEGAL_HOLD: u32 = 8;
/// A bit of hyd_s3_put_options.flags: no legal hold lies on it, even where that is the bucket's default.
pub const HYD_S3_NO_LEGAL_HOLD: u32 = 16;

/// hyd_s3_put_options.encryption: with a key of S3's own (SSE-S3).
pub const HYD_SSE_S3: u32 = 1;
/// hyd_s3_put_options.encryption: with a key of AWS KMS (SSE-KMS).
pub const HYD_SSE_KMS: u32 = 2;
/// hyd_s3_put_options.encryption: the same in two layers (DSSE-KMS).
pub const HYD_SSE_KMS_DUAL: u32 = 3;

/// Tags of an object at most (LIMIT-1); S3 takes 10.
pub const TAGS_MAX: usize = 64;

/// Bytes of a key of SSE-C.
const KEY_BYTES: usize = 32;

/// What S3 alone can be asked for when an object is read; 0 is the default everywhere. Texts end with a
/// NUL. Stores of another kind refuse it with HYD_E_UNSUPPORTED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_s3_get_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_S3_REQUESTER_PAYS
    pub flags: u32,
    /// The 32 bytes that the object was encrypted with (SSE-C), or NULL. S3 takes them over TLS alone.
    pub customer_key: *const u8,
    /// The account that the bucket belongs to; refused where it is another one's.
    pub expected_bucket_owner: *const c_char,
}

/// What S3 alone can be asked for when an object is written, with each request of a large one; 0 is the
/// default everywhere. Texts end with a NUL. Stores of another kind refuse it with HYD_E_UNSUPPORTED.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_s3_put_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_S3_*
    pub flags: u32,
    /// "STANDARD_IA", "GLACIER", ...
    pub storage_class: *const c_char,
    /// A canned ACL: "private", "bucket-owner-full-control", ...
    pub acl: *const c_char,
    /// Of the object; S3 takes 10.
    pub tags: *const hyd_pair,
    pub tags_count: usize,
    /// HYD_SSE_*, a key that the server has; 0: what the bucket says.
    pub encryption: u32,
    /// 0
    pub reserved: u32,
    /// With KMS: id, ARN or alias of its key; NULL is the account's own for S3.
    pub kms_key_id: *const c_char,
    /// With KMS: the base64 of a JSON object, or NULL.
    pub kms_context: *const c_char,
    /// 32 bytes for the server to encrypt with and to forget (SSE-C), or NULL. S3 takes them over TLS
    /// alone.
    pub customer_key: *const u8,
    /// As hyd_s3_get_options has it.
    pub expected_bucket_owner: *const c_char,
    /// Who has all rights to the object: "id=\"...\"", "uri=\"...\"", several with commas between.
    pub grant_full_control: *const c_char,
    /// Who may read it.
    pub grant_read: *const c_char,
    /// Who may read its ACL.
    pub grant_read_acp: *const c_char,
    /// Who may write its ACL.
    pub grant_write_acp: *const c_char,
    /// Where a bucket that is a website leads who asks for it.
    pub website_redirect_location: *const c_char,
    /// "GOVERNANCE" or "COMPLIANCE": nobody may delete the object before `lock_until_unix_s`; or NULL.
    pub lock_mode: *const c_char,
    /// Seconds since 1970, UTC; with `lock_mode`.
    pub lock_until_unix_s: i64,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_s3_get_options {
    const NAME: &'static str = "hyd_s3_get_options";
    const BYTES_MIN: usize = 24;
}

// SAFETY: as above.
unsafe impl SizedStruct for hyd_s3_put_options {
    const NAME: &'static str = "hyd_s3_put_options";
    const BYTES_MIN: usize = 80;
}

/// For a read; NULL is nothing.
///
/// # Safety
/// `from` is NULL, or readable as far as it says, and so is what it names.
pub unsafe fn get(from: *const hyd_s3_get_options) -> Result<Option<Box<S3ReadOptions>>, Failure> {
    if from.is_null() {
        return Ok(None);
    }
    let mut options = S3ReadOptions::default();
    // SAFETY: OWN-3, by the contract of this function.
    unsafe {
        let raw = sized::read(from, "options->s3")?;
        check_flags("options->s3", raw.flags, HYD_S3_REQUESTER_PAYS, 0)?;
        options.customer_key = customer_key(raw.customer_key);
        options.access = access(raw.flags, raw.expected_bucket_owner)?;
    }
    Ok(Some(Box::new(options)))
}

/// For calls that say who asks and pays, and nothing of an object's content.
///
/// # Safety
/// As for [`get`].
pub unsafe fn only_access(from: *const hyd_s3_get_options) -> Result<Access, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let options = unsafe { get(from)? }.unwrap_or_default();
    if options.customer_key.is_some() {
        return Err(Failure::invalid("options: a customer_key is for the bytes of an object"));
    }
    Ok(options.access)
}

/// For a write; NULL is nothing.
///
/// # Safety
/// As for [`get`].
pub unsafe fn put(from: *const hyd_s3_put_options) -> Result<Option<Box<S3PutOptions>>, Failure> {
    if from.is_null() {
        return Ok(None);
    }
    let mut options = S3PutOptions::default();
    // SAFETY: OWN-3, by the contract of this function.
    unsafe {
        let raw = sized::read(from, "options->s3")?;
        options.legal_hold = legal_hold(raw.flags)?;
        let known = HYD_S3_REQUESTER_PAYS
            | HYD_S3_BUCKET_KEY
            | HYD_S3_NO_BUCKET_KEY
            | HYD_S3_LEGAL_HOLD
            | HYD_S3_NO_LEGAL_HOLD;
        check_flags("options->s3", raw.flags, known, raw.reserved)?;
        options.storage_class = text(raw.storage_class, "s3->storage_class")?;
        options.acl = text(raw.acl, "s3->acl")?;
        options.tags = pairs(raw.tags, raw.tags_count, TAGS_MAX, "options->s3->tags")?;
        options.grant_full_control = text(raw.grant_full_control, "s3->grant_full_control")?;
        options.grant_read = text(raw.grant_read, "s3->grant_read")?;
        options.grant_read_acp = text(raw.grant_read_acp, "s3->grant_read_acp")?;
        options.grant_write_acp = text(raw.grant_write_acp, "s3->grant_write_acp")?;
        options.website_redirect_location =
            text(raw.website_redirect_location, "s3->website_redirect_location")?;
        options.retention = retention(&raw)?;
        options.server_side = server_side(&raw)?;
        options.customer_key = customer_key(raw.customer_key);
        options.access = access(raw.flags, raw.expected_bucket_owner)?;
    }
    Ok(Some(Box::new(options)))
}

fn legal_hold(flags: u32) -> Result<Option<bool>, Failure> {
    match flags & (HYD_S3_LEGAL_HOLD | HYD_S3_NO_LEGAL_HOLD) {
        0 => Ok(None),
        HYD_S3_LEGAL_HOLD => Ok(Some(true)),
        HYD_S3_NO_LEGAL_HOLD => Ok(Some(false)),
        _ => Err(Failure::invalid("options->s3: a legal hold and none")),
    }
}

/// # Safety
/// What `raw` names is readable.
unsafe fn retention(raw: &hyd_s3_put_options) -> Result<Option<Retention>, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let mode = unsafe { text(raw.lock_mode, "s3->lock_mode")? };
    match (mode, date(raw.lock_until_unix_s, "s3->lock_until_unix_s")?) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) if ["GOVERNANCE", "COMPLIANCE"].contains(&&*mode) => {
            Ok(Some(Retention { mode, until }))
        }
        _ => Err(Failure::invalid(
            "options->s3: a lock has a lock_mode, GOVERNANCE or COMPLIANCE, and a lock_until_unix_s",
        )),
    }
}

/// # Safety
/// What `raw` names is readable.
unsafe fn server_side(raw: &hyd_s3_put_options) -> Result<Option<ServerSide>, Failure> {
    // SAFETY: OWN-3, by the contract of this function.
    let (key_id, context) = unsafe {
        (text(raw.kms_key_id, "s3->kms_key_id")?, text(raw.kms_context, "s3->kms_context")?)
    };
    let bucket_key = match raw.flags & (HYD_S3_BUCKET_KEY | HYD_S3_NO_BUCKET_KEY) {
        0 => None,
        HYD_S3_BUCKET_KEY => Some(true),
        HYD_S3_NO_BUCKET_KEY => Some(false),
        _ => return Err(Failure::invalid("options->s3: a bucket key and none")),
    };
    let of_kms = key_id.is_some() || context.is_some() || bucket_key.is_some();
    match raw.encryption {
        HYD_SSE_KMS | HYD_SSE_KMS_DUAL => {
            let dual_layer = raw.encryption == HYD_SSE_KMS_DUAL;
            Ok(Some(ServerSide::Kms { key_id, context, bucket_key, dual_layer }))
        }
        0 | HYD_SSE_S3 if of_kms => {
            Err(Failure::invalid("options->s3: what is said of KMS needs HYD_SSE_KMS"))
        }
        0 => Ok(None),
        HYD_SSE_S3 => Ok(Some(ServerSide::S3)),
        other => Err(Failure::invalid(format!("options->s3->encryption: there is no {other}"))),
    }
}

/// # Safety
/// `from` is NULL, or 32 bytes there are readable.
unsafe fn customer_key(from: *const u8) -> Option<CustomerKey> {
    if from.is_null() {
        return None;
    }
    // SAFETY: OWN-3, by the contract of this function.
    let key = Zeroizing::new(unsafe { from.cast::<[u8; KEY_BYTES]>().read() });
    Some(CustomerKey::new(*key))
}

/// # Safety
/// `owner` is NULL, or readable to its NUL.
unsafe fn access(flags: u32, owner: *const c_char) -> Result<Access, Failure> {
    let mut access = Access::default();
    access.requester_pays = flags & HYD_S3_REQUESTER_PAYS != 0;
    // SAFETY: OWN-3, by the contract of this function.
    access.expected_bucket_owner = unsafe { text(owner, "s3->expected_bucket_owner")? };
    Ok(access)
}
