//! Which checksums go with what is written, and which are asked for with what is read.
//!
//! They stand in the head of a request: a part lies in memory when its head is written, and
//! `aws-chunked` bodies are refused by many servers. In a trailer they come where that is asked for.
//! Source of names and of the policy: Amazon S3 user guide, "Checking object integrity"; AWS SDKs and
//! tools reference guide, "Data integrity protections for Amazon S3".

use std::ops::Range;

use hydrant_engine::Buf;

use super::aws_chunked::Framing;
use super::credentials::Identity;
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

/// Where the checksum of a body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChecksumPlace {
    /// In the head, with a body as it is: every server takes that.
    #[default]
    Head,
    /// Behind the body, which is `aws-chunked` then: the sum is taken while the body goes out, so the
    /// head need not wait for it, and a body that the server refuses is never summed. Cloudflare R2,
    /// Oracle's and NetApp's S3 and older ones of MinIO refuse it; s3rver takes the framing for a part
    /// of the object and says nothing, so ask for this only of servers that are known to know it.
    Trailer,
    /// The same with each chunk and the checksum signed, for servers that want every byte covered by
    /// the signature; SHA-256 takes a core for every 12 Gbit/s or so. Bodies without a checksum are
    /// signed, too.
    SignedTrailer,
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
    /// Where one that S3 keeps stands, of bodies that are not empty. Requests that nobody signs have it
    /// in the head.
    pub place: ChecksumPlace,
}

/// The same, settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checks {
    requests: ChecksumPolicy,
    answers: ChecksumPolicy,
    sent: SentChecksum,
    place: ChecksumPlace,
}

/// What is sent of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SentSum {
    pub(super) sum: Option<Sum>,
    pub(super) md5: Option<String>,
    /// The body is framed, with its checksum behind it.
    pub(super) framing: Option<Framing>,
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
        identity: &Identity,
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
            // Only a signed head says how the body is framed.
            place: match identity {
                Identity::Anonymous => ChecksumPlace::Head,
                Identity::Keys(_) | Identity::Provider(_) => config.place,
            },
        })
    }

    /// What is sent with the bytes of an object; one pass over them at most.
    pub(super) fn of_object(&self, check: BodyCheck, bytes: &[u8]) -> SentSum {
        let wanted = match (check, self.requests) {
            (BodyCheck::Part, _) => {
                return self.of_part(self.of_upload_by_hand().map(|named| named.0), bytes, None);
            }
            (BodyCheck::Own, _) | (_, ChecksumPolicy::Off) => false,
            (BodyCheck::Required, _) | (_, ChecksumPolicy::WhenSupported) => true,
            (BodyCheck::Supported, ChecksumPolicy::WhenRequired) => false,
        };
        match self.sent {
            _ if !wanted => self.placed(None, bytes, None),
            SentChecksum::Kept(algorithm) => self.placed(Some(algorithm), bytes, None),
            SentChecksum::ContentMd5 => {
                SentSum { md5: Some(content_md5(bytes)), ..self.placed(None, bytes, None) }
            }
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

    /// The same for an upload that is made operation by operation. Who completes one with a checksum of
    /// checksums has to repeat that of each part, so nobody comes by one without asking for it. Source:
    /// Amazon S3 API reference, CompleteMultipartUpload.
    pub(super) fn of_upload_by_hand(&self) -> Option<(ChecksumAlgorithm, ChecksumKind)> {
        self.of_upload().filter(|(_, kind)| *kind == ChecksumKind::FullObject)
    }

    /// What is sent with a part of an upload for which `named` was named. `known` is a checksum of its
    /// bytes that was taken before.
    pub(super) fn of_part(
        &self,
        named: Option<ChecksumAlgorithm>,
        bytes: &[u8],
        known: Option<Sum>,
    ) -> SentSum {
        match (named, self.requests, self.sent) {
            (None, ChecksumPolicy::WhenSupported, SentChecksum::ContentMd5) => {
                SentSum { md5: Some(content_md5(bytes)), ..self.placed(None, bytes, None) }
            }
            _ => self.placed(named, bytes, known),
        }
    }

    /// A checksum that S3 keeps: of these bytes in the head, or of what goes out behind it.
    fn placed(&self, kept: Option<ChecksumAlgorithm>, bytes: &[u8], known: Option<Sum>) -> SentSum {
        let is_signed = self.place == ChecksumPlace::SignedTrailer;
        let is_framed = match self.place {
            ChecksumPlace::Head => false,
            ChecksumPlace::Trailer => kept.is_some(),
            ChecksumPlace::SignedTrailer => true,
        };
        if is_framed && !bytes.is_empty() {
            let framing = Some(Framing { trailer: kept, is_signed });
            return SentSum { framing, ..SentSum::default() };
        }
        let sum = kept.map(|algorithm| {
            let known = known.filter(|known| known.algorithm() == algorithm);
            known.unwrap_or_else(|| Sum::of(algorithm, bytes))
        });
        SentSum { sum, ..SentSum::default() }
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
    use crate::s3::credentials::Credentials;

    fn settled(config: ChecksumConfig, variable: &str, value: &str) -> Result<Checks> {
        let keys = Credentials::new("AKID", "secret", None, None).unwrap();
        let env = |name: &str| (name == variable).then(|| value.to_owned());
        Checks::settle(&config, &Identity::Keys(keys), &env)
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
    fn a_checksum_stands_where_it_is_asked_for() {
        use ChecksumPlace::*;
        let crc = ChecksumAlgorithm::Crc64Nvme;
        let kept = Some(Sum::of(crc, b"x"));
        let framed = |trailer, is_signed| Some(Framing { trailer, is_signed });
        for (place, sum, framing, unchecked) in [
            (Head, kept, None, None),
            (Trailer, None, framed(Some(crc), false), None),
            (SignedTrailer, None, framed(Some(crc), true), framed(None, true)),
        ] {
            let config = ChecksumConfig { place, ..Default::default() };
            let checks = settled(config, "", "").unwrap();
            for sent in [
                checks.of_object(BodyCheck::Supported, b"x"),
                checks.of_part(Some(crc), b"x", None),
            ] {
                assert_eq!((sent.sum, sent.framing), (sum, framing), "{place:?}");
            }
            assert_eq!(checks.of_object(BodyCheck::Own, b"x").framing, unchecked, "{place:?}");
            let empty = checks.of_object(BodyCheck::Supported, b"");
            assert!(empty.sum.is_some() && empty.framing.is_none(), "{place:?}");
            let unsigned = Checks::settle(&config, &Identity::Anonymous, &|_| None).unwrap();
            assert_eq!(unsigned.of_object(BodyCheck::Supported, b"x").sum, kept, "{place:?}");
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
            let sum = Some(Sum::of(algorithm, b"x"));
            assert_eq!(checks.of_part(Some(algorithm), b"x", None).sum, sum);
            // What is known is not summed again, and what is known of another kind does not count.
            assert_eq!(checks.of_part(Some(algorithm), b"other", sum).sum, sum);
            let other = Some(Sum::of(Sha1, b"other"));
            assert_eq!(checks.of_part(Some(algorithm), b"x", other).sum, sum);
            assert_eq!(checks.of_part(None, b"x", sum), SentSum::default());
        }
    }
}
