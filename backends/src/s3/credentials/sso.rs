//! Signing in with a browser (AWS IAM Identity Center): the token that `aws sso login` has left in a
//! file, renewed where that can be done without the browser, and exchanged for the keys of a role.
//!
//! Source: AWS SDKs and tools reference guide, "IAM Identity Center credential provider"; IAM Identity
//! Center Portal API reference, GetRoleCredentials; its OIDC API reference, CreateToken.

mod token;

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::answer::{self, Writer};
use super::environment::Environment;
use super::outside::{Ask, Outside, Secret, Unread, ask_again};
use super::plan::SignIn;
use super::{Credentials, CredentialsError, CredentialsLimits, REFRESH_AHEAD_S};
use crate::http1::request::Method;
use crate::http1::url::HttpUrl;
use crate::s3::encode::encode_query;
use crate::s3::time::Timestamp;
#[cfg(feature = "fuzzing")]
pub(super) use token::parse as parse_token;
use token::{Renewed, Token};

/// What the token goes by in a request to the portal.
const BEARER: &str = "x-amz-sso_bearer_token";

/// The two services, and the sign-in that they are asked about.
pub(super) struct Sso<'a> {
    sign_in: &'a SignIn,
    /// Where the token lies.
    cache: String,
    /// Gives keys for a token. Its path ends with a slash.
    portal: HttpUrl,
    /// Renews tokens. Its path ends with a slash.
    oidc: HttpUrl,
    limits: &'a CredentialsLimits,
}

impl<'a> Sso<'a> {
    /// Finds the services of the region, or those that are configured.
    ///
    /// # Errors
    /// No home to look for the token in; a region that is no name, an endpoint that is no URL.
    pub(super) fn new(
        sign_in: &'a SignIn,
        env: &Environment,
        endpoints: [Option<&str>; 2],
        limits: &'a CredentialsLimits,
    ) -> Result<Sso<'a>, CredentialsError> {
        let wrong = |problem: &str| CredentialsError::Profile {
            name: sign_in.profile.clone(),
            problem: problem.to_owned(),
        };
        let home = env.get("HOME").map(|home| home.trim_end_matches('/'));
        let home = home.ok_or_else(|| {
            wrong("its token lies in the home directory, and HOME is not set; set it")
        })?;
        let is_name = |text: &str| text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        if !is_name(&sign_in.region) {
            return Err(wrong("its sso_region is not the name of a region"));
        }
        let [portal, oidc] = endpoints;
        Ok(Sso {
            sign_in,
            cache: format!("{home}/.aws/sso/cache/{}.json", sha1_hex(sign_in.token_name())),
            portal: service("portal.sso", &sign_in.region, portal, env)?,
            oidc: service("oidc", &sign_in.region, oidc, env)?,
            limits,
        })
    }

    /// Asks for the keys of the role; the text says by which way they came.
    ///
    /// # Errors
    /// No token, one that has ended and cannot be renewed, a role that is not given.
    pub(super) async fn keys(
        &self,
        outside: &impl Outside,
    ) -> Result<(Credentials, String), CredentialsError> {
        may_be_told(&self.portal, outside).await.map_err(|problem| self.failed(problem))?;
        let (token, remark) = self.token(outside).await?;
        let SignIn { account_id, role_name, .. } = self.sign_in;
        let mut query = Zeroizing::new(Vec::new());
        for (name, value) in [("?account_id=", account_id), ("&role_name=", role_name)] {
            query.extend_from_slice(name.as_bytes());
            encode_query(value.as_bytes(), &mut *query);
        }
        let query = String::from_utf8_lossy(&query);
        let url = at(&self.portal, &format!("federation/credentials{query}"));
        let make = || {
            Ask::get(url.clone(), self.limits.request)
                .header("accept", "application/json")
                .header(BEARER, token.as_str())
        };
        let answer = ask_again(outside, self.limits.tries_max, make).await;
        let answer = answer.map_err(|problem| self.failed(format!("{url}: {problem}")))?;
        match answer.status {
            200 => {
                let keys = answer::parse(Writer::Portal, &answer.body);
                let keys = keys.map_err(|it| self.failed(format!("the answer of {url}: {it}")))?;
                Ok((keys, format!("SSO, role {role_name} of account {account_id}{remark}")))
            }
            401 => Err(self.sign_in_again("the portal does not take the token (401)")),
            status => {
                let said = token::refusal(&answer.body, &[token.as_str()]);
                Err(self.failed(format!(
                    "{url} answers {status} for role {role_name} of account {account_id}: {said}"
                )))
            }
        }
    }

    /// A token that is good now, and what is to be told of how it was kept.
    async fn token(
        &self,
        outside: &impl Outside,
    ) -> Result<(Zeroizing<String>, String), CredentialsError> {
        let mut token = self.cached(outside).await?;
        let left_s = |token: &Token| token.left_s(outside.now());
        if left_s(&token) >= REFRESH_AHEAD_S {
            return Ok((token.access_token, String::new()));
        }
        // Only the form with a session has tokens that can be renewed.
        let can_renew = self.sign_in.session.is_some() && token.can_renew(outside.now());
        if !can_renew {
            return match left_s(&token) {
                0 => Err(self.sign_in_again("the token has ended")),
                _ => Ok((token.access_token, String::new())),
            };
        }
        match self.renew(&token, outside).await {
            Ok(renewed) => {
                let now = outside.now();
                let kept = token.document(&renewed, self.sign_in, now);
                let remark = match outside.replace(&self.cache, kept).await {
                    Ok(()) => String::new(),
                    // The keys are good all the same, and the sign-in is perhaps not, next time.
                    Err(why) => {
                        format!("; the renewed token could not be kept: {}: {why}", self.cache)
                    }
                };
                Ok((renewed.access_token, remark))
            }
            Err(problem) => {
                // Somebody else may have renewed it: of two with one token, the second is refused.
                // What cannot be read just now says nothing of the token that is here.
                let again = self.cached(outside).await.ok();
                let is_new = again.as_ref().is_some_and(|it| it.access_token != token.access_token);
                token = again.unwrap_or(token);
                match left_s(&token) {
                    0 => Err(self.sign_in_again(&format!(
                        "the token has ended and cannot be renewed: {problem}"
                    ))),
                    _ if is_new => Ok((token.access_token, String::new())),
                    _ => Ok((
                        token.access_token,
                        format!("; its token could not be renewed: {problem}"),
                    )),
                }
            }
        }
    }

    async fn cached(&self, outside: &impl Outside) -> Result<Token, CredentialsError> {
        let text = match outside.read(&self.cache).await {
            Ok(text) => text,
            Err(Unread::Missing) => {
                return Err(self.sign_in_again(&format!("there is no token at {}", self.cache)));
            }
            Err(error) => return Err(self.failed(format!("{}: {error}", self.cache))),
        };
        token::parse(&text)
            .map_err(|problem| self.sign_in_again(&format!("{}: {problem}", self.cache)))
    }

    async fn renew(&self, token: &Token, outside: &impl Outside) -> Result<Renewed, String> {
        may_be_told(&self.oidc, outside).await?;
        let url = at(&self.oidc, "token");
        let body = token.renewal();
        let make = || {
            let ask = Ask::get(url.clone(), self.limits.request);
            Ask { method: Method::Post, body: Secret::clone(&body), ..ask }
                .header("content-type", "application/json")
                .header("accept", "application/json")
        };
        let answer = ask_again(outside, self.limits.tries_max, make).await;
        let answer = answer.map_err(|problem| format!("{url}: {problem}"))?;
        if answer.status != 200 {
            let said = token::refusal(&answer.body, &token.secrets());
            return Err(format!("{url} answers {}: {said}", answer.status));
        }
        token::renewed(&answer.body).map_err(|problem| format!("the answer of {url}: {problem}"))
    }

    fn sign_in_again(&self, problem: &str) -> CredentialsError {
        self.failed(format!("{problem}; run `aws sso login --profile {}`", self.sign_in.profile))
    }

    fn failed(&self, problem: String) -> CredentialsError {
        let source_name = format!("the sign-in (SSO) of profile {}", self.sign_in.profile);
        CredentialsError::Source { source_name, problem }
    }
}

