//! Roles: AssumeRole and AssumeRoleWithWebIdentity of the AWS Security Token Service.
//!
//! Source: AWS STS API reference, version 2011-06-15.

use std::time::Duration;

use zeroize::Zeroizing;

use super::outside::{Answer, Ask, Secret};
use super::plan::{Role, WebIdentity};
use super::{Credentials, CredentialsError, printable_without};
use crate::http1::request::Method;
use crate::http1::url::HttpUrl;
use crate::s3::encode::encode_query;
use crate::s3::sign::{PayloadHash, Scope, SigningKeyCache, SigningRequest, sign};
use crate::s3::time::{SigningTime, Timestamp};
use crate::s3::xml::{XmlError, XmlLimits, walk};

const VERSION: &str = "2011-06-15";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// Where the service is.
#[derive(Clone, Debug)]
pub(super) struct Sts {
    pub(super) url: HttpUrl,
    pub(super) region: String,
    pub(super) time_limit: Duration,
}

impl Sts {
    /// The service of a region, or at an endpoint of one's own.
    ///
    /// # Errors
    /// An endpoint that is no URL; a region that is no name.
    pub(super) fn new(
        endpoint: Option<&str>,
        region: &str,
        time_limit: Duration,
    ) -> Result<Sts, CredentialsError> {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let own = format!("https://sts.{region}.{domain}/");
        let url = HttpUrl::parse(endpoint.unwrap_or(&own));
        let url = url.map_err(|error| CredentialsError::Setting {
            name: "the endpoint of STS (AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, AWS_REGION)",
            problem: error.to_string(),
        })?;
        Ok(Sts { url, region: region.to_owned(), time_limit })
    }

    /// Asks for a role with credentials.
    ///
    /// # Errors
    /// What the signer refuses.
    pub(super) fn assume(
        &self,
        role: &Role,
        with: &Credentials,
        now: Timestamp,
    ) -> Result<Ask, CredentialsError> {
        let session = session_name(role.session_name.as_deref(), now);
        let duration = role.duration_s.map(|seconds| seconds.to_string());
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("Version", VERSION),
            ("RoleArn", &role.arn),
            ("RoleSessionName", &session),
        ];
        fields.extend(role.external_id.as_deref().map(|it| ("ExternalId", it)));
        fields.extend(duration.as_deref().map(|it| ("DurationSeconds", it)));
        let ask = self.post(&fields);
        self.signed(ask, with, now)
    }

    /// Asks for a role with a token, which says who asks.
    pub(super) fn assume_with_token(
        &self,
        identity: &WebIdentity,
        token: &str,
        now: Timestamp,
    ) -> Ask {
        let session = session_name(identity.session_name.as_deref(), now);
        self.post(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", VERSION),
            ("RoleArn", &identity.role_arn),
            ("RoleSessionName", &session),
            ("WebIdentityToken", token),
        ])
    }

    fn post(&self, fields: &[(&str, &str)]) -> Ask {
        // No growth on the way: a buffer that is left behind is not wiped.
        let bytes: usize = fields.iter().map(|(name, it)| name.len() + 3 * it.len() + 2).sum();
        let mut body = Secret::new(Vec::with_capacity(bytes));
        for (name, value) in fields {
            if !body.is_empty() {
                body.push(b'&');
            }
            body.extend_from_slice(name.as_bytes());
            body.push(b'=');
            encode_query(value.as_bytes(), &mut *body);
        }
        let ask = Ask::get(self.url.clone(), self.time_limit);
        Ask { method: Method::Post, body, ..ask }
            .header("content-type", CONTENT_TYPE)
            .header("accept", "text/xml")
    }

    fn signed(
        &self,
        mut ask: Ask,
        with: &Credentials,
        now: Timestamp,
    ) -> Result<Ask, CredentialsError> {
        let time = SigningTime::new(now);
        let date = String::from_utf8_lossy(time.date_time()).into_owned();
        let host = ask.url.host_header();
        let mut headers: Vec<(&str, &[u8])> = vec![
            ("content-type", CONTENT_TYPE.as_bytes()),
            ("host", host.as_bytes()),
            ("x-amz-date", date.as_bytes()),
        ];
        headers.extend(with.session_token().map(|it| ("x-amz-security-token", it.as_bytes())));
        let path = ask.url.target().split('?').next().unwrap_or("/");
        let request = SigningRequest {
            method: Method::Post.as_str(),
            path: path.as_bytes(),
            query: &[],
            headers: &headers,
            payload: PayloadHash::of(&ask.body),
        };
        let scope = Scope { time, region: &self.region, service: "sts" };
        let mut keys = SigningKeyCache::default();
        let signed = sign(&request, scope, with, &mut keys);
        let signed = signed.map_err(|error| failed(format!("it cannot be signed: {error}")))?;
        let mut authorization = Vec::new();
        signed.write_authorization(&mut authorization);
        let authorization = String::from_utf8_lossy(&authorization).into_owned();
        ask = ask.header("x-amz-date", date).header("authorization", authorization);
        if let Some(token) = with.session_token() {
            ask = ask.header("x-amz-security-token", token);
        }
        Ok(ask)
    }
}

