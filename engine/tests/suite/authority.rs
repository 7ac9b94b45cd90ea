//! Certificates of a test authority.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hydrant_engine::{TlsConfig, TlsServerConfig, TlsVersion};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519};

/// Who signs the certificates of a test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    pub chain: String,
    pub key: String,
}

/// The host that certificates are for.
pub const HOST: &str = "host.test";

impl Authority {
    pub fn new() -> Authority {
        static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        let name = format!("test authority {}", AUTHORITIES.fetch_add(1, Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for [`HOST`] and the address of loopback.
    pub fn identity(&self) -> Identity {
        self.identity_with(|_| {})
    }

    pub fn identity_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names = vec![HOST.to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let chain = params.signed_by(&key, &self.issuer).expect("signed").pem();
        Identity { chain, key: key.serialize_pem() }
    }

    /// A client that trusts this authority alone.
    pub fn client(&self) -> TlsConfig {
        TlsConfig::builder().roots_pem(self.pem.as_str()).build().expect("a configuration")
    }
}

impl Identity {
    pub fn server(&self) -> TlsServerConfig {
        let (chain, key) = (self.chain.as_bytes(), self.key.as_bytes());
        TlsServerConfig::new(chain, key, None, TlsVersion::V1_2, &[]).expect("a configuration")
    }
}
