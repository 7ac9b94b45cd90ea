//! The planner of parts: which bytes travel in which request, decided by arithmetic alone (SANS-1).
//!
//! [`GetPlan`] cuts a download whose size is unknown until the first answer, [`PutPlan`] cuts an
//! upload so that the store's limits on parts hold, and [`InOrder`] brings parts that finish in any
//! order back into order within a fixed window (LIMIT-1).
//!
//! Every part but the last is a multiple of [`PART_ALIGN_BYTES`]: it fills its lease to the page,
//! and it begins and ends in a file where `O_DIRECT` wants it. A size that is asked for is rounded
//! up to such a multiple, never refused for it.

mod ahead;
mod get;
mod in_order;
mod pace;
mod put;
mod ranges;
mod stored;

use std::ops::Range;

use thiserror::Error;

pub use ahead::ReadAhead;
pub use get::{GetPlan, GetPlanConfig};
pub use in_order::InOrder;
pub use pace::{DELETES_MAX, DeletePace};
pub use put::PutPlan;
pub use ranges::{RangeRequest, RangesConfig, Share, WantedRange, plan_ranges};
pub use stored::stored_part_bytes;

/// What every part size is a multiple of: a page, and the strictest alignment that `O_DIRECT`
/// commonly asks for.
pub const PART_ALIGN_BYTES: u64 = 4 << 10;

/// The usual size of a part: the largest that still adds throughput on S3.
pub const PART_BYTES_DEFAULT: u64 = 8 << 20;

/// The smallest part that S3 takes, but for the last (S3 user guide, "Amazon S3 multipart upload
/// limits").
pub const PART_BYTES_MIN: u64 = 5 << 20;

/// The largest part, and the largest plain PUT, that S3 takes (same page).
pub const PART_BYTES_MAX: u64 = 5 << 30;

/// How many parts an upload can have (same page).
pub const PARTS_MAX: u64 = 10_000;

/// The largest object that is planned for.
pub const OBJECT_BYTES_MAX: u64 = 5 << 40;

/// One part: bytes `offset..offset + len` of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartRequest {
    /// Which part, from 0 in the order of the bytes.
    pub index: u64,
    /// Where it begins in the object, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl PartRequest {
    /// The bytes of the object it covers.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.len
    }

    /// Its number in a multipart upload: these count from 1.
    pub fn number(&self) -> u64 {
        self.index + 1
    }
}

/// Why a transfer cannot be planned, or a plan was not kept to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A setting that leaves no room for a single part.
    #[error("{setting} is 0; it has to be at least 1")]
    ZeroSetting {
        /// Name of the setting.
        setting: &'static str,
    },
    /// A range that ends before it begins.
    #[error("range {start}..{end} ends before it begins")]
    BackwardRange {
        /// First byte asked for.
        start: u64,
        /// Byte after the last one asked for.
        end: u64,
    },
    /// No byte of the range exists.
    #[error("range {start}..{end} begins beyond the object, which has {size_bytes} bytes")]
    RangeNotSatisfiable {
        /// First byte asked for.
        start: u64,
        /// Byte after the last one asked for.
        end: u64,
        /// Size of the object.
        size_bytes: u64,
    },
    /// The size was told before, and differs now: the object is not the one that was begun with
    /// (DATA-2).
    #[error("the object has {now_bytes} bytes where the first answer said {first_bytes}")]
    SizeChanged {
        /// Size told first.
        first_bytes: u64,
        /// Size told now.
        now_bytes: u64,
    },
    /// A part size beyond what a store takes.
    #[error(
        "a part of {part_bytes} bytes is larger than the {limit_bytes} bytes that a store takes; \
         lower the part size"
    )]
    PartTooLarge {
        /// The size asked for.
        part_bytes: u64,
        /// [`PART_BYTES_MAX`].
        limit_bytes: u64,
    },
    /// An object beyond what a store takes.
    #[error(
        "an object of {size_bytes} bytes or more is larger than the {limit_bytes} bytes \
         that a store takes"
    )]
    ObjectTooLarge {
        /// Size of the object, or as much of it as has come.
        size_bytes: u64,
        /// [`OBJECT_BYTES_MAX`].
        limit_bytes: u64,
    },
    /// More parts than a store takes.
    #[error(
        "all {parts_max} parts of {part_bytes} bytes that a store takes are used up; tell the size \
         ahead, raise the part size, or raise the pool so that parts can grow"
    )]
    TooManyParts {
        /// [`PARTS_MAX`].
        parts_max: u64,
        /// The size that parts had grown to.
        part_bytes: u64,
    },
    /// The source gave more or fewer bytes than it had announced (DATA-2).
    #[error("the source gave {given_bytes} bytes where it had announced {announced_bytes}")]
    SizeMismatch {
        /// Size announced.
        announced_bytes: u64,
        /// Bytes given.
        given_bytes: u64,
    },
    /// A part was asked for behind the last one, which is the only one that may be short.
    #[error("the last part is already cut; nothing can follow it")]
    AfterLast,
    /// All parts can be planned ahead only where the size is known.
    #[error("the size of the source is unknown, so its parts are cut as they come")]
    SizeUnknown,
    /// A part that is not awaited: delivered before, pushed twice, or beyond the window.
    #[error("part {index} is not among the awaited parts {first}..{end}, or came twice")]
    UnexpectedPart {
        /// The part.
        index: u64,
        /// First part awaited.
        first: u64,
        /// Part after the last one awaited.
        end: u64,
    },
}

/// Rounds up to a multiple of [`PART_ALIGN_BYTES`]; a size too large for that stays at the largest
/// multiple.
fn align_up(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(PART_ALIGN_BYTES).unwrap_or(u64::MAX - (PART_ALIGN_BYTES - 1))
}
