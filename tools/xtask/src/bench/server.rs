//! The server of a bench: an nginx of its own on two free ports, one of them by TLS, with its files
//! in memory. It goes when the bench goes.

mod configuration;
mod told;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::stats::SplitMix64;
use super::tls::Tls;
use crate::failure::{Failure, Result};
use crate::sizes;
use configuration::configuration;
pub use told::Told;

/// A memory file system: what is measured is the network, on either side.
const MEMORY: &str = "/dev/shm";
/// The folder of a bench is this and its process id.
const FOLDER_PREFIX: &str = "hydrant-bench-";
const START_LIMIT: Duration = Duration::from_secs(10);

/// Where the answers to listings lie, beside the bucket.
const LISTINGS: &str = "listings";
/// What is before the slash in the keys of a long listing, which S3 cuts into pages of so many.
pub const KEYS: &str = "keys";
const KEYS_A_PAGE: u64 = 1000;

pub const BUCKET: &str = "bucket";
/// The object that is there from the start.
pub const OBJECT: &str = "object";
/// The same, of which a server that tells checksums tells a wrong one.
pub const MISTOLD: &str = "mistold";
/// The name under which a client sends; the floor appends the number of the connection.
pub const UPLOAD: &str = "upload";

/// Many objects, `NAME/00000` and so on, which a listing of `NAME/` shows.
#[derive(Debug)]
pub struct Set {
    pub name: &'static str,
    pub objects: u64,
    /// Of each.
    pub bytes: u64,
}

/// A running server. Dropping it ends it and frees its memory.
pub struct Server {
    child: Child,
    folder: Folder,
    pub address: SocketAddr,
    /// The same objects by TLS.
    pub tls: Tls,
    /// The checksum of the object, if it is told.
    pub told: Option<Told>,
}

impl Server {
    /// Starts one with an object of `bytes` random bytes.
    ///
    /// # Errors
    /// When memory is short, or nginx does not come up.
    pub fn start(bytes: u64, seed: u64) -> Result<Self> {
        Self::start_with(bytes, &[], seed)
    }

    /// The same, and its checksum is told, which `floor` takes, the program `hydrant-floor`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_telling(bytes: u64, seed: u64, floor: &Path) -> Result<Self> {
        Self::begin(bytes, &[], seed, |bucket| Told::of(floor, bucket).map(Some))
    }

    /// The same with many objects beside it.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(bytes: u64, sets: &[Set], seed: u64) -> Result<Self> {
        Self::begin(bytes, sets, seed, |_| Ok(None))
    }

    fn begin(
        bytes: u64,
        sets: &[Set],
        seed: u64,
        tell: impl FnOnce(&Path) -> Result<Option<Told>>,
    ) -> Result<Self> {
        let folder = Folder::new()?;
        write_object(&folder.bucket().join(OBJECT), bytes, seed)?;
        let told = tell(&folder.bucket())?;
        for set in sets {
            folder.fill(set, seed)?;
        }
        let (address, of_tls) = free_addresses()?;
        let tls = Tls::make(&folder.path, of_tls)?;
        let (config, log) = (folder.path.join("nginx.conf"), folder.path.join("error.log"));
        fs::write(&config, configuration(&folder.path, sets, address, &tls, told.as_ref()))
            .map_err(|cause| Failure::io(config.display(), cause))?;
        // setpriv: the kernel ends nginx when this process dies, however it dies.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "nginx", "-p"])
            .arg(&folder.path)
            .arg("-e")
            .arg(&log)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|cause| Failure::io("starting nginx by setpriv", cause))?;
        let mut server = Self { child, folder, address, tls, told };
        server.wait_until_up()?;
        Ok(server)
    }

    /// One that lists so many keys beneath [`KEYS`], and has none of them.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with_keys(keys: u64) -> Result<Self> {
        let server = Self::start(0, 0)?;
        let folder = server.beside("root").join(LISTINGS).join(KEYS);
        fs::create_dir(&folder).map_err(|cause| Failure::io(folder.display(), cause))?;
        let pages = keys.div_ceil(KEYS_A_PAGE);
        for page in 0..pages {
            let on_it = page * KEYS_A_PAGE..keys.min((page + 1) * KEYS_A_PAGE);
            let path = folder.join(format!("p{page}"));
            fs::write(&path, page_of_keys(on_it, (page + 1 < pages).then_some(page + 1)))
                .map_err(|cause| Failure::io(path.display(), cause))?;
        }
        Ok(server)
    }

    /// The objects, one a file.
    pub fn bucket(&self) -> PathBuf {
        self.folder.bucket()
    }

    /// A folder in memory beside them, which goes with the server.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path.join(name)
    }

    fn wait_until_up(&mut self) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended =
                self.child.try_wait().map_err(|cause| Failure::io("waiting for nginx", cause))?;
            if ended.is_some() || start.elapsed() > START_LIMIT {
                let log =
                    fs::read_to_string(self.folder.path.join("error.log")).unwrap_or_default();
                return Err(Failure::new(format!(
                    "nginx did not come up on {}:\n{log}",
                    self.address
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is one process and keeps nothing: there is nothing to save, and if it is gone already,
        // so much the better.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder in memory that is removed with its owner.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Self> {
        sweep()?;
        let path = Path::new(MEMORY).join(format!("{FOLDER_PREFIX}{}", std::process::id()));
        let folder = Self { path };
        for part in [format!("root/{BUCKET}"), format!("root/{LISTINGS}"), "body".to_owned()] {
            let part = folder.path.join(part);
            fs::create_dir_all(&part).map_err(|cause| Failure::io(part.display(), cause))?;
        }
        Ok(folder)
    }

    fn bucket(&self) -> PathBuf {
        self.path.join("root").join(BUCKET)
    }

    /// All objects of a set have the same bytes.
    fn fill(&self, set: &Set, seed: u64) -> Result<()> {
        let folder = self.bucket().join(set.name);
        let failed = |cause| Failure::io(folder.display(), cause);
        fs::create_dir(&folder).map_err(failed)?;
        let first = folder.join(format!("{:05}", 0));
        write_object(&first, set.bytes, seed)?;
        for number in 1..set.objects {
            fs::copy(&first, folder.join(format!("{number:05}"))).map_err(failed)?;
        }
        let etags: std::io::Result<Vec<String>> =
            (0..set.objects).map(|number| etag(&folder.join(format!("{number:05}")))).collect();
        let listing = self.path.join("root").join(LISTINGS).join(set.name);
        fs::write(&listing, set.listing(&etags.map_err(failed)?))
            .map_err(|cause| Failure::io(listing.display(), cause))
    }
}

/// What nginx makes of a file's time and size: clients ask for what the listing showed.
fn etag(path: &Path) -> std::io::Result<String> {
    let file = fs::metadata(path)?;
    Ok(format!("{:x}-{:x}", file.mtime(), file.len()))
}

impl Set {
    /// The answer to a listing, all of it on one page.
    fn listing(&self, etags: &[String]) -> String {
        let Set { name, objects, bytes } = self;
        let mut page = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Name>{BUCKET}</Name><Prefix>{name}/</Prefix><KeyCount>{objects}</KeyCount><MaxKeys>{objects}</MaxKeys>\
             <IsTruncated>false</IsTruncated>"
        );
        for (number, etag) in etags.iter().enumerate() {
            page += &format!(
                "<Contents><Key>{name}/{number:05}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>&quot;{etag}&quot;</ETag><Size>{bytes}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            );
        }
        page + "</ListBucketResult>"
    }
}

/// A page of a long listing, and which comes next.
fn page_of_keys(keys: Range<u64>, next: Option<u64>) -> String {
    let count = keys.end - keys.start;
    let mut page = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>{BUCKET}</Name><Prefix>{KEYS}/</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{KEYS_A_PAGE}</MaxKeys>\
         <IsTruncated>{}</IsTruncated>",
        next.is_some()
    );
    if let Some(next) = next {
        page += &format!("<NextContinuationToken>p{next}</NextContinuationToken>");
    }
    for number in keys {
        page += &format!(
            "<Contents><Key>{KEYS}/2026/part-{number:010}.parquet</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
             <ETag>&quot;{number:032x}&quot;</ETag><Size>{number}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        );
    }
    page + "</ListBucketResult>"
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(cause) = fs::remove_dir_all(&self.path) {
            eprintln!("{} still takes memory, remove it: {cause}", self.path.display());
        }
    }
}

