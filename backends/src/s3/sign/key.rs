//! The signing key: derived once a day for a region and a service, then kept. Source: AWS Identity
//! and Access Management user guide, "Create a signed AWS API request", step 4.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::{SCOPE_END, Scope};
use crate::s3::credentials::Credentials;

/// Keeps the last signing key, which changes with the secret, the day, the region and the service.
///
/// One entry suffices: a core signs for one bucket and one day at a time, and deriving anew costs
/// four HMACs. Everything is wiped when dropped (SEC-1).
#[derive(Default)]
pub struct SigningKeyCache {
    entry: Option<CachedKey>,
}

struct CachedKey {
    secret: Zeroizing<String>,
    day: [u8; 8],
    region: String,
    service: String,
    key: Zeroizing<[u8; 32]>,
}

impl SigningKeyCache {
    /// An empty cache.
    pub fn new() -> SigningKeyCache {
        SigningKeyCache::default()
    }

    /// An HMAC ready to take the string to sign.
    pub(super) fn mac(&mut self, credentials: &Credentials, scope: &Scope<'_>) -> Hmac<Sha256> {
        hmac(self.derived(credentials, scope))
    }

    /// The key itself, for what outlives this cache.
    pub(super) fn key(
        &mut self,
        credentials: &Credentials,
        scope: &Scope<'_>,
    ) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.derived(credentials, scope))
    }

    fn derived(&mut self, credentials: &Credentials, scope: &Scope<'_>) -> &[u8; 32] {
        if !self.holds(credentials, scope) {
            self.entry = Some(CachedKey::derive(credentials.secret_access_key(), scope));
        }
        &self.entry.as_ref().expect("filled above").key
    }

    fn holds(&self, credentials: &Credentials, scope: &Scope<'_>) -> bool {
        self.entry.as_ref().is_some_and(|entry| {
            entry.secret.as_str() == credentials.secret_access_key()
                && entry.day == *scope.time.day()
                && entry.region == scope.region
                && entry.service == scope.service
        })
    }
}

impl fmt::Debug for SigningKeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyCache").field("filled", &self.entry.is_some()).finish()
    }
}

impl CachedKey {
    fn derive(secret: &str, scope: &Scope<'_>) -> CachedKey {
        let mut seed = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        seed.extend_from_slice(b"AWS4");
        seed.extend_from_slice(secret.as_bytes());
        let mut key = Zeroizing::new(hmac_of(&seed, scope.time.day()));
        for step in [scope.region.as_bytes(), scope.service.as_bytes(), SCOPE_END] {
            let mut next = hmac_of(&*key, step);
            key.copy_from_slice(&next);
            next.zeroize();
        }
        CachedKey {
            secret: Zeroizing::new(secret.to_owned()),
            day: *scope.time.day(),
            region: scope.region.to_owned(),
            service: scope.service.to_owned(),
            key,
        }
    }
}

pub(super) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn hmac_of(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = hmac(key);
    Mac::update(&mut mac, text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::time::{SigningTime, Timestamp};

    fn credentials(secret: &str) -> Credentials {
        Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None).unwrap()
    }

    fn scope(unix_seconds: u64) -> Scope<'static> {
        let time = SigningTime::new(Timestamp::from_unix_seconds(unix_seconds));
        Scope { time, region: "us-east-1", service: "s3" }
    }

    fn signature(keys: &mut SigningKeyCache, secret: &str, scope: &Scope<'_>) -> [u8; 32] {
        keys.mac(&credentials(secret), scope).finalize().into_bytes().into()
    }

    #[test]
    fn the_key_is_kept_until_secret_day_region_or_service_changes() {
        let morning = scope(1_369_353_600);
        let evening = scope(1_369_353_600 + 86_399);
        let tomorrow = scope(1_369_353_600 + 86_400);
        let mut keys = SigningKeyCache::new();
        assert!(!keys.holds(&credentials("secret"), &morning));
        let first = signature(&mut keys, "secret", &morning);
        let held = |secret, scope: &Scope<'_>| keys.holds(&credentials(secret), scope);
        assert!(held("secret", &evening));
        assert!(!held("other", &morning));
        assert!(!held("secret", &tomorrow));
        assert!(!held("secret", &Scope { region: "eu-west-1", ..morning }));
        assert!(!held("secret", &Scope { service: "s3express", ..morning }));

        assert_ne!(signature(&mut keys, "other", &morning), first);
        assert_ne!(signature(&mut keys, "secret", &tomorrow), first);
        assert_eq!(signature(&mut keys, "secret", &evening), first);
    }

    /// SEC-1
    #[test]
    fn debug_of_the_cache_shows_no_key() {
        let mut keys = SigningKeyCache::new();
        signature(&mut keys, "secret", &scope(0));
        assert_eq!(format!("{keys:?}"), "SigningKeyCache { filled: true }");
    }
}
