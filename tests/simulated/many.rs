//! Many ranges in one call, and many objects that go in one call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hydrant::engine::RegionOwner;
use hydrant::{Bytes, Class, DeleteOptions, OnDeleted, Outcome, RangeRegion, RangesOptions};
use hydrant_tests::noise;

use super::PART;
use super::ledger::Way;
use super::worker::Worker;

/// Ranges of one call.
const RANGES_MAX: usize = 12;

/// Objects that are deleted together: several pages of a listing.
const KEYS_MAX: usize = 25;

impl Worker {
    /// Ranges of two objects and of one that is not there, near each other and far apart, some beyond the end.
    pub(super) async fn ranges(&self, name: &str) {
        let place = self.place();
        let objects = [format!("{name}-a"), format!("{name}-b")].map(|name| {
            let data = self.data();
            self.install(place, &name, &data);
            (name, data)
        });
        let absent = format!("{name}-absent");
        let at = self.at(place, &absent);
        let keys = [&absent, &objects[0].0, &objects[1].0].map(|name| self.at(place, name).key);
        let (mut wanted, mut owners) = (Vec::new(), Vec::new());
        for _ in 0..1 + self.below(RANGES_MAX) {
            let number = self.below(9).checked_sub(1).map(|at| at % 2);
            let object = number.map(|at| &objects[at]);
            let size = object.map_or(1, |(_, data)| data.len());
            let offset = self.below(size + size / 8 + 1);
            let longest = if self.below(4) == 0 { 2 * PART } else { 4096 };
            let (owner, into) = RegionOwner::new(vec![0; self.below(longest)]);
            let key = &keys[number.map_or(0, |at| at + 1)];
            wanted.push(RangeRegion { key, offset: offset as u64, into });
            owners.push((owner, object.map(|(_, data)| data), offset));
        }
        let gap_bytes_max = if self.below(2) == 0 { 0 } else { 64 << 10 };
        let mut options = RangesOptions::default();
        options.gap_bytes_max = gap_bytes_max;
        let reading = at.store.get_regions(wanted, options);
        let Some(results) = self.fair(reading.await) else { return };
        assert_eq!(results.len(), owners.len());
        for ((owner, data, offset), result) in owners.into_iter().zip(results) {
            let into = owner.returned().await;
            let Some(data) = data else {
                // Nothing is asked for an empty range.
                let is_right = match &result {
                    Ok(count) => *count == 0 && into.is_empty(),
                    Err(error) => !self.is_fair || error.class() == Class::NotFound,
                };
                assert!(is_right, "{result:?} of an object that is not there");
                continue;
            };
            let Some(count) = self.fair(result) else { continue };
            let there = &data[offset.min(data.len())..];
            let there = &there[..there.len().min(into.len())];
            assert!(into[..count] == *there, "DATA-2: {name} from {offset}, {count} bytes");
            self.ledger.took(Way::RangeRead);
        }
    }

    /// All objects of a prefix or a list go, each is told of once, and no other is touched.
    pub(super) async fn delete_many(&self, name: &str) {
        let bucket = self.below(2);
        let (server, store) = (&self.servers[bucket], &self.places[bucket].store);
        let data = Bytes::from(noise(1, 9));
        let prefix = format!("{name}/");
        // Keys that XML and URLs write in other ways.
        let keys: Vec<_> =
            (0..self.below(KEYS_MAX)).map(|at| format!("{prefix}{at}&<é> +%")).collect();
        let neighbours = [name.to_owned(), format!("{name}0")];
        keys.iter().chain(&neighbours).for_each(|key| server.put(key, data.clone()));
        let outcomes: Arc<Mutex<BTreeMap<String, bool>>> = Arc::default();
        let options = DeleteOptions { on_deleted: Some(noting(&outcomes)) };
        let by_prefix = self.below(2) == 0;
        let deleting = match by_prefix {
            true => store.delete_prefix(&prefix, options),
            false => store.delete_keys(keys.clone(), options),
        };
        let deleted = deleting.await;
        assert!(neighbours.iter().all(|key| server.get(key).is_some()), "beside {prefix}");
        let outcomes = std::mem::take(&mut *outcomes.lock().expect("no panic"));
        let gone = outcomes.iter().filter(|(_, is_gone)| **is_gone);
        for (key, _) in gone.clone() {
            assert!(server.get(key).is_none(), "{key} is told to be gone, and is there");
        }
        let Some(report) = self.fair(deleted) else { return };
        assert_eq!(outcomes.len(), keys.len(), "each is told of: {outcomes:?}");
        let gone = gone.count();
        assert_eq!((report.deleted, report.failed), (gone as u64, (keys.len() - gone) as u64));
        assert!(gone == keys.len() || !self.is_fair, "{:?}", report.failures);
        let way = if by_prefix { Way::DeletedByPrefix } else { Way::DeletedByName };
        (0..gone).for_each(|_| self.ledger.took(way));
    }
}

/// Notes what came of each key, which must not come twice.
fn noting(outcomes: &Arc<Mutex<BTreeMap<String, bool>>>) -> OnDeleted {
    let outcomes = Arc::clone(outcomes);
    Arc::new(move |batch: &[Outcome]| {
        let mut outcomes = outcomes.lock().expect("no panic");
        for (key, outcome) in batch {
            let before = outcomes.insert(key.clone(), outcome.is_ok());
            assert_eq!(before, None, "{key} is told of twice");
        }
    })
}