/// Removes what benches left behind that were killed.
fn sweep() -> Result<()> {
    let unreadable = |cause| Failure::io(MEMORY, cause);
    for entry in fs::read_dir(MEMORY).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)) else {
            continue;
        };
        if process.parse::<u32>().is_ok_and(|id| !Path::new("/proc").join(id.to_string()).exists())
        {
            fs::remove_dir_all(entry.path())
                .map_err(|cause| Failure::io(entry.path().display(), cause))?;
        }
    }
    Ok(())
}

/// Random bytes in a file.
///
/// # Errors
/// When there is no room for them.
pub fn write_object(path: &Path, bytes: u64, seed: u64) -> Result<()> {
    let failed = |cause| {
        let need = sizes::show(bytes);
        Failure::io(format!("{} (it takes {need})", path.display()), cause)
    };
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    let (mut random, mut left) = (SplitMix64(seed), bytes);
    while left > 0 {
        let word = random.next().to_le_bytes();
        let count = left.min(8);
        file.write_all(&word[..count as usize]).map_err(failed)?;
        left -= count;
    }
    file.flush().map_err(failed)
}

/// Two ports that were free a moment ago.
fn free_addresses() -> Result<(SocketAddr, SocketAddr)> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    bind()
        .and_then(|one| bind().and_then(|other| Ok((one.local_addr()?, other.local_addr()?))))
        .map_err(|cause| Failure::io("looking for free ports", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_has_every_object() {
        let page = Set { name: "set", objects: 3, bytes: 7 };
        let page = page.listing(&["a", "b", "c"].map(str::to_owned));
        assert_eq!(page.matches("<Size>7</Size>").count(), 3);
        assert!(page.contains("<Key>set/00000</Key>") && page.contains("<Key>set/00002</Key>"));
        assert!(page.contains("&quot;c&quot;"));
    }

    #[test]
    fn pages_of_keys_name_the_next_but_for_the_last() {
        let first = page_of_keys(0..2, Some(1));
        assert_eq!(first.matches("<Contents>").count(), 2);
        assert!(first.contains("<IsTruncated>true<") && first.contains("Token>p1</Next"));
        let last = page_of_keys(2..3, None);
        assert!(last.contains("<IsTruncated>false<") && !last.contains("NextContinuationToken"));
    }

    #[test]
    fn an_object_has_its_length_and_its_seed_decides_its_bytes() {
        let folder =
            std::env::temp_dir().join(format!("hydrant-xtask-object-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the test");
        let object = |name: &str, bytes, seed| {
            write_object(&folder.join(name), bytes, seed).expect("a small object");
            fs::read(folder.join(name)).expect("it was written")
        };
        let (first, again, other) =
            (object("a", 1003, 1), object("b", 1003, 1), object("c", 1003, 2));
        assert_eq!(first.len(), 1003);
        assert!(first == again && first != other);
        fs::remove_dir_all(folder).expect("nobody else is in there");
    }
}
