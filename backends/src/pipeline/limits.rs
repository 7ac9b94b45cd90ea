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
    pub part_size_bytes: u64,
    /// Parts of one transfer under way at once, each with a connection of its own. Default 8; more
    /// than [`CONNECTIONS_MAX`] count as so many.
    pub connections: usize,
}

impl Default for TransferLimits {
    fn default() -> TransferLimits {
        TransferLimits { part_size_bytes: PART_BYTES_DEFAULT, connections: 8 }
    }
}

impl TransferLimits {
    /// The same with what one call asks for instead.
    pub fn with(self, part_size_bytes: Option<u64>, connections: Option<usize>) -> TransferLimits {
        TransferLimits {
            part_size_bytes: part_size_bytes.unwrap_or(self.part_size_bytes),
            connections: connections.unwrap_or(self.connections).clamp(1, CONNECTIONS_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that is a mistake, such as -1 from C, asked for gigabytes of places.
    #[test]
    fn connections_lie_between_one_and_their_limit() {
        let connections = |asked| TransferLimits::default().with(None, asked).connections;
        assert_eq!(connections(None), 8);
        assert_eq!(connections(Some(0)), 1);
        assert_eq!(connections(Some(usize::MAX)), CONNECTIONS_MAX);
    }
}
