//! Which certificates are trusted.

use hydrant_engine::{Core, TlsConfig, TlsConfigBuilder};

use crate::error::{Error, ErrorKind, Result};

/// The variable that names a file of certificates.
pub(super) const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// The one version of HTTP that is spoken (RFC 7301 calls it so).
const ALPN: &[&str] = &["http/1.1"];

/// What was given, what the settings say, or what the environment names: `AWS_CA_BUNDLE` is a file of PEM certificates that
/// are trusted instead of the system's. An empty variable counts as unset.
///
/// # Errors
/// A file that cannot be read, or that holds no certificate; a system without any.
pub(super) fn config(
    given: Option<TlsConfig>,
    settings: Option<TlsConfigBuilder>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<TlsConfig> {
    if let Some(given) = given {
        return Ok(given);
    }
    if let Some(settings) = settings {
        return settings.build().map_err(|error| ErrorKind::Config(error.to_string()).into());
    }
    let builder = TlsConfig::builder().alpn(ALPN);
    let Some(path) = env(CA_BUNDLE).filter(|path| !path.is_empty()) else {
        return builder.build().map_err(|error| refused(None, error));
    };
    let pem = std::fs::read(&path).map_err(|error| refused(Some(&path), error))?;
    builder.roots_pem(pem).build().map_err(|error| refused(Some(&path), error))
}

/// What TLS is spoken with, for whoever needs it later than when its store was opened: it reads files
/// of certificates.
#[derive(Debug, Clone)]
pub(super) struct TlsSource {
    pub(super) given: Option<TlsConfig>,
    pub(super) settings: Option<TlsConfigBuilder>,
    pub(super) ca_bundle: Option<String>,
}

impl TlsSource {
    /// # Errors
    /// As [`config`].
    pub(super) async fn load(&self, core: &Core) -> Result<TlsConfig> {
        let TlsSource { given, settings, ca_bundle } = self.clone();
        let bundle = move |name: &str| ca_bundle.clone().filter(|_| name == CA_BUNDLE);
        let load = move || config(given, settings, &bundle);
        core.blocking(load).await?
    }
}

fn refused(path: Option<&str>, error: impl std::fmt::Display) -> Error {
    let text = match path {
        Some(path) => format!("AWS_CA_BUNDLE={path}: {error}"),
        None => format!("{error} (AWS_CA_BUNDLE)"),
    };
    ErrorKind::Config(text).into()
}
