//! The journal of a copy that is kept to be carried on: what it is a copy of, and the checksums of
//! the parts that have come.
//!
//! That of a file lies beside the temporary, that of an upload in a directory of the user's. Its head names the source; behind it each part has a record of its
//! own, so that cores write without asking each other, and a record that was torn by a kill is none.
//! Nothing is made durable: after a loss of power the checksums tell which parts are still there.

use std::ops::Range;

use bytes::Bytes;
use hydrant_engine::{Core, File, OpenOptions, metadata_beneath, remove_file};

use super::spot::Spot;
use super::tree::relabel;
use crate::checksum::{Crc64, compose};
use crate::error::{ErrorKind, Result};
use crate::store::{CopyWay, UploadSource};

/// Bytes of the head; the records begin behind it.
const HEAD_BYTES: usize = 16 << 10;

/// Bytes of a record: the checksum of the part, and one of the record.
const RECORD_BYTES: usize = 16;

/// How often a journal is opened anew whose name went away while it was locked.
const OPENS_MAX: usize = 8;

const FIRST_LINE: &str = "hydrant journal 1";

/// An open journal. Nobody else works on the same copy while it is held.
#[derive(Debug)]
pub(crate) struct Journal {
    spot: Spot,
    name: String,
    /// Locked; the kernel lets go of that when the process ends in whatever way.
    file: File,
}

impl Journal {
    /// Opens or makes it, and locks it. `target` is what is copied to, for messages.
    pub(super) async fn open(
        core: &Core,
        spot: &Spot,
        name: String,
        target: &str,
    ) -> Result<Journal> {
        let busy = || {
            let text = format!("another copy to {target} is at work; wait for its end");
            ErrorKind::InvalidInput(text)
        };
        let options = OpenOptions::new().read().write().create();
        for _ in 0..OPENS_MAX {
            let file = spot.dir.open_beneath(core, name.as_ref(), &options).await;
            let file = file.map_err(|error| relabel(error, &spot.path_of(&name)))?;
            let locked = file.try_lock(core).await;
            if !locked.map_err(|error| relabel(error, &spot.path_of(&name)))? {
                return Err(busy().into());
            }
            // Whoever had the lock before may have ended well, and taken the name away.
            let named = metadata_beneath(core, Some(&spot.dir), name.as_ref()).await;
            let ours = file.metadata(core).await?.identity;
            if named.is_ok_and(|named| named.identity == ours) {
                return Ok(Journal { spot: spot.clone(), name, file });
            }
        }
        Err(busy().into())
    }

