//! Roles that are assumed, by keys or by a token.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hydrant::s3::HeadBucket;
use hydrant::s3::time::{Iso8601, Timestamp};
use hydrant::{Class, Hydrant};
use hydrant_tests::{BUCKET, Peer, Seen, World};

use super::{client_of, comes_from, keys_of, path_text, works};

/// A service that gives each role keys: those that `keys` has for the role's name, which is the last word of
/// the form's `RoleArn`. `looks_at` sees each request and its form.
pub(super) fn sts(
    keys: impl Fn(&str) -> [String; 3] + Send + Sync + 'static,
    looks_at: impl Fn(&Seen, &str) + Send + Sync + 'static,
) -> Peer {
    Peer::start(move |seen, wire| {
        let form = String::from_utf8(wire.receive_body()?).expect("a form");
        looks_at(seen, &form);
        let field = |name: &str| {
            let fields = form.split('&').filter_map(|pair| pair.split_once('='));
            fields.into_iter().find(|(known, _)| *known == name).expect("a field").1
        };
        let (action, role) = (field("Action"), field("RoleArn"));
        let role = role.rsplit("%2F").next().expect("a name");
        let (status, body) = match role {
            "forbidden" => (
                "403 Forbidden",
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                 <Message>not for you</Message></Error></ErrorResponse>"
                    .to_owned(),
            ),
            role => {
                let [id, secret, token] = keys(role);
                let end = Iso8601(Timestamp::from(SystemTime::now() + Duration::from_secs(3600)));
                let given = format!(
                    "<AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
                     <SessionToken>{token}</SessionToken><Expiration>{end}</Expiration>"
                );
                let result = format!("<Credentials>{given}</Credentials>");
                let result = format!("<{action}Result>{result}</{action}Result>");
                ("200 OK", format!("<{action}Response>{result}</{action}Response>"))
            }
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head.as_bytes())?;
        wire.send(body.as_bytes())
    })
}

/// The keys of the world for the role `reader`, and others for the roles on the way there.
fn of_the_world(world: &World) -> impl Fn(&str) -> [String; 3] + Send + Sync + 'static {
    let (id, secret) = keys_of(world);
    move |role| match role {
        "reader" => [id.clone(), secret.clone(), "token".to_owned()],
        role => [format!("AKID-{role}"), "secret-on-the-way".to_owned(), format!("token-{role}")],
    }
}

/// Profiles that lead from keys through one role to another, and by a token from a file to the last.
fn client_with_profile(world: &World, sts: &Peer, profile: &str) -> Hydrant {
    let (config, jwt) = (world.file("config"), world.file("jwt"));
    fs::write(&jwt, "jwt\n").unwrap();
    let text = format!(
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base-secret\n\
         [profile middle]\nrole_arn = arn:aws:iam::1:role/middle\nsource_profile = base\n\
         external_id = an id/&\nrole_session_name = the-session\nduration_seconds = 1800\n\
         [profile last]\nrole_arn = arn:aws:iam::2:role/reader\nsource_profile = middle\n\
         [profile forbidden]\nrole_arn = arn:aws:iam::1:role/forbidden\nsource_profile = base\n\
         [profile token]\nrole_arn = arn:aws:iam::1:role/reader\nrole_session_name = by-token\n\
         web_identity_token_file = {}\n",
        jwt.display()
    );
    fs::write(&config, text).unwrap();
    client_of(
        world,
        &[
            ("AWS_ENDPOINT_URL_STS", sts.url()),
            ("AWS_CONFIG_FILE", path_text(&config)),
            ("AWS_PROFILE", profile.to_owned()),
        ],
    )
}

#[test]
fn a_role_is_assumed_with_the_keys_of_another_profile_and_leads_to_the_next() {
    let world = Arc::new(World::new());
    let sts = sts(of_the_world(&world), |seen, form| {
        let signed = seen.header("authorization").expect("signed");
        assert!(signed.contains("/sts/aws4_request"), "{signed}");
        let token = seen.header("x-amz-security-token");
        if !form.contains("role%2Freader") {
            assert!(signed.contains("Credential=AKIDBASE/"), "{signed}");
            assert_eq!(token, None);
        }
        if form.contains("role%2Fmiddle") {
            for field in [
                "Action=AssumeRole&",
                "ExternalId=an%20id%2F%26",
                "RoleSessionName=the-session",
                "DurationSeconds=1800",
            ] {
                assert!(form.contains(field), "{field} in {form}");
            }
        }
        if form.contains("role%2Freader") {
            assert!(signed.contains("Credential=AKID-middle/"), "{signed}");
            assert!(signed.contains("x-amz-security-token"), "{signed}");
            assert_eq!(token, Some("token-middle"));
        }
    });
    let hydrant = client_with_profile(&world, &sts, "last");
    let signer = works(&hydrant);
    comes_from(&signer, "profile last");
    assert_eq!(sts.seen().len(), 2, "one role after the other, once");

    let refused = client_with_profile(&world, &sts, "forbidden");
    let client = refused.s3(BUCKET).expect("a bucket");
    let error = client.send(HeadBucket::default()).wait().expect_err("not allowed");
    let text = error.to_string();
    assert!(text.contains("not for you") && text.contains("role/forbidden"), "{text}");
    assert_eq!(error.class(), Class::Config);
}

#[test]
fn a_role_is_assumed_with_a_token_from_a_file() {
    let world = Arc::new(World::new());
    let sts = sts(of_the_world(&world), |seen, form| {
        assert!(form.contains("Action=AssumeRoleWithWebIdentity"), "{form}");
        assert!(form.contains("WebIdentityToken=jwt"), "{form}");
        assert_eq!(seen.header("authorization"), None);
    });
    let token = world.file("jwt");
    fs::write(&token, "jwt\n").unwrap();
    let hydrant = client_of(
        &world,
        &[
            ("AWS_ENDPOINT_URL_STS", sts.url()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", path_text(&token)),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/reader".to_owned()),
        ],
    );
    comes_from(&works(&hydrant), "web identity, role arn:aws:iam::1:role/reader");

    let hydrant = client_with_profile(&world, &sts, "token");
    comes_from(&works(&hydrant), "profile token, web identity");
    assert_eq!(sts.seen().len(), 2);
}
