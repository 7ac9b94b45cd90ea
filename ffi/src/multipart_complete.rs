//! An upload that was made by hand becomes an object.

use std::ffi::c_char;

use hydrant::s3::{Checksum, ChecksumKind, Completed};
use hydrant::{ObjectMeta, Sum};

use crate::args;
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::meta::hyd_object_meta;
use crate::multipart::hyd_multipart;
use crate::multipart_upload::{Multipart, use_multipart};
use crate::object::tell;
use crate::object_options::{check_flags, text};
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::{HYD_E_INTEGRITY, hyd_status};
use crate::uploaded_part::{HYD_PARTS_MAX, checksum_covering, completed_part, hyd_uploaded_part};

/// What the object of an upload is to be; 0 is the default everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_complete_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// 0
    pub flags: u32,
    /// Refused where the parts do not have so many bytes; 0: not compared.
    pub object_bytes: u64,
    /// Refused where that of the object is another one: in base64, as S3 has it, of the checksums of the parts
    /// with "-" and their number behind. With a NUL at its end, or NULL: not compared.
    pub checksum: *const c_char,
    /// HYD_CHECKSUM_*, of `checksum`, with the bit that the upload was begun with.
    pub checksum_algorithm: u32,
    /// 0
    pub reserved: u32,
}

// SAFETY: `repr(C)`, integers and a raw pointer alone, no padding, the size first.
unsafe impl SizedStruct for hyd_complete_options {
    const NAME: &'static str = "hyd_complete_options";
    const BYTES_MIN: usize = 32;
}

/// The same, read.
#[derive(Default)]
pub struct Wanted {
    pub object_bytes: Option<u64>,
    pub checksum: Option<Checksum>,
    pub kind: Option<ChecksumKind>,
    /// The checksum, where it is one of all bytes.
    sum: Option<Sum>,
}

impl Wanted {
    /// # Safety
    /// `options` is NULL, or readable as far as it says, and so is what it names.
    unsafe fn read(
        options: *const hyd_complete_options,
        begun_with: Option<ChecksumKind>,
    ) -> Result<Wanted, Failure> {
        if options.is_null() {
            return Ok(Wanted::default());
        }
        // SAFETY: OWN-3, by the contract of this function.
        let (raw, value) = unsafe {
            let raw = sized::read(options, "options")?;
            (raw, text(raw.checksum, "options->checksum")?)
        };
        check_flags("options", raw.flags, 0, raw.reserved)?;
        let object_bytes = (raw.object_bytes != 0).then_some(raw.object_bytes);
        let (algorithm, kind) = checksum_covering(raw.checksum_algorithm)?;
        let none = || Failure::invalid("options: checksum and checksum_algorithm are no checksum");
        let (Some(algorithm), Some(value)) = (algorithm, &value) else {
            if algorithm.is_some() || value.is_some() {
                return Err(none());
            }
            return Ok(Wanted { object_bytes, ..Wanted::default() });
        };
        let (digest, parts) = match value.split_once('-') {
            None => (value.as_str(), None),
            Some((digest, count)) => (digest, Some(count.parse::<u32>().map_err(|_| none())?)),
        };
        let kind = kind.or(begun_with);
        if kind.is_some_and(|kind| (kind == ChecksumKind::Composite) != parts.is_some()) {
            let text =
                "one of parts ends with \"-\" and their number, and one of an object does not";
            return Err(Failure::invalid(format!(
                "options: checksum and checksum_algorithm: {text}"
            )));
        }
        let sum = Sum::parse(algorithm, digest).ok_or_else(none)?;
        let checksum = Some(Checksum { algorithm, value: value.clone() });
        Ok(Wanted { object_bytes, checksum, kind, sum: parts.is_none().then_some(sum) })
    }
}

