//! Mistakes that are made on purpose, so that tests can show that they would be noticed.
//!
//! Outside of tests nothing can be planted, and every question here is a constant.

use super::transfer::Kind;

/// A mistake in how ops, their buffers and their waiters are kept.
#[cfg_attr(not(any(test, feature = "testing")), expect(dead_code, reason = "never planted"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlantedBug {
    /// An op whose future is dropped gives its buffers back at once (OWN-1).
    FreeEarly,
    /// A zero-copy send gives its buffer back with its result, before the notification (OWN-1).
    LeaseBeforeNotification,
    /// A core ends without waiting for what the kernel still holds (OWN-2).
    DrainSkipped,
    /// A dropped future sends no cancel.
    CancelForgotten,
    /// One ended op in 64 does not wake its future.
    LostWakeUp,
    /// A free slot wakes nobody who waits for one.
    SlotWaitersForgotten,
    /// A slot that is used again keeps its generation, so that a late cancel meets the next op.
    StaleGeneration,
    /// One completion in 64 is taken in twice.
    DoubleCompletion,
    /// A descriptor that arrives for a dropped future is forgotten open.
    DescriptorForgotten,
    /// A short read counts as a full one.
    ShortReadIgnored,
    /// A short write counts as a full one.
    ShortWriteIgnored,
    /// A write of nothing counts as a full one.
    ZeroWriteIgnored,
    /// A short receive counts as a full one.
    ShortReceiveIgnored,
    /// A short send counts as a full one.
    ShortSendIgnored,
    /// The rest of a short transfer goes to where the whole had begun.
    RestMisplaced,
    /// EINTR and EAGAIN end the op.
    TransientIsFatal,
    /// An error ends the op as a success that moved less.
    ErrorSwallowed,
}

impl PlantedBug {
    /// All of them.
    #[cfg(any(test, feature = "testing"))]
    pub const ALL: [PlantedBug; 17] = [
        PlantedBug::FreeEarly,
        PlantedBug::LeaseBeforeNotification,
        PlantedBug::DrainSkipped,
        PlantedBug::CancelForgotten,
        PlantedBug::LostWakeUp,
        PlantedBug::SlotWaitersForgotten,
        PlantedBug::StaleGeneration,
        PlantedBug::DoubleCompletion,
        PlantedBug::DescriptorForgotten,
        PlantedBug::ShortReadIgnored,
        PlantedBug::ShortWriteIgnored,
        PlantedBug::ZeroWriteIgnored,
        PlantedBug::ShortReceiveIgnored,
        PlantedBug::ShortSendIgnored,
        PlantedBug::RestMisplaced,
        PlantedBug::TransientIsFatal,
        PlantedBug::ErrorSwallowed,
    ];
}

/// What is planted here: nothing, outside of tests.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Planted {
    #[cfg(any(test, feature = "testing"))]
    bug: Option<PlantedBug>,
}

impl Planted {
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn new(bug: Option<PlantedBug>) -> Planted {
        Planted { bug }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn has(self, bug: PlantedBug) -> bool {
        self.bug == Some(bug)
    }

    #[cfg(not(any(test, feature = "testing")))]
    #[inline(always)]
    pub(crate) fn has(self, _: PlantedBug) -> bool {
        false
    }

    /// How many of `len` bytes count as moved when the kernel says `bytes`.
    pub(super) fn counted(self, kind: Kind, bytes: usize, len: usize) -> usize {
        let ignored = match (kind, bytes) {
            (Kind::Write, 0) => self.has(PlantedBug::ZeroWriteIgnored),
            (_, 0) => false,
            (Kind::Read, _) => self.has(PlantedBug::ShortReadIgnored),
            (Kind::Write, _) => self.has(PlantedBug::ShortWriteIgnored),
            (Kind::RecvFill, _) => self.has(PlantedBug::ShortReceiveIgnored),
            (Kind::Send, _) => self.has(PlantedBug::ShortSendIgnored),
            (Kind::RecvSome, _) => false,
        };
        if ignored { len } else { bytes }
    }
}
