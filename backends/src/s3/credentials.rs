//! Who signs: an access key pair, perhaps for a limited time, or nobody; and where such pairs come from.
//!
//! The sources are asked in the order of the AWS common runtime, each as pure logic over `outside`
//! (SANS-1); `provider` and `io` do what that asks for. Secrets are wiped when dropped and appear in
//! no `Debug` and no error (SEC-1).

mod answer;
mod cache;
mod chain;
mod environment;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod io;
mod outside;
mod plan;
pub mod profile;
mod provider;
#[cfg(test)]
mod script;
mod services;
mod sso;
mod sts;

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::time::Timestamp;
use answer::printable_without;
pub(super) use cache::Held;
pub(super) use chain::{Chain, parse as parse_profiles, unreadable};
pub(super) use environment::Environment;
pub(super) use io::read_if_there;
pub use provider::{CredentialsProvider, Provider};

/// Credentials are asked for anew this long before they expire, in seconds; in the middle of a life
/// that is shorter than twice that.
pub const REFRESH_AHEAD_S: u64 = 300;
/// Credentials are no longer used this long before they expire, in seconds: a request needs time to
/// arrive.
pub const UNUSABLE_AHEAD_S: u64 = 5;

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// How requests of a store are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Requests are not signed: public buckets.
    Anonymous,
    /// Requests are signed with these credentials.
    Keys(Credentials),
    /// Each attempt is signed with what this holds then, which is renewed ahead of its end.
    Provider(Provider),
}

/// What asking for credentials may cost (LIMIT-1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialsLimits {
    /// One request to the token service or the service of a container, the look-up of its name and
    /// the connection included. Default 5 s.
    pub request: Duration,
    /// One request to the metadata service of an instance. Default 1 s: where there is none, nobody
    /// refuses, and each command would wait for it. `AWS_METADATA_SERVICE_TIMEOUT`, in seconds, is
    /// heard instead where it is set.
    pub metadata_request: Duration,
    /// Tries of one request. Default 3. `AWS_METADATA_SERVICE_NUM_ATTEMPTS` is heard instead for the
    /// metadata service, where it is set.
    pub tries_max: u32,
    /// A `credential_process`. Default 60 s: some ask their user.
    pub process: Duration,
    /// A whole refresh. Default 120 s.
    pub refresh: Duration,
    /// Bytes of an answer, or of what a command writes. Default 64 KiB.
    pub answer_bytes_max: usize,
}

impl Default for CredentialsLimits {
    fn default() -> CredentialsLimits {
        CredentialsLimits {
            request: Duration::from_secs(5),
            metadata_request: Duration::from_secs(1),
            tries_max: 3,
            process: Duration::from_secs(60),
            refresh: Duration::from_secs(120),
            answer_bytes_max: 64 << 10,
        }
    }
}

/// An access key pair, with a session token where it is temporary.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    expires_at: Option<Timestamp>,
}

