//! What has to hold of the object under a key for a call to be carried out.

use crate::error::{ErrorKind, Result};
use crate::object::Etag;
use crate::s3::{S3ReadOptions, refuse};

/// What has to hold for an object to be written. It is looked at when the object becomes visible, in
/// one step with that: of many writers that want the same, one succeeds.
///
/// Where it does not hold, the write fails with an error of which [`crate::Error::is_condition`] is
/// true, and nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteIf {
    /// There is no object of this key (`If-None-Match: *`).
    Absent,
    /// There is one, with this tag (`If-Match`). Stores of files cannot replace so.
    Is(Etag),
}

/// What has to hold of an object for it to be read; else as [`WriteIf`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadIf {
    /// It has this tag (`If-Match`).
    Is(Etag),
    /// It has another one (`If-None-Match`): it changed since.
    IsNot(Etag),
}

/// Which object is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// What has to hold of it.
    pub read_if: Option<ReadIf>,
    /// An earlier version of it, where the bucket keeps them; S3 alone.
    pub version_id: Option<String>,
    /// What S3 alone can be asked for; other stores refuse it.
    pub s3: Option<Box<S3ReadOptions>>,
}

impl WriteIf {
    /// Looks at what is there.
    pub(crate) fn check(&self, uri: &str, there: Option<Option<&Etag>>) -> Result<()> {
        match (self, there) {
            (WriteIf::Absent, None) => Ok(()),
            (WriteIf::Absent, Some(etag)) => {
                Err(broken(uri, format!("there is one, with the tag {}", or_none(etag))))
            }
            (WriteIf::Is(wanted), Some(Some(etag))) if wanted == etag => Ok(()),
            (WriteIf::Is(wanted), Some(etag)) => Err(differs(uri, wanted, etag)),
            (WriteIf::Is(wanted), None) => {
                Err(broken(uri, format!("it should have the tag {wanted}, and is not there")))
            }
        }
    }
}

impl ReadIf {
    /// Looks at the tag of an object that is there.
    pub(crate) fn check(&self, uri: &str, etag: Option<&Etag>) -> Result<()> {
        match self {
            ReadIf::Is(wanted) if etag == Some(wanted) => Ok(()),
            ReadIf::Is(wanted) => Err(differs(uri, wanted, etag)),
            ReadIf::IsNot(known) if etag == Some(known) => {
                Err(broken(uri, format!("it has the tag {known} still")))
            }
            ReadIf::IsNot(_) => Ok(()),
        }
    }
}

impl ReadOptions {
    /// For stores that keep one version of an object, and are none of S3.
    pub(crate) fn without_versions(&self, uri: &str) -> Result<Option<ReadIf>> {
        if self.version_id.is_some() {
            let text = format!("{uri} has no versions; only those of S3 can be named");
            return Err(ErrorKind::Unsupported(text).into());
        }
        refuse(&self.s3, || uri.to_owned())?;
        Ok(self.read_if)
    }
}

fn differs(uri: &str, wanted: &Etag, etag: Option<&Etag>) -> crate::Error {
    broken(uri, format!("it should have the tag {wanted}, and has {}", or_none(etag)))
}

/// The error of a condition.
pub(crate) fn broken(uri: &str, detail: String) -> crate::Error {
    ErrorKind::Condition { object: uri.to_owned(), detail }.into()
}

fn or_none(etag: Option<&Etag>) -> &str {
    etag.map_or("none", Etag::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_or_say_what_is_there() {
        let [a, b] = ["\"a\"", "\"b\""].map(|text| Etag::new(text).expect("a tag"));
        assert!(WriteIf::Absent.check("x", None).is_ok());
        assert!(WriteIf::Is(a).check("x", Some(Some(&a))).is_ok());
        assert!(ReadIf::Is(a).check("x", Some(&a)).is_ok());
        assert!(ReadIf::IsNot(a).check("x", Some(&b)).is_ok());
        assert!(ReadIf::IsNot(a).check("x", None).is_ok());
        for (checked, said) in [
            (WriteIf::Absent.check("x", Some(Some(&a))), "\"a\""),
            (WriteIf::Absent.check("x", Some(None)), "none"),
            (WriteIf::Is(a).check("x", Some(Some(&b))), "\"b\""),
            (WriteIf::Is(a).check("x", None), "not there"),
            (ReadIf::Is(a).check("x", Some(&b)), "\"b\""),
            (ReadIf::Is(a).check("x", None), "none"),
            (ReadIf::IsNot(a).check("x", Some(&a)), "\"a\" still"),
        ] {
            let error = checked.expect_err("it does not hold");
            assert!(error.is_condition() && error.to_string().contains(said), "{error}");
        }
    }
}
