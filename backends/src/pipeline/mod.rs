//! Moving whole objects: ranged GET, the streaming writer, copy, listings.
//!
//! Every pipeline has the same shape. A task on one core begins it, learns the size from the first
//! answer, and starts workers on the cores; each worker takes memory first and a part then, so that
//! a part which has been taken always has what it needs to end (POOL-1). What the workers of one
//! pipeline share is its board, locked for a few instructions once a part. No pipeline asks for a
//! size ahead, holds more than its leases, or shows an object before it is whole (DATA-3).

mod board;
mod copy;
mod delete;
mod each_part;
mod fetch;
mod fitted;
mod get;
mod into;
mod limits;
mod listing;
pub mod plan;
mod ranges;
mod relay;
mod sending;
mod sums;
mod upload;
mod verify;
mod workers;
mod writer;

pub(crate) use board::Board;
pub use copy::{CopyOptions, CopyReport, OnFailure, Progress, copy};
pub use delete::{DeleteOptions, DeleteReport, OnDeleted, Outcome};
pub(crate) use delete::{Keys, delete};
pub(crate) use fetch::frozen;
pub(crate) use fitted::{Back, Fitted};
pub use get::{GetOptions, GetStream, Piece, PieceStream};
pub(crate) use get::{start as start_get, start_pieces};
pub(crate) use into::{read_into, read_range, read_whole};
pub use limits::{CONNECTIONS_MAX, TransferLimits};
pub use listing::Listing;
pub use plan::{PartRequest, PlanError};
pub use ranges::{RangeInto, RangeRegion, RangesOptions};
pub(crate) use ranges::{Wanted, read_ranges};
pub use verify::{VerifyOptions, VerifyReport, verify};
pub(crate) use workers::memory;
pub use writer::{Reserved, Writer, WriterOptions};
