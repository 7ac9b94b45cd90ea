//! What one user of the pipelines does, again and again.

use std::time::Duration;

use hydrant::engine::Core;
use hydrant::engine::sim::World;
use hydrant::{
    Bytes, CopyOptions, Crc64, ErrorKind, GetOptions, Hydrant, Location, PutOptions, Result, copy,
};
use hydrant_tests::noise;

use super::PART;
use super::ledger::Ledger;
use super::server::Server;

/// Jobs of one worker.
const JOBS: usize = 4;

/// Sizes of objects at which something is cut in another way.
const SIZES: [usize; 8] = [0, 1, 4097, PART - 1, PART, PART + 1, 3 * PART, 6 * PART + 17];

pub(super) struct Worker {
    pub(super) core: Core,
    pub(super) hydrant: Hydrant,
    pub(super) servers: [Server; 2],
    /// The buckets of the servers.
    pub(super) places: [Location; 2],
    pub(super) world: World,
    pub(super) ledger: Ledger,
    pub(super) number: usize,
    /// Whether everything has to succeed.
    pub(super) is_fair: bool,
}

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Bucket(usize),
    File { direct: bool },
}

impl Place {
    /// The path of a file.
    pub(super) fn path(self, name: &str) -> Option<String> {
        matches!(self, Place::File { .. }).then(|| path(name))
    }
}

impl Worker {
    pub(super) async fn work(&self) {
        for job in 0..JOBS {
            let name = format!("{}-{job}", self.number);
            match self.below(21) {
                0..4 => self.copy(&name).await,
                4..6 => self.write(&name).await,
                6 => self.copy_and_drop(&name).await,
                7 => self.copy_while_replaced(&name).await,
                8 => self.stream(&name).await,
                9 => self.pieces(&name).await,
                10 => self.range(&name).await,
                11 => self.put_and_delete(&name).await,
                12..15 => self.copy_and_carry_on(&name).await,
                15..17 => self.read_what_flips(&name).await,
                17 => self.compare(&name).await,
                18 => self.ranges(&name).await,
                _ => self.delete_many(&name).await,
            }
        }
    }

    async fn copy(&self, name: &str) {
        let (source, data) = self.source(name);
        let target = self.target(source);
        self.begins(target, name, &data);
        let copied =
            copy(&self.at(source, name), &self.at(target, name), CopyOptions::default()).await;
        let there = self.content(target, name);
        if let Some(report) = self.fair(copied) {
            self.is_there(target, name);
            assert!(there == Some(data.clone()), "{name}: {source:?} to {target:?}");
            assert_eq!(report.bytes, data.len() as u64);
            assert_eq!(report.crc64nvme, Some(Crc64::of(&data)));
        } else {
            assert!(there.is_none_or(|there| there == data), "DATA-3: {name} in {target:?}");
        }
    }

    /// A copy that nobody waits for any more leaves nothing, or was just in time.
    async fn copy_and_drop(&self, name: &str) {
        let (source, data) = self.source(name);
        let target = self.target(source);
        self.begins(target, name, &data);
        let copying = copy(&self.at(source, name), &self.at(target, name), CopyOptions::default());
        self.core.sleep(Duration::from_micros(self.below(200_000) as u64)).await;
        drop(copying);
        self.core.sleep(Duration::from_secs(60)).await;
        let there = self.content(target, name);
        assert!(there.is_none_or(|there| there == data), "DATA-3: {name} in {target:?}");
    }

