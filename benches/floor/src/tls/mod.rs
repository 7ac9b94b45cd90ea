//! The client's end of TLS by `rustls` as it comes, without I/O: what a transfer pays for records
//! beside what the kernel takes. Provider, versions and the protocol that is offered are those of
//! Hydrant's engine.

mod buffered;
mod unbuffered;

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::failure::{Failure, Result};
use buffered::Buffered;
use unbuffered::Unbuffered;

/// How a transfer speaks TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// By which calls of `rustls`.
    pub interface: Interface,
    /// PEM of the certificates that are trusted, and no others.
    pub authority: PathBuf,
}

/// The two interfaces of `rustls`. Which costs less depends on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// `read_tls`, `process_new_packets` and `reader`: records are copied to a buffer of its own.
    Buffered,
    /// `process_tls_records`: records are decrypted where they arrived.
    Unbuffered,
}

/// Takes plaintext, a record or a part of one at a time.
pub(crate) type Sink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// The session of one connection.
pub(crate) trait Session {
    /// Decrypts all whole records, perhaps in place, and gives what they carry to `sink`; tells how
    /// many bytes at the front are done with.
    fn take(&mut self, records: &mut [u8], sink: &mut Sink<'_>) -> Result<usize>;

    /// What the handshake wants sent.
    fn answers(&mut self) -> Result<Vec<u8>>;

    /// The records that carry `plain`, behind what else is to be sent.
    fn encrypt(&mut self, plain: &[u8]) -> Result<Vec<u8>>;

    fn is_handshaking(&self) -> bool;
}

/// What all sessions of a run have in common.
#[derive(Debug)]
pub(crate) struct Sessions {
    interface: Interface,
    config: Arc<ClientConfig>,
}

impl Sessions {
    /// Reads the certificates.
    pub(crate) fn new(tls: &Tls) -> Result<Sessions> {
        let path = tls.authority.display();
        let unusable = |what: &dyn fmt::Display| Failure::wrong(format!("{path}: {what}"));
        let pem = fs::read(&tls.authority)
            .map_err(|cause| Failure::refused(format!("reading {path}"), cause))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|cause| unusable(&cause))?;
            roots.add(certificate).map_err(|cause| unusable(&cause))?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(broken)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Sessions { interface: tls.interface, config: Arc::new(config) })
    }

    /// A session with the server at this address, before its first byte.
    pub(crate) fn begin(&self, server: IpAddr) -> Result<Box<dyn Session>> {
        let (config, name) = (Arc::clone(&self.config), server.into());
        Ok(match self.interface {
            Interface::Buffered => {
                Box::new(Buffered(ClientConnection::new(config, name).map_err(broken)?))
            }
            Interface::Unbuffered => {
                let connection = UnbufferedClientConnection::new(config, name);
                Box::new(Unbuffered::new(connection.map_err(broken)?))
            }
        })
    }
}

fn broken(cause: impl fmt::Display) -> Failure {
    Failure::wrong(format!("TLS: {cause}"))
}

fn closed() -> Failure {
    Failure::wrong("the server ended the TLS session in the middle of an answer")
}
