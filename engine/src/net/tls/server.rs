//! What a server shows.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use super::TlsLimits;
use super::TlsVersion;
use super::config::{given_roots, identity, provider, refused, versions};
use crate::error::{Error, Result};

/// How TLS is spoken to clients. Clones share it, and the sessions that can be resumed.
#[derive(Clone)]
pub struct TlsServerConfig {
    pub(super) server: Arc<ServerConfig>,
    pub(super) limits: TlsLimits,
}

impl TlsServerConfig {
    /// Shows the certificate of `chain_pem`, leaf first, with its key. Where `clients_pem` is given,
    /// clients must show a certificate that one of these authorities has signed.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] when a PEM cannot be read or a key does not fit its certificate.
    pub fn new(
        chain_pem: &[u8],
        key_pem: &[u8],
        clients_pem: Option<&[u8]>,
        min_version: TlsVersion,
        alpn: &[&str],
    ) -> Result<TlsServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(min_version))
            .map_err(|error| Error::InvalidInput(format!("TLS versions: {error}")))?;
        let builder = match clients_pem {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let roots = Arc::new(given_roots(pem)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                builder.with_client_cert_verifier(
                    verifier.build().map_err(|error| refused("root", error))?,
                )
            }
        };
        // Nothing can fail between the two: a key that is read and not loaded would not be wiped (SEC-1).
        let (chain, key) = identity(chain_pem, key_pem, "server")?;
        let mut server =
            builder.with_single_cert(chain, key).map_err(|error| refused("server", error))?;
        server.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(TlsServerConfig { server: Arc::new(server), limits: TlsLimits::default() })
    }

    /// The limits.
    pub fn limits(&self) -> &TlsLimits {
        &self.limits
    }
}

impl std::fmt::Debug for TlsServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsServerConfig").field("limits", &self.limits).finish_non_exhaustive()
    }
}
