//! What was set of the options, and what that changes when a store is opened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hydrant::TransferLimits;
use hydrant::engine::TlsConfigBuilder;
use hydrant::s3::credentials::{Credentials, CredentialsLimits, Identity, Provider};
use hydrant::s3::{ChecksumPlace, ChecksumPolicy, S3Config, SentChecksum};
use zeroize::Zeroizing;

use super::keys;
use super::tls::Tls;
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
    provider: Option<Provider>,
    pub(super) anonymous: bool,
    /// How long all takes that gives new credentials.
    refresh: Option<Duration>,
    pub(super) tls: Tls,
    pub(super) part_size_bytes: Option<u64>,
    pub(super) connections: Option<usize>,
    /// The folder beneath which all keys of a store of files lead.
    pub root: Option<String>,
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

    /// Sets who provides credentials, in the time that was set or will be.
    pub(super) fn set_provider(&mut self, provider: Provider) {
        self.provider = Some(provider);
        self.refresh.into_iter().for_each(|limit| self.set_refresh(limit));
    }

    pub(super) fn set_refresh(&mut self, limit: Duration) {
        self.refresh = Some(limit);
        let mut limits = CredentialsLimits::default();
        limits.refresh = limit;
        self.provider = self.provider.as_ref().map(|provider| provider.with_limits(limits));
    }

    /// Refuses what was set where one of it would have no effect beside the other.
    ///
    /// # Errors
    /// `CONFIG`
    pub fn check(&self) -> Result<(), Failure> {
        let mut config = S3Config::default();
        self.changes.values().for_each(|change| change(&mut config));
        let has = |name| self.changes.contains_key(name);
        let is_off = config.checksums.requests == Some(ChecksumPolicy::Off);
        let is_md5 = config.checksums.sent == SentChecksum::ContentMd5;
        let longer = |name: &'static str, most: &'static str, is_longer| {
            let text = format!("{name} is more than {most}, which would end it");
            (is_longer && (has(name) || has(most)), text)
        };
        let (retry, left_alone) = (&config.retry, &config.endpoints);
        let late = &config.first_byte;
        let contradictions = [
            (
                self.anonymous && (self.names_keys() || self.provider.is_some()),
                "anonymous, and keys or a function that provides them".to_owned(),
            ),
            (
                config.endpoint.url.is_some() && config.endpoint.dual_stack == Some(true),
                "dual_stack is of AWS's own names, and an endpoint is set".to_owned(),
            ),
            (
                config.endpoint.url.is_some() && config.endpoint.fips == Some(true),
                "fips is of AWS's own names, and an endpoint is set".to_owned(),
            ),
            (
                is_off && (has("checksum_algorithm") || has("checksum_place")),
                "request_checksum_calculation is off, and says how it is done".to_owned(),
            ),
            (
                is_md5 && config.checksums.place != ChecksumPlace::Head,
                "checksum_algorithm md5 stands in the head, and in no trailer".to_owned(),
            ),
            longer("retry_wait_ms", "retry_wait_max_ms", retry.base > retry.wait_max),
            longer(
                "retry_throttled_wait_ms",
                "retry_wait_max_ms",
                retry.base_throttled > retry.wait_max,
            ),
            longer(
                "endpoint_left_alone_seconds",
                "endpoint_left_alone_max_seconds",
                left_alone.left_alone > left_alone.left_alone_max,
            ),
            longer(
                "first_byte_least_ms",
                "first_byte_most_ms",
                !late.most.is_zero() && late.least > late.most,
            ),
        ];
        match contradictions.into_iter().find(|(is_one, _)| *is_one) {
            Some((_, text)) => Err(Failure::new(HYD_E_CONFIG, format!("options: {text}"))),
            None => Ok(()),
        }
    }

    /// Whether a server of S3 was named.
    pub fn names_endpoint(&self) -> bool {
        self.changes.contains_key("endpoint")
    }

    fn names_keys(&self) -> bool {
        let (id, secret) = (&self.access_key_id, &self.secret_access_key);
        id.is_some() || secret.is_some() || self.session_token.is_some()
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
    pub fn tls(&self) -> Result<Option<TlsConfigBuilder>, Failure> {
        self.tls.load()
    }

    /// Changes how a store that speaks HTTP is opened.
    pub fn apply(
        &self,
        identity: Option<Identity>,
        tls: Option<TlsConfigBuilder>,
        config: &mut S3Config,
    ) {
        config.identity = identity.or(config.identity.take());
        if tls.is_some() {
            (config.tls, config.tls_settings) = (None, tls);
        }
        config.credentials.refresh = self.refresh.unwrap_or(config.credentials.refresh);
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
            "anonymous" | "dual_stack" | "fips" => "true",
            "endpoint_choice" => "round_robin",
            "tls_min_version" => "1.3",
            "request_checksum_calculation" | "response_checksum_validation" => "when_required",
            "checksum_algorithm" => "crc32c",
            "checksum_place" => "trailer",
            "payload_signing" => "signed",
            "request_head_bytes" | "answer_head_bytes" => "4096",
            "server_copy_part_size" => "5242880",
            "ca_pem" | "client_certificate_pem" | "client_key_pem" => "-----BEGIN IT-----",
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
            ("first_byte_learnt_percent", "101"),
            ("first_byte_most_ms", "0"),
            ("payload_signing", "true"),
            ("request_head_bytes", "7"),
            ("answer_head_bytes", "1048577"),
            ("tls_min_version", "1.1"),
            ("expect_continue_bytes", "always"),
            ("idle_seconds", "-1"),
            ("endpoint", "ftp://host"),
            ("endpoint", "http://"),
            ("endpoint", "http://a:70000"),
            ("endpoint", "https://a,http://b"),
            ("region", "eu central"),
            ("connections", "1025"),
            ("server_copy_part_size", "1"),
            ("client_key_pem", "/path/of/a/key"),
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

    /// Each pair is refused, and each half of it is not.
    #[test]
    fn what_would_have_no_effect_beside_another_is_refused() {
        for (one, other) in [
            (("anonymous", "true"), ("access_key_id", "id")),
            (("endpoint", "http://a"), ("dual_stack", "true")),
            (("endpoint", "http://a"), ("fips", "true")),
            (("request_checksum_calculation", "off"), ("checksum_algorithm", "crc32")),
            (("request_checksum_calculation", "off"), ("checksum_place", "trailer")),
            (("checksum_algorithm", "md5"), ("checksum_place", "trailer")),
            (("retry_wait_ms", "30"), ("retry_wait_max_ms", "20")),
            (("retry_throttled_wait_ms", "30"), ("retry_wait_max_ms", "20")),
            (("endpoint_left_alone_seconds", "99"), ("endpoint_left_alone_max_seconds", "98")),
            (("first_byte_least_ms", "4000"), ("first_byte_most_ms", "3000")),
        ] {
            let set = |pairs: &[(&str, &str)]| {
                let mut settings = Settings::default();
                pairs.iter().for_each(|(key, value)| settings.set(key, value).expect(key));
                settings.check()
            };
            assert!(set(&[one]).is_ok() || one.0.ends_with("seconds"), "{one:?}");
            let failure = set(&[one, other]).expect_err(one.0);
            assert_eq!(failure.status(), HYD_E_CONFIG);
        }
    }

    #[test]
    fn the_time_for_new_credentials_is_set_before_and_behind_a_provider() {
        let provider = || Provider::new(|| Credentials::new("id", "secret", None, None));
        let limit = |settings: &Settings| {
            let mut config = S3Config::default();
            settings.apply(None, None, &mut config);
            config.credentials.refresh
        };
        let mut settings = Settings::default();
        let first = provider();
        settings.set_provider(first.clone());
        assert_eq!(settings.provider.as_ref(), Some(&first), "nothing to change of it");
        settings.set("credentials_refresh_seconds", "7").expect("seconds");
        assert_ne!(settings.provider.as_ref(), Some(&first));
        let second = provider();
        settings.set_provider(second.clone());
        assert_ne!(settings.provider.as_ref(), Some(&second));
        assert_eq!(limit(&settings), Duration::from_secs(7));
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
