//! What TLS is spoken with, where options say so.

use std::time::Duration;

use hydrant::engine::{TlsConfig, TlsConfigBuilder, TlsLimits, TlsVersion};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::status::HYD_E_CONFIG;

/// The variable that names a file of certificates, as everywhere else.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// The one version of HTTP that is spoken (RFC 7301 calls it so).
const ALPN: &[&str] = &["http/1.1"];

/// What was set of TLS.
#[derive(Default, Clone)]
pub struct Tls {
    pub(super) roots: Option<Pem>,
    pub(super) certificate: Option<Pem>,
    pub(super) key: Option<Pem>,
    pub(super) min_version: Option<TlsVersion>,
    pub(super) handshake: Option<Duration>,
}

/// Where PEM comes from. A text may be a key: it is wiped (SEC-1).
#[derive(Clone)]
pub enum Pem {
    File(String),
    Text(Zeroizing<String>),
}

impl Tls {
    /// Reads the files and looks at what they hold; nothing where nothing was set. The certificates of
    /// the system are left for the store that needs them.
    ///
    /// # Errors
    /// `CONFIG` for a file that cannot be read, or holds something else.
    pub fn load(&self) -> Result<Option<TlsConfigBuilder>, Failure> {
        let Tls { roots, certificate, key, min_version, handshake } = self;
        let pems = [roots, certificate, key];
        if pems.iter().all(|it| it.is_none()) && min_version.is_none() && handshake.is_none() {
            return Ok(None);
        }
        let mut limits = TlsLimits::default();
        limits.handshake = handshake.unwrap_or(limits.handshake);
        let mut builder = TlsConfig::builder().alpn(ALPN).limits(limits);
        if let Some(pem) = self.roots()? {
            builder = builder.roots_pem(pem);
        }
        builder = match (certificate, key) {
            (None, None) => builder,
            (Some(certificate), Some(key)) => builder.client_certificate_pem(
                certificate.read("option client_certificate_file")?,
                key.read("option client_key_file")?,
            ),
            _ => {
                return Err(config(
                    "a client certificate and its key go together: options \
                                   client_certificate_file and client_key_file, or the same in _pem",
                ));
            }
        };
        let builder = builder.min_version(min_version.unwrap_or(TlsVersion::V1_2));
        let named = "ca_file, client_certificate_file, client_key_file, or the same in _pem";
        let checked = builder.check();
        checked.map_err(|error| config(&format!("{error} (options {named}; {CA_BUNDLE})")))?;
        Ok(Some(builder))
    }

    /// Who is trusted, where that is not who the system trusts.
    fn roots(&self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(roots) = &self.roots {
            return roots.read("option ca_file").map(Some);
        }
        let named = std::env::var(CA_BUNDLE).ok().filter(|path| !path.is_empty());
        named.map(|path| read(CA_BUNDLE, &path)).transpose()
    }
}

impl Pem {
    pub(super) fn file(path: &str) -> Option<Pem> {
        (!path.is_empty()).then(|| Pem::File(path.to_owned()))
    }

    /// What is no PEM at all is refused before a store is opened: it is a path, most likely.
    pub(super) fn text(text: &str) -> Option<Pem> {
        text.contains("-----BEGIN ").then(|| Pem::Text(Zeroizing::new(text.to_owned())))
    }

    fn read(&self, named_by: &str) -> Result<Vec<u8>, Failure> {
        match self {
            Pem::File(path) => read(named_by, path),
            Pem::Text(text) => Ok(text.as_bytes().to_vec()),
        }
    }
}

/// The path is not repeated: where the PEM itself was given for it, it is a secret (SEC-1).
fn read(named_by: &str, path: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        config(&format!("the file that {named_by} names cannot be read: {error}; give its path"))
    })
}

fn config(message: &str) -> Failure {
    Failure::new(HYD_E_CONFIG, message)
}
