//! What a profile asks for: keys that it holds, or a source, and the roles to assume with them.

use super::profile::{Profiles, Properties};
use super::{Credentials, CredentialsError};

/// Profiles that may name each other in a row (LIMIT-1).
pub const SOURCE_PROFILES_MAX: usize = 16;

/// Where the first credentials come from, and the roles to assume one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) base: Base,
    /// The first is assumed with the base, the next with what the one before gave.
    pub(super) roles: Vec<Role>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Keys(Credentials),
    /// A command line whose output is a document with keys.
    Process(String),
    WebIdentity(WebIdentity),
    Sso(SignIn),
    Environment,
    Container,
    InstanceMetadata,
}

/// A role to assume with credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) duration_s: Option<u32>,
}

/// A role to assume with a token from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebIdentity {
    pub(super) token_file: String,
    pub(super) role_arn: String,
    pub(super) session_name: Option<String>,
}

/// A sign-in with a browser, and the role to ask for with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignIn {
    /// The profile that asks for it.
    pub(super) profile: String,
    /// The `[sso-session]` that it is of; the older form of profiles has none.
    pub(super) session: Option<String>,
    pub(super) start_url: String,
    /// The region of both services.
    pub(super) region: String,
    pub(super) account_id: String,
    pub(super) role_name: String,
}

/// What the profile of a name asks for; `None` where there is no such profile, or nothing in it that
/// is about credentials.
///
/// # Errors
/// Half a pair of keys, a role without a source, profiles that name each other in a circle, sources
/// that are not spoken here.
pub(super) fn plan(profiles: &Profiles, selected: &str) -> Result<Option<Plan>, CredentialsError> {
    let mut seen: Vec<&str> = Vec::new();
    let mut roles = Vec::new();
    let mut name = selected;
    loop {
        let wrong = |problem: String| CredentialsError::Profile { name: name.to_owned(), problem };
        let Some(profile) = profiles.get(name) else {
            if seen.is_empty() {
                return Ok(None);
            }
            return Err(wrong("it is named as a source_profile, and is not there".into()));
        };
        if seen.contains(&name) || seen.len() >= SOURCE_PROFILES_MAX {
            return Err(wrong(format!(
                "profiles name each other without end: {}",
                seen.join(", ")
            )));
        }
        seen.push(name);
        let is_source = seen.len() > 1;
        // A source that has keys of its own is the end, whatever else it says.
        if is_source && let Some(keys) = keys_of(name, profile)? {
            return Ok(Some(finished(Base::Keys(keys), roles)));
        }
        let Some(role_arn) = profile.get("role_arn").filter(|_| web_identity(profile).is_none())
        else {
            let base = base(name, profile, profiles)?;
            if base.is_none() && is_source {
                return Err(wrong(
                    "it is named as a source_profile, and has no credentials".into(),
                ));
            }
            return Ok(base.map(|base| finished(base, roles)));
        };
        roles.push(role(name, profile, role_arn)?);
        match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(_), Some(_)) => {
                return Err(wrong("it has both source_profile and credential_source".into()));
            }
            (None, None) => {
                return Err(wrong(
                    "its role_arn needs a source_profile or credential_source".into(),
                ));
            }
            (Some(source), None) if source != name => name = source,
            (Some(_), None) | (None, Some(_)) => {
                let base = base(name, profile, profiles)?;
                let base =
                    base.ok_or_else(|| wrong("it has no keys to assume a role with".into()))?;
                return Ok(Some(finished(base, roles)));
            }
        }
    }
}

fn finished(base: Base, mut roles: Vec<Role>) -> Plan {
    roles.reverse();
    Plan { base, roles }
}

