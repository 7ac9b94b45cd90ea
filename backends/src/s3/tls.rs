//! Which certificates are trusted.

use hydrant_engine::TlsConfig;

use crate::error::{Error, ErrorKind, Result};

/// The one version of HTTP that is spoken (RFC 7301 calls it so).
const ALPN: &[&str] = &["http/1.1"];

/// What was given, or what the environment names: `AWS_CA_BUNDLE` is a file of PEM certificates that
/// are trusted instead of the system's. An empty variable counts as unset.
///
/// # Errors
/// A file that cannot be read, or that holds no certificate; a system without any.
pub(super) fn config(
    given: Option<TlsConfig>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<TlsConfig> {
    if let Some(given) = given {
        return Ok(given);
    }
    let builder = TlsConfig::builder().alpn(ALPN);
    let Some(path) = env("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else {
        return builder.build().map_err(|error| refused(None, error));
    };
    let pem = std::fs::read(&path).map_err(|error| refused(Some(&path), error))?;
    builder.roots_pem(pem).build().map_err(|error| refused(Some(&path), error))
}

fn refused(path: Option<&str>, error: impl std::fmt::Display) -> Error {
    let text = match path {
        Some(path) => format!("AWS_CA_BUNDLE={path}: {error}"),
        None => format!("{error} (AWS_CA_BUNDLE)"),
    };
    ErrorKind::Config(text).into()
}
