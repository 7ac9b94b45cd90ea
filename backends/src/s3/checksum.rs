//! Which checksums go with what is written, and which are asked for with what is read.
//!
//! They stand in the head of a request, never in a trailer: a part lies in memory when its head is
//! written, and `aws-chunked` bodies are refused by many servers. Source of names and of the policy:
//! Amazon S3 user guide, "Checking object integrity"; AWS SDKs and tools reference guide, "Data
//! integrity protections for Amazon S3".

use std::ops::Range;

use hydrant_engine::Buf;

use super::ops::{BodyCheck, ChecksumKind, content_md5};
use crate::checksum::{ChecksumAlgorithm, Sum};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::response::ResponseHead;

/// When checksums are used, in AWS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChecksumPolicy {
    /// Wherever S3 knows them.
    #[default]
    WhenSupported,
    /// Where S3 insists on them: writes under object lock. For reads it is the same as `Off`.
    WhenRequired,
    /// Never, for servers that refuse the headers. Documents keep the `Content-MD5` that many servers
    /// insist on.
    Off,
}

/// What goes with the bytes of an object or a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentChecksum {
    /// One that S3 keeps with the object.
    Kept(ChecksumAlgorithm),
    /// `Content-MD5`, which is looked at and forgotten: for servers that know nothing else. It takes
    /// some 40 times as long as a CRC.
    ContentMd5,
}

impl Default for SentChecksum {
    fn default() -> SentChecksum {
        SentChecksum::Kept(ChecksumAlgorithm::Crc64Nvme)
    }
}

/// The checksums of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ChecksumConfig {
    /// Of what is written; `None` asks `AWS_REQUEST_CHECKSUM_CALCULATION`.
    pub requests: Option<ChecksumPolicy>,
    /// Of what is read; `None` asks `AWS_RESPONSE_CHECKSUM_VALIDATION`.
    pub answers: Option<ChecksumPolicy>,
    /// Which one goes with what is written.
    pub sent: SentChecksum,
}

/// The same, settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checks {
    requests: ChecksumPolicy,
    answers: ChecksumPolicy,
    sent: SentChecksum,
}

/// What is sent of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SentSum {
    pub(super) sum: Option<Sum>,
    pub(super) md5: Option<String>,
}

/// A checksum that an answer told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ToldSum {
    pub(super) sum: Sum,
    pub(super) kind: Option<ChecksumKind>,
}

impl ChecksumPolicy {
    /// Reads AWS's words, and `off`.
    pub fn parse(text: &str) -> Option<ChecksumPolicy> {
        let known = [
            ("when_supported", ChecksumPolicy::WhenSupported),
            ("when_required", ChecksumPolicy::WhenRequired),
            ("off", ChecksumPolicy::Off),
        ];
        let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, policy)| policy)
    }
}

impl Checks {
    /// # Errors
    /// A variable with a word that is none of the three.
    pub(super) fn settle(
        config: &ChecksumConfig,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Checks> {
        let settle = |given: Option<ChecksumPolicy>, name: &str| match (given, env(name)) {
            (Some(given), _) => Ok(given),
            (None, Some(text)) if !text.is_empty() => {
                ChecksumPolicy::parse(&text).ok_or_else(|| {
                    let words = "when_supported, when_required or off";
                    Error::from(ErrorKind::Config(format!("{name} is {text:?}, not {words}")))
                })
            }
            (None, _) => Ok(ChecksumPolicy::default()),
        };
        Ok(Checks {
            requests: settle(config.requests, "AWS_REQUEST_CHECKSUM_CALCULATION")?,
            answers: settle(config.answers, "AWS_RESPONSE_CHECKSUM_VALIDATION")?,
            sent: config.sent,
        })
    }

    /// What is sent with the bytes of an object; one pass over them at most.
    pub(super) fn of_object(&self, check: BodyCheck, bytes: &[u8]) -> SentSum {
        let wanted = match (check, self.requests) {
            (BodyCheck::Own, _) | (_, ChecksumPolicy::Off) => false,
            (BodyCheck::Required, _) | (_, ChecksumPolicy::WhenSupported) => true,
            (BodyCheck::Supported, ChecksumPolicy::WhenRequired) => false,
        };
        match self.sent {
            _ if !wanted => SentSum::default(),
            SentChecksum::Kept(algorithm) => SentSum::of(algorithm, bytes),
            SentChecksum::ContentMd5 => SentSum::md5_of(bytes),
        }
    }

    /// The checksum that is named when an upload begins, and what it is to cover.
    pub(super) fn of_upload(&self) -> Option<(ChecksumAlgorithm, ChecksumKind)> {
        match (self.requests, self.sent) {
            (ChecksumPolicy::WhenSupported, SentChecksum::Kept(algorithm)) => {
                let whole = algorithm.combines();
                let kind = if whole { ChecksumKind::FullObject } else { ChecksumKind::Composite };
                Some((algorithm, kind))
            }
            _ => None,
        }
    }

    /// What is sent with a part of an upload for which `named` was named.
    pub(super) fn of_part(&self, named: Option<ChecksumAlgorithm>, bytes: &[u8]) -> SentSum {
        match (named, self.requests, self.sent) {
            (Some(algorithm), ..) => SentSum::of(algorithm, bytes),
            (None, ChecksumPolicy::WhenSupported, SentChecksum::ContentMd5) => {
                SentSum::md5_of(bytes)
            }
            _ => SentSum::default(),
        }
    }

    /// With what ranges are summed before it is known what the server keeps: what this store writes,
    /// where that combines, else what S3 has of every object for which nobody named another.
    pub(super) fn of_ranges(&self) -> ChecksumAlgorithm {
        match self.sent {
            SentChecksum::Kept(algorithm) if algorithm.combines() => algorithm,
            _ => ChecksumAlgorithm::Crc64Nvme,
        }
    }

    /// Whether checksums are asked for and compared.
    pub(super) fn answers(&self) -> bool {
        self.answers == ChecksumPolicy::WhenSupported
    }
}

impl SentSum {
    fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> SentSum {
        SentSum { sum: Some(Sum::of(algorithm, bytes)), md5: None }
    }

