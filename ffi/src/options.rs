//! `hyd_options`: settings of a store as text.

use std::ffi::c_char;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hydrant::TransferLimits;
use hydrant::s3::S3Config;
use hydrant::s3::credentials::{Credentials, Identity, Provider};
use hydrant::s3::endpoint::AddressStyle;
use zeroize::Zeroizing;

use crate::args::c_text;
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard;
use crate::handle::{self, kind};
use crate::status::{HYD_E_CONFIG, hyd_status};

/// Settings of a store, by name.
pub struct hyd_options(());

/// What a handle of options holds.
#[derive(Default)]
pub struct Options(Mutex<Settings>);

kind!(Options, hyd_options, 5, "options");

/// What was set; the rest is as the engine and the environment have it.
#[derive(Default, Clone)]
pub struct Settings {
    endpoint: Option<String>,
    region: Option<String>,
    style: Option<AddressStyle>,
    access_key_id: Option<String>,
    secret_access_key: Option<Zeroizing<String>>,
    session_token: Option<Zeroizing<String>>,
    provider: Option<Provider>,
    anonymous: bool,
    tries: Option<u32>,
    stall: Option<Duration>,
    connections_per_core: Option<usize>,
    part_size_bytes: Option<u64>,
    connections: Option<usize>,
}

/// Reads the value of one key; the text says what it has to be.
type Set = fn(&mut Settings, &str) -> Option<()>;

/// Every key, what its value has to be, and what it sets. The header lists them.
const KEYS: &[(&str, &str, Set)] = &[
    ("endpoint", "https://host:port or http://host:port", |all, value| {
        let good = value.starts_with("http://") || value.starts_with("https://");
        good.then(|| all.endpoint = Some(value.to_owned()))
    }),
    ("region", "a name", |all, value| text(value).map(|it| all.region = Some(it))),
    ("address_style", "path or virtual_host", |all, value| {
        let style = match value {
            "path" => AddressStyle::Path,
            "virtual_host" => AddressStyle::VirtualHost,
            _ => return None,
        };
        all.style = Some(style);
        Some(())
    }),
    ("access_key_id", "a key", |all, value| text(value).map(|it| all.access_key_id = Some(it))),
    ("secret_access_key", "a secret", |all, value| {
        text(value).map(|it| all.secret_access_key = Some(Zeroizing::new(it)))
    }),
    ("session_token", "a token", |all, value| {
        text(value).map(|it| all.session_token = Some(Zeroizing::new(it)))
    }),
    ("anonymous", "true or false", |all, value| value.parse().ok().map(|it| all.anonymous = it)),
    ("tries", "a number from 1", |all, value| number(value).map(|it| all.tries = Some(it))),
    ("stall_seconds", "a number from 1", |all, value| {
        number(value).map(|it| all.stall = Some(Duration::from_secs(it.into())))
    }),
    ("connections_per_core", "a number from 1", |all, value| {
        number(value).map(|it| all.connections_per_core = Some(it as usize))
    }),
    ("part_size", "bytes, a number from 1", |all, value| {
        number(value).map(|it| all.part_size_bytes = Some(it.into()))
    }),
    ("connections", "a number from 1", |all, value| {
        number(value).map(|it| all.connections = Some(it as usize))
    }),
];

fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn number(value: &str) -> Option<u32> {
    value.parse().ok().filter(|&number| number > 0)
}

impl Options {
    /// What was set so far.
    pub fn settings(&self) -> Settings {
        self.lock().clone()
    }