/// Makes the object of the parts, which lie end to end by their numbers, each of them once, and waits until
/// it is there: whole, or not at all. `meta` may be NULL; its size is the sum of the sizes in `parts`, or 0
/// where one of them is 0. The handle stays until it is closed.
///
/// Errors: HYD_E_INVALID for parts that are none or not in order; HYD_E_CONDITION; HYD_E_NOT_FOUND where the
/// upload was completed or aborted before, also by a try of this call whose answer was lost, so that
/// hyd_stat() has to tell; HYD_E_OTHER where the server refuses the parts, which stay;
/// HYD_E_TEMPORARY, HYD_E_CONFIG, HYD_E_CANCELLED.
///
/// Threads: any; of two at once with one upload, one fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_multipart_complete(
    multipart: *const hyd_multipart,
    parts: *const hyd_uploaded_part,
    count: usize,
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let multipart = use_multipart(entry, multipart)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (parts, meta) =
            unsafe { (args::array(parts, count, "parts")?, SizedOut::optional(meta, "meta")?) };
        complete(&multipart, parts, Wanted::default(), meta)
    })
}

/// The same, if the object is what `options` say, which may be NULL: its bytes, its checksum.
///
/// Errors: as hyd_multipart_complete(); HYD_E_INVALID where the sizes in `parts` say that it is another one, and
/// HYD_E_OTHER or HYD_E_INTEGRITY where the server finds that: the parts stay. HYD_E_INTEGRITY also where the
/// server made it and tells another checksum of it: it is there then.
///
/// Threads: any; of two at once with one upload, one fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_multipart_complete_as(
    multipart: *const hyd_multipart,
    parts: *const hyd_uploaded_part,
    count: usize,
    options: *const hyd_complete_options,
    meta: *mut hyd_object_meta,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let multipart = use_multipart(entry, multipart)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (parts, wanted, meta) = unsafe {
            let parts = args::array(parts, count, "parts")?;
            (parts, Wanted::read(options, multipart.kind)?, SizedOut::optional(meta, "meta")?)
        };
        complete(&multipart, parts, wanted, meta)
    })
}

fn complete(
    multipart: &Multipart,
    parts: &[hyd_uploaded_part],
    wanted: Wanted,
    meta: Option<SizedOut<hyd_object_meta>>,
) -> Result<(), Failure> {
    if parts.len() > HYD_PARTS_MAX as usize {
        return Err(Failure::invalid(format!("an object has {HYD_PARTS_MAX} parts at most")));
    }
    let all = parts.iter().map(completed_part).collect::<Result<Vec<_>, _>>()?;
    let size_bytes = parts.iter().try_fold(0u64, |sum, part| {
        let known = Some(part.size_bytes).filter(|size| *size > 0);
        sum.checked_add(known?)
    });
    if let (Some(size), Some(wanted)) = (size_bytes, wanted.object_bytes)
        && size != wanted
    {
        return Err(Failure::invalid(format!(
            "the parts have {size} bytes together, not {wanted}"
        )));
    }
    let (sum, checksum) = (wanted.sum, wanted.checksum.clone());
    let completed = multipart.complete(all, wanted)?;
    compare(&completed, checksum.as_ref())?;
    let mut made = ObjectMeta::of_size(size_bytes.unwrap_or(0)).kept_as(completed.version_id, sum);
    made.etag = completed.etag;
    made.content_type.clone_from(&multipart.put.content_type);
    tell(meta, &made);
    Ok(())
}

/// A server that takes no notice of the checksum it is told may still tell its own (DATA-2).
fn compare(completed: &Completed, wanted: Option<&Checksum>) -> Result<(), Failure> {
    let Some(wanted) = wanted else { return Ok(()) };
    match completed.checksums.get(wanted.algorithm) {
        Some(told) if told.trim() != wanted.value => {
            let (name, value) = (wanted.algorithm.name(), &wanted.value);
            let text = format!("the object is there, and its {name} is {told}, not {value}");
            Err(Failure::new(HYD_E_INTEGRITY, text))
        }
        _ => Ok(()),
    }
}