    fn md5_of(bytes: &[u8]) -> SentSum {
        SentSum { sum: None, md5: Some(content_md5(bytes)) }
    }
}

impl ToldSum {
    /// The checksum that is the cheapest to compare. Composite ones say nothing of the bytes
    /// themselves, and are no values of their algorithm.
    pub(super) fn of_head(head: &ResponseHead<'_>) -> Option<ToldSum> {
        let sum = ChecksumAlgorithm::ALL.into_iter().find_map(|algorithm| {
            let text = head.text(algorithm.header()).ok().flatten()?;
            Sum::parse(algorithm, text)
        });
        let kind = head.text("x-amz-checksum-type").ok().flatten();
        Some(ToldSum { sum: sum?, kind: kind.and_then(ChecksumKind::parse) })
    }
}

/// A part of a buffer. Memory that was received into may be longer than what its owner has said it
/// holds.
pub(super) fn bytes_of(buf: &mut Buf, span: Range<usize>) -> &[u8] {
    match span.end <= buf.len() {
        true => &buf.as_slice()[span],
        false => buf.as_mut_slice().and_then(|memory| memory.get(span)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(config: ChecksumConfig, variable: &str, value: &str) -> Result<Checks> {
        Checks::settle(&config, &|name| (name == variable).then(|| value.to_owned()))
    }

    #[test]
    fn a_setting_comes_before_the_environment_and_that_before_the_default() {
        let requests = "AWS_REQUEST_CHECKSUM_CALCULATION";
        let of = |config, value| settled(config, requests, value).map(|checks| checks.requests);
        let config = ChecksumConfig::default();
        assert_eq!(of(config, "").unwrap(), ChecksumPolicy::WhenSupported);
        assert_eq!(of(config, "WHEN_REQUIRED").unwrap(), ChecksumPolicy::WhenRequired);
        assert_eq!(of(config, "off").unwrap(), ChecksumPolicy::Off);
        let set = ChecksumConfig { requests: Some(ChecksumPolicy::Off), ..config };
        assert_eq!(of(set, "when_supported").unwrap(), ChecksumPolicy::Off);
        let error = of(config, "always").unwrap_err().to_string();
        assert!(error.contains(requests) && error.contains("when_required"), "{error}");
        let answers = settled(config, "AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required").unwrap();
        assert!(!answers.answers() && answers.of_upload().is_some());
    }

    #[test]
    fn what_is_sent_follows_policy_and_operation() {
        use BodyCheck::*;
        use ChecksumPolicy::*;
        for (policy, check, sends) in [
            (WhenSupported, Supported, true),
            (WhenSupported, Required, true),
            (WhenSupported, Own, false),
            (WhenRequired, Supported, false),
            (WhenRequired, Required, true),
            (Off, Supported, false),
            (Off, Required, false),
        ] {
            let mut config = ChecksumConfig { requests: Some(policy), ..Default::default() };
            let kept = settled(config, "", "").unwrap().of_object(check, b"x");
            assert_eq!(kept.sum.is_some(), sends, "{policy:?} {check:?}");
            config.sent = SentChecksum::ContentMd5;
            let md5 = settled(config, "", "").unwrap().of_object(check, b"x");
            assert_eq!((md5.sum, md5.md5.is_some()), (None, sends), "{policy:?} {check:?}");
        }
    }

    #[test]
    fn an_upload_names_what_its_checksum_covers() {
        use ChecksumAlgorithm::*;
        for (algorithm, kind) in
            [(Crc64Nvme, ChecksumKind::FullObject), (Sha256, ChecksumKind::Composite)]
        {
            let config =
                ChecksumConfig { sent: SentChecksum::Kept(algorithm), ..Default::default() };
            let checks = settled(config, "", "").unwrap();
            assert_eq!(checks.of_upload(), Some((algorithm, kind)));
            assert_eq!(checks.of_part(Some(algorithm), b"x").sum, Some(Sum::of(algorithm, b"x")));
            assert_eq!(checks.of_part(None, b"x"), SentSum::default());
        }
    }
}