fn base(
    name: &str,
    profile: &Properties,
    profiles: &Profiles,
) -> Result<Option<Base>, CredentialsError> {
    let wrong = |problem: &str| CredentialsError::Profile {
        name: name.to_owned(),
        problem: problem.to_owned(),
    };
    if let Some(source) = profile.get("credential_source") {
        return match source {
            "Environment" => Ok(Some(Base::Environment)),
            "EcsContainer" => Ok(Some(Base::Container)),
            "Ec2InstanceMetadata" => Ok(Some(Base::InstanceMetadata)),
            _ => Err(wrong(
                "its credential_source is none of Environment, EcsContainer, Ec2InstanceMetadata",
            )),
        };
    }
    if let Some(token_file) = web_identity(profile) {
        let Some(role_arn) = profile.get("role_arn") else {
            return Err(wrong("its web_identity_token_file needs a role_arn"));
        };
        return Ok(Some(Base::WebIdentity(WebIdentity {
            token_file: token_file.to_owned(),
            role_arn: role_arn.to_owned(),
            session_name: profile.get("role_session_name").map(str::to_owned),
        })));
    }
    if let Some(keys) = keys_of(name, profile)? {
        return Ok(Some(Base::Keys(keys)));
    }
    if let Some(command) = profile.get("credential_process") {
        return Ok(Some(Base::Process(command.to_owned())));
    }
    if let Some(sign_in) = sign_in(name, profile, profiles)? {
        return Ok(Some(Base::Sso(sign_in)));
    }
    if profile.get("login_session").is_some() {
        return Err(CredentialsError::Unsupported {
            what: format!("login_session of profile {name}"),
            way_out: "use credential_process (`aws configure export-credentials --format process`), \
                      or hand in a provider of your own",
        });
    }
    Ok(None)
}

fn role(name: &str, profile: &Properties, arn: &str) -> Result<Role, CredentialsError> {
    if profile.get("mfa_serial").is_some() {
        return Err(CredentialsError::Unsupported {
            what: format!("mfa_serial of profile {name}"),
            way_out: "there is nobody to ask for a code; use credential_process, or hand in a \
                      provider of your own",
        });
    }
    let duration_s = match profile.get("duration_seconds") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| CredentialsError::Profile {
            name: name.to_owned(),
            problem: "its duration_seconds is no number of seconds".into(),
        })?),
    };
    Ok(Role {
        arn: arn.to_owned(),
        session_name: profile.get("role_session_name").map(str::to_owned),
        external_id: profile.get("external_id").map(str::to_owned),
        duration_s,
    })
}

fn sign_in(
    name: &str,
    profile: &Properties,
    profiles: &Profiles,
) -> Result<Option<SignIn>, CredentialsError> {
    let own = ["sso_session", "sso_account_id", "sso_role_name", "sso_start_url"];
    if own.into_iter().all(|property| profile.get(property).is_none()) {
        return Ok(None);
    }
    let wrong = |problem: String| CredentialsError::Profile { name: name.to_owned(), problem };
    let session_name = profile.get("sso_session");
    let session = match session_name {
        None => None,
        Some(session) => Some(profiles.sso_session(session).ok_or_else(|| {
            wrong(format!("its sso_session {session} is no [sso-session {session}] of the file"))
        })?),
    };
    // What both say must be the same.
    let shared = |property: &str| {
        let Some(session) = session else {
            let found = profile.get(property);
            return found.ok_or_else(|| wrong(format!("its sign-in (SSO) needs {property}")));
        };
        let found = session.get(property);
        let found = found.ok_or_else(|| wrong(format!("its sso_session has no {property}")))?;
        match profile.get(property) {
            Some(other) if other != found => {
                Err(wrong(format!("it and its sso_session each have a {property} of their own")))
            }
            _ => Ok(found),
        }
    };
    let role = |property: &str| {
        let found = profile.get(property);
        found.ok_or_else(|| wrong(format!("its sign-in (SSO) needs {property}")))
    };
    Ok(Some(SignIn {
        profile: name.to_owned(),
        session: session_name.map(str::to_owned),
        start_url: shared("sso_start_url")?.to_owned(),
        region: shared("sso_region")?.to_owned(),
        account_id: role("sso_account_id")?.to_owned(),
        role_name: role("sso_role_name")?.to_owned(),
    }))
}

fn web_identity(profile: &Properties) -> Option<&str> {
    profile.get("web_identity_token_file")
}

fn keys_of(name: &str, profile: &Properties) -> Result<Option<Credentials>, CredentialsError> {
    let half = |set: &str, missing: &str| CredentialsError::Profile {
        name: name.to_owned(),
        problem: format!("it has {set} and no {missing}"),
    };
    match (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(half("aws_access_key_id", "aws_secret_access_key")),
        (None, Some(_)) => Err(half("aws_secret_access_key", "aws_access_key_id")),
        (Some(id), Some(secret)) => {
            let token = profile.get("aws_session_token").map(str::to_owned);
            Credentials::new(id, secret, token, None).map(Some)
        }
    }
}

#[cfg(test)]
mod tests;
