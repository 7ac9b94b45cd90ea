//! PEM (RFC 7468): sections of base64 between lines that name them.
//!
//! It is read here because the text of a key is as secret as the key: `rustls` gathers the base64 in
//! memory that it does not wipe, and that of a key in a file of certificates too (SEC-1).

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use zeroize::Zeroizing;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Some files have no padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a PEM was not read. It shows nothing of what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PemError {
    /// A line of BEGIN that does not end as one.
    Begin,
    /// A section without its line of END.
    End,
    /// A section that is no base64.
    Base64,
    NoKey,
    /// A key that takes a password.
    Encrypted,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin => "a line of BEGIN in the PEM does not end with five dashes",
            Self::End => "a section of the PEM has no line of END",
            Self::Base64 => "a section of the PEM is no base64",
            Self::NoKey => {
                "the PEM holds no PRIVATE KEY, and neither an RSA PRIVATE KEY nor an EC PRIVATE KEY"
            }
            Self::Encrypted => "the key is encrypted, and takes a password; give it without",
        })
    }
}

/// All certificates.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let sections = Sections { rest: pem }.filter(|section| match section {
        Ok(section) => section.label == b"CERTIFICATE",
        Err(_) => true,
    });
    sections.map(|section| Ok(std::mem::take(&mut *section?.decode()?).into())).collect()
}

/// The first private key. Who loads it wipes it: the provider in `crypto::ring`, of a client and of a
/// server.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    let mut none = PemError::NoKey;
    for section in (Sections { rest: pem }) {
        let section = section?;
        let der = || Ok(std::mem::take(&mut *section.decode()?));
        match section.label {
            b"PRIVATE KEY" => return der().map(|it| PrivatePkcs8KeyDer::from(it).into()),
            b"RSA PRIVATE KEY" => return der().map(|it| PrivatePkcs1KeyDer::from(it).into()),
            b"EC PRIVATE KEY" => return der().map(|it| PrivateSec1KeyDer::from(it).into()),
            b"ENCRYPTED PRIVATE KEY" => none = PemError::Encrypted,
            _ => {}
        }
    }
    Err(none)
}

struct Section<'a> {
    label: &'a [u8],
    /// With its line ends.
    base64: &'a [u8],
}

impl Section<'_> {
    fn decode(&self) -> Result<Zeroizing<Vec<u8>>, PemError> {
        // Room for all of it at once: memory that is left behind is not wiped.
        let mut text = Zeroizing::new(Vec::with_capacity(self.base64.len()));
        text.extend(self.base64.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 4));
        BASE64.decode_vec(&*text, &mut bytes).map_err(|_| PemError::Base64)?;
        Ok(bytes)
    }
}

/// What stands between sections is for people.
struct Sections<'a> {
    rest: &'a [u8],
}

impl<'a> Sections<'a> {
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest;
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        self.rest = rest.get(end + 1..).unwrap_or_default();
        (!rest.is_empty()).then(|| &rest[..end])
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<Section<'a>, PemError>;

    fn next(&mut self) -> Option<Self::Item> {
        let begins = loop {
            if let Some(begins) = self.line()?.strip_prefix(BEGIN) {
                break begins;
            }
        };
        let Some(label) = begins.trim_ascii_end().strip_suffix(DASHES) else {
            return Some(Err(PemError::Begin));
        };
        let body = self.rest;
        loop {
            let before = self.rest.len();
            let Some(line) = self.line() else { return Some(Err(PemError::End)) };
            let Some(ends) = line.strip_prefix(END) else { continue };
            if ends.trim_ascii_end().strip_suffix(DASHES) == Some(label) {
                let base64 = &body[..body.len() - before];
                return Some(Ok(Section { label, base64 }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAQID\nBAUG\n-----END PRIVATE KEY-----\n";
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nBwg=\n-----END CERTIFICATE-----";

    fn key(pem: &str) -> Result<Vec<u8>, PemError> {
        private_key(pem.as_bytes()).map(|key| key.secret_der().to_vec())
    }

    #[test]
    fn one_file_may_hold_both_and_words_between() {
        let both = format!("Subject: somebody\n{CERTIFICATE}\nand\n{KEY}{CERTIFICATE}");
        assert_eq!(key(&both), Ok(vec![1, 2, 3, 4, 5, 6]));
        let found = certificates(both.as_bytes()).expect("two");
        assert_eq!(found, [CertificateDer::from(vec![7, 8]), CertificateDer::from(vec![7, 8])]);
        assert_eq!(certificates(KEY.as_bytes()), Ok(vec![]));
    }

    #[test]
    fn line_ends_spaces_and_padding_are_as_people_leave_them() {
        for pem in [
            KEY.replace('\n', "\r\n"),
            KEY.replace('\n', "\r"),
            KEY.replace("-----\n", "-----  \n").replace("AQID\nBAUG", "  AQ ID\tBAUG\n\n"),
            KEY.trim_end().to_owned(),
        ] {
            assert_eq!(key(&pem), Ok(vec![1, 2, 3, 4, 5, 6]), "{pem:?}");
        }
        let unpadded = CERTIFICATE.replace('=', "");
        assert_eq!(certificates(unpadded.as_bytes()).map(|found| found.len()), Ok(1));
    }

    #[test]
    fn every_kind_of_key_is_told_from_the_others() {
        let of = |label: &str| private_key(KEY.replace("PRIVATE KEY", label).as_bytes());
        assert!(matches!(of("PRIVATE KEY"), Ok(PrivateKeyDer::Pkcs8(_))));
        assert!(matches!(of("RSA PRIVATE KEY"), Ok(PrivateKeyDer::Pkcs1(_))));
        assert!(matches!(of("EC PRIVATE KEY"), Ok(PrivateKeyDer::Sec1(_))));
        assert_eq!(of("ENCRYPTED PRIVATE KEY"), Err(PemError::Encrypted));
        assert_eq!(of("PUBLIC KEY"), Err(PemError::NoKey));
        assert_eq!(key(""), Err(PemError::NoKey));
    }

    #[test]
    fn what_is_broken_is_refused_and_not_shown() {
        for (pem, error) in [
            (KEY.replace("KEY-----\nAQID", "KEY--\nAQID"), PemError::Begin),
            (KEY.replace("-----END", "-----AND"), PemError::End),
            (KEY.replace("END PRIVATE", "END PUBLIC"), PemError::End),
            (KEY.replace("AQID", "AQ!D"), PemError::Base64),
            (KEY.replace("BAUG", "BAUGA"), PemError::Base64),
        ] {
            assert_eq!(key(&pem), Err(error), "{pem}");
            assert!(!error.to_string().contains("AQ"), "{error}");
        }
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----\nBwg="), Err(PemError::End));
    }
}
