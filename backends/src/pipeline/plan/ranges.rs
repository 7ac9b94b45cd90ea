//! Many ranges in one call: neighbours become one request, long ones become several.

use std::ops::Range;

/// How ranges are brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangesConfig {
    /// Ranges of one object with at most so many bytes between them are read with one request; the
    /// bytes between them are read and thrown away.
    pub gap_bytes_max: u64,
    /// Ranges of more bytes than this are brought by requests of their own, however near they are.
    pub joined_bytes_max: u64,
    /// Bytes of one request at most; at least 1.
    pub request_bytes_max: u64,
}

/// A range that somebody wants, of one of several objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedRange {
    /// Which object.
    pub object: usize,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// One request, and which ranges it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRequest {
    /// Which object.
    pub object: usize,
    /// The bytes that are asked for.
    pub range: Range<u64>,
    /// What they are for, by offset.
    pub shares: Vec<Share>,
}

/// The part of a wanted range that one request brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Which of the wanted ranges.
    pub wanted: usize,
    /// The bytes of the object.
    pub range: Range<u64>,
}

/// Plans the requests for ranges in any order, which may overlap and may be empty. A request with
/// one share is exactly that share.
pub fn plan_ranges(wanted: &[WantedRange], config: RangesConfig) -> Vec<RangeRequest> {
    let request_bytes_max = config.request_bytes_max.max(1);
    let mut order: Vec<_> = (0..wanted.len()).filter(|at| wanted[*at].len > 0).collect();
    order.sort_by_key(|at| (wanted[*at].object, wanted[*at].offset, *at));
    let mut requests: Vec<RangeRequest> = Vec::new();
    for at in order {
        let WantedRange { object, offset, len } = wanted[at];
        let end = offset.saturating_add(len);
        let joined = requests.last_mut().filter(|last| {
            let small = |len| len <= config.joined_bytes_max;
            // What begins before the last request was cut off from a long range by its length.
            let behind = offset >= last.range.start;
            let near = behind && offset <= last.range.end.saturating_add(config.gap_bytes_max);
            let whole = end.max(last.range.end) - last.range.start;
            let alone = last.shares.first().is_some_and(|share| !small(wanted[share.wanted].len));
            last.object == object && near && small(len) && !alone && whole <= request_bytes_max
        });
        if let Some(last) = joined {
            last.range.end = last.range.end.max(end);
            last.shares.push(Share { wanted: at, range: offset..end });
            continue;
        }
        let mut from = offset;
        while from < end {
            let to = end.min(from.saturating_add(request_bytes_max));
            let shares = vec![Share { wanted: at, range: from..to }];
            requests.push(RangeRequest { object, range: from..to, shares });
            from = to;
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(
        wanted: &[(usize, u64, u64)],
        gap: u64,
        most: u64,
    ) -> Vec<(usize, Range<u64>, usize)> {
        ranges_joined(
            wanted,
            RangesConfig {
                gap_bytes_max: gap,
                joined_bytes_max: u64::MAX,
                request_bytes_max: most,
            },
        )
    }

    fn ranges_joined(
        wanted: &[(usize, u64, u64)],
        config: RangesConfig,
    ) -> Vec<(usize, Range<u64>, usize)> {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|&(object, offset, len)| WantedRange { object, offset, len })
            .collect();
        let plan = plan_ranges(&wanted, config);
        plan.into_iter().map(|one| (one.object, one.range, one.shares.len())).collect()
    }

    #[test]
    fn near_neighbours_of_one_object_are_one_request() {
        let wanted = [(0, 100, 10), (0, 0, 10), (0, 15, 5), (1, 21, 5), (0, 31, 1)];
        assert_eq!(
            ranges(&wanted, 10, 1000),
            [(0, 0..20, 2), (0, 31..32, 1), (0, 100..110, 1), (1, 21..26, 1)]
        );
        assert_eq!(ranges(&wanted[..4], 80, 1000), [(0, 0..110, 3), (1, 21..26, 1)]);
        assert_eq!(ranges(&[(0, 0, 10), (0, 10, 10)], 0, 1000), [(0, 0..20, 2)]);
        assert_eq!(ranges(&[(0, 0, 10), (0, 10, 10)], 0, 19), [(0, 0..10, 1), (0, 10..20, 1)]);
    }

    #[test]
    fn long_ranges_are_several_requests_and_empty_ones_none() {
        assert_eq!(ranges(&[(0, 5, 25)], 0, 10), [(0, 5..15, 1), (0, 15..25, 1), (0, 25..30, 1)]);
        assert_eq!(ranges(&[(0, 5, 0)], 100, 10), []);
        assert_eq!(ranges(&[(0, 7, u64::MAX)], 1, u64::MAX), [(0, 7..u64::MAX, 1)]);
    }

    /// Their bytes are received straight into their places, where joined ones are copied.
    #[test]
    fn large_neighbours_stay_apart() {
        let config =
            RangesConfig { gap_bytes_max: 10, joined_bytes_max: 10, request_bytes_max: 1000 };
        let planned = |wanted: &[_]| ranges_joined(wanted, config);
        assert_eq!(planned(&[(0, 0, 11), (0, 11, 10)]), [(0, 0..11, 1), (0, 11..21, 1)]);
        assert_eq!(planned(&[(0, 0, 10), (0, 10, 11)]), [(0, 0..10, 1), (0, 10..21, 1)]);
        let small = [(0, 0, 10), (0, 10, 10), (0, 20, 10), (0, 30, 11)];
        assert_eq!(planned(&small), [(0, 0..30, 3), (0, 30..41, 1)]);
    }

    proptest! {
        #[test]
        fn each_wanted_byte_is_brought_once(
            wanted in prop::collection::vec((0usize..3, 0u64..500, 0u64..90), 0..20),
            gap_bytes_max in 0u64..40,
            joined_bytes_max in 0u64..120,
            request_bytes_max in 1u64..120,
        ) {
            let wanted: Vec<_> = wanted
                .into_iter()
                .map(|(object, offset, len)| WantedRange { object, offset, len })
                .collect();
            let config = RangesConfig { gap_bytes_max, joined_bytes_max, request_bytes_max };
            let mut brought = vec![0; wanted.len()];
            for request in plan_ranges(&wanted, config) {
                prop_assert!(request.range.end - request.range.start <= request_bytes_max);
                let single = request.shares.len() == 1;
                for share in request.shares {
                    prop_assert!(single || wanted[share.wanted].len <= joined_bytes_max);
                    let of = &wanted[share.wanted];
                    prop_assert_eq!(of.object, request.object);
                    prop_assert_eq!(share.range.start, of.offset + brought[share.wanted]);
                    brought[share.wanted] += share.range.end - share.range.start;
                    prop_assert!(request.range.start <= share.range.start);
                    prop_assert!(share.range.end <= request.range.end);
                    prop_assert!(!single || share.range == request.range);
                }
            }
            prop_assert_eq!(brought, wanted.iter().map(|of| of.len).collect::<Vec<_>>());
        }
    }
}