impl Credentials {
    /// A key pair. Every part goes into a header, so empty values, spaces and control characters
    /// are refused.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
        expires_at: Option<Timestamp>,
    ) -> Result<Credentials, CredentialsError> {
        let credentials = Credentials {
            access_key_id: access_key_id.into(),
            secret_access_key: Zeroizing::new(secret_access_key.into()),
            session_token: session_token.map(Zeroizing::new),
            expires_at,
        };
        check("access key id", &credentials.access_key_id)?;
        check("secret access key", &credentials.secret_access_key)?;
        if let Some(token) = &credentials.session_token {
            check("session token", token)?;
        }
        Ok(credentials)
    }

    /// Reads `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` through `lookup`.
    ///
    /// An empty variable counts as unset. Neither key set is `None`; one without the other is an
    /// error that names the missing one, because falling through to another source would use the
    /// wrong account.
    pub fn from_env(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Credentials>, CredentialsError> {
        let set = |name| lookup(name).filter(|value| !value.is_empty());
        let secret = set(SECRET_ACCESS_KEY).map(Zeroizing::new);
        match (set(ACCESS_KEY_ID), secret) {
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(CredentialsError::HalfSet { set: ACCESS_KEY_ID, missing: SECRET_ACCESS_KEY })
            }
            (None, Some(_)) => {
                Err(CredentialsError::HalfSet { set: SECRET_ACCESS_KEY, missing: ACCESS_KEY_ID })
            }
            (Some(id), Some(mut secret)) => {
                let secret = std::mem::take(&mut *secret);
                Credentials::new(id, secret, set(SESSION_TOKEN), None).map(Some)
            }
        }
    }

    /// The public half of the pair, as sent in the `authorization` header.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The token of temporary credentials: the value of `x-amz-security-token`. It is a secret.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|token| token.as_str())
    }

    /// When the credentials end, where that is known.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    pub(crate) fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &"<redacted>")
            .field("session_token", &self.session_token.as_ref().map(|_| "<redacted>"))
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// What is wrong with credentials. No message carries their value (SEC-1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// One variable of the pair is set, the other is not.
    #[error("{set} is set but {missing} is not; set both, or unset both to use another source")]
    HalfSet {
        /// The variable that is set.
        set: &'static str,
        /// The variable that is missing.
        missing: &'static str,
    },
    /// A part is empty.
    #[error("the {part} is empty")]
    Empty {
        /// Which part of the credentials.
        part: &'static str,
    },
    /// A part holds a character that no header may carry, often a newline from a file.
    #[error(
        "the {part} holds a space, a control or a non-ASCII character at byte {at}; \
         a newline copied from a file is the usual cause"
    )]
    Character {
        /// Which part of the credentials.
        part: &'static str,
        /// The position of the first such character, in bytes.
        at: usize,
    },
    /// No source has any.
    #[error(
        "there are no credentials: none in the environment (AWS_ACCESS_KEY_ID), in profile {profile} \
         (AWS_PROFILE), by web identity (AWS_WEB_IDENTITY_TOKEN_FILE), of a container; instance \
         metadata: {instance}; set one up, or ask for unsigned requests where the bucket is public"
    )]
    NoSource {
        /// The profile that was looked for.
        profile: String,
        /// Why the metadata service of the instance gave none.
        instance: String,
    },
    /// A profile that cannot be followed.
    #[error("profile {name}: {problem}")]
    Profile {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting that makes no sense.
    #[error("{name}: {problem}")]
    Setting {
        /// The environment variable, or what it is about.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that is needed and cannot be read.
    #[error("{path}: {problem}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A source that is not spoken here.
    #[error("{what} is not supported; {way_out}")]
    Unsupported {
        /// What was set up.
        what: String,
        /// What to do instead.
        way_out: &'static str,
    },
    /// A source that is set up did not give any.
    #[error("{source_name} gives no credentials: {problem}")]
    Source {
        /// Which source.
        source_name: String,
        /// What it answered, or why it did not.
        problem: String,
    },
    /// A provider of the program's own did not give any.
    #[error("the program's own provider gives no credentials: {problem}")]
    Provider {
        /// What it said.
        problem: String,
    },
}

impl CredentialsError {
    /// What a [`CredentialsProvider`] says when it has none. The text is shown to people: it must hold
    /// no secret.
    pub fn provider(problem: impl Into<String>) -> CredentialsError {
        CredentialsError::Provider { problem: problem.into() }
    }
}

fn check(part: &'static str, value: &str) -> Result<(), CredentialsError> {
    if value.is_empty() {
        return Err(CredentialsError::Empty { part });
    }
    match value.bytes().position(|byte| !byte.is_ascii_graphic()) {
        Some(at) => Err(CredentialsError::Character { part, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const TOKEN: &str = "FwoGZXIvYXdzEXAMPLETOKEN==";

    fn env<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |wanted| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_string())
    }

    fn sample() -> Credentials {
        Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, Some(TOKEN.into()), None).unwrap()
    }

    #[test]
    fn the_environment_gives_a_pair_with_or_without_a_token() {
        let pair = [(ACCESS_KEY_ID, "AKID"), (SECRET_ACCESS_KEY, SECRET), (SESSION_TOKEN, "")];
        let found = Credentials::from_env(env(&pair)).unwrap().unwrap();
        assert_eq!(found.access_key_id(), "AKID");
        assert_eq!(found.secret_access_key(), SECRET);
        assert_eq!(found.session_token(), None);

        let pair = [(ACCESS_KEY_ID, "AKID"), (SECRET_ACCESS_KEY, SECRET), (SESSION_TOKEN, TOKEN)];
        let found = Credentials::from_env(env(&pair)).unwrap().unwrap();
        assert_eq!(found.session_token(), Some(TOKEN));
    }

    #[test]
    fn an_empty_environment_has_no_credentials() {
        assert_eq!(Credentials::from_env(env(&[])), Ok(None));
        let empty = [(ACCESS_KEY_ID, ""), (SECRET_ACCESS_KEY, "")];
        assert_eq!(Credentials::from_env(env(&empty)), Ok(None));
    }

    #[test]
    fn a_half_set_pair_names_what_is_missing() {
        let error = Credentials::from_env(env(&[(ACCESS_KEY_ID, "AKID")])).unwrap_err();
        assert!(error.to_string().contains("AWS_SECRET_ACCESS_KEY is not"), "{error}");
        let error = Credentials::from_env(env(&[(SECRET_ACCESS_KEY, SECRET)])).unwrap_err();
        assert!(error.to_string().contains("AWS_ACCESS_KEY_ID is not"), "{error}");
        assert!(!error.to_string().contains(SECRET));
    }

    #[test]
    fn values_that_no_header_may_carry_are_refused_without_showing_them() {
        let broken = format!("{SECRET}\n");
        let error = Credentials::new("AKID", broken, None, None).unwrap_err();
        assert_eq!(
            error,
            CredentialsError::Character { part: "secret access key", at: SECRET.len() }
        );
        assert!(!format!("{error} {error:?}").contains("wJalr"));
        assert!(Credentials::new("AK ID", SECRET, None, None).is_err());
        assert!(Credentials::new("", SECRET, None, None).is_err());
        assert!(Credentials::new("AKID", SECRET, Some("a\r\nb".into()), None).is_err());
    }

    /// SEC-1
    #[test]
    fn debug_shows_neither_secret_nor_token() {
        for text in [
            format!("{:?}", sample()),
            format!("{:#?}", sample()),
            format!("{:?}", Identity::Keys(sample())),
        ] {
            assert!(!text.contains(SECRET) && !text.contains("wJalr"), "{text}");
            assert!(!text.contains(TOKEN) && !text.contains("FwoGZX"), "{text}");
            assert!(text.contains("AKIAIOSFODNN7EXAMPLE"), "{text}");
        }
    }
}
