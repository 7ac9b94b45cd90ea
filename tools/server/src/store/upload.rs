//! Multipart uploads.
//!
//! An upload is the directory `.hydrant/uploads/ID`: the file `upload` says for which key it is and with which
//! attributes, `part-00001` and so on are the parts. A part's file is its bytes followed by a trailer: the 16 bytes of
//! their MD5, the 8 of their CRC-64/NVME, and one that says whether that is known. So a part, its ETag and its checksum
//! appear with one rename.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use md5::{Digest, Md5};
use rustix::fs::{Dir, fsync, renameat};
use rustix::io::Errno;

use super::key::ObjectPath;
use super::record::{
    Attributes, KeptChecksum, Record, Version, parse_fields, read_text, render_fields,
};
use super::sink::{Digests, Stored, base64};
use super::{Condition, Store, StoreError, TMP, dir, hex};

const ABOUT: &str = "upload";
const ID_BYTES: usize = 16;
const MD5_BYTES: usize = 16;
const TRAILER_BYTES: usize = MD5_BYTES + 9;

/// An upload in progress.
#[derive(Debug)]
pub(crate) struct Upload {
    pub id: String,
    pub bucket: String,
    pub key: String,
    pub begun: SystemTime,
    pub attributes: Attributes,
}

/// A part that was uploaded.
#[derive(Debug)]
pub(crate) struct Part {
    pub number: u32,
    pub size: u64,
    pub md5: [u8; 16],
    pub crc64nvme: Option<u64>,
    pub modified: SystemTime,
}

/// A part as the completion names it.
#[derive(Debug)]
pub(crate) struct ClaimedPart {
    pub number: u32,
    /// Without quotes.
    pub etag: String,
}

/// A completion that was checked and can go on.
#[derive(Debug)]
pub(crate) struct Joining {
    upload: Upload,
    parts: Vec<Part>,
}

impl Joining {
    /// Bytes of the object to be.
    pub(crate) fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// The CRC-64/NVME of the object to be, in base64, where those of all parts are known.
    pub(crate) fn crc64nvme(&self) -> Option<String> {
        let algorithm = crc_fast::CrcAlgorithm::Crc64Nvme;
        let crc = self.parts.iter().try_fold(0, |all, part| match (part.size, part.crc64nvme) {
            (0, _) => Some(all),
            (size, crc) => Some(crc_fast::checksum_combine(algorithm, all, crc?, size)),
        });
        crc.map(|crc| base64(&crc.to_be_bytes()))
    }

    /// The checksum that the object will have.
    pub(crate) fn keep(&mut self, checksum: Option<KeptChecksum>) {
        self.upload.attributes.checksum = checksum;
    }
}

impl Store {
    /// Begins an upload; the answer is its id.
    pub(crate) fn begin(
        &self,
        bucket: &str,
        key: &str,
        attributes: &Attributes,
    ) -> Result<String, StoreError> {
        ObjectPath::from_key(key)?;
        self.open_bucket(bucket)?;
        let id = random_id().map_err(|source| StoreError::io("draw an upload id", key, source))?;
        self.make_upload(&id, bucket, key, attributes)
            .map_err(|source| StoreError::io("begin an upload", key, source))?;
        Ok(id)
    }

    /// The upload, if it is one of this key.
    pub(crate) fn find_upload(
        &self,
        id: &str,
        bucket: &str,
        key: &str,
    ) -> Result<Upload, StoreError> {
        self.open_bucket(bucket)?;
        match self.load_upload(id)? {
            Some(upload) if upload.bucket == bucket && upload.key == key => Ok(upload),
            _ => Err(no_such_upload(id)),
        }
    }

    /// Files a whole part; a part of the same number gives way.
    pub(crate) fn put_part(
        &self,
        id: &str,
        number: u32,
        mut stored: Stored,
    ) -> Result<Part, StoreError> {
        let failed = |source| StoreError::io("store a part", id, source);
        let (md5, crc64nvme) = (stored.md5, stored.crc64nvme);
        stored.append_trailer(&trailer(md5, crc64nvme)).map_err(failed)?;
        let version = stored.settle().map_err(failed)?;
        let at = self.open_upload(id)?;
        match stored.rename(&at, &part_name(number)) {
            Ok(()) => {}
            // Completed or aborted in the meantime.
            Err(Errno::NOENT) => return Err(no_such_upload(id)),
            Err(error) => return Err(failed(error.into())),
        }
        Ok(Part { number, size: stored.size, md5, crc64nvme, modified: version.modified() })
    }

