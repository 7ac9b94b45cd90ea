//! What TLS is spoken with, where options name files for it.

use std::time::Duration;

use hydrant::engine::{TlsConfig, TlsLimits, TlsVersion};

use crate::error::Failure;
use crate::status::HYD_E_CONFIG;

/// The variable that names a file of certificates, as everywhere else.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// The one version of HTTP that is spoken (RFC 7301 calls it so).
const ALPN: &[&str] = &["http/1.1"];

/// What was set of TLS.
#[derive(Default, Clone)]
pub struct TlsFiles {
    pub(super) roots: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    pub(super) min_version: Option<TlsVersion>,
    pub(super) handshake: Option<Duration>,
}

impl TlsFiles {
    /// Reads the files; nothing where nothing was set.
    ///
    /// # Errors
    /// `CONFIG` for a file that cannot be read, or holds something else.
    pub fn load(&self) -> Result<Option<TlsConfig>, Failure> {
        let TlsFiles { roots, certificate, key, min_version, handshake } = self;
        let files = [roots, certificate, key];
        if files.iter().all(|it| it.is_none()) && min_version.is_none() && handshake.is_none() {
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
                read("option client_certificate_file", certificate)?,
                read("option client_key_file", key)?,
            ),
            _ => return Err(config("client_certificate_file and client_key_file go together")),
        };
        let builder = builder.min_version(min_version.unwrap_or(TlsVersion::V1_2));
        let named = "ca_file, client_certificate_file, client_key_file";
        let built = builder.build();
        built.map(Some).map_err(|error| config(&format!("{error} (options {named}; {CA_BUNDLE})")))
    }

    /// Who is trusted, where that is not who the system trusts.
    fn roots(&self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(path) = &self.roots {
            return read("option ca_file", path).map(Some);
        }
        let named = std::env::var(CA_BUNDLE).ok().filter(|path| !path.is_empty());
        named.map(|path| read(CA_BUNDLE, &path)).transpose()
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
