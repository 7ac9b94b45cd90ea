//! The sources of credentials, one after the other: environment, profile, web identity, then the
//! service of the container or else that of the instance.
//!
//! The order is that of the AWS common runtime. The first source that is set up decides: when it fails,
//! no later one is asked, because it would sign as somebody else.

use super::environment::Environment;
use super::outside::{Outside, Secret, Unread, ask_again};
use super::plan::{Base, Plan, WebIdentity, plan};
use super::profile::{ProfileFile, Profiles};
use super::sso::Sso;
use super::sts::{Sts, answered};
use super::{Credentials, CredentialsError, CredentialsLimits, answer, services};
use crate::s3::endpoint::REGION_DEFAULT;

/// The sources, and what the environment said of them.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Chain {
    pub(in crate::s3) env: Environment,
    pub(in crate::s3) limits: CredentialsLimits,
    /// Whether the metadata service of instances may be asked where no other source is set up.
    pub(in crate::s3) asks_instance: bool,
    /// A profile was asked for otherwise than by the environment, whose keys are only taken if it says so.
    pub(in crate::s3) profile_first: bool,
}

/// Credentials, and which source gave them.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) credentials: Credentials,
    pub(super) source: String,
}

impl Chain {
    /// Asks the sources in their order.
    ///
    /// # Errors
    /// The failure of the source that is set up; [`CredentialsError::NoSource`] where none is.
    pub(super) async fn fetch(&self, outside: &impl Outside) -> Result<Fetched, CredentialsError> {
        if !self.profile_first
            && let Some(found) = self.environment()?
        {
            return Ok(found);
        }
        let profiles = self.profiles(outside).await?;
        let name = self.env.profile();
        if let Some(plan) = plan(&profiles, name)? {
            return self.carry_out(plan, name, &profiles, outside).await;
        }
        if self.env.get("AWS_PROFILE").is_some() && profiles.get(name).is_none() {
            let problem = "it was asked for (AWS_PROFILE), and neither file has it".to_owned();
            return Err(CredentialsError::Profile { name: name.to_owned(), problem });
        }
        if let Some(token_file) = self.env.get("AWS_WEB_IDENTITY_TOKEN_FILE") {
            return self.web_identity(token_file, &profiles, outside).await;
        }
        if self.has_container() {
            return fetched(services::container(&self.env, &self.limits, outside).await);
        }
        let why_not = if self.env.says("AWS_EC2_METADATA_DISABLED", "true") {
            "not asked (AWS_EC2_METADATA_DISABLED)".to_owned()
        } else if !self.asks_instance {
            "not asked for an endpoint that is not of AWS".to_owned()
        } else {
            match services::instance(&self.env, &self.limits, outside).await {
                Ok(found) => return fetched(Ok(found)),
                Err(CredentialsError::Source { problem, .. }) => problem,
                Err(error) => return Err(error),
            }
        };
        Err(CredentialsError::NoSource { profile: name.to_owned(), instance: why_not })
    }

    /// Whether a source is set up that needs nobody to be asked to know it.
    pub(in crate::s3) fn is_set_up(&self, profiles: &Profiles) -> bool {
        let env = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"];
        // An error of a plan is told when the credentials are asked for.
        env.into_iter().any(|name| self.env.get(name).is_some())
            || self.env.get("AWS_PROFILE").is_some()
            || self.has_container()
            || !matches!(plan(profiles, self.env.profile()), Ok(None))
    }

    fn has_container(&self) -> bool {
        let names =
            ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
        names.into_iter().any(|name| self.env.get(name).is_some())
    }

    fn environment(&self) -> Result<Option<Fetched>, CredentialsError> {
        let keys = Credentials::from_env(|name| self.env.get(name).map(str::to_owned))?;
        Ok(keys.map(|credentials| Fetched { credentials, source: "the environment".to_owned() }))
    }

    async fn profiles(&self, outside: &impl Outside) -> Result<Profiles, CredentialsError> {
        let [config, credentials] = self.env.profile_files();
        let mut texts = [Secret::default(), Secret::default()];
        for (text, path) in texts.iter_mut().zip([&config, &credentials]) {
            let Some(path) = path else { continue };
            *text = match outside.read(path).await {
                Ok(content) => content,
                Err(Unread::Missing) => continue,
                Err(error) => return Err(unreadable(path, &error.to_string())),
            };
        }
        parse(&texts[0], &texts[1], &config, &credentials)
    }

    async fn web_identity(
        &self,
        token_file: &str,
        profiles: &Profiles,
        outside: &impl Outside,
    ) -> Result<Fetched, CredentialsError> {
        let Some(role_arn) = self.env.get("AWS_ROLE_ARN") else {
            return Err(CredentialsError::Setting {
                name: "AWS_WEB_IDENTITY_TOKEN_FILE",
                problem: "it needs AWS_ROLE_ARN beside it".to_owned(),
            });
        };
        let identity = WebIdentity {
            token_file: token_file.to_owned(),
            role_arn: role_arn.to_owned(),
            session_name: self.env.get("AWS_ROLE_SESSION_NAME").map(str::to_owned),
        };
        let credentials = self.with_token(&identity, &self.sts(profiles)?, outside).await?;
        Ok(Fetched { credentials, source: format!("web identity, role {role_arn}") })
    }

