//! The rows: what is moved, in what pieces, and what the floor of it is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::super::server::{BUCKET, OBJECT, Set, UPLOAD};
use super::super::variant::Direction;

/// What the client may cost as a multiple of the floor: over the network, and with a file.
const MULTIPLE: f64 = 1.25;
const MULTIPLE_WITH_FILE: f64 = 1.10;
const MULTIPLE_WITH_TLS: f64 = 1.15;
/// How many times better than the best peer it is to be, where the floor leaves so much. With TLS,
/// most of the work is the same cipher.
const FACTOR: f64 = 2.0;
const FACTOR_WITH_TLS: f64 = 1.0;
/// Payload of a request at most.
pub const PART_BYTES: u64 = 8 << 20;
/// The one object.
pub const LARGE_BYTES: u64 = 1 << 30;
/// The same where what a process takes to start is to weigh little.
const LARGEST_BYTES: u64 = 4 << 30;
/// The many objects that are there from the start.
pub const SETS: [Set; 2] = [
    Set { name: "small", objects: 10_000, bytes: 4 << 10 },
    Set { name: "middle", objects: 1_000, bytes: 1 << 20 },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Row {
    GetStream,
    GetStreamTls,
    GetBuffer,
    GetFile,
    PutMemory,
    PutFile,
    #[value(name = "get-file-4g")]
    GetFile4g,
    #[value(name = "put-file-4g")]
    PutFile4g,
    #[value(name = "get-4k")]
    Get4k,
    #[value(name = "put-4k")]
    Put4k,
    #[value(name = "get-1m")]
    Get1m,
    #[value(name = "put-1m")]
    Put1m,
}

/// The half of the floor that touches a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Read,
    Write,
}

impl Row {
    pub fn name(self) -> String {
        self.to_possible_value().expect("none is skipped").get_name().to_owned()
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::GetStream => "GET 1 GiB as a stream that is consumed and released",
            Self::GetStreamTls => "GET 1 GiB the same way by HTTPS",
            Self::GetBuffer => "GET 1 GiB into one buffer of the caller, touched beforehand",
            Self::GetFile => "GET 1 GiB to a file, O_DIRECT where the client can",
            Self::PutMemory => "PUT 1 GiB from memory",
            Self::PutFile => "PUT 1 GiB from a file, O_DIRECT where the client can",
            Self::GetFile4g => "GET 4 GiB to a file, O_DIRECT where the client can",
            Self::PutFile4g => "PUT 4 GiB from a file, O_DIRECT where the client can",
            Self::Get4k => "GET 10,000 objects of 4 KiB",
            Self::Put4k => "PUT 10,000 objects of 4 KiB",
            Self::Get1m => "GET 1,000 objects of 1 MiB",
            Self::Put1m => "PUT 1,000 objects of 1 MiB",
        }
    }

    /// For the programs that take a job.
    pub fn work(self) -> &'static str {
        match self {
            Self::GetStream | Self::GetStreamTls => "get-stream",
            Self::GetBuffer => "get-buffer",
            Self::GetFile | Self::GetFile4g => "get-file",
            Self::PutMemory => "put-memory",
            Self::PutFile | Self::PutFile4g => "put-file",
            Self::Get4k | Self::Get1m => "get-many",
            Self::Put4k | Self::Put1m => "put-many",
        }
    }

    pub fn direction(self) -> Direction {
        match self {
            Self::GetStream
            | Self::GetStreamTls
            | Self::GetBuffer
            | Self::GetFile
            | Self::GetFile4g
            | Self::Get4k
            | Self::Get1m => Direction::Get,
            Self::PutMemory | Self::PutFile | Self::PutFile4g | Self::Put4k | Self::Put1m => {
                Direction::Put
            }
        }
    }

    /// The objects of a row that has many.
    pub fn set(self) -> Option<&'static Set> {
        match self {
            Self::Get4k | Self::Put4k => Some(&SETS[0]),
            Self::Get1m | Self::Put1m => Some(&SETS[1]),
            _ => None,
        }
    }

    pub fn objects(self) -> u64 {
        self.set().map_or(1, |set| set.objects)
    }

    /// Of one object.
    pub fn object_bytes(self) -> u64 {
        match (self, self.set()) {
            (_, Some(set)) => set.bytes,
            (Self::GetFile4g | Self::PutFile4g, None) => LARGEST_BYTES,
            (_, None) => LARGE_BYTES,
        }
    }

    pub fn total_bytes(self) -> u64 {
        self.objects() * self.object_bytes()
    }

    /// The object, or the folder of many.
    pub fn key(self) -> &'static str {
        match (self.direction(), self.set()) {
            (Direction::Get, None) => OBJECT,
            (Direction::Get, Some(set)) => set.name,
            (Direction::Put, None) => UPLOAD,
            (Direction::Put, Some(_)) => "uploads",
        }
    }

    pub fn disk(self) -> Option<Disk> {
        match self {
            Self::GetFile | Self::GetFile4g => Some(Disk::Write),
            Self::PutFile | Self::PutFile4g => Some(Disk::Read),
            _ => None,
        }
    }

    pub fn is_tls(self) -> bool {
        self == Self::GetStreamTls
    }

    /// What the client may cost, as a multiple of the floor.
    pub fn multiple(self) -> f64 {
        match self.disk() {
            Some(_) => MULTIPLE_WITH_FILE,
            None if self.is_tls() => MULTIPLE_WITH_TLS,
            None => MULTIPLE,
        }
    }

    /// How many times better than the best peer it is to be.
    pub fn factor(self) -> f64 {
        if self.is_tls() { FACTOR_WITH_TLS } else { FACTOR }
    }

    /// How often a run repeats the row, so that it is 4 GiB or long enough.
    pub fn times(self) -> u32 {
        match self {
            Self::Get4k | Self::Put4k => 10,
            Self::GetFile4g | Self::PutFile4g => 1,
            _ => 4,
        }
    }

    /// Bytes of memory that are the caller's and not the client's.
    pub fn caller_bytes(self) -> u64 {
        if self == Self::GetBuffer { LARGE_BYTES } else { 0 }
    }
}

