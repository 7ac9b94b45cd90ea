//! The environment variables that say where credentials are, as they were when a store was opened.

use std::fmt;

use zeroize::Zeroizing;

/// Every variable that a source of credentials looks at.
const NAMES: [&str; 28] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "HOME",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_METADATA_SERVICE_TIMEOUT",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
];

/// What was set. Its `Debug` shows names and no values (SEC-1).
#[derive(Clone, Default)]
pub(in crate::s3) struct Environment(Vec<(&'static str, Zeroizing<String>)>);

impl Environment {
    /// Asks for every variable; one that is blank counts as unset.
    pub(in crate::s3) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Environment {
        let set = |name: &'static str| {
            let value = Zeroizing::new(lookup(name)?);
            (!value.trim().is_empty()).then_some((name, value))
        };
        Environment(NAMES.into_iter().filter_map(set).collect())
    }

    /// The value of a variable.
    pub(in crate::s3) fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(NAMES.contains(&name), "{name} was not read");
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a variable says `true`.
    pub(in crate::s3) fn says(&self, name: &str, word: &str) -> bool {
        self.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    }

    /// The name of the profile.
    pub(in crate::s3) fn profile(&self) -> &str {
        self.get("AWS_PROFILE").unwrap_or("default")
    }

    /// Where the two files of profiles are; none without a home.
    pub(in crate::s3) fn profile_files(&self) -> [Option<String>; 2] {
        [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")].map(
            |(name, file)| {
                let home = self.get("HOME").map(|home| home.trim_end_matches('/'));
                match self.get(name) {
                    None => home.map(|home| format!("{home}/.aws/{file}")),
                    Some(path) => match (path.strip_prefix("~/"), home) {
                        (Some(rest), Some(home)) => Some(format!("{home}/{rest}")),
                        _ => Some(path.to_owned()),
                    },
                }
            },
        )
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
