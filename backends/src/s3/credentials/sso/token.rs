//! The documents of a sign-in: the file with its token, and what the service that renews tokens takes
//! and answers. No text of an error holds a value of theirs (SEC-1).

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::super::answer::{object, printable_without, take, wipe};
use super::super::outside::Secret;
use super::super::plan::SignIn;
use crate::s3::time::{Iso8601, Timestamp};

/// A token, and what it takes to renew it.
pub(in crate::s3::credentials) struct Token {
    pub(super) access_token: Zeroizing<String>,
    pub(super) expires_at: Timestamp,
    renewal: Option<Renewal>,
}

struct Renewal {
    refresh_token: Zeroizing<String>,
    client_id: Zeroizing<String>,
    client_secret: Zeroizing<String>,
    /// When the program that signed in must introduce itself anew.
    registration_expires_at: Timestamp,
}

/// What the service answers.
pub(super) struct Renewed {
    pub(super) access_token: Zeroizing<String>,
    life_s: u64,
    /// Good for the next renewal; where there is none, that was the last.
    refresh_token: Option<Zeroizing<String>>,
}

/// Reads the file of a token.
pub(in crate::s3::credentials) fn parse(document: &[u8]) -> Result<Token, String> {
    let mut fields = object(document)?;
    let token = of_fields(&mut fields);
    wipe(fields);
    token
}

fn of_fields(fields: &mut Map<String, Value>) -> Result<Token, String> {
    let access_token = need(fields, "accessToken")?;
    let expires_at = time("expiresAt", &need(fields, "expiresAt")?)?;
    let mut part = |name| take(fields, name);
    let parts = (part("refreshToken"), part("clientId"), part("clientSecret"));
    let registration = part("registrationExpiresAt");
    let renewal = match (parts, registration) {
        // A registration whose end cannot be read renews nothing; the token is good without.
        ((Some(refresh_token), Some(client_id), Some(client_secret)), Some(end)) => {
            time("registrationExpiresAt", &end).ok().map(|registration_expires_at| Renewal {
                refresh_token,
                client_id,
                client_secret,
                registration_expires_at,
            })
        }
        _ => None,
    };
    Ok(Token { access_token, expires_at, renewal })
}

/// Reads the answer to a renewal.
pub(super) fn renewed(document: &[u8]) -> Result<Renewed, String> {
    let mut fields = object(document)?;
    let refresh_token = take(&mut fields, "refreshToken");
    let life_s = fields.get("expiresIn").and_then(Value::as_u64);
    let access_token = need(&mut fields, "accessToken");
    wipe(fields);
    let life_s = life_s.ok_or_else(|| "it has no expiresIn that is a number".to_owned())?;
    Ok(Renewed { access_token: access_token?, life_s, refresh_token })
}

/// What either service says against a request; not what it repeats of the secrets that were sent (SEC-1).
pub(super) fn refusal(document: &[u8], sent: &[&str]) -> String {
    let Ok(mut fields) = object(document) else { return "no reason that can be read".to_owned() };
    let names = ["__type", "error", "message", "error_description"];
    let said = names.into_iter().filter_map(|name| take(&mut fields, name));
    let said: Vec<String> = said.map(|text| printable_without(&text, sent)).collect();
    wipe(fields);
    if said.is_empty() { "no reason".to_owned() } else { said.join(": ") }
}

impl Token {
    /// Whether it may be renewed without the browser.
    pub(super) fn can_renew(&self, now: Timestamp) -> bool {
        self.renewal.as_ref().is_some_and(|it| now < it.registration_expires_at)
    }

    /// What a request with this token, or for a new one, tells that nobody else may know.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let renewal = self.renewal.as_ref();
        let others = renewal.map(|it| [it.client_secret.as_str(), it.refresh_token.as_str()]);
        others.into_iter().flatten().chain([self.access_token.as_str()]).collect()
    }

    /// The request for a new one; empty where it cannot be renewed.
    pub(super) fn renewal(&self) -> Secret {
        let Some(renewal) = &self.renewal else { return Secret::default() };
        write(&[
            ("clientId", &renewal.client_id),
            ("clientSecret", &renewal.client_secret),
            ("grantType", "refresh_token"),
            ("refreshToken", &renewal.refresh_token),
        ])
    }

    /// The file with the new token in the place of this one, as the AWS CLI writes it.
    pub(super) fn document(&self, renewed: &Renewed, sign_in: &SignIn, now: Timestamp) -> Secret {
        let end = now.shifted(i64::try_from(renewed.life_s).unwrap_or(i64::MAX));
        let end = Iso8601(end).to_string();
        let mut fields: Vec<(&str, &str)> = vec![
            ("startUrl", &sign_in.start_url),
            ("region", &sign_in.region),
            ("accessToken", &renewed.access_token),
            ("expiresAt", &end),
        ];
        let registration_end;
        if let Some(renewal) = &self.renewal {
            registration_end = Iso8601(renewal.registration_expires_at).to_string();
            fields.push(("clientId", &renewal.client_id));
            fields.push(("clientSecret", &renewal.client_secret));
            fields.push(("registrationExpiresAt", &registration_end));
        }
        fields.extend(renewed.refresh_token.as_ref().map(|it| ("refreshToken", it.as_str())));
        write(&fields)
    }
}

fn need(fields: &mut Map<String, Value>, name: &str) -> Result<Zeroizing<String>, String> {
    take(fields, name).ok_or_else(|| format!("it has no {name}"))
}

/// Older releases of the AWS CLI end their times with `UTC`.
fn time(name: &str, text: &str) -> Result<Timestamp, String> {
    let with_z = text.strip_suffix("UTC").map(|text| format!("{text}Z"));
    Timestamp::parse_iso8601(with_z.as_deref().unwrap_or(text))
        .map_err(|_| format!("its {name} is no time in ISO 8601"))
}

/// An object of texts.
fn write(fields: &[(&str, &str)]) -> Secret {
    // No growth on the way: a buffer that is left behind is not wiped. An escape has six bytes.
    let bytes = fields.iter().map(|(name, it)| name.len() + 6 * it.len() + 8).sum::<usize>() + 2;
    let mut document = Secret::new(Vec::with_capacity(bytes));
    for (index, (name, value)) in fields.iter().enumerate() {
        document.extend_from_slice(if index == 0 { b"{\"" } else { b", \"" });
        document.extend_from_slice(name.as_bytes());
        document.extend_from_slice(b"\": ");
        serde_json::to_writer(&mut *document, value).expect("memory takes it");
    }
    document.push(b'}');
    debug_assert!(document.len() <= bytes, "it has grown");
    document
}