    /// Two versions are never mixed (DATA-2).
    async fn copy_while_replaced(&self, name: &str) {
        let bucket = self.below(2);
        let (old, new) = (self.data(), self.data());
        self.servers[bucket].put(name, old.clone());
        let (core, server) = (self.core.clone(), self.servers[bucket].clone());
        let (key, wait, later) =
            (name.to_owned(), Duration::from_micros(self.below(50_000) as u64), new.clone());
        let replacing = self.core.spawn(async move {
            core.sleep(wait).await;
            server.put(&key, later);
        });
        let target = self.target(Place::Bucket(bucket));
        self.begins(target, name, &old);
        self.begins(target, name, &new);
        let source = self.at(Place::Bucket(bucket), name);
        let copied = copy(&source, &self.at(target, name), CopyOptions::default()).await;
        let there = self.content(target, name);
        let is_whole = |there: &Bytes| *there == old || *there == new;
        match copied {
            Ok(_) => {
                self.is_there(target, name);
                assert!(there.as_ref().is_some_and(is_whole), "DATA-2: {name}");
            }
            Err(error) => {
                assert!(there.as_ref().is_none_or(is_whole), "DATA-3: {name}");
                let is_change = matches!(error.kind(), ErrorKind::Changed { .. });
                assert!(is_change || !self.is_fair, "{error}");
            }
        }
        drop(replacing);
    }

    async fn stream(&self, name: &str) {
        let (source, data) = self.source(name);
        let at = self.at(source, name);
        let mut stream = at.store.get(&at.key, GetOptions::default()).expect("a stream");
        let mut read = 0;
        while let Some(piece) = stream.next().await {
            let Some(piece) = self.fair(piece) else { return };
            assert!(data[read..].starts_with(&piece), "DATA-2: {name} at {read}");
            read += piece.len();
            if self.below(4) == 0 {
                // A consumer that takes its time, and now and then has enough.
                self.core.sleep(Duration::from_millis(self.below(200) as u64)).await;
            }
            if self.below(20) == 0 {
                return;
            }
        }
        assert_eq!(read, data.len(), "DATA-2: {name}");
    }

    async fn pieces(&self, name: &str) {
        let (source, data) = self.source(name);
        let at = self.at(source, name);
        let mut pieces = at.store.get_pieces(&at.key, GetOptions::default()).expect("a stream");
        let mut there = vec![false; data.len()];
        while let Some(piece) = pieces.next().await {
            let Some(piece) = self.fair(piece) else { return };
            let range = piece.offset as usize..piece.offset as usize + piece.bytes.len();
            assert!(data[range.clone()] == piece.bytes, "DATA-2: {name} at {range:?}");
            let once = there[range].iter_mut().all(|there| !std::mem::replace(there, true));
            assert!(once, "bytes came twice: {name}");
        }
        assert!(there.into_iter().all(|there| there), "DATA-2: {name}");
    }

    /// A stream in chunks of any length; now and then it is given up.
    async fn write(&self, name: &str) {
        let place = self.target(Place::File { direct: false });
        let place = if self.below(2) == 0 { place } else { Place::File { direct: true } };
        let (at, data) = (self.at(place, name), self.data());
        self.begins(place, name, &data);
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        let mut rest = data.clone();
        let mut written = Ok(());
        while !rest.is_empty() && written.is_ok() {
            let longest = if self.below(3) == 0 { 2 * PART } else { PART / 16 };
            let chunk = rest.split_to(1 + self.below(rest.len().min(longest)));
            // What O_DIRECT takes as it is depends on its address, which no seed decides.
            let owned = place != Place::File { direct: true } && self.below(2) == 0;
            written = match owned {
                true => writer.write_owned(chunk).await,
                false => writer.write(&chunk).await,
            };
            if self.below(60) == 0 {
                self.fair(writer.cancel().await);
                assert!(self.content(place, name).is_none(), "DATA-3: {name} in {place:?}");
                return;
            }
        }
        let finished = match written {
            Ok(()) => writer.finish().await,
            Err(error) => Err(error),
        };
        let there = self.content(place, name);
        match self.fair(finished) {
            Some(_) => {
                self.is_there(place, name);
                assert!(there == Some(data), "DATA-2: {name} in {place:?}");
            }
            None => assert!(there.is_none_or(|there| there == data), "DATA-3: {name}"),
        }
    }

    async fn range(&self, name: &str) {
        let (source, data) = self.source(name);
        let at = self.at(source, name);
        let from = self.below(data.len() + 1);
        let to = from + self.below((data.len() - from).min(PART) + 1);
        let range = from as u64..to as u64;
        if let Some(bytes) = self.fair(at.store.get_range(&at.key, range).await) {
            assert!(bytes == data[from..to], "DATA-2: {name} {from}..{to}");
        }
    }

