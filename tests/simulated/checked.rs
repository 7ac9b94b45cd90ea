//! Bits that flip on the way, and comparing what lies in two places.

use hydrant::{
    Bytes, Class, CopyOptions, Crc64, Error, GetOptions, Location, Result, VerifyOptions, copy,
    verify,
};

use super::PART;
use super::ledger::Way;
use super::worker::{Place, Worker};

impl Worker {
    /// A bit flips in the answers of a server that tells checksums. Once is mended by reading again
    /// where nobody has seen the bytes yet; what flips each time is an error. Wrong bytes are never
    /// a success (DATA-2).
    pub(super) async fn read_what_flips(&self, name: &str) {
        let (bucket, data) = (self.below(2), self.data());
        let source = Place::Bucket(bucket);
        self.install(source, name, &data);
        let times = if self.below(3) == 0 { u32::MAX } else { 1 };
        let is_armed = self.servers[bucket].flip(name, times);
        let at = self.at(source, name);
        let read = match self.below(3) {
            0 => self.copy_what_flips(source, name, &data, times).await,
            1 => all_of(&at).await.map(|bytes| bytes == data),
            // Two of them fit the pool at once.
            _ if data.len() <= 2 * PART => {
                let whole = at.store.get_whole(&at.key).await;
                whole.map(|(bytes, _)| bytes == data)
            }
            _ => return self.servers[bucket].flip_no_more(name),
        };
        let flipped = self.servers[bucket].flips_of(name) > 0;
        self.servers[bucket].flip_no_more(name);
        assert!(is_armed || !flipped);
        match read {
            // What was told to be whole without its checksum, because that could not be asked for.
            Ok(false) if flipped && !self.is_fair => self.ledger.took(Way::FlipUnseen),
            Ok(is_right) => {
                assert!(is_right, "DATA-2: {name}");
                assert!(!flipped || times == 1, "DATA-2: {name} was never read as it is");
                if flipped {
                    self.ledger.took(Way::FlipMended);
                }
            }
            Err(error) if flipped => self.has_integrity(&error),
            Err(error) => assert!(!self.is_fair, "{error}"),
        }
    }

    async fn copy_what_flips(
        &self,
        source: Place,
        name: &str,
        data: &Bytes,
        times: u32,
    ) -> Result<bool> {
        let target = self.target(source);
        self.begins(target, name, data);
        let (from, to) = (self.at(source, name), self.at(target, name));
        let copied = copy(&from, &to, CopyOptions::default()).await;
        let there = self.content(target, name);
        if let Err(error) = copied {
            assert!(there.is_none_or(|there| there == *data), "DATA-3: {name} in {target:?}");
            assert!(times > 1 || !self.is_fair, "a copy reads once more: {error}");
            return Err(error);
        }
        let there = there.unwrap_or_else(|| panic!("DATA-3: {name} is not in {target:?}"));
        if let Some(path) = target.path(name) {
            self.ledger.begin(&path, &there);
        }
        self.is_there(target, name);
        Ok(there == *data)
    }

    /// Two objects that are the same, or differ in a byte, or in length.
    pub(super) async fn compare(&self, name: &str) {
        let (one, data) = self.source(name);
        let other = self.target(one);
        let mut twin = data.to_vec();
        let at = self.below(data.len().max(1));
        match self.below(6) {
            0 if !twin.is_empty() => twin[at] ^= 1 << self.below(8),
            1 => twin.truncate(at),
            _ => {}
        }
        let is_same = twin == data;
        self.install(other, name, &twin.into());
        let mut flips = None;
        if let (Place::Bucket(bucket), 0) = (other, self.below(3)) {
            flips = self.servers[bucket].flip(name, 1).then_some(bucket);
        }
        let (one, other) = (self.at(one, name), self.at(other, name));
        let compared = verify(&one, &other, VerifyOptions::default()).await;
        let flipped = flips.is_some_and(|bucket| self.servers[bucket].flips_of(name) > 0);
        flips.iter().for_each(|bucket| self.servers[*bucket].flip_no_more(name));
        match compared {
            Ok(report) => {
                assert!(is_same, "DATA-2: {one} and {other} differ");
                assert_eq!(report.bytes, data.len() as u64);
                assert_eq!(report.crc64nvme, Crc64::of(&data));
                self.ledger.took(if flipped { Way::FlipMended } else { Way::Same });
            }
            Err(error) if !is_same && error.class() == Class::Integrity => {
                self.ledger.took(Way::Differ);
            }
            Err(error) => assert!(!self.is_fair, "{error}"),
        }
    }

    fn has_integrity(&self, error: &Error) {
        let is_told = error.class() == Class::Integrity;
        assert!(is_told || !self.is_fair, "{error}");
        if is_told {
            self.ledger.took(Way::FlipTold);
        }
    }
}

/// All of an object, in order. What came before an error may be anything.
async fn all_of(at: &Location) -> Result<Vec<u8>> {
    let mut stream = at.store.get(&at.key, GetOptions::default())?;
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}