    /// The parts in the order of their numbers.
    pub(crate) fn list_parts(&self, id: &str) -> Result<Vec<Part>, StoreError> {
        let failed = |source: Errno| StoreError::io("list parts", id, source);
        let at = self.open_upload(id)?;
        let mut parts = Vec::new();
        for entry in Dir::read_from(&at).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Some(number) = part_number(entry.file_name().to_bytes()) {
                parts.extend(self.find_part(&at, number)?.map(|(part, _)| part));
            }
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    /// The uploads of a bucket in the order of their keys, those of one key from the oldest on.
    pub(crate) fn list_uploads(&self, bucket: &str) -> Result<Vec<Upload>, StoreError> {
        let failed = |source: Errno| StoreError::io("list uploads", bucket, source);
        self.open_bucket(bucket)?;
        let mut uploads = Vec::new();
        for entry in Dir::read_from(&self.uploads).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(id) = entry.file_name().to_str() else { continue };
            uploads.extend(self.load_upload(id)?.filter(|upload| upload.bucket == bucket));
        }
        uploads.sort_by(|a, b| (&a.key, a.begun, &a.id).cmp(&(&b.key, b.begun, &b.id)));
        Ok(uploads)
    }

    /// Checks what a completion claims: order, presence, ETags, sizes.
    pub(crate) fn check_parts(
        &self,
        upload: Upload,
        claimed: &[ClaimedPart],
    ) -> Result<Joining, StoreError> {
        let at = self.open_upload(&upload.id)?;
        let mut parts: Vec<Part> = Vec::with_capacity(claimed.len());
        for claim in claimed {
            if parts.last().is_some_and(|before| before.number >= claim.number) {
                return Err(StoreError::InvalidPartOrder { number: claim.number });
            }
            match self.find_part(&at, claim.number)? {
                Some((part, _)) if hex(&part.md5) == claim.etag => parts.push(part),
                _ => return Err(StoreError::InvalidPart { number: claim.number }),
            }
        }
        let minimum = self.options.part_bytes_min;
        let all_but_last = &parts[..parts.len().saturating_sub(1)];
        match all_but_last.iter().find(|part| part.size < minimum) {
            Some(&Part { number, size: bytes, .. }) => {
                Err(StoreError::EntityTooSmall { number, bytes, minimum })
            }
            None => Ok(Joining { upload, parts }),
        }
    }

    /// Joins the parts into the object and ends the upload.
    pub(crate) fn join(
        &self,
        joining: Joining,
        condition: Option<&Condition>,
    ) -> Result<Record, StoreError> {
        let Joining { upload, parts } = joining;
        let _ender = self.lock_upload(&upload.id);
        let at = self.open_upload(&upload.id)?;
        let sink = self.sink(Digests::default())?;
        let mut md5s = Md5::new();
        let mut size = 0;
        for part in &parts {
            self.append_part(&at, part, sink.file())?;
            md5s.update(part.md5);
            size += part.size;
        }
        let etag = format!("{}-{}", hex(&md5s.finalize()), parts.len());
        let stored = Stored::from_file(sink, size);
        let record =
            self.commit(&upload.bucket, &upload.key, stored, etag, upload.attributes, condition)?;
        self.remove_upload(&upload.id)?;
        Ok(record)
    }

    /// Ends an upload and removes its parts.
    pub(crate) fn abort(&self, id: &str, bucket: &str, key: &str) -> Result<(), StoreError> {
        let _ender = self.lock_upload(id);
        self.find_upload(id, bucket, key)?;
        self.remove_upload(id)
    }

    /// Copies inside the kernel (`copy_file_range`, which `io::copy` uses from file to file), which shares the
    /// blocks on a file system that can. The part must still be the one that was checked.
    fn append_part(&self, at: &OwnedFd, expected: &Part, mut to: &File) -> Result<(), StoreError> {
        let failed =
            |source| StoreError::io("join parts", format!("part {}", expected.number), source);
        match self.find_part(at, expected.number)? {
            Some((part, mut file)) if part.md5 == expected.md5 && part.size == expected.size => {
                file.seek(SeekFrom::Start(0)).map_err(failed)?;
                let copied = io::copy(&mut file.take(part.size), &mut to).map_err(failed)?;
                match copied == part.size {
                    true => Ok(()),
                    false => Err(failed(io::ErrorKind::UnexpectedEof.into())),
                }
            }
            _ => Err(StoreError::InvalidPart { number: expected.number }),
        }
    }

    fn find_part(&self, at: &OwnedFd, number: u32) -> Result<Option<(Part, File)>, StoreError> {
        let failed =
            |source: io::Error| StoreError::io("read a part", format!("part {number}"), source);
        let opened =
            dir::open_file(at, &part_name(number)).map_err(|error| failed(error.into()))?;
        let Some(file) = opened else { return Ok(None) };
        let version = Version::of(&file.metadata().map_err(failed)?);
        let Some(size) = version.size.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact_at(&mut trailer, size).map_err(failed)?;
        let (md5, crc64nvme) = of_trailer(&trailer);
        Ok(Some((Part { number, size, md5, crc64nvme, modified: version.modified() }, file)))
    }