/// Reads the answer to either; `sent` is the secret that went with the request.
///
/// # Errors
/// What the service says against it, or what is wrong with the answer.
pub(super) fn answered(answer: &Answer, sent: &str) -> Result<Credentials, CredentialsError> {
    if answer.status != 200 {
        return Err(refused(answer, sent));
    }
    let (mut id, mut secret, mut token) = (String::new(), String::new(), String::new());
    let mut end = String::new();
    let mut secrets = [
        ("AccessKeyId", &mut id),
        ("SecretAccessKey", &mut secret),
        ("SessionToken", &mut token),
        ("Expiration", &mut end),
    ];
    let root = match find(&answer.body, b"<AssumeRoleWithWebIdentityResponse") {
        true => "AssumeRoleWithWebIdentityResponse",
        false => "AssumeRoleResponse",
    };
    let read = walk(&answer.body, &XmlLimits::default(), root, |leaf| {
        let Some((_, name)) = leaf.path.rsplit_once("Result/Credentials/") else { return Ok(()) };
        if let Some((_, slot)) = secrets.iter_mut().find(|(known, _)| *known == name) {
            **slot = leaf.text.trim().to_owned();
        }
        Ok(())
    });
    let (secret, token) = (Zeroizing::new(secret), Zeroizing::new(token));
    read.map_err(|error| failed(format!("its answer cannot be read: {}", unread(&error))))?;
    let end = Timestamp::parse_iso8601(&end);
    let end = end.map_err(|_| failed("its answer has no Expiration that is a time".into()))?;
    Credentials::new(id, secret.as_str(), Some(token.as_str().to_owned()), Some(end))
        .map_err(|error| failed(format!("its answer cannot be used: {error}")))
}

/// What is wrong with a document, without any of its text: where brackets are missing, a name is a
/// secret (SEC-1).
fn unread(error: &XmlError) -> String {
    match error {
        XmlError::Malformed { offset, .. } => format!("not well-formed XML at byte {offset}"),
        XmlError::Root { expected, .. } => format!("it is no <{expected}>"),
        other => other.to_string(),
    }
}

fn refused(answer: &Answer, sent: &str) -> CredentialsError {
    let (mut code, mut message) = (String::new(), String::new());
    // Whatever of it can be read.
    let _ = walk(&answer.body, &XmlLimits::default(), "ErrorResponse", |leaf| {
        match leaf.path {
            "Error/Code" => code = printable_without(leaf.text.trim(), &[sent]),
            "Error/Message" => message = printable_without(leaf.text.trim(), &[sent]),
            _ => {}
        }
        Ok(())
    });
    failed(format!("it answers {} {code}: {message}", answer.status))
}

fn failed(problem: String) -> CredentialsError {
    CredentialsError::Source { source_name: "the token service (STS)".into(), problem }
}

fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The name that AWS logs; one of our own where none is asked for.
fn session_name(given: Option<&str>, now: Timestamp) -> String {
    given.map_or_else(|| format!("hydrant-{}", now.unix_seconds()), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>";

    fn answer(status: u16, text: &str) -> Answer {
        Answer { status, body: Secret::new(text.as_bytes().to_vec()) }
    }

    fn sts() -> Sts {
        Sts::new(None, "eu-west-1", Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn a_role_is_asked_for_by_a_signed_form() {
        let role = Role {
            arn: "arn:aws:iam::1:role/R".into(),
            session_name: None,
            external_id: Some("a b&c".into()),
            duration_s: Some(900),
        };
        let with = Credentials::new("AKID", "hush", Some("tok".into()), None).unwrap();
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let ask = sts().assume(&role, &with, now).unwrap();
        assert_eq!(
            std::str::from_utf8(&ask.body).unwrap(),
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2FR&\
             RoleSessionName=hydrant-1700000000&ExternalId=a%20b%26c&DurationSeconds=900"
        );
        let header = |name| ask.headers.iter().find(|(it, _)| *it == name).map(|(_, it)| it);
        let authorization = header("authorization").unwrap();
        let scope = "AWS4-HMAC-SHA256 Credential=AKID/20231114/eu-west-1/sts/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=";
        assert!(authorization.starts_with(scope), "{}", authorization.as_str());
        assert_eq!(header("x-amz-security-token").map(|it| it.as_str()), Some("tok"));
        assert_eq!(ask.url.host(), "sts.eu-west-1.amazonaws.com");
    }

    #[test]
    fn answers_of_both_kinds_are_read_and_others_are_errors() {
        for action in ["AssumeRole", "AssumeRoleWithWebIdentity"] {
            let text = format!(
                "<{action}Response xmlns=\"x\"><{action}Result><Credentials><AccessKeyId>ASIA\
                 </AccessKeyId><SecretAccessKey>hush</SecretAccessKey><SessionToken>tok</SessionToken>\
                 <Expiration>2026-01-01T00:00:00Z</Expiration></Credentials></{action}Result>{KEYS}\
                 </{action}Response>"
            );
            let found = answered(&answer(200, &text), "").unwrap();
            assert_eq!((found.access_key_id(), found.secret_access_key()), ("ASIA", "hush"));
            assert!(answered(&answer(200, &text[..text.len() - 5]), "").is_err(), "cut short");
            let broken = answered(&answer(200, &text.replace("2026", "x")), "").unwrap_err();
            assert!(!broken.to_string().contains("hush"), "SEC-1");
            // Without brackets the secret is the name of an element, or of the root.
            for odd in [text.replace("<SecretAccessKey>hush", "<hush"), "<hush></hush>".into()] {
                let broken = answered(&answer(200, &odd), "").unwrap_err();
                assert!(!broken.to_string().contains("hush"), "SEC-1: {broken}");
            }
        }
        let text = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                    <Message>no\u{7}pe</Message></Error></ErrorResponse>";
        let error = answered(&answer(403, text), "").unwrap_err().to_string();
        assert!(error.contains("403 AccessDenied: no\\u{7}pe"), "{error}");
        assert!(answered(&answer(500, "<html>"), "").is_err());
        let told = answered(&answer(403, &text.replace("no", "hush.hush")), "hush.hush");
        let told = told.unwrap_err().to_string();
        assert!(told.contains("***") && !told.contains("hush"), "SEC-1: {told}");
    }
}
