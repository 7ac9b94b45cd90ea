//! The documents in which metadata services and commands hand out keys.
//!
//! Source: AWS SDKs and tools reference guide, "Container credential provider", "Process credential
//! provider"; Amazon EC2 user guide, "Retrieve security credentials from instance metadata".

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Credentials;
use crate::s3::time::Timestamp;

/// Who wrote the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// A metadata service: the token is called `Token`.
    Service,
    /// A command: the token is called `SessionToken`, and there is a `Version`.
    Command,
    /// The portal of a sign-in: as a command, in an object of its own, and the end is a number.
    Portal,
}

/// Reads a document; the text of an error names no value (SEC-1).
pub(super) fn parse(writer: Writer, document: &[u8]) -> Result<Credentials, String> {
    let mut fields = object(document)?;
    if writer == Writer::Portal {
        let inner = match fields.get_mut("roleCredentials").map(Value::take) {
            Some(Value::Object(inner)) => inner,
            other => {
                wipe_value(other.unwrap_or_default());
                wipe(fields);
                return Err("it has no roleCredentials".to_owned());
            }
        };
        wipe(std::mem::replace(&mut fields, inner));
    }
    let result = credentials(writer, &mut fields);
    wipe(fields);
    result
}

/// The fields of a document.
pub(super) fn object(document: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(document) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => {
            wipe_value(other);
            Err("it is no JSON object".to_owned())
        }
        // Line and column, and no text of the document.
        Err(error) => {
            Err(format!("it is no JSON: line {} column {}", error.line(), error.column()))
        }
    }
}

fn credentials(writer: Writer, fields: &mut Map<String, Value>) -> Result<Credentials, String> {
    if writer == Writer::Command && fields.get("Version").and_then(Value::as_u64) != Some(1) {
        return Err("its Version is not 1".to_owned());
    }
    if let Some(code) = take(fields, "Code").filter(|code| !code.eq_ignore_ascii_case("success")) {
        let message = take(fields, "Message").unwrap_or_default();
        return Err(format!("it says {}: {}", printable(&code), printable(&message)));
    }
    let token_name = if writer == Writer::Service { "Token" } else { "SessionToken" };
    let mut need = |name| take(fields, name).ok_or_else(|| format!("it has no {name}"));
    let mut id = need("AccessKeyId")?;
    let mut secret = need("SecretAccessKey")?;
    let token = match writer {
        Writer::Service | Writer::Portal => Some(need(token_name)?),
        Writer::Command => take(fields, token_name),
    };
    let ends = end(writer, fields)?;
    let token = token.map(|mut token| std::mem::take(&mut *token));
    Credentials::new(std::mem::take(&mut *id), std::mem::take(&mut *secret), token, ends)
        .map_err(|error| error.to_string())
}

/// When the keys end: a text, of the portal milliseconds since 1970.
fn end(writer: Writer, fields: &mut Map<String, Value>) -> Result<Option<Timestamp>, String> {
    if writer == Writer::Portal {
        let end_ms = fields.get("expiration").and_then(Value::as_u64);
        let end_ms = end_ms.ok_or("it has no expiration that is a number")?;
        return Ok(Some(Timestamp::from_unix_seconds(end_ms / 1000)));
    }
    let end = take(fields, "Expiration").map(|text| Timestamp::parse_iso8601(&text)).transpose();
    end.map_err(|_| "its Expiration is no time in ISO 8601".to_owned())
}

/// Takes a text out; the case of names differs from server to server.
pub(super) fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Zeroizing<String>> {
    let key = fields.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    match fields.get_mut(&key)?.take() {
        Value::String(text) if !text.is_empty() => Some(Zeroizing::new(text)),
        other => {
            wipe_value(other);
            None
        }
    }
}

/// The same of a server that may repeat the secrets that it was sent (SEC-1). What it writes in
/// another way, as `%2B`, is not known again.
pub(super) fn printable_without(text: &str, sent: &[&str]) -> String {
    let mut sent: Vec<&str> = sent.iter().copied().filter(|secret| !secret.is_empty()).collect();
    // One may be the beginning of another.
    sent.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let whole = Zeroizing::new(text.to_owned());
    let without = |text: Zeroizing<String>, secret| Zeroizing::new(text.replace(secret, "***"));
    printable(&sent.into_iter().fold(whole, without))
}

/// What a server says goes to a terminal.
pub(super) fn printable(text: &str) -> String {
    let text: String = text.chars().take(200).collect();
    text.escape_debug().to_string()
}

/// What was not taken may be a secret too.
pub(super) fn wipe(fields: Map<String, Value>) {
    fields.into_iter().for_each(|(_, value)| wipe_value(value));
}

/// What serde_json reads is at most 128 deep.
fn wipe_value(value: Value) {
    match value {
        Value::String(text) => drop(Zeroizing::new(text)),
        Value::Array(values) => values.into_iter().for_each(wipe_value),
        Value::Object(fields) => wipe(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = r#"{"Code":"Success","LastUpdated":"2026-01-01T00:00:00Z",
        "Type":"AWS-HMAC","AccessKeyId":"ASIA","SecretAccessKey":"hush/1","Token":"tok=",
        "Expiration":"2026-01-01T06:00:00Z","Other":[{}]}"#;

    #[test]
    fn services_hand_out_keys_with_a_token_and_an_end() {
        let found = parse(Writer::Service, SERVICE.as_bytes()).unwrap();
        assert_eq!(found.access_key_id(), "ASIA");
        assert_eq!(found.secret_access_key(), "hush/1");
        assert_eq!(found.session_token(), Some("tok="));
        assert_eq!(found.expires_at().map(Timestamp::unix_seconds), Some(1_767_247_200));
        let no_token = SERVICE.replace("\"Token\"", "\"Tok\"");
        assert!(parse(Writer::Service, no_token.as_bytes()).is_err());
    }

    #[test]
    fn commands_name_their_version_and_may_leave_out_the_token() {
        let text = r#"{"Version":1,"AccessKeyId":"AKIA","SecretAccessKey":"hush"}"#;
        let found = parse(Writer::Command, text.as_bytes()).unwrap();
        assert_eq!((found.session_token(), found.expires_at()), (None, None));
        let other = text.replace(":1", ":2");
        assert!(parse(Writer::Command, other.as_bytes()).unwrap_err().contains("Version"));
    }

    /// SEC-1
    #[test]
    fn what_is_wrong_is_told_without_values() {
        for (text, word) in [
            (SERVICE.replace("Success", "Failed"), "Failed"),
            (SERVICE.replace("AccessKeyId", "AccessKey"), "AccessKeyId"),
            (SERVICE.replace("2026-01-01T06:00:00Z", "hush/2"), "Expiration"),
            (SERVICE.replace("hush/1", "hush 1"), "secret access key"),
            (SERVICE.replace("}]", "hush"), "line 3"),
            ("[]".to_owned(), "object"),
            (String::new(), "line 1"),
        ] {
            let error = parse(Writer::Service, text.as_bytes()).expect_err(word);
            assert!(error.contains(word) && !error.contains("hush"), "{word}: {error}");
        }
    }
}