    /// The directory appears whole: it is filled under a temporary name.
    fn make_upload(
        &self,
        id: &str,
        bucket: &str,
        key: &str,
        attributes: &Attributes,
    ) -> io::Result<()> {
        let temporary = self.temporary_name();
        dir::make_dir(&*self.tmp, &temporary)?;
        let at = dir::open_dir(&*self.tmp, &temporary)?;
        let mut fields =
            vec![("bucket".to_owned(), bucket.to_owned()), ("key".to_owned(), key.to_owned())];
        fields.extend(attributes.fields());
        let mut about = dir::create_file(&at, OsStr::new(ABOUT))?;
        about.write_all(render_fields(&fields).as_bytes())?;
        if self.options.durable {
            about.sync_all()?;
            fsync(&at)?;
        }
        renameat(&*self.tmp, &temporary, &self.uploads, id)?;
        if self.options.durable {
            fsync(&self.uploads)?;
        }
        Ok(())
    }

    fn load_upload(&self, id: &str) -> Result<Option<Upload>, StoreError> {
        let failed = |source: io::Error| StoreError::io("read an upload", id, source);
        let at = match self.open_upload(id) {
            Ok(at) => at,
            Err(StoreError::NoSuchUpload { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let opened =
            dir::open_file(&at, OsStr::new(ABOUT)).map_err(|error| failed(error.into()))?;
        let Some(file) = opened else { return Ok(None) };
        let begun = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
        let text = read_text(file).map_err(failed)?;
        Ok(text.and_then(|text| parse_upload(id, begun, &text)))
    }

    fn open_upload(&self, id: &str) -> Result<OwnedFd, StoreError> {
        let plausible =
            id.len() == 2 * ID_BYTES && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !plausible {
            return Err(no_such_upload(id));
        }
        dir::open_dir(&self.uploads, OsStr::new(id)).map_err(|error| match dir::is_absence(error) {
            true => no_such_upload(id),
            false => StoreError::io("open an upload", id, error),
        })
    }

    /// It vanishes with one rename; the parts are then removed at leisure, by the next start if need be.
    fn remove_upload(&self, id: &str) -> Result<(), StoreError> {
        let failed = |source: io::Error| StoreError::io("remove an upload", id, source);
        let temporary = self.temporary_name();
        renameat(&self.uploads, id, &*self.tmp, &temporary)
            .map_err(|error| failed(error.into()))?;
        if self.options.durable {
            fsync(&self.uploads).map_err(|error| failed(error.into()))?;
        }
        fs::remove_dir_all(self.hidden_path(TMP, &temporary)).map_err(failed)
    }
}

fn trailer(md5: [u8; MD5_BYTES], crc64nvme: Option<u64>) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0; TRAILER_BYTES];
    trailer[..MD5_BYTES].copy_from_slice(&md5);
    trailer[MD5_BYTES..TRAILER_BYTES - 1]
        .copy_from_slice(&crc64nvme.unwrap_or_default().to_be_bytes());
    trailer[TRAILER_BYTES - 1] = u8::from(crc64nvme.is_some());
    trailer
}

fn of_trailer(trailer: &[u8; TRAILER_BYTES]) -> ([u8; MD5_BYTES], Option<u64>) {
    let (mut md5, mut crc) = ([0; MD5_BYTES], [0; 8]);
    md5.copy_from_slice(&trailer[..MD5_BYTES]);
    crc.copy_from_slice(&trailer[MD5_BYTES..TRAILER_BYTES - 1]);
    (md5, (trailer[TRAILER_BYTES - 1] == 1).then(|| u64::from_be_bytes(crc)))
}

fn no_such_upload(id: &str) -> StoreError {
    StoreError::NoSuchUpload { id: id.to_owned() }
}

fn parse_upload(id: &str, begun: SystemTime, text: &str) -> Option<Upload> {
    let mut fields = parse_fields(text)?.into_iter();
    let mut next =
        |expected| fields.next().filter(|(name, _)| name == expected).map(|(_, value)| value);
    let (bucket, key) = (next("bucket")?, next("key")?);
    Some(Upload {
        id: id.to_owned(),
        bucket,
        key,
        begun,
        attributes: Attributes::from_fields(fields),
    })
}

fn part_name(number: u32) -> OsString {
    format!("part-{number:05}").into()
}

fn part_number(name: &[u8]) -> Option<u32> {
    let digits = name.strip_prefix(b"part-")?;
    OsStr::from_bytes(digits).to_str()?.parse().ok()
}

fn random_id() -> io::Result<String> {
    let mut bytes = [0; ID_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex(&bytes))
}