/// Where a row happens.
pub struct Place {
    /// As 127.0.0.1:9000.
    pub address: SocketAddr,
    /// The same by TLS, and what to trust there.
    pub address_of_tls: SocketAddr,
    pub authority: PathBuf,
    /// What the server has, a folder in memory.
    pub bucket: PathBuf,
    /// A folder in memory, for programs that put what they get into files.
    pub downloads: PathBuf,
    /// The file of the rows with one.
    pub file: PathBuf,
    /// Requests under way at once.
    pub connections: usize,
}

impl Place {
    /// As http://127.0.0.1:9000.
    pub fn endpoint(&self, row: Row) -> String {
        match row.is_tls() {
            true => format!("https://{}", self.address_of_tls),
            false => format!("http://{}", self.address),
        }
    }

    /// As programs that speak of buckets name it.
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{BUCKET}/{key}")
    }

    /// What a row uploads, as a file in memory.
    pub fn source(&self, row: Row) -> PathBuf {
        let set = row.set().map_or(OBJECT, |set| set.name);
        self.bucket.join(set)
    }

    /// A file that stays empty, for a floor that reads and has to name where it would write.
    pub fn nothing(&self) -> PathBuf {
        self.file.with_extension("nothing")
    }

    /// The file of a row, where it has one; else in memory.
    pub fn target(&self, row: Row) -> &Path {
        if row.disk().is_some() { &self.file } else { &self.downloads }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_moves_what_its_text_says() {
        for &row in Row::value_variants() {
            let (about, bytes) = (row.about(), row.total_bytes());
            let said = match row.set() {
                None if about.contains("4 GiB") => 4 << 30,
                None => 1 << 30,
                Some(_) if about.contains("10,000 objects of 4 KiB") => 10_000 * 4096,
                Some(_) if about.contains("1,000 objects of 1 MiB") => 1_000 << 20,
                Some(_) => 0,
            };
            assert_eq!(said, bytes, "{about}");
            let word = row.direction().word();
            assert!(about.to_lowercase().starts_with(word) && row.name().starts_with(word));
        }
    }
}
