//! What the kernel granted and what it refused, in words that a user can act on (FALL-1).

use super::system::{kernel_release, memlock_limit_bytes};
use crate::error::errno_text;
use crate::pool::ArenaBacking;

/// What an engine found when it started.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Capabilities {
    /// Who carries the ops out: `io_uring`, `poll` or `simulator`.
    pub driver: &'static str,
    /// The kernel's release.
    pub kernel: String,
    /// The soft limit on locked memory in bytes; `None` is unlimited.
    pub memlock_limit_bytes: Option<u64>,
    /// What the arena is made of.
    pub arena: ArenaBacking,
    /// The features that were asked for, with what became of each.
    pub features: Vec<Feature>,
}

/// One feature of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its name in the kernel's or the field's own words.
    pub name: &'static str,
    /// Whether it is used.
    pub state: FeatureState,
}

/// What became of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureState {
    /// It is used.
    Granted,
    /// It is not, for this reason; the work is done another way.
    Refused(String),
}

impl Capabilities {
    pub(crate) fn new(driver: &'static str) -> Capabilities {
        Capabilities {
            driver,
            kernel: kernel_release(),
            memlock_limit_bytes: memlock_limit_bytes(),
            arena: ArenaBacking::Small,
            features: Vec::new(),
        }
    }

    /// Whether the feature of that name is used.
    pub fn has(&self, name: &str) -> bool {
        self.features
            .iter()
            .any(|feature| feature.name == name && matches!(feature.state, FeatureState::Granted))
    }

    /// Whether leases of the pool are registered buffers, each once an operation gains by it.
    pub fn buffers_registered(&self) -> bool {
        self.has(BUFFERS_REGISTERED)
    }

    pub(crate) fn note(&mut self, name: &'static str, result: Result<(), String>) {
        let state = result.map_or_else(FeatureState::Refused, |()| FeatureState::Granted);
        self.features.push(Feature { name, state });
    }

    pub(crate) fn note_pinning_refused(&mut self, errno: i32) {
        self.note("pinned core", Err(errno_text(errno)));
    }
}

/// The name of the feature that makes leases registered buffers on every core.
pub(crate) const BUFFERS_REGISTERED: &str = "registered buffers";
