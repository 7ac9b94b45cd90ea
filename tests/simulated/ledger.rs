//! What a run has to account for: which ways were taken, and which files have to outlive a loss of power.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hydrant::Bytes;
use hydrant::engine::sim::World;

/// What a run may come by; counted, to show that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A copy had parts from an earlier one.
    CarriedOn,
    /// A copy found what an earlier one had left, and could not use it.
    BeganAnew,
    /// A bit was flipped on the way and the transfer succeeded all the same.
    FlipMended,
    /// A bit was flipped on the way and that was the error.
    FlipTold,
    /// A bit was flipped on the way and nobody knew, for the server could not be asked for the checksum.
    FlipUnseen,
    /// A range was read together with others.
    RangeRead,
    /// Two objects were compared, and are the same.
    Same,
    /// Two objects were compared, and differ.
    Differ,
    /// An object was deleted with others of its prefix, while the listing went on.
    DeletedByPrefix,
    /// An object was deleted with others by name.
    DeletedByName,
    /// A file was there when the power failed.
    OutlivedCrash,
    /// A file was being written when the power failed.
    CutByCrash,
}

impl Way {
    pub(super) const ALL: [Way; 12] = [
        Way::CarriedOn,
        Way::BeganAnew,
        Way::FlipMended,
        Way::FlipTold,
        Way::FlipUnseen,
        Way::RangeRead,
        Way::Same,
        Way::Differ,
        Way::DeletedByPrefix,
        Way::DeletedByName,
        Way::OutlivedCrash,
        Way::CutByCrash,
    ];

    /// Whether a thousand runs of a kind have to come by it.
    pub(super) fn is_expected(self, is_fair: bool) -> bool {
        match self {
            Way::OutlivedCrash | Way::CutByCrash => !is_fair,
            // Too seldom to be counted on.
            Way::FlipUnseen => false,
            _ => is_fair,
        }
    }
}

/// The account of one run. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Account>>);

#[derive(Default)]
struct Account {
    ways: [u64; Way::ALL.len()],
    files: BTreeMap<String, File>,
    crashes: u64,
}

#[derive(Default)]
struct File {
    /// What may have the name.
    may_be: Vec<Bytes>,
    /// Somebody was told that it is there.
    is_told: bool,
}

impl Ledger {
    pub(super) fn took(&self, way: Way) {
        self.lock().ways[way as usize] += 1;
    }

    pub(super) fn ways(&self) -> [u64; Way::ALL.len()] {
        self.lock().ways
    }

    /// Whether the power has failed in this run.
    pub(super) fn has_crashed(&self) -> bool {
        self.lock().crashes > 0
    }

    /// Somebody begins to write this to a file.
    pub(super) fn begin(&self, path: &str, data: &Bytes) {
        self.lock().files.entry(path.to_owned()).or_default().may_be.push(data.clone());
    }

    /// Somebody was told that the file is there.
    pub(super) fn told(&self, path: &str) {
        self.lock().files.get_mut(path).expect("it was begun").is_told = true;
    }

    /// Somebody deletes it: it may be there or not.
    pub(super) fn deletes(&self, path: &str) {
        self.lock().files.get_mut(path).expect("it was begun").is_told = false;
    }

    /// The power fails: what was told is there, and nothing else has a final name (DATA-3).
    pub(super) fn crash(&self, world: &World) {
        world.crash();
        let mut account = self.lock();
        account.crashes += 1;
        let mut met = [0; 2];
        for (path, file) in &account.files {
            let there = world.file(path);
            match &there {
                Some(there) => assert!(
                    file.may_be.iter().any(|data| data == there),
                    "DATA-3: {path} has {} bytes after a crash, and is not whole",
                    there.len()
                ),
                None => assert!(!file.is_told, "DATA-3: {path} is gone after a crash"),
            }
            met[usize::from(!file.is_told)] += 1;
        }
        let is_final = |path: &String| path.starts_with("/files/") && !path.contains("/.");
        for path in world.paths().into_iter().filter(is_final) {
            let is_known = path == super::KEPT || account.files.contains_key(&path);
            assert!(is_known, "nobody knows of {path}");
        }
        account.ways[Way::OutlivedCrash as usize] += met[0];
        account.ways[Way::CutByCrash as usize] += met[1];
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