    /// What stands in its head; empty for a new one.
    pub(crate) async fn head(&self, core: &Core) -> Result<String> {
        let bytes = self.read(core, 0, HEAD_BYTES).await?;
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// Forgets all parts. Whatever is done to the temporary is done after this and before
    /// [`Journal::begin`].
    pub(crate) async fn clear(&self, core: &Core) -> Result<()> {
        Ok(self.file.set_len(core, 0).await?)
    }

    /// Writes the head; from then on the temporary can be carried on.
    pub(crate) async fn begin(&self, core: &Core, head: String) -> Result<()> {
        self.write(core, 0, head.into()).await
    }

    /// Notes that a part has come. `tag` is what the store gave for it, or nothing.
    pub(crate) async fn note(&self, core: &Core, index: u64, sum: Crc64, tag: &str) -> Result<()> {
        let record = Bytes::copy_from_slice(&record(index, sum, tag));
        self.write(core, offset_of(index), record).await
    }

    /// The checksum of a part that has come, with this tag.
    pub(crate) async fn sum_of(&self, core: &Core, index: u64, tag: &str) -> Result<Option<Crc64>> {
        let bytes = self.read(core, offset_of(index), RECORD_BYTES).await?;
        Ok(read_record(index, tag, &bytes))
    }

    /// Takes its name away.
    pub(crate) async fn remove(&self, core: &Core) -> Result<()> {
        match remove_file(core, Some(&self.spot.dir), self.name.as_ref()).await {
            Err(error) if error.errno() != Some(libc::ENOENT) => {
                Err(relabel(error, &self.spot.path_of(&self.name)).into())
            }
            _ => Ok(()),
        }
    }

    /// The object is whole: a journal that stays carries nothing on, but it must not stay unsaid.
    pub(crate) async fn forget(&self, core: &Core) {
        if let Err(error) = self.remove(core).await {
            core.report(format_args!("a journal is left behind: {error}"));
        }
    }

    async fn read(&self, core: &Core, offset: u64, len: usize) -> Result<Vec<u8>> {
        let lease = core.head_lease(len, "journal").await?;
        let (read, buf) = self.file.read_at(core, lease, 0..len, offset).await;
        let mut lease = buf.into_lease().expect("a lease was lent and comes back");
        lease.set_len(read?);
        Ok(lease.as_slice().to_vec())
    }

    async fn write(&self, core: &Core, offset: u64, bytes: Bytes) -> Result<()> {
        let span: Range<usize> = 0..bytes.len();
        let (written, _) = self.file.write_at(core, bytes, span, offset).await;
        written.map(drop).map_err(|error| relabel(error, &self.spot.path_of(&self.name)).into())
    }
}

/// The head for a source, with `more` fields of whoever keeps the parts.
///
/// # Errors
/// `InvalidInput` for a URI that is too long to be named in it.
pub(crate) fn head_of(source: &UploadSource, more: &[(&str, &str)]) -> Result<String> {
    let UploadSource { uri, etag, size_bytes, part_size_bytes, way } = source;
    let uri = uri.escape_debug();
    let by = match way {
        CopyWay::OnServer => "copied_by the server\n",
        CopyWay::Streamed | CopyWay::InKernel => "",
    };
    let more = more.iter().map(|(name, value)| format!("{name} {}\n", value.escape_debug()));
    let more: String = more.collect();
    let head = format!(
        "{FIRST_LINE}\nsource {uri}\netag {etag}\nsize_bytes {size_bytes}\n\
         part_size_bytes {part_size_bytes}\n{by}{more}end\n"
    );
    if head.len() > HEAD_BYTES {
        let text = format!("the name of the source is too long for a journal: {uri}");
        return Err(ErrorKind::InvalidInput(text).into());
    }
    Ok(head)
}

/// Why a file with the head `found` is not carried on for the head `wanted`.
pub(crate) fn difference(found: &str, wanted: &str) -> Option<String> {
    if found == wanted {
        return None;
    }
    let differs = |name| field_of(found, name) != field_of(wanted, name);
    let source = field_of(found, "source").unwrap_or_default();
    Some(match () {
        () if !is_whole(found) => "what was there has no journal that can be read".into(),
        () if differs("source") => format!("what was there is of another source, {source}"),
        () if differs("etag") || differs("size_bytes") => {
            format!("{source} has changed since it was begun")
        }
        () if differs("copied_by") => "what was there was moved in another way".into(),
        () if differs("part_size_bytes") => "what was there came in parts of another size".into(),
        () if differs("checksum") => "what was there was begun with another checksum".into(),
        () if differs("asked") => "what was there was begun with other options of S3".into(),
        () => "what was there went elsewhere".into(),
    })
}

/// Whether a head was written to its end, by a version that is understood.
pub(crate) fn is_whole(head: &str) -> bool {
    head.starts_with(FIRST_LINE) && head.ends_with("\nend\n")
}

/// A field of a head.
pub(crate) fn field_of(head: &str, name: &str) -> Option<String> {
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(str::to_owned)
}

fn offset_of(index: u64) -> u64 {
    HEAD_BYTES as u64 + index * RECORD_BYTES as u64
}

fn record(index: u64, sum: Crc64, tag: &str) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..8].copy_from_slice(&index.to_le_bytes());
    record[8..].copy_from_slice(&sum.0.to_le_bytes());
    let sealed =
        [(Crc64::of(&record), record.len() as u64), (Crc64::of(tag.as_bytes()), tag.len() as u64)];
    let check = compose(sealed);
    record[..8].copy_from_slice(&sum.0.to_le_bytes());
    record[8..].copy_from_slice(&check.0.to_le_bytes());
    record
}

fn read_record(index: u64, tag: &str, bytes: &[u8]) -> Option<Crc64> {
    let sum = Crc64(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?));
    (record(index, sum, tag) == bytes).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Etag;

    fn head_of(source: &UploadSource) -> Result<String> {
        super::head_of(source, &[])
    }

    #[test]
    fn a_record_is_whole_and_of_its_part_or_none() {
        let sum = Crc64::of(b"part");
        let record = record(7, sum, "\"tag\"");
        let read_record = |index, bytes: &[u8]| read_record(index, "\"tag\"", bytes);
        assert_eq!(read_record(7, &record), Some(sum));
        assert_eq!(super::read_record(7, "\"other\"", &record), None);
        assert_eq!(read_record(8, &record), None);
        assert_eq!(read_record(0, &[0; RECORD_BYTES]), None, "a hole in the file");
        assert_eq!(read_record(7, &record[..9]), None);
        for bit in 0..8 * RECORD_BYTES {
            let mut torn = record;
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read_record(7, &torn), None, "bit {bit}");
        }
    }

    #[test]
    fn what_differs_is_said() {
        let source = UploadSource {
            uri: "s3://b/new\nline".into(),
            etag: Etag::new("\"1\"").expect("a tag"),
            size_bytes: 9,
            part_size_bytes: 4096,
            way: CopyWay::Streamed,
        };
        let head = head_of(&source).expect("it fits");
        assert_eq!(head.lines().count(), 6, "{head}");
        assert_eq!(difference(&head, &head), None);
        let said = |found: UploadSource| {
            difference(&head_of(&found).expect("it fits"), &head).expect("they differ")
        };
        assert!(
            said(UploadSource { uri: "s3://c/x".into(), ..source.clone() }).contains("s3://c/x")
        );
        assert!(said(UploadSource { size_bytes: 8, ..source.clone() }).contains("has changed"));
        let etag = Etag::new("\"2\"").expect("a tag");
        assert!(said(UploadSource { etag, ..source.clone() }).contains("has changed"));
        assert!(
            said(UploadSource { part_size_bytes: 1, ..source.clone() }).contains("another size")
        );
        let way = CopyWay::OnServer;
        assert!(said(UploadSource { way, ..source.clone() }).contains("another way"));
        assert!(difference(&head[..head.len() - 3], &head).expect("torn").contains("no journal"));
        let uri = "x".repeat(HEAD_BYTES);
        assert!(head_of(&UploadSource { uri, ..source }).is_err());
    }
}