    /// The base of a profile, then its roles.
    async fn carry_out(
        &self,
        plan: Plan,
        name: &str,
        profiles: &Profiles,
        outside: &impl Outside,
    ) -> Result<Fetched, CredentialsError> {
        let mut source = format!("profile {name}");
        let mut credentials = match plan.base {
            Base::Keys(keys) => keys,
            Base::Process(command) => {
                source.push_str(", credential_process");
                let failed = |problem| CredentialsError::Source {
                    source_name: format!("the credential_process of profile {name}"),
                    problem,
                };
                let output = outside.run(&command).await.map_err(failed)?;
                answer::parse(answer::Writer::Command, &output)
                    .map_err(|problem| failed(format!("its output: {problem}")))?
            }
            Base::WebIdentity(identity) => {
                source.push_str(", web identity");
                self.with_token(&identity, &self.sts(profiles)?, outside).await?
            }
            Base::Sso(sign_in) => {
                let endpoints =
                    [("AWS_ENDPOINT_URL_SSO", "sso"), ("AWS_ENDPOINT_URL_SSO_OIDC", "sso_oidc")]
                        .map(|(variable, service)| self.endpoint(profiles, variable, service));
                let sso = Sso::new(&sign_in, &self.env, endpoints, &self.limits)?;
                let (keys, how) = sso.keys(outside).await?;
                source = format!("{source}, {how}");
                keys
            }
            Base::Environment => {
                self.environment()?
                    .ok_or_else(|| CredentialsError::Profile {
                        name: name.to_owned(),
                        problem: "its credential_source is Environment, which has no keys".into(),
                    })?
                    .credentials
            }
            Base::Container => services::container(&self.env, &self.limits, outside).await?.0,
            Base::InstanceMetadata => services::instance(&self.env, &self.limits, outside).await?.0,
        };
        for role in &plan.roles {
            let sts = self.sts(profiles)?;
            // What the signer refuses now it refused the first time.
            sts.assume(role, &credentials, outside.now())?;
            let answer = ask_again(outside, self.limits.tries_max, || {
                sts.assume(role, &credentials, outside.now()).expect("it was signed a moment ago")
            });
            let answer = answer.await.map_err(|problem| no_answer(&sts, problem))?;
            let sent = credentials.session_token().unwrap_or_default();
            let given = answered(&answer, sent).map_err(|error| of_role(error, &role.arn))?;
            credentials = given;
            source.push_str(", role ");
            source.push_str(&role.arn);
        }
        Ok(Fetched { credentials, source })
    }

    async fn with_token(
        &self,
        identity: &WebIdentity,
        sts: &Sts,
        outside: &impl Outside,
    ) -> Result<Credentials, CredentialsError> {
        let path = &identity.token_file;
        // Read each time: whoever issues tokens replaces the file.
        let token =
            outside.read(path).await.map_err(|error| unreadable(path, &error.to_string()))?;
        let token = std::str::from_utf8(&token).map_err(|_| unreadable(path, "it is no text"))?;
        let make = || sts.assume_with_token(identity, token.trim(), outside.now());
        let answer = ask_again(outside, self.limits.tries_max, make).await;
        answered(&answer.map_err(|problem| no_answer(sts, problem))?, token.trim())
            .map_err(|error| of_role(error, &identity.role_arn))
    }

    fn sts(&self, profiles: &Profiles) -> Result<Sts, CredentialsError> {
        let profile = self.env.profile();
        let own = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|it| self.env.get(it));
        let of_profile = || profiles.get(profile).and_then(|profile| profile.get("region"));
        let region = own.or_else(of_profile).unwrap_or(REGION_DEFAULT);
        let endpoint = self.endpoint(profiles, "AWS_ENDPOINT_URL_STS", "sts");
        Sts::new(endpoint, region, self.limits.request)
    }

    /// Where a service is said to be: by its variable, by that of all services, by the profile.
    fn endpoint<'a>(
        &'a self,
        profiles: &'a Profiles,
        variable: &str,
        service: &str,
    ) -> Option<&'a str> {
        let ignored = self.env.says("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        [variable, "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|name| self.env.get(name))
            .or_else(|| profiles.endpoint_url(self.env.profile(), service))
            .filter(|_| !ignored)
    }
}

/// Reads the texts of both files of profiles.
///
/// # Errors
/// The file, and the line that cannot be read.
pub(in crate::s3) fn parse(
    config: &[u8],
    credentials: &[u8],
    config_path: &Option<String>,
    credentials_path: &Option<String>,
) -> Result<Profiles, CredentialsError> {
    let text = |bytes, path: &Option<String>| {
        let path = path.as_deref().unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| unreadable(path, "it is no text in UTF-8"))
    };
    let texts = (text(config, config_path)?, text(credentials, credentials_path)?);
    Profiles::parse(texts.0, texts.1).map_err(|(file, error)| {
        let path = match file {
            ProfileFile::Config => config_path,
            ProfileFile::Credentials => credentials_path,
        };
        unreadable(path.as_deref().unwrap_or_default(), &error.to_string())
    })
}

/// A file that is needed and cannot be read.
pub(in crate::s3) fn unreadable(path: &str, problem: &str) -> CredentialsError {
    CredentialsError::File { path: path.to_owned(), problem: problem.to_owned() }
}

/// Of several roles, which is not given.
fn of_role(error: CredentialsError, arn: &str) -> CredentialsError {
    match error {
        CredentialsError::Source { source_name, problem } => CredentialsError::Source {
            source_name,
            problem: format!("{problem}, for the role {arn}"),
        },
        error => error,
    }
}

fn no_answer(sts: &Sts, problem: String) -> CredentialsError {
    let source_name = "the token service (STS)".to_owned();
    CredentialsError::Source { source_name, problem: format!("{}: {problem}", sts.url) }
}

fn fetched(
    found: Result<(Credentials, String), CredentialsError>,
) -> Result<Fetched, CredentialsError> {
    found.map(|(credentials, source)| Fetched { credentials, source })
}

#[cfg(test)]
mod tests;
