//! What S3 keeps beside an object's bytes, as text in a side file.
//!
//! The side file of a key is `.hydrant/meta/BUCKET/HH/HASH`, named after the MD5 of the key. It holds one record a
//! version of the object, newest first, each bound to the size and modification time of the file that it
//! describes. A write puts the new record in front of the one in force and only then renames the object into
//! place: whichever side of the rename a crash falls on, the file that is there finds its own record, and a file that
//! was changed by other means finds none, which means that its ETag is computed anew.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use md5::{Digest, Md5};
use rustix::fs::{fsync, renameat};

use super::{Store, StoreError, dir};

/// Side files longer than this were not written here.
const SIDE_FILE_BYTES_MAX: u64 = 64 << 10;

/// The record in force and the one before it.
const RECORDS_KEPT: usize = 2;

/// Headers that belong to an object and come back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub content_disposition: Option<String>,
    pub cache_control: Option<String>,
    /// In the form of HTTP.
    pub expires: Option<String>,
    /// The checksum of all bytes that came with them, or that the parts make.
    pub checksum: Option<KeptChecksum>,
    /// `x-amz-meta-*`, without that prefix.
    pub user: BTreeMap<String, String>,
}

/// A checksum of a whole object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptChecksum {
    /// The header that it comes and goes in.
    pub header: String,
    /// In base64.
    pub value: String,
}

/// The state of a file that a record describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub size: u64,
    pub modified_nanos: i128,
}

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified_nanos =
            i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { size: metadata.size(), modified_nanos }
    }

    pub(crate) fn modified(self) -> SystemTime {
        let nanos = u64::try_from(self.modified_nanos.unsigned_abs()).unwrap_or(u64::MAX);
        let distance = Duration::from_nanos(nanos);
        let time = match self.modified_nanos < 0 {
            true => UNIX_EPOCH.checked_sub(distance),
            false => UNIX_EPOCH.checked_add(distance),
        };
        time.unwrap_or(UNIX_EPOCH)
    }
}

/// What is known of one version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub version: Version,
    /// Without quotes.
    pub etag: String,
    pub attributes: Attributes,
}

impl Record {
    /// When the version was written.
    pub(crate) fn modified(&self) -> SystemTime {
        self.version.modified()
    }
}

impl Store {
    /// The record of this version of the key's file, if it was kept.
    pub(super) fn load_record(
        &self,
        bucket: &str,
        key: &str,
        version: Version,
    ) -> Result<Option<Record>, StoreError> {
        Ok(self.load_records(bucket, key)?.into_iter().find(|record| record.version == version))
    }

    /// Puts a record in front of the one that describes `in_force`. The caller holds the key's stripe.
    pub(super) fn save_record(
        &self,
        bucket: &str,
        key: &str,
        record: &Record,
        in_force: Option<Version>,
    ) -> Result<(), StoreError> {
        let failed = |source: rustix::io::Errno| StoreError::io("write a side file", key, source);
        let mut records = vec![record.clone()];
        if let Some(version) = in_force.filter(|version| *version != record.version) {
            records.extend(self.load_record(bucket, key, version)?);
        }
        records.truncate(RECORDS_KEPT);

        let (dirs, name) = side_file(bucket, key);
        let parent =
            match dir::make_dirs(&self.meta, &dirs, self.options.durable).map_err(failed)? {
                dir::Made::All(parent) => parent,
                dir::Made::Blocked { .. } => return Err(failed(rustix::io::Errno::NOTDIR)),
            };
        let temporary = self.temporary_name();
        let mut file = dir::create_file(&*self.tmp, &temporary).map_err(failed)?;
        file.write_all(render(key, &records).as_bytes())
            .map_err(|source| StoreError::io("write a side file", key, source))?;
        if self.options.durable {
            fsync(&file).map_err(failed)?;
        }
        renameat(&*self.tmp, &temporary, &parent, &name).map_err(failed)?;
        if self.options.durable {
            fsync(&parent).map_err(failed)?;
        }
        Ok(())
    }

    /// Forgets a key. A side file that stays behind does no harm: it describes no file.
    pub(super) fn remove_records(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let (dirs, name) = side_file(bucket, key);
        let removed =
            dir::walk(&self.meta, &dirs).and_then(|parent| dir::remove_file(parent, &name));
        match removed {
            Ok(_) => Ok(()),
            Err(error) if dir::is_absence(error) => Ok(()),
            Err(error) => Err(StoreError::io("remove a side file", key, error)),
        }
    }

    /// A side file that cannot be understood, or is of another key with the same hash, says nothing.
    fn load_records(&self, bucket: &str, key: &str) -> Result<Vec<Record>, StoreError> {
        let (dirs, name) = side_file(bucket, key);
        let opened = dir::walk(&self.meta, &dirs).and_then(|parent| dir::open_file(parent, &name));
        let file = match opened {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Vec::new()),
            Err(error) if dir::is_absence(error) => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("open a side file", key, error)),
        };
        let text =
            read_text(file).map_err(|source| StoreError::io("read a side file", key, source))?;
        Ok(text.and_then(|text| parse(key, &text)).unwrap_or_default())
    }
}

