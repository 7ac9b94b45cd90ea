//! Which objects a run moves, and how long they are.

use std::fs;
use std::path::Path;

use hydrant::{DeleteOptions, ListEntry, ListRequest, Location};

use crate::exit::Failure;
use crate::sizes;

/// Sizes in a list at most.
const SIZES_MAX: usize = 1_000_000;

/// The sizes of objects in turn, in bytes.
#[derive(Debug, Clone, Default)]
pub struct Sizes(Vec<u64>);

/// The objects of one process, in the order in which they are moved.
#[derive(Debug)]
pub struct Objects {
    of: Vec<(String, u64)>,
}

impl Sizes {
    pub fn new(sizes: Vec<u64>) -> Result<Sizes, Failure> {
        match sizes.len() {
            1..=SIZES_MAX => Ok(Sizes(sizes)),
            count => Err(Failure::Usage(format!("{count} sizes are not 1 to {SIZES_MAX}"))),
        }
    }

    /// A size on each line; empty ones are skipped.
    pub fn from_file(path: &Path) -> Result<Sizes, Failure> {
        let text = fs::read_to_string(path)
            .map_err(Failure::local(format!("read the sizes in {}", path.display())))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let sizes = lines.map(|(number, line)| {
            sizes::parse(line).map_err(|why| {
                let line = number + 1;
                Failure::Usage(format!("{} line {line}: {why}", path.display()))
            })
        });
        Sizes::new(sizes.collect::<Result<_, _>>()?)
    }

    pub fn shown(&self) -> &[u64] {
        &self.0
    }
}

impl Objects {
    /// Generated names beneath a place, other ones for each process.
    pub fn named(place: &Location, process: u16, count: usize, sizes: &Sizes) -> Objects {
        let sizes = sizes.0.iter().cycle();
        let of = (0..count).zip(sizes).map(|(number, size)| {
            (format!("{}bench-{process}-{number:07}", folder(&place.key)), *size)
        });
        Objects { of: of.collect() }
    }

    /// Every so many of those that lie beneath a place, so that processes read different ones.
    pub async fn listed(
        place: &Location,
        process: u16,
        processes: u16,
        count: usize,
    ) -> Result<Objects, Failure> {
        let prefix = folder(&place.key);
        let mut pages = place.store.list(ListRequest { prefix, ..ListRequest::default() });
        let mut of = Vec::new();
        while let Some(page) = pages.next_page().await {
            of.extend(page?.entries.into_iter().filter_map(|entry| match entry {
                ListEntry::Object { key, meta } if meta.size_bytes > 0 => {
                    Some((key, meta.size_bytes))
                }
                _ => None,
            }));
            if of.len() >= count * usize::from(processes) {
                break;
            }
        }
        if of.is_empty() {
            return Err(Failure::Usage(format!(
                "there is no object with a byte beneath {place}; `hydrant bench put --keep` makes some"
            )));
        }
        let (first, step) = (usize::from(process) % of.len(), usize::from(processes));
        let of = of.into_iter().skip(first).step_by(step).take(count).collect();
        Ok(Objects { of })
    }

    /// The one that is moved as number `turn`.
    pub fn at(&self, turn: u64) -> (&str, u64) {
        let (key, size) = &self.of[(turn % self.of.len() as u64) as usize];
        (key, *size)
    }

    /// Removes those that are there.
    pub async fn remove(&self, place: &Location) -> Result<(), Failure> {
        let keys = self.of.iter().map(|(key, _)| key.clone()).collect();
        let report = place.store.delete_keys(keys, DeleteOptions::default()).await?;
        let failed = report.failures.into_iter().find(|(_, error)| !error.is_not_found());
        match failed {
            None => Ok(()),
            Some((_, error)) => Err(error.into()),
        }
    }
}

/// The place as the beginning of keys: beneath it, and not beside it.
fn folder(key: &str) -> String {
    match key.is_empty() || key.ends_with('/') {
        true => key.to_owned(),
        false => format!("{key}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_in_turn() {
        let sizes = Sizes::new(vec![1, 2, 3]).expect("a list");
        let of: Vec<_> = (0..5).zip(sizes.0.iter().cycle()).map(|(_, size)| *size).collect();
        assert_eq!(of, [1, 2, 3, 1, 2]);
        assert!(Sizes::new(Vec::new()).is_err());
    }

    #[test]
    fn a_list_of_sizes_has_one_on_each_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sizes");
        fs::write(&path, "4KiB\n\n1MiB\n").expect("written");
        assert_eq!(Sizes::from_file(&path).expect("sizes").shown(), [4096, 1 << 20]);
        fs::write(&path, "4KiB\nmany\n").expect("written");
        let error = Sizes::from_file(&path).expect_err("no size").to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn objects_lie_beneath_the_place() {
        assert_eq!((folder(""), folder("a"), folder("a/")), ("".into(), "a/".into(), "a/".into()));
        let objects = Objects { of: vec![("a".into(), 1), ("b".into(), 5)] };
        assert_eq!((objects.at(0), objects.at(3)), (("a", 1), ("b", 5)));
    }
}
