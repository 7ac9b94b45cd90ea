//! Many ranges in one call, of one object or of many.

use std::ffi::{c_char, c_void};

use hydrant::{RangeInto, RangesOptions};

use crate::args;
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::object_options::{self, check_flags, hyd_get_options};
use crate::sized::{self, SizedStruct};
use crate::status::{HYD_E_INVALID, HYD_OK, hyd_status};
use crate::store::{Store, hyd_store, use_store};

/// A bit of hyd_ranges_options.flags: only ranges without a byte between them come by one request, up to
/// joined_bytes_max.
pub const HYD_RANGES_NO_GAPS: u32 = 1;

/// One of many ranges of an object. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_range {
    /// Where in the object.
    pub offset: u64,
    /// Memory for the bytes.
    pub data: *mut c_void,
    pub len: usize,
    /// Set by the call where `status` is HYD_OK: bytes that came, fewer only at the object's end.
    pub read_len: usize,
    /// Set by the call.
    pub status: hyd_status,
    /// 0
    pub reserved: u32,
}

/// One of many ranges of many objects. Its size is fixed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_object_range {
    /// The object.
    pub key: *const c_char,
    pub key_len: usize,
    pub range: hyd_range,
}

/// How a number of ranges is read; 0 is the default everywhere.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_ranges_options {
    /// Set by the caller.
    pub struct_size: u32,
    /// HYD_RANGES_*
    pub flags: u32,
    /// Ranges of one object with at most so many bytes between them come by one request, and are
    /// copied out of it, but for those above `joined_bytes_max`; 0: 16 KiB.
    pub gap_bytes_max: u64,
    /// Requests under way at once, instead of as many as the store has.
    pub connections: u32,
    /// 0
    pub reserved: u32,
    /// How each object is read, or NULL.
    pub get: *const hyd_get_options,
    /// Ranges of more bytes than this come by requests of their own, straight into their memory, however
    /// near their neighbours are; 0: 256 KiB.
    pub joined_bytes_max: u64,
}

// SAFETY: `repr(C)`, integers and raw pointers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_ranges_options {
    const NAME: &'static str = "hyd_ranges_options";
    const BYTES_MIN: usize = 32;
}

/// Reads many ranges of one object at the same time, each into memory of its own, and waits for all.
/// The memory belongs to the library until the call returns. Near neighbours of at most 256 KiB each come
/// by one request. Every range tells its own status, but where the store or `ranges` itself is refused.
/// `options` may be NULL.
///
/// Errors: that of the first range that failed, also as an error object; HYD_E_INVALID where the
/// memory of two ranges overlaps, and then nothing is read.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_get_ranges(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    options: *const hyd_get_options,
    ranges: *mut hyd_range,
    count: usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        let mut options_of_all = RangesOptions::default();
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe {
            let ranges = args::array_mut(ranges, count, "ranges")?;
            ranges.iter_mut().for_each(refuse);
            let key = args::text(key, key_len, "key")?;
            options_of_all.read = object_options::get(options)?;
            read(&store, ranges.iter_mut().map(|range| (key, range)).collect(), options_of_all)
        }
    })
}

/// The same for ranges of many objects of a store. `options` may be NULL.
///
/// Errors: as hyd_get_ranges(); with HYD_E_INVALID, also for a key that is no UTF-8 or none of this store,
/// nothing is read.
///
/// Threads: any, also many at once with one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_get_object_ranges(
    store: *const hyd_store,
    ranges: *mut hyd_object_range,
    count: usize,
    options: *const hyd_ranges_options,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        unsafe {
            let ranges = args::array_mut(ranges, count, "ranges")?;
            ranges.iter_mut().for_each(|one| refuse(&mut one.range));
            let options = ranges_options(options)?;
            let each = ranges.iter_mut().map(|one| {
                Ok((args::text(one.key, one.key_len, "a range's key")?, &mut one.range))
            });
            read(&store, each.collect::<Result<_, Failure>>()?, options)
        }
    })
}

/// What a range says where the call is refused before any is read.
fn refuse(range: &mut hyd_range) {
    (range.status, range.read_len) = (HYD_E_INVALID, 0);
}

/// How ranges are read; NULL is the default.
///
/// # Safety
/// `from` is NULL, or readable as far as it says, and so is what it names.
pub unsafe fn ranges_options(from: *const hyd_ranges_options) -> Result<RangesOptions, Failure> {
    let mut options = RangesOptions::default();
    if from.is_null() {
        return Ok(options);
    }
    // SAFETY: OWN-3, by the contract of this function.
    let raw = unsafe { sized::read(from, "options")? };
    check_flags("options", raw.flags, HYD_RANGES_NO_GAPS, raw.reserved)?;
    match (raw.flags & HYD_RANGES_NO_GAPS != 0, raw.gap_bytes_max) {
        (true, 0) => options.gap_bytes_max = 0,
        (true, _) => return Err(Failure::invalid("options: gap_bytes_max, and no gaps")),
        (false, 0) => {}
        (false, bytes) => options.gap_bytes_max = bytes,
    }
    if raw.joined_bytes_max != 0 {
        options.joined_bytes_max = raw.joined_bytes_max;
    }
    options.connections = (raw.connections != 0).then_some(raw.connections as usize);
    // SAFETY: as above.
    options.read = unsafe { object_options::get(raw.get)? };
    Ok(options)
}

/// Reads ranges, each of the object of its key, and tells each what came of it.
///
/// # Safety
/// The memory of each range is writable, and used by nobody else during the call.
unsafe fn read(
    store: &Store,
    mut ranges: Vec<(&str, &mut hyd_range)>,
    options: RangesOptions,
) -> Result<(), Failure> {
    args::refuse_overlaps(ranges.iter().map(|(_, range)| (range.data.addr(), range.len)))?;
    let mut wanted = Vec::with_capacity(ranges.len());
    for &(key, ref range) in &ranges {
        // SAFETY: OWN-3, by the contract of this function; no two of them overlap.
        let into = unsafe { args::bytes_mut(range.data, range.len, "a range's data")? };
        wanted.push(RangeInto { key, offset: range.offset, into });
    }
    let outcomes = match store.calls().get_ranges_into(&mut wanted, options) {
        Ok(outcomes) => EachRead::of(outcomes),
        Err(error) => {
            let failure = Failure::from(error);
            ranges.iter_mut().for_each(|(_, range)| range.status = failure.status());
            return Err(failure);
        }
    };
    for ((_, range), (status, read_len)) in ranges.iter_mut().zip(outcomes.each) {
        (range.status, range.read_len) = (status, read_len);
    }
    outcomes.first.map_or(Ok(()), Err)
}

/// What came of ranges, in their order.
pub struct EachRead {
    /// The status of each, and the bytes that came.
    pub each: Vec<(hyd_status, usize)>,
    /// Why the first that failed did.
    pub first: Option<Failure>,
}

impl EachRead {
    pub fn of(outcomes: Vec<hydrant::Result<usize>>) -> EachRead {
        let mut first = None;
        let tell = |outcome| match outcome {
            Ok(read_len) => (HYD_OK, read_len),
            Err(error) => {
                let failure = Failure::from(error);
                let status = failure.status();
                first.get_or_insert(failure);
                (status, 0)
            }
        };
        let each = outcomes.into_iter().map(tell).collect();
        EachRead { each, first }
    }
}
