//! The services that hand keys to what runs beside them: of containers (ECS, EKS pod identity) and of
//! instances (IMDSv2).

use std::net::IpAddr;
use std::time::Duration;

use super::answer::{self, Writer, printable_without};
use super::environment::Environment;
use super::outside::{Ask, Outside, ask_again};
use super::{Credentials, CredentialsError, CredentialsLimits};
use crate::http1::request::Method;
use crate::http1::url::HttpUrl;

const CONTAINER_HOST: &str = "http://169.254.170.2";
/// ECS; EKS pod identity, over IPv4 and IPv6.
const CONTAINER_ADDRESSES: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
const CONTAINER: &str = "the container credentials service";

const INSTANCE_V4: &str = "http://169.254.169.254";
const INSTANCE_V6: &str = "http://[fd00:ec2::254]";
const INSTANCE: &str = "the instance metadata service";
const INSTANCE_ROLES: &str = "latest/meta-data/iam/security-credentials/";
/// Six hours, the longest there is; it is asked for anew with each refresh.
const INSTANCE_TOKEN_TTL_S: &str = "21600";
const INSTANCE_TOKEN: &str = "x-aws-ec2-metadata-token";

/// Asks the service of containers; the source is named with the keys.
///
/// # Errors
/// A URL whose host must not see the token; no answer, or one that is none.
pub(super) async fn container(
    env: &Environment,
    limits: &CredentialsLimits,
    outside: &impl Outside,
) -> Result<(Credentials, String), CredentialsError> {
    let failed =
        |problem: String| CredentialsError::Source { source_name: CONTAINER.into(), problem };
    let url = container_url(env, outside).await?;
    // A file is read each time: what is in it is replaced while we run.
    let token = match env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => {
            let text = outside.read(path).await;
            let text = text.map_err(|error| {
                failed(format!("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE {path}: {error}"))
            })?;
            Some(std::str::from_utf8(&text).map_or_else(|_| "\n".to_owned(), str::to_owned))
        }
        None => env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
    };
    let token = token.map(zeroize::Zeroizing::new);
    if token.as_ref().is_some_and(|token| token.contains(['\r', '\n'])) {
        return Err(failed("the authorization token is no line of text".into()));
    }
    let make = || {
        let ask = Ask::get(url.clone(), limits.request).header("accept", "application/json");
        match &token {
            Some(token) => ask.header("authorization", token.as_str()),
            None => ask,
        }
    };
    let answer = ask_again(outside, limits.tries_max, make).await;
    let answer = answer.map_err(|problem| failed(format!("{url}: {problem}")))?;
    if answer.status != 200 {
        let sent = token.as_ref().map_or("", |token| token.as_str());
        let text = printable_without(&String::from_utf8_lossy(&answer.body), &[sent]);
        return Err(failed(format!("{url} answers {}: {text}", answer.status)));
    }
    let keys = answer::parse(Writer::Service, &answer.body);
    let keys = keys.map_err(|problem| failed(format!("the document of {url}: {problem}")))?;
    Ok((keys, format!("the container service at {url}")))
}

/// The URL, once it is sure that its host may see the token.
async fn container_url(
    env: &Environment,
    outside: &impl Outside,
) -> Result<HttpUrl, CredentialsError> {
    let wrong = |name: &'static str, problem: String| CredentialsError::Setting { name, problem };
    if let Some(path) = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        if !path.starts_with('/') {
            let problem = "it does not begin with a slash".to_owned();
            return Err(wrong("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", problem));
        }
        let url = HttpUrl::parse(&format!("{CONTAINER_HOST}{path}"));
        return url.map_err(|it| wrong("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", it.to_string()));
    }
    let name = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let url = HttpUrl::parse(env.get(name).unwrap_or_default());
    let url = url.map_err(|error| wrong(name, error.to_string()))?;
    let host = url.host().trim_matches(['[', ']']);
    let allowed = match host.parse::<IpAddr>() {
        _ if url.is_tls() => true,
        Ok(address) => address.is_loopback() || CONTAINER_ADDRESSES.contains(&host),
        Err(_) => outside.is_loopback(host).await,
    };
    if !allowed {
        let problem = format!(
            "{} may not be asked over plain HTTP: only https, this machine, {}",
            url.host(),
            CONTAINER_ADDRESSES.join(", ")
        );
        return Err(wrong(name, problem));
    }
    Ok(url)
}