impl SignIn {
    /// What the file of the token is named after.
    fn token_name(&self) -> &str {
        self.session.as_deref().unwrap_or(&self.start_url)
    }
}

impl Token {
    /// Seconds that it is good for.
    fn left_s(&self, now: Timestamp) -> u64 {
        self.expires_at.unix_seconds().saturating_sub(now.unix_seconds())
    }
}

/// A token goes over https, or to this machine.
async fn may_be_told(url: &HttpUrl, outside: &impl Outside) -> Result<(), String> {
    if url.is_tls() || outside.is_loopback(url.host().trim_matches(['[', ']'])).await {
        return Ok(());
    }
    Err(format!(
        "{url} would be sent the token over plain HTTP: only https, or this machine; the settings are \
         AWS_ENDPOINT_URL_SSO, AWS_ENDPOINT_URL_SSO_OIDC and AWS_ENDPOINT_URL"
    ))
}

fn service(
    name: &str,
    region: &str,
    endpoint: Option<&str>,
    env: &Environment,
) -> Result<HttpUrl, CredentialsError> {
    let fips = if env.says("AWS_USE_FIPS_ENDPOINT", "true") { "-fips" } else { "" };
    let is_dual = env.says("AWS_USE_DUALSTACK_ENDPOINT", "true");
    let domain = match (region.starts_with("cn-"), is_dual) {
        (false, false) => "amazonaws.com",
        (false, true) => "api.aws",
        (true, false) => "amazonaws.com.cn",
        (true, true) => "api.amazonwebservices.com.cn",
    };
    let own = format!("https://{name}{fips}.{region}.{domain}");
    let text = endpoint.unwrap_or(&own).trim_end_matches('/');
    HttpUrl::parse(&format!("{text}/")).map_err(|error| CredentialsError::Setting {
        name: "the endpoint of SSO (AWS_ENDPOINT_URL_SSO, AWS_ENDPOINT_URL_SSO_OIDC, \
               AWS_ENDPOINT_URL)",
        problem: error.to_string(),
    })
}

fn at(base: &HttpUrl, path: &str) -> HttpUrl {
    base.with_target(format!("{}{path}", base.target()))
}

fn sha1_hex(text: &str) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
