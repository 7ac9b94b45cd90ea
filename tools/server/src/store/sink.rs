//! A file on its way to become an object or a part, with the digests of what went into it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::SystemTime;

use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Sha256};
use s3s::dto::Checksum;

use super::record::Version;
use super::{StoreError, dir, hex};

/// What is computed of a body besides its MD5, and what it must come to.
#[derive(Default)]
pub(crate) struct Digests {
    /// `Content-MD5` in base64.
    pub content_md5: Option<String>,
    /// `x-amz-content-sha256` in hex, where nobody further out has checked it.
    pub payload_sha256: Option<(String, Sha256)>,
    /// `x-amz-checksum-*` as asked for; the values expected may come after the body.
    pub checksums: ChecksumHasher,
}

/// A temporary file being written. Dropped before it was [stored](Stored), it is removed.
pub(crate) struct Sink {
    temporary: Temporary,
    file: File,
    durable: bool,
    size: u64,
    md5: Md5,
    digests: Digests,
}

impl Sink {
    pub(super) fn create(
        dir: Arc<OwnedFd>,
        name: OsString,
        durable: bool,
        digests: Digests,
    ) -> io::Result<Self> {
        let file = dir::create_file(&*dir, &name)?;
        let temporary = Temporary { dir, name, kept: false };
        Ok(Self { temporary, file, durable, size: 0, md5: Md5::new(), digests })
    }

    /// Appends a piece and digests it while it is in the cache.
    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(piece)
            .map_err(|source| StoreError::io("write", "a temporary file", source))?;
        self.size += piece.len() as u64;
        self.md5.update(piece);
        self.digests.checksums.update(piece);
        if let Some((_, sha256)) = &mut self.digests.payload_sha256 {
            sha256.update(piece);
        }
        Ok(())
    }

    /// Bytes written.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Compares the digests that the request gave. The checksums come back for the answer and for a comparison
    /// with trailers. The file is not yet synced.
    pub(crate) fn finish(self) -> Result<(Stored, Checksum), StoreError> {
        let md5: [u8; 16] = self.md5.finalize().into();
        if self.digests.content_md5.is_some_and(|expected| expected != base64(&md5)) {
            return Err(StoreError::DigestMismatch { digest: "Content-MD5" });
        }
        if let Some((expected, sha256)) = self.digests.payload_sha256
            && !expected.eq_ignore_ascii_case(&hex(sha256.finalize().as_ref()))
        {
            return Err(StoreError::DigestMismatch { digest: "x-amz-content-sha256" });
        }
        let stored = Stored {
            temporary: self.temporary,
            file: self.file,
            durable: self.durable,
            size: self.size,
            md5,
            crc64nvme: None,
        };
        Ok((stored, self.digests.checksums.finalize()))
    }
}

/// A whole temporary file that waits for its name.
pub(crate) struct Stored {
    temporary: Temporary,
    file: File,
    durable: bool,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) crc64nvme: Option<u64>,
}

impl Stored {
    /// Remembers the CRC-64/NVME of what was written, given in base64: those of parts combine.
    pub(crate) fn with_crc64nvme(self, value: Option<&str>) -> Self {
        Self { crc64nvme: value.and_then(crc64_of_base64), ..self }
    }

    /// Takes a file that was filled by other means than [`Sink::write`]; the MD5 is what its owner says.
    pub(super) fn from_file(sink: Sink, size: u64) -> Self {
        Self {
            temporary: sink.temporary,
            file: sink.file,
            durable: sink.durable,
            size,
            md5: [0; 16],
            crc64nvme: None,
        }
    }

    /// The MD5 of what was written.
    pub(crate) fn md5(&self) -> [u8; 16] {
        self.md5
    }

    /// Appends what is no part of the content.
    pub(super) fn append_trailer(&mut self, trailer: &[u8]) -> io::Result<()> {
        self.file.write_all(trailer)
    }

    /// Brings the bytes to the disk and settles the modification time: the clock of the file system ticks too
    /// slowly to tell two writes apart, the one of the system does not.
    pub(super) fn settle(&mut self) -> io::Result<Version> {
        self.file.set_modified(SystemTime::now())?;
        if self.durable {
            self.file.sync_all()?;
        }
        Ok(Version::of(&self.file.metadata()?))
    }

    /// Gives the file its name, over whatever had it.
    pub(super) fn rename(&mut self, to: impl AsFd, name: &OsString) -> rustix::io::Result<()> {
        rustix::fs::renameat(&*self.temporary.dir, &self.temporary.name, &to, name)?;
        self.temporary.kept = true;
        match self.durable {
            true => rustix::fs::fsync(to),
            false => Ok(()),
        }
    }
}

impl Sink {
    /// The file itself, for a copy inside the kernel.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

struct Temporary {
    dir: Arc<OwnedFd>,
    name: OsString,
    kept: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody can be told here; what stays behind is removed at the next start.
            let _ = dir::remove_file(&*self.dir, &self.name);
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The number whose 8 bytes, the most significant first, are these 12 characters of base64.
fn crc64_of_base64(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('=').filter(|digits| digits.len() == 11)?;
    let mut bits = 0u128;
    for digit in digits.bytes() {
        let sextet = ALPHABET.iter().position(|known| *known == digit)?;
        bits = bits << 6 | sextet as u128;
    }
    // 11 characters carry 66 bits.
    u64::try_from(bits >> 2).ok()
}

/// Base64 as in RFC 4648 section 4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let sextet = bits >> (18 - 6 * place) & 63;
            text.push(if place <= group.len() { ALPHABET[sextet as usize] as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_of_rfc_4648_section_10() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(super::base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_crc_survives_base64() {
        for crc in [0, 1, 0xae8b_1486_0a79_9888, u64::MAX] {
            assert_eq!(super::crc64_of_base64(&super::base64(&crc.to_be_bytes())), Some(crc));
        }
        for wrong in ["", "AAAA", "AAAAAAAAAAAA", "AAAAAAAAAA%="] {
            assert_eq!(super::crc64_of_base64(wrong), None, "{wrong}");
        }
    }
}
