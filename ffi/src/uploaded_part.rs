//! `hyd_uploaded_part`: a part that a server has of an upload, as it is told and as it is named again.

use std::ffi::c_char;

use hydrant::s3::{Checksum, ChecksumKind, CompletedPart};
use hydrant::{ChecksumAlgorithm, Etag, Sum};

use crate::args::fixed_text;
use crate::error::Failure;
use crate::meta::{algorithm_of, number_of};

/// Parts of an object at most; their numbers go from 1 to this.
pub const HYD_PARTS_MAX: u32 = 10_000;

/// A part that the server has. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_uploaded_part {
    /// From 1 to HYD_PARTS_MAX.
    pub number: u32,
    /// HYD_CHECKSUM_*, of `checksum`; 0 where there is none.
    pub checksum_algorithm: u32,
    /// 0 where it is not known: of a copy of a whole object.
    pub size_bytes: u64,
    /// Its tag, with the quotes; NUL-terminated.
    pub etag: [c_char; 128],
    /// In base64, as S3 has it; NUL-terminated.
    pub checksum: [c_char; 48],
}

/// As C sees a part.
pub fn uploaded(
    number: u32,
    size_bytes: u64,
    etag: Option<&Etag>,
    checksum: Option<&Checksum>,
) -> hyd_uploaded_part {
    hyd_uploaded_part {
        number,
        checksum_algorithm: checksum.map_or(0, |checksum| number_of(checksum.algorithm)),
        size_bytes,
        etag: fixed_text(etag.map_or("", Etag::as_str)),
        checksum: fixed_text(checksum.map_or("", |checksum| &checksum.value)),
    }
}

/// A bit beside HYD_CHECKSUM_CRC32 or HYD_CHECKSUM_CRC32C at hyd_multipart_create(): the server is to keep a
/// checksum of all bytes of the object.
pub const HYD_CHECKSUM_OF_OBJECT: u32 = 0x100;
/// The same: it is to keep one of the checksums of its parts.
pub const HYD_CHECKSUM_OF_PARTS: u32 = 0x200;

/// The kind of checksum with a number, and what it covers where a bit says so.
pub fn checksum_covering(
    number: u32,
) -> Result<(Option<ChecksumAlgorithm>, Option<ChecksumKind>), Failure> {
    let covering = number & (HYD_CHECKSUM_OF_OBJECT | HYD_CHECKSUM_OF_PARTS);
    let algorithm = checksum_algorithm(number & !covering)?;
    let kind = match covering {
        0 => None,
        HYD_CHECKSUM_OF_OBJECT if algorithm.is_some() => Some(ChecksumKind::FullObject),
        HYD_CHECKSUM_OF_PARTS if algorithm.is_some() => Some(ChecksumKind::Composite),
        _ => return Err(Failure::invalid("checksum_algorithm: it covers the object or the parts")),
    };
    Ok((algorithm, kind))
}

/// The kind of checksum with a number; 0 is none.
pub fn checksum_algorithm(number: u32) -> Result<Option<ChecksumAlgorithm>, Failure> {
    let known = algorithm_of(number);
    if known.is_none() && number != 0 {
        return Err(Failure::invalid(format!("checksum_algorithm: there is no {number}")));
    }
    Ok(known)
}

/// Refuses a number that no part has.
pub fn check_number(number: u32) -> Result<(), Failure> {
    if (1..=HYD_PARTS_MAX).contains(&number) {
        return Ok(());
    }
    Err(Failure::invalid(format!("number: a part has one from 1 to {HYD_PARTS_MAX}, not {number}")))
}

/// What completes an upload, of a part as C hands it in.
pub fn completed_part(part: &hyd_uploaded_part) -> Result<CompletedPart, Failure> {
    check_number(part.number)?;
    let bad = |what| Failure::invalid(format!("part {}: its {what} is none", part.number));
    let etag = fixed(&part.etag).and_then(|tag| Etag::new(&tag)).ok_or_else(|| bad("tag"))?;
    let value = fixed(&part.checksum).ok_or_else(|| bad("checksum"))?;
    let mut completed = CompletedPart::new(part.number, etag.as_str());
    completed.checksum = match checksum_algorithm(part.checksum_algorithm)? {
        None if value.is_empty() => None,
        Some(algorithm) if Sum::parse(algorithm, &value).is_some() => {
            Some(Checksum { algorithm, value })
        }
        _ => return Err(bad("checksum")),
    };
    Ok(completed)
}

/// A text in a field of a struct, to its NUL.
pub fn fixed<const BYTES: usize>(field: &[c_char; BYTES]) -> Option<String> {
    let bytes = field.map(|byte| byte as u8);
    let end = bytes.iter().position(|&byte| byte == 0)?;
    std::str::from_utf8(&bytes[..end]).ok().map(str::to_owned)
}
