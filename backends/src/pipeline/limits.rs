//! The limits of transfers (LIMIT-1).

use super::plan::PART_BYTES_DEFAULT;

/// Parts of one transfer under way at once at most: what is planned ahead has a place for each.
pub const CONNECTIONS_MAX: usize = 1024;

/// How a transfer is cut and how much of it is under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferLimits {
    /// Bytes of a part. Default 8 MiB, the largest size that still adds throughput on S3; it grows
    /// where 10,000 parts would not suffice, and shrinks where the pool is too small for two.
    ///
    /// A part that is sent lies in the pool whole, so that it can be sent again. An upload to S3 has
    /// 10,000 of them at most, and so the pool limits its size. Where that is known, a pool of 16 MiB
    /// carries 146 GiB, the default of 256 MiB 2.3 TiB, and one of 544 MiB the 5 TiB of S3; what does
    /// not fit is refused before a byte is sent. A stream of unknown length goes a quarter as far
    /// at least.
    /// Downloads have no such limit.
    pub part_size_bytes: u64,
    /// Bytes of a piece, whole pages. Default 1 MiB: two submissions, and two pieces fit the second-level cache of
    /// a core. What is copied from S3 or a file to a file is written as it comes, so that a part under way holds
    /// two pieces of the pool instead of itself, where these are at most half of it. The first part of a copy, and those of
    /// one that can be carried on, lie in the pool whole.
    pub piece_size_bytes: usize,
    /// Parts of one transfer under way at once, each with a connection of its own. Default 8; more
    /// than [`CONNECTIONS_MAX`] count as so many.
    pub connections: usize,
}

impl Default for TransferLimits {
    fn default() -> TransferLimits {
        TransferLimits {
            part_size_bytes: PART_BYTES_DEFAULT,
            piece_size_bytes: 1 << 20,
            connections: 8,
        }
    }
}

impl TransferLimits {
    /// The same with what one call asks for instead.
    pub fn with(self, part_size_bytes: Option<u64>, connections: Option<usize>) -> TransferLimits {
        TransferLimits {
            part_size_bytes: part_size_bytes.unwrap_or(self.part_size_bytes),
            connections: connections.unwrap_or(self.connections).clamp(1, CONNECTIONS_MAX),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use hydrant_engine::Engine;

    use super::*;
    use crate::pipeline::plan::{OBJECT_BYTES_MAX, PutPlan};

    /// What is said of the sizes of objects, above.
    #[test]
    fn a_pool_holds_a_part_of_the_largest_object_it_is_said_to_carry() {
        const MIB: usize = 1 << 20;
        let carried =
            [(16 * MIB, 146 << 30), (256 * MIB, 2350 << 30), (544 * MIB, OBJECT_BYTES_MAX)];
        for (pool_bytes, object_bytes) in carried {
            let engine = Engine::builder().cores(1).pool_bytes(pool_bytes).start();
            let engine = engine.expect("an engine");
            let plan = PutPlan::new(PART_BYTES_DEFAULT, Some(object_bytes)).expect("a plan");
            let part_bytes = plan.part_size_at(1) as usize;
            assert_eq!(engine.pool().capacity_for(part_bytes), 1, "{part_bytes} of {pool_bytes}");
        }
    }

    /// A number that is a mistake, such as -1 from C, asked for gigabytes of places.
    #[test]
    fn connections_lie_between_one_and_their_limit() {
        let connections = |asked| TransferLimits::default().with(None, asked).connections;
        assert_eq!(connections(None), 8);
        assert_eq!(connections(Some(0)), 1);
        assert_eq!(connections(Some(usize::MAX)), CONNECTIONS_MAX);
    }
}