    /// Sets who provides credentials.
    pub fn set_provider(&self, provider: Provider) {
        self.lock().provider = Some(provider);
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Settings {
    fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        let Some((_, expected, set)) = KEYS.iter().find(|(name, ..)| *name == key) else {
            let known: Vec<&str> = KEYS.iter().map(|(name, ..)| *name).collect();
            let message = format!("there is no option {key:?}; there are {}", known.join(", "));
            return Err(Failure::invalid(message));
        };
        // The value may be a secret, and is not repeated (SEC-1).
        let bad = || Failure::invalid(format!("the value of option {key} has to be {expected}"));
        set(self, value).ok_or_else(bad)
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

    /// Changes how a store of S3 is opened.
    pub fn apply(&self, identity: Option<Identity>, config: &mut S3Config) {
        let endpoint = &mut config.endpoint;
        endpoint.url = self.endpoint.clone().or(endpoint.url.take());
        endpoint.region = self.region.clone().or(endpoint.region.take());
        endpoint.style = self.style.or(endpoint.style);
        config.identity = identity.or(config.identity.take());
        config.retry.tries_max = self.tries.unwrap_or(config.retry.tries_max);
        let http = &mut config.http;
        http.stall = self.stall.unwrap_or(http.stall);
        http.connections_per_core_max =
            self.connections_per_core.unwrap_or(http.connections_per_core_max);
    }

    /// Changes how transfers are cut.
    pub fn transfer(&self, limits: TransferLimits) -> TransferLimits {
        limits.with(self.part_size_bytes, self.connections)
    }
}

/// No options yet; the caller frees them. NULL when there are too many.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_options_new() -> *mut hyd_options {
    let mut options = std::ptr::null_mut();
    guard::entry(ErrorOut::NONE, |_| {
        options = handle::give(Arc::<Options>::default())?;
        Ok(())
    });
    options
}

/// Sets one option; both texts end with a NUL. A later value replaces an earlier one.
///
///     endpoint              https://host:port         instead of AWS_ENDPOINT_URL; http:// is plain
///     region                a name                    instead of AWS_REGION
///     address_style         path or virtual_host
///     access_key_id         with secret_access_key, and session_token where the keys are temporary;
///     secret_access_key     instead of those in the environment
///     session_token
///     anonymous             true or false             no request is signed
///     tries                 of one request, from 1
///     stall_seconds         in which no byte moves before a connection is given up
///     connections_per_core  open at once, from 1
///     part_size             bytes of a part of a transfer
///     connections           parts of one transfer under way at once
///
/// All but the last two are of S3, and have no effect on other stores.
///
/// Errors: HYD_E_INVALID for a key that is none, or a value that it cannot have; the message never
/// repeats the value.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_options_set(
    options: *mut hyd_options,
    key: *const c_char,
    value: *const c_char,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |_| {
        let options = handle::get::<Options>(options)?;
        // SAFETY: OWN-3. The caller lends both texts for the time of the call.
        let (key, value) = unsafe { (c_text(key, "key")?, c_text(value, "value")?) };
        options.lock().set(key, value)
    })
}

/// Frees options, and wipes the secrets among them; NULL is fine. Stores that were opened with them
/// keep what they took.
///
/// Errors: HYD_E_HANDLE when they were freed before; HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_options_free(options: *mut hyd_options) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Options>(options).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_takes_what_it_says_and_nothing_else() {
        let good = |key: &str| match key {
            "endpoint" => "http://127.0.0.1:9000",
            "address_style" => "path",
            "anonymous" => "true",
            _ => "7",
        };
        let mut settings = Settings::default();
        for (key, ..) in KEYS {
            settings.set(key, good(key)).expect(key);
            let failure = settings.set(key, "").expect_err(key);
            assert_eq!(failure.status(), crate::status::HYD_E_INVALID);
        }
        assert!(settings.set("Endpoint", "http://x").is_err());
        assert!(settings.set("tries", "0").is_err());
        assert!(settings.set("part_size", "8MiB").is_err());
        assert!(matches!(settings.identity(), Ok(Some(Identity::Anonymous))));
    }

    #[test]
    fn half_a_pair_of_keys_is_told_without_the_half() {
        let mut settings = Settings::default();
        settings.set("secret_access_key", "hush").expect("a secret");
        let failure = settings.identity().expect_err("half a pair");
        assert_eq!(failure.status(), HYD_E_CONFIG);
        assert!(!format!("{failure:?}").contains("hush"), "SEC-1");
    }
}
