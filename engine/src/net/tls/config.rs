//! What a client trusts, shows and offers.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// How TLS is spoken to servers. Clones share it, and the sessions that can be resumed.
#[derive(Clone)]
pub struct TlsConfig {
    pub(super) client: Arc<ClientConfig>,
    pub(super) limits: TlsLimits,
}

/// Limits of one TLS connection, and of the sessions kept for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsLimits {
    /// For the whole handshake. Default 10 s: two round trips, and room for lost packets (RFC 6298).
    pub handshake: Duration,
    /// Buffer for what arrives, from the share for heads: a record in pieces, and what does not go
    /// straight to its place. At least [`TlsLimits::RECEIVE_BYTES_MIN`]. Default 64 KiB.
    pub receive_bytes: usize,
    /// Buffer for what goes out, from the same share: one send carries so many bytes. At least
    /// [`TlsLimits::SEND_BYTES_MIN`]. Default 68 KiB, which has room for four whole records. Both
    /// buffers are as large as the larger of the two.
    pub send_bytes: usize,
    /// Sessions kept to be resumed. Default 64.
    pub sessions_max: usize,
}

/// A version of TLS. What is older is not spoken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246) with forward secrecy and authenticated ciphers only.
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

/// Collects settings of a [`TlsConfig`].
#[derive(Clone)]
pub struct TlsConfigBuilder {
    roots_pem: Option<Vec<u8>>,
    client_pem: Option<ClientPem>,
    min_version: TlsVersion,
    alpn: Vec<Vec<u8>>,
    limits: TlsLimits,
}

/// The key is a secret: it is wiped when dropped, and nothing of this is shown (SEC-1).
#[derive(Clone)]
struct ClientPem {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl TlsLimits {
    /// A whole record of the largest kind, twice, and a whole plaintext.
    pub const RECEIVE_BYTES_MIN: usize = 56 << 10;
    /// A whole record of the largest kind.
    pub const SEND_BYTES_MIN: usize = 20 << 10;

    fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::InvalidInput(text));
        if self.receive_bytes < TlsLimits::RECEIVE_BYTES_MIN {
            return refuse(format!("tls.receive_bytes is under {}", TlsLimits::RECEIVE_BYTES_MIN));
        }
        if self.send_bytes < TlsLimits::SEND_BYTES_MIN {
            return refuse(format!("tls.send_bytes is under {}", TlsLimits::SEND_BYTES_MIN));
        }
        Ok(())
    }
}

impl Default for TlsLimits {
    fn default() -> TlsLimits {
        TlsLimits {
            handshake: Duration::from_secs(10),
            receive_bytes: 64 << 10,
            send_bytes: 68 << 10,
            sessions_max: 64,
        }
    }
}

impl TlsConfig {
    /// The roots of the system, TLS 1.2 or later, no client certificate.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder {
            roots_pem: None,
            client_pem: None,
            min_version: TlsVersion::V1_2,
            alpn: Vec::new(),
            limits: TlsLimits::default(),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &TlsLimits {
        &self.limits
    }

    /// Whether both are clones of one.
    pub fn is_same(&self, other: &TlsConfig) -> bool {
        Arc::ptr_eq(&self.client, &other.client)
    }

    /// The same trust for servers that are not to see the client's certificate, such as those that
    /// another one leads to. Their sessions are apart.
    pub fn without_client_certificate(&self) -> TlsConfig {
        let own = self.with_own_sessions();
        let mut client = (*own.client).clone();
        client.client_auth_cert_resolver = Arc::new(NoCertificate);
        TlsConfig { client: Arc::new(client), limits: self.limits }
    }

    /// The same settings with sessions of their own: cores share nothing that changes (CORE-2).
    pub fn with_own_sessions(&self) -> TlsConfig {
        let mut client = (*self.client).clone();
        client.resumption = Resumption::in_memory_sessions(self.limits.sessions_max);
        TlsConfig { client: Arc::new(client), limits: self.limits }
    }
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

impl TlsConfigBuilder {
    /// Trusts these authorities (PEM, one or more certificates) instead of the system's.
    pub fn roots_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots_pem = Some(pem.into());
        self
    }

