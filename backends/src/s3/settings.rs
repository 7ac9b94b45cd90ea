//! What a store takes from the environment and the files of profiles, where its settings are silent.

use std::sync::OnceLock;

use super::credentials::profile::Profiles;
use super::credentials::{
    Chain, Credentials, CredentialsError, Environment, Identity, Provider, parse_profiles,
    read_if_there, unreadable,
};
use super::endpoint::{EndpointOptions, says};
use super::store::S3Config;
use crate::error::{ErrorKind, Result};

/// Looks up an environment variable.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The sources of credentials of all stores that share their settings: those that may ask the metadata
/// service of the instance, and the others.
#[derive(Debug, Default)]
pub(super) struct Sources([OnceLock<Provider>; 2]);

/// The environment and the profiles, as they are now.
pub(super) struct Settings {
    env: Environment,
    from_env: EndpointOptions,
    profiles: Profiles,
}

impl Settings {
    /// Reads both. The files are left alone where nothing is to be taken from them.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub(super) fn read(config: &S3Config, env: Lookup<'_>) -> Result<Settings> {
        let from_env = EndpointOptions::from_env(env);
        let own = &config.endpoint;
        let is_said = (own.url.is_some() || from_env.url.is_some())
            && (own.region.is_some() || from_env.region.is_some())
            && (config.identity.is_some()
                || config.profile.is_none() && Credentials::from_env(env) != Ok(None));
        let env = Environment::read(env);
        let profiles = if is_said { Ok(Profiles::default()) } else { profiles(&env) };
        Ok(Settings { env, from_env, profiles: profiles.map_err(ErrorKind::Credentials)? })
    }

    /// The server: as set, else as the environment has it, else as the profile does.
    pub(super) fn endpoint(&self, own: &EndpointOptions) -> EndpointOptions {
        let name = self.env.profile();
        let ignored = self.env.says("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        let of_profile = self.profiles.endpoint_url(name, "s3").filter(|_| !ignored);
        let profile = self.profiles.get(name);
        let region = profile.and_then(|profile| profile.get("region"));
        let switch = |name: &str| profile.and_then(|profile| says(profile.get(name)?));
        let or = |own: &Option<String>, env: &Option<String>, profile: Option<&str>| {
            own.clone().or_else(|| env.clone()).or_else(|| profile.map(str::to_owned))
        };
        EndpointOptions {
            url: or(&own.url, &self.from_env.url, of_profile),
            region: or(&own.region, &self.from_env.region, region),
            style: own.style,
            dual_stack: own
                .dual_stack
                .or(self.from_env.dual_stack)
                .or_else(|| switch("use_dualstack_endpoint")),
            fips: own.fips.or(self.from_env.fips).or_else(|| switch("use_fips_endpoint")),
        }
    }

    /// Who signs where the settings do not say it.
    ///
    /// The metadata service of the instance is asked for AWS alone, or where the environment names
    /// it: elsewhere its keys are good for nothing, and waiting for it takes seconds.
    ///
    /// # Errors
    /// Half a pair of keys in the environment.
    pub(super) fn identity(
        self,
        config: &S3Config,
        is_amazon: bool,
        env: Lookup<'_>,
    ) -> Result<Identity> {
        let profile_first = config.profile.is_some();
        if !profile_first
            && let Some(keys) = Credentials::from_env(env).map_err(ErrorKind::Credentials)?
        {
            return Ok(Identity::Keys(keys));
        }
        let asks_instance = is_amazon
            || self.env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").is_some()
            || self.env.says("AWS_EC2_METADATA_DISABLED", "false");
        let limits = config.credentials.clone();
        let chain = Chain { env: self.env, limits, asks_instance, profile_first };
        if !asks_instance && !chain.is_set_up(&self.profiles) {
            return Ok(Identity::Anonymous);
        }
        let shared = &config.sources.0[usize::from(asks_instance)];
        let provider = shared.get_or_init(|| {
            #[cfg(feature = "tls")]
            {
                let ca_bundle = env(super::tls::CA_BUNDLE);
                let (given, settings) = (config.tls.clone(), config.tls_settings.clone());
                let tls = super::tls::TlsSource { given, settings, ca_bundle };
                Provider::of_chain(chain, tls)
            }
            #[cfg(not(feature = "tls"))]
            Provider::of_chain(chain)
        });
        Ok(Identity::Provider(provider.clone()))
    }
}

/// A variable where a profile was asked for, whose name the environment does not say then.
pub(super) fn with_profile(profile: &str, name: &str, env: Lookup<'_>) -> Option<String> {
    if name == "AWS_PROFILE" { Some(profile.to_owned()) } else { env(name) }
}

fn profiles(env: &Environment) -> Result<Profiles, CredentialsError> {
    let [config, credentials] = env.profile_files();
    let read = |path: &Option<String>| match path {
        None => Ok(Default::default()),
        Some(path) => read_if_there(path).map_err(|problem| unreadable(path, &problem)),
    };
    parse_profiles(&read(&config)?, &read(&credentials)?, &config, &credentials)
}