/// Asks the service of instances: for a token first, which a request that was sent on through a proxy
/// does not get.
///
/// # Errors
/// No answer, no role, or an answer that is none.
pub(super) async fn instance(
    env: &Environment,
    limits: &CredentialsLimits,
    outside: &impl Outside,
) -> Result<(Credentials, String), CredentialsError> {
    let failed =
        |problem: String| CredentialsError::Source { source_name: INSTANCE.into(), problem };
    let base = instance_url(env)?;
    let (limit, tries_max) = instance_limits(env, limits)?;
    let at = |path: &str| base.with_target(format!("{}{path}", base.target()));
    let token = ask_again(outside, tries_max, || {
        let ask = Ask::get(at("latest/api/token"), limit);
        Ask { method: Method::Put, ..ask }
            .header("x-aws-ec2-metadata-token-ttl-seconds", INSTANCE_TOKEN_TTL_S)
    })
    .await;
    let token = token.map_err(|problem| failed(format!("{base}: {problem}")))?;
    let token = match (token.status, std::str::from_utf8(&token.body)) {
        (200, Ok(text)) => zeroize::Zeroizing::new(text.trim().to_owned()),
        (403, _) => return Err(failed("it forbids requests: it is turned off here (403)".into())),
        (status, _) => {
            return Err(failed(format!("it answers {status} to the request for a token")));
        }
    };
    let get = async |path: String| {
        let make = || Ask::get(at(&path), limit).header(INSTANCE_TOKEN, token.as_str());
        let answer = ask_again(outside, tries_max, make).await;
        answer.map_err(|problem| failed(format!("{base}: {problem}")))
    };
    let roles = get(INSTANCE_ROLES.to_owned()).await?;
    let names = String::from_utf8_lossy(&roles.body).into_owned();
    let role = names.lines().next().unwrap_or_default().trim();
    match roles.status {
        200 if !role.is_empty() && role.bytes().all(|byte| byte.is_ascii_graphic()) => {}
        200 | 404 => return Err(failed("this instance has no role".into())),
        status => return Err(failed(format!("it answers {status} to the request for roles"))),
    }
    let document = get(format!("{INSTANCE_ROLES}{role}")).await?;
    if document.status != 200 {
        return Err(failed(format!("it answers {} for the role {role}", document.status)));
    }
    let keys = answer::parse(Writer::Service, &document.body);
    let keys = keys.map_err(|problem| failed(format!("the document of role {role}: {problem}")))?;
    Ok((keys, format!("instance metadata, role {role}")))
}

/// How long a request to the service of instances may take, and how often it is tried: as botocore's
/// users set it, else what the limits say.
fn instance_limits(
    env: &Environment,
    limits: &CredentialsLimits,
) -> Result<(Duration, u32), CredentialsError> {
    let number = |name: &'static str| {
        let Some(text) = env.get(name) else { return Ok(None) };
        match text.trim().parse::<u32>() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(CredentialsError::Setting {
                name,
                problem: format!("{text:?} is no whole number above 0"),
            }),
        }
    };
    let timeout_s = number("AWS_METADATA_SERVICE_TIMEOUT")?;
    let request = timeout_s.map(|seconds| Duration::from_secs(seconds.into()));
    let tries = number("AWS_METADATA_SERVICE_NUM_ATTEMPTS")?;
    Ok((request.unwrap_or(limits.metadata_request), tries.unwrap_or(limits.tries_max)))
}

fn instance_url(env: &Environment) -> Result<HttpUrl, CredentialsError> {
    let name = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    let mode = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").unwrap_or("IPv4");
    let own = if mode.eq_ignore_ascii_case("ipv6") { INSTANCE_V6 } else { INSTANCE_V4 };
    let text = env.get(name).unwrap_or(own).trim_end_matches('/');
    HttpUrl::parse(&format!("{text}/"))
        .map_err(|error| CredentialsError::Setting { name, problem: error.to_string() })
}