    /// Shows this certificate to servers that ask for one: PEM of the chain, leaf first, and of its
    /// key.
    pub fn client_certificate_pem(
        mut self,
        chain: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.client_pem = Some(ClientPem { chain: chain.into(), key: Zeroizing::new(key.into()) });
        self
    }

    /// The oldest version that is spoken. Default TLS 1.2.
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// The protocols to offer (RFC 7301), such as `http/1.1`, the one preferred first.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// The limits of connections.
    pub fn limits(mut self, limits: TlsLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Looks at what was given, and reads nothing of the system: for whoever is to be told of a mistake
    /// before the first connection needs the rest.
    ///
    /// # Errors
    /// As [`TlsConfigBuilder::build`], but for a system that trusts nobody.
    pub fn check(&self) -> Result<()> {
        let roots = self.roots_pem.as_deref().map(given_roots).transpose()?;
        self.client(roots.unwrap_or_else(RootCertStore::empty)).map(drop)
    }

    /// Reads the certificates; those of the system from its files, which blocks.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] when there is no root to trust, a PEM cannot be read, a key does not
    /// fit its certificate, or a limit is too small.
    pub fn build(self) -> Result<TlsConfig> {
        let roots = match &self.roots_pem {
            Some(pem) => given_roots(pem)?,
            None => system_roots()?,
        };
        let mut client = self.client(roots)?;
        client.alpn_protocols = self.alpn;
        client.resumption = Resumption::in_memory_sessions(self.limits.sessions_max);
        Ok(TlsConfig { client: Arc::new(client), limits: self.limits })
    }

    /// Who is trusted, and what is shown.
    fn client(&self, roots: RootCertStore) -> Result<ClientConfig> {
        self.limits.check()?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(self.min_version))
            .map_err(|error| Error::InvalidInput(format!("TLS versions: {error}")))?
            .with_root_certificates(roots);
        let Some(pem) = &self.client_pem else { return Ok(builder.with_no_client_auth()) };
        let (chain, key) = identity(&pem.chain, &pem.key, "client")?;
        builder.with_client_auth_cert(chain, key).map_err(|error| refused("client", error))
    }
}

impl std::fmt::Debug for TlsConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConfigBuilder")
            .field("own_roots", &self.roots_pem.is_some())
            .field("client_pem", &self.client_pem)
            .field("min_version", &self.min_version)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConfig").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ClientPem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientPem(…)")
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(super) fn versions(min: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static NEWEST: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
    match min {
        TlsVersion::V1_2 => rustls::ALL_VERSIONS,
        TlsVersion::V1_3 => NEWEST,
    }
}

/// A chain and its key.
pub(super) fn identity(
    chain: &[u8],
    key: &[u8],
    whose: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = certificates(chain).map_err(|error| refused(whose, error))?;
    if chain.is_empty() {
        return Err(refused(whose, "the PEM holds no certificate"));
    }
    // Who loads the key wipes this: the provider in `crypto::ring`, of a client and of a server.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| refused(whose, error))?;
    Ok((chain, key))
}

pub(super) fn given_roots(pem: &[u8]) -> Result<RootCertStore> {
    let given = certificates(pem).map_err(|error| refused("root", error))?;
    let mut roots = RootCertStore::empty();
    for certificate in given {
        roots.add(certificate).map_err(|error| refused("root", error))?;
    }
    if roots.is_empty() {
        return Err(refused("root", "the PEM holds no certificate"));
    }
    Ok(roots)
}

/// What the system trusts: its bundle, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system may hold certificates of a kind that is not understood; those are nobody's root here.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(Error::InvalidInput(format!(
            "this system has no certificates of authorities to trust{why}; install the package \
             ca-certificates, or name a bundle"
        )));
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

/// Never with the text of a key (SEC-1): the errors of the parser name kinds and places only.
pub(super) fn refused(whose: &str, error: impl std::fmt::Display) -> Error {
    Error::InvalidInput(format!("the {whose} certificate or its key cannot be used: {error}"))
}