    async fn put_and_delete(&self, name: &str) {
        let place = self.target(Place::File { direct: false });
        let (at, data) = (self.at(place, name), self.data());
        let data = data.slice(..data.len().min(PART));
        self.begins(place, name, &data);
        let put = at.store.put(&at.key, data.clone()).await;
        let there = self.content(place, name);
        match self.fair(put) {
            Some(_) => {
                self.is_there(place, name);
                assert!(there == Some(data), "DATA-2: {name}");
            }
            None => assert!(there.is_none_or(|there| there == data), "DATA-3: {name}"),
        }
        if let Some(path) = place.path(name) {
            self.ledger.deletes(&path);
        }
        if self.fair(at.store.delete(&at.key).await).is_some() {
            // A name that was taken away is durable when its folder is, and nobody is promised that.
            let is_gone = self.content(place, name).is_none();
            assert!(is_gone || self.ledger.has_crashed(), "{name} is still there");
        }
    }

    /// An object that is there.
    pub(super) fn source(&self, name: &str) -> (Place, Bytes) {
        let data = self.data();
        let place = self.place();
        self.install(place, name, &data);
        (place, data)
    }

    pub(super) fn place(&self) -> Place {
        match self.below(3) {
            2 => Place::File { direct: self.below(2) == 0 },
            bucket => Place::Bucket(bucket),
        }
    }

    /// Puts an object there as if it had always been there.
    pub(super) fn install(&self, place: Place, name: &str, data: &Bytes) {
        match place {
            Place::Bucket(index) => self.servers[index].put(name, data.clone()),
            Place::File { .. } => {
                let path = path(name);
                self.world.put_file(&path, data).expect("room");
                self.ledger.begin(&path, data);
                self.ledger.told(&path);
            }
        }
    }

    /// A file is about to be written.
    pub(super) fn begins(&self, place: Place, name: &str, data: &Bytes) {
        if let Some(path) = place.path(name) {
            self.ledger.begin(&path, data);
        }
    }

    /// A write was told to be done.
    pub(super) fn is_there(&self, place: Place, name: &str) {
        if let Some(path) = place.path(name) {
            self.ledger.told(&path);
        }
    }

    /// Another place.
    pub(super) fn target(&self, source: Place) -> Place {
        match source {
            Place::Bucket(index) if self.below(2) == 0 => Place::Bucket(1 - index),
            Place::Bucket(_) => Place::File { direct: self.below(2) == 0 },
            Place::File { .. } => Place::Bucket(self.below(2)),
        }
    }

    pub(super) fn at(&self, place: Place, name: &str) -> Location {
        match place {
            Place::Bucket(index) => self.places[index].with_key(name).expect("a key"),
            Place::File { direct } => {
                let scheme = if direct { "direct" } else { "file" };
                let uri = format!("{scheme}://{}", path(name));
                self.hydrant.locate(&uri).expect("a URI")
            }
        }
    }

    pub(super) fn content(&self, place: Place, name: &str) -> Option<Bytes> {
        match place {
            Place::Bucket(index) => self.servers[index].get(name),
            Place::File { .. } => self.world.file(&path(name)).map(Bytes::from),
        }
    }

    pub(super) fn data(&self) -> Bytes {
        let size = match self.below(3) {
            0 => self.below(2 * PART),
            _ => SIZES[self.below(SIZES.len())],
        };
        noise(self.core.random_u64(), size).into()
    }

    /// The same of some parts, so that there is a time when a few have come.
    pub(super) fn several_parts(&self) -> Bytes {
        noise(self.core.random_u64(), SIZES[SIZES.len() - 1 - self.below(2)]).into()
    }

    /// A result; `None` for a failure where failures are fair.
    #[track_caller]
    pub(super) fn fair<T>(&self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) if self.is_fair => panic!("everything can be mended here: {error}"),
            Err(_) => None,
        }
    }

    pub(super) fn below(&self, bound: usize) -> usize {
        (self.core.random_u64() % bound.max(1) as u64) as usize
    }
}

fn path(name: &str) -> String {
    format!("/files/{name}")
}
