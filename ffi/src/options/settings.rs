//! What was set of the options, and what that changes when a store is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use hydrant::TransferLimits;
use hydrant::engine::TlsConfig;
use hydrant::s3::S3Config;
use hydrant::s3::credentials::{Credentials, Identity, Provider};
use zeroize::Zeroizing;

use super::keys;
use super::tls::TlsFiles;
use crate::error::Failure;
use crate::status::HYD_E_CONFIG;

/// What one option changes.
pub type Change = Arc<dyn Fn(&mut S3Config) + Send + Sync>;

/// What was set; the rest is as the engine and the environment have it.
#[derive(Default, Clone)]
pub struct Settings {
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key: Option<Zeroizing<String>>,
    pub(super) session_token: Option<Zeroizing<String>>,
    pub(super) provider: Option<Provider>,
    pub(super) anonymous: bool,
    pub(super) tls: TlsFiles,
    pub(super) part_size_bytes: Option<u64>,
    pub(super) connections: Option<usize>,
    /// The others, by name.
    changes: BTreeMap<&'static str, Change>,
}

impl Settings {
    /// Sets one option.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        // The value may be a secret, and is not repeated (SEC-1).
        let bad =
            |expected| Failure::invalid(format!("the value of option {key} has to be {expected}"));
        if let Some((_, expected, set)) = keys::own().find(|(name, ..)| *name == key) {
            return set(self, value).ok_or_else(|| bad(expected));
        }
        if let Some((name, expected, read)) = keys::of_s3().find(|(name, ..)| *name == key) {
            self.changes.insert(name, read(value).ok_or_else(|| bad(expected))?);
            return Ok(());
        }
        let known: Vec<&str> = names().collect();
        // What is no name may be a value, and a secret, where the two were taken for each other (SEC-1).
        let is_name =
            key.len() <= 64 && key.bytes().all(|it| it == b'_' || it.is_ascii_lowercase());
        let shown = if is_name { key } else { "of that name" };
        let message = format!("there is no option {shown}; there are {}", known.join(", "));
        Err(Failure::invalid(message))
    }

    /// Who signs, where that was set.
    pub fn identity(&self) -> Result<Option<Identity>, Failure> {
        let config = |message: &str| Failure::new(HYD_E_CONFIG, message);
        if self.anonymous {
            return Ok(Some(Identity::Anonymous));
        }
        match (&self.access_key_id, &self.secret_access_key) {
            (None, None) if self.session_token.is_some() => {
                Err(config("a session_token needs access_key_id and secret_access_key"))
            }
            (None, None) => Ok(self.provider.clone().map(Identity::Provider)),
            (Some(id), Some(secret)) => {
                let token = self.session_token.as_ref().map(|token| token.to_string());
                let keys = Credentials::new(id.clone(), secret.to_string(), token, None);
                let keys = keys.map_err(|error| config(&error.to_string()))?;
                Ok(Some(Identity::Keys(keys)))
            }
            _ => Err(config("access_key_id and secret_access_key go together")),
        }
    }

    /// How TLS is spoken, where that was set.
    pub fn tls(&self) -> Result<Option<TlsConfig>, Failure> {
        self.tls.load()
    }

    /// Changes how a store that speaks HTTP is opened.
    pub fn apply(&self, identity: Option<Identity>, tls: Option<TlsConfig>, config: &mut S3Config) {
        config.identity = identity.or(config.identity.take());
        config.tls = tls.or(config.tls.take());
        self.changes.values().for_each(|change| change(config));
    }

    /// Changes how transfers are cut.
    pub fn transfer(&self, limits: TransferLimits) -> TransferLimits {
        limits.with(self.part_size_bytes, self.connections)
    }
}

/// The name of every option.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    keys::own().map(|(name, ..)| *name).chain(keys::of_s3().map(|(name, ..)| *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(key: &str) -> &'static str {
        match key {
            "endpoint" => "http://127.0.0.1:9000",
            "address_style" => "path",
            "anonymous" | "dual_stack" => "true",
            "endpoint_choice" => "round_robin",
            "tls_min_version" => "1.3",
            "request_checksum_calculation" | "response_checksum_validation" => "when_required",
            "checksum_algorithm" => "crc32c",
            "checksum_place" => "trailer",
            _ => "7",
        }
    }

    #[test]
    fn every_key_takes_what_it_says_and_nothing_else() {
        let mut settings = Settings::default();
        for key in names() {
            settings.set(key, good(key)).expect(key);
            let failure = settings.set(key, "").expect_err(key);
            assert_eq!(failure.status(), crate::status::HYD_E_INVALID);
        }
        for (key, bad) in [
            ("Endpoint", "http://x"),
            ("tries", "0"),
            ("part_size", "8MiB"),
            ("pace_lowered_to_percent", "100"),
            ("tls_min_version", "1.1"),
            ("expect_continue_bytes", "always"),
            ("idle_seconds", "-1"),
        ] {
            assert!(settings.set(key, bad).is_err(), "{key}");
        }
        assert!(matches!(settings.identity(), Ok(Some(Identity::Anonymous))));
    }

    /// Every option of S3 changes something, and each something else.
    #[test]
    fn each_key_changes_a_setting_of_its_own() {
        let config = |key| {
            let mut settings = Settings::default();
            settings.set(key, good(key)).expect(key);
            let mut config = S3Config::default();
            settings.apply(None, None, &mut config);
            format!("{config:?}")
        };
        let mut seen = vec![format!("{:?}", S3Config::default())];
        for (key, ..) in keys::of_s3() {
            let changed = config(key);
            assert!(!seen.contains(&changed), "{key}");
            seen.push(changed);
        }
    }

    #[test]
    fn a_later_value_replaces_an_earlier_one() {
        let mut settings = Settings::default();
        settings.set("tries", "2").expect("a number");
        settings.set("tries", "9").expect("a number");
        settings.set("tries", "none").expect_err("no number");
        let mut config = S3Config::default();
        settings.apply(None, None, &mut config);
        assert_eq!(config.retry.tries_max, 9);
    }

    #[test]
    fn half_a_pair_of_keys_is_told_without_the_half() {
        let mut settings = Settings::default();
        settings.set("secret_access_key", "hush").expect("a secret");
        let failure = settings.identity().expect_err("half a pair");
        assert_eq!(failure.status(), HYD_E_CONFIG);
        assert!(!format!("{failure:?}").contains("hush"), "SEC-1");
    }

    /// Every option stands in the comment that the header has of them.
    #[test]
    fn the_header_lists_every_key() {
        let header = include_str!("../../include/hydrant.h");
        for key in names() {
            assert!(header.contains(&format!(" *     {key} ")), "{key}");
        }
    }
}
