//! The file of a run: made for it and removed with it, or one that was there before, which is only
//! read unless its owner says otherwise.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, PosixFadviseAdvice, fallocate, posix_fadvise};
use tokio::task::yield_now;

use crate::exit::Failure;
use crate::human;
use crate::options::Options;
use crate::progress::Progress;
use crate::random::Xoshiro;

/// Bytes of a file that is made when nobody says.
const SIZE_DEFAULT: u64 = 1 << 30;
/// Each step lets a signal through.
const STEP_BYTES: usize = 1 << 20;

/// What is asked of the path.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub path: &'a Path,
    /// Bytes of it to use.
    pub size: Option<u64>,
    pub writes: bool,
    /// Whether what was there before may be written over.
    pub overwrite: bool,
}

/// A file that is there. Dropping it removes it if it was made here.
#[derive(Debug)]
pub struct Target {
    /// Bytes of it that the run uses.
    pub bytes: u64,
    made: Option<Made>,
    /// Holds a block device that is written to: nobody can mount it meanwhile.
    _claim: Option<File>,
}

/// The file of this path, as long as it is the one that was made.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    identity: (u64, u64),
}

impl Target {
    /// Makes the file, or looks at what is there.
    pub async fn prepare(wish: Wish<'_>, options: &Options) -> Result<Target, Failure> {
        let path = wish.path.display();
        // What is there is never opened for writing here: `create_new` fails, through links too.
        let target = match File::create_new(wish.path) {
            Ok(file) => make(file, wish, options).await?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => existing(wish)?,
            Err(error) => return Err(Failure::local(format!("make {path}"))(error)),
        };
        forget_cached(wish.path).map_err(Failure::local(format!("read {path}")))?;
        Ok(target)
    }

    /// What becomes of it, for people.
    pub fn told(&self, writes: bool) -> &'static str {
        match (&self.made, writes) {
            (Some(_), _) => "made for this run, and removed",
            (None, true) => "was there before, and was written over",
            (None, false) => "was there before, and was only read",
        }
    }

    /// Whether it was made for the run.
    pub fn is_made(&self) -> bool {
        self.made.is_some()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let same =
            fs::symlink_metadata(&self.path).is_ok_and(|now| identity(&now) == self.identity);
        // Somebody else's file by now: it is not ours to remove.
        if !same {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            let path = self.path.display();
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "cannot remove {path}: {error}; remove it by hand");
        }
    }
}

/// Blocks first, so that a full disk is told at once, then random bytes in all of them: a read of
/// blocks that were never written would not reach the device.
async fn make(mut file: File, wish: Wish<'_>, options: &Options) -> Result<Target, Failure> {
    let failed = || Failure::local(format!("write {}", wish.path.display()));
    let bytes = wish.size.unwrap_or(SIZE_DEFAULT);
    let identity = identity(&file.metadata().map_err(failed())?);
    let made = Made { path: wish.path.to_owned(), identity };
    allocate(&file, bytes).map_err(|error| too_large(error, wish.path, bytes))?;
    let progress = Progress::new("making the file", options.quiet);
    progress.expect(bytes);
    let writing = async {
        let (mut random, mut piece) = (Xoshiro::seeded()?, vec![0; STEP_BYTES]);
        let mut left = bytes;
        while left > 0 {
            let len = left.min(STEP_BYTES as u64) as usize;
            random.fill(&mut piece[..len]);
            file.write_all(&piece[..len]).map_err(failed())?;
            left -= len as u64;
            progress.add(len as u64);
            yield_now().await;
        }
        // What is still on its way to the disk would be charged to the run.
        file.sync_all().map_err(failed())
    };
    progress.during(writing).await?;
    Ok(Target { bytes, made: Some(made), _claim: None })
}

fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let len = i64::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
    match fallocate(file, FallocateFlags::empty(), 0, len) {
        // Not every file system can; writing makes the blocks too.
        Err(nix::Error::EOPNOTSUPP) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn too_large(error: io::Error, path: &Path, bytes: u64) -> Failure {
    let told = format!("{} for {}: {error}; see --size", human::size(bytes), path.display());
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => {
            Failure::Disk(format!("there is no room of {told}"))
        }
        _ => Failure::local(format!("set aside {told}"))(error),
    }
}

fn existing(wish: Wish<'_>) -> Result<Target, Failure> {
    let path = wish.path.display();
    let looked = || Failure::local(format!("look at {path}"));
    let found = fs::metadata(wish.path).map_err(looked())?;
    let kind = found.file_type();
    let what = match (kind.is_file(), kind.is_block_device()) {
        (true, _) => "a file",
        (_, true) => "a block device",
        _ if kind.is_dir() => {
            return Err(Failure::Usage(format!("{path} is a directory: name a file in it")));
        }
        _ => return Err(Failure::Usage(format!("{path} is neither a file nor a block device"))),
    };
    if wish.writes && !wish.overwrite {
        return Err(Failure::Usage(format!(
            "{path} is {what} that is there already, and writing would destroy what is in it; name \
             one that is not there, or give --overwrite"
        )));
    }
    let claim = match kind.is_block_device() && wish.writes {
        true => Some(claim(wish.path)?),
        false => None,
    };
    let len = match kind.is_file() {
        true => found.len(),
        false => File::open(wish.path)
            .and_then(|mut device| device.seek(SeekFrom::End(0)))
            .map_err(looked())?,
    };
    match wish.size {
        Some(size) if size > len => Err(Failure::Usage(format!(
            "{path} is {what} of {}, less than --size {size}",
            human::size(len)
        ))),
        size => Ok(Target { bytes: size.unwrap_or(len), made: None, _claim: claim }),
    }
}

/// `O_EXCL` without `O_CREAT` fails on a block device that is mounted or otherwise in use (open(2)).
fn claim(device: &Path) -> Result<File, Failure> {
    let opened = OpenOptions::new().write(true).custom_flags(libc::O_EXCL).open(device);
    opened.map_err(|error| match error.raw_os_error() {
        Some(libc::EBUSY) => {
            Failure::Usage(format!("{} is in use, perhaps mounted", device.display()))
        }
        _ => Failure::local(format!("open {}", device.display()))(error),
    })
}

/// Drops what the page cache has of it, so that a run begins with the device.
fn forget_cached(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).map_err(io::Error::from)
}

fn identity(found: &fs::Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(path: &Path) -> Wish<'_> {
        Wish { path, size: Some(5000), writes: false, overwrite: false }
    }

    #[test]
    fn what_was_there_is_read_and_written_only_when_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        fs::write(&path, "what somebody needs").expect("written");
        let small = Wish { size: Some(4), ..wish(&path) };
        let read = existing(small).expect("only read");
        assert_eq!((read.bytes, read.is_made()), (4, false));
        drop(read);
        let writes = Wish { writes: true, ..small };
        assert_eq!(existing(writes).expect_err("not told").code(), crate::exit::USAGE);
        drop(existing(Wish { overwrite: true, ..writes }).expect("told"));
        assert_eq!(fs::read(&path).expect("still there"), b"what somebody needs");
        assert!(existing(wish(&path)).is_err(), "it is shorter");
        assert!(existing(wish(folder.path())).is_err(), "a directory");
        assert!(existing(wish(Path::new("/dev/null"))).is_err(), "a character device");
    }

    #[test]
    fn a_file_that_took_the_name_meanwhile_is_not_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, other) = (folder.path().join("x"), folder.path().join("y"));
        for replaced in [false, true] {
            fs::write(&path, "made").expect("written");
            let identity = identity(&fs::metadata(&path).expect("there"));
            let made = Made { path: path.clone(), identity };
            if replaced {
                fs::write(&other, "theirs").expect("written");
                fs::rename(&other, &path).expect("renamed");
            }
            drop(made);
            assert_eq!(path.exists(), replaced);
        }
    }
}
