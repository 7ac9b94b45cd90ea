//! Certificates of a test authority.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hydrant_server::TlsIdentity;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519};

/// Who signs the certificates of a test.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// One with a key of its own.
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

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names or addresses, with its key.
    pub fn identity(&self, names: &[&str]) -> TlsIdentity {
        self.identity_with(names, |_| {})
    }

    /// One that ended in 2020.
    pub fn expired(&self, names: &[&str]) -> TlsIdentity {
        self.identity_with(names, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))
    }

    /// A certificate for these names or addresses, and its key, both as PEM.
    pub fn certificate(&self, names: &[&str]) -> (String, String) {
        self.certificate_with(names, |_| {})
    }

    fn identity_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> TlsIdentity {
        let (chain, key) = self.certificate_with(names, change);
        TlsIdentity::new(chain, key)
    }

    fn certificate_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let chain = params.signed_by(&key, &self.issuer).expect("signed").pem();
        (chain, key.serialize_pem())
    }
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}