/// Reads a small file of text; `None` if it is too long or no text.
pub(super) fn read_text(file: File) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::with_capacity(1024);
    file.take(SIDE_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok())
}

/// Fields as lines `name value`, with whatever could be mistaken for structure percent-encoded.
pub(super) fn render_fields(fields: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        escape(name, &mut text);
        text.push(' ');
        escape(value, &mut text);
        text.push('\n');
    }
    text
}

/// The fields of one block of lines; `None` if it is not of that form.
pub(super) fn parse_fields(block: &str) -> Option<Vec<(String, String)>> {
    let field = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((unescape(name)?, unescape(value)?))
    };
    block.lines().map(field).collect()
}

/// Sets the user's names apart from the standard ones.
const USER_PREFIX: &str = "x-amz-meta-";

const CHECKSUM_PREFIX: &str = "x-amz-checksum-";

impl Attributes {
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let standard = [
            ("content-type", &self.content_type),
            ("content-encoding", &self.content_encoding),
            ("content-language", &self.content_language),
            ("content-disposition", &self.content_disposition),
            ("cache-control", &self.cache_control),
            ("expires", &self.expires),
        ];
        let standard = standard
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        let kept = self.checksum.as_ref().map(|kept| (kept.header.clone(), kept.value.clone()));
        let user =
            self.user.iter().map(|(name, value)| (format!("{USER_PREFIX}{name}"), value.clone()));
        standard.chain(kept).chain(user).collect()
    }

    /// A name that is not known is left out.
    pub(super) fn from_fields(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut attributes = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "content-type" => attributes.content_type = Some(value),
                "content-encoding" => attributes.content_encoding = Some(value),
                "content-language" => attributes.content_language = Some(value),
                "content-disposition" => attributes.content_disposition = Some(value),
                "cache-control" => attributes.cache_control = Some(value),
                "expires" => attributes.expires = Some(value),
                _ => {
                    if let Some(user) = name.strip_prefix(USER_PREFIX) {
                        attributes.user.insert(user.to_owned(), value);
                    } else if name.starts_with(CHECKSUM_PREFIX) {
                        attributes.checksum = Some(KeptChecksum { header: name, value });
                    }
                }
            }
        }
        attributes
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn side_file(bucket: &str, key: &str) -> ([OsString; 2], OsString) {
    let name = hex(&Md5::digest(key));
    ([bucket.into(), name[..2].into()], name.into())
}

fn render(key: &str, records: &[Record]) -> String {
    let blocks = records.iter().map(|record| {
        let own = [
            ("key", key.to_owned()),
            ("size", record.version.size.to_string()),
            ("modified-nanos", record.version.modified_nanos.to_string()),
            ("etag", record.etag.clone()),
        ];
        let mut fields: Vec<_> =
            own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        fields.extend(record.attributes.fields());
        render_fields(&fields)
    });
    blocks.collect::<Vec<_>>().join("\n")
}

fn parse(key: &str, text: &str) -> Option<Vec<Record>> {
    text.split("\n\n").map(|block| parse_record(key, block)).collect()
}

fn parse_record(key: &str, block: &str) -> Option<Record> {
    let mut fields = parse_fields(block)?.into_iter();
    let mut next =
        |expected| fields.next().filter(|(name, _)| name == expected).map(|(_, value)| value);
    if next("key")? != key {
        return None;
    }
    let version = Version {
        size: next("size")?.parse().ok()?,
        modified_nanos: next("modified-nanos")?.parse().ok()?,
    };
    let etag = next("etag")?;
    Some(Record { version, etag, attributes: Attributes::from_fields(fields) })
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '%' | ' ' | '\0'..='\x1f' => out.push_str(&format!("%{:02x}", c as u32)),
            plain => out.push(plain),
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        out.push(u8::from_str_radix(code, 16).ok()? as char);
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_the_side_file() {
        let user = BTreeMap::from([
            ("content-type".into(), "mine".into()),
            ("a b".into(), "100 %\nof\tit".into()),
            ("ü".into(), String::new()),
        ]);
        let attributes = Attributes {
            content_type: Some("text/plain; x=\"y\"".into()),
            checksum: Some(KeptChecksum {
                header: "x-amz-checksum-crc32".into(),
                value: "y/Q5Jg==".into(),
            }),
            user,
            ..Attributes::default()
        };
        let version = Version { size: 7, modified_nanos: -5 };
        let new = Record { version, etag: "abc-2".into(), attributes };
        let old = Record { etag: "def".into(), attributes: Attributes::default(), ..new.clone() };
        let records = vec![new, old];
        assert_eq!(parse("k e\ny", &render("k e\ny", &records)), Some(records.clone()));
        assert_eq!(parse("another key", &render("k e\ny", &records)), None);
        assert_eq!(parse("k", "not a record"), None);
    }
}
