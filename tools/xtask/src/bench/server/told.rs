//! The checksum of the object, which the server tells as S3 does: with a HEAD, and not with a range.
//! Beside it the same object under another name has a wrong one, for clients to notice.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{BUCKET, MISTOLD, OBJECT};
use crate::failure::{Failure, Result};
use crate::shell;

/// CRC-64/NVME in base64.
#[derive(Debug)]
pub struct Told(pub String);

impl Told {
    /// Sums the object that lies in `bucket` by `floor`, the program `hydrant-floor`.
    ///
    /// # Errors
    /// When that fails, or a second name for it does.
    pub fn of(floor: &Path, bucket: &Path) -> Result<Self> {
        let (object, mistold) = (bucket.join(OBJECT), bucket.join(MISTOLD));
        let sum = shell::read(Command::new(floor).arg("sum").arg(&object))?;
        fs::hard_link(&object, &mistold).map_err(|it| Failure::io(mistold.display(), it))?;
        Ok(Self(sum.trim().to_owned()))
    }

    /// For nginx, among its `map`s.
    pub fn map(&self) -> String {
        // That of nothing at all.
        let (right, wrong) = (&self.0, "AAAAAAAAAAA=");
        format!(
            "map \"$request_method $uri\" $told {{
        default \"\";
        \"HEAD /{BUCKET}/{OBJECT}\" \"{right}\";
        \"HEAD /{BUCKET}/{MISTOLD}\" \"{wrong}\";
    }}"
        )
    }

    /// For nginx, in its server; a header without a value is not sent.
    pub fn header() -> &'static str {
        "add_header x-amz-checksum-crc64nvme $told;"
    }
}
