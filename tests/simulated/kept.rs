//! Copies that end early and are carried on.

use std::time::Duration;

use hydrant::{CopyOptions, Crc64, OnFailure, copy};

use super::ledger::Way;
use super::worker::Worker;

/// How often a copy is begun before it is waited for.
const BEGINNINGS_MAX: usize = 3;

impl Worker {
    /// A copy that is given up at any moment, and carried on until it is there. Now and then the
    /// source is another one by then.
    pub(super) async fn copy_and_carry_on(&self, name: &str) {
        let (source, mut data) = (self.place(), self.several_parts());
        self.install(source, name, &data);
        let target = self.target(source);
        let (from, to) = (self.at(source, name), self.at(target, name));
        for _ in 0..1 + self.below(BEGINNINGS_MAX) {
            self.begins(target, name, &data);
            let copying = copy(&from, &to, keeping());
            // Some are given up at once, most when some parts have come.
            let longest = 1 << (12 + self.below(11));
            self.core.sleep(Duration::from_micros(self.below(longest) as u64)).await;
            drop(copying);
            // Requests that nobody waits for any more end, and so does who held the journal.
            self.core.sleep(Duration::from_secs(60)).await;
            let there = self.content(target, name);
            if let Some(there) = there {
                // It was in time.
                assert!(there == data, "DATA-3: {name} in {target:?}");
                break;
            }
            if self.below(5) == 0 {
                data = self.data();
                self.install(source, name, &data);
            }
        }
        self.begins(target, name, &data);
        let copied = copy(&from, &to, keeping()).await;
        let there = self.content(target, name);
        if copied.is_err() {
            // An earlier one was in time, or the answer to the last request was lost.
            assert!(there.as_ref().is_none_or(|there| *there == data), "DATA-3: {name}");
        }
        let Some(report) = self.fair(copied) else { return };
        self.is_there(target, name);
        assert!(there == Some(data.clone()), "DATA-2: {name}: {source:?} to {target:?}");
        assert!(report.resumed_bytes <= data.len() as u64);
        assert_eq!(report.crc64nvme, Some(Crc64::of(&data)));
        if report.resumed_bytes > 0 {
            self.ledger.took(Way::CarriedOn);
        }
        if report.began_anew.is_some() {
            self.ledger.took(Way::BeganAnew);
        }
    }
}

fn keeping() -> CopyOptions {
    CopyOptions { on_failure: OnFailure::Keep, ..CopyOptions::default() }
}
